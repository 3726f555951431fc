"""The loop: effects in order, durable before anything leaves, votes before floods, a bug ends the node."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from metanode.host.fault import Fault, FaultReason
from metanode.host.loop import Loop
from metanode.node import effects as out
from metanode.node import events as heard
from metanode.records.vote import NO_ROUND, Vote

VOTE = Vote(
    version=1,
    kind=2,
    height=1,
    round=0,
    seat=0,
    header_hash=bytes(32),
    prepared_round=NO_ROUND,
    attachment=bytes(32),
    seal=b"",
    signature=bytes(64),
)


class Script:
    """A node that answers each event by what the test says."""

    def __init__(self, answers: Callable[[heard.Event], list[out.Effect]]) -> None:
        self.heard: list[heard.Event] = []
        self._answers = answers

    def handle(self, event: heard.Event) -> list[out.Effect]:
        if isinstance(event, heard.Ticked):
            return []
        self.heard.append(event)
        return self._answers(event)


class World:
    """Devices and carrier that write down what they are asked."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.carrier = self
        self.disk = self
        self.latency_ms = 0
        self.sliced = 0

    def now_ms(self) -> int:
        return 7

    def journal(self, records: list[bytes]) -> None:
        self.log.append(("journal", tuple(records)))

    def send(self, link: int, data: bytes) -> None:
        self.log.append(("send", link, data))

    def flush(self) -> None:
        pass

    def answer(self, effect: Any) -> heard.Event:
        self.log.append(("answer", type(effect).__name__))
        if isinstance(effect, out.SignVote):
            return heard.VoteSigned(7, effect.vote)
        return heard.SignaturesChecked(7, effect.room, effect.token, (True,) * len(effect.items))

    def verify_later(self, effect: Any, deliver: Any) -> bool:
        del effect, deliver
        return False

    def check_slice(self, effect: out.CheckSignatures, count: int) -> tuple[bool, ...] | None:
        self.log.append(("slice", effect.token))
        self.sliced += count
        if self.sliced < len(effect.items):
            return None
        self.sliced = 0
        return (True,) * len(effect.items)

    def crashed(self, error: Exception) -> None:
        self.log.append(("crashed", str(error)))

    def note(self, note: out.Note) -> None:
        self.log.append(("note", note.kind))

    def bug(self, bug: out.Bug) -> None:
        self.log.append(("bug", bug.method, str(bug.error)))


def run(
    answers: Callable[[heard.Event], list[out.Effect]], *events: heard.Event, seconds: float = 0.05
) -> tuple[Script, World, list[str]]:
    """Deliver the events in one turn and let the loop run for a moment."""
    node, world = Script(answers), World()
    stopped: list[str] = []

    async def play() -> None:
        loop = Loop(node, world, lambda fault: stopped.append(f"{fault.reason}: {fault.detail}"))  # type: ignore[arg-type]
        for event in events:
            loop.deliver(event)
        await asyncio.sleep(seconds)
        loop.stop()

    asyncio.run(play())
    return node, world, stopped


def test_records_are_durable_before_anything_after_them_leaves() -> None:
    effects: list[out.Effect] = [
        out.Transmit(1, b"before"),
        out.Journal(b"a"),
        out.Journal(b"b"),
        out.Transmit(1, b"after"),
        out.Journal(b"c"),
    ]
    _, world, _ = run(lambda _: effects, heard.Stopping(1))
    assert world.log == [
        ("send", 1, b"before"),
        ("journal", (b"a", b"b")),
        ("send", 1, b"after"),
        ("journal", (b"c",)),
    ]


def test_answers_come_first_and_in_the_order_of_the_questions() -> None:
    def answers(event: heard.Event) -> list[out.Effect]:
        if isinstance(event, heard.LinkClosed) and event.link == 1:
            return [
                out.SignVote(VOTE, b"", b"", b""),
                out.CheckSignatures("ibft", 5, ((b"", b"", b""),), urgent=True),
            ]
        return []

    node, _, _ = run(answers, heard.LinkClosed(1, 1), heard.LinkClosed(1, 2))
    assert node.heard == [
        heard.LinkClosed(1, 1),
        heard.VoteSigned(7, VOTE),
        heard.SignaturesChecked(7, "ibft", 5, (True,)),
        heard.LinkClosed(1, 2),
    ]


def test_a_flood_of_signatures_is_checked_in_slices_between_events() -> None:
    items = ((b"", b"", b""),) * 200

    def answers(event: heard.Event) -> list[out.Effect]:
        if isinstance(event, heard.LinkClosed) and event.link == 1:
            return [out.CheckSignatures("pool", 9, items, urgent=False)]
        return []

    node, world, _ = run(answers, heard.LinkClosed(1, 1), heard.LinkClosed(1, 2))
    assert world.log == [("slice", 9)] * 4
    assert node.heard[1] == heard.LinkClosed(1, 2)
    assert node.heard[2] == heard.SignaturesChecked(7, "pool", 9, (True,) * 200)


def test_a_timer_of_the_same_name_is_replaced_and_a_cancelled_one_is_silent() -> None:
    effects: list[out.Effect] = [
        out.SetTimer("x", 1),
        out.SetTimer("x", 2),
        out.SetTimer("y", 1),
        out.CancelTimer("y"),
    ]
    node, _, _ = run(lambda e: effects if isinstance(e, heard.Stopping) else [], heard.Stopping(1))
    assert node.heard == [heard.Stopping(1), heard.TimerFired(7, "x")]


def test_a_bug_ends_the_node_once_and_nothing_is_carried_out_after_it() -> None:
    def answers(event: heard.Event) -> list[out.Effect]:
        raise AssertionError("impossible")

    node, world, stopped = run(answers, heard.Stopping(1), heard.Stopping(2))
    assert (len(node.heard), stopped) == (1, [f"{FaultReason.NODE_HALTED}: AssertionError: impossible"])
    assert world.log == [("crashed", "impossible")]


def test_a_node_that_must_not_go_on_is_stopped_with_its_reason() -> None:
    effects: list[out.Effect] = [out.Halt("results differ"), out.Note("late")]
    _, world, stopped = run(lambda _: effects, heard.Stopping(1))
    assert (stopped, world.log) == ([f"{FaultReason.NODE_HALTED}: results differ"], [])


def test_a_bug_in_one_answer_is_written_down_and_the_node_goes_on() -> None:
    """HTTP-21."""
    effects: list[out.Effect] = [out.Bug("peer.list", AssertionError("impossible")), out.Note("after")]
    node, world, stopped = run(lambda _: effects, heard.Stopping(1), heard.Stopping(2))
    assert (len(node.heard), stopped) == (2, [])
    assert world.log == [("bug", "peer.list", "impossible"), ("note", "after")] * 2


@pytest.mark.parametrize(
    "error", [Fault(FaultReason.STORE_DAMAGED, "a row", "restore"), OSError(5, "input/output error"), MemoryError("no")]
)
def test_a_failure_of_the_world_met_while_answering_ends_the_node(error: Exception) -> None:
    """HTTP-21. What failed is told by its own code and fix, not as `node.halted`: the operator has something to do."""
    node, world, stopped = run(lambda _: [out.Bug("block.get", error)], heard.Stopping(1), heard.Stopping(2))
    halted = f"{FaultReason.NODE_HALTED}: {type(error).__name__}: {error}"
    told = "store.damaged: a row" if isinstance(error, Fault) else halted
    assert (len(node.heard), stopped) == (1, [told])
    assert world.log == [("crashed", str(error))]
