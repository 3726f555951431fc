"""The ends of a flow: windows, holding, half-closes, resets; destinations outside; an operator's call."""

import asyncio
import base64
from typing import Any

import msgspec
import pytest

from metanode.docklock.mesh import Mesh, MeshRefusal, frames
from metanode.docklock.mesh.frames import DATA_BYTES_MAX, Kind
from metanode.docklock.mesh.window import WINDOW
from metanode.host.agent.mesh import foothold
from metanode.host.agent.mesh.asking import ANSWER_BYTES_MAX, Collector, read_call
from metanode.host.agent.mesh.asking import DATA_BYTES_MAX as SENT_MAX
from metanode.host.agent.mesh.carrying import Carried, Sink, Stream
from metanode.host.agent.mesh.outside import connect_outside, leads_home
from metanode.host.agent.mesh.relay import Relay
from metanode.host.agent.mesh.sessions import Sessions
from metanode.network.bpci import BpciSettings
from metanode.primitives import ed25519
from metanode.primitives.refusal import Rejected


class Ear:
    """An end that writes down what it is told."""

    def __init__(self) -> None:
        self.ended = False
        self.said = 0
        self.heard: list[str | bytes] = []

    def join(self, flow: Carried, other: Sink) -> None:
        self.flow, self.other = flow, other

    def take(self, data: bytes) -> None:
        self.heard.append(data)

    def end(self) -> None:
        self.heard.append("end")

    def hold(self) -> None:
        self.heard.append("hold")

    def go(self) -> None:
        self.heard.append("go")

    def close(self) -> None:
        self.heard.append("close")

    def reset(self, code: str) -> None:
        self.heard.append(code)


class Pair:
    """A socket's end and a stream to another agent, joined; what the stream says is read."""

    def __init__(self) -> None:
        self.said: list[frames.Message] = []
        self.left: list[Stream] = []
        self.over: list[Carried] = []
        self.ear = Ear()
        self.stream = Stream(b"peer", 7, lambda m: self.said.append(frames.read(m)), self.left.append, ours=True)
        self.flow = Carried(1, self.ear, self.stream, self.over.append)
        self.flow.begin()

    def hears(self, kind: Kind, rest: bytes = b"") -> None:
        self.stream.hear(frames.read(frames.write(kind, 7, rest, ours=False)))

    def data(self) -> bytes:
        return b"".join(one.data for one in self.said)


def test_what_is_sent_stays_within_the_window_and_goes_on_with_credit():
    pair = Pair()
    sent = bytes(range(256)) * 700
    pair.stream.take(sent)
    assert len(pair.data()) == WINDOW
    assert {len(one.data) for one in pair.said} == {DATA_BYTES_MAX}
    assert pair.ear.heard == ["hold"]
    pair.stream.end()
    for _ in range(3):
        credited = sum(len(one.data) for one in pair.said)
        pair.hears(Kind.CREDIT, credited.to_bytes(8))
    assert pair.data() == sent
    assert pair.said[-1].kind is Kind.END
    assert pair.ear.heard == ["hold", "go"]


def test_a_window_that_is_used_up_exactly_holds_too():
    pair = Pair()
    pair.stream.take(bytes(WINDOW))
    assert pair.ear.heard == ["hold"]
    pair.hears(Kind.CREDIT, (WINDOW - 100).to_bytes(8))
    assert pair.ear.heard == ["hold", "go"]


