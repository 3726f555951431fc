"""The handshake: who gets in, who does not, and what exactly is bound."""

from collections.abc import Callable
from dataclasses import replace as changed
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.network.pump import CHAIN, NOW, Node, Pump, Tamper, allowed, cluster, signing_key, ups

from metanode.network.bpci import (
    AllowPeers,
    Blame,
    BpciRefusal,
    BytesArrived,
    Compute,
    Computed,
    Connected,
    Operation,
    PeerUp,
    Result,
    Role,
    Stream,
    Tick,
)
from metanode.network.bpci.compute import SignAll, Signatures, Verdicts
from metanode.network.bpci.handshake import _answered, _greeted, _statement
from metanode.network.bpci.messages import (
    HEADER_BYTES,
    Answer,
    Confirm,
    Credentials,
    Hello,
    Kind,
    decode_answer,
    decode_confirm,
    decode_hello,
    encode_word,
    handshake_frame,
)

Word: TypeAlias = Hello | Answer | Confirm
Change: TypeAlias = Callable[[Any], Word]
"""Takes the one kind of word that it is made for."""

LOW_ORDER = [
    bytes(32),
    (1).to_bytes(32, "little"),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    (2**255 - 20).to_bytes(32, "little"),
    (2**255 - 19).to_bytes(32, "little"),
    (2**255 - 18).to_bytes(32, "little"),
]


def kind_of(data: bytes) -> int:
    return data[4]


def rewrite(kind: Kind, change: Change) -> Tamper:
    """A man in the middle who re-encodes the open part of one word."""
    decoders: dict[Kind, Callable[[bytes], Word]] = {
        Kind.HELLO: decode_hello,
        Kind.ANSWER: decode_answer,
        Kind.CONFIRM: decode_confirm,
    }

    def tamper(_: str, data: bytes) -> bytes:
        if kind_of(data) != kind:
            return data
        return handshake_frame(kind, encode_word(change(decoders[kind](data[HEADER_BYTES:]))))

    return tamper


def refused(pump: Pump, by: str, reason: BpciRefusal) -> None:
    assert pump[by].blamed() == [reason]
    assert pump[by].closed() == [reason]
    assert all(not node.of(PeerUp) for node in pump.nodes.values())


def test_two_that_know_each_other_are_up_and_talk() -> None:
    pump = Pump("alice", "bob")
    near, far = pump.dial("alice", "bob")
    assert pump["alice"].of(PeerUp) == [PeerUp(pump["bob"].public, near, True, Role.VALIDATOR)]
    assert pump["bob"].of(PeerUp) == [PeerUp(pump["alice"].public, far, False, Role.VALIDATOR)]
    pump.send("alice", "bob", Stream.CONSENSUS, b"vote")
    pump.send("bob", "alice", Stream.GOSSIP, b"one", b"two")
    assert pump["bob"].delivered(Stream.CONSENSUS) == [b"vote"]
    assert pump["alice"].delivered(Stream.GOSSIP) == [b"one", b"two"]
    assert pump["alice"].blamed() == pump["bob"].blamed() == []


def test_a_dial_without_knowing_whom_is_possible() -> None:
    pump = Pump("alice", "bob")
    pump.dial("alice", "bob", hint=False)
    assert ups(pump["alice"]) == [pump["bob"].public]


def test_the_initiator_is_not_up_before_the_responder_spoke() -> None:
    pump = Pump("alice", "bob")
    pump.tamper = lambda name, data: data if kind_of(data) != Kind.CONTROL else b""
    pump.dial("alice", "bob")
    assert ups(pump["bob"]) == [pump["alice"].public]
    assert ups(pump["alice"]) == []


def test_another_genesis_is_refused() -> None:
    pump = Pump("alice", "bob", chains={"alice": bytes(32)})
    pump.dial("alice", "bob")
    refused(pump, "bob", BpciRefusal.WRONG_CHAIN)


