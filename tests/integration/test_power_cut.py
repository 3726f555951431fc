"""The power is cut at any moment of a node's life: it starts again, has lost no word of it, and signs nothing twice."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from shutil import copytree
from typing import Any

import msgspec
import pytest
from tests.integration.power import Cuts, Trace, TracedDisk, TracedStore

from metanode.chain.guard import Request
from metanode.client.transactions import Terms, build, encode_signed, sign
from metanode.host import opening
from metanode.host.clients import Clients
from metanode.host.clock import Clock
from metanode.host.data_directory import DataDirectory
from metanode.host.development import account_seed, create_network
from metanode.host.devices import Devices
from metanode.host.durables import Durables
from metanode.host.fault import Fault
from metanode.host.guard_file import GuardFile
from metanode.host.journal import Journal
from metanode.host.loop import Loop
from metanode.host.metrics import Metrics
from metanode.host.opening import Opened, open_all
from metanode.host.run import _node_settings, is_account_key
from metanode.host.settings import load_settings
from metanode.host.signer import Signed, Signer
from metanode.ledger import Mathematics
from metanode.node import blocks
from metanode.node import effects as out
from metanode.node import events as heard
from metanode.node.machine import Node
from metanode.primitives import bls
from metanode.primitives.ed25519 import SigningKey
from metanode.records.address import address_of_key
from metanode.records.calls import CoinTransfer
from metanode.records.header import read_header
from metanode.records.parameters import Parameters
from metanode.records.vote import Vote

PARAMETERS = Parameters(block_period_ms=0, empty_block_period_ms=100)
HEIGHTS = 24
"""Of the life that is cut: three checkpoints."""
PART = 0.08
"""Of all calls of that life, some hundreds, the power is cut at so many."""
PAYER = SigningKey(account_seed("acme"))


class Silence:
    """Nobody to talk to: the chain has one validator."""

    latency_ms = 0

    def flush(self) -> None:
        pass


@dataclass
class Life:
    """One life of a real node on one directory: everything of `host` but sockets."""

    opened: Opened
    trace: Trace | None = None
    finals: dict[int, bytes] = field(default_factory=dict)
    votes: list[Vote] = field(default_factory=list)
    ended: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        clock = Clock()
        self.clients = Clients(clock.now_ms, lambda: b"")
        devices = _Watched(self, clock, self.opened, self.clients)
        devices.carrier = Silence()  # type: ignore[assignment]
        settings = load_settings(self.opened.layout.settings)
        mathematics = Mathematics(bls.verify_possession, is_account_key)
        node = Node(
            self.opened.genesis,
            _node_settings(self.opened, settings),
            self.opened.store,
            self.opened.blocks,
            mathematics,
        )
        self.loop = Loop(node, devices, self.ended.append)
        self.clients.connect(self.loop.deliver)
        self.now_ms = clock.now_ms

    def said(self, what: Any) -> None:
        if self.trace is not None:
            self.trace.said(what)

    async def run(self, until: int) -> None:
        """Until a height is final, a payment a block."""
        self.loop.deliver(
            heard.Booted(self.now_ms(), self.opened.records, self.opened.may_vote, self.opened.guard_record)
        )
        self.loop.start()
        self.clients.is_ready = True
        sent = -1
        for _ in range(2_000):
            height = max(self.finals, default=self.opened.blocks.last)
            if height >= until or self.ended:
                break
            if height != sent:
                sent = height
                await self.clients.submit((self.payment(),))
            await asyncio.sleep(0.005)
        self.loop.stop()
        assert self.ended == []
        assert max(self.finals, default=0) >= until, "it makes blocks"

    def payment(self) -> bytes:
        """The next one, as the state is."""
        sender = address_of_key(PAYER.public_key)
        node: Any = self.loop._node
        (view,) = node._desk.ledger.account_views((sender,))
        pay = CoinTransfer(coin="USD", to=bytes(19) + b"\x01", amount=b"\x01")
        chain_id = node._desk.chain_id
        made = build(chain_id, sender, (pay,), Terms(nonce=view.next_nonce(0), expires_ms=self.now_ms() + 60_000))
        return encode_signed(sign(made, PAYER))


class _Watched(Devices):
    """The devices of a node, and what leaves it: signatures, and what clients are told is final."""

    def __init__(self, life: Life, clock: Clock, opened: Opened, clients: Clients) -> None:
        super().__init__(clock, opened, clients, Metrics("0"), 0)
        self._life = life

    def answer(self, effect: Any) -> heard.Event:
        event = super().answer(effect)
        if isinstance(event, heard.VoteSigned):
            self._life.votes.append(event.vote)
            self._life.said((event.vote, effect))
        return event

    def outward(self, effect: Any) -> None:
        super().outward(effect)
        if isinstance(effect, out.PublishFinal):
            self._life.finals[effect.height] = read_header(effect.header).hash
            self._life.said((effect.height, read_header(effect.header).hash))


def open_in(root: Path, closing: ExitStack) -> Opened:
    directory = DataDirectory(root)
    closing.callback(directory.close)
    return open_all(directory, load_settings(directory.layout.settings), {}, closing)


@contextmanager
def one_life(folder: Path, plant: Callable[[pytest.MonkeyPatch], None] = lambda _: None) -> Iterator[Cuts]:
    """A life on a traced disk, and its end: nothing is closed, as at a cut. `plant`: what is broken in it."""
    root = create_network(folder / "net", 1, 26_700, "power", PARAMETERS).nodes[0]
    with ExitStack() as closing:
        open_in(root, closing)  # the store is made
    with ExitStack() as closing:
        trace = Trace.of(root, folder / "before")
        TracedDisk.trace = TracedStore.trace = trace
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(blocks, "CHECKPOINT_BLOCKS", 8)
            patch.setattr(opening, "Disk", TracedDisk)
            patch.setattr(opening, "Store", TracedStore)
            plant(patch)
            asyncio.run(Life(open_in(root, closing), trace).run(HEIGHTS))
        copytree(root / "store", folder / "store")
        yield Cuts(trace, folder / "store")


def check(root: Path, said: list[Any]) -> None:
    """One start after a cut."""
    with ExitStack() as closing:
        opened = open_in(root, closing)
        assert opened.may_vote, "nothing that was durable is missing"
        life = Life(opened)
        finals = {height: name for height, name in said if isinstance(height, int)}
        signed = [(vote, effect) for vote, effect in said if isinstance(vote, Vote)]
        check_guard(opened.signers[0], signed)
        asyncio.run(life.run(max(finals, default=0) + 2))
        for height, name in finals.items():
            block = opened.blocks.block(height)
            assert block is not None, f"block {height} was told to be final"
            assert read_header(msgspec.msgpack.decode(block)[1]).hash == name
        words: dict[tuple[int, int, int], bytes] = {}
        for vote in [*(vote for vote, _ in signed), *life.votes]:
            assert words.setdefault((vote.height, vote.round, vote.kind), vote.signature) == vote.signature


def check_guard(signer: Signer, before: list[tuple[Vote, Any]]) -> None:
    """Whatever was signed before the cut, nothing else is signed for it after."""
    for vote, effect in before[-3:]:
        other = msgspec.structs.replace(effect.vote, header_hash=bytes(32))
        verdict = signer.sign(Request(other, effect.chain_id, effect.validators_hash, effect.seal_message))
        assert not isinstance(verdict, Signed), f"{vote.kind} of height {vote.height} could be said twice"


def cut_often(cuts: Cuts, folder: Path, seed: int, part: float) -> int:
    """Cut the power at this part of all calls, one after another; how often."""
    chance, tried = Random(seed), 0
    for _ in cuts.walk():
        if chance.random() < part:
            check(cuts.leave(folder, chance), cuts.said)
            tried += 1
    return tried


def test_a_power_cut_at_any_call(tmp_path: Path) -> None:
    """DISK-1 to DISK-10, DISK-16 to DISK-18. A long run cuts at every call, each time with another chance."""
    part = 1.0 if os.environ.get("HYPOTHESIS_PROFILE") == "soak" else PART
    with one_life(tmp_path) as cuts:
        assert cut_often(cuts, tmp_path / "cut", int(os.environ.get("METANODE_SEED", "1")), part) > 30


def _without_sync(kind: type) -> Callable[[pytest.MonkeyPatch], None]:
    """One owner of a file that does not wait for the disk."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        class Hasty(TracedDisk):
            def sync(self, file: int) -> None:
                caller = sys._getframe(1).f_locals.get("self")
                if not isinstance(caller, kind):
                    super().sync(file)

        patch.setattr(opening, "Disk", Hasty)

    return plant


