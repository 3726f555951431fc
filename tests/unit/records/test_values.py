"""Amounts, addresses, headers, votes and certificates: their bytes, their digests, and what is refused."""

from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metanode.primitives.bitmap import encode as bitmap
from metanode.primitives.codec import encode
from metanode.primitives.digest import Tag
from metanode.primitives.names import NO_HASH, Hash, Height, Millis, Round, Seat
from metanode.primitives.refusal import Rejected
from metanode.records.address import AddressRefusal, read_address, show_address
from metanode.records.amount import AMOUNT_MAX, AmountRefusal, amount_bytes, amount_value
from metanode.records.commit import (
    BlsCommit,
    CommitRefusal,
    commit_hash,
    commit_seats,
    commit_signing_bytes,
    prepare_signing_bytes,
)
from metanode.records.genesis import check_validator
from metanode.records.header import HEADER_BYTES, Header, HeaderRefusal, read_header
from metanode.records.receipt import receipt_leaf
from metanode.records.validators import (
    ADDRESS_MAX,
    ADDRESSES_MAX,
    NAME_MAX,
    VALIDATOR_LISTS,
    VALIDATORS_MAX,
    ValidatorList,
    ValidatorSet,
)
from metanode.records.vote import (
    NO_ROUND,
    Justification,
    Vote,
    VoteKind,
    VoteRefusal,
    check_vote,
    justification_digest,
    seal_digest,
    vote_signing_bytes,
)
from metanode.sim.founding import validator

SET = ValidatorSet(tuple(validator(f"v{i}", i + 1) for i in range(4)))
HEADER = Header(
    1,
    Hash(b"c" * 32),
    Height(7),
    Millis(1_700_000_000_000),
    Seat(3),
    *[Hash(bytes([n]) * 32) for n in range(12)],
)
VOTE = Vote(
    version=1,
    kind=VoteKind.PREPARE,
    height=7,
    round=0,
    seat=1,
    header_hash=HEADER.hash,
    prepared_round=NO_ROUND,
    attachment=NO_HASH,
    seal=b"",
    signature=bytes(64),
)


@given(st.integers(0, AMOUNT_MAX))
def test_an_amount_has_one_form(value: int) -> None:
    assert amount_value(amount_bytes(value)) == value


def test_what_is_no_amount_is_refused() -> None:
    for data, reason in ((b"\0\1", AmountRefusal.NOT_MINIMAL), (b"\1" * 17, AmountRefusal.TOO_LARGE)):
        with pytest.raises(Rejected) as caught:
            amount_value(data)
        assert caught.value.reason == reason
    for value in (-1, AMOUNT_MAX + 1):
        with pytest.raises(Rejected) as caught:
            amount_bytes(value)
        assert caught.value.reason == AmountRefusal.TOO_LARGE


@given(st.binary(min_size=20, max_size=20), st.integers(0, 41), st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l"))
def test_an_address_reads_back_and_a_mistyped_one_does_not(address: bytes, place: int, letter: str) -> None:
    text = show_address(address)
    assert (len(text), read_address(text)) == (42, address)
    wrong = text[:place] + letter + text[place + 1 :]
    if wrong != text:
        with pytest.raises(Rejected):
            read_address(wrong)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("bc1" + "q" * 38, AddressRefusal.WRONG_PREFIX),
        ("bpi", AddressRefusal.WRONG_PREFIX),
        ("BPI1" + "q" * 38, AddressRefusal.BAD_CHARACTER),
        ("bpi1" + "b" * 38, AddressRefusal.BAD_CHARACTER),
        ("bpi1" + "q" * 37, AddressRefusal.WRONG_LENGTH),
        ("bpi1" + "q" * 200, AddressRefusal.WRONG_LENGTH),
        ("bpi1" + "q" * 38, AddressRefusal.BAD_CHECKSUM),
    ],
)
def test_what_is_no_address_is_refused(text: str, reason: AddressRefusal) -> None:
    with pytest.raises(Rejected) as caught:
        read_address(text)
    assert caught.value.reason == reason
    with pytest.raises(Rejected, match="20"):
        show_address(b"short")


def test_a_header_is_fixed_width_and_begins_with_its_tag() -> None:
    assert (len(HEADER.encoded), HEADER.encoded[:16]) == (HEADER_BYTES, Tag.HEADER.value)
    assert HEADER_BYTES == 16 + 2 + 32 + 8 + 8 + 4 + 12 * 32
    assert read_header(HEADER.encoded) == HEADER
    with pytest.raises(Rejected) as caught:
        read_header(HEADER.encoded[:-1])
    assert caught.value.reason == HeaderRefusal.WRONG_LENGTH
    with pytest.raises(Rejected) as caught:
        read_header(b"x" + HEADER.encoded[1:])
    assert caught.value.reason == HeaderRefusal.WRONG_TAG


def test_every_byte_of_a_header_is_in_its_hash() -> None:
    hashes = {HEADER.hash}
    for index in range(16, HEADER_BYTES):
        flipped = bytearray(HEADER.encoded)
        flipped[index] ^= 1
        hashes.add(read_header(bytes(flipped)).hash)
    assert len(hashes) == 1 + HEADER_BYTES - 16


