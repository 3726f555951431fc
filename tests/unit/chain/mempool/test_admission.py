"""What comes in, and what is turned away."""

from collections.abc import Sequence

import pytest
from tests.unit.chain.mempool.desk import CHAIN_ID, NOW, AuthorityRefusal, Pool, known, name, tx
from tests.unit.chain.samples import Person, transaction

from metanode.chain.mempool import (
    BATCHES,
    Blame,
    CheckSignatures,
    Evicted,
    Found,
    Gossip,
    Gossiped,
    ItemOutcome,
    Lookup,
    Outcome,
    PeerDown,
    PeerUp,
    PoolLimits,
    PoolRefusal,
    PoolStatus,
    Shed,
    SignaturesChecked,
    Submitted,
    TransactionBatch,
    Waiting,
)
from metanode.chain.mempool.messages import BatchRefusal
from metanode.primitives.codec import CodecRefusal, encode
from metanode.records.parameters import Parameters
from metanode.records.transaction import SIGNED_TRANSACTIONS, Authorization, SignedTransaction, Transaction


def remade(encoded: bytes, authorizations: tuple[Authorization, ...] | None = None, **fields: object) -> bytes:
    """The same transaction with other fields, its signature kept."""
    signed = SIGNED_TRANSACTIONS.decode(encoded)
    old = signed.transaction
    unsigned = Transaction(**{**{f: getattr(old, f) for f in old.__struct_fields__}, **fields})
    kept = signed.authorizations if authorizations is None else authorizations
    return encode(SignedTransaction(version=1, transaction=unsigned, authorizations=kept))


def test_one_transaction_from_a_client() -> None:
    pool = Pool()
    pool.hold = True
    one = tx()
    (check,) = pool.machine.handle(Submitted(NOW, 7, (one,)))
    signed = SIGNED_TRANSACTIONS.decode(one)
    assert check == CheckSignatures(1, ((Person(0).key, name(one), signed.authorizations[0].signature),))
    assert pool.machine.handle(SignaturesChecked(NOW, 1, (True,))) == [
        Outcome(7, (ItemOutcome(name(one), "", "", known=False),)),
        Waiting(ready=True),
    ]
    assert pool.machine.status() == PoolStatus(
        transactions=1, bytes=len(one), senders=1, oldest_ms=NOW, accepted=1, evicted=0, checking=0
    )
    assert pool.machine.find(name(one)) == known(one)
    assert pool.machine.find(name(tx(1))) is None


def test_submitting_again_changes_nothing() -> None:
    pool = Pool()
    one = tx()
    pool.submit(one)
    again = [Outcome(1, (ItemOutcome(name(one), "", "", known=True),))]
    assert pool.submit(one) == again
    pool.final(known(one))
    assert pool.submit(one) == again
    assert pool.checked == 1


def test_the_same_one_twice_while_it_is_checked_is_checked_once() -> None:
    pool = Pool()
    pool.hold = True
    one = tx()
    assert pool.submit(one, one, request=1) == []
    assert pool.submit(one, request=2) == []
    accepted = ItemOutcome(name(one), "", "", known=False)
    assert pool.release() == [Outcome(1, (accepted, accepted)), Outcome(2, (accepted,)), Waiting(ready=True)]
    assert pool.checked == 1


def test_a_garbled_signature_cannot_shadow_the_true_one() -> None:
    pool = Pool()
    pool.hold = True
    one, garbled = tx(), tx(signed=False)
    assert name(one) == name(garbled)
    pool.submit(garbled, request=1)
    pool.submit(one, request=2)
    assert pool.release() == [
        Outcome(1, (ItemOutcome(name(one), PoolRefusal.BAD_SIGNATURE, "does not verify", known=False),)),
        Outcome(2, (ItemOutcome(name(one), "", "", known=False),)),
        Waiting(ready=True),
    ]


