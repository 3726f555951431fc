"""The watch, the copy of a log and the roster, by a server of words that the test says."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from metanode.host.runtimes.driver import EventKind
from metanode.host.runtimes.kubernetes.access import Api, ApiFailure
from metanode.host.runtimes.kubernetes.copying import LogCopy
from metanode.host.runtimes.kubernetes.place import place_of
from metanode.host.runtimes.kubernetes.roster import Roster
from metanode.host.runtimes.kubernetes.watching import PodWatch
from metanode.host.runtimes.logs import LogReader
from metanode.host.runtimes.plan import LogBounds
from metanode.host.runtimes.shim import logfiles
from metanode.host.runtimes.shim.logfiles import RECORD_BYTES_MAX, chained
from metanode.host.runtimes.states import LogMark, Phase

SECOND = "2026-11-28T14:00:01"


class Pieces:
    """An answer in pieces; `broken`: it ends by a broken connection; `held`: until it is closed."""

    def __init__(self, *pieces: bytes, broken: bool = False, held: bool = False) -> None:
        self.pieces, self.broken, self.held = pieces, broken, held
        self.over = threading.Event()

    def chunks(self) -> Iterator[bytes]:
        yield from self.pieces
        if self.broken:
            raise ConnectionError("broken")
        if self.held:
            self.over.wait(30)

    def lines(self) -> Iterator[bytes]:
        for data in self.chunks():
            yield from data.splitlines()

    def close(self) -> None:
        self.over.set()


class Words:
    """Answers in order; what is left over at the end is held."""

    def __init__(self, answers: list[Any], streams: list[Any]) -> None:
        self.answers, self.streams, self.asked = answers, streams, list[dict[str, Any]]()

    def ask(self, _method: str, _path: str, query: dict[str, Any]) -> Any:
        self.asked.append(dict(query))
        return self._next(self.answers)

    def stream(self, _path: str, query: dict[str, Any], _silence_s: float | None) -> Any:
        self.asked.append(dict(query))
        return self._next(self.streams) if self.streams else Pieces(held=True)

    @staticmethod
    def _next(answers: list[Any]) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def listed(version: str, *names: str, more: str = "") -> dict[str, Any]:
    return {"metadata": {"resourceVersion": version, "continue": more}, "items": [pod(name) for name in names]}


def pod(name: str, version: str = "1", **state: Any) -> dict[str, Any]:
    metadata = {
        "name": name, "uid": f"uid-{name}", "resourceVersion": version, "creationTimestamp": f"{SECOND}Z",
        "annotations": {"metanode/id": name},
    }  # fmt: skip
    status = {"containerStatuses": [{"name": "main", "state": state}]} if state else {"phase": "Pending"}
    return {"metadata": metadata, "status": status}


def event(kind: str, what: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": what}).encode() + b"\n"


def watched(answers: list[Any], streams: list[Any], enough: int) -> tuple[list[Any], list[dict[str, Any]]]:
    """What a watch tells, until it has told so much; and what it asked for."""
    told: list[Any] = []
    full = threading.Event()

    def tell(*what: Any) -> None:
        told.append(what)
        if len(told) >= enough:
            full.set()

    words = Words(answers, streams)
    watch = PodWatch(
        cast("Api", words), place_of(Path("/agent"), ()),
        lambda pods: tell("list", [one["metadata"]["name"] for one in pods]),
        lambda kind, what: tell(kind, what["metadata"]["name"]),
    )  # fmt: skip
    watch.begin()
    assert full.wait(20), told
    watch.end()
    return told, words.asked


def test_a_long_list_comes_in_pages() -> None:
    told, asked = watched([listed("5", "a", more="x"), listed("5", "b")], [], 1)
    assert told == [("list", ["a", "b"])]
    assert [query.get("continue") for query in asked[:2]] == [None, "x"]


def test_a_list_that_grew_too_old_between_its_pages_is_begun_anew() -> None:
    gone = ApiFailure(410, "Expired", "the provided continue parameter is too old")
    told, _ = watched([listed("5", "a", more="x"), gone, listed("9", "a", "b")], [], 1)
    assert told == [("list", ["a", "b"])]


def test_a_watch_goes_on_where_the_last_one_ended() -> None:
    first = Pieces(event("ADDED", pod("a", "7")), event("BOOKMARK", {"metadata": {"resourceVersion": "12"}}))
    told, asked = watched([listed("5")], [first, Pieces(event("DELETED", pod("a", "13")), held=True)], 3)
    assert told == [("list", []), ("ADDED", "a"), ("DELETED", "a")]
    assert [query["resourceVersion"] for query in asked if query.get("watch")] == ["5", "12"]


@pytest.mark.parametrize("gone", [ApiFailure(410, "Gone", "too old"), Pieces(event("ERROR", {"code": 410}))])
def test_a_version_that_is_too_old_is_listed_anew(gone: Any) -> None:
    told, asked = watched([listed("5", "a"), listed("9", "b")], [gone], 2)
    assert told == [("list", ["a"]), ("list", ["b"])]
    assert next(query["resourceVersion"] for query in asked if query.get("watch")) == "5"


def test_a_broken_watch_is_made_anew_and_nothing_is_listed() -> None:
    broken = Pieces(event("ADDED", pod("a", "7")), broken=True)
    told, asked = watched([listed("5")], [broken, Pieces(event("DELETED", pod("a", "8")), held=True)], 3)
    assert told == [("list", []), ("ADDED", "a"), ("DELETED", "a")]
    assert [query["resourceVersion"] for query in asked if query.get("watch")] == ["5", "7"]


def copied(folder: Path, streams: list[Any], ended: list[bool]) -> list[tuple[bytes, int]]:
    """What a copy has written when it is done; `ended`: what it is told when it asks, the last for ever."""

    def has_ended() -> bool:
        return ended.pop(0) if len(ended) > 1 else ended[0]

    copy = LogCopy(cast("Api", Words([], streams)), "/log", folder / "log", LogBounds(), has_ended)
    copy.begin()
    assert copy.done.wait(20)
    return [(record.data, record.time_ns % 1_000_000_000) for record in LogReader(folder / "log", 0).more()]


def line(part: str, text: str) -> bytes:
    return f"{SECOND}.{part}Z {text}".encode()


def test_what_was_copied_is_not_copied_again(tmp_path: Path) -> None:
    first = Pieces(line("1", "a\n"), line("2", "b\n") + line("2", "b\n"), line("3", "half of"), broken=True)
    second = Pieces(line("1", "a\n") + line("2", "b\n") + line("2", "b\n") + line("3", "half of it\n") + line("4", "c"))
    found = copied(tmp_path, [first, second], [False, True])
    assert [data for data, _ in found] == [b"a\n", b"b\n", b"b\n", b"half of it\n", b"c"]
    assert found[0][1] == 100_000_000


def test_the_mark_is_never_behind_what_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found under load: a record was read, and the mark that was asked for then did not have it yet."""
    copy = LogCopy(
        cast("Api", Words([], [Pieces(line("1", "a\n"))])), "/log", tmp_path / "log", LogBounds(), lambda: True
    )
    marks: list[LogMark] = []
    asking = threading.Thread(target=lambda: marks.append(copy.mark()))

    def between(digest: bytes, record: bytes) -> bytes:
        """The record is in the file, and not yet in the mark: somebody asks now, and is given time for it."""
        asking.start()
        asking.join(0.2)
        return chained(digest, record)

    monkeypatch.setattr(logfiles, "chained", between)
    copy.begin()
    assert copy.done.wait(20)
    asking.join()
    (record,) = LogReader(tmp_path / "log", 0).more()
    assert [(mark.end, mark.digest) for mark in marks] == [(record.next, record.digest)]


