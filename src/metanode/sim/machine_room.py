"""One pretend computer: a disk that survives, a node that does not, and the node's effects carried out."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, assert_never

import msgspec

from metanode.chain.guard import Guard, Produce, Produced, Refuse, Release, Request, Store, read_record
from metanode.ledger import Mathematics
from metanode.network.bpci import ENTROPY_BYTES
from metanode.node import effects as out
from metanode.node import events as heard
from metanode.node.boot import first_rows
from metanode.node.machine import Node
from metanode.node.settings import NodeSettings
from metanode.primitives.names import Hash
from metanode.records.commit import BlsCommit
from metanode.records.genesis import Genesis
from metanode.records.receipt import TransactionOrigin
from metanode.records.vote import Vote, seal_digest, vote_signing_bytes
from metanode.sim import standins


class Outside(Protocol):
    """What a computer needs of the world around it."""

    now_ms: int

    def tell(self, index: int, event: heard.Event) -> None: ...
    def set_timer(self, index: int, timer: str, delay_ms: int) -> None: ...
    def cancel_timer(self, index: int, timer: str) -> None: ...
    def dial(self, index: int, peer: bytes, address: str) -> None: ...
    def transmit(self, index: int, link: int, data: bytes) -> None: ...
    def close(self, index: int, link: int) -> None: ...
    def crash(self, index: int) -> None: ...
    def entropy(self, index: int, length: int) -> bytes: ...


class SimRows:
    """The store: a dictionary, sorted when scanned."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        """The value of a row."""
        return self.values.get(key)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of many rows."""
        return [self.values.get(key) for key in keys]

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Rows with the prefix, ascending."""
        for key in sorted(k for k in self.values if k.startswith(prefix) and k >= start):
            yield key, self.values[key]

    def write(self, rows: Mapping[bytes, bytes | None]) -> None:
        """One atomic batch."""
        for key, value in rows.items():
            if value is None:
                self.values.pop(key, None)
            else:
                self.values[key] = value


class SimArchive:
    """The block log."""

    def __init__(self) -> None:
        self.blocks: dict[int, bytes] = {}

    @property
    def first(self) -> int:
        """The lowest height kept."""
        return min(self.blocks, default=0)

    @property
    def last(self) -> int:
        """The highest height kept."""
        return max(self.blocks, default=0)

    def block(self, height: int) -> bytes | None:
        """The bytes of a final block."""
        return self.blocks.get(height)


@dataclass(slots=True)
class SimDisk:
    """What survives a crash."""

    journal: list[bytes] = field(default_factory=list)
    rows: SimRows = field(default_factory=SimRows)
    archive: SimArchive = field(default_factory=SimArchive)
    guard: bytes = b""


@dataclass(slots=True)
class Watch:
    """What checkers look at: every vote signed, every block final, every note, whatever crashes happen."""

    signed: list[Any] = field(default_factory=list)
    final: dict[int, tuple[bytes, BlsCommit]] = field(default_factory=dict)
    receipts: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)
    halted: str = ""
    outcomes: dict[int, tuple[tuple[bytes, str, str], ...]] = field(default_factory=dict)
    answers: dict[int, Any] = field(default_factory=dict)


PERSISTS: Final = (out.Journal, out.JournalCheckpoint, out.SignVote, out.AppendBlock, out.WriteStore)
"""The effects between which a crash may leave the disk in another state."""


def sign_vote(vote_key: bytes, bls_key: bytes, request: Request) -> Vote:
    """What the keys of a seat make of a request: the share, its digest, the envelope."""
    vote = request.vote
    seal = standins.share(bls_key, request.seal_message) if request.seal_message else b""
    attachment = seal_digest(seal) if seal else vote.attachment
    sealed = msgspec.structs.replace(vote, seal=seal, attachment=attachment)
    message = vote_signing_bytes(Hash(request.chain_id), Hash(request.validators_hash), sealed)
    return msgspec.structs.replace(sealed, signature=standins.sign(vote_key, message))


class MachineRoom:
    """One computer of the pretend world. `index` is its number, `address` where others dial it.

    `crash_at`: the numbers of persisting effects (counted over the computer's whole life) at which it dies, and
    whether before or after the effect was carried out.
    """

    def __init__(
        self, index: int, address: str, genesis: Genesis, settings: NodeSettings, bls_key: bytes, mathematics: Mathematics
    ) -> None:
        self.index: Final = index
        self.address: Final = address
        self.genesis: Final = genesis
        self.settings: Final = settings
        self.disk = SimDisk()
        self.watch: Final = Watch()
        self.life = 0
        self.alive = False
        self.persisted = 0
        self.crash_at: dict[int, bool] = {}
        self.restart_ms = 200
        self._bls_key = bls_key
        self._mathematics = mathematics
        self._outside: Outside
        self._node: Node
        self._guard: Guard
        self._queue: deque[heard.Event] = deque()
        self._busy = False
        self.disk.rows.write(first_rows(genesis))

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
        self._guard = Guard(read_record(self.disk.guard))
        self._node = Node(self.genesis, self.settings, self.disk.rows, self.disk.archive, self._mathematics)
        self.hear(heard.Booted(self._outside.now_ms, tuple(self.disk.journal), True, self.disk.guard))

    def crash(self) -> None:
        """Everything but the disk is gone."""
        self.alive = False
        self._queue.clear()

    def hear(self, event: heard.Event) -> None:
        """One event, and whatever its effects cause here at once."""
        self._queue.append(event)
        if self._busy:
            return
        self._busy = True
        try:
            while self._queue and self.alive:
                for effect in self._node.handle(self._queue.popleft()):
                    if not self._persist_or_crash(effect):
                        break
        finally:
            self._busy = False

    def _persist_or_crash(self, effect: out.Effect) -> bool:
        """Carry one effect out; whether the computer still lives after it."""
        if isinstance(effect, PERSISTS):
            self.persisted += 1
            after = self.crash_at.pop(self.persisted, None)
            if after is False:
                self._outside.crash(self.index)
                return False
            self._carry_out(effect)
            if after is True:
                self._outside.crash(self.index)
                return False
            return True
        self._carry_out(effect)
        return self.alive

    def _carry_out(self, effect: out.Effect) -> None:
        world, index = self._outside, self.index
        match effect:
            case out.Transmit(link, data):
                world.transmit(index, link, data)
            case out.CloseLink(link, _):
                world.close(index, link)
            case out.Dial(peer, address):
                world.dial(index, peer, address)
            case out.SetTimer(timer, delay_ms):
                world.set_timer(index, timer, delay_ms)
            case out.CancelTimer(timer):
                world.cancel_timer(index, timer)
            case out.Journal(record):
                self.disk.journal.append(record)
            case out.JournalCheckpoint(records):
                self.disk.journal[:] = records
            case out.AppendBlock(height, block):
                self.disk.archive.blocks[height] = block
            case out.WriteStore(_, rows):
                self.disk.rows.write(rows)
            case out.PublishFinal(height, header, commit):
                self.watch.final[height] = (header, commit)
                for place, receipt in enumerate(effect.receipts):
                    if isinstance(receipt.origin, TransactionOrigin):
                        self.watch.receipts[receipt.origin.identity] = (height, place)
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
        | out.SetFault
        | out.Note,
    ) -> None:
        """What is answered at once, by stand-ins, and what is only watched."""
        now_ms = self._outside.now_ms
        match effect:
            case out.SignVote():
                self._queue.append(self._sign(effect))
            case out.Compute(room, token, operation):
                entropy = self._outside.entropy(self.index, ENTROPY_BYTES)
                result = standins.compute(operation, self.settings.transport_key, entropy)
                self._queue.append(heard.Computed(now_ms, room, token, result))
            case out.CheckSignatures(room, token, items):
                verdicts = tuple(standins.verify(*item) for item in items)
                self._queue.append(heard.SignaturesChecked(now_ms, room, token, verdicts))
            case out.CheckShares(token, message, keys, shares):
                total, bad = standins.check_shares(keys, message, shares)
                self._queue.append(heard.SharesChecked(now_ms, token, total, bad))
            case out.CheckAggregates(room, token, items):
                verdicts = tuple(standins.verify_aggregate(k, m, s) for k, m, s in items)
                self._queue.append(heard.AggregatesChecked(now_ms, room, token, verdicts))
            case out.Answer(request, answer):
                self.watch.answers[request] = answer
            case out.BatchAnswer(request, outcomes):
                self.watch.outcomes[request] = outcomes
            case out.SetFault():
                pass  # storms are made by the world
            case out.Note(kind):
                self.watch.notes[kind] = self.watch.notes.get(kind, 0) + 1
            case _ as never:
                assert_never(never)

    def _sign(self, effect: out.SignVote) -> heard.Event:
        """The same guard as on a real machine, its record on the pretend disk."""
        request = Request(effect.vote, effect.chain_id, effect.validators_hash, effect.seal_message)
        now_ms = self._outside.now_ms
        answer: heard.Event | None = None
        due = deque(self._guard.handle(request))
        while due:
            match due.popleft():
                case Produce(asked):
                    due.extend(self._guard.handle(Produced(sign_vote(self.settings.vote_key, self._bls_key, asked))))
                case Store(record):
                    self.disk.guard = record
                case Release(vote):
                    self.watch.signed.append(vote)
                    answer = heard.VoteSigned(now_ms, vote)
                case Refuse(vote, reason, _):
                    answer = heard.VoteRefused(now_ms, vote, reason.value)
        assert answer is not None, "the guard always answers"
        return answer
