"""Who learns whose address from whom, who dials when, and what is refused."""

import itertools
from collections import deque
from hashlib import sha256

import pytest
from msgspec.structs import replace
from tests.unit.network.pump import CHAIN, NOW, signing_key

from metanode.network.bpci import ENTROPY_BYTES, Compute, Computed, perform
from metanode.network.bpci.compute import Verdicts, VerifyAll
from metanode.network.discovery import (
    AddressRecord,
    Dial,
    Discovery,
    DiscoveryEffect,
    DiscoveryEvent,
    DiscoveryRefusal,
    DiscoverySettings,
    KnownPeers,
    Mistrust,
    PeerFell,
    PeerRose,
    Pulse,
    Received,
    Send,
)
from metanode.network.discovery.machine import BACKOFF_MAX_MS, COURTESY_MS, FUTURE_MS, STABLE_MS, UPDATE_PERIOD_MS
from metanode.network.discovery.messages import (
    RECORDS_MAX,
    Addresses,
    Known,
    decode_message,
    encode_message,
    pack_bits,
    record_digest,
    set_digest,
    unpack_bits,
)
from metanode.primitives.refusal import Rejected

NAMES = ("alice", "bob", "carol", "dave")
KEYS = {name: signing_key(name).public_key for name in (*NAMES, "mallory", *map(str, range(40)))}
ALL = tuple(KEYS[name] for name in NAMES)


def signed(name: str, sequence: int = NOW, *addresses: str, by: str = "") -> AddressRecord:
    record = AddressRecord(
        version=1,
        key=KEYS[name],
        sequence=sequence,
        addresses=addresses or (f"{name}:26600",),
        signature=bytes(64),
    )
    return replace(record, signature=signing_key(by or name).sign(record_digest(CHAIN, record)))


def told(*records: AddressRecord) -> bytes:
    return encode_message(Addresses(version=1, records=records))


class Net:
    """Discovery machines whose links are just there."""

    def __init__(self, *names: str, bootstrap: dict[str, tuple[str, ...]] | None = None, degree: int = 64) -> None:
        self.now_ms = NOW
        self.machines: dict[str, Discovery] = {}
        self.effects: dict[str, list[DiscoveryEffect]] = {}
        self.moving: deque[tuple[str, DiscoveryEvent]] = deque()
        for name in names:
            known = tuple((KEYS[other], f"{other}:26600") for other in (bootstrap or {}).get(name, ()))
            settings = DiscoverySettings(CHAIN, KEYS[name], (f"{name}:26600",), known, degree)
            self.machines[name] = Discovery(settings, sha256(name.encode()).digest())
            self.effects[name] = []

    def tell(self, name: str, event: DiscoveryEvent) -> list[DiscoveryEffect]:
        """Everything the machine asks for because of this, signatures done, messages not carried."""
        asked: list[DiscoveryEffect] = []
        for effect in self.machines[name].handle(event):
            asked.append(effect)
            if isinstance(effect, Compute):
                result = perform(effect.operation, signing_key(name), bytes(ENTROPY_BYTES))
                asked += self.tell(name, Computed(effect.token, result, event.now_ms))
        return asked

    def carry(self, name: str, event: DiscoveryEvent) -> None:
        """…and messages carried, until nothing moves."""
        self.moving.append((name, event))
        while self.moving:
            target, current = self.moving.popleft()
            for effect in self.tell(target, current):
                self.effects[target].append(effect)
                if isinstance(effect, Send):
                    other = next(n for n, key in KEYS.items() if key == effect.peer)
                    self.moving.append((other, Received(KEYS[target], effect.data, self.now_ms)))

    def know(self, keys: tuple[bytes, ...] = ALL) -> None:
        for name in self.machines:
            self.carry(name, KnownPeers(keys, self.now_ms))

    def link(self, first: str, second: str) -> None:
        self.moving.append((first, PeerRose(KEYS[second], self.now_ms)))
        self.carry(second, PeerRose(KEYS[first], self.now_ms))

    def dials(self, name: str, until_ms: int, step_ms: int = 50) -> list[tuple[int, str]]:
        found = []
        while self.now_ms < until_ms:
            effects = self.tell(name, Pulse(self.now_ms))
            found += [(self.now_ms - NOW, effect.address) for effect in effects if isinstance(effect, Dial)]
            self.now_ms += step_ms
        return found


def alone(known: tuple[bytes, ...] = ALL) -> Net:
    net = Net("alice")
    net.know(known)
    return net


