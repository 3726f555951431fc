"""Refused requests as receipts: each of the cluster's own accounts is heard, and nobody fills the log."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.docklock.agent.desk import assignment
from tests.unit.docklock.receipts.samples import NODE_KEY, author

from metanode.docklock.agent.events import Record
from metanode.host.agent.receipt_log import ReceiptLog
from metanode.host.agent.records import Records
from metanode.host.agent.refusing import AGAIN, WINDOW_MS, WINDOWS_MAX, Refusals, Refused
from metanode.host.agent.witness import Witness
from metanode.host.disk import Disk
from metanode.primitives.names import Address
from metanode.primitives.refusal import Rejected
from metanode.records.agent_request import Asker, RequestRefusal
from metanode.records.workload_receipt import Entry, command_digest, signed_digest

CODE = RequestRefusal.NOT_ALLOWED
IMAGE = b"i" * 32
ASKER = Asker(Address(b"a" * 20), b"k" * 32)


class Clock:
    """A clock of our own."""

    def __init__(self) -> None:
        self.now_ms = 1_000_000

    def __call__(self) -> int:
        return self.now_ms


class Room:
    """Records over a real log, and what stands in it."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.log = ReceiptLog(folder, Disk(), lambda count: bytes(range(count)), author(), NODE_KEY.sign)
        self.records = Records(self.log, "sandbox", lambda: 7, self.clock)
        self.refusals = Refusals(self.records, self.clock)
        self.runner = asyncio.Runner()

    def written(self) -> list[Entry]:
        """Everything, once what was put is in the log."""

        async def settle() -> None:
            writing = asyncio.create_task(self.records.run())
            await self.records.next_batch(0)
            writing.cancel()

        self.runner.run(settle())
        return [one.entry for one in self.log.read(0, 1_000)]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path / "receipts")
    with made.runner:
        yield made


def told(entry: Entry) -> dict[str, int | str | bytes]:
    return {one.name: one.value for one in entry.details}


def stranger(number: int = 0) -> Refused:
    return Refused(CODE, "not of the executors", caller=number.to_bytes(20, "big"))


def test_a_refusal_says_who_what_and_where(room: Room) -> None:
    one = assignment()
    room.refusals.note(Refused(CODE, "not of the executors", b"a" * 20, True, (one, IMAGE), ("id", "-u")))
    (entry,) = room.written()
    assert (entry.step, entry.code, entry.workload, entry.spec, entry.height) == ("refused", CODE, "web", one.spec, 7)
    assert (entry.image, entry.engine) == (IMAGE, "")
    assert told(entry) == {
        "caller": b"a" * 20,
        "command": command_digest(("id", "-u")),
        "reason": "not of the executors",
    }


def test_a_thousand_strangers_are_two_entries_a_minute(room: Room) -> None:
    for number in range(1_000):
        room.refusals.note(stranger(number))
    assert len(room.written()) == 1
    room.clock.now_ms += WINDOW_MS
    room.refusals.sweep()
    first, rest = room.written()
    assert told(first)["caller"] == bytes(20)
    assert told(rest) == {"reason": AGAIN, "times": 999}, "nobody in particular"
    room.clock.now_ms += WINDOW_MS
    room.refusals.sweep()
    assert len(room.written()) == 2, "once said is said"


def test_one_who_belongs_to_the_cluster_is_heard_beside_strangers(room: Room) -> None:
    for number in range(50):
        room.refusals.note(stranger(number))
    for _ in range(3):
        room.refusals.note(Refused(CODE, "not an operator", b"k" * 20, known=True))
    room.clock.now_ms += WINDOW_MS
    room.refusals.sweep()
    said = [(told(one).get("caller"), told(one).get("times")) for one in room.written()]
    assert said == [(bytes(20), None), (b"k" * 20, None), (None, 49), (b"k" * 20, 2)]


def test_what_is_refused_in_the_next_minute_is_said_anew(room: Room) -> None:
    room.refusals.note(stranger(1))
    room.clock.now_ms += WINDOW_MS
    room.refusals.note(stranger(2))
    assert [told(one)["caller"] for one in room.written()] == [n.to_bytes(20, "big") for n in (1, 2)]


def test_kinds_that_are_told_apart_are_bounded(room: Room) -> None:
    for number in range(WINDOWS_MAX + 40):
        room.refusals.note(Refused(CODE, "no", number.to_bytes(20, "big"), known=True))
    assert len(room.written()) == WINDOWS_MAX
    room.clock.now_ms += WINDOW_MS
    room.refusals.sweep()
    assert sum(int(told(one).get("times", 0)) for one in room.written()) == 40


def about(name: str) -> tuple[object, bytes] | None:
    return (assignment(), IMAGE) if name == "shop.web.0.1" else None


def test_a_command_is_written_down_before_it_begins_and_when_it_ended(room: Room) -> None:
    witness = Witness(room.records, room.refusals, about)  # type: ignore[arg-type]

    def execute(*end: str) -> list[Entry]:
        async def do() -> None:
            ended: Callable[..., None] = await witness.executed(
                "shop.web.0.1",
                ASKER,
                ("id",),
            )
            assert room.log.count % 2 == 1, "durable before the command begins"
            ended(*end)

        room.runner.run(do())
        return room.written()

    begun, ended = execute("7")
    assert (begun.step, begun.code, ended.code) == ("execed", "", "7")
    assert told(ended) == {**told(begun), "of": signed_digest(room.log.read(0)[0])}
    never = execute("", "runtime.command-not-found")[3]
    assert (never.code, told(never)["reason"]) == ("", "runtime.command-not-found")


def test_what_is_no_replica_here_has_no_command_and_its_refusal_names_none(room: Room) -> None:
    witness = Witness(room.records, room.refusals, about)  # type: ignore[arg-type]

    async def do() -> None:
        (await witness.executed("shop.gone.0.1", ASKER, ("id",)))("0", "")

    room.runner.run(do())
    witness.refused(Rejected(RequestRefusal.NOT_SIGNED, "no signature"), None, "shop.gone.0.1", known=False)
    (entry,) = room.written()
    assert (entry.step, entry.workload, told(entry)) == ("refused", "", {"reason": "no signature"})


def test_what_an_earlier_agent_had_is_let_go_of_by_what_it_wrote(room: Room) -> None:
    one = assignment(index=2, attempt=5)
    room.records.tell("started", one, IMAGE, {})
    room.records.tell("started", assignment(index=2, attempt=6), b"", {})
    for step, code, reason in (("moved", "", "the share does not name it any more"), ("stopped", "143", "")):
        room.records.put(Record(9, step, "shop.web.2.5", None, b"", code, reason))
        room.records.put(Record(9, step, "shop.web.3.1", None, b"", code, reason))
    room.records.put(Record(9, "moved", "something", None, b"", ""))
    entries = room.written()[2:]
    assert [(one.step, one.code) for one in entries] == [("moved", ""), ("stopped", "143")], "of the other nobody knows"
    for entry in entries:
        assert (entry.index, entry.attempt, entry.spec, entry.image, entry.time_ms) == (2, 5, one.spec, IMAGE, 9)
