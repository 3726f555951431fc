"""Nodes of a cluster without machines: they join, and report by transactions what an honest agent would."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from metanode.client import Client, ClientError
from metanode.client.state_keys import share
from metanode.client.transactions import Sender
from metanode.docklock.cluster.state import NO_SHARE, SHARES, Share
from metanode.primitives import ed25519
from metanode.records.address import address_of_key, show_address
from metanode.records.cluster import NO_RECEIPTS, SEALING_KEY_BYTES, Inventory, ReplicaReport
from metanode.records.cluster_calls import ClusterJoin, ClusterReport

BEAT_S: Final = 0.2
"""Between two reports of a node."""


@dataclass
class PretendAgent:
    """One node: says of everything in its share that it is ready, or stopped as asked; of workloads in `broken` that
    they fail to start. Silent while `silent` is set."""

    url: str
    cluster: str
    node: str
    broken: set[str] = field(default_factory=set)
    silent: threading.Event = field(default_factory=threading.Event)
    told: set[tuple[str, int, int, str]] = field(default_factory=set)

    @property
    def seed(self) -> bytes:
        return sha256(b"pretend agent " + self.node.encode()).digest()

    @property
    def account(self) -> str:
        return show_address(address_of_key(ed25519.public_key(self.seed)))

    def inventory(self) -> Inventory:
        """Four cores and 4 GiB that nobody has."""
        return Inventory(
            architecture="x86_64",
            kernel="6.1",
            cpu_millicores=4_000,
            memory_kib=4 << 20,
            engines=("sandbox",),
            api="",
            mesh="127.0.0.1:26701",
            transport_key=ed25519.public_key(self.seed),
            sealing_key=bytes(SEALING_KEY_BYTES),
            images=(),
            volumes=(),
        )

    def join(self) -> None:
        with Client(self.url) as client:
            call = ClusterJoin(cluster=self.cluster, node=self.node, inventory=self.inventory())
            assert Sender(client, self.seed).send(call).succeeded

    def live(self, ended: threading.Event) -> None:
        """Report until told to end."""
        with Client(self.url) as client:
            sender, sequence = Sender(client, self.seed), 0
            while not ended.wait(BEAT_S):
                if self.silent.is_set():
                    continue
                sequence += 1
                try:
                    said = self._answers(client)
                    sender.send(
                        ClusterReport(
                            cluster=self.cluster,
                            node=self.node,
                            sequence=sequence,
                            replicas=said,
                            receipts=NO_RECEIPTS,
                        )
                    )
                except ClientError:  # the node is restarted just now: the next report says it
                    sender.lanes.resync()

    def _answers(self, client: Client) -> tuple[ReplicaReport, ...]:
        """What changed since the last report, by what the chain says it is to do."""
        said = []
        for one in self._share(client).assignments:
            state = "stopped" if not one.run else "failed" if one.workload in self.broken else "ready"
            name = one.workload, one.index, one.attempt, state
            if name not in self.told:
                self.told.add(name)
                code = 1 if state == "failed" else 0
                said.append(
                    ReplicaReport(workload=one.workload, index=one.index, attempt=one.attempt, state=state, code=code)
                )
        return tuple(said)

    def _share(self, client: Client) -> Share:
        proof = client.cluster.share(self.cluster, self.node)
        module, key = share(self.cluster, self.node)
        assert (proof.module, proof.key) == (module, key.hex())
        return SHARES.decode(bytes.fromhex(proof.value)) if proof.present else NO_SHARE


@contextmanager
def living(agents: list[PretendAgent]) -> Iterator[None]:
    """The agents report, each in a thread of its own, until the end."""
    ended = threading.Event()
    threads = [threading.Thread(target=agent.live, args=(ended,)) for agent in agents]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()
