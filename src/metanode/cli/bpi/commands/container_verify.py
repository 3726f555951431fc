"""`bpi container verify`: a running container against the chain, layer by layer; no node and no agent is believed."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.clusters import chosen_cluster, cluster_option
from metanode.cli.bpi.commands.container_agents import Asking, account_option
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.running import Running, containers_of
from metanode.cli.bpi.trust import trusted_genesis
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure, form_of
from metanode.cli.session import Session, pass_session
from metanode.client import state_keys
from metanode.client.agent import AgentClient
from metanode.client.agent_images import AgentImages
from metanode.client.agent_receipts import Wanted, every_receipt
from metanode.client.verify import GenesisBasis, LightClient, verify_workload_receipt
from metanode.docklock.cluster.signed import about_image, check_image
from metanode.docklock.cluster.state import (
    CLUSTERS,
    SHARES,
    WORKLOADS,
    Assignment,
    Revision,
    cluster_key,
    share_key,
    workload_key,
)
from metanode.docklock.images.digests import Digest
from metanode.docklock.images.policy import signers
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.workload import WORKLOAD_SPECS, check_pinned

RECEIPTS_MAX: Final = 1_000
"""Most receipts of one container that are checked."""


@dataclass(slots=True)
class Layers:
    """What was checked so far, each layer with what was seen; the first that does not hold ends it."""

    told: list[dict[str, Any]] = field(default_factory=list)
    failed: Rejected | Failure | None = None

    def check(self, layer: str, look: Callable[[], str]) -> None:
        """Look at one layer, unless one before it failed already."""
        if self.failed is not None:
            return
        try:
            seen = look()
        except (Rejected, Failure) as error:
            self.failed = error
            self.told.append({"layer": layer, "holds": False, "seen": str(error)})
        else:
            self.told.append({"layer": layer, "holds": True, "seen": seen})


@leaf()
@click.argument("container")
@cluster_option
@account_option
@pass_session
def verify(session: Session, container: str, cluster: str, account: str) -> ExitStatus | None:
    """Verify a running container against the chain: placement, specification, image, what its agent says, its receipts.

    Everything rests on the local genesis; that it runs at this moment is the word of its agent, whose key is on chain.
    """
    began = time.monotonic()
    with connect(session) as client:
        chosen = chosen_cluster(client, cluster)
        one = containers_of(client, chosen, container)[0]
        agent = Asking(session, client, chosen, account).agent(one.node)
        basis = GenesisBasis(trusted_genesis(session, "").genesis)
        look = _Look(LightClient(client, basis), agent, chosen, one, basis)
        layers = Layers()
        for layer, sight in look.sights():
            layers.check(layer, sight)
    data = {
        "container": one.name,
        "node": one.node,
        "layers": layers.told,
        "valid": layers.failed is None,
        "verify_ms": round((time.monotonic() - began) * 1_000, 1),
    }
    session.output.result("container.verify/1", data, lambda: _tell(session, data))
    return None if layers.failed is None else _exit(layers.failed)


def _exit(failed: Rejected | Failure) -> ExitStatus:
    return ExitStatus(form_of(failed).exit)


def _tell(session: Session, data: dict[str, Any]) -> None:
    line, styled = session.output.line, session.output.styled
    line(f"container   {data['container']} on {data['node']}")
    for one in data["layers"]:
        mark = styled("holds", "good") if one["holds"] else styled("fails", "bad")
        line(f"{one['layer']:<11} {mark}  {one['seen']}")
    if data["valid"]:
        line(f"{styled('VALID', 'good')}       {len(data['layers'])} layers · {data['verify_ms']:.0f} ms")
    else:
        line(f"{styled('INVALID', 'bad')}     layer: {data['layers'][-1]['layer']}")


class _Look:
    """One container, looked at from the outside in."""

    def __init__(self, light: LightClient, agent: AgentClient, cluster: str, one: Running, basis: Any) -> None:
        self._light = light
        self._agent = agent
        self._cluster = cluster
        self._one = one
        self._basis = basis
        self._height = 0
        self._assigned: Assignment | None = None
        self._revision: Revision | None = None

    def sights(self) -> list[tuple[str, Callable[[], str]]]:
        """The layers in their order."""
        return [
            ("placement", self.placement),
            ("spec", self.specification),
            ("image", self.image),
            ("running", self.running),
            ("receipts", self.receipts),
        ]

    def _prove(self, key: bytes) -> bytes | None:
        proven = self._light.prove("cluster", key, self._height)
        self._height = proven.header.height
        return proven.value

    def _no(self, what: str) -> Failure:
        fix = f"bpi container show {self._one.workload} --cluster {self._cluster}"
        return Failure(CliRefusal.NOTHING_THERE, ExitStatus.INVALID_PROOF, what, fix=fix)

    def placement(self) -> str:
        """CLUSTER-7. The share of its node names it, by a proof under a final header."""
        value = self._prove(share_key(self._cluster, self._one.node))
        wanted = (self._one.workload, self._one.index, self._one.attempt)
        for one in SHARES.decode(value).assignments if value is not None else ():
            if (one.workload, one.index, one.attempt) == wanted:
                self._assigned = one
                return f"assigned to {self._one.node} as revision {one.revision} · proved at height {self._height}"
        raise self._no(f"at height {self._height} {self._one.node} is not to run it")

    def specification(self) -> str:
        """PLACE-2. Its bytes are those that the assignment pins, and their terms those on chain."""
        assert self._assigned is not None, "placement came first"
        value = self._prove(workload_key(self._cluster, self._one.workload))
        kept = WORKLOADS.decode(value) if value is not None else None
        revisions = (kept.current, *kept.earlier) if kept is not None else ()
        found = next((one for one in revisions if one.number == self._assigned.revision), None)
        if found is None or sha256(encode(found.terms)).digest() != self._assigned.terms:
            raise self._no(f"revision {self._assigned.revision} is not on chain with these terms")
        spec = WORKLOAD_SPECS.decode(b"".join(self._agent.fetch(f"sha256:{self._assigned.spec.hex()}")))
        check_pinned(spec, self._assigned.spec, found.terms)
        self._revision = found
        return f"sha256:{self._assigned.spec.hex()[:16]}… · its terms are those on chain"

    def image(self) -> str:
        """CLUSTER-20, CLUSTER-23. The image is pinned, here whole, and one that the cluster lets run."""
        assert self._revision is not None, "the specification came first"
        image = self._revision.terms.demand.image
        if not image:
            return "the node's own read-only /usr"
        record = self._prove(cluster_key(self._cluster))
        if record is None:
            raise self._no(f"there is no cluster {self._cluster}")
        settings = CLUSTERS.decode(record).settings
        admitted = self._prove(state_keys.image_admitted(self._cluster, image)[1])
        known = about_image(admitted, self._prove(state_keys.image_signed(self._cluster, image)[1]))
        check_image(settings, image, known)
        digest = Digest(image.hex())
        parts = AgentImages(self._agent).check(str(digest))["parts"]
        signed = len(signers(settings.policy, digest, known[1]))
        by = (
            f"signed by {signed} of {len(settings.policy.keys)} keys"
            if settings.policy.keys
            else "no signature demanded"
        )
        return f"{str(digest)[:23]}… · {parts} parts read again by the agent · {by}"

    def running(self) -> str:
        """What its agent says: it runs, by which engine."""
        for one in self._agent.containers():
            if one["id"] == self._one.name:
                if one["phase"] != "running":
                    raise self._no(f"its agent says that it is {one['phase']}")
                return f"by {one['engine']}, process {one['pid']} · {one['log_bytes']} bytes said · the agent's word"
        raise self._no("its agent knows no container of this name")

    def receipts(self) -> str:
        """WREC-9. Its receipts, each by its signature, its batch and the block that pinned it; they say that it began
        by this specification."""
        assert self._assigned is not None, "placement came first"
        wanted = Wanted(self._one.workload, self._one.index, self._one.attempt, files=True)
        pinned, waiting, steps, height = 0, 0, [], 0
        for page in every_receipt(self._agent, wanted):
            for shown in page.shown():
                if not shown.file:
                    waiting += 1
                    continue
                proved = verify_workload_receipt(shown.file, self._basis)
                entry = proved.entry.signed.entry
                if (entry.cluster, entry.node) != (self._cluster, self._one.node):
                    raise self._no(f"receipt {entry.number} is of {entry.node} of {entry.cluster}")
                if entry.spec and entry.spec != self._assigned.spec:
                    raise self._no(f"receipt {entry.number} is about specification sha256:{entry.spec.hex()[:16]}…")
                steps.append(entry.step)
                height = max(height, shown.height)
                pinned += 1
            if pinned >= RECEIPTS_MAX:
                break
        if not {"started", "restarted", "healthy", "verified"} & set(steps):
            raise self._no(f"no receipt of its start is pinned yet; {waiting} wait for the next report")
        more = f", {waiting} wait to be pinned" if waiting else ""
        return f"{pinned} verified ({', '.join(dict.fromkeys(steps))}), the last pinned by block {height}{more}"
