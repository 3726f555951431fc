"""Schedules: the same seed is the same schedule, what is written is read back, and the bound is kept."""

from functools import cache

import pytest
from tests.faults.schedule import RECOVERY_MS, Fault, Kind, Schedule, decode
from tests.faults.schedule import draw as drawing

SEEDS = range(100)
draw = cache(drawing)


def test_a_seed_is_one_schedule_and_its_line_is_that_schedule():
    for seed in SEEDS:
        schedule = draw(seed)
        assert drawing(seed) == schedule
        assert decode(schedule.encoded()) == schedule


def test_every_kind_of_fault_is_drawn_alone_and_for_several():
    drawn = [fault for seed in SEEDS for fault in draw(seed).faults]
    assert {fault.kind for fault in drawn} == set(Kind)
    assert {fault.kind for fault in drawn if len(fault.targets) > 1} == set(Kind)
    assert {schedule.count for schedule in map(draw, SEEDS)} == {4, 5, 7}


def test_two_of_three_schedules_demand_progress_all_the_time_and_the_others_hurt_more_than_f():
    schedules = [draw(seed) for seed in SEEDS]
    always = [schedule for schedule in schedules if schedule.demanded() == [(0, schedule.span_ms)]]
    assert len(SEEDS) * 0.55 < len(always) < len(SEEDS) * 0.8
    assert any(
        len(schedule.faulty(fault.begin_ms)) == schedule.count for schedule in schedules for fault in schedule.faults
    )


def test_no_organ_of_a_node_is_hurt_twice_at_a_time():
    for seed in SEEDS:
        faults = draw(seed).faults
        assert not any(one.meets(other) for one in faults for other in faults if one is not other)


def test_links_belong_to_both_ends_and_organs_to_one_node():
    cut, loss = Fault(Kind.CUT, (0,), 0, 10), Fault(Kind.LOSS, (1,), 5, 10, 20)
    assert cut.meets(loss)
    assert not cut.meets(Fault(Kind.LOSS, (1,), 10, 20, 20)), "one begins when the other has ended"
    assert not cut.meets(Fault(Kind.KILL, (0,), 5, 10)), "another organ"
    assert not Fault(Kind.KILL, (1,), 5, 10).meets(Fault(Kind.PAUSE, (0,), 5, 10)), "another node"
    assert Fault(Kind.KILL, (0, 1), 5, 10).meets(Fault(Kind.PAUSE, (1, 2), 5, 10))


def test_progress_is_demanded_where_at_most_f_ail_or_recover():
    one, other = Fault(Kind.PAUSE, (0,), 1_000, 2_000), Fault(Kind.KILL, (1,), 4_000, 5_000)
    assert Schedule(4, 30_000, (one,)).demanded() == [(0, 30_000)]
    both = Schedule(4, 30_000, (one, other))
    assert both.faulty(2_000 + RECOVERY_MS - 1) == {0, 1}
    assert both.demanded() == [(0, 4_000), (2_000 + RECOVERY_MS, 30_000)]
    assert Schedule(7, 30_000, (one, other)).demanded() == [(0, 30_000)]


def test_a_stepped_clock_ails_as_much_longer_as_it_was_stepped():
    fault = Fault(Kind.CLOCK, (0,), 1_000, 2_000, -4_000)
    assert fault.recovered_ms == 2_000 + RECOVERY_MS + 4_000


@pytest.mark.parametrize(
    "line",
    [
        "v2 n=4 ms=9000",
        "v1 4 9000",
        "v1 n=4 ms=9000 kill:0@5-1",
        "v1 n=4 ms=9000 kill:4@1-5",
        "v1 n=4 ms=9000 melt:0@1-5",
        "v1 n=4 ms=9000 kill:@1-5",
    ],
)
def test_a_line_that_is_no_schedule_is_refused(line):
    with pytest.raises(ValueError, match=r"not|melt"):
        decode(line)
