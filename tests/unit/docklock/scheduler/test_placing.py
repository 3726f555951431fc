"""The index gives what the definition gives, tie by tie, change by change; and so does whoever reads only the rules."""

from collections import Counter
from hashlib import sha256
from random import Random

import pytest
from tests.unit.docklock.scheduler.brute import Brute
from tests.unit.docklock.scheduler.samples import (
    BANNED,
    SEED,
    SPEC,
    VALUES,
    demand,
    fleet,
    identity,
    newcomer,
    node,
    replica,
    world,
)

from metanode.docklock.scheduler import (
    Fleet,
    Newcomer,
    NodeView,
    Placed,
    Replica,
    Scheduler,
    Unplaced,
    place_plainly,
    preempt,
)
from metanode.docklock.scheduler.scheduling import INDICES_MAX
from metanode.records.demand import Spread
from metanode.records.placement import Reason


def test_a_tie_goes_to_the_smallest_digest_of_seed_specification_index_and_node() -> None:
    names = [f"n{number}" for number in range(20)]
    scheduler = Scheduler(fleet(*map(node, names)), SEED)
    chosen = []
    for index in range(12):
        prefix = b"metanode.plctie1" + SEED + SPEC + bytes([0, 0, 0, index])
        first = min(names, key=lambda name: sha256(prefix + identity(name)).digest())
        answer = scheduler.place(newcomer(index=index))
        assert isinstance(answer, Placed)
        assert answer.node == first
        chosen.append(first)
    assert len(set(chosen)) > 6, "no node is everybody's favourite"


def home(found: Fleet, who: Newcomer, seed: bytes) -> str:
    answer = place_plainly(found, who, seed)
    assert isinstance(answer, Placed)
    return answer.node


def test_another_seed_or_specification_prefers_other_nodes() -> None:
    found = fleet(*(node(f"n{number}") for number in range(50)))
    seeds = [sha256(bytes([number])).digest() for number in range(8)]
    assert len({home(found, newcomer(), seed) for seed in seeds}) > 4
    others = [Newcomer(replica=replica(), spec=seed) for seed in seeds]
    assert len({home(found, other, SEED) for other in others}) > 4


def test_the_order_in_which_nodes_and_replicas_are_listed_does_not_matter() -> None:
    for number in range(40):
        first = world(number)
        plain = [place_plainly(first.fleet(), one, first.seed) for one in first.newcomers]
        Random(number).shuffle(first.nodes)
        first.standing.reverse()
        assert [Scheduler(first.fleet(), first.seed).place(one) for one in first.newcomers] == plain


def test_who_was_placed_stands_for_all_who_come_after_it() -> None:
    found = fleet(node("a"), node("b"))
    scheduler = Scheduler(found, SEED)
    for index in range(8):
        answer = scheduler.place(newcomer(index=index))
        assert isinstance(answer, Placed)
        found.take(answer.node, replica(index=index))
    assert scheduler.place(newcomer(index=8)) == Unplaced((Reason(rule=19, nodes=2),))
    found.release("a", replica(index=next(one.index for one in found.by_name["a"].standing.values())))
    assert isinstance(scheduler.place(newcomer(index=8)), Placed)


def test_nothing_fits_on_no_nodes() -> None:
    assert Scheduler(fleet(), SEED).place(newcomer()) == place_plainly(fleet(), newcomer(), SEED) == Unplaced(())


def test_a_node_twice_is_our_mistake() -> None:
    with pytest.raises(AssertionError, match="a node stands here twice"):
        fleet(node("a"), node("a"))
    with pytest.raises(AssertionError, match="stands on a already"):
        fleet(node("a"), standing=[("a", replica()), ("a", replica())])


def test_the_index_is_forgotten_when_too_many_others_came_and_nothing_changes_by_that() -> None:
    found = fleet(node("a"), node("b"))
    scheduler = Scheduler(found, SEED)
    for number in range(2 * INDICES_MAX):
        who = newcomer(f"w{number}", cpu_millicores=100)
        assert scheduler.place(who) == place_plainly(found, who, SEED)
    assert len(scheduler._indices) == INDICES_MAX
    assert scheduler.place(newcomer("w0", cpu_millicores=100)) == place_plainly(
        found, newcomer("w0", cpu_millicores=100), SEED
    )


