"""Who makes room, and who never does."""

from typing import Any

import pytest
from tests.unit.docklock.scheduler.samples import fleet, newcomer, node, replica

from metanode.docklock.scheduler import Preempted, Replica, preempt
from metanode.docklock.scheduler.preemption import EXACT_MAX, VICTIMS_MAX
from metanode.records.demand import Constraint


def strong(index: int = 0, **changes):
    return newcomer("strong", index, **{"priority": 5, "preempts": True, "cpu_millicores": 4_000, **changes})


def named(made: Preempted | None) -> tuple[str, list[tuple[str, int]]] | None:
    if made is None:
        return None
    return (made.node, [(victim.workload, victim.index) for victim in made.victims])


def test_only_who_says_so_pushes() -> None:
    found = fleet(node("a"), standing=[("a", replica())])
    assert preempt(found, strong(preempts=False)) is None
    assert named(preempt(found, strong())) == ("a", [("web", 0)])


def test_only_strictly_lower_priorities_leave() -> None:
    for priority, leaves in ((4, True), (5, False), (6, False)):
        found = fleet(node("a"), standing=[("a", replica(priority=priority))])
        assert (preempt(found, strong()) is not None) == leaves


def test_a_replica_is_not_protected_unless_it_says_so() -> None:
    bare = Replica(workload="web", index=0, attempt=1, demand=replica().demand)
    assert named(preempt(fleet(node("a"), standing=[("a", bare)]), strong())) == ("a", [("web", 0)])


def test_neither_the_protected_nor_siblings_leave() -> None:
    assert preempt(fleet(node("a"), standing=[("a", replica(protected=True))]), strong()) is None
    assert preempt(fleet(node("a"), standing=[("a", replica("strong", 1))]), strong()) is None


def test_nobody_leaves_in_vain() -> None:
    found = fleet(node("a"), node("b", barred="lost"), standing=[("a", replica()), ("b", replica())])
    assert preempt(found, strong(cpu_millicores=4_001)) is None
    assert preempt(found, strong(constraints=(Constraint(label="zone", operator="exists", values=()),))) is None
    assert preempt(found, strong(refused=("a",))) is None
    one_there = fleet(node("a"), standing=[("a", replica()), ("a", replica("strong", 1, cpu_millicores=3_000))])
    assert preempt(one_there, strong(node_max=1, cpu_millicores=1_000)) is None


def test_the_least_sum_of_priorities_then_the_fewest_then_the_first_by_name() -> None:
    def of(*each: tuple[str, int, int]):
        return [("a", replica(name, cpu_millicores=cpu, priority=priority)) for name, priority, cpu in each]

    wanted = strong(cpu_millicores=2_000)
    cases = [
        ((("x", 3, 2_000), ("y", 1, 1_000), ("z", 1, 1_000)), ["y", "z"]),
        ((("x", 2, 2_000), ("y", 1, 1_000), ("z", 1, 1_000)), ["x"]),
        ((("x", 0, 1_000), ("y", 0, 2_000), ("z", 0, 1_000)), ["y"]),
        ((("z", 1, 2_000), ("y", 1, 2_000)), ["y"]),
    ]
    for each, expected in cases:
        made = preempt(fleet(node("a"), standing=of(*each)), wanted)
        assert made is not None
        assert [victim.workload for victim in made.victims] == expected


def test_of_all_nodes_the_one_where_least_is_lost() -> None:
    standing = [
        ("a", replica("x", cpu_millicores=4_000, priority=2)),
        ("b", replica("y", cpu_millicores=4_000, priority=1)),
        ("c", replica("w", cpu_millicores=4_000, priority=1)),
    ]
    assert named(preempt(fleet(node("a"), node("b"), node("c"), standing=standing), strong())) == ("c", [("w", 0)])


def test_who_has_the_port_or_refuses_must_go_in_any_case() -> None:
    standing = [("a", replica("x", ports=(80,), priority=4)), ("a", replica("y"))]
    found = fleet(node("a"), standing=standing)
    assert named(preempt(found, strong(cpu_millicores=100, ports=(80,)))) == ("a", [("x", 0)])
    assert named(preempt(found, strong(cpu_millicores=100, anti_affinity=("y",)))) == ("a", [("y", 0)])
    refusing = fleet(node("a"), standing=[("a", replica("z", anti_affinity=("strong",)))])
    assert named(preempt(refusing, strong(cpu_millicores=100))) == ("a", [("z", 0)])
    mighty = fleet(node("a"), standing=[("a", replica("x", ports=(80,), priority=5)), ("a", replica("y"))])
    assert preempt(mighty, strong(cpu_millicores=100, ports=(80,))) is None


def test_a_place_among_as_many_as_may_stand_there() -> None:
    standing = [("a", replica(index=index, priority=index, cpu_millicores=100)) for index in range(3)]
    found = fleet(node("a", standing_max=3), standing=standing)
    assert named(preempt(found, strong(cpu_millicores=100))) == ("a", [("web", 0)])