def _checkpoint_without_blocks(patch: pytest.MonkeyPatch) -> None:
    """The journal begins anew before the blocks it held are durable."""
    patch.setattr(Durables, "checkpoint", lambda self, records: self._journal.begin_segment(records))


def _votes_before_the_guard(patch: pytest.MonkeyPatch) -> None:
    """A signature leaves before its record is durable."""
    store = GuardFile.store

    def late(self: GuardFile, record: bytes) -> None:
        waiting, late.waiting = late.waiting, record  # type: ignore[attr-defined]
        if waiting:
            store(self, waiting)

    late.waiting = b""  # type: ignore[attr-defined]
    patch.setattr(GuardFile, "store", late)


@pytest.mark.parametrize(
    "plant",
    [_without_sync(Journal), _without_sync(GuardFile), _checkpoint_without_blocks, _votes_before_the_guard],
    ids=["journal not synced", "guard not synced", "checkpoint of nothing", "guard one behind"],
)
def test_a_planted_fault_is_seen(plant: Callable[[pytest.MonkeyPatch], None], tmp_path: Path) -> None:
    with one_life(tmp_path, plant) as cuts, pytest.raises((AssertionError, Fault)):
        cut_often(cuts, tmp_path / "cut", 1, 1.0)  # up to the cut that shows it
