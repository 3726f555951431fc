"""Placement, whatever the cluster: within every limit, the same in any order, moving nobody, starving nobody."""

from collections import Counter
from dataclasses import replace
from itertools import combinations
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from tests.unit.docklock.scheduler.brute import Brute
from tests.unit.docklock.scheduler.samples import BANNED, SEED, World, image_rule, newcomer, node, replica, world

from metanode.docklock.scheduler import (
    Fleet,
    Newcomer,
    Placed,
    Replica,
    Scheduler,
    Unplaced,
    place_plainly,
    preempt,
    turn,
)
from metanode.docklock.scheduler.waiting import POINT_MS, VAIN_MS

WORLDS = st.builds(
    world,
    st.integers(0, 1 << 40),
    most_nodes=st.integers(1, 9),
    most_standing=st.integers(0, 30),
    newcomers=st.integers(1, 12),
)
EMPTY = st.builds(lambda found: replace(found, standing=[]), WORLDS)


def settle(found: World, fleet: Fleet) -> dict[tuple[str, int, int], str]:
    """Place all newcomers one after the other, making room where they say so. The answers themselves move nobody."""
    scheduler = Scheduler(fleet, found.seed)
    for who in found.newcomers:
        before = where(fleet)
        answer = scheduler.place(who)
        made = preempt(fleet, who) if isinstance(answer, Unplaced) else None
        assert where(fleet) == before
        for victim in made.victims if made else ():
            fleet.release(made.node if made else "", victim)
        home = answer.node if isinstance(answer, Placed) else made.node if made else ""
        if home:
            fleet.take(home, who.replica)
    return where(fleet)


def where(fleet: Fleet) -> dict[tuple[str, int, int], str]:
    return {name: place.view.name for place in fleet.places for name in place.standing}


@given(EMPTY)
def test_no_limit_of_any_node_is_ever_exceeded(found: World) -> None:
    fleet = found.fleet()
    settle(found, fleet)
    for place in fleet.places:
        there = list(place.standing.values())
        assert sum(one.demand.cpu_millicores for one in there) <= place.view.cpu_millicores
        assert sum(one.demand.memory_kib for one in there) <= place.view.memory_kib
        assert len(there) <= place.view.standing_max
        assert max(Counter(port for one in there for port in one.demand.ports).values(), default=1) == 1
        for one, other in combinations(there, 2):
            if (one.workload, one.index) != (other.workload, other.index):
                assert other.workload not in one.demand.anti_affinity
                assert one.workload not in other.demand.anti_affinity
        assert not place.view.barred or not there


@given(EMPTY)
def test_one_workload_is_never_more_uneven_than_it_may_be_nor_crowded(found: World) -> None:
    """Of one revision, from an empty cluster: what held when each was placed holds at the end."""
    demand = structs.replace(found.newcomers[0].replica.demand, volumes=())
    fleet = found.fleet()
    scheduler = Scheduler(fleet, found.seed)
    for index in range(12):
        who = Newcomer(replica=Replica(workload="one", index=index, attempt=1, demand=demand), spec=SEED)
        answer = scheduler.place(who)
        if isinstance(answer, Placed):
            fleet.take(answer.node, who.replica)
    assert not demand.node_max or max(len(place.standing) for place in fleet.places) <= demand.node_max
    judge = Brute(found.nodes, (), found.weights, BANNED)
    for spread in demand.spread:
        counts = Counter(place.labels.get(spread.label) for place in fleet.places for _ in place.standing)
        may = {dict(one.labels).get(spread.label) for one in found.nodes if not judge.nature(one, who)} - {None}
        if spread.skew_max and counts:
            assert None not in counts
            assert max(counts.values()) - min(counts[value] for value in may) <= spread.skew_max


@given(WORLDS, st.randoms(use_true_random=False))
def test_the_order_of_everything_that_is_listed_does_not_matter(found: World, draw: Random) -> None:
    there = settle(found, found.fleet())
    nodes, standing = list(found.nodes), list(found.standing)
    draw.shuffle(nodes)
    draw.shuffle(standing)
    assert settle(found, Fleet(nodes, standing, found.weights, image_rule)) == there


@given(WORLDS)
def test_the_index_says_what_the_definition_says(found: World) -> None:
    fleet = found.fleet()
    scheduler = Scheduler(fleet, found.seed)
    for who in found.newcomers:
        answer = scheduler.place(who)
        assert answer == place_plainly(fleet, who, found.seed)
        if isinstance(answer, Placed):
            fleet.take(answer.node, who.replica)


