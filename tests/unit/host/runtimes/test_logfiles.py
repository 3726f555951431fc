"""The log of a container: bounded, chained, and readable while it grows."""

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from metanode.host.runtimes.logs import LogReader, read_log
from metanode.host.runtimes.shim.logfiles import GENESIS, RECORD_HEADER, STDERR, STDOUT, LogFiles, chained, records


def test_records_come_back_as_they_were_said(tmp_path: Path) -> None:
    log = LogFiles(tmp_path, 4096, 2)
    log.append(STDOUT, 5, b"one\n")
    log.append(STDERR, 7, b"two\n")
    found = list(LogReader(tmp_path, 0).more())
    assert [(r.time_ns, r.stream, r.data) for r in found] == [(5, 1, b"one\n"), (7, 2, b"two\n")]
    assert [(r.offset, r.next) for r in found] == [(0, 17), (17, 34)]
    first = RECORD_HEADER.pack(5, 1, 4) + b"one\n"
    second = RECORD_HEADER.pack(7, 2, 4) + b"two\n"
    assert found[0].digest == chained(GENESIS, first).hex()
    assert found[1].digest == chained(chained(GENESIS, first), second).hex() == log.mark().digest
    log.close()


@given(st.lists(st.binary(min_size=1, max_size=3000), max_size=40), st.integers(2, 4))
def test_the_newest_files_are_kept_and_chain_on(tmp_path_factory: Any, said: list[bytes], files: int) -> None:
    folder = tmp_path_factory.mktemp("log")
    log, ends = LogFiles(folder, 4096, files), [0]
    for number, data in enumerate(said):
        log.append(STDOUT, number, data)
        ends.append(log.mark().end)
    mark = log.mark()
    kept = list(LogReader(folder, 0).more())
    assert len(list(folder.iterdir())) <= files
    assert all(path.stat().st_size <= 4096 + 48 for path in folder.iterdir())
    assert [r.offset for r in kept] == [end for end in ends[:-1] if end >= mark.first]
    assert [r.data for r in kept] == said[len(said) - len(kept) :]
    if kept:
        assert (kept[-1].digest, kept[-1].next) == (mark.digest, mark.end)
        middle = kept[len(kept) // 2].offset
        assert list(LogReader(folder, middle).more()) == kept[len(kept) // 2 :]
    log.close()


def test_no_more_files_are_kept_than_were_asked_for(tmp_path: Path) -> None:
    log = LogFiles(tmp_path, 4096, 3)
    for number in range(20):
        log.append(STDOUT, number, bytes(3000))
    assert len(list(tmp_path.iterdir())) == 3
    assert log.mark().first == 17 * 3013
    log.close()


def test_a_reader_goes_on_where_it_was_over_rotations(tmp_path: Path) -> None:
    log, reader, heard = LogFiles(tmp_path, 4096, 3), LogReader(tmp_path, 0), []
    assert list(reader.more()) == []
    for number in range(200):
        log.append(STDOUT, number, b"%d " % number * 20)
        if number % 7 == 0:
            heard += list(reader.more())
    heard += list(reader.more())
    assert [r.time_ns for r in heard] == list(range(200))
    assert heard[-1].digest == log.mark().digest
    log.close()


def test_a_record_that_is_not_whole_waits(tmp_path: Path) -> None:
    log = LogFiles(tmp_path, 4096, 2)
    log.append(STDOUT, 1, b"first")
    log.append(STDOUT, 2, b"second")
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    reader = LogReader(tmp_path, 0)
    assert [r.data for r in reader.more()] == [b"first"]
    assert list(reader.more()) == []
    path.write_bytes(whole)
    assert [r.data for r in reader.more()] == [b"second"]
    assert [data for *_, data, _ in records(whole[48:])] == [b"first", b"second"]


def test_a_file_that_is_no_log_says_nothing(tmp_path: Path) -> None:
    (tmp_path / f"{0:020d}.log").write_bytes(b"x" * 100)
    assert list(LogReader(tmp_path, 0).more()) == []
    assert list(LogReader(tmp_path / "none", 0).more()) == []


def test_what_the_disk_does_not_take_is_counted_and_the_chain_holds(tmp_path: Path, monkeypatch: Any) -> None:
    log = LogFiles(tmp_path, 4096, 2)
    log.append(STDOUT, 1, b"before")
    real = os.pwrite

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "pwrite", full)
    log.append(STDOUT, 2, b"lost")
    monkeypatch.setattr(os, "pwrite", lambda file, data, at: real(file, data[:10], at))
    log.append(STDOUT, 3, b"half")
    monkeypatch.setattr(os, "pwrite", real)
    log.append(STDOUT, 4, b"after")
    assert log.mark().lost == len(b"lost") + len(b"half")
    found = list(LogReader(tmp_path, 0).more())
    assert [r.data for r in found] == [b"before", b"after"]
    assert found[-1].digest == log.mark().digest
    log.close()


def test_following_ends_when_the_container_has(tmp_path: Path) -> None:
    log = LogFiles(tmp_path, 4096, 2)
    looks: list[int] = []

    async def has_ended() -> bool:
        looks.append(len(looks))
        log.append(STDOUT, len(looks), b"%d" % len(looks))
        return len(looks) == 4

    async def follow() -> list[bytes]:
        return [record.data async for record in read_log(tmp_path, 0, has_ended)]

    assert asyncio.run(follow()) == [b"1", b"2", b"3", b"4"]
