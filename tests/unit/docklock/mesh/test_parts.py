"""Names, DNS, messages, windows, turns, counters: each by itself."""

import struct
from dataclasses import replace

import pytest
from msgspec.structs import replace as changed
from tests.unit.docklock.mesh.switchboard import OPENING, WEB

from metanode.docklock.mesh import MeshRefusal, dns, frames
from metanode.docklock.mesh.counters import OTHERS, ROWS_MAX, Counters
from metanode.docklock.mesh.dns import A, Code, Question, Unanswerable, read_query, refuse, respond
from metanode.docklock.mesh.frames import DATA_BYTES_MAX, Kind
from metanode.docklock.mesh.names import addresses, cluster_id, service_of
from metanode.docklock.mesh.services import Replica, Turns
from metanode.docklock.mesh.window import CREDIT_STEP, MESSAGE_COST, WINDOW, Incoming, Outgoing
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected

# --- names ------------------------------------------------------------------------------------------------------------


def test_addresses_are_the_same_everywhere_and_of_the_mesh():
    found = addresses("shop", ("web", "db", "api.example.org"))
    assert found == addresses("shop", ("db", "api.example.org", "web", "db"))
    assert found == {"api.example.org": "127.95.172.114", "db": "127.89.121.17", "web": "127.76.2.85"}
    assert addresses("other", ("web",)) != {"web": found["web"]}


def test_no_two_names_have_one_address():
    names = [f"name-{number}" for number in range(6_000)]  # some four meet by chance
    found = addresses("shop", names)
    assert len(set(found.values())) == len(names)
    assert all(int(one.split(".")[0]) == 127 and 64 <= int(one.split(".")[1]) < 128 for one in found.values())


def test_a_service_has_three_names():
    assert [service_of(name, "shop") for name in ("web", "web.shop", "web.shop.mesh")] == ["web"] * 3
    assert [service_of(name, "shop") for name in ("web.mesh", "web.shop.mesh.x", "web.other.mesh")] == [""] * 3
    assert len(cluster_id("shop")) == 16
    assert cluster_id("shop") != cluster_id("main")


# --- DNS --------------------------------------------------------------------------------------------------------------


def query(
    name: bytes = b"\3WEB\4shop\0", kind: int = A, klass: int = 1, flags: int = 0x100, counts=(1, 0, 0, 0), more=b""
):
    return struct.pack(">HHHHHH", 7, flags, *counts) + name + struct.pack(">HH", kind, klass) + more


def test_a_question_is_read_and_answered():
    question = read_query(query())
    assert isinstance(question, Question)
    assert (question.number, question.name, question.kind) == (7, "web.shop", A)
    said = respond(question, Code.NO_ERROR, "127.64.0.9")
    assert said[:12] == struct.pack(">HHHHHH", 7, 0x8580, 1, 1, 0, 0)
    assert said[12:] == b"\3web\4shop\0\0\1\0\1" + b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4\x7f\x40\0\x09"
    assert respond(question, Code.NAME)[2:8] == b"\x85\x83\0\1\0\0"
    other = read_query(query(kind=28))
    assert isinstance(other, Question)
    assert respond(other, Code.NO_ERROR, "127.64.0.9")[2:8] == b"\x85\x80\0\1\0\0", "AAAA: there is none"
    edns = b"\0\0\x29\x10\0\0\0\0\0\0\0"
    assert isinstance(read_query(query(counts=(1, 0, 0, 1), more=edns)), Question)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (query(flags=0x0800), Code.NOT_IMPLEMENTED),
        (query(klass=3), Code.REFUSED),
        (query(counts=(2, 0, 0, 0)), Code.FORMAT),
        (query(counts=(0, 0, 0, 0)), Code.FORMAT),
        (query(counts=(1, 0, 0, 9)), Code.FORMAT),
        (query(more=b"x"), Code.FORMAT),
        (query(counts=(1, 0, 0, 1), more=b"\0\0\x29\x10\0\0\0\0\0\0\5"), Code.FORMAT),
        (query(b"\3we"), Code.FORMAT),
        (query(b"\x40" + b"a" * 64 + b"\0"), Code.FORMAT),
        (query(b"\1\xff\0"), Code.FORMAT),
        (query(b"\3a b\0"), Code.FORMAT),
        (query((b"\x3f" + b"a" * 63) * 4 + b"\0"), Code.FORMAT),
        (query(b"\xc0\x0c"), Code.FORMAT),
        (query(b"\1a\xc0\x0e"), Code.FORMAT),
        (query(b"\xc0"), Code.FORMAT),
        (query(more=b"\0" * 600), Code.FORMAT),
    ],
)
def test_what_is_no_query_gets_a_code(data: bytes, code: Code):
    wrong = read_query(data)
    assert isinstance(wrong, Unanswerable)
    assert wrong.code is code
    assert (refuse(wrong)[:2], refuse(wrong)[3] & 15, len(refuse(wrong))) == (b"\0\7", code, 12)


@pytest.mark.parametrize(("jumps", "kind"), [(2, Question), (16, Question), (17, Unanswerable)])
def test_pointers_lead_backwards_and_not_for_ever(jumps: int, kind: type):
    """A record whose content is a chain of pointers, each to the one before, and a record whose name is the last."""
    chain = b"".join(struct.pack(">H", 0xC000 | (12 if not one else 28 + 2 * one)) for one in range(jumps - 1))
    first = b"\0" + struct.pack(">HHIH", 16, 1, 0, len(chain)) + chain
    last = struct.pack(">H", 0xC000 | 28 + 2 * (jumps - 1)) + struct.pack(">HHIH", 16, 1, 0, 0)
    assert isinstance(read_query(query(b"\1a\0", counts=(1, 0, 0, 2), more=first + last)), kind)