@settings(max_examples=300)
@given(WORLDS, st.integers(0, 8))
def test_without_a_node_that_does_not_matter_no_placement_gets_worse(found: World, which: int) -> None:
    """It matters if it was chosen, or a replica of the same workload stands there (its zone counts for the spread)."""
    for who in found.newcomers:
        answer = place_plainly(found.fleet(), who, found.seed)
        if not isinstance(answer, Placed):
            continue
        without = found.nodes[which % len(found.nodes)].name
        siblings = {name for name, one in found.standing if one.workload == who.replica.workload}
        if without == answer.node or without in siblings:
            continue
        nodes = [one for one in found.nodes if one.name != without]
        standing = [(name, one) for name, one in found.standing if name != without]
        left = place_plainly(Fleet(nodes, standing, found.weights, image_rule), who, found.seed)
        assert isinstance(left, Placed)
        assert left.total >= answer.total
        if not who.replica.demand.spread and not who.replica.demand.volumes:
            assert left == answer


@settings(max_examples=300)
@given(st.integers(0, 1 << 40))
def test_room_is_made_by_lower_priorities_alone_and_by_nobody_needlessly(number: int) -> None:
    draw = Random(number)
    count = draw.randint(1, 40)
    nodes = [node(f"n{at}", cpu_millicores=4_000) for at in range(3)]
    standing = [
        (
            draw.choice(nodes).name,
            replica(f"w{draw.randrange(4)}", at, priority=draw.randrange(6), protected=not draw.randrange(9),
                    cpu_millicores=draw.choice((50, 100, 400)), memory_kib=1 << 18),
        )
        for at in range(count)
    ]  # fmt: skip
    who = newcomer(
        "w0", 99, priority=draw.randrange(1, 6), preempts=True, cpu_millicores=draw.choice((3_000, 3_900, 4_000))
    )
    weights = world(number).weights
    fleet = Fleet(nodes, standing, weights, image_rule)
    if isinstance(place_plainly(fleet, who, SEED), Placed):
        return
    made = preempt(fleet, who)
    if made is None:
        return
    assert all(victim.demand.priority < who.replica.demand.priority for victim in made.victims)
    assert not any(victim.protected or victim.workload == "w0" for victim in made.victims)
    for spared in (None, *made.victims):
        gone = [victim for victim in made.victims if victim is not spared]
        left = [(name, one) for name, one in standing if one not in gone]
        only = [one for one in nodes if one.name == made.node]
        answer = place_plainly(
            Fleet(only, [(n, one) for n, one in left if n == made.node], weights, image_rule), who, SEED
        )
        assert isinstance(answer, Placed) == (spared is None)


@given(
    st.lists(st.tuples(st.integers(0, 1_000), st.integers(0, 60_000), st.booleans()), min_size=1, max_size=40),
    st.integers(1, 5),
    st.integers(100, 2_000),
)
def test_nobody_starves(arrivals: list[tuple[int, int, bool]], tries: int, block_ms: int) -> None:
    """Each is tried for the first time no later than the bound of PLACE-36: before a turn come only the trials of those
    whose turn is earlier, and each of these costs one second a trial."""
    turns = {str(at): turn(priority, since, 0, str(at), 0, 1)[0] for at, (priority, since, _) in enumerate(arrivals)}
    waiting = {str(at): (priority, since, 0) for at, (priority, since, _) in enumerate(arrivals)}
    hopeless = {str(at) for at, (_, _, never) in enumerate(arrivals) if never}
    first: dict[str, int] = {}
    trials = 0
    now_ms = 0
    while len(first) < len(arrivals):
        here = [name for name in waiting if waiting[name][1] <= now_ms]
        for name in sorted(here, key=lambda one: turn(*waiting[one], one, 0, 1))[:tries]:
            ahead = [other for other in turns if other != name and turns[other] <= turns[name]]
            if name not in first:
                trials_ahead = sum((turns[name] - turns[other]) // VAIN_MS + 1 for other in ahead)
                came_ms = waiting[name][1]
                first[name] = now_ms
                bound = came_ms + (trials_ahead // tries + 2) * block_ms
                assert now_ms <= bound, (name, now_ms, bound)
            priority, since, vain = waiting[name]
            if name in hopeless:
                waiting[name] = priority, since, vain + 1
            else:
                del waiting[name]
            trials += 1
        now_ms += block_ms
        assert trials < 1_000_000


@given(st.integers(0, 1_000), st.integers(0, 1_000), st.integers(0, 1 << 40), st.integers(0, 1 << 40))
def test_of_equal_priorities_who_came_first_is_first_and_points_are_seconds(
    priority: int, other: int, since: int, later: int
) -> None:
    assert (turn(priority, since, 0, "a", 0, 1) < turn(priority, later, 0, "b", 0, 1)) == (since <= later)
    if since == later and priority != other:
        assert (turn(priority, since, 0, "b", 0, 1) < turn(other, later, 0, "a", 0, 1)) == (priority > other)
    gained = turn(priority, since, 0, "a", 0, 1)[0] - turn(other, since, 0, "a", 0, 1)[0]
    assert gained == POINT_MS * (other - priority)
