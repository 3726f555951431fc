"""The chain as an agent sees it: a light client of several nodes, none of which it believes."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from metanode.client import Client, ClientError, state_keys
from metanode.client.transactions import Sender
from metanode.client.verify import GenesisBasis, LightClient, verify_receipt
from metanode.docklock.cluster.signed import AboutImage, about_image
from metanode.docklock.cluster.state import (
    CLUSTERS,
    MEMBERS,
    NO_SHARE,
    SHARES,
    WORKLOADS,
    Cluster,
    Member,
    Share,
    cluster_key,
    member_key,
    share_key,
    workload_key,
)
from metanode.host.agent.chain import ChainUnreachable, Outcome, ProvedShare
from metanode.primitives import ed25519
from metanode.primitives.refusal import Rejected
from metanode.records.address import address_of_key, show_address
from metanode.records.calls import Call
from metanode.records.cluster import ReceiptBatch
from metanode.records.genesis import Genesis
from metanode.records.pinned_batch import PinnedBatch
from metanode.records.workload import SpecRefusal, Terms

MODULE: Final = "cluster"
"""Of the state."""
WAIT_S: Final = 5.0
"""How long a wait for the next head lasts before it is looked again."""
FINAL_S: Final = 20.0
"""How long a report may take to become final; then it counts as not said."""
MEMBERS_S: Final = 10.0
"""How long it is believed where the other agents are."""

Value = TypeVar("Value")


class Line:
    """One conversation with whichever node answers: the next of them where one does not, or does not tell the truth."""

    def __init__(self, urls: Sequence[str], genesis: Genesis) -> None:
        self._urls: Final = tuple(urls)
        self._genesis: Final = genesis
        self._at = 0
        self._lock: Final = threading.Lock()
        self._client: Client | None = None
        self._light: LightClient | None = None

    def ask(self, question: Callable[[Client, LightClient], Value]) -> Value:
        """Ask one node after another. Raises `ChainUnreachable` where none answers with what can be proved."""
        with self._lock:
            said = []
            for _ in self._urls:
                url = self._urls[self._at]
                try:
                    if self._client is None or self._light is None:
                        self._client = Client(url, timeout_s=WAIT_S)
                        self._light = LightClient(self._client, GenesisBasis(self._genesis))
                    return question(self._client, self._light)
                except (ClientError, Rejected) as error:
                    if isinstance(error, Rejected) and isinstance(error.reason, SpecRefusal):
                        raise
                    said.append(f"{url}: {error}")
                    self._client = self._light = None
                    self._at = (self._at + 1) % len(self._urls)
            raise ChainUnreachable("; ".join(said))


class Heads:
    """The newest head that any node told of; only a hint, everything that follows from it is proved."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls: Final = tuple(urls)
        self._height = 0
        self._closed = False
        self._why: Final[dict[str, str]] = {}
        self._changed: Final = threading.Condition()
        threading.Thread(target=self._listen, name="heads", daemon=True).start()

    def _listen(self) -> None:
        at = 0
        while True:
            try:
                with Client(self._urls[at]) as client:
                    self._saw(client.node.status().height)
                    for event in client.events(kinds=("block",), patience_s=1.0):
                        self._saw(int(event.id.partition(":")[0]))
            except ClientError as error:
                with self._changed:
                    self._why[self._urls[at]] = str(error)
            at = (at + 1) % len(self._urls)
            time.sleep(0.2)

    def _saw(self, height: int) -> None:
        with self._changed:
            self._why.clear()
            if height > self._height:
                self._height = height
                self._changed.notify_all()

    def wait(self, above: int) -> int:
        """The newest head once it is above a height, or after a while. Raises `ChainUnreachable` where every node was
        asked since the last answer, and none answered."""
        with self._changed:
            self._changed.wait_for(lambda: self._height > above or self._closed, WAIT_S)
            if self._height <= above and len(self._why) == len(set(self._urls)):
                raise ChainUnreachable("; ".join(self._why.values()))
            return self._height

    def close(self) -> None:
        """Whoever waits comes back."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class ClientChain:
    """Implements `ChainPort` for one node of one cluster."""

    def __init__(self, urls: Sequence[str], genesis: Genesis, cluster: str, node: str, seed: bytes) -> None:
        self._cluster: Final = cluster
        self._node: Final = node
        self._seed: Final = seed
        self._genesis: Final = genesis
        self._proving: Final = Line(urls, genesis)
        self._speaking: Final = Line(urls, genesis)
        self._fetching: Final = Line(urls, genesis)
        self._heads: Final = Heads(urls)
        self._sender: tuple[Client, Sender] | None = None
        self._last: _Known | None = None

    def wait(self, above: int) -> int:
        """The head."""
        return self._heads.wait(above)

    def close(self) -> None:
        """Whoever waits for a head comes back."""
        self._heads.close()

    def share(self) -> ProvedShare:
        """What the node is to do: its share and its cluster's record, both proved under one header."""

        def question(_client: Client, light: LightClient) -> ProvedShare:
            proven = light.prove(MODULE, share_key(self._cluster, self._node))
            height = proven.header.height
            record = light.prove(MODULE, cluster_key(self._cluster), height)
            if record.value is None:
                raise ChainUnreachable(f"there is no cluster {self._cluster} at height {height}")
            cluster = CLUSTERS.decode(record.value)
            members = self._members(light, cluster, height)
            last = self._last
            at_s = last.at_s if last is not None and members is last.members else time.monotonic()
            self._last = _Known(at_s, cluster, members)
            share = SHARES.decode(proven.value) if proven.value is not None else NO_SHARE
            return ProvedShare(height, proven.header.timestamp_ms, cluster, share)

        return self._proving.ask(question)

    def terms(self, workload: str, revision: int) -> Terms:
        """The terms of a revision."""

        def question(_client: Client, light: LightClient) -> Terms:
            value = light.prove(MODULE, workload_key(self._cluster, workload)).value
            if value is not None:
                kept = WORKLOADS.decode(value)
                for one in (kept.current, *kept.earlier):
                    if one.number == revision:
                        return one.terms
            raise Rejected(SpecRefusal.OTHER_TERMS, f"{workload} has no revision {revision} on chain")

        return self._proving.ask(question)

    def about_image(self, image: bytes) -> AboutImage:
        """Two values of the state, each of which may be proved to be absent."""

        def question(_client: Client, light: LightClient) -> AboutImage:
            admitted = light.prove(*state_keys.image_admitted(self._cluster, image))
            signed = light.prove(*state_keys.image_signed(self._cluster, image), admitted.header.height)
            return about_image(admitted.value, signed.value)

        return self._proving.ask(question)

    def submit(self, call: Call) -> Outcome:
        """Sign, send, wait until final."""

        def question(client: Client, _light: LightClient) -> Outcome:
            if self._sender is None or self._sender[0] is not client:
                self._sender = client, Sender(client, self._seed)
            status = self._sender[1].send(call, timeout_s=FINAL_S)
            return Outcome(status.height, status.code)

        return self._speaking.ask(question)

    def pinning(self, number: int, above: int) -> PinnedBatch | None:
        """The batch of an entry, looked for among the receipts that name the node's account."""
        account = show_address(address_of_key(ed25519.public_key(self._seed)))

        def question(client: Client, _light: LightClient) -> PinnedBatch | None:
            for view in client.receipt.all(account, above + 1):
                for event in view.events:
                    batch = _batch_of(event, self._cluster, self._node)
                    if batch is not None and batch.first <= number < batch.first + batch.count:
                        chain = bytes.fromhex(client.receipt.export(view.receipt).file)
                        verify_receipt(chain, GenesisBasis(self._genesis))
                        return PinnedBatch(height=view.height, batch=batch, chain=chain)
            return None

        return self._fetching.ask(question)

    def neighbour(self, node: str) -> tuple[Member | None, Share]:
        """Two values of the state, each of which may be proved to be absent."""

        def question(_client: Client, light: LightClient) -> tuple[Member | None, Share]:
            member = light.prove(*state_keys.member(self._cluster, node))
            share = light.prove(*state_keys.share(self._cluster, node), member.header.height).value
            known = MEMBERS.decode(member.value) if member.value is not None else None
            return known, SHARES.decode(share) if share is not None else NO_SHARE

        return self._proving.ask(question)

    def agents(self) -> tuple[str, ...]:
        """Where the other agents answer."""
        return tuple(endpoint for _, endpoint in self._known().members if endpoint)

    def settled(self) -> tuple[Cluster, frozenset[bytes]]:
        """The cluster's record as it was last proved, and the accounts of its nodes. Asks nobody."""
        known = self._known()
        accounts = {account for account, _ in known.members}
        return known.cluster, frozenset(accounts | {bytes(address_of_key(ed25519.public_key(self._seed)))})

    def _known(self) -> "_Known":
        if self._last is None:
            raise ChainUnreachable("nothing of the cluster was proved yet")
        return self._last

    def _members(self, light: LightClient, cluster: Cluster, height: int) -> tuple[tuple[bytes, str], ...]:
        """Account and endpoint of every other node, proved; what was proved a moment ago holds while these
        are the same nodes."""
        last = self._last
        if last is not None and last.cluster.nodes == cluster.nodes and time.monotonic() - last.at_s < MEMBERS_S:
            return last.members
        found = []
        for node in cluster.nodes:
            value = light.prove(MODULE, member_key(self._cluster, node), height).value
            if value is not None and node != self._node:
                member = MEMBERS.decode(value)
                found.append((member.account, member.inventory[0].api if member.inventory else ""))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class _Known:
    """What was proved last: when, the cluster's record, account and endpoint of its other nodes."""

    at_s: float
    cluster: Cluster
    members: tuple[tuple[bytes, str], ...]


def _batch_of(event: dict[str, Any], cluster: str, node: str) -> ReceiptBatch | None:
    """The batch that an event says was pinned for this node, if that is what it says."""
    if (event["type"], event.get("cluster"), event.get("node")) != ("cluster.receipts-pinned", cluster, node):
        return None
    return ReceiptBatch(first=event["first"], count=event["count"], root=bytes.fromhex(event["root"]))