def test_what_has_no_header_or_is_an_answer_is_not_answered():
    assert read_query(b"") is None
    assert read_query(query()[:11]) is None
    assert read_query(query(flags=0x8100)) is None
    assert dns.QUERY_BYTES_MAX == 512


# --- messages ---------------------------------------------------------------------------------------------------------


def test_messages_are_read_as_they_were_written():
    opened = frames.read(frames.write_opening(9, OPENING))
    assert (opened.kind, opened.flow, opened.ours, opened.opening) == (Kind.OPEN, 9, False, OPENING)
    assert frames.write(Kind.DATA, 5, b"hello", ours=False) == b"\4\1\0\0\0\5hello"
    assert frames.read(b"\4\1\0\0\0\5hello").data == b"hello"
    assert frames.read(frames.write_credit(5, 1 << 40, ours=True)).credit == 1 << 40
    assert frames.read(frames.write_code(Kind.RESET, 5, "mesh.idle", ours=True)).code == "mesh.idle"
    for kind in (Kind.ACCEPT, Kind.END):
        assert frames.read(frames.write(kind, 1, ours=False)) == frames.Message(kind, 1, ours=True)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\4\1\0\0\0",
        b"\0\0\0\0\0\1",
        b"\x08\0\0\0\0\1",
        b"\4\2\0\0\0\1x",
        b"\4\0\0\0\0\1",
        b"\4\0\0\0\0\1" + bytes(DATA_BYTES_MAX + 1),
        b"\2\0\0\0\0\1x",
        b"\5\0\0\0\0\1x",
        b"\3\0\0\0\0\1no code",
        b"\6\0\0\0\0\1",
        b"\7\0\0\0\0\1\0",
        b"\1\0\0\0\0\1\x90",
        frames.write(Kind.OPEN, 1, encode(OPENING), ours=False),
        frames.write(Kind.OPEN, 1, encode(OPENING) + b"\0", ours=True),
        frames.write_opening(1, changed(OPENING, version=2)),
        frames.write_opening(1, changed(OPENING, port=-1)),
        frames.write_opening(1, changed(OPENING, body=bytes(5_000))),
    ],
)
def test_what_is_no_message_is_refused(message: bytes):
    with pytest.raises(Rejected) as refused:
        frames.read(message)
    assert refused.value.reason is MeshRefusal.MALFORMED


# --- windows ----------------------------------------------------------------------------------------------------------


def test_what_may_be_under_way_is_bounded_and_a_message_costs_something():
    way = Outgoing()
    for _ in range(500):
        if way.is_open:
            way.spend(1)
    assert way.sent == WINDOW == 128 * MESSAGE_COST
    way.credit(MESSAGE_COST)
    assert way.is_open
    assert way.room == MESSAGE_COST


@pytest.mark.parametrize("total", [-1, 511, 1_113])
def test_a_credit_that_was_not_earned_is_refused(total: int):
    way = Outgoing()
    way.spend(600)
    way.spend(424)
    way.credit(512)
    with pytest.raises(Rejected) as refused:
        way.credit(total)
    assert refused.value.reason is MeshRefusal.FALSE_CREDIT


def test_a_sender_beyond_its_window_is_refused():
    way = Incoming()
    for _ in range(WINDOW // DATA_BYTES_MAX):
        way.receive(DATA_BYTES_MAX)
    with pytest.raises(Rejected) as refused:
        way.receive(1)
    assert refused.value.reason is MeshRefusal.FALSE_CREDIT


def test_credit_is_said_in_steps_of_what_was_taken():
    way = Incoming()
    way.receive(CREDIT_STEP - 1)
    way.taken = way.received
    assert not way.due()
    way.receive(1)
    assert not way.due(), "nobody has taken it"
    way.taken = way.received
    assert way.due()
    assert way.credit() == CREDIT_STEP - 1 + MESSAGE_COST
    assert not way.due()


# --- turns and counters -----------------------------------------------------------------------------------------------

THREE = tuple(Replica(index, 1, node) for index, node in enumerate(("one", "two", "one")))
NOBODY: frozenset[Replica] = frozenset()


def test_round_robin_takes_them_in_turn():
    turns, service = Turns(), replace(WEB, replicas=THREE)
    assert [turns.pick(service, NOBODY, "one", lambda _: 0) for _ in range(6)] == list(THREE) * 2
    assert turns.pick(service, frozenset(THREE), "one", lambda _: 0) is None


def test_least_connections_takes_the_idlest_of_several_in_turn():
    turns, service = Turns(), replace(WEB, replicas=THREE, balance="least-connections")
    load = {THREE[0]: 5, THREE[1]: 2, THREE[2]: 2}
    assert {turns.pick(service, NOBODY, "one", load.__getitem__) for _ in range(4)} == set(THREE[1:])
    assert turns.pick(service, frozenset(THREE[1:]), "one", load.__getitem__) == THREE[0]


def test_local_first_leaves_the_node_only_where_it_must():
    turns, service = Turns(), replace(WEB, replicas=THREE, balance="local-first")
    assert {turns.pick(service, NOBODY, "one", lambda _: 0) for _ in range(4)} == {THREE[0], THREE[2]}
    assert turns.pick(service, NOBODY, "nowhere", lambda _: 0) in THREE
    assert turns.pick(service, frozenset({THREE[0], THREE[2]}), "one", lambda _: 0) == THREE[1]


def test_rows_are_bounded():
    counters = Counters()
    for number in range(ROWS_MAX + 5):
        counters.row(f"s{number}", "n").opened += 1
    assert len(counters.rows()) == ROWS_MAX + 1
    assert counters.rows()[OTHERS].opened == 5
