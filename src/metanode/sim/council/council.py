"""A world in which seats do nothing but agree: IBFT, guards and journals under a storm, everything else left out."""

from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import Final

from metanode.chain import ibft
from metanode.primitives.names import Seat
from metanode.records.header import read_header
from metanode.records.proposal import ProposalContent
from metanode.sim import standins
from metanode.sim.council.chair import Chair
from metanode.sim.council.floor import Floor, demand_agreement
from metanode.sim.council.liar import Liar
from metanode.sim.council.members import CHAIN, Register, block, register
from metanode.sim.council.weather import Weather
from metanode.sim.founding import START_MS, validator
from metanode.sim.oracle import Jury, Witness

PERIOD_MS: Final = 40
"""A block is due so long after the one below."""
TIMEOUT_MS: Final = 150
"""Of round 0."""
TIMEOUT_MAX_MS: Final = 2_000
"""Of every round."""
LOOK_MS: Final = 50
"""How often it is looked whether a healed council has got on."""
HEIGHTS_DUE: Final = 2
"""So many heights more than at the healing, for everybody honest."""
RESTART_MS: Final = 300
"""Who died at a trap starts again within this."""
LOOK_AROUND_MS: Final = 1_500
"""Who stays at one height for so long asks whether there are later ones."""
SYNC_MS: Final = 30
"""How long it takes to be given blocks, and to try again where a cable is cut."""
EVENTS_MAX: Final = 500_000
"""A council that needs more is not getting anywhere."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went: messages heard by machines, things done, heights that everybody has, rounds needed at most."""

    delivered: int
    steps: int
    height: int
    fingerprint: str


