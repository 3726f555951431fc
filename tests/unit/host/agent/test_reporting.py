"""A report that nobody takes is said again after a pause, not as fast as the machine can."""

import asyncio
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from metanode.docklock.agent.events import Report, Reported
from metanode.host.agent.chain import ChainUnreachable, Outcome
from metanode.host.agent.deeds import AGAIN_S, Deeds, Materials
from metanode.host.agent.records import PinnedSoFar
from metanode.records.cluster import ReceiptBatch

BATCH = ReceiptBatch(first=0, count=0, root=b"")


class Chain:
    """Answers reports as it is told to."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    def submit(self, _call: Any) -> Outcome:
        answer = self.answers.pop(0)
        if answer == "away":
            raise ChainUnreachable("nobody there")
        return Outcome(7, answer)


class Desk:
    """Deeds whose pauses are written down, not waited for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
        self.heard: list[tuple[str, object]] = []

        async def next_batch(_pinned: int) -> ReceiptBatch:
            return BATCH

        async def sleep(seconds: float) -> None:
            self.heard.append(("pause", seconds))

        records: Any = SimpleNamespace(next_batch=next_batch, pinned=PinnedSoFar())
        nothing: Any = None
        chain: Any = Chain(*answers)
        materials = Materials(nothing, nothing, Path(), nothing)
        self.deeds = Deeds("shop", "node-1", nothing, chain, materials, records, self._hear)
        monkeypatch.setattr(asyncio, "sleep", sleep)

    def _hear(self, event: object) -> None:
        assert isinstance(event, Reported)
        self.heard.append(("reported", event.final))

    def report(self) -> None:
        asyncio.run(self.deeds.report(Report(())))


@pytest.mark.parametrize("answer", ["away", "cluster.not-a-node"])
def test_a_report_that_nobody_takes_comes_back_after_a_pause(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    desk = Desk(monkeypatch, answer)
    desk.report()
    assert desk.heard == [("pause", AGAIN_S), ("reported", False)]


def test_one_that_is_final_comes_back_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, "")
    desk.report()
    assert desk.heard == [("reported", True)]


def test_why_is_logged_once_for_as_long_as_it_is_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("metanode.agent"), "propagate", True)
    desk = Desk(monkeypatch, "away", "away", "", "away")
    for _ in range(4):
        desk.report()
    assert caplog.messages == ["a report is not on chain: it is said again"] * 2
