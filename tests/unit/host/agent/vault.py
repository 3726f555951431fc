"""A node with secrets, beside a chain and peers that answer what a test lets them."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, cast

from msgspec.structs import replace
from tests.unit.docklock.agent.desk import assignment
from tests.unit.docklock.agent.desk import spec as spec_of
from tests.unit.docklock.secrets.keyring import CHAIN, CONTENT

from metanode.docklock.cluster.state import NO_SHARE, Assignment, Member, Share
from metanode.docklock.secrets import Content, commitment_of, label_of, seal
from metanode.host.agent.chain import ChainPort
from metanode.host.agent.joining import inventory_of
from metanode.host.agent.records import Records
from metanode.host.agent.refusing import Refusals, Refused
from metanode.host.agent.secret_store import SecretStore
from metanode.host.agent.secrets import Here, NodeSecrets, Peers, opening_keys
from metanode.host.disk import Disk
from metanode.primitives.codec import encode
from metanode.records.secret import SealedSecret, SecretAsked
from metanode.records.workload import SecretFile, WorkloadSpec

Answers: TypeAlias = dict[str, Callable[[SecretAsked], bytes | None]]
SEED, OTHER = b"1" * 32, b"2" * 32
COMMITMENT = commitment_of("main", "token", CONTENT)
TOKEN = SecretFile(secret="token", version=3, commitment=COMMITMENT, target="/run/secrets/token", mode=0o444)
SPEC = spec_of(secrets=(TOKEN,))
ONE = assignment()


def member(seed: bytes, **changes: Any) -> Member:
    has = inventory_of(seed, "127.0.0.1:26700", (1_000, 1 << 20), "sandbox", (), ())
    usual = Member(account=seed[:20], standing="in", mark="active", inventory=(has,), labels=(), taints=())
    return replace(usual, **changes)


def share(*assignments: Assignment) -> Share:
    return replace(NO_SHARE, assignments=assignments)


def envelope(
    seed: bytes = SEED, node: str = "node-1", content: Content = CONTENT, version: int = 3, secret: str = "token"
) -> SealedSecret:
    public = opening_keys(seed).public
    label = label_of(CHAIN, "main", node, public, secret, version, commitment_of("main", secret, content))
    return seal(label, public, content, bytes(range(32)))


class Papers:
    """What was written down, in order, and what was refused."""

    def __init__(self) -> None:
        self.written: list[tuple[str, dict[str, Any]]] = []
        self.refused: list[Refused] = []

    async def write(self, step: str, one: Any, image: bytes, told: dict[str, Any], code: str = "") -> None:
        self.written.append((step, told))

    def note(self, refused: Refused) -> None:
        self.refused.append(refused)


class Chain:
    """What is proved of other nodes."""

    def __init__(self) -> None:
        self.nodes: dict[str, tuple[Member | None, Share]] = {}

    def neighbour(self, node: str) -> tuple[Member | None, Share]:
        return self.nodes.get(node, (None, NO_SHARE))


class Others(Peers):
    """Peers that answer by a function instead of a socket."""

    def __init__(self, answers: Answers) -> None:
        super().__init__(lambda: tuple(answers), lambda *_: {})
        self._answers = answers
        self.asked: list[str] = []

    def ask(self, peer: str, asked: SecretAsked) -> bytes | None:
        self.asked.append(peer)
        return self._answers[peer](asked)


class Node:
    """One node: `seed` is whose it is."""

    def __init__(self, folder: Path, seed: bytes = SEED, name: str = "node-1", answers: Answers | None = None) -> None:
        self.papers, self.chain, self.others = Papers(), Chain(), Others(answers or {})
        self.store = SecretStore(folder / "secrets", Disk())
        self.spec: WorkloadSpec | None = SPEC
        self.secrets = NodeSecrets(
            Here(CHAIN, "main", name, opening_keys(seed)),
            self.store,
            cast("ChainPort", self.chain),
            self.others,
            lambda _one: self.spec,
            cast("Records", self.papers),
            cast("Refusals", self.papers),
        )

    def put(self, sealed: SealedSecret, name: str = "token") -> None:
        self.secrets.keep(encode(sealed), name)

    def seal_for(self, asked: SecretAsked, account: bytes) -> bytes:
        return asyncio.run(self.secrets.seal_for(asked, account, bytes(range(32))))
