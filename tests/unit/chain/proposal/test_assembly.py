"""Gathering a body: from the pool, from who proposed it, from anybody; and nothing but what the leaves name."""

from functools import cache

import pytest
from tests.unit.chain.samples import START_MS, Chain, transaction

from metanode.chain.mempool import Found, Lookup, read_transaction, signature_claims
from metanode.chain.proposal import (
    Answer,
    AskPeer,
    AskSeat,
    Assemble,
    Assembly,
    Blame,
    Bodies,
    CheckSignatures,
    Complete,
    Effect,
    Forget,
    Hold,
    Message,
    PeerDown,
    PeerUp,
    ProposalRefusal,
    Received,
    Release,
    SignaturesChecked,
    Tick,
    Unfit,
    WantBodies,
)
from metanode.chain.proposal.state import ASK_AGAIN_MS, HELD_MAX, SERVED_TIMES
from metanode.primitives.codec import encode
from metanode.primitives.names import Hash, Height, Seat
from metanode.records.block import Body, KnownTransaction
from metanode.records.proposal import ProposalContent, proposal_content
from metanode.records.transaction import SIGNED_TRANSACTIONS, SignedTransaction

SOURCE = Seat(2)
COUNT = 6
SIGNATURES = 100


@cache
def chain() -> Chain:
    made = Chain()
    return made.grow([transaction(made.chain_id, number) for number in range(COUNT)]).grow()


def known(position: int) -> KnownTransaction:
    return read_transaction(chain().blocks[0].body.transactions[position])


def name(height: int = 1) -> Hash:
    return chain().header(height).hash


def content(height: int = 1) -> ProposalContent:
    body = chain().blocks[height - 1].body
    leaves = [read_transaction(encoded).leaf for encoded in body.transactions]
    return proposal_content(chain().header(height), leaves, body.last_commit, ())


def want(*positions: int, height: int = 1) -> WantBodies:
    bitmap = sum(1 << position for position in positions).to_bytes(1, "little")
    return WantBodies(version=1, header_hash=name(height), positions=bitmap)


def bodies(*encoded: bytes) -> Bodies:
    return Bodies(version=1, header_hash=name(), transactions=encoded)


def complete() -> Complete:
    body = chain().blocks[0].body
    whole = Body(version=1, last_commit=(), evidence=(), transactions=body.transactions)
    return Complete(name(), whole, tuple(known(position) for position in range(COUNT)))


def begin(*found: int, peers: tuple[bytes, ...] = (b"a", b"b")) -> tuple[Assembly, list[Effect]]:
    """An assembly whose pool has these, and what it asks for then."""
    machine = Assembly()
    for peer in peers:
        assert machine.handle(PeerUp(peer)) == []
    leaves = tuple(known(position).leaf for position in range(COUNT))
    assert machine.handle(Assemble(START_MS, content(), name(), SOURCE, SIGNATURES)) == [Lookup(name(), leaves)]
    missing = tuple(leaf for position, leaf in enumerate(leaves) if position not in found)
    return machine, machine.handle(Found(name(), tuple(known(position) for position in found), missing))


def hear(machine: Assembly, message: Message, peer: bytes = b"a", now_ms: int = START_MS) -> list[Effect]:
    return machine.handle(Received(now_ms, peer, message))


def test_everything_is_in_the_pool() -> None:
    _, effects = begin(*range(COUNT))
    assert effects == [complete()]


def test_an_empty_block_is_complete_at_once() -> None:
    machine = Assembly()
    whole = Body(version=1, last_commit=content(2).last_commit, evidence=(), transactions=())
    assert machine.handle(Assemble(START_MS, content(2), name(2), SOURCE, SIGNATURES)) == [Complete(name(2), whole, ())]


def test_what_is_missing_is_asked_of_who_proposed_it() -> None:
    machine, effects = begin(0, 1, 2, 5)
    assert effects == [AskSeat(SOURCE, want(3, 4))]
    three, four = known(3), known(4)
    (check,) = hear(machine, bodies(four.encoded, three.encoded))
    assert check == CheckSignatures(1, (*signature_claims(four), *signature_claims(three)))
    assert machine.handle(SignaturesChecked(START_MS, 1, (True, True))) == [complete()]


def test_what_the_pool_is_still_checking_is_not_asked_for() -> None:
    machine = Assembly()
    machine.handle(Assemble(START_MS, content(), name(), SOURCE, SIGNATURES))
    early = tuple(known(position) for position in range(4))
    assert machine.handle(Found(name(), early, (known(4).leaf,))) == [AskSeat(SOURCE, want(4))]
    assert machine.handle(Found(name(), (known(5),), ())) == []
    hear(machine, bodies(known(4).encoded))
    assert machine.handle(SignaturesChecked(START_MS, 1, (True,))) == [complete()]