@pytest.mark.parametrize(
    ("encoded", "code"),
    [
        (b"", CodecRefusal.MALFORMED),
        (tx() + b"\0", CodecRefusal.MALFORMED),
        (transaction(b"\x02" * 32), PoolRefusal.WRONG_CHAIN),
        (remade(tx(), version=2), PoolRefusal.UNKNOWN_VERSION),
        (tx(memo="m" * 257), PoolRefusal.TOO_LARGE),
        (remade(tx(), calls=()), PoolRefusal.TOO_LARGE),
        (remade(tx(), calls=SIGNED_TRANSACTIONS.decode(tx()).transaction.calls * 65), PoolRefusal.TOO_LARGE),
        (remade(tx(), calls=SIGNED_TRANSACTIONS.decode(tx()).transaction.calls * 400), PoolRefusal.TOO_LARGE),
        (remade(tx(), sender=b"\x01" * 19), PoolRefusal.OUT_OF_RANGE),
        (tx(work_limit=100_001), PoolRefusal.OUT_OF_RANGE),
        (tx(work_limit=-1), PoolRefusal.OUT_OF_RANGE),
        (tx(nonce=-1), PoolRefusal.OUT_OF_RANGE),
        (tx(lane=16), PoolRefusal.WRONG_LANE),
        (remade(tx(), authorizations=()), PoolRefusal.BAD_AUTHORIZATIONS),
        (
            remade(tx(), authorizations=SIGNED_TRANSACTIONS.decode(tx()).authorizations * 2),
            PoolRefusal.BAD_AUTHORIZATIONS,
        ),
        (
            remade(tx(), authorizations=(Authorization(kind=2, key=bytes(32), signature=bytes(64)),)),
            PoolRefusal.BAD_AUTHORIZATIONS,
        ),
        (tx(expires_ms=NOW - 1_000), PoolRefusal.EXPIRED),
        (tx(expires_ms=NOW + 600_001), PoolRefusal.EXPIRES_TOO_LATE),
        (tx(nonce=1_025), PoolRefusal.NONCE_TOO_FAR),
        (tx(fee=1_001), PoolRefusal.FEE_NOT_COVERED),
        (
            remade(tx(), authorizations=(Authorization(kind=1, key=Person(1).key, signature=bytes(64)),)),
            AuthorityRefusal.STRANGER,
        ),
        (tx(signed=False), PoolRefusal.BAD_SIGNATURE),
    ],
)  # fmt: skip
def test_turned_away(encoded: bytes, code: str) -> None:
    pool = Pool()
    assert pool.codes(encoded) == [code]
    assert pool.machine.status().transactions == 0
    good = tx(5)
    assert pool.codes(good, encoded) == ["", code], "its neighbours in the batch are not"


def test_a_used_nonce() -> None:
    pool = Pool()
    pool.ledger.person(0).nonces[0] = 3
    assert pool.codes(tx(nonce=2), tx(nonce=3)) == [PoolRefusal.NONCE_USED, ""]


def test_the_minimum_fee() -> None:
    pool = Pool(Parameters(fee_min=5))
    assert pool.codes(tx(fee=4), tx(fee=5)) == [PoolRefusal.FEE_TOO_LOW, ""]


def test_fees_of_all_that_waits_must_be_covered() -> None:
    pool = Pool()
    assert pool.codes(tx(fee=600), tx(nonce=1, fee=400), tx(nonce=2, fee=1)) == ["", "", PoolRefusal.FEE_NOT_COVERED]


def test_replacement_pays_a_tenth_more() -> None:
    pool = Pool()
    old = tx(fee=100)
    assert pool.codes(old) == [""]
    assert pool.codes(tx(fee=100, memo="again"), tx(fee=109)) == [PoolRefusal.REPLACEMENT_TOO_CHEAP] * 2
    new = tx(fee=110)
    assert pool.submit(new) == [
        Evicted(((name(old), PoolRefusal.REPLACED, f"by {name(new).hex()}"),)),
        Outcome(1, (ItemOutcome(name(new), "", "", known=False),)),
    ]
    assert pool.select() == [known(new)]


def test_replacing_what_costs_nothing() -> None:
    pool = Pool()
    assert pool.codes(tx(), tx(memo="other"), tx(fee=1)) == ["", PoolRefusal.REPLACEMENT_TOO_CHEAP, ""]


def test_a_replacement_counts_once_against_what_the_sender_holds() -> None:
    pool = Pool()
    assert pool.codes(tx(fee=900), tx(fee=1_000)) == ["", ""]