def test_our_own_word_is_signed_once_the_set_is_known() -> None:
    net = Net("alice")
    asked = net.tell("alice", KnownPeers(ALL, NOW))
    assert [type(effect) for effect in asked] == [Compute]
    assert net.tell("alice", KnownPeers(ALL, NOW + 1)) == []
    assert net.machines["alice"].addresses(KEYS["alice"]) == ("alice:26600",)


def test_on_connecting_both_greet_with_their_record_and_the_vector() -> None:
    net = alone()
    own, vector = net.tell("alice", PeerRose(KEYS["bob"], NOW))
    order = sorted(ALL)
    bits = bytes((1 << order.index(KEYS["alice"]),))
    assert own == Send(KEYS["bob"], told(signed("alice")))
    assert vector == Send(KEYS["bob"], encode_message(Known(version=1, known_set=set_digest(tuple(order)), bits=bits)))


def test_addresses_spread_along_a_line() -> None:
    net = Net(*NAMES)
    net.know()
    for first, second in itertools.pairwise(NAMES):
        net.link(first, second)
    for name in NAMES:
        machine = net.machines[name]
        assert [machine.addresses(KEYS[other]) for other in NAMES] == [(f"{other}:26600",) for other in NAMES]
    assert not [e for effects in net.effects.values() for e in effects if isinstance(e, Mistrust)]


def test_who_joins_late_is_told_what_it_lacks() -> None:
    net = Net(*NAMES)
    net.know()
    net.link("alice", "bob")
    net.link("alice", "carol")
    net.link("alice", "dave")
    machine = net.machines["dave"]
    assert [machine.addresses(KEYS[other]) for other in NAMES] == [(f"{other}:26600",) for other in NAMES]


def test_a_lost_answer_is_asked_for_again() -> None:
    net = Net(*NAMES)
    net.know()
    for other in NAMES[1:]:
        net.link("alice", other)
    net.machines["bob"]._records.clear()
    net.now_ms += 10_000
    net.carry("bob", Pulse(net.now_ms))
    assert net.machines["bob"].addresses(KEYS["dave"]) == ("dave:26600",)


def test_news_goes_once_to_all_but_its_source_and_subject() -> None:
    net = alone()
    for peer in ("bob", "carol", "dave"):
        net.tell("alice", PeerRose(KEYS[peer], NOW))
    effects = net.tell("alice", Received(KEYS["bob"], told(signed("carol")), NOW))
    assert effects[1:] == [Send(KEYS["dave"], told(signed("carol")))]
    assert net.tell("alice", Received(KEYS["dave"], told(signed("carol")), NOW)) == []


def test_the_newer_word_wins_but_not_too_often() -> None:
    net = alone()
    peer = KEYS["bob"]
    net.tell("alice", Received(peer, told(signed("bob", NOW, "one:1")), NOW))
    net.tell("alice", Received(peer, told(signed("bob", NOW + 1, "two:2")), NOW + UPDATE_PERIOD_MS - 1))
    assert net.machines["alice"].addresses(peer) == ("one:1",)
    net.tell("alice", Received(peer, told(signed("bob", NOW + 1, "two:2")), NOW + UPDATE_PERIOD_MS))
    assert net.machines["alice"].addresses(peer) == ("two:2",)
    net.tell("alice", Received(peer, told(signed("bob", NOW, "one:1")), NOW + 9 * UPDATE_PERIOD_MS))
    assert net.machines["alice"].addresses(peer) == ("two:2",)


def test_records_of_strangers_and_of_ourselves_are_ignored() -> None:
    net = alone()
    net.tell("alice", Received(KEYS["bob"], told(signed("mallory"), signed("alice", NOW + 5, "elsewhere:1")), NOW))
    assert net.machines["alice"].addresses(KEYS["mallory"]) == ()
    assert net.machines["alice"].addresses(KEYS["alice"]) == ("alice:26600",)


def test_who_leaves_the_known_set_is_forgotten() -> None:
    net = alone()
    net.tell("alice", Received(KEYS["bob"], told(signed("bob")), NOW))
    net.tell("alice", KnownPeers((KEYS["alice"], KEYS["carol"]), NOW))
    assert net.machines["alice"].addresses(KEYS["bob"]) == ()
    assert net.dials("alice", NOW + 5_000) == []


def mistrusted(net: Net, data: bytes) -> list[DiscoveryRefusal]:
    effects = net.tell("alice", Received(KEYS["bob"], data, NOW))
    return [effect.reason for effect in effects if isinstance(effect, Mistrust) and effect.peer == KEYS["bob"]]


@pytest.mark.parametrize(
    "data", [b"", b"\x03", b"\x01", b"\x01\x92\x01\x90", b"\x02\x93\x01", told(signed("bob")) + b"x"]
)
def test_nonsense_is_its_sender_s_fault(data: bytes) -> None:
    assert mistrusted(alone(), data) == [DiscoveryRefusal.MALFORMED]


