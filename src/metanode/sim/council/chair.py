"""One chair: the IBFT machine of a seat, its guard and its disk, everything else pretended."""

from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Final, Protocol, assert_never

from metanode.chain import guard, ibft
from metanode.chain.guard import Guard, GuardRecord, Produce, Produced, Refuse, Release, Request, Store
from metanode.primitives.names import Hash, Height, Seat
from metanode.records.commit import BlsCommit
from metanode.records.header import Header
from metanode.records.proposal import ProposalContent
from metanode.records.validators import Validator
from metanode.records.vote import Vote
from metanode.sim import standins
from metanode.sim.council.members import CHAIN
from metanode.sim.signing import sign_vote


class Killed(Exception):
    """The pretended process is gone, in the middle of whatever it did."""


class Room(Protocol):
    """What a chair needs of the council around it."""

    @property
    def now_ms(self) -> int:
        """The clock."""
        ...

    def at(self, delay_ms: int, action: Callable[[], None]) -> None:
        """Do something later."""
        ...

    def say(self, chair: "Chair", seats: tuple[int, ...], message: ibft.Message) -> None:
        """A message to the seats of this chair's height."""
        ...

    def good(self, item: tuple[bytes, bytes, bytes]) -> bool:
        """Whether an envelope's signature is good."""
        ...

    def witness(self, chair: "Chair") -> "Listener | None":
        """Who looks over a chair's shoulder in the life that begins."""
        ...

    def begins(self, chair: "Chair") -> ibft.HeightBegins:
        """The height after the chair's last decision."""
        ...

    def decided(self, chair: "Chair", decide: ibft.Decide) -> None:
        """A chair called a block final."""
        ...

    def build(self, chair: "Chair", height: int, round_: int) -> ProposalContent:
        """A block for a chair that leads."""
        ...

    def judge(self, chair: "Chair", asked: ibft.Validate) -> None:
        """Find out whether a block is valid, now or a little later."""
        ...

    def behind(self, chair: "Chair", seat: Seat) -> None:
        """A chair hears that blocks are missing here."""
        ...

    def killed(self, chair: "Chair") -> None:
        """A chair died at one of its traps."""
        ...


class Listener(Protocol):
    """Who looks over a chair's shoulder."""

    def turn(self, event: ibft.Event, effects: list[ibft.Effect]) -> None:
        """The machine heard an event and answered with effects."""
        ...

    def rest(self) -> None:
        """Nothing more follows from what happened outside."""
        ...

    def signed(self, vote: Vote) -> None:
        """The keys let a signature out."""
        ...