def test_the_chain_is_in_the_transcript_not_only_in_the_greeting() -> None:
    pump = Pump("alice", "bob", chains={"alice": bytes(32)})
    pump.tamper = rewrite(Kind.HELLO, lambda hello: replace(hello, chain_id=CHAIN))
    pump.dial("alice", "bob")
    refused(pump, "alice", BpciRefusal.UNREADABLE_CREDENTIALS)


@pytest.mark.parametrize(
    ("kind", "change", "by"),
    [
        (Kind.HELLO, lambda hello: replace(hello, versions=(2, 9)), "bob"),
        (Kind.ANSWER, lambda answer: replace(answer, version=9), "alice"),
        (Kind.CONFIRM, lambda confirm: replace(confirm, version=9), "bob"),
    ],
)
def test_versions_that_are_not_shared_are_refused(kind: Kind, change: Change, by: str) -> None:
    pump = Pump("alice", "bob")
    pump.tamper = rewrite(kind, change)
    pump.dial("alice", "bob")
    refused(pump, by, BpciRefusal.UNKNOWN_VERSION)


def test_versions_cannot_be_taken_away_on_the_path() -> None:
    pump = Pump("alice", "bob")
    pump.tamper = rewrite(Kind.HELLO, lambda hello: replace(hello, versions=(1, 2)))
    pump.dial("alice", "bob")
    refused(pump, "alice", BpciRefusal.UNREADABLE_CREDENTIALS)


@pytest.mark.parametrize("skew_ms", [10_001, -10_001])
def test_clocks_far_apart_are_refused(skew_ms: int) -> None:
    pump = Pump("alice", "bob")
    pump.clock_of["alice"] = skew_ms
    pump.dial("alice", "bob")
    refused(pump, "bob", BpciRefusal.CLOCKS_APART)


@pytest.mark.parametrize("skew_ms", [10_000, -10_000])
def test_clocks_within_the_bound_are_fine(skew_ms: int) -> None:
    pump = Pump("alice", "bob")
    pump.clock_of["alice"] = skew_ms
    pump.dial("alice", "bob")
    assert ups(pump["alice"]) == [pump["bob"].public]


def recorded(pump: Pump, kind: Kind) -> list[bytes]:
    heard: list[bytes] = []

    def tamper(_: str, data: bytes) -> bytes:
        if kind_of(data) == kind:
            heard.append(data)
        return data

    pump.tamper = tamper
    return heard


def test_a_recorded_greeting_opens_nothing_twice() -> None:
    pump = Pump("alice", "bob")
    heard = recorded(pump, Kind.HELLO)
    pump.dial("alice", "bob")
    pump.tell("bob", Connected(901, False, b"", "mallory:1", NOW))
    pump.tell("bob", BytesArrived(901, heard[0], NOW))
    assert pump["bob"].blamed() == [BpciRefusal.SEEN_BEFORE]
    later = NOW + 20_001
    pump.tell("bob", Connected(902, False, b"", "mallory:1", later))
    pump.tell("bob", BytesArrived(902, heard[0], later))
    assert pump["bob"].blamed() == [BpciRefusal.SEEN_BEFORE, BpciRefusal.CLOCKS_APART]


def test_our_own_greeting_reflected_is_refused() -> None:
    pump = Pump("alice", "bob")
    heard = recorded(pump, Kind.HELLO)
    pump.dial("alice", "bob", run=False)
    while not heard:
        pump.step()
    pump.moving.clear()
    pump.tell("alice", Connected(901, False, b"", "mallory:1", NOW))
    pump.tell("alice", BytesArrived(901, heard[0], NOW))
    assert pump["alice"].blamed() == [BpciRefusal.REFLECTED]


def test_our_own_ephemeral_key_in_the_answer_is_refused() -> None:
    pump = Pump("alice", "bob")
    keys: list[bytes] = []

    def tamper(_: str, data: bytes) -> bytes:
        if kind_of(data) == Kind.HELLO:
            keys.append(decode_hello(data[HEADER_BYTES:]).exchange_public)
        if kind_of(data) == Kind.ANSWER:
            answer = replace(decode_answer(data[HEADER_BYTES:]), exchange_public=keys[0])
            return handshake_frame(Kind.ANSWER, encode_word(answer))
        return data

    pump.tamper = tamper
    pump.dial("alice", "bob")
    refused(pump, "alice", BpciRefusal.REFLECTED)


