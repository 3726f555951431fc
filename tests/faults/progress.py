"""Whether there was progress where it may be demanded. Pure."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from tests.faults.schedule import Schedule

PATIENCE_S: Final = 10.0
"""While at most f validators are faulty, a new height is heard within this time. Two leaders in a row that are dead or
slow cost some three seconds; the rest is for a machine that does something else besides."""


def longest_wait(heights: Iterable[tuple[float, int]], schedule: Schedule) -> tuple[float, list[str]]:
    """The longest time, in seconds, in which nobody told of a new height though at most f were faulty, and what of it
    is more than may be. `heights`: when which was told, in the order of the times, from the schedule's beginning."""
    highest, rises = 0, list[float]()
    for at, height in heights:
        if height > highest:
            highest = height
            rises.append(at)
    longest, stalls = 0.0, list[str]()
    for begin_ms, end_ms in schedule.demanded():
        begin, end = begin_ms / 1000, end_ms / 1000
        marks = [begin, *(at for at in rises if begin <= at < end), end]
        wait = max(later - earlier for earlier, later in pairwise(marks))
        longest = max(longest, wait)
        if wait > PATIENCE_S:
            stalls.append(
                f"progress: no new height for {wait:.1f} s between {begin:.1f} and {end:.1f} s, where at most "
                f"{schedule.bearable} of {schedule.count} are faulty; {PATIENCE_S:.0f} s are allowed"
            )
    return longest, stalls
