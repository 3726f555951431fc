"""One pretend computer: a disk that survives, a node that does not, and the node's effects carried out."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from random import Random
from typing import Final, Protocol, assert_never

from metanode.chain.guard import Guard, Produce, Produced, Refuse, Release, Request, Store, read_record
from metanode.ledger import Mathematics
from metanode.network.bpci import ENTROPY_BYTES
from metanode.node import effects as out
from metanode.node import events as heard
from metanode.node.machine import Node
from metanode.node.settings import NodeSettings
from metanode.records.genesis import Genesis, genesis_hash
from metanode.records.vote import Vote
from metanode.sim import standins
from metanode.sim.disk import empty_disk
from metanode.sim.oracle import Jury, Witness
from metanode.sim.seals import STAND_INS
from metanode.sim.signing import sign_vote
from metanode.sim.watch import Watch


class Carrier(Protocol):
    """What carries bytes between computers."""

    def dial(self, index: int, peer: bytes, address: str) -> None:
        """Connect to whoever listens there."""
        ...

    def transmit(self, index: int, link: int, data: bytes) -> None:
        """Send bytes along a link."""
        ...

    def close(self, index: int, link: int) -> None:
        """End a link."""
        ...


class Outside(Protocol):
    """What a computer needs of the world around it."""

    @property
    def now_ms(self) -> int:
        """The clock."""
        ...

    @property
    def random(self) -> Random:
        """Chance, for handshakes."""
        ...

    @property
    def cables(self) -> Carrier:
        """The network."""
        ...

    def at(self, delay_ms: int, action: Callable[[], None]) -> None:
        """Do something later."""
        ...

    def tell(self, index: int, event: heard.Event) -> None:
        """Let the node of this number hear something."""
        ...

    def answer_later(self, index: int, event: heard.SignaturesChecked) -> None:
        """Let it hear an answer that waits behind everything else."""
        ...

    def crash(self, index: int) -> None:
        """The computer dies."""
        ...

    def boot(self, index: int) -> None:
        """It starts again."""
        ...


PERSISTS: Final = (out.Journal, out.JournalCheckpoint, out.SignVote, out.AppendBlock, out.WriteStore)
"""The effects between which a crash may leave the disk in another state."""


class MachineRoom:
    """One computer of the pretend world. `index` is its number, `address` where others dial it.

    `crash_at`: the numbers of persisting effects (counted over the computer's whole life) at which it dies, and
    whether before or after the effect was carried out; `restart_ms` later it starts again. `slow_ms`: how long its disk
    takes for each of them, while everything else waits.
    """

    node_class: Callable[..., Node] = Node

    def __init__(
        self,
        index: int,
        address: str,
        genesis: Genesis,
        settings: NodeSettings,
        bls_key: bytes,
        mathematics: Mathematics,
    ) -> None:
        self.index: Final = index
        self.address: Final = address
        self.genesis: Final = genesis
        self.chain_id: Final = genesis_hash(genesis)
        self.settings: Final = settings
        self.mathematics: Final = mathematics
        self.disk = empty_disk(genesis)
        self.watch: Final = Watch()
        self.life = 0
        self.alive = False
        self.persisted = 0
        self.crash_at: dict[int, bool] = {}
        self.restart_ms = 200
        self.slow_ms = 0
        self.seals = STAND_INS
        self._bls_key = bls_key
        self._outside: Outside
        self._node: Node
        self._keeper: MachineRoom = self
        self._queue: deque[heard.Event] = deque()
        self._answers: list[heard.Event] = []
        self._pending: deque[out.Effect] = deque()
        self._busy = False
        self._stalls = False
        self._ready_ms = 0
        self._timers: dict[str, int] = {}
        self._timer_marks = count(1)
        self.listeners: list[Callable[[int, out.PublishFinal], None]] = []
        self.jury: Jury | None = None
        self.witness: Witness | None = None

    @property
    def node(self) -> Node:
        """The node, while it runs."""
        return self._node

    def attach(self, outside: Outside) -> None:
        """Put it into a world."""
        self._outside = outside

    def boot(self) -> None:
        """Start a fresh node on what the disk holds."""
        self.life += 1
        self.alive = True
        self._queue.clear()
        self._pending.clear()
        self._ready_ms, self._stalls = 0, False
        self._node = self.node_class(self.genesis, self.settings, self.disk.rows, self.disk.archive, self.mathematics)
        self.witness = self._called() if self.jury is not None else None
        found, may_vote = tuple(self.disk.journal), self.disk.may_vote
        self.disk.opened()
        self.hear(heard.Booted(self._outside.now_ms, found, may_vote=may_vote, guard=self._keeper.disk.guard))

    def _called(self) -> Witness:
        """Who watches the life that begins."""
        assert self.jury is not None, "somebody calls it"
        witness = self.jury.witness(f"node {self.index}", self.settings.vote_key, self._node.agreement)
        self._node.overhear(witness.turn)
        return witness

    def share_signer(self, other: "MachineRoom") -> None:
        """The keys are the other's, and so is the guard: one signer, asked by two machines."""
        self._keeper = other
        self.watch.signed = other.watch.signed

    def crash(self) -> None:
        """Everything but the disk is gone."""
        self.alive = False
        self._queue.clear()
        self._timers.clear()

    def lives(self, life: int) -> bool:
        """Whether this life is not over."""
        return self.alive and self.life == life

    def wipe(self) -> None:
        """A new, empty disk: everything is forgotten, also what was signed."""
        assert not self.alive, "the disk of a stopped computer"
        self.disk = empty_disk(self.genesis)

    def hear(self, event: heard.Event) -> None:
        """One event, and whatever its effects cause here at once. Answers come before whatever waits, as in host."""
        self._queue.append(event)
        if not self._busy and not self._stalls:
            self._work(self.life)

    def _work(self, life: int) -> None:
        """Until nothing waits, or the disk has to be waited for: nothing else is done in this computer meanwhile."""
        if not self.lives(life):
            return
        self._busy, self._stalls = True, False
        try:
            while self.alive and (self._pending or self._queue):
                if self._ready_ms > self._outside.now_ms:
                    self._stalls = True
                    self._outside.at(self._ready_ms - self._outside.now_ms, lambda: self._work(life))
                    return
                if not self._pending:
                    event = self._queue.popleft()
                    late = self.slow_ms and event.now_ms < self._outside.now_ms
                    event = replace(event, now_ms=self._outside.now_ms) if late else event
                    self._pending.extend(self._node.handle(event))
                while self._pending and self._ready_ms <= self._outside.now_ms:
                    if not self._persist_or_crash(self._pending.popleft()):
                        self._pending.clear()
                if not self._pending:
                    answers, self._answers = self._answers, []
                    self._queue.extendleft(reversed(answers))
            if self.witness is not None and self.alive:
                self.witness.rest()
        finally:
            self._busy = False

    def _persist_or_crash(self, effect: out.Effect) -> bool:
        """Carry one effect out; whether the computer still lives after it."""
        if not isinstance(effect, PERSISTS):
            self._carry_out(effect)
            return self.alive
        self.persisted += 1
        after = self.crash_at.pop(self.persisted, None)
        if after is not False:
            self._carry_out(effect)
        more = isinstance(effect, out.Journal) and bool(self._pending) and isinstance(self._pending[0], out.Journal)
        if self.slow_ms and not more:  # DISK-1: one sync covers what follows one another
            self._ready_ms = self._outside.now_ms + self.slow_ms
        if after is not None:
            self._outside.crash(self.index)
            self._outside.at(self.restart_ms, lambda: self._outside.boot(self.index))
        return self.alive

    def _carry_out(self, effect: out.Effect) -> None:
        world, index = self._outside, self.index
        match effect:
            case out.Transmit(link, data):
                world.cables.transmit(index, link, data)
            case out.CloseLink(link, _):
                world.cables.close(index, link)
            case out.Dial(peer, address):
                world.cables.dial(index, peer, address)
            case out.SetTimer(timer, delay_ms):
                self._set_timer(timer, delay_ms)
            case out.CancelTimer(timer):
                self._timers.pop(timer, None)
            case out.Journal(record):
                self.disk.journal.append(record)
            case out.JournalCheckpoint(records):
                self.disk.checkpoint(records)
            case out.AppendBlock(height, block):
                self.disk.archive.append(height, block)
            case out.WriteStore(_, rows):
                self.disk.rows.write(rows)
            case out.PublishFinal():
                self.watch.publish(effect, world.now_ms)
                for listener in self.listeners:
                    listener(index, effect)
            case out.Halt(reason):
                self.watch.halted = reason
                self.crash()
            case _:
                self._answer(effect)

    def _answer(
        self,
        effect: out.SignVote
        | out.Compute
        | out.CheckSignatures
        | out.CheckShares
        | out.CheckAggregates
        | out.Answer
        | out.BatchAnswer
        | out.Bug
        | out.SetFault
        | out.Note,
    ) -> None:
        """What is answered at once, by stand-ins, and what is only watched."""
        now_ms = self._outside.now_ms
        match effect:
            case out.SignVote():
                self._answers.append(self._sign(effect))
            case out.Compute(room, token, operation):
                entropy = self._outside.random.randbytes(ENTROPY_BYTES)
                result = standins.compute(operation, self.settings.transport_key, entropy)
                self._answers.append(heard.Computed(now_ms, room, token, result))
            case out.CheckSignatures(room, token, items, urgent):
                verdicts = tuple(standins.verify(*item) for item in items)
                if urgent:
                    self._answers.append(heard.SignaturesChecked(now_ms, room, token, verdicts))
                else:
                    self._outside.answer_later(self.index, heard.SignaturesChecked(now_ms, room, token, verdicts))
            case out.CheckShares(token, message, keys, shares):
                total, bad = self.seals.check_shares(keys, message, shares)
                self._answers.append(heard.SharesChecked(now_ms, token, total, bad))
            case out.CheckAggregates(room, token, items):
                verdicts = tuple(self.seals.verify_aggregate(k, m, s) for k, m, s in items)
                self._answers.append(heard.AggregatesChecked(now_ms, room, token, verdicts))
            case out.Answer(request, answer):
                self.watch.answers[request] = answer
            case out.BatchAnswer(request, outcomes):
                self.watch.outcomes[request] = outcomes
            case out.Bug(_, error):
                raise error  # a storm is for finding them
            case out.SetFault():
                pass  # storms are made by the world
            case out.Note(kind, fields):
                self.watch.notes[kind] = self.watch.notes.get(kind, 0) + 1
                if kind == "blame":
                    reason = str(fields["reason"])
                    self.watch.blames[reason] = self.watch.blames.get(reason, 0) + 1
                    self.watch.blamed[str(fields["peer"]), reason] = True
            case _ as never:
                assert_never(never)

    def _set_timer(self, timer: str, delay_ms: int) -> None:
        """A timer of the node; one of the same name is replaced."""
        mark = self._timers[timer] = next(self._timer_marks)

        def fire() -> None:
            if self._timers.get(timer) == mark:
                del self._timers[timer]
                self._outside.tell(self.index, heard.TimerFired(self._outside.now_ms, timer))

        self._outside.at(delay_ms, fire)

    def _sign(self, effect: out.SignVote) -> heard.Event:
        """The same guard as on a real machine, its record on the pretend disk."""
        request = Request(effect.vote, effect.chain_id, effect.validators_hash, effect.seal_message)
        now_ms = self._outside.now_ms
        answer: heard.Event | None = None
        guard = Guard(read_record(self._keeper.disk.guard))
        due = deque(guard.handle(request))
        while due:
            match due.popleft():
                case Produce(asked):
                    due.extend(guard.handle(Produced(self._produce(asked))))
                case Store(record):
                    self._keeper.disk.store_guard(record)
                case Release(vote):
                    self.watch.signed.append(vote)
                    if self.witness is not None:
                        self.witness.signed(vote)
                    answer = heard.VoteSigned(now_ms, vote)
                case Refuse(vote, reason, _):
                    answer = heard.VoteRefused(now_ms, vote, reason.value)
        assert answer is not None, "the guard always answers"
        return answer

    def _produce(self, asked: Request) -> Vote:
        return sign_vote(
            asked.vote,
            chain_id=asked.chain_id,
            validators_hash=asked.validators_hash,
            vote_key=self.settings.vote_key,
            bls_key=self._bls_key,
            seal_message=asked.seal_message,
            seals=self.seals,
        )
