"""The catalogue of Twins scenarios against full enumeration, written down in another way."""

from collections.abc import Iterator
from itertools import combinations, product

import pytest

from metanode.sim.twins import EVERYBODY, Catalogue, Cut, Scenario, Space
from metanode.sim.twins.scenario import read_name
from metanode.sim.twins.symmetry import group, partitions

Machine = tuple[int, int]
"""A seat, and which of its machines."""
Sets = frozenset[frozenset[Machine]]
Written = tuple[frozenset[int], tuple[tuple[Sets, Machine | None], ...]]
"""The twins; for each round the sets and the listener."""

SMALL = [Space(4, 1, 3, lone=True), Space(4, 2, 2, lone=True), Space(4, 3, 2, lone=False), Space(5, 2, 2, lone=False)]
SMALL += [Space(6, 1, 3, lone=False), Space(7, 1, 2, lone=False)]


def machines_of(space: Space, twins: frozenset[int]) -> list[Machine]:
    return [(seat, which) for seat in range(space.seats) for which in range(2 if seat in twins else 1)]


def sets_of(machines: list[Machine], most: int) -> set[Sets]:
    """Every way to throw machines into so many boxes, boxes without names."""
    found = set()
    for boxes in product(range(most), repeat=len(machines)):
        thrown = [frozenset(m for m, box in zip(machines, boxes, strict=True) if box == each) for each in range(most)]
        found.add(frozenset(one for one in thrown if one))
    return found


