"""Each score by itself, in basis points, and what wins when it alone counts."""

from typing import Any

import pytest
from tests.unit.docklock.scheduler.samples import IMAGES, SEED, fleet, newcomer, node, replica

from metanode.docklock.scheduler import Fleet, Newcomer, Placed, Scheduler, place_plainly, why
from metanode.primitives.refusal import Rejected
from metanode.records.demand import DemandRefusal, Spread, Taint, Toleration
from metanode.records.placement import Weights, check_weights

NOTHING: dict[str, Any] = dict.fromkeys(Weights.__struct_fields__[1:], 0)


def points(found: Fleet, who: Newcomer, rule: int) -> dict[str, int]:
    """By node."""
    return {one.node: one.scores[rule - 25].points for one in why(found, who, SEED).nodes}


def alone(name: str, strategy: str = "spread") -> Weights:
    return Weights(strategy=strategy, **{**NOTHING, name: 1})


def best(found: Fleet, who: Newcomer) -> str:
    answer = Scheduler(found, SEED).place(who)
    assert answer == place_plainly(found, who, SEED)
    assert isinstance(answer, Placed)
    return answer.node


HALF_FULL = [("a", replica("db", cpu_millicores=2_000, memory_kib=4 << 20))]


def test_binpack_fills_and_spread_empties() -> None:
    for strategy, winner, expected in (
        ("binpack", "a", {"a": (7_500 + 6_250) // 2, "b": (2_500 + 1_250) // 2}),
        ("spread", "b", {"a": (10_000 - 6_875 + 10_000) // 2, "b": (10_000 - 1_875 + 10_000) // 2}),
    ):
        found = fleet(node("a"), node("b"), standing=HALF_FULL, weights=alone("fill", strategy))
        assert points(found, newcomer(), 25) == expected
        assert best(found, newcomer()) == winner
    found = fleet(node("a"), node("b"), standing=HALF_FULL, weights=alone("fill", "binpack"))
    assert best(found, newcomer(strategy="spread")) == "b", "a demand that names one"


def test_small_replicas_of_one_workload_are_kept_apart() -> None:
    small: dict[str, Any] = {"cpu_millicores": 1, "memory_kib": 1_024}
    found = fleet(node("a"), node("b"), node("c"), weights=alone("fill"))
    scheduler = Scheduler(found, SEED)
    nodes = set()
    for index in range(3):
        answer = scheduler.place(newcomer(index=index, **small))
        assert isinstance(answer, Placed)
        found.take(answer.node, replica(index=index, **small))
        nodes.add(answer.node)
    assert nodes == {"a", "b", "c"}
    assert points(found, newcomer(index=3, **small), 25)["a"] == (10_000 - 3 + 5_000) // 2


def test_balance() -> None:
    standing = [("a", replica("db", cpu_millicores=2_000, memory_kib=1 << 20))]
    found = fleet(node("a"), node("b"), standing=standing, weights=alone("balance"))
    assert points(found, newcomer(), 26) == {"a": 10_000 - (7_500 - 2_500), "b": 10_000 - (2_500 - 1_250)}
    assert best(found, newcomer()) == "b"


def test_affinity() -> None:
    standing = [("a", replica("db")), ("b", replica("db")), ("b", replica("api"))]
    found = fleet(node("a"), node("b"), node("c"), standing=standing, weights=alone("affinity"))
    wanted = newcomer(affinity=("api", "db", "work"))
    assert points(found, wanted, 27) == {"a": 3_333, "b": 6_666, "c": 0}
    assert best(found, wanted) == "b"
    assert points(found, newcomer(), 27) == {"a": 0, "b": 0, "c": 0}


def test_spread_over_a_label() -> None:
    nodes = [node("a", labels={"zone": "x"}), node("b", labels={"zone": "y"}), node("c")]
    standing = [("a", replica(index=1)), ("a", replica(index=2)), ("b", replica(index=3))]
    found = fleet(*nodes, standing=standing, weights=alone("spread"))
    even = newcomer(index=4, spread=(Spread(label="zone", skew_max=0),))
    assert points(found, even, 28) == {"a": 5_000, "b": 10_000, "c": 0}
    assert best(found, even) == "b"
    two = newcomer(index=4, spread=(Spread(label="rack", skew_max=0), Spread(label="zone", skew_max=0)))
    assert points(found, two, 28) == {"a": 2_500, "b": 5_000, "c": 0}, "the mean over all labels"
    again = newcomer(index=1, attempt=2, spread=(Spread(label="zone", skew_max=0),))
    assert points(found, again, 28) == {"a": 10_000, "b": 10_000, "c": 0}, "who is replaced does not count"


def test_the_image_is_there_already() -> None:
    found = fleet(node("a"), node("b", images=(IMAGES[0],)), weights=alone("image"))
    assert points(found, newcomer(image=IMAGES[0]), 29) == {"a": 0, "b": 10_000}
    assert best(found, newcomer(image=IMAGES[0])) == "b"
    assert points(found, newcomer(), 29) == {"a": 0, "b": 0}


@pytest.mark.parametrize("where", ["a", "b", "c"])
def test_it_stays_where_it_stood(where: str) -> None:
    found = fleet(node("a"), node("b"), node("c"), weights=alone("stay"))
    assert best(found, newcomer(stood=where)) == where
    assert points(found, newcomer(stood=where), 30) == {**dict.fromkeys("abc", 0), where: 10_000}
    assert best(found, newcomer(stood="gone")) in "abc"


def test_nodes_to_avoid() -> None:
    soft = tuple(Taint(key=key, value="", effect="avoid") for key in ("old", "slow"))
    found = fleet(node("a", taints=soft), node("b", taints=soft[:1]), node("c"), weights=alone("avoid"))
    assert points(found, newcomer(), 31) == {"a": 3_333, "b": 5_000, "c": 10_000}
    assert best(found, newcomer()) == "c"
    tolerant = newcomer(tolerations=(Toleration(key="old", value="", effect=""),))
    assert points(found, tolerant, 31) == {"a": 5_000, "b": 10_000, "c": 10_000}


def test_the_total_is_the_weighted_sum() -> None:
    weights = Weights(strategy="spread", fill=1, balance=2, affinity=3, spread=4, image=5, stay=6, avoid=7)
    found = fleet(node("a", images=(IMAGES[0],)), weights=weights)
    (told,) = why(found, newcomer(image=IMAGES[0], stood="a"), SEED).nodes
    assert [one.weight for one in told.scores] == [1, 2, 3, 4, 5, 6, 7]
    assert [one.rule for one in told.scores] == list(range(25, 32))
    assert told.total == sum(one.weight * one.points for one in told.scores)
    assert place_plainly(found, newcomer(image=IMAGES[0], stood="a"), SEED) == Placed("a", told.total)


def test_where_nothing_counts_the_digest_decides_before_and_after_changes() -> None:
    found = fleet(node("a"), node("b"), node("c"), weights=Weights(strategy="spread", **NOTHING))
    scheduler = Scheduler(found, SEED)
    for index in range(12):
        answer = scheduler.place(newcomer(index=index))
        assert answer == place_plainly(found, newcomer(index=index), SEED)
        assert isinstance(answer, Placed)
        assert answer.total == 0
        found.take(answer.node, replica(index=index))


def test_weights_have_a_range() -> None:
    check_weights(Weights())
    check_weights(Weights(strategy="binpack", **dict.fromkeys(NOTHING, 100)))
    for name in NOTHING:
        for value in (-1, 101):
            with pytest.raises(Rejected) as refused:
                check_weights(Weights(**{**NOTHING, name: value}))
            assert refused.value.reason is DemandRefusal.OUT_OF_RANGE
    for word in ("", "even"):
        with pytest.raises(Rejected) as refused:
            check_weights(Weights(strategy=word))
        assert refused.value.reason is DemandRefusal.UNKNOWN_WORD
