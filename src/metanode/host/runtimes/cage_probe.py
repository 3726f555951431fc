"""Whether deterministic jobs run here, tried in earnest, and what of the machine they still see."""

import asyncio
import contextlib
import platform
import secrets
from typing import Final

from metanode.host.runtimes.caging import ARCHITECTURE, SEED_BYTES, Cage
from metanode.host.runtimes.driver import ContainerState, Driver
from metanode.host.runtimes.plan import HOST_USR, ContainerPlan, Limits
from metanode.host.runtimes.states import Phase
from metanode.primitives.refusal import Rejected

TIMEOUT_S: Final = 20.0
"""For a job that does nothing."""
AGAIN_S: Final = 0.005
"""Between two looks whether it has ended."""
SEES_PROCESSOR: Final = (
    "deterministic jobs see what this processor can, for it does not trap CPUID: replay them on its like"
)
_FIX: Final = "a kernel of version 5.6 or later with CONFIG_SECCOMP_FILTER that lets its user trace his own processes"


async def try_cage(driver: Driver) -> tuple[str, tuple[str, ...]]:
    """DET-10. Why deterministic jobs do not run here (empty: they do), and notes on how far they are covered."""
    if platform.machine() != ARCHITECTURE:
        return f"deterministic jobs run on {ARCHITECTURE} alone", ()
    plan = ContainerPlan(
        id=f"probe.{secrets.token_hex(4)}",
        root=HOST_USR,
        command=("sh", "-c", "exit 7"),
        limits=Limits(memory_bytes=64 << 20, cpu_millicores=1000, pids=4),
        cage=Cage(bytes(SEED_BYTES)),
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await driver.create(plan)
            await driver.start(plan.id)
            state = await _ended(driver, plan.id)
    except TimeoutError:
        why = f"a trial did not end within {TIMEOUT_S:g} s"
    except Rejected as refused:
        why = f"a trial failed: {refused.detail}"
    else:
        why = _judged(state)
        if not why:
            notes = () if state.witness and state.witness.processor else (SEES_PROCESSOR,)
            await driver.remove(plan.id)
            return "", notes
    with contextlib.suppress(Rejected):
        await driver.kill(plan.id)
    with contextlib.suppress(Rejected):
        await driver.remove(plan.id)
    return f"no deterministic jobs: {why} ({_FIX})", ()


async def _ended(driver: Driver, name: str) -> ContainerState:
    while True:
        state = await driver.inspect(name)
        if state.phase is Phase.EXITED:
            return state
        await asyncio.sleep(AGAIN_S)


def _judged(state: ContainerState) -> str:
    """What is wrong with a trial; empty where nothing is."""
    if state.exit is None or state.exit.code != 7:
        return f"a trial ended with {state.exit}"
    return "" if state.witness is not None else "a trial left no witness"