def test_one_sender_has_its_limit() -> None:
    pool = Pool(sender_max=2)
    assert pool.codes(tx(), tx(nonce=1), tx(lane=1), tx(1)) == ["", "", PoolRefusal.SENDER_FULL, ""]
    assert pool.codes(tx(nonce=1, fee=1)) == [""], "a replacement takes no room"


def test_a_full_pool_keeps_what_pays_more() -> None:
    pool = Pool(count_max=4)
    cheap = [tx(number, fee=number) for number in range(4)]
    assert pool.codes(*cheap) == [""] * 4
    assert pool.codes(tx(5, fee=0)) == [PoolRefusal.FULL]
    effects = pool.submit(tx(6, fee=2))
    assert effects[0] == Evicted(((name(cheap[0]), PoolRefusal.CROWDED_OUT, "others pay more than 0"),))
    assert pool.codes(tx(7, fee=1)) == [PoolRefusal.FULL]
    assert sorted(k.signed.transaction.fee for k in pool.select()) == [b"\x01", b"\x02", b"\x02", b"\x03"]


def test_bytes_have_a_limit_too() -> None:
    one = tx()
    pool = Pool(bytes_max=2 * len(one))
    assert pool.codes(one, tx(1), tx(2)) == ["", "", PoolRefusal.FULL]


def test_crowding_out_takes_the_ends_of_lanes() -> None:
    pool = Pool(count_max=3)
    assert pool.codes(tx(fee=1), tx(nonce=1, fee=9), tx(nonce=2, fee=1)) == ["", "", ""]
    pool.submit(tx(1, fee=5))
    assert [k.signed.transaction.nonce for k in pool.select() if k.signed.transaction.sender == Person(0).address] == [
        0,
        1,
    ]


def test_too_much_at_once_is_refused_or_shed() -> None:
    pool = Pool(checking_max=1)
    pool.hold = True
    pool.submit(tx(0), tx(1), request=1)
    assert pool.gossip(b"peer", tx(2)) == [Shed(b"peer", 1)]
    (outcome, waiting) = pool.release()
    assert isinstance(outcome, Outcome)
    assert [item.code for item in outcome.items] == ["", PoolRefusal.FULL]
    assert waiting == Waiting(ready=True)


# --- gossip -----------------------------------------------------------------------------------------------------------


def gossiped(effects: Sequence[object]) -> list[tuple[tuple[bytes, ...], tuple[bytes, ...]]]:
    return [(e.peers, e.batch.transactions) for e in effects if isinstance(e, Gossip)]


def test_what_a_client_gives_goes_once_to_every_validator() -> None:
    pool = Pool()
    for peer, relays in ((b"a", True), (b"b", True), (b"observer", False)):
        assert pool.tell(PeerUp(peer, relays)) == []
    one, two = tx(), tx(1)
    assert gossiped(pool.submit(one, two, tx(2, signed=False))) == [((b"a", b"b"), (one, two))]
    assert gossiped(pool.submit(one)) == []


def test_what_a_validator_gives_is_not_passed_on_and_what_an_observer_gives_is() -> None:
    pool = Pool()
    for peer, relays in ((b"a", True), (b"b", True), (b"observer", False)):
        pool.tell(PeerUp(peer, relays))
    assert gossiped(pool.gossip(b"a", tx())) == []
    assert gossiped(pool.gossip(b"observer", tx(1))) == [((b"a", b"b"), (tx(1),))]
    pool.tell(PeerDown(b"b"))
    assert gossiped(pool.gossip(b"observer", tx(2))) == [((b"a",), (tx(2),))]
    assert gossiped(pool.gossip(b"a stranger now gone", tx(3))) == []


def test_an_observer_without_validators_tells_other_observers() -> None:
    pool = Pool()
    pool.tell(PeerUp(b"observer", relays=False))
    assert gossiped(pool.submit(tx())) == [((b"observer",), (tx(),))]


def test_a_validator_that_comes_back_hears_what_waits() -> None:
    pool = Pool()
    pool.submit(tx(), tx(1))
    assert gossiped(pool.tell(PeerUp(b"a", relays=True))) == [((b"a",), (tx(), tx(1)))]
    assert pool.tell(PeerUp(b"observer", relays=False)) == []


