"""An engine that does not answer: nobody says that a container has ended, and nothing of it is left when it is back."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.unit.host.agent.test_deeds import NAME, desk

from metanode.docklock.agent.events import Ended, Remove, Removed, Stop
from metanode.host.agent import deeds as module
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.states import Exit
from metanode.primitives.refusal import Rejected


class Away:
    """Gone for so many questions; then it does what it is asked."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.did: list[str] = []

    def _answer(self, what: str) -> None:
        self.did.append(what)
        if len(self.did) <= self.times:
            raise Rejected(RuntimeRefusal.ENGINE_GONE, "no answer")

    async def stop(self, name: str, _grace_ms: int) -> Any:
        self._answer(f"stop {name}")
        return SimpleNamespace(exit=Exit(7, 0, oom=False, at_ns=1), id=name)

    async def remove(self, name: str) -> None:
        self._answer(f"remove {name}")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0)


def test_it_has_not_ended_because_nobody_answers() -> None:
    async def play() -> None:
        deeds, _, _, heard = desk()
        driver = deeds._driver = cast("Any", Away(3))  # type: ignore[misc]
        await deeds.stop(Stop(NAME, 1_000))
        assert driver.did == [f"stop {NAME}"] * 4
        assert [(type(one), getattr(one, "code", 0)) for one in heard] == [(Ended, 7)]

    asyncio.run(play())


def test_it_is_not_removed_because_nobody_answers() -> None:
    async def play() -> None:
        deeds, _, _, heard = desk()
        driver = deeds._driver = cast("Any", Away(2))  # type: ignore[misc]
        await deeds.remove(Remove(NAME))
        assert driver.did == [f"remove {NAME}"] * 3
        assert [type(one) for one in heard] == [Removed]

    asyncio.run(play())
