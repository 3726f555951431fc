"""In which order who waits is tried, and who must leave."""

from tests.unit.docklock.scheduler.samples import demand, fleet, newcomer, node, replica

from metanode.docklock.scheduler import Placed, Scheduler, must_leave, turn
from metanode.docklock.scheduler.waiting import POINT_MS, VAIN_MS
from metanode.records.demand import Taint, Toleration


def test_higher_priorities_first_then_who_waits_longest_then_by_name() -> None:
    waiting = [
        turn(9, 2_000, 0, "late", 0, 1),
        turn(5, 1_000, 0, "api", 0, 1),
        turn(5, 1_000, 0, "web", 0, 1),
        turn(5, 1_000, 0, "web", 1, 1),
        turn(5, 1_000, 0, "web", 1, 2),
        turn(5, 1_001, 0, "api", 0, 1),
        turn(0, 1_000, 0, "low", 0, 1),
    ]
    assert sorted([waiting[at] for at in (6, 3, 5, 0, 2, 4, 1)]) == waiting


def test_a_point_of_priority_is_a_second_of_waiting() -> None:
    patient, strong = turn(0, 0, 0, "a", 0, 1), 7
    assert (
        turn(strong, strong * POINT_MS - 1, 0, "b", 0, 1) < patient < turn(strong, strong * POINT_MS + 1, 0, "b", 0, 1)
    )


def test_a_trial_in_vain_sends_back() -> None:
    assert turn(0, 0, 1, "a", 0, 1) > turn(0, VAIN_MS - 1, 0, "b", 0, 1)
    assert turn(0, 0, 1, "a", 0, 1) < turn(0, VAIN_MS + 1, 0, "b", 0, 1)


def test_everybody_is_tried_before_long_whatever_comes_and_fails() -> None:
    """A block tries three. Five can never be placed; newcomers of the highest priority take two of the three trials of
    every block, for ever; one of the lowest priority waits all the while."""
    block_ms, tries = 500, 3
    highest = 20
    waiting: dict[str, tuple[int, int, int]] = {f"never-{number}": (highest, 0, 0) for number in range(5)}
    waiting["patient"] = (0, 0, 0)
    for block in range(400):
        now_ms = block * block_ms
        waiting |= {f"new-{block}-{number}": (highest, now_ms, 0) for number in range(2)}
        order = sorted(waiting, key=lambda name: turn(*waiting[name], name, 0, 1))
        for name in order[:tries]:
            priority, since_ms, vain = waiting[name]
            if name.startswith("never"):
                waiting[name] = priority, since_ms, vain + 1
            else:
                del waiting[name]
        if "patient" not in waiting:
            break
    assert "patient" not in waiting
    others = 2 * (highest * POINT_MS // block_ms + 1)  # those that came early enough
    vain = 5 * (highest * POINT_MS // VAIN_MS + 1)  # each until it stands behind
    assert block <= (others + vain) // tries + 1


def test_only_a_node_that_may_not_keep_it_loses_a_replica() -> None:
    hard, soft = (Taint(key="fire", value="", effect=effect) for effect in ("no-execute", "no-schedule"))
    assert must_leave(node("a"), demand()) == ""
    assert must_leave(node("a", barred="cordoned", taints=(soft,)), demand()) == ""
    assert must_leave(node("a", cpu_millicores=1, labels={"zone": "other"}), demand()) == ""
    assert must_leave(node("a", barred="draining", leaving=True), demand()) == "a is draining"
    assert must_leave(node("a", taints=(hard,)), demand()) == "a has the taint fire:no-execute"
    tolerant = demand(tolerations=(Toleration(key="fire", value="", effect=""),))
    assert must_leave(node("a", taints=(hard,)), tolerant) == ""


def test_what_stands_is_not_moved_by_a_newcomer() -> None:
    found = fleet(node("a"), node("b"), standing=[("a", replica(index=index)) for index in range(3)])
    before = [(place.view.name, sorted(place.standing)) for place in found.places]
    for index in range(3, 6):
        answer = Scheduler(found, bytes(32)).place(newcomer(index=index))
        assert isinstance(answer, Placed)
        assert [(place.view.name, sorted(place.standing)) for place in found.places] == before