def test_more_records_than_fit_a_message_are_refused() -> None:
    records = tuple(signed(str(number)) for number in range(RECORDS_MAX + 1))
    assert mistrusted(alone(), told(*records)) == [DiscoveryRefusal.MALFORMED]


@pytest.mark.parametrize(
    "address",
    [
        "nohost",
        ":80",
        "host:",
        "host:0",
        "host:65536",
        "host:١",
        "ho st:1",
        "höst:1",
        "host:+1",
        "h\n:1",
        "host:000001",
    ],
)
def test_an_address_is_host_and_port(address: str) -> None:
    assert mistrusted(alone(), told(signed("bob", NOW, address))) == [DiscoveryRefusal.BAD_ADDRESS]


def test_our_own_addresses_are_checked_at_birth() -> None:
    with pytest.raises(Rejected) as caught:
        Discovery(DiscoverySettings(CHAIN, KEYS["alice"], ("nowhere",), ()), bytes(32))
    assert caught.value.reason == DiscoveryRefusal.BAD_ADDRESS


def test_an_address_somebody_else_signed_is_its_messenger_s_fault() -> None:
    net = alone()
    assert mistrusted(net, told(signed("carol", by="mallory"))) == [DiscoveryRefusal.FALSE_RECORD]
    assert net.machines["alice"].addresses(KEYS["carol"]) == ()


def test_an_address_of_another_chain_is_false() -> None:
    record = signed("carol")
    other = replace(record, signature=signing_key("carol").sign(record_digest(bytes(32), record)))
    assert mistrusted(alone(), told(other)) == [DiscoveryRefusal.FALSE_RECORD]


def test_a_word_from_the_future_could_never_be_replaced() -> None:
    net = alone()
    assert mistrusted(net, told(signed("bob", NOW + FUTURE_MS))) == []
    assert mistrusted(net, told(signed("carol", NOW + FUTURE_MS + 1))) == [DiscoveryRefusal.FROM_THE_FUTURE]


def test_a_vector_must_fit_its_set() -> None:
    for bits in (b"", bytes(2), b"\x10"):
        data = encode_message(Known(version=1, known_set=set_digest(tuple(sorted(ALL))), bits=bits))
        assert mistrusted(alone(), data) == [DiscoveryRefusal.MALFORMED]
    other = encode_message(Known(version=1, known_set=set_digest(ALL[:1]), bits=b"\x10"))
    assert mistrusted(alone(), other) == []


def test_vectors_are_answered_with_measure() -> None:
    net = alone()
    bob = KEYS["bob"]
    net.tell("alice", PeerRose(bob, NOW))
    asks = encode_message(Known(version=1, known_set=set_digest(tuple(sorted(ALL))), bits=b"\0"))
    assert net.tell("alice", Received(bob, asks, NOW)) == [Send(bob, told(signed("alice")))]
    assert net.tell("alice", Received(bob, asks, NOW + 1_999)) == []
    assert net.tell("alice", Received(bob, asks, NOW + 2_000)) == [Send(bob, told(signed("alice")))]
    assert net.tell("alice", Received(KEYS["carol"], asks, NOW + 2_000)) == []


def test_an_answer_holds_no_more_than_a_message_may() -> None:
    keys = tuple(KEYS[str(number)] for number in range(40))
    net = alone((*keys, KEYS["alice"]))
    for start in range(0, 40, 10):
        records = [signed(str(number)) for number in range(start, start + 10)]
        net.tell("alice", Received(keys[0], told(*records), NOW))
    net.tell("alice", PeerRose(keys[0], NOW))
    asks = encode_message(Known(version=1, known_set=set_digest(tuple(sorted((*keys, KEYS["alice"])))), bits=bytes(6)))
    [answer] = net.tell("alice", Received(keys[0], asks, NOW))
    assert isinstance(answer, Send)
    message = decode_message(answer.data)
    assert isinstance(message, Addresses)
    assert RECORDS_MAX - 1 <= len(message.records) <= RECORDS_MAX


def test_signatures_under_way_are_bounded() -> None:
    keys = tuple(KEYS[str(number)] for number in range(40))
    net = alone(keys)
    asked = 0
    for _ in range(20):
        for effect in net.machines["alice"].handle(Received(keys[0], told(*map(signed, map(str, range(16)))), NOW)):
            assert isinstance(effect, Compute)
            assert isinstance(effect.operation, VerifyAll)
            asked += len(effect.operation.items)
    assert asked == 256