def test_answers_in_parts() -> None:
    machine, _ = begin()
    for position in range(COUNT):
        (check,) = hear(machine, bodies(known(position).encoded, known(position).encoded))
        assert check == CheckSignatures(position + 1, tuple(signature_claims(known(position))))
    for token in range(1, COUNT):
        assert machine.handle(SignaturesChecked(START_MS, token, (True,))) == []
    assert machine.handle(SignaturesChecked(START_MS, COUNT, (True,))) == [complete()]


def test_who_does_not_answer_is_passed_over() -> None:
    machine, effects = begin(0, 1, 2, 3, 4)
    ask = want(5)
    assert effects == [AskSeat(SOURCE, ask)]
    asked = []
    for period in range(1, 5):
        assert machine.handle(Tick(START_MS + period * ASK_AGAIN_MS - 1)) == []
        asked += machine.handle(Tick(START_MS + period * ASK_AGAIN_MS))
    assert asked == [AskPeer(b"b", ask), AskPeer(b"a", ask), AskPeer(b"b", ask), AskPeer(b"a", ask)]


def test_who_has_nothing_makes_room_for_the_next_but_not_for_a_quarrel() -> None:
    machine, _ = begin(0, 1, 2, 3, 4)
    assert hear(machine, bodies()) == [AskPeer(b"b", want(5))]
    assert hear(machine, bodies(), b"b") == [AskPeer(b"a", want(5))]
    assert hear(machine, bodies(), b"a") == [], "everybody was asked: wait for the next tick"


def test_without_peers_the_proposer_is_asked_again() -> None:
    machine, _ = begin(0, 1, 2, 3, 4, peers=())
    assert machine.handle(Tick(START_MS + ASK_AGAIN_MS)) == [AskSeat(SOURCE, want(5))]
    machine.handle(PeerUp(b"c"))
    assert machine.handle(Tick(START_MS + 2 * ASK_AGAIN_MS)) == [AskPeer(b"c", want(5))]
    machine.handle(PeerDown(b"c"))
    assert machine.handle(Tick(START_MS + 3 * ASK_AGAIN_MS)) == [AskSeat(SOURCE, want(5))]


@pytest.mark.parametrize("wrong", [transaction(b"\x01" * 32, 9), transaction(b"\x01" * 32, 5, signed=False), b"\xc1"])
def test_what_is_not_in_the_block_is_refused_and_its_sender_blamed(wrong: bytes) -> None:
    machine, _ = begin(0, 1, 2, 3)
    effects = hear(machine, bodies(known(4).encoded, wrong, known(5).encoded))
    blame, check = effects
    assert isinstance(blame, Blame)
    assert (blame.peer, blame.refusal) == (b"a", ProposalRefusal.NOT_ASKED_FOR)
    assert check == CheckSignatures(1, tuple(signature_claims(known(4)))), "what came before it counts"


def test_the_same_transaction_under_other_signatures_is_another_body() -> None:
    machine, _ = begin(0, 1, 2, 3, 4)
    garbled = transaction(chain().chain_id, 5, signed=False)
    assert read_transaction(garbled).identity == known(5).identity
    blame, again = hear(machine, bodies(garbled))
    assert isinstance(blame, Blame)
    assert again == AskPeer(b"b", want(5))


def test_a_leaf_that_names_a_bad_signature_makes_the_block_unfit() -> None:
    machine, _ = begin(0, 1, 2, 3)
    hear(machine, bodies(known(4).encoded, known(5).encoded))
    assert machine.handle(SignaturesChecked(START_MS, 1, (True, False))) == [
        Unfit(name(), ProposalRefusal.BAD_TRANSACTION, "a signature does not verify")
    ]
    assert machine.handle(Tick(START_MS + 10_000)) == []


def test_a_leaf_that_names_a_thousand_signatures_makes_the_block_unfit() -> None:
    signed = SIGNED_TRANSACTIONS.decode(known(0).encoded)
    many = encode(
        SignedTransaction(version=1, transaction=signed.transaction, authorizations=signed.authorizations * 17)
    )
    machine = Assembly()
    body = proposal_content(chain().header(1), [read_transaction(many).leaf], (), ())
    machine.handle(Assemble(START_MS, body, name(), SOURCE, SIGNATURES))
    machine.handle(Found(name(), (), (read_transaction(many).leaf,)))
    assert hear(machine, bodies(many)) == [Unfit(name(), ProposalRefusal.BAD_TRANSACTION, "17 signatures")]


def test_more_signatures_than_a_block_has_work_for_are_not_even_checked() -> None:
    """PROP-9. Otherwise one leader makes everybody check tens of thousands of them at a stretch."""
    machine = Assembly()
    machine.handle(Assemble(START_MS, content(), name(), SOURCE, 3))
    machine.handle(Found(name(), (known(5),), tuple(known(at).leaf for at in range(5))))
    assert [type(effect) for effect in hear(machine, bodies(known(0).encoded, known(1).encoded))] == [CheckSignatures]
    assert hear(machine, bodies(known(2).encoded, known(3).encoded)) == [
        Unfit(name(), ProposalRefusal.TOO_MANY, "1 signatures more than its work allows")
    ]


