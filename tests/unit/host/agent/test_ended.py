"""What is kept of containers that are no more: the end of what each said, of the last ones, and nothing else."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from metanode.host.agent import ended
from metanode.host.agent.ended import ENDED_BYTES_MAX, EndedLogs, log_line
from metanode.host.runtimes.driver import LogRecord
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.primitives.refusal import Rejected


def record(number: int, data: bytes = b"said") -> LogRecord:
    return LogRecord(number, number + 1, number, 1, data, "")


async def told(*records: LogRecord) -> AsyncIterator[LogRecord]:
    for one in records:
        yield one


def keep(logs: EndedLogs, name: str, *records: LogRecord) -> None:
    asyncio.run(logs.keep(name, told(*records)))


def test_what_it_said_is_kept_and_what_its_next_try_says_comes_after(tmp_path: Path) -> None:
    logs = EndedLogs(tmp_path / "ended")
    assert logs.names() == []
    keep(logs, "shop.web.0.1", record(1), record(2))
    keep(logs, "shop.web.0.1", record(3))
    assert logs.names() == ["shop.web.0.1"]
    assert logs.read("shop.web.0.1") == b"".join(log_line(record(number)) for number in (1, 2, 3))


def test_what_said_nothing_leaves_nothing(tmp_path: Path) -> None:
    logs = EndedLogs(tmp_path / "ended")
    keep(logs, "shop.web.0.1")
    assert logs.names() == []


def test_only_the_end_is_kept_and_only_whole_lines(tmp_path: Path) -> None:
    logs = EndedLogs(tmp_path / "ended")
    much = [record(number, b"x" * 30_000) for number in range(30)]
    keep(logs, "shop.web.0.1", *much)
    keep(logs, "shop.web.0.1", *much[:3])
    said = logs.read("shop.web.0.1")
    assert ENDED_BYTES_MAX - 60_000 < len(said) <= ENDED_BYTES_MAX
    numbers = [json.loads(line)["time_ns"] for line in said.splitlines()]
    assert numbers[-3:] == [0, 1, 2]
    assert numbers[:-3] == list(range(30 - len(numbers) + 3, 30))


def test_only_the_last_ones_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended, "ENDED_MAX", 3)
    logs = EndedLogs(tmp_path / "ended")
    for number in range(5):
        keep(logs, f"shop.web.{number}.1", record(number))
        os.utime(tmp_path / "ended" / f"shop.web.{number}.1", ns=(number, number))
    assert logs.names() == ["shop.web.2.1", "shop.web.3.1", "shop.web.4.1"]


@pytest.mark.parametrize("name", ["shop.web.9.1", "../agent.toml", "", "shop.web.0.1~"])
def test_nothing_else_can_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "agent.toml").write_text("secret")
    logs = EndedLogs(tmp_path / "ended")
    keep(logs, "shop.web.0.1", record(1))
    with pytest.raises(Rejected) as refused:
        logs.read(name)
    assert refused.value.reason is RuntimeRefusal.UNKNOWN