def test_no_two_kinds_of_signed_bytes_share_a_beginning() -> None:
    place = (Hash(bytes(32)), SET.hash, Height(1), Round(0), NO_HASH)
    signed = (commit_signing_bytes(*place), prepare_signing_bytes(*place), vote_signing_bytes(place[0], SET.hash, VOTE))
    assert len({data[:16] for data in signed}) == 3


def test_a_vote_in_order_passes_and_all_others_are_refused() -> None:
    check_vote(VOTE)
    sealed = msgspec.structs.replace(VOTE, seal=b"s" * 96, attachment=seal_digest(b"s" * 96))
    check_vote(sealed)
    for field, value, reason in (
        ("kind", 9, VoteRefusal.UNKNOWN_KIND),
        ("version", 2, VoteRefusal.UNKNOWN_KIND),
        ("header_hash", b"", VoteRefusal.WRONG_WIDTH),
        ("signature", b"", VoteRefusal.WRONG_WIDTH),
        ("height", 0, VoteRefusal.WRONG_WIDTH),
        ("seat", -1, VoteRefusal.WRONG_WIDTH),
        ("round", NO_ROUND, VoteRefusal.WRONG_WIDTH),
        ("prepared_round", -1, VoteRefusal.WRONG_WIDTH),
        ("seal", b"s" * 96, VoteRefusal.WRONG_WIDTH),
    ):
        with pytest.raises(Rejected) as caught:
            check_vote(msgspec.structs.replace(VOTE, **{field: value}))
        assert caught.value.reason == reason, field


def test_an_empty_justification_is_zeros_and_no_other_is() -> None:
    assert justification_digest(Justification(round_changes=(), certificates=())) == NO_HASH
    assert justification_digest(Justification(round_changes=(VOTE,), certificates=())) != NO_HASH


def commit_of(seats: tuple[int, ...]) -> BlsCommit:
    return BlsCommit(
        version=1,
        height=7,
        round=0,
        header_hash=HEADER.hash,
        validator_bitmap=bitmap(seats, 4),
        aggregate_signature=bytes(96),
    )


def test_a_certificate_names_a_quorum() -> None:
    assert commit_seats(commit_of((0, 1, 3)), SET) == (0, 1, 3)
    assert commit_hash(()) == NO_HASH
    assert commit_hash((commit_of((0, 1, 2)),)) != commit_hash((commit_of((0, 1, 3)),))
    with pytest.raises(Rejected) as caught:
        commit_seats(commit_of((0, 1)), SET)
    assert caught.value.reason == CommitRefusal.NO_QUORUM
    with pytest.raises(Rejected) as caught:
        commit_seats(msgspec.structs.replace(commit_of((0, 1, 2)), header_hash=b""), SET)
    assert caught.value.reason == CommitRefusal.WRONG_WIDTH


@pytest.mark.parametrize(
    ("field", "value"),
    [("version", 2), ("height", 0), ("height", -1), ("height", 1 << 63), ("round", -1), ("round", 0xFFFF_FFFF)],
)
def test_a_certificate_has_numbers_that_can_be_signed(field: str, value: int) -> None:
    """Found by review: a round above 32 bits, in whatever a stranger sends, ended the node."""
    with pytest.raises(Rejected) as caught:
        commit_seats(msgspec.structs.replace(commit_of((0, 1, 2)), **{field: value}), SET)
    assert caught.value.reason == CommitRefusal.OUT_OF_RANGE


def test_a_set_is_hashed_in_seat_order_without_names_and_addresses() -> None:
    renamed = ValidatorSet(tuple(msgspec.structs.replace(v, name="x" + v.name, addresses=()) for v in SET.validators))
    turned = ValidatorSet(SET.validators[::-1])
    assert renamed.hash == SET.hash != turned.hash
    assert (SET.quorum, SET.faults) == (3, 1)


def test_the_largest_set_there_can_be_is_read_back() -> None:
    """Found by review: names and addresses were counted in characters, and a set of long ones could not be read."""
    seat = msgspec.structs.replace(
        SET.validators[0],
        bls_key=bytes(48),
        possession=bytes(96),
        name="é" * (NAME_MAX // 2),
        addresses=("é" * (ADDRESS_MAX // 2),) * ADDRESSES_MAX,
    )
    check_validator(seat)
    longest = ValidatorList(version=1, validators=(seat,) * VALIDATORS_MAX)
    assert VALIDATOR_LISTS.decode(encode(longest)) == longest
    for wrong in ({"name": seat.name + "é"}, {"addresses": (seat.addresses[0] + "éé",)}):
        with pytest.raises(Rejected):
            check_validator(msgspec.structs.replace(seat, **wrong))


def test_the_leaf_of_a_receipt_is_of_its_own_kind() -> None:
    data = b"the bytes of a receipt"
    assert receipt_leaf(data) == sha256(b"metanode.recept1" + data).digest()
