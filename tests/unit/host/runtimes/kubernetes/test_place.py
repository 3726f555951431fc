"""Where pods go: options, kubeconfigs, and servers that are none."""

import asyncio
import importlib
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from metanode.host.agent.engines import AgentRefusal, open_engine
from metanode.host.runtimes.driver import Lacks
from metanode.host.runtimes.kubernetes.access import INSTALL, Api, open_api
from metanode.host.runtimes.kubernetes.driver import open_kubernetes
from metanode.host.runtimes.kubernetes.place import Pull, place_of
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.primitives.refusal import Rejected


def kubeconfig(path: Path, url: str) -> Path:
    parts = {
        "clusters": [{"name": "t", "cluster": {"server": url}}],
        "users": [{"name": "t", "user": {"token": "word"}}],
        "contexts": [{"name": "t", "context": {"cluster": "t", "user": "t"}}],
    }
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "t", **parts}))
    return path


def test_a_place_is_what_its_options_say(tmp_path: Path) -> None:
    place = place_of(tmp_path, ("kubeconfig=/a=b", "namespace=shop", "node=node-1.example", "pull=never"))
    assert (place.kubeconfig, place.namespace, place.node, place.pull) == (
        "/a=b",
        "shop",
        "node-1.example",
        Pull.NEVER,
    )
    usual = place_of(tmp_path, ())
    assert (usual.namespace, usual.pull, usual.node) == ("metanode", Pull.IF_NOT_PRESENT, "")
    assert usual.agent == place.agent
    assert usual.agent != place_of(tmp_path / "other", ()).agent


@pytest.mark.parametrize(
    "options",
    [
        ("namespace",),
        ("colour=red",),
        ("namespace=a", "namespace=b"),
        ("namespace=../secrets",),
        ("node=a/b",),
        ("agent=A",),
        ("pull=always",),
        ("context=" + "x" * 257,),
    ],
)
def test_other_options_are_refused(tmp_path: Path, options: tuple[str, ...]) -> None:
    with pytest.raises(Rejected) as refused:
        place_of(tmp_path, options)
    assert refused.value.reason is RuntimeRefusal.BAD_OPTION


def test_without_the_client_it_is_said_what_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(Rejected) as refused:
        open_api(place_of(tmp_path, ()))
    assert refused.value.reason is RuntimeRefusal.ENGINE_MISSING
    assert INSTALL in refused.value.detail


def test_without_a_kubeconfig_it_is_said_how_to_give_one(tmp_path: Path) -> None:
    with pytest.raises(Rejected) as refused:
        open_api(place_of(tmp_path, (f"kubeconfig={tmp_path / 'none'}",)))
    assert refused.value.reason is RuntimeRefusal.BAD_OPTION
    assert "kubeconfig=FILE" in refused.value.detail


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_server_that_is_not_there_is_not_taken_for_one(tmp_path: Path) -> None:
    config = kubeconfig(tmp_path / "kubeconfig", f"http://127.0.0.1:{closed_port()}")

    async def played() -> None:
        driver = await open_kubernetes(place_of(tmp_path, (f"kubeconfig={config}",)))
        lacks = await driver.probe()
        assert isinstance(lacks, Lacks)
        assert "does not answer" in lacks.reason
        await driver.close()
        with pytest.raises(Rejected) as refused:
            await open_engine(tmp_path, "kubernetes", options=(f"kubeconfig={config}",))
        assert refused.value.reason is AgentRefusal.NO_ENGINE

    asyncio.run(played())


class Strange(BaseHTTPRequestHandler):
    """Says something that is no answer."""

    answers = {  # noqa: RUF012
        "/no-json": (200, b"<html>a proxy</html>"),
        "/no-object": (200, b"[1]"),
        "/broken": (500, b"etcd is away"),
        "/busy": (429, b"later"),
        "/taken": (409, json.dumps({"kind": "Status", "reason": "AlreadyExists", "message": "it is there"}).encode()),
        "/bad": (422, json.dumps({"kind": "Status", "reason": "Invalid", "message": "no such field"}).encode()),
    }

    def do_GET(self) -> None:
        status, body = self.answers[self.path]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def strange(tmp_path: Path) -> Iterator[Api]:
    server = HTTPServer(("127.0.0.1", 0), Strange)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    config = kubeconfig(tmp_path / "kubeconfig", f"http://127.0.0.1:{server.server_address[1]}")
    api = open_api(place_of(tmp_path, (f"kubeconfig={config}",)))
    yield api
    api.close()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("path", ["/no-json", "/no-object"])
def test_what_is_no_answer_is_not_believed(strange: Api, path: str) -> None:
    with pytest.raises(Rejected) as refused:
        strange.ask("GET", path)
    assert refused.value.reason is RuntimeRefusal.ENGINE_ANSWER


@pytest.mark.parametrize(
    ("path", "reason", "word"),
    [
        ("/broken", RuntimeRefusal.ENGINE_GONE, "etcd is away"),
        ("/busy", RuntimeRefusal.ENGINE_GONE, "later"),
        ("/taken", RuntimeRefusal.EXISTS, "AlreadyExists: it is there"),
        ("/bad", RuntimeRefusal.SETUP_FAILED, "422 Invalid: no such field"),
    ],
)
def test_what_the_server_says_is_kept(strange: Api, path: str, reason: RuntimeRefusal, word: str) -> None:
    from metanode.host.runtimes.kubernetes.access import ApiFailure

    with pytest.raises(ApiFailure) as failed:
        strange.ask("GET", path)
    refused = failed.value.rejected()
    assert (refused.reason, word in refused.detail) == (reason, True)
