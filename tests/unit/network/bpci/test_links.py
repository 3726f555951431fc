"""Peers that are cooled down, that leave, and two links between the same two."""

from tests.unit.network.pump import NOW, Node, Pump, allowed, joined, signing_key, ups

from metanode.network.bpci import (
    AllowPeers,
    BpciRefusal,
    Connected,
    LinkEnd,
    PeerDown,
    PeerUp,
    Punish,
    Role,
    Stream,
    Tick,
    Transmit,
)
from metanode.network.bpci.compute import VerifyAll


def test_a_punished_peer_is_cooled_down_twice_as_long_each_time() -> None:
    pump = joined("alice", "bob")
    pump.tell("bob", Punish(pump["alice"].public, "lied about a height", NOW))
    assert pump["bob"].blamed() == [BpciRefusal.PUNISHED]
    assert pump["bob"].of(PeerDown) == [PeerDown(pump["alice"].public, BpciRefusal.PUNISHED)]
    assert pump["alice"].of(PeerDown) == [PeerDown(pump["bob"].public, LinkEnd.LOST)]
    pump.now_ms = NOW + 29_999
    pump.dial("alice", "bob")
    assert pump["bob"].blamed()[1:] == [BpciRefusal.COOLING]
    pump.now_ms = NOW + 30_000
    pump.dial("alice", "bob")
    assert len(ups(pump["bob"])) == 2
    pump.tell("bob", Punish(pump["alice"].public, "again", pump.now_ms))
    pump.now_ms += 59_999
    pump.dial("alice", "bob")
    assert pump["bob"].blamed()[-1] == BpciRefusal.COOLING
    pump.now_ms += 1
    pump.dial("alice", "bob")
    assert len(ups(pump["bob"])) == 3


def test_a_peer_punished_while_absent_is_cooled_down_too() -> None:
    pump = Pump("alice", "bob")
    pump.tell("bob", Punish(pump["alice"].public, "sold an old key", NOW))
    pump.dial("alice", "bob")
    assert pump["bob"].blamed() == pump["bob"].closed() == [BpciRefusal.COOLING]
    assert ups(pump["bob"]) == ups(pump["alice"]) == []


def test_who_leaves_the_registry_is_closed() -> None:
    pump = joined("alice", "bob")
    pump.tell("bob", AllowPeers((allowed("carol", Role.OBSERVER),), NOW))
    assert pump["bob"].blamed() == [BpciRefusal.NO_LONGER_ALLOWED]
    assert pump["bob"].of(PeerDown) == [PeerDown(pump["alice"].public, BpciRefusal.NO_LONGER_ALLOWED)]


def test_who_leaves_the_registry_during_the_handshake_does_not_get_in() -> None:
    pump = Pump("alice", "bob")

    def substitute(name: str, operation: object, result: object) -> object:
        if name == "bob" and isinstance(operation, VerifyAll):
            pump.moving.appendleft(("bob", AllowPeers((), NOW)))
        return result

    pump.substitute = substitute  # type: ignore[assignment]
    pump.dial("alice", "bob")
    assert pump["bob"].blamed() == [BpciRefusal.NO_LONGER_ALLOWED]
    assert ups(pump["bob"]) == []


def lower_and_higher() -> tuple[str, str]:
    first, second = sorted(("alice", "bob"), key=lambda name: signing_key(name).public_key)
    return first, second


def test_two_that_dial_each_other_at_once_keep_the_lower_key_s_link() -> None:
    lower, higher = lower_and_higher()
    for first, second in ((lower, higher), (higher, lower)):
        pump = Pump("alice", "bob")
        links = {first: pump.dial(first, second, run=False), second: pump.dial(second, first, run=False)}
        pump.run()
        near, far = links[lower]
        assert pump[lower].machine.connected() == (pump[higher].public,)
        assert pump[higher].machine.connected() == (pump[lower].public,)
        pump.send(lower, higher, Stream.SYNC, b"hello")
        pump.send(higher, lower, Stream.SYNC, b"welcome")
        assert pump[higher].delivered(Stream.SYNC) == [b"hello"]
        assert pump[lower].delivered(Stream.SYNC) == [b"welcome"]
        transmitted = [e.link for e in pump[lower].effects if isinstance(e, Transmit)]
        assert transmitted[-1] == near
        assert all(node.blamed() == [] for node in pump.nodes.values())
        assert far in [e.link for e in pump[higher].effects if isinstance(e, PeerUp)]


def test_the_second_link_of_the_higher_key_is_a_duplicate() -> None:
    lower, higher = lower_and_higher()
    pump = Pump("alice", "bob")
    pump.dial(lower, higher)
    pump.dial(higher, lower, hint=False)
    assert pump[lower].closed() == [BpciRefusal.DUPLICATE_LINK]
    assert all(len(ups(node)) == 1 for node in pump.nodes.values())


def test_the_lower_key_s_later_link_replaces_the_higher_key_s() -> None:
    lower, higher = lower_and_higher()
    pump = Pump("alice", "bob")
    pump.dial(higher, lower)
    pump.dial(lower, higher, hint=False)
    assert [e.reason for e in pump[higher].of(PeerDown)] == [LinkEnd.REPLACED]
    assert all(len(ups(node)) == 2 and len(node.machine.connected()) == 1 for node in pump.nodes.values())


def test_a_dial_to_a_peer_that_is_up_or_being_dialled_is_not_begun() -> None:
    pump = Pump("alice", "bob")
    pump.tell("alice", Connected(900, True, pump["bob"].public, "bob:1", NOW))
    pump.tell("alice", Connected(901, True, pump["bob"].public, "bob:1", NOW))
    assert pump["alice"].closed() == [BpciRefusal.DUPLICATE_LINK]
    pump = joined("alice", "bob")
    pump.tell("alice", Connected(901, True, pump["bob"].public, "bob:1", NOW))
    assert pump["alice"].closed() == [BpciRefusal.DUPLICATE_LINK]


def test_who_dials_again_after_a_silent_break_replaces_the_dead_link() -> None:
    pump = joined("alice", "bob")
    link = pump["alice"].of(PeerUp)[0].link
    other, far = pump.ends.pop(("alice", link))
    pump.ends.pop((other, far))
    pump.tell("alice", Tick(NOW))
    fresh = Node(
        "alice", pump["alice"].settings, type(pump["alice"].machine)(pump["alice"].settings), pump["alice"].key
    )
    pump.nodes["alice"] = fresh
    pump.tell("alice", AllowPeers((allowed("bob"),), NOW))
    pump.dial("alice", "bob")
    assert [e.reason for e in pump["bob"].of(PeerDown)] == [LinkEnd.REPLACED]
    pump.send("alice", "bob", Stream.SYNC, b"back")
    assert pump["bob"].delivered(Stream.SYNC) == [b"back"]