def test_where_many_could_go_the_lowest_and_largest_do_and_nobody_needlessly() -> None:
    sizes = [(0, 100), (0, 300), (1, 100), (1, 600), *((2, 200),) * (EXACT_MAX - 2)]
    standing = [
        ("a", replica("w", index, priority=priority, cpu_millicores=cpu, memory_kib=1_024))
        for index, (priority, cpu) in enumerate(sizes)
    ]
    found = fleet(node("a", cpu_millicores=sum(cpu for _, cpu in sizes)), standing=standing)
    made = preempt(found, strong(cpu_millicores=600))
    assert named(made) == ("a", [("w", 3)]), "0 and 1 went first, and came back when 3 was enough"
    made = preempt(found, strong(cpu_millicores=700))
    assert named(made) == ("a", [("w", 1), ("w", 3)]), "of those not needed who went last stays first"


@pytest.mark.parametrize(("count", "expected"), [(EXACT_MAX, [0, 3]), (EXACT_MAX + 1, [2, 3])])
def test_every_set_is_weighed_up_to_twelve_possible_victims(count: int, expected: list[int]) -> None:
    """With more of them they go in order, the largest first: 500 and 400 make 800 just as well as 300 and 500."""
    sizes = [(1, 300), (1, 300), (1, 400), (1, 500), (1, 200), *[(4, 50)] * (count - 5)]
    standing = [
        ("a", replica("w", index, priority=priority, cpu_millicores=cpu, memory_kib=1_024))
        for index, (priority, cpu) in enumerate(sizes)
    ]
    found = fleet(node("a", cpu_millicores=sum(cpu for _, cpu in sizes)), standing=standing)
    made = preempt(found, strong(cpu_millicores=800))
    assert made is not None
    assert [victim.index for victim in made.victims] == expected


@pytest.mark.parametrize("count", [2, EXACT_MAX + 1])
@pytest.mark.parametrize("kind", ["cpu_millicores", "memory_kib"])
def test_a_set_that_lacks_one_unit_is_not_enough(kind: str, count: int) -> None:
    each: dict[str, Any] = {"cpu_millicores": 100, "memory_kib": 2_048}
    standing = [("a", replica("w", index, **each)) for index in range(count)]
    found = fleet(node("a", **{name: size * count for name, size in each.items()}), standing=standing)
    for more, victims in ((0, 1), (1, 2)):
        made = preempt(found, strong(**{**each, kind: each[kind] + more}))
        assert made is not None
        assert len(made.victims) == victims


def test_a_node_where_somebody_must_go_is_weighed_with_him() -> None:
    """On both three leave; on a the one with the port has priority 0, on b 1."""
    standing = [
        ("a", replica("port", priority=0, ports=(80,), cpu_millicores=100)),
        *(("a", replica("a", index, priority=1, cpu_millicores=1_950)) for index in range(2)),
        *(("b", replica("b", index, priority=1, cpu_millicores=1_950)) for index in range(2)),
        ("b", replica("c", priority=1, ports=(80,), cpu_millicores=100)),
    ]
    for names in (("a", "b"), ("x", "y")):
        homes = dict(zip("ab", names, strict=True))
        found = fleet(*map(node, names), standing=[(homes[name], one) for name, one in standing])
        made = preempt(found, strong(ports=(80,)))
        assert named(made) == (names[0], [("a", 0), ("a", 1), ("port", 0)])


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_of_equal_sums_and_numbers_the_first_by_name_on_whatever_node(names: tuple[str, str]) -> None:
    """Whoever must go costs the same on both nodes; of the others the name decides, not which node is seen first."""
    first, second = names
    standing = [
        (first, replica("port", 1, priority=4, ports=(80,), cpu_millicores=100)),
        (first, replica("late", priority=1, cpu_millicores=3_900)),
        (second, replica("port", 2, priority=4, ports=(80,), cpu_millicores=100)),
        (second, replica("early", priority=1, cpu_millicores=3_900)),
    ]
    made = preempt(fleet(node("a"), node("b"), standing=standing), strong(ports=(80,)))
    assert named(made) == (second, [("early", 0), ("port", 2)])


def test_no_more_victims_than_a_receipt_can_name() -> None:
    for count, expected in ((VICTIMS_MAX, VICTIMS_MAX), (VICTIMS_MAX + 1, 0)):
        standing = [("a", replica("w", index, cpu_millicores=100)) for index in range(count)]
        found = fleet(node("a", cpu_millicores=100 * count), standing=standing)
        made = preempt(found, strong(cpu_millicores=100 * count))
        assert len(made.victims if made else ()) == expected
        ports = [("a", replica("w", index, cpu_millicores=1, anti_affinity=("strong",))) for index in range(count)]
        made = preempt(fleet(node("a"), standing=ports), strong(cpu_millicores=100))
        assert len(made.victims if made else ()) == expected
