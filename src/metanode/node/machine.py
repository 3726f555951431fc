"""The node: one door, behind it the rooms, between them the routes. No rule of any protocol is here."""

from collections.abc import Callable, Sequence
from typing import Any, Final, assert_never

from metanode.chain import ibft, mempool, proposal, sync
from metanode.chain.guard import read_record
from metanode.ledger import Ledger, Mathematics
from metanode.network import bpci, discovery
from metanode.node import events as heard
from metanode.node import guilt
from metanode.node.accounts import PoolAccounts
from metanode.node.boot import REPLAY, height_of_tip, recover, replay_log, stored_tip
from metanode.node.desk import Desk
from metanode.node.effects import Effect
from metanode.node.heights import allow_peers, begin_height
from metanode.node.judging import BlockRefusal, checked
from metanode.node.modules import MODULES
from metanode.node.pacing import CREDIT, DUE, fired
from metanode.node.requests import answer, submit
from metanode.node.routes import bodies, consensus, network, pool, synchronise
from metanode.node.settings import NodeSettings
from metanode.node.snapshots import finish
from metanode.node.storage import Archive, Rows, StateRows
from metanode.records.genesis import Genesis, genesis_hash

INTERNAL_MAX: Final = 100_000
"""Events one event may cause inside; more is a circle."""


