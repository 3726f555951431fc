"""An engine's log, copied: each record once, whoever copied before, whatever the engine tells again."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metanode.host.runtimes.docker import outputs
from metanode.host.runtimes.docker.outputs import WINDOW_NS, Copy, Record, by_file
from metanode.host.runtimes.logs import LogReader
from metanode.host.runtimes.plan import LogBounds

STAMP = "2026-11-28T13:46:{:02d}.{:09d}+00:00"


class Told:
    """An engine's log, and how much of it was told so far."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.asked: list[int] = []

    async def tell(self, since_ns: int, follow: bool) -> AsyncIterator[Record]:
        self.asked.append(since_ns)
        for record in self.records if not follow else self.records[: len(self.records) // 2]:
            if record[0] >= since_ns:
                yield record


def copied(folder: Path, told: Told) -> list[bytes]:
    async def run() -> None:
        async def over() -> None:
            pass

        copy = Copy(folder, LogBounds(1 << 20, 4), told.tell)
        await copy.run(over)
        assert copy.drained.is_set()
        copy.log.close()

    asyncio.run(run())
    return [record.data for record in LogReader(folder, 0).more()]


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([1, 2]), st.sampled_from([b"a", b"b"])), max_size=30))
def test_each_record_is_copied_once_though_it_is_told_again(
    tmp_path_factory, said: list[tuple[int, int, bytes]]
) -> None:
    folder, told = tmp_path_factory.mktemp("log"), Told()
    for part in (said[:10], said[10:20], said[20:]):  # three agents, one after another, and each looks twice
        told.records += [(10 * WINDOW_NS + late, stream, data) for late, stream, data in part]
        assert copied(folder, told) == [data for *_, data in told.records]


def test_what_is_two_seconds_old_is_not_asked_for_again(tmp_path: Path) -> None:
    told = Told()
    told.records = [(n * WINDOW_NS // 2, 1, b"%d\n" % n) for n in range(1, 9)]
    assert copied(tmp_path, told) == [b"%d\n" % n for n in range(1, 9)]
    assert told.asked == [0, WINDOW_NS]
    assert copied(tmp_path, told) == [b"%d\n" % n for n in range(1, 9)]
    assert told.asked[2:] == [3 * WINDOW_NS, 3 * WINDOW_NS]


def test_more_than_the_window_holds_is_known_by_its_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "WINDOW_RECORDS_MAX", 50)
    told = Told()
    told.records = [(WINDOW_NS + n, 1, b"x") for n in range(170)]
    assert len(copied(tmp_path, told)) == 170
    assert len(copied(tmp_path, told)) == 170


def test_a_record_longer_than_ours_may_be_is_cut(tmp_path: Path) -> None:
    told = Told()
    told.records = [(5, 1, bytes(150_000))]
    assert [len(data) for data in copied(tmp_path, told)] == [65_536, 65_536, 18_928]


def test_a_torn_end_is_cut_off_and_the_log_goes_on(tmp_path: Path) -> None:
    told = Told()
    told.records = [(1, 1, b"one"), (2, 1, b"two")]
    copied(tmp_path, told)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-2])
    (tmp_path / "00000000000000009999.log").write_bytes(b"begun")
    assert copied(tmp_path, told) == [b"one", b"two"]
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_file_that_turns_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "ctr.log"

    def line(second: int, text: str) -> str:
        return f"{STAMP.format(second, 0)} stdout F {text}\n"

    async def read() -> list[bytes]:
        over, found = asyncio.Event(), []
        path.write_text(line(1, "one") + line(2, "two")[:-3])
        async for _, _, data in by_file(path, over)(0, True):
            found.append(data)
            if data == b"one\n":
                with path.open("a") as file:
                    file.write(line(2, "two")[-3:])
                (tmp_path / "new").write_text(line(3, "three"))
                (tmp_path / "new").rename(path)
            if data == b"three\n":
                over.set()
        return found

    assert asyncio.run(read()) == [b"one\n", b"two\n", b"three\n"]
    assert asyncio.run(_all(tmp_path / "none")) == []


async def _all(path: Path) -> list[Record]:
    return [record async for record in by_file(path, asyncio.Event())(0, False)]