def test_a_peer_that_sends_what_no_honest_node_sends_is_blamed() -> None:
    pool = Pool()
    pool.tell(PeerUp(b"a", relays=True))
    for wrong, refusal in ((b"\xc1", CodecRefusal.MALFORMED), (transaction(b"\x02" * 32), PoolRefusal.WRONG_CHAIN)):
        (blame,) = pool.gossip(b"a", wrong, tx(5))
        assert isinstance(blame, Blame)
        assert (blame.peer, blame.refusal) == (b"a", refusal), "and the rest of the batch is not looked at"
    blamed = [e for e in pool.gossip(b"a", tx(signed=False), tx(1, signed=False)) if isinstance(e, Blame)]
    assert [b.refusal for b in blamed] == [PoolRefusal.BAD_SIGNATURE], "once a batch"
    assert pool.tell(PeerDown(b"a")) == []


def test_a_peer_is_not_blamed_for_what_may_have_been_true_where_it_is() -> None:
    pool = Pool()
    pool.ledger.person(0).nonces[0] = 1
    assert pool.gossip(b"a", tx(), tx(1, expires_ms=NOW - 1_000), tx(2, fee=2_000)) == []


@pytest.mark.parametrize(
    "batch",
    [
        TransactionBatch(version=1, transactions=()),
        TransactionBatch(version=2, transactions=(tx(),)),
        TransactionBatch(version=1, transactions=(b"",) * 4_097),
    ],
)
def test_a_batch_that_is_none(batch: TransactionBatch) -> None:
    pool = Pool()
    (blame,) = pool.gossip(b"a", *batch.transactions) if batch.version == 1 else _told(pool, batch)
    assert isinstance(blame, Blame)
    assert blame.refusal is BatchRefusal.TOO_MANY


def _told(pool: Pool, batch: TransactionBatch) -> list[object]:
    return list(pool.tell(Gossiped(NOW, b"a", batch)))


def test_batches_are_cut_by_bytes() -> None:
    pool = Pool(Parameters(memo_bytes_max=4_096), sender_max=4_096)
    pool.tell(PeerUp(b"a", relays=True))
    many = [tx(nonce=nonce, memo="m" * 4_000, signed=True) for nonce in range(150)]
    batches = [e.batch for e in pool.submit(*many) if isinstance(e, Gossip)]
    assert len(batches) == 2
    assert [t for batch in batches for t in batch.transactions] == many
    assert all(BATCHES.decode(encode(batch)) == batch for batch in batches)


# --- lookups ----------------------------------------------------------------------------------------------------------


def test_lookup_by_identity_and_signatures() -> None:
    pool = Pool()
    one, other = known(tx()), known(tx(signed=False))
    pool.submit(tx())
    token = name(tx(9))
    assert pool.tell(Lookup(token, (one.leaf, other.leaf, known(tx(1)).leaf))) == [
        Found(token, (one,), (other.leaf, known(tx(1)).leaf))
    ]


def test_what_is_being_checked_is_found_a_little_later() -> None:
    pool = Pool()
    pool.hold = True
    pool.submit(tx(), tx(1, signed=False), tx(2))
    token = name(tx(9))
    leaves = tuple(known(t).leaf for t in (tx(), tx(1, signed=False), tx(3)))
    assert pool.tell(Lookup(token, leaves)) == [Found(token, (), leaves[2:])]
    found = [e for e in pool.release() if isinstance(e, Found)]
    assert found == [Found(token, (known(tx()),), (leaves[1],))]


def test_lookups_that_wait_are_bounded() -> None:
    pool = Pool()
    pool.hold = True
    pool.submit(tx())
    leaf = known(tx()).leaf
    answers = [pool.tell(Lookup(name(tx(9, nonce=i)), (leaf,))) for i in range(65)]
    assert [len(answer) for answer in answers] == [1] * 64 + [2]
    assert answers[64][0] == Found(name(tx(9, nonce=0)), (), (leaf,))


def test_limits_are_the_operators() -> None:
    assert PoolLimits(count_max=1).sender_share == 16
    assert Pool().machine.status().transactions == 0
    assert CHAIN_ID == b"\x01" * 32
