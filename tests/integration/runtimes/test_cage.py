"""Deterministic jobs: the same job gives the same witness, whatever the machine does meanwhile, and nothing goes round
the cage."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.runtimes.stand import Stand, require

from metanode.host.runtimes.caging import Cage
from metanode.host.runtimes.driver import ContainerState
from metanode.host.runtimes.plan import ContainerPlan
from metanode.host.runtimes.shim_driver import ShimDriver

pytestmark = pytest.mark.live

SIGHTS = Path(__file__).with_name("sights.py").read_text()
SEED = bytes(range(32))


@pytest.fixture(scope="module", params=("sandbox", "sandbox-as-nobody"))
def caged(request: pytest.FixtureRequest) -> Iterator[Stand]:
    """Only the sandbox has a cage."""
    require(request.param)
    with tempfile.TemporaryDirectory(prefix="mncg-") as folder:
        stand = Stand(request.param, Path(folder))
        yield stand
        stand.end()
        assert stand.left(with_its_own=True) == []


def job(stand: Stand, program: str, *, seed: bytes = SEED, **fields: Any) -> ContainerPlan:
    """A deterministic job of the machine's Python."""
    outputs = fields.pop("outputs", ())
    cage = Cage(seed, fields.pop("inputs", ()), outputs)
    return stand.plan("/usr/bin/python3", "-I", "-S", "-c", program, cage=cage, **fields)


def ran(stand: Stand, plan: ContainerPlan) -> tuple[ContainerState, bytes, bytes]:
    """To its end."""

    async def play(driver: ShimDriver) -> tuple[ContainerState, bytes, bytes]:
        return await stand.run(driver, plan)

    found: tuple[ContainerState, bytes, bytes] = stand.play(play)
    return found


def seen(state: ContainerState) -> tuple[object, ...]:
    """Everything of a run that is to be the same in another."""
    assert state.witness is not None
    assert state.exit is not None
    one = state.witness
    return state.exit.code, state.exit.signal, one.count, one.chain, one.streams, one.left


def test_the_same_job_sees_and_says_the_same_twice(caged: Stand) -> None:
    plans = [job(caged, SIGHTS, outputs=("/tmp/result", "/tmp/none")) for _ in range(2)]
    (first, out, err), (second, again, _) = (ran(caged, plan) for plan in plans)
    assert first.exit is not None
    assert (first.exit.code, err) == (0, b"")
    assert again.decode().splitlines() == out.decode().splitlines()
    assert seen(first) == seen(second)
    assert first.witness is not None
    assert [(one.path, one.size > 0) for one in first.witness.left] == [("/tmp/result", True), ("/tmp/none", False)]


def test_root_and_nobody_see_the_same(tmp_path: Path) -> None:
    require("crun")  # root
    told = []
    for engine in ("sandbox", "sandbox-as-nobody"):
        with tempfile.TemporaryDirectory(prefix="mncg-") as folder:
            stand = Stand(engine, Path(folder))
            state, out, _ = ran(stand, job(stand, SIGHTS, outputs=("/tmp/result",)))
            told.append((out.decode().splitlines(), seen(state)))
            stand.end()
    assert told[0][0] == told[1][0]
    assert told[0][1] == told[1][1]
