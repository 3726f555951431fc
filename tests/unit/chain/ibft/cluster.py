"""A few seats in one process, pumped by hand: every message through its bytes, every disk and clock pretended."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, assert_never

from tests.unit.chain.ibft import counterfeit

from metanode.chain import guard, ibft
from metanode.chain.guard.guard import Effect as GuardEffect
from metanode.chain.ibft.state import HeightState
from metanode.primitives.codec import encode
from metanode.primitives.names import Hash, Height, Seat
from metanode.primitives.refusal import Refusal
from metanode.records.evidence import ConflictingVotes, Evidence
from metanode.records.header import read_header
from metanode.records.validators import ValidatorSet
from metanode.records.vote import Vote

Filter = Callable[[int, int, ibft.Message], bool]
Kind = TypeVar("Kind")


def of(effects: list[ibft.Effect], kind: type[Kind]) -> list[Kind]:
    """The effects of one kind, in order."""
    return [effect for effect in effects if isinstance(effect, kind)]


def only(effects: list[ibft.Effect], kind: type[Kind]) -> Kind:
    """The one effect there is; it is of this kind."""
    (effect,) = effects
    assert isinstance(effect, kind)
    return effect


def state_of(machine: ibft.Ibft) -> HeightState:
    """What the machine remembers of its height, which has begun."""
    assert machine._state is not None
    return machine._state


class Killed(Exception):
    """The pretended process is gone."""


@dataclass
class Disk:
    """What a kill leaves."""

    journal: list[bytes] = field(default_factory=list)
    guard: bytes = b""


@dataclass
class Player:
    """One seat: the machine, its signer, what it asked for."""

    seat: int
    disk: Disk
    machine: ibft.Ibft
    signer: guard.Guard
    timers: dict[str, int] = field(default_factory=dict)
    decided: dict[int, ibft.Decide] = field(default_factory=dict)
    signed: list[Vote] = field(default_factory=list)
    effects: list[ibft.Effect] = field(default_factory=list)
    refused: list[ibft.SignRefused] = field(default_factory=list)
    alive: bool = True
    budget: int = -1
    """Effects that persist or speak before the kill; -1: no kill."""

    @property
    def state(self) -> HeightState:
        return state_of(self.machine)

    def asked(self, kind: type[Kind]) -> list[Kind]:
        return of(self.effects, kind)

    def evidence(self) -> list[Evidence]:
        return [effect.evidence for effect in self.asked(ibft.Accuse)]

    def conflicts(self) -> list[ConflictingVotes]:
        """The evidence, all of which is of this kind."""
        evidence = self.evidence()
        found = [one for one in evidence if isinstance(one, ConflictingVotes)]
        assert found == evidence
        return found

    def blamed(self) -> list[tuple[int, Refusal]]:
        return [(effect.seat, effect.refusal) for effect in self.asked(ibft.Blame)]


class Cluster:
    """All seats (but those of `puppets`, for whom a test speaks), their links, and the height they work on."""

    def __init__(
        self,
        seats: int = 4,
        puppets: tuple[int, ...] = (),
        *,
        timeout_ms: int = 1000,
        guarded: bool = True,
        all_to_all_max: int = 256,
    ) -> None:
        self.members: ValidatorSet = counterfeit.validators(seats)
        self.puppets = puppets
        self.guarded = guarded
        self.timeout_ms = timeout_ms
        self.all_to_all_max = all_to_all_max
        self.now_ms = 0
        self.height = 1
        self.links: Filter = lambda sender, receiver, message: True
        self.wire: deque[tuple[int, int, bytes]] = deque()
        self.sent: list[tuple[int, int, ibft.Message]] = []
        self.invalid: dict[bytes, bool] = {}
        self.signed_ever: dict[tuple[int, int, int, int], Vote] = {}
        self.players = {seat: self._new(seat, Disk()) for seat in range(seats) if seat not in puppets}

    def _new(self, seat: int, disk: Disk) -> Player:
        return Player(seat, disk, ibft.Ibft(counterfeit.CHAIN), guard.Guard(guard.read_record(disk.guard)))

    def __getitem__(self, seat: int) -> Player:
        return self.players[seat]

    # --- starting -------------------------------------------------------------------------------------------------

    def begins(self, height: int, seat: int) -> ibft.HeightBegins:
        previous = Seat((height - 2) % len(self.members)) if height > 1 else ibft.NO_SEAT
        return ibft.HeightBegins(
            now_ms=self.now_ms,
            height=Height(height),
            validators=self.members,
            previous_validators=self.members,
            previous_proposer=previous,
            seat=Seat(seat),
            round_timeout_ms=self.timeout_ms,
            round_timeout_max_ms=30_000,
            all_to_all_max=self.all_to_all_max,
        )

    def begin(self, height: int = 1) -> None:
        self.height = height
        for player in self.living():
            self.tell(player, self.begins(height, player.seat))

    def due(self) -> None:
        for player in self.living():
            self.tell(player, ibft.BlockDue(self.now_ms))

    def start(self) -> "Cluster":
        self.begin()
        self.due()
        return self

    def living(self) -> list[Player]:
        return [player for player in self.players.values() if player.alive]

    # --- the world ------------------------------------------------------------------------------------------------

    def tell(self, player: Player, event: ibft.Event) -> None:
        """One event; its effects carried out in order, and whatever they cause within this process."""
        if not player.alive:
            return
        try:
            waiting = deque([event])
            while waiting:
                for effect in player.machine.handle(waiting.popleft()):
                    player.effects.append(effect)
                    waiting.extend(self._carry_out(player, effect))
        except Killed:
            player.alive = False

    def _spend(self, player: Player) -> None:
        if player.budget == 0:
            raise Killed
        player.budget -= player.budget > 0

    def _carry_out(self, player: Player, effect: ibft.Effect) -> list[ibft.Event]:
        now = self.now_ms
        match effect:
            case ibft.Journal(record=record):
                self._spend(player)
                data = encode(record)
                assert ibft.RECORDS.decode(data) == record
                player.disk.journal.append(data)
            case ibft.Sign():
                return self._sign(player, effect)
            case ibft.Broadcast(message=message):
                self._spend(player)
                self.say(player.seat, [s for s in range(len(self.members)) if s != player.seat], message)
            case ibft.SendTo(seat=seat, message=message):
                self._spend(player)
                self.say(player.seat, [seat], message)
            case ibft.Relay(seat=seat, message=message):
                self.say(player.seat, [s for s in range(len(self.members)) if s not in (player.seat, seat)], message)
            case ibft.CheckSignatures(token=token, items=items):
                return [ibft.SignaturesChecked(now, token, counterfeit.check_signatures(items))]
            case ibft.CheckAggregates(token=token, items=items):
                return [ibft.AggregatesChecked(now, token, counterfeit.check_aggregates(items))]
            case ibft.CheckShares(token=token, message=message, keys=keys, shares=shares):
                return [ibft.SharesChecked(now, token, *counterfeit.check_shares(message, keys, shares))]
            case ibft.Build(height=height, round=round_):
                block = counterfeit.content(self.members, player.seat, f"{height}/{round_}", height=height)
                return [ibft.Built(now, height, round_, block)]
            case ibft.Validate(content=block, header_hash=header_hash):
                assert read_header(block.header).hash == header_hash
                return [ibft.Validated(now, header_hash, header_hash not in self.invalid, "")]
            case ibft.SetTimer(timer=timer, delay_ms=delay):
                player.timers[timer] = now + delay
            case ibft.CancelTimer(timer=timer):
                player.timers.pop(timer, None)
            case ibft.Decide(height=height):
                assert height not in player.decided, "decided twice"
                player.decided[height] = effect
            case (
                ibft.Diverged()
                | ibft.Improved()
                | ibft.Accuse()
                | ibft.Blame()
                | ibft.Behind()
                | ibft.Keep()
                | ibft.VotesFrom()
            ):
                pass
            case _:
                assert_never(effect)
        return []

    def _sign(self, player: Player, effect: ibft.Sign) -> list[ibft.Event]:
        """The real guard before the counterfeit keys; a kill may fall between any two steps. Not `guarded`: bare keys,
        as in engines that have no guard."""
        if not self.guarded:
            bare = counterfeit.signed(effect.vote, self.members)
            self._remember(player, bare)
            return [ibft.Signed(self.now_ms, bare)]
        request = guard.Request(effect.vote, effect.chain_id, effect.validators_hash, effect.seal_message)
        waiting: deque[GuardEffect] = deque(player.signer.handle(request))
        while waiting:
            match waiting.popleft():
                case guard.Produce(request=asked):
                    vote = counterfeit.signed(asked.vote, self.members)
                    waiting.extend(player.signer.handle(guard.Produced(vote)))
                case guard.Store(record=record):
                    self._spend(player)
                    player.disk.guard = record
                case guard.Release(vote=vote):
                    self._spend(player)
                    self._remember(player, vote)
                    return [ibft.Signed(self.now_ms, vote)]
                case guard.Refuse(reason=reason):
                    refused = ibft.SignRefused(self.now_ms, effect.vote, reason)
                    player.refused.append(refused)
                    return [refused]
        raise AssertionError("the guard answers")

    def _remember(self, player: Player, vote: Vote) -> None:
        """No honest seat ever signs two different words for one step, whatever crashes happen."""
        key = (player.seat, vote.height, vote.round, vote.kind)
        assert self.signed_ever.setdefault(key, vote) == vote, f"signed twice: {key}"
        player.signed.append(vote)

    # --- links ----------------------------------------------------------------------------------------------------

    def say(self, sender: int, receivers: list[int], message: ibft.Message) -> None:
        data = encode(message)
        assert ibft.MESSAGES.decode(data) == message
        for receiver in receivers:
            self.wire.append((sender, receiver, data))

    def pump(self, steps: int = 100_000) -> "Cluster":
        """Deliver until nothing is on its way; what `links` forbids is lost."""
        while self.wire and steps:
            steps -= 1
            self.deliver()
        return self

    def deliver(self, index: int = 0) -> None:
        self.wire.rotate(-index)
        sender, receiver, data = self.wire.popleft()
        self.wire.rotate(index)
        message = ibft.MESSAGES.decode(data)
        if not self.links(sender, receiver, message):
            return
        self.sent.append((sender, receiver, message))
        player = self.players.get(receiver)
        if player is not None:
            self.tell(player, ibft.Received(self.now_ms, message, Seat(sender)))

    def puppet(self, seat: int, message: ibft.Message, receivers: list[int] | None = None) -> None:
        """A seat of the test's own speaks."""
        self.say(seat, [s for s in self.players if s != seat] if receivers is None else receivers, message)

    # --- time -----------------------------------------------------------------------------------------------------

    def fire(self, seat: int, kind: str = "round") -> None:
        """The round timer (or the one that sends again) of a seat runs out now."""
        player = self.players[seat]
        for timer in [t for t in player.timers if t.startswith(f"ibft.{kind}/")]:
            del player.timers[timer]
            self.tell(player, ibft.TimerFired(self.now_ms, timer))

    def expire(self, *seats: int) -> "Cluster":
        for seat in seats or [p.seat for p in self.living()]:
            self.fire(seat)
        return self

    def run(self, until_ms: int) -> None:
        """Time goes on: deliver, then the next timer, and so on."""
        self.pump()
        while True:
            due = [(at, p.seat, t) for p in self.living() for t, at in p.timers.items() if at <= until_ms]
            if not due:
                self.now_ms = until_ms
                return
            at, seat, timer = min(due)
            self.now_ms = max(self.now_ms, at)
            del self.players[seat].timers[timer]
            self.tell(self.players[seat], ibft.TimerFired(self.now_ms, timer))
            self.pump()

    # --- killing --------------------------------------------------------------------------------------------------

    def kill(self, seat: int) -> None:
        self.players[seat].alive = False

    def restart(self, seat: int, *, wiped: bool = False) -> Player:
        """A new process on the same disk: the height begins, the journal is folded, the machine resumes."""
        old = self.players[seat]
        player = self.players[seat] = self._new(seat, Disk() if wiped else old.disk)
        player.decided = dict(old.decided)
        settled = [r for r in map(ibft.RECORDS.decode, player.disk.journal) if isinstance(r, ibft.Settled)]
        height = max([self.height, *[r.height for r in settled]])
        for decided in [h for h in player.decided if h >= height]:
            del player.decided[decided]
        self.tell(player, self.begins(height, seat))
        for data in list(player.disk.journal):
            self.tell(player, ibft.Replayed(ibft.RECORDS.decode(data)))
        self.tell(player, ibft.Resumed(self.now_ms))
        return player

    # --- what must hold ---------------------------------------------------------------------------------------------

    def agreed(self, height: int | None = None) -> Hash:
        """All who decided the height agree; at least one did."""
        at = self.height if height is None else height
        hashes = {p.decided[at].header_hash for p in self.players.values() if at in p.decided}
        assert len(hashes) == 1, f"height {at}: {len(hashes)} headers decided"
        return hashes.pop()

    def all_decided(self) -> bool:
        return all(self.height in player.decided for player in self.living())