def test_the_second_of_two_answers_about_one_peer_changes_nothing() -> None:
    net = alone()
    machine = net.machines["alice"]
    [first] = machine.handle(Received(KEYS["bob"], told(signed("carol")), NOW))
    [second] = machine.handle(Received(KEYS["dave"], told(signed("carol")), NOW))
    assert isinstance(first, Compute)
    assert isinstance(second, Compute)
    for asked in (first, second, first):
        assert machine.handle(Computed(asked.token, Verdicts((True,)), NOW)) == []


# Dialling


def lower_and_higher() -> tuple[str, str]:
    first, second = sorted(("alice", "bob"), key=KEYS.__getitem__)
    return first, second


def test_the_lower_key_dials_at_once_the_higher_a_moment_later() -> None:
    lower, higher = lower_and_higher()
    net = Net("alice", "bob", bootstrap={"alice": ("bob",), "bob": ("alice",)})
    net.know()
    assert net.dials(lower, NOW + 100)[0] == (0, f"{higher}:26600")
    net.now_ms = NOW
    assert net.dials(higher, NOW + 2_000)[0][0] == COURTESY_MS


def test_redials_grow_apart_up_to_a_bound_with_jitter() -> None:
    lower, higher = lower_and_higher()
    net = Net("alice", "bob", bootstrap={lower: (higher,)})
    net.know()
    times = [at for at, _ in net.dials(lower, NOW + 600_000)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    for attempt, gap in enumerate(gaps):
        full = min(500 << attempt, BACKOFF_MAX_MS)
        assert full // 2 <= gap <= full + 50
    assert len(dict.fromkeys(gaps[6:])) > 3


def test_the_seed_alone_decides_the_jitter() -> None:
    lower, higher = lower_and_higher()
    runs = []
    for _ in range(2):
        net = Net("alice", "bob", bootstrap={lower: (higher,)})
        net.know()
        runs.append(net.dials(lower, NOW + 60_000))
    assert runs[0] == runs[1]


def test_addresses_are_tried_in_turn() -> None:
    lower, higher = lower_and_higher()
    net = Net(lower, bootstrap={lower: (higher,)})
    net.know()
    net.tell(lower, Received(KEYS[higher], told(signed(higher, NOW, "one:1", "two:2")), NOW))
    tried = [address for _, address in net.dials(lower, NOW + 10_000)]
    assert tried[:4] == ["one:1", "two:2", f"{higher}:26600", "one:1"]


def test_connected_peers_are_not_dialled_and_fallen_ones_are() -> None:
    lower, higher = lower_and_higher()
    net = Net(lower, bootstrap={lower: (higher,)})
    net.know()
    net.tell(lower, PeerRose(KEYS[higher], NOW))
    assert net.dials(lower, NOW + STABLE_MS) == []
    net.tell(lower, PeerFell(KEYS[higher], net.now_ms))
    assert STABLE_MS <= net.dials(lower, net.now_ms + 1_000)[0][0] <= STABLE_MS + 550


def test_a_peer_that_throws_us_out_is_not_hammered() -> None:
    lower, higher = lower_and_higher()
    net = Net(lower, bootstrap={lower: (higher,)})
    net.know()
    dials = []
    for _ in range(1_200):
        for effect in net.tell(lower, Pulse(net.now_ms)):
            if isinstance(effect, Dial):
                dials.append(net.now_ms)
                net.tell(lower, PeerRose(KEYS[higher], net.now_ms))
                net.tell(lower, PeerFell(KEYS[higher], net.now_ms))
        net.now_ms += 50
    assert len(dials) < 10


def test_a_new_address_is_tried_soon() -> None:
    lower, higher = lower_and_higher()
    net = Net(lower, bootstrap={lower: (higher,)})
    net.know()
    net.dials(lower, NOW + 120_000)
    net.tell(lower, Received(KEYS[higher], told(signed(higher, NOW, "moved:9")), net.now_ms))
    assert net.dials(lower, net.now_ms + 100)[0][1] == "moved:9"


def test_no_more_are_dialled_than_the_degree_asks() -> None:
    net = Net("alice", bootstrap={"alice": ("bob", "carol", "dave")}, degree=2)
    net.know()
    net.tell("alice", PeerRose(KEYS["bob"], NOW))
    net.tell("alice", PeerRose(KEYS["carol"], NOW))
    assert net.dials("alice", NOW + 5_000) == []
    net.tell("alice", PeerFell(KEYS["carol"], net.now_ms))
    assert net.dials("alice", net.now_ms + 3_000) != []


def test_bits_survive() -> None:
    for count in range(20):
        flags = tuple(i % 3 == 0 for i in range(count))
        assert unpack_bits(pack_bits(flags), count) == flags