def test_who_reaches_himself_is_refused() -> None:
    pump = Pump("alice")
    pump.dial("alice", "alice", hint=False)
    assert BpciRefusal.REFLECTED in pump["alice"].blamed()
    assert pump["alice"].of(PeerUp) == []


@pytest.mark.parametrize("point", LOW_ORDER, ids=bytes.hex)
def test_low_order_points_are_refused_on_both_sides(point: bytes) -> None:
    pump = Pump("alice", "bob")
    pump.tamper = rewrite(Kind.HELLO, lambda hello: replace(hello, exchange_public=point))
    pump.dial("alice", "bob")
    refused(pump, "bob", BpciRefusal.UNSOUND_KEY)
    pump = Pump("alice", "bob")
    pump.tamper = rewrite(Kind.ANSWER, lambda answer: replace(answer, exchange_public=point))
    pump.dial("alice", "bob")
    refused(pump, "alice", BpciRefusal.UNSOUND_KEY)


def test_an_unreduced_kem_key_is_refused() -> None:
    pump = Pump("alice", "bob")
    pump.tamper = rewrite(Kind.HELLO, lambda hello: replace(hello, kem_public=b"\xff" * 1184))
    pump.dial("alice", "bob")
    refused(pump, "bob", BpciRefusal.UNSOUND_KEY)


def test_a_changed_kem_ciphertext_is_noticed() -> None:
    pump = Pump("alice", "bob")
    pump.tamper = rewrite(Kind.ANSWER, lambda answer: replace(answer, kem_ciphertext=bytes(1088)))
    pump.dial("alice", "bob")
    refused(pump, "alice", BpciRefusal.UNREADABLE_CREDENTIALS)


def test_a_stranger_is_refused_by_name() -> None:
    pump = Pump("alice", "bob")
    pump.tell("bob", AllowPeers((allowed("carol"),), NOW))
    pump.dial("alice", "bob")
    refused(pump, "bob", BpciRefusal.UNKNOWN_PEER)


def test_a_responder_outside_the_registry_is_refused() -> None:
    pump = Pump("alice", "bob")
    pump.tell("alice", AllowPeers((), NOW))
    pump.dial("alice", "bob")
    refused(pump, "alice", BpciRefusal.UNKNOWN_PEER)


def test_another_known_peer_than_dialled_is_refused() -> None:
    pump = Pump("alice", "bob", "carol")
    pump.moving.append(("bob", Connected(901, False, b"", "alice:1", NOW)))
    pump.moving.append(("alice", Connected(900, True, pump["carol"].public, "bob:1", NOW)))
    pump.ends["alice", 900], pump.ends["bob", 901] = ("bob", 901), ("alice", 900)
    pump.run()
    refused(pump, "alice", BpciRefusal.UNEXPECTED_PEER)


def test_another_cluster_than_registered_is_refused() -> None:
    pump = Pump("alice", "bob")
    pump.tell("bob", AllowPeers((changed(allowed("alice"), cluster=cluster("mallory")),), NOW))
    pump.dial("alice", "bob")
    refused(pump, "bob", BpciRefusal.WRONG_CLUSTER)


@pytest.mark.parametrize(("liar", "by"), [("alice", "bob"), ("bob", "alice")])
def test_an_identity_must_sign_the_transcript(liar: str, by: str) -> None:
    pump = Pump("alice", "bob")
    stolen = Signatures((signing_key("mallory").sign(b"x"),))
    pump.substitute = lambda name, op, result: stolen if name == liar and isinstance(op, SignAll) else result
    pump.dial("alice", "bob")
    refused(pump, by, BpciRefusal.FALSE_IDENTITY)
    blame = pump[by].effects[-2]
    assert isinstance(blame, Blame)
    assert blame.peer == pump[liar].public


