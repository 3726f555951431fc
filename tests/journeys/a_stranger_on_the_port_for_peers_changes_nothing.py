"""Whatever comes to the port for peers that is no peer, or no good one: turned away by code, and blocks go on."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Self

import pytest
from tests.journeys.caller import Caller, Guise, dial, is_hung_up, node_key
from tests.journeys.town import House, Town, change_setting, town, until
from tests.journeys.traffic import Traffic, check_agreement, check_nothing_lost

from metanode.host.development import create_network
from metanode.host.tcp import LINKS_MAX, CarrierRefusal
from metanode.network.bpci import BpciRefusal, Stream
from metanode.network.bpci.machine import HALF_OPEN_PER_REMOTE_MAX
from metanode.network.bpci.messages import HEADER, HEADER_BYTES, Hello, Kind, decode_hello, handshake_frame
from metanode.node.talk import Letter
from metanode.primitives.codec import CodecRefusal, encode
from metanode.records.genesis import genesis_hash

GUEST, RUDE = "guest", "rude"
"""Nodes that every operator lets follow."""
RESIDENT_BYTES_MAX = 250 << 20
HOSTS = [f"127.0.0.{number}" for number in range(2, 22)]
"""Addresses of this machine: to a node they are as many hosts."""


@dataclass
class Scene:
    """A running town with traffic on it; strangers come to its first node."""

    nodes: Town
    traffic: Traffic

    @property
    def door(self) -> House:
        return self.nodes[0]

    def guise(self, name: str) -> Guise:
        """Somebody with the development key of this name, as it should be."""
        key = node_key(name)
        return Guise(key, key, self.nodes.chain_id, self.nodes.chain_id[:16])

    def blamed(self) -> dict[str, float]:
        """By code: what was blamed on whoever came."""
        return {label[len('{kind="') : -2]: n for label, n in self.door.metrics("metanode_blamed_total").items()}

    def await_blame(self, before: dict[str, float], expected: dict[str, int]) -> None:
        """The counters go up by exactly this, and the log has a line for each, naming the code and saying why."""

        def seen() -> bool:
            after = self.blamed()
            return all(after.get(code, 0) - before.get(code, 0) >= count for code, count in expected.items())

        until(seen, 10, f"blamed: {expected}, is {self.blamed()}, was {before}")
        after = self.blamed()
        assert {code: n - before.get(code, 0) for code, n in after.items() if n != before.get(code, 0)} == expected
        assert all(line["detail"] for line in self.door.logged("blame")), "it says why"
        until(lambda: all(self.told(code) == after[code] for code in expected), 15, "all is in the log, or counted")

    def told(self, code: str) -> int:
        """How many blames of a code the log tells of: each in a line, and those beyond some folded into one."""
        lines = [*self.door.logged("blame"), *(x for x in self.door.logged("folded") if x["of"] == "blame")]
        return sum(int(line.get("count", 1)) for line in lines if line["reason"] == code)

    def check_all_is_well(self) -> None:
        """Its peers are there, and what is sent now becomes final."""
        assert self.door.metric("metanode_peers") == 3
        self.traffic.await_count(3, 30)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with town(tmp_path_factory.mktemp("peers"), start=False) as nodes:
        nodes.open_to(GUEST, RUDE)
        nodes.start()
        traffic = Traffic(nodes, senders=20, seed=808, pause_s=0.1).fund()
        until(lambda: nodes[0].metric("metanode_peers") == 3, 20, "all are linked")
        with traffic:
            yield Scene(nodes, traffic)
        traffic.drain(nodes[0])
        assert traffic.refusals == {}
        last = max(house.height() for house in nodes.houses)
        nodes.await_height(last, 20)
        for house in nodes.houses:
            check_nothing_lost(traffic.ledger, house)
            assert house.evidence() == (), "whoever it was, no validator is accused"
        check_agreement(nodes.houses, last)


def frame(kind: int, length: int, stream: int = 0, body: bytes = b"") -> bytes:
    return HEADER.pack(length, kind, 0, stream, 0, 0) + body


def of_a_later_version(data: bytes) -> bytes:
    """A greeting that offers nothing this node speaks."""
    hello = decode_hello(data[HEADER_BYTES:])
    fields = {name: getattr(hello, name) for name in Hello.__struct_fields__}
    return handshake_frame(Kind.HELLO, encode(Hello(**{**fields, "versions": (9,)})))


THROWN = {
    "noise": (b"\xc1" * 64, BpciRefusal.MALFORMED_FRAME),
    "a web browser": (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", BpciRefusal.MALFORMED_FRAME),
    "a greeting that says it is a megabyte": (frame(Kind.HELLO, 1 << 20), BpciRefusal.TOO_LONG),
    "a greeting that is none": (frame(Kind.HELLO, 40, body=bytes(40)), BpciRefusal.MALFORMED_HANDSHAKE),
    "a record before any greeting": (frame(Kind.RECORD, 1 << 20, 1), BpciRefusal.OUT_OF_TURN),
    "the last word first": (frame(Kind.CONFIRM, 40, body=bytes(40)), BpciRefusal.OUT_OF_TURN),
}


@pytest.mark.parametrize("what", THROWN)
def test_bytes_that_are_no_greeting_are_turned_away(scene, what):
    data, code = THROWN[what]
    before = scene.blamed()
    for _ in range(3):
        with dial(scene.nodes, 0) as plug:
            plug.sendall(data)
            assert is_hung_up(plug)
    scene.await_blame(before, {code: 3})
    scene.check_all_is_well()


Change = Callable[[Scene, Guise], Guise]
STRANGERS: dict[str, tuple[str, Change, BpciRefusal]] = {
    "a key that nobody knows": ("nobody", lambda _, guise: guise, BpciRefusal.UNKNOWN_PEER),
    "a peer of another genesis": (GUEST, lambda _, guise: replace(guise, chain_id=bytes(32)), BpciRefusal.WRONG_CHAIN),
    "a known key of another cluster": (
        GUEST,
        lambda _, guise: replace(guise, cluster=bytes(16)),
        BpciRefusal.WRONG_CLUSTER,
    ),
    "a clock a minute ahead": (GUEST, lambda _, guise: replace(guise, clock_ms=60_000), BpciRefusal.CLOCKS_APART),
    "a validator's name under another's hand": (
        "validator-1",
        lambda _, guise: replace(guise, hand=node_key("nobody")),
        BpciRefusal.FALSE_IDENTITY,
    ),
}


@pytest.mark.parametrize("who", STRANGERS)
def test_whoever_is_no_peer_is_turned_away(scene, who):
    name, change, code = STRANGERS[who]
    before = scene.blamed()
    for _ in range(3):
        with Caller(scene.nodes, 0, change(scene, scene.guise(name))) as caller:
            assert caller.is_turned_away()
            assert not caller.up
    scene.await_blame(before, {code: 3})
    scene.check_all_is_well()


def test_a_version_nobody_speaks_and_a_recorded_greeting_are_turned_away(scene):
    before = scene.blamed()
    with Caller(scene.nodes, 0, scene.guise(GUEST), tamper=of_a_later_version) as caller:
        assert caller.is_turned_away()
    with Caller(scene.nodes, 0, scene.guise(GUEST)) as caller:
        recorded = caller.greet().sent[0]
    with dial(scene.nodes, 0) as plug:
        plug.sendall(recorded)
        assert is_hung_up(plug)
    scene.await_blame(before, {BpciRefusal.UNKNOWN_VERSION: 1, BpciRefusal.SEEN_BEFORE: 1})
    scene.check_all_is_well()


def flipped(data: bytes) -> bytes:
    """The last record with one bit of its seal changed."""
    return data[:-1] + bytes([data[-1] ^ 1])


BROKEN: dict[str, tuple[Callable[[Caller], None], BpciRefusal]] = {
    "a flipped bit": (lambda c: break_with(c, flipped), BpciRefusal.FORGED_RECORD),
    "a frame of no type": (lambda c: c.throw(frame(9, 4, body=bytes(4))), BpciRefusal.MALFORMED_FRAME),
    "a frame above a megabyte": (lambda c: c.throw(frame(Kind.RECORD, (1 << 20) + 1, 1)), BpciRefusal.TOO_LONG),
    "a greeting inside": (lambda c: c.throw(frame(Kind.HELLO, 4, body=bytes(4))), BpciRefusal.OUT_OF_TURN),
}


def break_with(caller: Caller, tamper: Callable[[bytes], bytes]) -> None:
    caller.tamper = tamper
    caller.say(Stream.SYNC, bytes([200]))


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_frame_ends_a_good_session_and_the_peer_may_come_again(scene, what):
    """BPCI-R3: anybody on the path can flip a bit, so the peer is not punished for it."""
    spoil, code = BROKEN[what]
    before = scene.blamed()
    with Caller(scene.nodes, 0, scene.guise(GUEST)) as caller:
        spoil(caller.greet())
        assert caller.is_turned_away()
    scene.await_blame(before, {code: 1})
    with Caller(scene.nodes, 0, scene.guise(GUEST)) as caller:
        caller.greet()
        until(lambda: scene.door.metric("metanode_peers") == 4, 10, "it is a peer again")
    until(lambda: scene.door.metric("metanode_peers") == 3, 10, "it is gone")
    scene.check_all_is_well()


def test_a_record_that_comes_twice_is_dropped_and_the_session_stays(scene):
    before = scene.blamed()
    with Caller(scene.nodes, 0, scene.guise(GUEST)) as caller:
        caller.greet().say(Stream.SYNC, bytes([200]))
        for _ in range(3):
            caller.throw(caller.sent[-1])
        scene.await_blame(before, {BpciRefusal.REPLAYED: 3})
        strange = scene.door.metric("metanode_letters_unknown_total")
        caller.say(Stream.SYNC, bytes([200]))
        until(lambda: scene.door.metric("metanode_letters_unknown_total") > strange, 10, "it is still listened to")
        assert not caller.over
    scene.check_all_is_well()


def test_a_peer_that_says_what_no_honest_one_says_is_punished_and_turned_away_for_a_while(scene):
    """BPCI-A2."""
    before = scene.blamed()
    with Caller(scene.nodes, 0, scene.guise(RUDE)) as caller:
        caller.greet().say(Stream.SYNC, bytes([Letter.SYNC]) + b"\xc1")
        assert caller.is_turned_away()
    with Caller(scene.nodes, 0, scene.guise(RUDE)) as caller:
        assert caller.is_turned_away()
        assert not caller.up
    scene.await_blame(before, {CodecRefusal.MALFORMED: 1, BpciRefusal.PUNISHED: 1, BpciRefusal.COOLING: 1})
    scene.check_all_is_well()


def test_half_a_handshake_held_open_is_cut_off(scene):
    """BPCI-H10."""
    before = scene.blamed()
    with ExitStack() as held:
        plugs = [held.enter_context(dial(scene.nodes, 0)) for _ in range(4)]
        plugs[1].sendall(frame(Kind.HELLO, 1_300)[:7])
        plugs[2].sendall(frame(Kind.HELLO, 1_300, body=bytes(1_000)))
        plugs[3].sendall(frame(Kind.HELLO, 1_300))
        began = time.monotonic()
        scene.traffic.await_count(3, 30)
        assert all(is_hung_up(plug) for plug in plugs)
        assert time.monotonic() - began < 8.0
    scene.await_blame(before, {BpciRefusal.HANDSHAKE_TOO_SLOW: 4})
    scene.check_all_is_well()


class Flood:
    """A thread that keeps every place of a node taken: connections of many hosts that say nothing, opened again as soon
    as they are closed."""

    def __init__(self, nodes: Town, a_host: int) -> None:
        self._nodes, self._a_host = nodes, a_host
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.opened = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(30)

    def _run(self) -> None:
        held: list[tuple[str, socket.socket]] = []
        while not self._stopping.is_set():
            open_ = [(host, plug) for host, plug in held if not is_hung_up(plug, 0.0001)]
            for host, plug in held:
                if (host, plug) not in open_:
                    plug.close()
            held = open_
            for host in HOSTS:
                for _ in range(self._a_host - sum(one == host for one, _ in held)):
                    held.append((host, dial(self._nodes, 0, host)))
                    self.opened += 1
        for _, plug in held:
            plug.close()


def test_a_flood_of_connections_keeps_no_peer_away(scene):
    """BPCI-H10: each host has few places, all together as many as there are; peers are dialled beside them."""
    before = scene.blamed()
    scene.nodes.kill(3)
    until(lambda: scene.door.metric("metanode_peers") == 2, 20, "one is away")
    with Flood(scene.nodes, HALF_OPEN_PER_REMOTE_MAX + 2) as flood:
        until(lambda: scene.blamed().get(CarrierRefusal.TOO_MANY_LINKS, 0) > 50, 20, "the places are taken")
        scene.nodes.start(3)
        until(lambda: scene.door.metric("metanode_peers") == 3, 20, "it is dialled, and linked, meanwhile")
        scene.traffic.await_count(20, 30)
        assert scene.door.metrics("metanode_host")['{kind="resident_bytes"}'] < RESIDENT_BYTES_MAX
        assert flood.opened > LINKS_MAX
    after = scene.blamed()
    codes = {code for code, count in after.items() if count != before.get(code, 0)}
    assert {BpciRefusal.TOO_MANY_HALF_OPEN, CarrierRefusal.TOO_MANY_LINKS} <= codes
    assert codes <= {
        BpciRefusal.TOO_MANY_HALF_OPEN,
        CarrierRefusal.TOO_MANY_LINKS,
        BpciRefusal.HANDSHAKE_TOO_SLOW,
        BpciRefusal.DUPLICATE_LINK,
    }
    lines: list[dict[str, Any]] = [
        x for x in scene.door.logged("blame") if x["reason"] == CarrierRefusal.TOO_MANY_LINKS
    ]
    assert 0 < len(lines) < 60, "a line a second, not one a connection"
    many = CarrierRefusal.TOO_MANY_LINKS
    until(lambda: scene.told(many) == scene.blamed()[many], 15, "every one is counted")
    scene.check_all_is_well()


def test_a_real_node_of_another_genesis_finds_no_peer_here(scene, tmp_path):
    """The same keys and addresses, another chain: its operator took the wrong genesis."""
    network = create_network(tmp_path / "other", 4, scene.nodes.base + 8, "another")
    assert genesis_hash(network.genesis) != scene.nodes.chain_id
    foreign = House(network.nodes[1])
    change_setting(foreign, "network.peers", f'["{scene.nodes.peer(0)}"]')
    before = scene.blamed()
    foreign.start()
    try:
        until(
            lambda: scene.blamed().get(BpciRefusal.WRONG_CHAIN, 0) > before.get(BpciRefusal.WRONG_CHAIN, 0), 20, "seen"
        )
        assert foreign.metric("metanode_peers") == 0
        assert foreign.status().light.colour == "red"
        assert foreign.height() == 0
    finally:
        foreign.kill()
    lines = [line for line in scene.door.logged("blame") if line["reason"] == BpciRefusal.WRONG_CHAIN]
    assert genesis_hash(network.genesis).hex()[:16] in lines[-1]["detail"], "the log names its chain"
    scene.check_all_is_well()
