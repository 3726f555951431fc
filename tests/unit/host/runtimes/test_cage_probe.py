"""Whether deterministic jobs run on a machine is tried in earnest; where they do not it is said why."""

import asyncio
import platform
from dataclasses import replace
from typing import Any

import pytest

from metanode.host.runtimes import cage_probe
from metanode.host.runtimes.cage_probe import SEES_PROCESSOR, try_cage
from metanode.host.runtimes.caging import Stream, Witnessed
from metanode.host.runtimes.driver import ContainerState
from metanode.host.runtimes.plan import ContainerPlan
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.states import Exit, LogMark, Phase
from metanode.primitives.refusal import Rejected

NOTHING = Stream(0, bytes(32))
SEEN = Witnessed(1, bytes(32), processor=True, streams=(NOTHING, NOTHING), left=(), folder="/nowhere")
ENDED = ContainerState(
    "probe.1", "sandbox", Phase.EXITED, 0, 0, 0, Exit(7, 0, oom=False, at_ns=0), LogMark(0, 0, 0, ""), witness=SEEN
)


class Engine:
    """A driver whose trial ends as it is told to."""

    def __init__(self, state: ContainerState, refused: str = "") -> None:
        self.state = state
        self.refused = refused
        self.plans: list[ContainerPlan] = []
        self.done: list[str] = []

    async def create(self, plan: ContainerPlan) -> None:
        self.plans.append(plan)
        if self.refused:
            raise Rejected(RuntimeRefusal.SETUP_FAILED, self.refused)

    async def start(self, _name: str) -> None:
        self.done.append("start")

    async def inspect(self, _name: str) -> ContainerState:
        return self.state

    async def kill(self, name: str) -> None:
        self.done.append("kill")
        raise Rejected(RuntimeRefusal.WRONG_PHASE, name)

    async def remove(self, _name: str) -> None:
        self.done.append("remove")


def tried(engine: Any) -> tuple[str, tuple[str, ...]]:
    return asyncio.run(try_cage(engine))


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


def test_a_machine_that_holds_the_cage_has_nothing_to_say() -> None:
    engine = Engine(ENDED)
    assert tried(engine) == ("", ())
    assert engine.plans[0].cage is not None
    assert engine.done == ["start", "remove"]


def test_one_that_shows_its_processor_says_so() -> None:
    assert tried(Engine(replace(ENDED, witness=replace(SEEN, processor=False)))) == ("", (SEES_PROCESSOR,))


@pytest.mark.parametrize(
    ("engine", "why"),
    [
        (Engine(replace(ENDED, witness=None)), "left no witness"),
        (Engine(replace(ENDED, exit=None)), "ended with None"),
        (Engine(replace(ENDED, exit=Exit(0, 0, oom=False, at_ns=0))), "ended with Exit"),
        (Engine(ENDED, "ptrace: Operation not permitted"), "ptrace: Operation not permitted"),
        (Engine(replace(ENDED, phase=Phase.RUNNING)), "did not end within 0.02 s"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_that_does_not_hold_it_says_why_and_what_would_help(
    engine: Engine, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cage_probe, "TIMEOUT_S", 0.02)
    said, notes = tried(engine)
    assert said.startswith("no deterministic jobs: a trial ")
    assert why in said
    assert "a kernel of version 5.6 or later" in said
    assert notes == ()
    assert engine.done[-2:] == ["kill", "remove"], "nothing of it is left"


def test_another_machine_is_not_even_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    engine = Engine(ENDED)
    assert tried(engine) == ("deterministic jobs run on x86_64 alone", ())
    assert engine.plans == []
