"""Whether a cluster works, by a server of words that the test says."""

from pathlib import Path
from typing import Any, cast

from metanode.host.runtimes.driver import Lacks, Works
from metanode.host.runtimes.kubernetes.access import Api
from metanode.host.runtimes.kubernetes.place import place_of
from metanode.host.runtimes.kubernetes.probing import probe

NODE = {"metadata": {"name": "node-1"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}


class Server:
    """One ready node; allows what is not forbidden, `verb resource`."""

    def __init__(self, *forbidden: str) -> None:
        self.forbidden = forbidden

    def ask(self, _method: str, path: str, _query: Any = None, body: Any = None) -> dict[str, Any]:
        if path == "/version":
            return {"gitVersion": "v1.20.5"}
        if path.endswith("selfsubjectaccessreviews"):
            asked = body["spec"]["resourceAttributes"]
            name = f"{asked['verb']} {asked['resource']}" + f"/{asked['subresource']}" * bool(asked["subresource"])
            return {"status": {"allowed": name not in self.forbidden}}
        return {"items": [NODE]}


def test_a_right_that_is_missing_is_named() -> None:
    place = place_of(Path("/agent"), ("namespace=shop",))
    whole = probe(cast("Api", Server()), place)
    assert isinstance(whole, Works)
    assert whole.version == "1.20.5"
    found = probe(cast("Api", Server("watch pods", "get pods/log")), place)
    assert isinstance(found, Lacks)
    assert "in namespace shop: watch pods, get pods/log" in found.reason