@pytest.mark.parametrize(
    "message",
    [
        Bodies(version=2, header_hash=name(), transactions=()),
        Bodies(version=1, header_hash=name(), transactions=(b"",) * 4_097),
        WantBodies(version=1, header_hash=name(), positions=b"\x40"),
        WantBodies(version=1, header_hash=name(), positions=b"\x01\x00"),
    ],
)
def test_messages_that_cannot_be(message: Message) -> None:
    machine, _ = begin(*range(COUNT))
    (blame,) = hear(machine, message)
    assert isinstance(blame, Blame)
    assert (blame.peer, blame.refusal) == (b"a", ProposalRefusal.MALFORMED)


def test_too_many_bytes_are_unfit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metanode.chain.proposal.machine.BLOCK_BYTES_MAX", 100)
    _, (unfit,) = begin(*range(COUNT))
    assert isinstance(unfit, Unfit)
    assert unfit.refusal is ProposalRefusal.TOO_LARGE


def test_asking_twice_for_the_same_block() -> None:
    machine, _ = begin(0, 1, 2, 3, 4)
    assert machine.handle(Assemble(START_MS, content(), name(), SOURCE, SIGNATURES)) == []
    hear(machine, bodies(known(5).encoded))
    assert machine.handle(SignaturesChecked(START_MS, 1, (True,))) == [complete()]
    assert machine.handle(Assemble(START_MS, content(), name(), SOURCE, SIGNATURES)) == [complete()]


def test_what_is_forgotten_is_not_waited_for() -> None:
    machine, _ = begin(0, 1, 2, 3, 4)
    hear(machine, bodies(known(5).encoded))
    machine.handle(Forget(name()))
    assert machine.handle(SignaturesChecked(START_MS, 1, (True,))) == []
    assert machine.handle(Tick(START_MS + 10_000)) == []
    assert hear(machine, bodies(known(5).encoded)) == []
    assert machine.handle(Found(name(), (known(5),), ())) == []


# --- helping others ---------------------------------------------------------------------------------------------------


def held(machine: Assembly) -> None:
    machine.handle(Hold(name(), Height(1), tuple(known(position) for position in range(COUNT))))


def test_handing_out_what_is_held() -> None:
    machine = Assembly()
    held(machine)
    assert hear(machine, want(1, 4)) == [Answer(b"a", (bodies(known(1).encoded, known(4).encoded),))]


def test_handing_out_what_was_gathered_so_far() -> None:
    machine, _ = begin(0, 1)
    assert hear(machine, want(1, 4)) == [Answer(b"a", (bodies(known(1).encoded),))]


def test_nothing_is_here_of_other_blocks() -> None:
    machine = Assembly()
    assert hear(machine, want(1)) == [Answer(b"a", (bodies(),))]


def test_a_peer_is_handed_a_block_a_few_times_only() -> None:
    machine = Assembly()
    held(machine)
    everything = (Answer(b"a", (bodies(*(known(position).encoded for position in range(COUNT))),)),)
    for _ in range(SERVED_TIMES):
        assert tuple(hear(machine, want(*range(COUNT)))) == everything
    assert hear(machine, want(*range(COUNT))) == [Answer(b"a", (bodies(),))]
    assert len(hear(machine, want(1), b"b")) == 1


def test_large_bodies_come_in_several_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metanode.chain.proposal.messages.BODIES_BYTES_MAX", 2 * len(known(0).encoded))
    machine = Assembly()
    held(machine)
    (answer,) = hear(machine, want(*range(COUNT)))
    assert isinstance(answer, Answer)
    assert [len(message.transactions) for message in answer.messages] == [2, 2, 2]


def test_a_held_block_is_complete_for_ourselves_too() -> None:
    machine = Assembly()
    held(machine)
    assert machine.handle(Assemble(START_MS, content(), name(), SOURCE, SIGNATURES)) == [complete()]


def test_decided_blocks_are_handed_out_for_one_more_height() -> None:
    machine = Assembly()
    held(machine)
    machine.handle(Release(Height(1)))
    (answer,) = hear(machine, want(1))
    assert answer == Answer(b"a", (bodies(known(1).encoded),))
    machine.handle(Release(Height(2)))
    assert hear(machine, want(1)) == [Answer(b"a", (bodies(),))]


def test_what_is_held_is_bounded() -> None:
    machine = Assembly()
    held(machine)
    for number in range(HELD_MAX):
        machine.handle(Hold(Hash(number.to_bytes(32, "big")), Height(1), ()))
    assert hear(machine, want(1)) == [Answer(b"a", (bodies(),))]