def test_what_the_kubelet_adds_is_not_the_containers(tmp_path: Path) -> None:
    """Found with a real one: it ends the log of a container that is gone with a sentence of its own."""
    stream = Pieces(line("1", "a\n"), b"rpc error: code = NotFound desc = an error occurred: not found")
    assert [data for data, _ in copied(tmp_path, [stream], [True])] == [b"a\n"]


def test_a_line_without_an_end_is_cut(tmp_path: Path) -> None:
    long = "x" * (RECORD_BYTES_MAX + 100)
    found = copied(tmp_path, [Pieces(line("1", long), (long + "\n").encode(), line("2", "next\n"))], [True])
    assert b"".join(data for data, _ in found) == (long + long + "\nnext\n").encode()
    assert max(len(data) for data, _ in found) <= RECORD_BYTES_MAX


def test_a_log_that_is_gone_leaves_the_copy_of_an_earlier_agent(tmp_path: Path) -> None:
    copied(tmp_path, [Pieces(line("1", "a\n"))], [True])
    gone = ApiFailure(404, "NotFound", "pods not found")
    assert [data for data, _ in copied(tmp_path, [gone, gone, gone], [True])] == [b"a\n"]


def test_an_answer_that_comes_late_does_not_turn_time_back(tmp_path: Path) -> None:
    """Found by a recording: the watch said that a pod had ended before the answer to its making was read."""

    async def played() -> None:
        roster = Roster(cast("Api", Words([], [])), place_of(tmp_path, ()))
        events = roster.events()
        ended = {"exitCode": 3, "startedAt": f"{SECOND}Z", "finishedAt": f"{SECOND}Z"}
        roster.hear("ADDED", pod("a"))
        roster.hear("MODIFIED", pod("a", terminated=ended))
        roster.expect(pod("a"))
        assert roster.known["a"].sight.phase is Phase.EXITED
        copy = roster.known["a"].copy
        assert copy is not None
        copy.end()
        heard = await anext(events)
        assert (heard.kind, heard.state.exit.code if heard.state and heard.state.exit else -1) == (EventKind.EXITED, 3)
        await roster.close()

    asyncio.run(asyncio.wait_for(played(), 20))


def test_a_pod_that_vanishes_has_ended_as_far_as_anybody_knows(tmp_path: Path) -> None:
    async def played() -> None:
        roster = Roster(cast("Api", Words([], [])), place_of(tmp_path, ()))
        events = roster.events()
        roster._hear_list(())
        roster.hear("ADDED", pod("a", running={"startedAt": f"{SECOND}Z"}))
        roster.hear("DELETED", pod("a", "9", running={"startedAt": f"{SECOND}Z"}))
        assert (await anext(events)).kind is EventKind.STARTED
        heard = await anext(events)
        assert heard.state is not None
        assert heard.state.exit is not None
        assert (heard.kind, heard.state.exit.code, roster.known) == (EventKind.EXITED, 137, {})
        await roster.close()

    asyncio.run(asyncio.wait_for(played(), 20))
