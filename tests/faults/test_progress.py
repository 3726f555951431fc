"""Progress is demanded where at most f are faulty, and nowhere else."""

from tests.faults.progress import PATIENCE_S, longest_wait
from tests.faults.schedule import RECOVERY_MS, Fault, Kind, Schedule

SPAN_S = 40
PAUSED = Fault(Kind.PAUSE, (0,), 5_000, 10_000)
TWO_PAUSED = Fault(Kind.PAUSE, (0, 1), 5_000, 25_000)


def schedule(*faults):
    return Schedule(4, SPAN_S * 1_000, faults)


def test_new_heights_in_time_are_progress_whoever_is_faulty():
    heights = [(float(second), second) for second in range(SPAN_S)]
    assert longest_wait(heights, schedule(PAUSED)) == (1.0, [])


def test_the_same_height_told_again_and_again_is_none():
    wait, stalls = longest_wait([(1.0, 5), (8.0, 5), (16.0, 4), (30.0, 6)], schedule(PAUSED))
    assert wait == 29.0
    assert len(stalls) == 1
    assert stalls[0].startswith("progress: no new height for 29.0 s")


def test_a_chain_that_stands_still_while_more_than_f_are_faulty_is_excused_until_they_are_well():
    well = 25.0 + RECOVERY_MS / 1_000
    heights = [(1.0, 1), (4.0, 2), (well + 1, 3), (well + 9, 4)]
    assert longest_wait(heights, schedule(TWO_PAUSED)) == (8.0, [])
    late = [(1.0, 1), (4.0, 2)]
    assert longest_wait(late, schedule(TWO_PAUSED))[0] == SPAN_S - well
    assert longest_wait(late, schedule(PAUSED))[1]


def test_silence_to_the_end_counts():
    wait, stalls = longest_wait([], schedule())
    assert wait == SPAN_S > PATIENCE_S
    assert stalls
