"""Real signatures: BLS12-381 instead of stand-ins, and f seats that forge shares, two of them with errors that cancel
out where there are two."""

import pytest
from tests.simulation.plan import Plan, named

from metanode.chain.ibft import IbftRefusal
from metanode.sim.byzantine.share_forger import ShareForger
from metanode.sim.seals import RealSeals
from metanode.sim.storm import Storm

PLAN = Plan(
    name="real_signatures",
    storm=lambda _, __: Storm("real_signatures", delay_max_ms=20, heals_ms=2_000, bound_ms=8_000),
    seeds={4: 1, 5: 1, 6: 1, 7: 1, 10: 1},
    most=True,
    liar=ShareForger,
    seals=RealSeals,
    also=named(IbftRefusal.BAD_SHARE),
    every_ms=150,
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_certificates_verify_with_the_real_arithmetic(count, seed):
    PLAN.play(count, seed)