class Node:
    """One machine made of machines. The same class runs in `host` and in `sim`.

    `rows` must hold at least `first_rows(genesis)`; `mathematics` checks proofs of possession inside the ledger.
    """

    def __init__(
        self, genesis: Genesis, settings: NodeSettings, rows: Rows, archive: Archive, mathematics: Mathematics
    ) -> None:
        self._mathematics: Final = mathematics
        height, tip_hash = height_of_tip(rows)
        ledger = Ledger(genesis, StateRows(rows), height, tip_hash, mathematics, MODULES)
        chain_id = genesis_hash(genesis)
        tip = stored_tip(genesis, rows, ledger)
        self._desk: Final = Desk(genesis, chain_id, settings, rows, archive, ledger, tip)
        self._ibft: Final = ibft.Ibft(chain_id)
        self._desk.account = lambda: self._ibft.account
        self._pool: Final = mempool.Mempool(
            chain_id, tip.parameters, PoolAccounts(lambda: self._desk.ledger), mempool.PoolLimits()
        )
        self._assembly: Final = proposal.Assembly()
        self._bpci: Final = bpci.Bpci(bpci.BpciSettings(chain_id, settings.transport_key, chain_id[:16]))
        self._discovery: Final = discovery.Discovery(
            discovery.DiscoverySettings(
                chain_id, settings.transport_key, settings.listen_addresses, settings.bootstrap
            ),
            settings.entropy,
        )
        self._sync: Final = synchronise.make(self._desk)
        self._rooms: Final[dict[str, tuple[Callable[[Any], Sequence[Any]], Callable[[Desk, Any], None]]]] = {
            "ibft": (self._ibft.handle, consensus.carry),
            "pool": (self._pool.handle, pool.carry),
            "assembly": (self._assembly.handle, bodies.carry),
            "sync": (self._sync.handle, synchronise.carry),
            "bpci": (self._bpci.handle, network.carry),
            "discovery": (self._discovery.handle, network.carry_discovery),
        }
        self._booting: tuple[heard.Booted, ...] = ()
        self._found = height

    @property
    def has_recovered(self) -> bool:
        """Whether it knows again where it was, and follows the chain."""
        return self._desk.booted

    def handle(self, event: heard.Event) -> list[Effect]:
        """Take one event; the effects to be carried out, strictly in order."""
        desk = self._desk
        desk.now_ms = event.now_ms
        if finish(desk, self._mathematics):
            begin_height(desk)
        desk.ledger.settle(desk.tip.height)
        self._hear(event)
        self._drain()
        effects, desk.out = desk.out, []
        return effects

    def overhear(self, listener: Callable[[ibft.Event, Sequence[ibft.Effect]], None]) -> None:
        """Let somebody hear, from now on, what IBFT is told and what it answers."""
        handle, carry = self._rooms["ibft"]

        def answer(event: ibft.Event) -> Sequence[ibft.Effect]:
            effects = handle(event)
            listener(event, effects)
            return effects

        self._rooms["ibft"] = (answer, carry)

    @property
    def agreement(self) -> ibft.Ibft:
        """The machine that agrees, to be looked at."""
        return self._ibft

    def _drain(self) -> None:
        """Let the rooms talk until nothing is left to say."""
        desk = self._desk
        for _ in range(INTERNAL_MAX):
            if not desk.internal:
                return
            room, event = desk.internal.popleft()
            handle, carry = self._rooms[room]
            for effect in handle(event):
                carry(desk, effect)
        raise AssertionError("the rooms of this node talk in a circle")

    def _hear(self, event: heard.Event) -> None:
        desk, now = self._desk, event.now_ms
        match event:
            case heard.BytesArrived(_, link, data):
                desk.lines.heard(link, len(data))
                desk.tell("bpci", bpci.BytesArrived(link, data, now))
            case heard.LinkOpened(_, link, dialled, remote):
                desk.lines.opened(link, inbound=not dialled)
                desk.tell("bpci", bpci.Connected(link, bool(dialled), dialled, remote, now))
            case heard.LinkClosed(_, link):
                desk.lines.closed(link)
                desk.tell("bpci", bpci.Disconnected(link, now))
            case heard.LinkDrained():
                pass  # the transport's own queues bound what is under way
            case heard.SubmittedBatch(_, request, transactions):
                submit(desk, request, transactions)
            case heard.Asked(_, request, method, arguments):
                answer(desk, self._pool, request, method, arguments)
            case heard.Ticked():
                self._tick()
            case heard.TimerFired(_, timer):
                self._timer(timer)
            case heard.Booted():
                self._booting, self._found = (event,), desk.tip.height
                self._recover()
            case heard.Stopping():
                desk.note("stopping", height=desk.tip.height)
            case _:
                self._hear_answer(event)

    def _hear_answer(
        self,
        event: heard.Computed
        | heard.SignaturesChecked
        | heard.SharesChecked
        | heard.AggregatesChecked
        | heard.VoteSigned
        | heard.VoteRefused,
    ) -> None:
        """Answers of the host go back to the room that asked."""
        desk, now = self._desk, event.now_ms
        match event:
            case heard.Computed(_, room, token, result):
                desk.tell(room, bpci.Computed(token, result, now))
            case heard.SignaturesChecked(_, "ibft", token, verdicts):
                desk.tell("ibft", ibft.SignaturesChecked(now, token, verdicts))
            case heard.SignaturesChecked(_, "pool", token, verdicts):
                desk.tell("pool", mempool.SignaturesChecked(now, token, verdicts))
            case heard.SignaturesChecked(_, "court", token, verdicts):
                checked(desk, token, verdicts, BlockRefusal.BAD_EVIDENCE)
            case heard.SignaturesChecked(_, "assembly", token, verdicts):
                desk.tell("assembly", proposal.SignaturesChecked(now, token, verdicts))
            case heard.SignaturesChecked(_, _, token, verdicts):
                guilt.checked(desk, token, verdicts)
            case heard.SharesChecked(_, token, aggregate, bad):
                desk.tell("ibft", ibft.SharesChecked(now, token, aggregate, bad))
            case heard.AggregatesChecked(_, "ibft", token, verdicts):
                desk.tell("ibft", ibft.AggregatesChecked(now, token, verdicts))
            case heard.AggregatesChecked(_, "court", token, verdicts):
                checked(desk, token, verdicts, BlockRefusal.WRONG_PARENT_COMMIT)
            case heard.AggregatesChecked(_, "sync", token, verdicts):
                desk.tell("sync", sync.CommitsChecked(now, token, verdicts))
            case heard.AggregatesChecked(_, _, token, verdicts):
                guilt.checked(desk, token, verdicts)
            case heard.VoteSigned(_, vote):
                desk.tell("ibft", ibft.Signed(now, vote))
            case heard.VoteRefused(_, vote, reason):
                desk.note("guard_refused", reason=reason, height=vote.height, round=vote.round, step=vote.kind)
                desk.tell("ibft", ibft.SignRefused(now, vote, reason))
            case _ as never:
                assert_never(never)

    def _recover(self) -> None:
        """DISK-24. The log first, over several events where it is much."""
        for booted in self._booting:
            if replay_log(self._desk):
                self._booting = ()
                self._boot(booted.journal, booted.guard, may_vote=booted.may_vote)

    def _boot(self, journal: tuple[bytes, ...], guard: bytes, *, may_vote: bool) -> None:
        desk = self._desk
        records = recover(desk, journal, self._found)
        desk.booted, desk.started_ms, desk.applied_ms = True, desk.now_ms, desk.now_ms
        desk.may_vote = may_vote
        desk.tell("ibft", ibft.Started(desk.now_ms, read_record(guard)))
        desk.note("booted", height=desk.tip.height, records=len(journal), may_vote=int(desk.may_vote))
        allow_peers(desk)
        begin_height(desk, replay=records)

    def _tick(self) -> None:
        desk, now = self._desk, self._desk.now_ms
        if desk.booted:
            desk.tell("bpci", bpci.Tick(now))
            desk.tell("discovery", discovery.Pulse(now))
            desk.tell("pool", mempool.Tick(now))
            desk.tell("assembly", proposal.Tick(now))
            desk.tell("sync", sync.Tick(now))

    def _timer(self, timer: str) -> None:
        desk = self._desk
        room, _, name = timer.partition("/")
        if timer in (DUE, CREDIT):
            fired(desk, timer)
        elif timer == REPLAY:
            self._recover()
        elif room == "ibft":
            desk.tell("ibft", ibft.TimerFired(desk.now_ms, name))
