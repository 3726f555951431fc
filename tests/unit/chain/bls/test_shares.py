"""Shares into one sum: counterfeit here, with the real mathematics at the end."""

import pytest
from tests.unit.chain.ibft.counterfeit import CHAIN, aggregate, certificate, commit, validators

from metanode.chain.bls import ShareBuffer, commit_claim, has_seal, prepared_claim
from metanode.primitives import bls
from metanode.primitives.bitmap import BitmapRefusal
from metanode.primitives.names import Seat
from metanode.primitives.refusal import Rejected
from metanode.records.commit import BlsCommit, CommitRefusal
from metanode.records.vote import VoteKind

KEYS = tuple(bytes([i]) * 48 for i in range(7))
NOBODY: frozenset[Seat] = frozenset()


def buffer(*seats: int) -> ShareBuffer:
    made = ShareBuffer(b"message", KEYS, 5)
    for seat in seats:
        made.add(Seat(seat), bytes([seat]) * 96)
    return made


def test_nothing_is_asked_below_a_quorum_nor_twice() -> None:
    shares = buffer(0, 1, 2, 3)
    assert shares.ask() == ()
    shares.add(Seat(6), b"6" * 96)
    (request,) = shares.ask()
    assert request.seats == (0, 1, 2, 3, 6)
    assert request.keys == tuple(KEYS[s] for s in request.seats)
    assert shares.ask() == (), "one is out"
    assert shares.answered(b"sum", ()) == ()
    assert (shares.aggregate, shares.seats) == (b"sum", (0, 1, 2, 3, 6))
    assert shares.ask() == ()


def test_the_first_share_of_a_seat_counts() -> None:
    shares = buffer(0, 1, 2, 3, 4)
    shares.add(Seat(0), b"other" * 19)
    assert shares.ask()[0].shares[0] == bytes(96)


def test_bad_ones_are_named_dropped_and_not_taken_again() -> None:
    shares = buffer(0, 1, 2, 3, 4)
    shares.ask()
    assert shares.answered(b"", (1, 3)) == (1, 3)
    assert shares.ask() == ()
    shares.add(Seat(1), b"better" * 16)
    shares.add(Seat(5), b"5" * 96)
    assert shares.ask() == (), "four good ones: the liar has no second try"
    shares.add(Seat(6), b"6" * 96)
    assert shares.ask()[0].seats == (0, 2, 4, 5, 6)


def test_suspects_are_used_only_where_there_is_no_quorum_without_them() -> None:
    suspects = frozenset({Seat(0)})
    assert buffer(0, 1, 2, 3, 4).ask(suspects)[0].seats == (0, 1, 2, 3, 4)
    assert buffer(0, 1, 2, 3, 4, 5).ask(suspects)[0].seats == (1, 2, 3, 4, 5)


def test_a_third_of_bad_shares_is_found_in_one_request() -> None:
    shares = buffer(*range(7))
    shares.ask()
    assert shares.answered(b"", (5, 6)) == (5, 6)
    assert shares.ask()[0].seats == (0, 1, 2, 3, 4)


def test_no_improvement_is_asked_while_one_is_out() -> None:
    shares = buffer(0, 1, 2, 3, 4)
    shares.ask()
    shares.answered(b"sum", ())
    shares.add(Seat(5), b"5" * 96)
    assert len(shares.ask_again()) == 1
    shares.add(Seat(6), b"6" * 96)
    assert shares.ask_again() == ()


@pytest.mark.parametrize(("total", "bad"), [(b"", ()), (b"sum", (1,))])
def test_there_is_a_sum_only_of_shares_of_which_none_is_bad(total: bytes, bad: tuple[int, ...]) -> None:
    """Shares that cancel have no sum, and none of them is bad by itself."""
    shares = buffer(0, 1, 2, 3, 4)
    shares.ask()
    shares.answered(total, bad)
    assert (shares.aggregate, shares.seats) == (b"", ())


def test_a_sum_is_improved_by_late_shares_and_kept_when_they_are_bad() -> None:
    shares = buffer(0, 1, 2, 3, 4)
    assert shares.ask_again() == ()
    shares.ask()
    shares.answered(b"sum", ())
    assert shares.ask_again() == ()
    shares.add(Seat(5), b"5" * 96)
    assert shares.ask_again()[0].seats == (0, 1, 2, 3, 4, 5)
    assert shares.answered(b"", (5,)) == (5,)
    assert (shares.aggregate, shares.seats) == (b"sum", (0, 1, 2, 3, 4))
    shares.add(Seat(6), b"6" * 96)
    shares.ask_again()
    shares.answered(b"more", ())
    assert (shares.aggregate, shares.seats) == (b"more", (0, 1, 2, 3, 4, 6))


def test_who_carries_a_share() -> None:
    kinds = list(VoteKind)
    assert [k for k in kinds if has_seal(k, 16)] == [VoteKind.COMMIT]
    assert [k for k in kinds if has_seal(k, 17)] == [VoteKind.PREPARE, VoteKind.COMMIT]


def test_the_claim_of_a_commit() -> None:
    members = validators(4)
    keys, message, total = commit_claim(commit(members, [0, 1, 3], b"x" * 32), members, CHAIN)
    assert keys == tuple(members.bls_keys[s] for s in (0, 1, 3))
    assert total == aggregate(keys, message)


@pytest.mark.parametrize(
    ("bitmap", "reason"),
    [
        (b"\x17", BitmapRefusal.EXCESS_BITS),
        (b"", BitmapRefusal.WRONG_LENGTH),
        (b"\x07\x00", BitmapRefusal.WRONG_LENGTH),
        (b"\x03", CommitRefusal.NO_QUORUM),
    ],
)
def test_a_bitmap_that_is_none_makes_no_claim(bitmap: bytes, reason: object) -> None:
    members = validators(4)
    good = commit(members, [0, 1, 3], b"x" * 32)
    bent = BlsCommit(**{**{f: getattr(good, f) for f in BlsCommit.__struct_fields__}, "validator_bitmap": bitmap})
    with pytest.raises(Rejected) as refused:
        commit_claim(bent, members, CHAIN)
    assert refused.value.reason is reason


def test_the_claim_of_an_aggregated_certificate() -> None:
    members = validators(17)
    proof = certificate(members, list(range(12)), b"x" * 32)
    keys, message, total = prepared_claim(proof, members, CHAIN)
    assert keys == members.bls_keys[:12]
    assert total == aggregate(keys, message)


def test_with_the_real_mathematics() -> None:
    secrets = [(1000 + i).to_bytes(32, "big") for i in range(4)]
    keys = tuple(bls.public_key(secret) for secret in secrets)
    shares = ShareBuffer(b"message", keys, 3)
    for seat, secret in enumerate(secrets):
        shares.add(Seat(seat), bls.sign(secret, b"another" if seat == 1 else b"message"))
    (request,) = shares.ask()
    bad = tuple(bls.find_bad_shares(request.keys, request.message, request.shares))
    assert shares.answered(b"", bad) == (1,)
    (request,) = shares.ask()
    total = bls.aggregate(request.shares)
    assert bls.fast_aggregate_verify(request.keys, request.message, total)
    assert shares.answered(total, ()) == ()
    assert shares.seats == (0, 2, 3)
