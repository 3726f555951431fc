"""Which relabellings of machines give the same scenario again, and what they make of a cut.

Two machines of one seat are alike, and so are seats that lead none of the rounds, if both have twins or neither has.
Everything else is told apart by when it leads.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations, permutations, product
from typing import Final, TypeAlias

from metanode.sim.twins.scenario import EVERYBODY, Cut, Space, machines

Relabelling: TypeAlias = tuple[int, ...]
"""The new number of each machine."""
GROUPS_KEPT: Final = 256
"""Of one campaign there are fewer."""


def placements(space: Space) -> Iterator[tuple[int, ...]]:
    """The twins, one placement of each kind: those that lead none of the rounds come first among their like."""
    for count in range(min(space.twins, space.leading), -1, -1):
        others = space.twins - count
        if others <= space.seats - space.leading:
            for leading in combinations(range(space.leading), count):
                yield (*leading, *range(space.leading, space.leading + others))


def relabelled_seats(space: Space, twins: tuple[int, ...]) -> Iterator[Relabelling]:
    """Every order of the seats that changes nobody's role, the identity first."""
    first = space.leading
    doubled = [seat for seat in range(first, space.seats) if seat in twins]
    single = [seat for seat in range(first, space.seats) if seat not in twins]
    for one, two in product(permutations(doubled), permutations(single)):
        new = dict(zip((*doubled, *single), (*one, *two), strict=True))
        yield tuple(new.get(seat, seat) for seat in range(space.seats))


@lru_cache(maxsize=GROUPS_KEPT)
def group(space: Space, twins: tuple[int, ...]) -> tuple[Relabelling, ...]:
    """Every relabelling of the machines that changes nobody's role, the identity first."""
    seats = machines(space.seats, twins)
    first = [seats.index(seat) for seat in range(space.seats)]
    found = []
    for order in relabelled_seats(space, twins):
        for swaps in product((0, 1), repeat=len(twins)):
            swapped = dict(zip(twins, swaps, strict=True))
            found.append(tuple(first[order[s]] + ((i - first[s]) ^ swapped.get(s, 0)) for i, s in enumerate(seats)))
    return tuple(found)


@lru_cache(maxsize=GROUPS_KEPT)
def partitions(machines_: int, sets: int) -> tuple[tuple[int, ...], ...]:
    """Every way to cut so many machines into at most so many sets, in order; sets are numbered as they occur."""
    found: list[tuple[int, ...]] = [(0,)]
    for _ in range(machines_ - 1):
        found = [(*one, each) for one in found for each in range(min(max(one) + 2, sets))]
    return tuple(found)


def cut_under(cut: Cut, new: Relabelling) -> Cut:
    """The same cut under other numbers."""
    listener = EVERYBODY if cut.listener == EVERYBODY else new[cut.listener]
    return Cut(partition_under(cut.sets, new), listener)


def partition_under(sets: tuple[int, ...], new: Relabelling) -> tuple[int, ...]:
    """The same sets under other numbers of the machines."""
    moved = [0] * len(sets)
    for machine, one in zip(new, sets, strict=True):
        moved[machine] = one
    names: dict[int, int] = {}
    return tuple([names.setdefault(one, len(names)) for one in moved])
