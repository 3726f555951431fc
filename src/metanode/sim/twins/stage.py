"""The world of one Twins scenario: IBFT machines, guards and journals; two machines for each seat with a twin.

First act, one height: a word of a round is heard or lost by the cut of that round, whenever it is said. A PROPOSAL,
PREPARE, COMMIT or ROUND-CHANGE belongs to its own round, a commit that is shown to that of its COMMITs; questions and
their answers belong to the round that their sender spoke of last. ROUND-CHANGEs are held back for the time of a round
only, or seats without a quorum around them would wait for ever (IBFT-V8) and the later rounds never be played. Rounds
that the scenario does not name are not cut. No block is due above the first height.

Second act: nothing is lost any more, blocks are due, and everybody honest must get on, though both machines of each
twin speak on: their seats are f that may do anything. They are not connected with each other, as a seat has no link to
itself; what others pass on they hear.
"""

from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import Final

from metanode.chain import ibft
from metanode.chain.guard import LastWord, LastWordAsked
from metanode.chain.ibft import Ballot, Content, Decided, Prepared, Proposal, RoundChange, Wanted
from metanode.primitives.names import Hash, Seat
from metanode.records.header import read_header
from metanode.records.proposal import ProposalContent
from metanode.records.vote import VoteKind
from metanode.sim.council.chair import Chair
from metanode.sim.council.council import PERIOD_MS, SYNC_MS, TIMEOUT_MAX_MS, TIMEOUT_MS, Verdicts
from metanode.sim.council.floor import Floor, demand_agreement
from metanode.sim.council.members import CHAIN, Register, block
from metanode.sim.founding import START_MS, validator
from metanode.sim.oracle import Jury, Witness
from metanode.sim.twins.scenario import EVERYBODY, Scenario

FLIGHT_MS: Final = 4
"""A word that is heard takes up to so long: words overtake each other."""
ACT_MS: Final = 5
"""The first act lasts at most so many times the timeouts of its rounds: some seats wait for ever, alone in theirs."""
BOUND_MS: Final = 30_000
"""Within this after the healing everybody honest has decided one height more than anybody had."""
LOOK_MS: Final = 20
"""How often it is looked whether an act is over."""
STEPS_MAX: Final = 200_000
"""A scenario that needs more is not getting anywhere."""
LOOK_AROUND_MS: Final = 1_500
"""Who stays at one height for so long after the healing asks whether there are later ones."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went: words heard, heights decided by everybody honest, and of them in the first act by somebody; the
    rounds of decisions, the highest; a digest of all that was signed."""

    delivered: int
    height: int
    early: int
    round: int
    fingerprint: str