def test_what_a_socket_does_not_take_is_not_credited():
    pair = Pair()
    pair.stream.hold()
    for _ in range(WINDOW // DATA_BYTES_MAX):
        pair.hears(Kind.DATA, bytes(DATA_BYTES_MAX))
    assert pair.said == []
    with pytest.raises(Rejected) as refused:
        pair.hears(Kind.DATA, b"x")
    assert refused.value.reason is MeshRefusal.FALSE_CREDIT
    pair = Pair()
    pair.stream.hold()
    pair.hears(Kind.DATA, bytes(DATA_BYTES_MAX))
    pair.stream.go()
    assert [one.credit for one in pair.said] == [DATA_BYTES_MAX]


def test_each_way_ends_on_its_own():
    pair = Pair()
    pair.hears(Kind.DATA, b"x")
    pair.hears(Kind.END)
    assert pair.ear.heard == [b"x", "end"]
    assert pair.over == []
    pair.stream.take(b"still")
    pair.ear.ended = True
    pair.stream.end()
    pair.flow.ended()
    assert (pair.ear.heard[-1], pair.over, pair.left) == ("close", [pair.flow], [pair.stream])
    assert [one.kind for one in pair.said] == [Kind.DATA, Kind.END]


def test_what_waits_for_the_window_still_leaves_when_both_have_ended():
    pair = Pair()
    pair.stream.take(bytes(WINDOW + 9))
    pair.hears(Kind.END)
    pair.ear.ended = True
    pair.stream.end()
    pair.flow.ended()
    assert pair.left == []
    pair.hears(Kind.CREDIT, WINDOW.to_bytes(8))
    assert len(pair.data()) == WINDOW + 9
    assert pair.said[-1].kind is Kind.END
    assert pair.left == [pair.stream]


def test_a_reset_is_told_at_both_ends_and_said_once():
    pair = Pair()
    pair.flow.fail("mesh.lost")
    pair.flow.fail("mesh.idle")
    assert pair.ear.heard == ["mesh.lost"]
    assert [(one.kind, one.code) for one in pair.said] == [(Kind.RESET, "mesh.lost")]
    assert pair.over == [pair.flow]
    pair = Pair()
    pair.hears(Kind.RESET, b"mesh.idle")
    assert (pair.ear.heard, pair.said, pair.over) == (["mesh.idle"], [], [pair.flow]), "it knows"


@pytest.mark.parametrize("kind", [Kind.ACCEPT, Kind.REFUSE])
def test_what_is_out_of_turn_is_punished(kind: Kind):
    pair = Pair()
    with pytest.raises(Rejected) as refused:
        pair.hears(kind, b"mesh.lost" if kind is Kind.REFUSE else b"")
    assert refused.value.reason is MeshRefusal.MALFORMED
    pair.hears(Kind.END)
    with pytest.raises(Rejected) as refused:
        pair.hears(Kind.DATA, b"after the end")
    assert refused.value.reason is MeshRefusal.MALFORMED


def test_a_flow_on_which_nothing_moves_is_over():
    pair = Pair()
    for _ in range(3):
        pair.hears(Kind.DATA, b"x")
        pair.flow.look(60, 100, 50)
    assert pair.over == []
    pair.flow.look(60, 100, 50)
    pair.flow.look(60, 100, 50)
    assert pair.over == [pair.flow]
    assert pair.ear.heard[-1] == MeshRefusal.IDLE
    pair = Pair()
    pair.hears(Kind.END)
    pair.flow.look(60, 100, 50)
    pair.flow.look(60, 100, 50)
    assert pair.over == [pair.flow], "sooner where one way has ended"


HOME = (
    "127.0.0.1",
    "127.64.0.1",
    "0.0.0.0",
    "169.254.1.1",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1%2",
    "ff02::1",
    "::ffff:127.0.0.1",
)


@pytest.mark.parametrize("address", HOME)
def test_addresses_that_lead_home(address: str):
    assert leads_home(address)


@pytest.mark.parametrize("address", ["10.0.0.5", "192.168.1.9", "93.184.216.34", "2001:db8::1", "::ffff:10.0.0.5"])
def test_addresses_that_lead_outside(address: str):
    assert not leads_home(address)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_nothing_is_connected_to_at_home(host: str):
    with pytest.raises(Rejected) as refused:
        asyncio.run(connect_outside(host, 22, lambda: pytest.fail("connected")))
    assert refused.value.reason is MeshRefusal.LEADS_HOME


def test_who_may_not_enter_a_namespace_says_so(monkeypatch):
    def cannot(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted", "setns")

    monkeypatch.setattr(foothold, "inside", cannot)
    with pytest.raises(Rejected) as refused:
        foothold.Foothold("/dev/null")
    assert refused.value.reason is MeshRefusal.NO_PRIVILEGE


def test_numbers_of_flows_begin_anew_and_are_not_given_twice():
    key = ed25519.SigningKey(b"k" * 32)
    sessions = Sessions(BpciSettings(bytes(32), key.public_key, bytes(16)), key)

    async def unused(*_: object) -> Any:
        raise AssertionError

    relay = Relay(Mesh("shop", "one"), sessions, unused, unused, unused, lambda _: None)
    relay._last = frames.FLOW_MAX - 1
    held = [relay._stream(b"peer", relay._unused(b"peer"), ours=True) for _ in range(2)]
    assert [one.number for one in held] == [frames.FLOW_MAX, 1]
    relay._last = frames.FLOW_MAX - 1
    assert relay._unused(b"peer") == 2
    held[1].leave()
    relay._last = frames.FLOW_MAX
    assert relay._unused(b"peer") == 1


def test_an_operators_call_is_read():
    body = msgspec.json.encode({"service": "web", "data": base64.b64encode(b"hello").decode()})
    asked, data = read_call(body)
    assert (asked.service, asked.port, asked.end, data) == ("web", 0, False, b"hello")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"service":"web","more":1}',
        b'{"service":"web","data":"!"}',
        b'{"service":"web","port":70000}',
        msgspec.json.encode({"service": "web", "data": base64.b64encode(bytes(SENT_MAX + 1)).decode()}),
    ],
)
def test_what_is_no_call_is_refused(body: bytes):
    with pytest.raises(Rejected) as refused:
        read_call(body)
    assert refused.value.reason is MeshRefusal.MALFORMED


def test_an_answer_is_cut_where_it_is_too_long_and_refused_where_nothing_came():
    async def play() -> None:
        collector, ear = Collector(b"hello", lambda _: None, end=True), Ear()
        flow = Carried(1, collector, ear, lambda _: None)
        flow.begin()
        assert ear.heard == [b"hello", "end"]
        collector.take(bytes(ANSWER_BYTES_MAX + 9))
        answer = await collector.answer()
        assert (len(answer.data), answer.cut) == (ANSWER_BYTES_MAX, True)
        assert ear.heard[-1] == MeshRefusal.IDLE
        collector = Collector(b"", lambda _: None, end=False)
        collector.refuse(MeshRefusal.NO_REPLICA, "web")
        with pytest.raises(Rejected) as refused:
            await collector.answer()
        assert refused.value.reason is MeshRefusal.NO_REPLICA
        collector = Collector(b"", lambda _: None, end=False)
        collector.reset(MeshRefusal.LOST.value)
        with pytest.raises(Rejected) as refused:
            await collector.answer()
        assert refused.value.reason is MeshRefusal.LOST

    asyncio.run(play())