class Chair:
    """A seat's machine over all its lives. `log` holds what it called final, by height, and survives like the disk.

    `traps`: the numbers of persisting effects, counted over all lives, at which it dies, and whether after it.
    """

    def __init__(self, index: int, keys: Validator, room: Room) -> None:
        self.index: Final = index
        self.keys: Final = keys
        self.alive = False
        self.life = 0
        self.machine = ibft.Ibft(CHAIN)
        self.journal: list[ibft.Record] = []
        self.guard: GuardRecord = guard.NOTHING_SIGNED
        self.log: dict[int, tuple[Header, BlsCommit]] = {}
        self.height = Height(1)
        self.signed: list[Vote] = []
        self.persisted = 0
        self.traps: dict[int, bool] = {}
        self.listener: Listener | None = None
        self.timer_percent = 100
        self._room: Final = room
        self._timers: dict[str, int] = {}
        self._marks: Final = count(1)
        self._queue: deque[ibft.Event] = deque()
        self._busy = False

    # --- living and dying ---------------------------------------------------------------------------------------------

    def boot(self) -> None:
        """A new process on the same disk: the height begins, the journal is folded, the machine resumes."""
        self.life += 1
        self.alive, self._busy = True, False
        self.machine = ibft.Ibft(CHAIN)
        self.listener = self._room.witness(self)
        self._queue.clear()
        self._timers.clear()
        now_ms = self._room.now_ms
        kept = [record for record in self.journal if record.height >= self.height]
        self.journal[:] = kept
        self._queue.append(ibft.Started(now_ms, self.guard))
        self._queue.append(self._room.begins(self))
        self._queue.extend(ibft.Replayed(record) for record in kept)
        self.hear(ibft.Resumed(now_ms))

    def kill(self) -> None:
        """Everything but the disk is gone."""
        self.alive = False
        self._queue.clear()
        self._timers.clear()

    # --- hearing ------------------------------------------------------------------------------------------------------

    def hear(self, event: ibft.Event) -> None:
        """One event, and all that follows from it here at once."""
        if not self.alive:
            return
        queue = self._queue
        queue.append(event)
        if self._busy:
            return
        self._busy = True
        try:
            while queue:
                told = queue.popleft()
                effects = self.machine.handle(told)
                if self.listener is not None:
                    self.listener.turn(told, effects)
                for effect in effects:
                    self._carry_out(effect)
            if self.listener is not None:
                self.listener.rest()
        except Killed:
            self.kill()
            self._room.killed(self)
        finally:
            self._busy = False

    def _persist(self, write: Callable[[], None]) -> None:
        """A write, unless a trap says that it is the last thing this process does, or does not do any more."""
        self.persisted += 1
        after = self.traps.pop(self.persisted, None) if self.traps else None
        if after is not False:
            write()
        if after is not None:
            raise Killed

    def _carry_out(self, effect: ibft.Effect) -> None:
        room, now_ms = self._room, self._room.now_ms
        match effect:
            case ibft.CheckSignatures(token, items):
                verdicts = tuple([room.good(item) for item in items])
                self._queue.append(ibft.SignaturesChecked(now_ms, token, verdicts))
            case ibft.Broadcast(message):
                room.say(self, (), message)
            case ibft.SendTo(seat, message):
                room.say(self, (seat,), message)
            case ibft.Relay(seat, message):
                room.say(self, (-1, seat), message)
            case ibft.Journal(record):
                self._persist(lambda: self.journal.append(record))
            case ibft.Sign():
                self._queue.append(self._sign(effect))
            case ibft.CheckShares(token, message, keys, shares):
                self._queue.append(ibft.SharesChecked(now_ms, token, *standins.check_shares(keys, message, shares)))
            case ibft.CheckAggregates(token, items):
                verdicts = tuple(standins.verify_aggregate(*item) for item in items)
                self._queue.append(ibft.AggregatesChecked(now_ms, token, verdicts))
            case ibft.SetTimer(timer, delay_ms):
                self._set_timer(timer, delay_ms)
            case ibft.CancelTimer(timer):
                self._timers.pop(timer, None)
            case _:
                self._carry_block(effect)

    def _carry_block(self, effect: ibft.BlockEffect) -> None:
        room = self._room
        match effect:
            case ibft.Build(height, round_):
                content = room.build(self, height, round_)
                self._queue.append(ibft.Built(room.now_ms, height, round_, content))
            case ibft.Validate():
                room.judge(self, effect)
            case ibft.Decide():
                room.decided(self, effect)
                self.queue_next_height()
            case ibft.Behind(seat, _):
                room.behind(self, seat)
            case ibft.Diverged(height, header_hash, refusal):
                raise AssertionError(f"chair {self.index} diverged at {height}, {header_hash.hex()[:8]}: {refusal}")
            case ibft.Improved() | ibft.Accuse() | ibft.Blame() | ibft.VotesFrom() | ibft.Keep():
                pass
            case _ as never:
                assert_never(never)

    def queue_next_height(self) -> None:
        """The height after the last decision begins, before whatever waits."""
        self._queue.append(self._room.begins(self))

    def _set_timer(self, timer: str, delay_ms: int) -> None:
        """A timer, by a clock that is not everybody's; one of the same name is replaced."""
        mark = self._timers[timer] = next(self._marks)

        def fire() -> None:
            if self._timers.get(timer) == mark:
                del self._timers[timer]
                self.hear(ibft.TimerFired(self._room.now_ms, timer))

        self._room.at(delay_ms * self.timer_percent // 100, fire)

    def fire_early(self) -> None:
        """Chance: every timer that runs fires now."""
        for timer in list(self._timers):
            if self._timers.pop(timer, 0):
                self.hear(ibft.TimerFired(self._room.now_ms, timer))

    # --- signing ------------------------------------------------------------------------------------------------------

    def _sign(self, effect: ibft.Sign) -> ibft.Event:
        """The real guard before stand-in keys; a trap may be at its write."""
        request = Request(effect.vote, effect.chain_id, effect.validators_hash, effect.seal_message)
        keeper = Guard(self.guard)
        due = deque(keeper.handle(request))
        while due:
            match due.popleft():
                case Produce(asked):
                    due.extend(keeper.handle(Produced(self._produce(asked))))
                case Store():
                    self._persist(lambda: self._store(keeper.record))
                case Release(vote):
                    self.signed.append(vote)
                    if self.listener is not None:
                        self.listener.signed(vote)
                    return ibft.Signed(self._room.now_ms, vote)
                case Refuse(vote, reason, _):
                    return ibft.SignRefused(self._room.now_ms, vote, reason.value)
        raise AssertionError("the guard always answers")

    def _store(self, record: GuardRecord) -> None:
        self.guard = record

    def _produce(self, asked: Request) -> Vote:
        return sign_vote(
            asked.vote,
            chain_id=asked.chain_id,
            validators_hash=asked.validators_hash,
            vote_key=self.keys.vote_key,
            bls_key=self.keys.bls_key,
            seal_message=asked.seal_message,
        )

    # --- what it called final -----------------------------------------------------------------------------------------

    def call_final(self, header: Header, commit: BlsCommit) -> None:
        """A block more; never another one at the same height."""
        known = self.log.setdefault(header.height, (header, commit))
        assert known[0].hash == header.hash, f"chair {self.index} called two blocks of height {header.height} final"
        self.height = Height(max(self.height, header.height + 1))

    @property
    def tip(self) -> Hash:
        """The hash of its last block."""
        return self.log[self.height - 1][0].hash if self.height > 1 else Hash(bytes(32))