def everything(space: Space) -> Iterator[Written]:
    """All scenarios of a space, each as it is written down."""
    for chosen in combinations(range(space.seats), (space.seats - 1) // 3):
        twins = frozenset(chosen)
        machines = machines_of(space, twins)
        listeners: list[Machine | None] = [None, *(machines if space.lone else [])]
        for cuts in product(list(product(sets_of(machines, space.sets), listeners)), repeat=space.rounds):
            yield twins, cuts


def renamed(scenario: Written, names: dict[Machine, Machine]) -> Written:
    twins, cuts = scenario
    moved = tuple(
        (
            frozenset(frozenset(names.get(one, one) for one in each) for each in sets),
            None if listener is None else names.get(listener, listener),
        )
        for sets, listener in cuts
    )
    return frozenset(names.get((seat, 0), (seat, 0))[0] for seat in twins), moved


def neighbours(space: Space, scenario: Written) -> Iterator[Written]:
    """The smallest changes of names that change no role: the two machines of a seat, two seats that lead no round."""
    for seat in scenario[0]:
        yield renamed(scenario, {(seat, 0): (seat, 1), (seat, 1): (seat, 0)})
    for seat in range(min(space.rounds, space.seats), space.seats - 1):
        pairs = [((seat, which), (seat + 1, which)) for which in (0, 1)]
        yield renamed(scenario, {**dict(pairs), **{two: one for one, two in pairs}})


def orbits(space: Space) -> dict[Written, int]:
    """All scenarios with the number of their kind."""
    found: dict[Written, int] = {}
    kinds = 0
    for scenario in everything(space):
        if scenario in found:
            continue
        waiting = [scenario]
        found[scenario] = kinds
        while waiting:
            for near in neighbours(space, waiting.pop()):
                if near not in found:
                    found[near] = kinds
                    waiting.append(near)
        kinds += 1
    return found


def written(scenario: Scenario) -> Written:
    machines = machines_of(scenario.space, frozenset(scenario.twins))
    cuts = tuple(
        (
            frozenset(
                frozenset(m for m, one in zip(machines, cut.sets, strict=True) if one == each) for each in set(cut.sets)
            ),
            None if cut.listener == EVERYBODY else machines[cut.listener],
        )
        for cut in scenario.cuts
    )
    return frozenset(scenario.twins), cuts


def read(space: Space, one: Written) -> tuple[tuple[int, ...], list[Cut]]:
    machines = machines_of(space, one[0])
    cuts = []
    for sets, listener in one[1]:
        names: dict[frozenset[Machine], int] = {}
        numbers = [names.setdefault(next(s for s in sets if m in s), len(names)) for m in machines]
        cuts.append(Cut(tuple(numbers), EVERYBODY if listener is None else machines.index(listener)))
    return tuple(sorted(one[0])), cuts


@pytest.mark.parametrize("space", SMALL, ids=lambda space: space.name)
def test_canonical_scenarios_are_one_of_each_kind(space: Space) -> None:
    """Both counts are those of the full enumeration, and no two numbers are of one kind."""
    kinds, known = orbits(space), Catalogue(space)
    assert known.all == len(kinds)
    assert known.count == len(set(kinds.values()))
    numbered = [kinds[written(known.unrank(index))] for index in range(known.count)]
    assert sorted(numbered) == sorted(set(kinds.values()))


@pytest.mark.parametrize("space", SMALL[:4], ids=lambda space: space.name)
def test_every_scenario_of_a_kind_has_the_same_number(space: Space) -> None:
    kinds, known = orbits(space), Catalogue(space)
    numbers: dict[int, set[int]] = {}
    for at, (one, kind) in enumerate(kinds.items()):
        if at % 7 == 0:  # evenly; all of them would be many seconds
            numbers.setdefault(kind, set()).add(known.rank(*read(space, one)))
    assert all(len(found) == 1 for found in numbers.values())


@pytest.mark.parametrize("name", ["4-4-3-1", "5-3-2-1", "7-2-2-1", "7-3-2-1"])
def test_a_number_is_found_again_in_spaces_that_nobody_can_walk(name: str) -> None:
    space = read_name(f"{name}-0")[0]
    known = Catalogue(space)
    assert known.all > known.count > 0
    for turn in range(40):
        scenario = known.unrank(known.nth(turn))
        assert known.rank(scenario.twins, scenario.cuts) == scenario.index == known.nth(turn)
    first, last = known.unrank(0), known.unrank(known.count - 1)
    assert {max(cut.sets) for cut in first.cuts} == {0}
    assert known.rank(last.twins, last.cuts) == known.count - 1


def test_numbers_rise_with_what_they_mean() -> None:
    """Of one placement the scenarios are in order of their cuts, so a number is a place and no accident."""
    known = Catalogue(Space(4, 2, 2, lone=True))
    keys = []
    for index in range(known.count):
        scenario = known.unrank(index)
        place = [(cut.listener, partitions(5, 2).index(cut.sets)) for cut in scenario.cuts]
        keys.append((scenario.twins, place))
    assert keys == sorted(keys)


@pytest.mark.parametrize("space", [SMALL[2], Space(4, 2, 2, lone=True)], ids=lambda space: space.name)
def test_every_number_has_its_turn_once_and_early_turns_are_spread_evenly(space: Space) -> None:
    known = Catalogue(space)
    turns = [known.nth(turn) for turn in range(known.count)]
    assert sorted(turns) == list(range(known.count))
    for played in (50, 500):
        taken = sorted(turns[:played])
        gaps = [b - a for a, b in zip(taken, [*taken[1:], taken[0] + known.count], strict=True)]
        assert max(gaps) <= 3 * known.count // played


def test_relabellings_are_a_group_and_the_first_changes_nothing() -> None:
    for twins in ((0, 1), (0, 3), (3, 4)):
        found = group(Space(7, 3, 2, lone=False), twins)
        assert found[0] == tuple(range(9))
        assert len(set(found)) == len(found)
        assert {tuple(one[two[i]] for i in range(9)) for one in found for two in found} == set(found)


@pytest.mark.parametrize(
    "name", ["4-2-2-1-", "4-2-2-7", "4-2-2-2-7", "04-2-2-1-7", "3-2-2-1-7", "4-9-2-1-7", "8-2-2-1-7", "4-2-4-1-7"]
)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"4 to 7 seats|invalid literal|no scenario|unpack"):
        read_name(name)


def test_a_name_says_which_scenario() -> None:
    assert read_name("4-2-2-1-7") == (Space(4, 2, 2, lone=True), 7)
    scenario = Catalogue(Space(4, 2, 2, lone=True)).unrank(7)
    assert scenario.name == "4-2-2-1-7"
    with pytest.raises(ValueError, match="0 to 10783"):
        Catalogue(Space(4, 2, 2, lone=True)).unrank(10_784)


def test_a_scenario_can_be_read_by_people() -> None:
    space = Space(4, 2, 2, lone=True)
    cuts = (Cut((0, 1, 0, 0, 1), 2), Cut((0, 0, 0, 0, 0)))
    assert str(Scenario(space, 0, (0,), cuts)) == "round 0: 0a 1< 2 | 0b 3; round 1: 0a 0b 1 2 3"
