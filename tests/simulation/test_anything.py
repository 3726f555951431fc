"""A liar whose every choice is Hypothesis's: what breaks the others is found, and then made as short as it can be."""

from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metanode.primitives.bitmap import faults
from metanode.sim.acts import PARAMETERS, Play, perform
from metanode.sim.byzantine.anything import Anything
from metanode.sim.machine_room import MachineRoom
from metanode.sim.storm import Storm

STAYING = msgspec.structs.replace(PARAMETERS, validators_min=4)
"""Who is convicted stays where the set would be too small."""


def play(count: int, seed: int, choices: bytes) -> None:
    """Both acts; when all choices are made the liars tell the truth."""
    left = iter(choices)

    def room(*arguments: Any) -> MachineRoom:
        liar = Anything(*arguments)
        liar.draw = lambda below: next(left, 0) % below
        return liar

    storm = Storm("anything", slow_ppm=60_000, slow_ms=700, heals_ms=1_500, bound_ms=10_000)
    liars = tuple(range(1, 1 + faults(count)))
    perform(Play(lambda _: storm, count, seed, STAYING, liars=liars, room_of_liar=room))


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 1_000), st.binary(max_size=600))
def test_whatever_one_of_four_says(seed: int, choices: bytes) -> None:
    play(4, seed, choices)


@settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 1_000), st.binary(max_size=2_000))
def test_whatever_two_of_seven_say(seed: int, choices: bytes) -> None:
    play(7, seed, choices)
