"""Two schedules against real validators under load; `make soak` draws others. What cannot be played here is said."""

import pytest
from tests.faults.kept import kept
from tests.faults.play import play
from tests.faults.schedule import Kind, draw

COUNT, SPAN_MS = 4, 12_000
SEEDS = (109, 20)
"""Chosen so that between them every kind of fault is played, one never beyond f and one beyond it."""


@pytest.mark.live
@pytest.mark.root
@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_told_stays_true_whatever_goes_wrong(seed, tmp_path):
    report = play(draw(seed, COUNT, SPAN_MS), tmp_path, seed)
    print(f"{report.schedule.table()}\nseed {seed}: {report.line()}")
    assert not report.broken, "\n".join([*report.broken, f"to repeat: {report.schedule.encoded()}"])
    if report.missing:
        pytest.skip("FAULTS NOT PLAYED: " + "; ".join(f"{organ}: {why}" for organ, why in report.missing.items()))


def test_the_two_have_every_kind_of_fault_between_them_and_both_tempers():
    schedules = [draw(seed, COUNT, SPAN_MS) for seed in SEEDS]
    assert {fault.kind for schedule in schedules for fault in schedule.faults} == set(Kind)
    assert [schedule.demanded() == [(0, SPAN_MS)] for schedule in schedules] == [True, False]


def test_every_kept_seed_is_still_a_schedule():
    for _, schedule in kept():
        assert schedule.faults