class Stage(Floor):
    """One scenario; chance is only in how long words take, and comes from its name."""

    def __init__(self, scenario: Scenario, *, watched: bool = True) -> None:
        super().__init__(LOOK_MS, STEPS_MAX)
        self.scenario: Final = scenario
        self.highest_round = 0
        self.healed = False
        self.good: Final = Verdicts()
        seats = scenario.space.seats
        self._random: Final = Random(scenario.name)  # noqa: S311 - a pretend world must be the same twice
        self._register: Final = Register((tuple(range(seats)),))
        self._seats: Final = scenario.seats
        self.chairs: Final = [Chair(i, validator(f"chair-{s}", s + 1), self) for i, s in enumerate(self._seats)]
        self.honest: Final = [c for c in self.chairs if self._seats[c.index] not in scenario.twins]
        self._spoke: Final = [(0, 0) for _ in self.chairs]
        self._opened: Final[dict[int, int]] = {}
        self._built = 0
        self._behind: Final = [False for _ in self.chairs]
        self._watched: Final = watched
        self._jury: Final = Jury(CHAIN, (chair.keys.vote_key for chair in self.honest))

    def _deliver(self, letter: tuple[int, ibft.Message, Seat]) -> None:
        receiver, message, origin = letter
        self.delivered += 1
        self.chairs[receiver].hear(ibft.Received(self.now_ms, message, origin))

    def perform(self) -> Outcome:
        """Both acts. Raises `AssertionError`, which says what was wrong in which scenario."""
        try:
            return self._perform()
        except AssertionError as wrong:
            raise type(wrong)(f"scenario {self.scenario.name} ({self.scenario}), step {self.steps}: {wrong}") from wrong

    def _perform(self) -> Outcome:
        rounds = self.scenario.space.rounds
        for chair in self.chairs:
            self.at(0, chair.boot)
        self.run(START_MS + ACT_MS * sum(map(_timeout_ms, range(rounds))), self._is_played)
        early = max(chair.height for chair in self.honest) - 1
        self._heal()
        due = early + 2
        got_on = self.run(self.now_ms + BOUND_MS, lambda: all(chair.height >= due for chair in self.honest))
        demand_agreement(self.honest)
        heights = [chair.height for chair in self.honest]
        assert got_on, f"{BOUND_MS} ms after the healing: heights {heights}, {due} is due"
        signed = (vote.signature for chair in self.chairs for vote in chair.signed)
        fingerprint = sha256(b"".join(signed)).hexdigest()
        return Outcome(self.delivered, min(heights) - 1, early, self.highest_round, fingerprint)

    def _is_played(self) -> bool:
        """Whether every honest machine has decided, or left the rounds of the scenario behind."""
        beyond = (1, self.scenario.space.rounds)
        return all(chair.height > 1 or self._spoke[chair.index] >= beyond for chair in self.honest)

    def _heal(self) -> None:
        self.healed = True
        for chair in self.chairs:
            if chair.height > 1:
                self._block_due(chair)
            self._look_around(chair)

    # --- who hears whom -----------------------------------------------------------------------------------------------

    def say(self, chair: Chair, seats: tuple[int, ...], message: ibft.Message) -> None:
        """To all other seats (no seats), to one, or to all but one (-1, who): to both machines of a twin."""
        index = chair.index
        own = self._seats[index]
        if isinstance(message, Proposal | Ballot | RoundChange) and message.vote.seat == own:
            vote = message.vote
            self._spoke[index] = max(self._spoke[index], (vote.height, vote.round))
            if isinstance(message, RoundChange):
                self._opened.setdefault(vote.round, self.now_ms)
        round_ = self._round_of(index, message)
        for receiver, seat in enumerate(self._seats):
            meant = not seats or (seat == seats[0] if seats[0] >= 0 else seat != seats[1])
            if meant and seat != own and self._is_heard(index, receiver, message, round_):
                self._post(1 + int(self._random.random() * FLIGHT_MS), (receiver, message, Seat(own)))

    def _round_of(self, index: int, message: ibft.Message) -> int:
        """The round to which a message belongs."""
        match message:
            case Proposal(vote=vote) | Ballot(vote=vote) | RoundChange(vote=vote):
                return vote.round
            case Decided(commit=commit):
                return commit.round
            case Prepared(certificate=certificate):
                return certificate.round
            case Wanted() | Content() | LastWordAsked() | LastWord():
                return self._spoke[index][1]

    def _is_heard(self, sender: int, receiver: int, message: ibft.Message, round_: int) -> bool:
        """Whether the cut of the round lets a message through. What is asked at the start, before all rounds, is."""
        cuts = self.scenario.cuts
        if self.healed or round_ >= len(cuts) or isinstance(message, LastWord | LastWordAsked):
            return True
        if isinstance(message, RoundChange) and self.now_ms >= self._opened[round_] + _timeout_ms(round_):
            return True
        cut = cuts[round_]
        if cut.sets[sender] != cut.sets[receiver]:
            return False
        commits = isinstance(message, Decided) or (isinstance(message, Ballot) and message.vote.kind == VoteKind.COMMIT)
        return not commits or cut.listener in (EVERYBODY, receiver)

    # --- what machines ask for ----------------------------------------------------------------------------------------

    def witness(self, chair: Chair) -> Witness | None:
        """Who watches an honest machine."""
        seat = self._seats[chair.index]
        if not self._watched or seat in self.scenario.twins:
            return None
        return self._jury.witness(f"seat {seat}", chair.keys.vote_key, chair.machine)

    def begins(self, chair: Chair) -> ibft.HeightBegins:
        """The next height of a machine."""
        height, members = chair.height, self._register.at(chair.height)
        if height == 1 or self.healed:
            self._block_due(chair)
        if self.healed:
            self._look_around(chair)
        return ibft.HeightBegins(
            now_ms=self.now_ms,
            height=height,
            validators=members,
            previous_validators=members,
            previous_proposer=chair.log[height - 1][0].proposer if height > 1 else ibft.NO_SEAT,
            seat=Seat(self._seats[chair.index]),
            round_timeout_ms=TIMEOUT_MS,
            round_timeout_max_ms=TIMEOUT_MAX_MS,
            all_to_all_max=len(members),
        )

    def _block_due(self, chair: Chair) -> None:
        height = chair.height

        def due() -> None:
            if chair.height == height:
                chair.hear(ibft.CreditLate(self.now_ms))
                chair.hear(ibft.BlockDue(self.now_ms))

        self.at(PERIOD_MS, due)

    def _look_around(self, chair: Chair) -> None:
        height = chair.height

        def ask() -> None:
            if chair.height == height:
                self.behind(chair, ibft.NO_SEAT)
                self._look_around(chair)

        self.at(LOOK_AROUND_MS, ask)

    def decided(self, chair: Chair, decide: ibft.Decide) -> None:
        """It is final for this machine; what twins call final concerns nobody."""
        if chair in self.honest:
            self.highest_round = max(self.highest_round, decide.round)
        chair.call_final(read_header(decide.content.header), decide.commit)

    def build(self, chair: Chair, height: int, round_: int) -> ProposalContent:
        """A block like no other: twins that lead propose two."""
        self._built += 1
        word = f"{chair.index}/{height}/{round_}/{self._built}".encode()
        seat = Seat(self._seats[chair.index])
        return block(self._register, height, seat, Hash(chair.tip), word)

    def judge(self, chair: Chair, asked: ibft.Validate) -> None:
        """Every block is valid."""
        chair.hear(ibft.Validated(self.now_ms, asked.header_hash, valid=True))

    def behind(self, chair: Chair, seat: Seat) -> None:
        """After the healing blocks are given by whoever honest has most of them."""
        del seat
        if self.healed and not self._behind[chair.index]:
            self._behind[chair.index] = True
            self.at(SYNC_MS, lambda: self._give(chair))

    def _give(self, chair: Chair) -> None:
        self._behind[chair.index] = False
        source = max(self.honest, key=lambda other: other.height)
        if source.height > chair.height:
            for height in range(chair.height, source.height):
                chair.call_final(*source.log[height])
            chair.hear(self.begins(chair))

    def killed(self, chair: Chair) -> None:
        """Nobody has a trap."""
        raise AssertionError(f"machine {chair.index} died")


def _timeout_ms(round_: int) -> int:
    """How long a round takes (IBFT-V6)."""
    return min(TIMEOUT_MS << round_, TIMEOUT_MAX_MS)