class Verdicts:
    """Whether an envelope's signature is good; computed once for all chairs."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, bytes, bytes], bool] = {}

    def __call__(self, item: tuple[bytes, bytes, bytes]) -> bool:
        """Of (public key, message, signature)."""
        known = self._known.get(item)
        if known is None:
            known = self._known[item] = standins.verify(*item)
        return known


class Council(Floor):
    """Chairs under a weather; one seed, one order of events."""

    def __init__(self, seed: int, weather: Weather, *, watched: bool = True) -> None:
        super().__init__(LOOK_MS, EVENTS_MAX)
        self.seed: Final = seed
        self.random: Final = Random(seed)  # noqa: S311 - a pretend world must be the same twice
        self.weather: Final = weather
        self.register: Final[Register] = register(weather.count, self.random, weather.changes)
        self._liars: Final[dict[int, Liar]] = {}
        self.chairs: Final = [self._chair(index) for index in range(weather.count)]
        self.invalid: Final[dict[bytes, bool]] = {}
        self.honest: Final = self.chairs[: weather.count - weather.liars]
        self._cuts: dict[tuple[int, int], int] = {}
        self._healed = False
        self.good: Final = Verdicts()
        self._words = 0
        self._origins: list[dict[int, Seat]] = [{} for _ in self.chairs]
        self._routes: list[list[int]] = [[] for _ in self.chairs]
        self._waits: list[bool] = [False for _ in self.chairs]
        self._watched: Final = watched
        self._jury: Final = Jury(CHAIN, (chair.keys.vote_key for chair in self.honest))
        self._set_traps()

    def _chair(self, index: int) -> Chair:
        weather, random = self.weather, self.random
        chair = Chair(index, validator(f"chair-{index}", index + 1), self)
        if index >= weather.count - weather.liars:
            self._liars[index] = Liar(random, self.register, (chair.keys.vote_key, chair.keys.bls_key))
        chair.timer_percent = 100 + random.randint(-weather.skew, weather.skew)
        return chair

    def _set_traps(self) -> None:
        for chair in self.random.sample(self.honest, min(self.weather.traps, len(self.honest))):
            first = self.random.randint(1, self.weather.trap_span)
            chair.traps[first] = self.random.randrange(2) > 0
            if self.random.randrange(2):
                chair.traps[first + self.random.randint(1, 8)] = self.random.randrange(2) > 0

    def _deliver(self, letter: tuple[int, int, ibft.Message]) -> None:
        sender, receiver, message = letter
        chair = self.chairs[receiver]
        if chair.alive:
            self.delivered += 1
            origin = self._origins[receiver].get(sender, ibft.NO_SEAT)
            chair.hear(ibft.Received(self.now_ms, message, origin))

    def perform(self) -> Outcome:
        """The storm, the healing, and what must come of it. Raises `AssertionError`, which says how to see it again."""
        try:
            return self._perform()
        except AssertionError as wrong:
            raise type(wrong)(f"seed {self.seed}, {self.weather.count} chairs, step {self.steps}: {wrong}") from wrong

    def _perform(self) -> Outcome:
        weather = self.weather
        for chair in self.chairs:
            self.at(self.random.randrange(20), chair.boot)
        if weather.strike_ms:
            self.at(weather.strike_ms, self._strike)
        self.run(START_MS + weather.storm_ms)
        self._heal()
        due = max(chair.height for chair in self.honest) + HEIGHTS_DUE
        bound_ms = self.now_ms + weather.bound_ms
        got_on = self.run(bound_ms, lambda: all(c.alive and c.height >= due for c in self.honest))
        stand = [chair.height for chair in self.honest]
        assert got_on, f"{weather.bound_ms} ms after the healing: heights {stand}, {due} is due"
        demand_agreement(self.honest)
        signed = (vote.signature for chair in self.honest for vote in chair.signed)
        return Outcome(self.delivered, self.steps, min(stand), sha256(b"".join(signed)).hexdigest())

    # --- weather ------------------------------------------------------------------------------------------------------

    def _strike(self) -> None:
        """Something happens to somebody, and once more a while later."""
        weather, random = self.weather, self.random
        if self._healed:
            return
        self.at(random.randint(weather.strike_ms // 2, weather.strike_ms * 2), self._strike)
        until_ms = self.now_ms + random.randint(100, 1_500)
        one = random.randrange(weather.count)
        match random.randrange(4):
            case 0 if weather.cuts:
                for other in random.sample(range(weather.count), random.randint(1, weather.count)):
                    self._cuts[one, other] = until_ms
            case 1 if weather.partitions:
                half = random.sample(range(weather.count), weather.count // 2)
                for a in half:
                    for b in range(weather.count):
                        if b not in half:
                            self._cuts[a, b] = self._cuts[b, a] = until_ms
            case 2 if weather.kills and self.chairs[one].alive:
                self.chairs[one].kill()
                self.killed(self.chairs[one])
            case 3 if weather.early:
                self.chairs[one].fire_early()
            case _:
                pass

    def _heal(self) -> None:
        """From now on everything arrives, and nobody dies."""
        self._healed = True
        self._cuts.clear()
        for chair in self.chairs:
            chair.traps.clear()
            if not chair.alive:
                chair.boot()

    def killed(self, chair: Chair) -> None:
        """It starts again a while later."""
        life = chair.life

        def again() -> None:
            if not chair.alive and chair.life == life:
                chair.boot()

        self.at(self.random.randint(10, RESTART_MS), again)

    # --- what chairs ask for ------------------------------------------------------------------------------------------

    def say(self, chair: Chair, seats: tuple[int, ...], message: ibft.Message) -> None:
        """To all others (no seats), to one, or to all but one (-1, who)."""
        routes = self._routes[chair.index]
        if not seats:
            receivers = routes
        elif seats[0] >= 0:
            receivers = routes[seats[0] : seats[0] + 1]
        else:
            receivers = [r for i, r in enumerate(routes) if i != seats[1]]
        liar = self._liars.get(chair.index)
        for receiver in receivers:
            if receiver != chair.index:
                for said in [message] if liar is None else liar.instead(message):
                    self.send(chair.index, receiver, said)

    def send(self, sender: int, receiver: int, message: ibft.Message) -> None:
        """One message on one link, if the weather lets it."""
        if not self._healed:
            if self._cuts and self._cuts.get((sender, receiver), 0) > self.now_ms:
                return
            if self.weather.loss and self.random.random() * 100 < self.weather.loss:
                return
            delay = 1 + int(self.random.random() * self.weather.late_ms)
        else:
            delay = 1 + int(self.random.random() * 4)
        self._post(delay, (sender, receiver, message))

    def witness(self, chair: Chair) -> Witness | None:
        """Who watches the life of an honest chair that begins."""
        if not self._watched or chair.index >= len(self.honest):
            return None
        return self._jury.witness(f"chair {chair.index}", chair.keys.vote_key, chair.machine)

    def begins(self, chair: Chair) -> ibft.HeightBegins:
        """The next height of a chair; its block is due a while later."""
        height, index = chair.height, chair.index
        members = self.register.at(height)
        before = self.register.at(height - 1)
        names = {v.vote_key: seat for seat, v in enumerate(members.validators)}
        self._origins[index] = {c.index: Seat(names[c.keys.vote_key]) for c in self.chairs if c.keys.vote_key in names}
        by_key = {c.keys.vote_key: c.index for c in self.chairs}
        self._routes[index] = [by_key[v.vote_key] for v in members.validators]
        life = chair.life

        def due() -> None:
            if chair.life == life and chair.height == height:
                chair.hear(ibft.CreditLate(self.now_ms))
                chair.hear(ibft.BlockDue(self.now_ms))

        self.at(PERIOD_MS, due)
        self._look_around(chair, height, life)
        return ibft.HeightBegins(
            now_ms=self.now_ms,
            height=height,
            validators=members,
            previous_validators=before,
            previous_proposer=chair.log[height - 1][0].proposer if height > 1 else ibft.NO_SEAT,
            seat=self._origins[index].get(index, ibft.NO_SEAT),
            round_timeout_ms=TIMEOUT_MS,
            round_timeout_max_ms=TIMEOUT_MAX_MS,
            all_to_all_max=self.weather.all_to_all_max,
        )

    def _look_around(self, chair: Chair, height: int, life: int) -> None:
        """Who gets nowhere for a while asks for blocks, as sync does: without a seat it hears of none."""

        def ask() -> None:
            if chair.life == life and chair.height == height:
                self.behind(chair, ibft.NO_SEAT)
                self._look_around(chair, height, life)

        seated = chair.index in self._origins[chair.index]
        self.at(LOOK_AROUND_MS if seated else 2 * PERIOD_MS, ask)

    def decided(self, chair: Chair, decide: ibft.Decide) -> None:
        """It is final for this chair."""
        chair.call_final(read_header(decide.content.header), decide.commit)

    def build(self, chair: Chair, height: int, round_: int) -> ProposalContent:
        """A block like no other."""
        self._words += 1
        word = f"{chair.index}/{height}/{round_}/{self._words}".encode()
        return block(self.register, height, self._origins[chair.index][chair.index], chair.tip, word)

    def judge(self, chair: Chair, asked: ibft.Validate) -> None:
        """At once, or after some thought."""
        life = chair.life

        def answer() -> None:
            if chair.life == life and chair.height == asked.height:
                valid = asked.header_hash not in self.invalid
                chair.hear(ibft.Validated(self.now_ms, asked.header_hash, valid, "" if valid else "a liar's block"))

        if self.weather.thinking_ms:
            self.at(self.random.randrange(self.weather.thinking_ms), answer)
        else:
            answer()

    def behind(self, chair: Chair, seat: Seat) -> None:
        """Blocks are given by whoever has most of them, as soon as a cable lets it."""
        del seat
        if not self._waits[chair.index]:
            self._waits[chair.index] = True
            self.at(SYNC_MS, lambda: self._give(chair))

    def _give(self, chair: Chair) -> None:
        source = max(self.honest, key=lambda other: other.height)
        index, other = chair.index, source.index
        if source.height <= chair.height:
            self._waits[index] = False
            return
        cut = max(self._cuts.get((index, other), 0), self._cuts.get((other, index), 0)) > self.now_ms
        if cut or not (chair.alive and source.alive):
            self.at(SYNC_MS, lambda: self._give(chair))
            return
        self._waits[index] = False
        for height in range(chair.height, source.height):
            chair.call_final(*source.log[height])
        chair.hear(self.begins(chair))