def run(number: int, found: Fleet, brute: Brute, row: list[Newcomer], seed: bytes) -> Counter[str]:
    """Place, make room, let some go; compare three ways at each step. How many were placed, how many needed room, how
    many nodes were too uneven for somebody, and how many of those who needed room had to stay even."""
    draw = Random(number)
    scheduler = Scheduler(found, seed)
    met: Counter[str] = Counter()
    for who in row:
        even = any(spread.skew_max for spread in who.replica.demand.spread)
        answer = scheduler.place(who)
        assert answer == place_plainly(found, who, seed), (number, who.replica.name)
        judged = brute.place(who, seed)
        if isinstance(answer, Placed):
            assert judged == (answer.node, answer.total), (number, who.replica.name)
            met["placed"] += 1
            where = answer.node
        else:
            assert judged == {reason.rule: reason.nodes for reason in answer.reasons}, (number, who.replica.name)
            met["uneven"] += sum(reason.nodes for reason in answer.reasons if reason.rule == 23)
            made = preempt(found, who)
            named = made and (made.node, [victim.name for victim in made.victims])
            assert named == brute.preempt(who), (number, who.replica.name)
            if made is None:
                continue
            met["made room"] += 1
            met["made room, even"] += even
            where = made.node
            for victim in made.victims:
                found.release(where, victim)
                brute.standing.remove((where, victim))
        found.take(where, who.replica)
        brute.add(where, who.replica)
        if not draw.randrange(3):
            name, leaves = draw.choice(brute.standing)
            found.release(name, leaves)
            brute.standing.remove((name, leaves))
    return met


def test_thousands_of_small_clusters_are_judged_alike_by_who_knows_only_the_rules() -> None:
    """A differential test: index, definition, and the second scheduler of brute.py."""
    met: Counter[str] = Counter()
    for number in range(1_500):
        found = world(number)
        brute = Brute(found.nodes, found.standing, found.weights, BANNED)
        met += run(number, found.fleet(), brute, found.newcomers, found.seed)
    assert met["placed"] > 1_500
    assert met["made room"] > 100
    assert met["uneven"] > 100
    assert met["made room, even"] >= 30


def full(number: int) -> tuple[list[NodeView], list[tuple[str, Replica]], list[Newcomer]]:
    """Few nodes, full of replicas of many sizes and priorities; newcomers that push."""
    draw = Random(number)
    nodes = [
        node(name, cpu_millicores=4_000, memory_kib=16_384, standing_max=draw.choice((4, 9)), labels={"zone": name})
        for name in "ab"
    ]
    even = (Spread(label="zone", skew_max=1),) if draw.randrange(3) == 0 else ()
    standing = [
        (
            draw.choice("ab"),
            replica(
                f"w{draw.randrange(3)}", at, draw.randrange(3), protected=not draw.randrange(9),
                cpu_millicores=draw.choice((100, 400, 700, 1_300)), memory_kib=1_024 * draw.randrange(1, 5),
                priority=draw.randrange(4), ports=(80,) if not draw.randrange(5) else (),
                anti_affinity=("strong",) if not draw.randrange(9) else (),
            ),
        )
        for at in range(draw.randint(8, 14))
    ]  # fmt: skip
    row = [
        newcomer(
            "strong", index, priority=draw.randrange(1, 6), preempts=True,
            cpu_millicores=draw.choice((1_000, 2_500, 4_000)), memory_kib=1_024 * draw.randrange(1, 12),
            ports=(80,) if draw.randrange(2) else (),
            anti_affinity=("w1",) if not draw.randrange(5) else (), node_max=draw.choice((0, 1)), spread=even,
        )
        for index in range(3)
    ]  # fmt: skip
    return nodes, standing, row


def test_hundreds_of_full_nodes_are_cleared_alike() -> None:
    met: Counter[str] = Counter()
    for number in range(250):
        nodes, standing, row = full(number)
        found = fleet(*nodes, standing=standing)
        met += run(number, found, Brute(nodes, standing, found.weights, BANNED), row, SEED)
    assert met["made room"] > 200
    assert met["made room, even"] > 50


def test_an_index_that_lives_long_keeps_step_with_every_change() -> None:
    """Forty nodes, hundreds of arrivals and departures, one index a workload all the while."""
    draw = Random(4)
    nodes = [
        node(f"n{number}", labels={"zone": draw.choice(VALUES), "rack": f"r{number % 7}"}, cpu_millicores=2_000)
        for number in range(40)
    ]
    found = fleet(*nodes)
    scheduler = Scheduler(found, SEED)
    asked = {
        "web": demand(cpu_millicores=300, spread=(Spread(label="zone", skew_max=1),), node_max=2),
        "db": demand(cpu_millicores=500, anti_affinity=("db",), ports=(5_432,)),
        "work": demand(cpu_millicores=200, strategy="binpack", affinity=("db",)),
        "api": demand(cpu_millicores=250, spread=(Spread(label="rack", skew_max=2), Spread(label="zone", skew_max=0))),
    }
    standing: list[tuple[str, Replica]] = []
    outcomes = set()
    for step in range(600):
        workload = draw.choice(sorted(asked))
        who = Newcomer(
            replica=Replica(workload=workload, index=draw.randrange(60), attempt=step, demand=asked[workload]),
            spec=SPEC,
            stood=draw.choice(("", "n1", "n2")),
            refused=draw.choice(((), (), ("n3", "n4"))),
        )
        answer = scheduler.place(who)
        assert answer == place_plainly(found, who, SEED), step
        outcomes.add(type(answer))
        if isinstance(answer, Placed):
            found.take(answer.node, who.replica)
            standing.append((answer.node, who.replica))
        while standing and draw.randrange(100) < 40:
            found.release(*standing.pop(draw.randrange(len(standing))))
    assert outcomes == {Placed, Unplaced}
