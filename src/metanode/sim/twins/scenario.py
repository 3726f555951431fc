"""What a Twins scenario says, in the style of Bano et al., "Twins: BFT Systems Made Robust" (OPODIS 2021).

A seat with a twin is one of the f faulty ones: two machines of honest code with one key, each with a guard and a disk
of its own. A scenario says which seats have twins and, for each of the first rounds of a height, who hears whom. Seats
are named by the order in which they lead, seat 0 first, so placing the leaders is placing the twins among the seats.

The paper cuts machines into a few sets a round. Its protocols send votes to a leader alone, so that one machine can
learn what others do not; here everybody hears every vote, and whenever one machine of a set decides, all of it do.
So a cut of ours may also name one machine that alone hears the COMMITs of its set in this round.
"""

from dataclasses import dataclass
from typing import Final

SEATS: Final = range(4, 8)
"""Fewer than four seats bear no twin; with three twins, from ten seats on, a cut is one of 4,096 and more under up to
40,320 relabellings: too many to look at."""
ROUNDS_MAX: Final = 8
"""Later rounds say nothing new, and each is twice as long as the one before."""
SETS_MAX: Final = 3
"""The paper's restriction: two sets, or three."""
EVERYBODY: Final = -1
"""As a listener: every machine hears the COMMITs of its set."""


@dataclass(frozen=True, slots=True)
class Space:
    """All scenarios of so many seats, over so many rounds, with at most so many sets a round; `lone`: with cuts, too,
    in which one machine alone hears COMMITs."""

    seats: int
    rounds: int
    sets: int
    lone: bool

    def __post_init__(self) -> None:
        """Raises `ValueError`."""
        if self.seats not in SEATS or not 1 <= self.rounds <= ROUNDS_MAX or not 2 <= self.sets <= SETS_MAX:
            raise ValueError(f"{self.name}: 4 to 7 seats, 1 to 8 rounds, 2 or 3 sets")

    @property
    def twins(self) -> int:
        """How many seats have a twin: all f that may be faulty."""
        return (self.seats - 1) // 3

    @property
    def machines(self) -> int:
        """All seats, some of them twice."""
        return self.seats + self.twins

    @property
    def leading(self) -> int:
        """Seats 0 up to this lead one of the rounds; the others play one role."""
        return min(self.rounds, self.seats)

    @property
    def name(self) -> str:
        """Seats, rounds, sets, and 1 where one machine may hear alone."""
        return f"{self.seats}-{self.rounds}-{self.sets}-{int(self.lone)}"


@dataclass(frozen=True, slots=True)
class Cut:
    """Who hears whom in one round: the set of each machine, numbered in the order in which they first occur, and who
    alone hears the COMMITs of its set (`EVERYBODY`: all of them)."""

    sets: tuple[int, ...]
    listener: int = EVERYBODY


@dataclass(frozen=True, slots=True)
class Scenario:
    """`twins`: the seats with two machines, rising. Machines are numbered by seat, the two of a seat side by side."""

    space: Space
    index: int
    twins: tuple[int, ...]
    cuts: tuple[Cut, ...]

    @property
    def name(self) -> str:
        """How it is asked for again."""
        return f"{self.space.name}-{self.index}"

    @property
    def seats(self) -> tuple[int, ...]:
        """The seat of each machine."""
        return machines(self.space.seats, self.twins)

    def __str__(self) -> str:
        """For the eye: twins are a and b; `<` marks who alone hears COMMITs."""
        seats = self.seats
        names = [f"{s}{'ab'[i > 0 and seats[i - 1] == s]}" if s in self.twins else f"{s}" for i, s in enumerate(seats)]
        shown = []
        for cut in self.cuts:
            marked = [name + "<" * (i == cut.listener) for i, name in enumerate(names)]
            groups = [[marked[i] for i, one in enumerate(cut.sets) if one == each] for each in range(max(cut.sets) + 1)]
            shown.append(" | ".join(" ".join(group) for group in groups))
        return "; ".join(f"round {number}: {cut}" for number, cut in enumerate(shown))


def machines(seats: int, twins: tuple[int, ...]) -> tuple[int, ...]:
    """The seat of each machine."""
    return tuple(seat for seat in range(seats) for _ in range(1 + (seat in twins)))


def read_name(name: str) -> tuple[Space, int]:
    """The space and the number of a scenario. Raises `ValueError`."""
    seats, rounds, sets, lone, index = (int(word) for word in name.split("-"))
    space = Space(seats, rounds, sets, bool(lone))
    if f"{space.name}-{index}" != name:
        raise ValueError(f"no scenario is called {name}")
    return space, index
