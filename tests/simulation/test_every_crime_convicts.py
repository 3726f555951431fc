"""Every crime convicts: a liar commits one kind after the other, the honest find it while they vote, tell each other, a
block carries the proof, and the seat is gone. Two blocks for one round and unjustified proposals have storms of their
own; nobody else is ever named (SAFETY)."""

from collections.abc import Iterator

import pytest
from tests.simulation.plan import Plan, convicted

from metanode.records.block import FINAL_BLOCKS
from metanode.sim.byzantine.perjurer import LateDenier, Lunatic, TwoValues
from metanode.sim.checkers import Scene
from metanode.sim.storm import Storm

LIAR = 1


def kinds(scene: Scene) -> set[str]:
    """The kinds of evidence in blocks."""
    bodies = [FINAL_BLOCKS.decode(b).body for room in scene.honest for b in room.disk.archive.blocks.values()]
    return {str(evidence.__struct_config__.tag) for body in bodies for evidence in body.evidence}


def jailed(scene: Scene) -> Iterator[str]:
    """It is convicted everywhere, and has no seat any more."""
    yield from convicted(scene)
    for room in scene.honest:
        names = [validator.name for validator in room.node._desk.tip.validators.validators]
        if f"validator-{LIAR}" in names:
            yield f"it still sits, says node {room.index}"


def plan(crime: str, liar: object, seeds: dict[int, int]) -> Plan:
    name = f"every_crime_convicts_{crime}"
    return Plan(
        name=name,
        storm=lambda _, __: Storm(name, delay_max_ms=40, heals_ms=4_000, bound_ms=8_000),
        seeds=seeds,
        liars=(LIAR,),
        liar=liar,  # type: ignore[arg-type]
        also=jailed,
    )


PLANS = {
    "two values": (plan("two_values", TwoValues, {4: 2, 7: 1}), {"conflicting-votes"}),
    "denied commits": (plan("denied_commits", LateDenier, {4: 2, 7: 1}), {"amnesia", "contradicted-commit"}),
    "a header from elsewhere": (plan("lunatic", Lunatic, {4: 2, 7: 1}), {"lunatic-header"}),
}


@pytest.mark.parametrize(
    ("crime", "count", "seed"), [(name, *case) for name, (one, _) in PLANS.items() for case in one.cases()]
)
def test_it_is_found_told_carried_and_acted_on(crime, count, seed):
    one, expected = PLANS[crime]
    ending = one.play(count, seed)
    found = kinds(ending.scene)
    assert found
    assert found <= expected