def test_a_signature_of_one_role_does_not_serve_the_other() -> None:
    pump = Pump("alice", "bob")
    asked: list[bytes] = []

    def listen(_: str, operation: Operation, result: Result) -> Result:
        if isinstance(operation, SignAll):
            asked.extend(operation.messages)
        return result

    pump.substitute = listen
    pump.dial("alice", "bob")
    assert len(dict.fromkeys(asked)) == len(asked) == 2


@given(word=st.sampled_from([Kind.HELLO, Kind.ANSWER, Kind.CONFIRM]), at=st.integers(0), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_ends_the_handshake(word: Kind, at: int, bit: int) -> None:
    pump = Pump("alice", "bob")

    def tamper(_: str, data: bytes) -> bytes:
        if kind_of(data) != word:
            return data
        position = HEADER_BYTES + at % (len(data) - HEADER_BYTES)
        return data[:position] + bytes((data[position] ^ 1 << bit,)) + data[position + 1 :]

    pump.tamper = tamper
    pump.dial("alice", "bob")
    assert [ups(node) for node in pump.nodes.values()] == [[], []]
    assert [len(node.closed()) for node in pump.nodes.values()].count(1) == 1


def test_a_malformed_word_is_refused() -> None:
    for kind, by in ((Kind.HELLO, "bob"), (Kind.ANSWER, "alice"), (Kind.CONFIRM, "bob")):
        pump = Pump("alice", "bob")

        def tamper(_: str, data: bytes, kind: Kind = kind) -> bytes:
            return handshake_frame(kind, b"\x93") if kind_of(data) == kind else data

        pump.tamper = tamper
        pump.dial("alice", "bob")
        refused(pump, by, BpciRefusal.MALFORMED_HANDSHAKE)


def test_versions_out_of_order_are_malformed() -> None:
    pump = Pump("alice", "bob")
    pump.tamper = rewrite(Kind.HELLO, lambda hello: replace(hello, versions=(2, 1)))
    pump.dial("alice", "bob")
    refused(pump, "bob", BpciRefusal.MALFORMED_HANDSHAKE)


@pytest.mark.parametrize("kind", [Kind.ANSWER, Kind.CONFIRM, Kind.RECORD, Kind.CONTROL])
def test_the_first_word_is_a_greeting(kind: Kind) -> None:
    pump = Pump("bob")
    pump.tell("bob", Connected(7, False, b"", "mallory:1", NOW))
    stream = 1 if kind is Kind.RECORD else 0
    header = (1 << 20).to_bytes(4) if kind >= Kind.RECORD else bytes(4)
    pump.tell("bob", BytesArrived(7, header + bytes((kind, 0, stream, 0)) + bytes(8), NOW))
    assert pump["bob"].blamed() == [BpciRefusal.OUT_OF_TURN]


def test_nobody_speaks_while_the_other_computes() -> None:
    pump = Pump("alice", "bob")
    heard = recorded(pump, Kind.HELLO)
    pump.dial("alice", "bob", run=False)
    while not heard:
        pump.step()
    pump.tell("bob", BytesArrived(3, heard[0], NOW))
    assert BpciRefusal.OUT_OF_TURN in pump["bob"].blamed()


def test_unfinished_handshakes_are_capped_by_host_and_altogether() -> None:
    pump = Pump("bob", half_open_max=5, half_open_per_remote_max=3)
    for link in range(3):
        pump.tell("bob", Connected(link, False, b"", f"mallory:{link}", NOW))
    assert pump["bob"].effects == []
    pump.tell("bob", Connected(10, False, b"", "mallory:10", NOW))
    pump.tell("bob", Connected(11, False, b"", "trudy:1", NOW))
    pump.tell("bob", Connected(12, False, b"", "trudy:2", NOW))
    pump.tell("bob", Connected(13, False, b"", "eve:1", NOW))
    assert pump["bob"].blamed() == [BpciRefusal.TOO_MANY_HALF_OPEN] * 2
    assert [effect.link for effect in pump["bob"].of(Blame)] == [10, 13]
    pump.tell("bob", Tick(NOW + 5_001))
    assert pump["bob"].blamed()[2:] == [BpciRefusal.HANDSHAKE_TOO_SLOW] * 5
    pump.tell("bob", Connected(14, False, b"", "mallory:14", NOW + 5_001))
    assert len(pump["bob"].blamed()) == 7


def test_an_initiator_that_hears_nothing_gives_up() -> None:
    pump = Pump("alice")
    pump.tell("alice", Connected(1, True, signing_key("bob").public_key, "bob:1", NOW))
    pump.tell("alice", Tick(NOW + 5_000))
    assert pump["alice"].blamed() == []
    pump.tell("alice", Tick(NOW + 5_001))
    assert pump["alice"].blamed() == [BpciRefusal.HANDSHAKE_TOO_SLOW]


def test_the_effects_of_a_whole_handshake_are_these() -> None:
    pump = Pump("alice", "bob")
    near, far = pump.dial("alice", "bob")

    def shape(node: Node) -> list[str]:
        named = []
        for effect in node.effects:
            operation = f" {type(effect.operation).__name__}" if isinstance(effect, Compute) else ""
            named.append(type(effect).__name__ + operation)
        return named

    assert shape(pump["alice"]) == [
        "Compute FreshKeys",
        "Transmit",
        "Compute Agree",
        "Compute VerifyAll",
        "Compute SignAll",
        "Transmit",
        "PeerUp",
    ]
    assert shape(pump["bob"]) == [
        "Compute Encapsulate",
        "Compute SignAll",
        "Transmit",
        "Compute VerifyAll",
        "PeerUp",
        "Transmit",
    ]
    assert (near, far) == (2, 3)


def test_answers_to_closed_links_are_forgotten() -> None:
    pump = Pump("alice", "bob")
    pump.tell("alice", Computed(77, Verdicts((True,)), NOW))
    near, _ = pump.dial("alice", "bob", run=False)
    pump.step()
    pump.step()
    pump.cut("alice", near)
    assert all(node.machine.connected() == () for node in pump.nodes.values())


def test_words_carry_their_widths() -> None:
    hello = Hello(versions=(1,), chain_id=CHAIN, exchange_public=bytes(32), kem_public=bytes(1184), now_ms=NOW)
    answer = Answer(version=1, exchange_public=bytes(32), kem_ciphertext=bytes(1088), sealed=b"")
    confirm = Confirm(version=1, sealed=b"x")
    assert decode_hello(encode_word(hello)) == hello
    assert decode_answer(encode_word(answer)) == answer
    assert decode_confirm(encode_word(confirm)) == confirm


def test_what_an_identity_signs_binds_every_part() -> None:
    """BPCI-H6: one signature serves neither another role, nor another handshake, nor another pair."""
    one = Credentials(version=1, transport_key=b"a" * 32, cluster=b"c" * 16, now_ms=5, signature=bytes(64))
    other = replace(one, transport_key=b"b" * 32)
    said = {
        _statement(b"initiator", b"t" * 32, one, other),
        _statement(b"responder", b"t" * 32, one, other),
        _statement(b"initiator", b"u" * 32, one, other),
        _statement(b"initiator", b"t" * 32, other, one),
        _statement(b"initiator", b"t" * 32, replace(one, cluster=b"d" * 16), other),
        _statement(b"initiator", b"t" * 32, replace(one, now_ms=6), other),
        _statement(b"initiator", b"t" * 32, one, replace(other, cluster=b"d" * 16)),
        _statement(b"initiator", b"t" * 32, one, None),
    }
    assert len(said) == 8


def test_the_transcript_binds_every_word() -> None:
    """BPCI-H4."""
    said = {
        _greeted(b"c" * 32, b"hello"),
        _greeted(b"d" * 32, b"hello"),
        _greeted(b"c" * 32, b"hallo"),
        _answered(b"t" * 32, 1, b"e" * 32, b"k"),
        _answered(b"u" * 32, 1, b"e" * 32, b"k"),
        _answered(b"t" * 32, 2, b"e" * 32, b"k"),
        _answered(b"t" * 32, 1, b"f" * 32, b"k"),
        _answered(b"t" * 32, 1, b"e" * 32, b"l"),
    }
    assert len(said) == 8
