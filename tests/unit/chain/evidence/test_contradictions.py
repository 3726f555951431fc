"""Words for two values in one round, certificates that exclude each other or are denied, headers from elsewhere."""

from collections.abc import Iterator
from itertools import combinations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.chain.evidence.test_evidence import MEMBERS, X, Y, conflict, convicted, why_not
from tests.unit.chain.ibft.counterfeit import CHAIN, certificate, commit, content, validators, vote

from metanode.chain.evidence import (
    EvidenceRefusal,
    JustificationRefusal,
    evidence_claims,
    forgets,
    lunatic,
)
from metanode.primitives.bitmap import BitmapRefusal
from metanode.primitives.names import NO_HASH, Seat
from metanode.primitives.refusal import Rejected
from metanode.records.commit import BlsCommit, CommitRefusal, PreparedCertificate
from metanode.records.evidence import (
    Amnesia,
    ConflictingCertificates,
    ConflictingCommits,
    ContradictedCommit,
    Evidence,
    LunaticHeader,
    UnjustifiedProposal,
    accused_seats,
    evidence_height,
)
from metanode.records.header import HeaderRefusal, read_header
from metanode.records.vote import NO_ROUND, Justification, Vote, VoteKind, VoteRefusal

VALUES = (VoteKind.PROPOSAL, VoteKind.PREPARE, VoteKind.COMMIT)


def certificates(*, commits: tuple[BlsCommit, ...] = (), prepared: tuple[PreparedCertificate, ...] = ()) -> Evidence:
    return ConflictingCertificates(validators_hash=MEMBERS.hash, commits=commits, prepared=prepared)


def denied(word: BlsCommit, later: Vote) -> ContradictedCommit:
    return ContradictedCommit(validators_hash=MEMBERS.hash, commit=word, vote=later)


def from_elsewhere(header: bytes, *words: Vote | BlsCommit) -> LunaticHeader:
    votes = tuple(word for word in words if isinstance(word, Vote))
    commits = tuple(word for word in words if isinstance(word, BlsCommit))
    return LunaticHeader(validators_hash=MEMBERS.hash, header=header, votes=votes, commits=commits)


def round_change(seat: int, round_: int, prepared: int = NO_ROUND, hash_: bytes = NO_HASH, height: int = 1) -> Vote:
    attachment = NO_HASH if prepared == NO_ROUND else Y
    return vote(
        MEMBERS,
        VoteKind.ROUND_CHANGE,
        seat,
        hash_,
        round_=round_,
        height=height,
        prepared_round=prepared,
        attachment=attachment,
    )


@pytest.mark.parametrize(("first", "second"), list(combinations(VALUES, 2)))
def test_words_for_two_values_in_one_round_convict(first: VoteKind, second: VoteKind) -> None:
    """Who prepared one block and committed to another accepted two in one round."""
    crossed = conflict(vote(MEMBERS, first, 2, X, round_=1), vote(MEMBERS, second, 2, Y, round_=1))
    assert convicted(crossed) == [2]
    same = conflict(vote(MEMBERS, first, 2, X, round_=1), vote(MEMBERS, second, 2, X, round_=1))
    assert why_not(same) is EvidenceRefusal.NO_CONFLICT


def test_a_round_change_that_shows_another_value_in_the_round_of_the_commit_convicts() -> None:
    word = vote(MEMBERS, VoteKind.COMMIT, 3, X, round_=2)
    other = Amnesia(validators_hash=MEMBERS.hash, commit=word, round_change=round_change(3, 4, 2, Y))
    assert convicted(other) == [3]
    assert not forgets(word, round_change(3, 4, 2, X))
    assert not forgets(word, round_change(3, 4, 3, Y)), "prepared later with something else: that is allowed"


@pytest.mark.parametrize(("prepared", "hash_"), [(NO_ROUND, NO_HASH), (1, X), (0, Y), (2, Y)])
def test_a_seat_of_a_certificate_that_denies_it_later_is_convicted(prepared: int, hash_: bytes) -> None:
    word = commit(MEMBERS, [0, 1, 3], X, round_=2)
    assert convicted(denied(word, round_change(3, 4, prepared, hash_))) == [3]


@pytest.mark.parametrize("kind", VALUES)
def test_a_seat_of_a_certificate_that_spoke_for_another_value_is_convicted(kind: VoteKind) -> None:
    word = commit(MEMBERS, [0, 1, 3], X, round_=2)
    assert convicted(denied(word, vote(MEMBERS, kind, 3, Y, round_=2))) == [3]


def test_what_does_not_contradict_a_certificate() -> None:
    word = commit(MEMBERS, [0, 1, 3], X, round_=2)
    others = [
        round_change(2, 4),  # not one of its seats
        round_change(3, 2),  # entered the round before it committed there
        round_change(3, 1),
        round_change(3, 4, 2, X),
        round_change(3, 4, 3, Y),
        round_change(3, 4, height=2),
        vote(MEMBERS, VoteKind.PREPARE, 3, X, round_=2),
        vote(MEMBERS, VoteKind.PREPARE, 3, Y, round_=1),
        vote(MEMBERS, VoteKind.COMMIT, 3, Y, round_=3),
    ]
    assert {why_not(denied(word, other)) for other in others} == {EvidenceRefusal.NO_CONTRADICTION}


def test_a_certificate_that_is_none_convicts_nobody() -> None:
    later = round_change(3, 4)
    good = commit(MEMBERS, [0, 1, 3], X, round_=2)
    assert why_not(denied(commit(MEMBERS, [0, 3], X, round_=2), later)) is CommitRefusal.NO_QUORUM
    assert why_not(denied(msgspec.structs.replace(good, validator_bitmap=b"\x1b"), later)) is BitmapRefusal.EXCESS_BITS
    assert why_not(denied(good, msgspec.structs.replace(later, signature=b""))) is VoteRefusal.WRONG_WIDTH
    framed = msgspec.structs.replace(good, validator_bitmap=b"\x0e")
    assert convicted(denied(framed, round_change(2, 4))) == [], "a seat written into the bitmap of others"
    assert convicted(denied(good, msgspec.structs.replace(later, signature=bytes(64)))) == []


def test_a_commit_and_a_prepared_certificate_of_one_round_convict_who_is_in_both() -> None:
    word, shown = commit(MEMBERS, [0, 1, 2], X, round_=1), certificate(MEMBERS, [1, 2, 3], Y, round_=1)
    assert convicted(certificates(commits=(word,), prepared=(shown,))) == [1, 2]
    other = certificate(MEMBERS, [0, 2, 3], X, round_=1)
    assert convicted(certificates(prepared=(other, shown))) == [2, 3]


def test_aggregated_certificates_convict_too() -> None:
    """Above 16 seats nobody can tell the PREPAREs apart; every key has a proof of possession."""
    wide = validators(17)
    word, shown = commit(wide, list(range(12)), X), certificate(wide, list(range(5, 17)), Y)
    evidence = ConflictingCertificates(validators_hash=wide.hash, commits=(word,), prepared=(shown,))
    claims = evidence_claims(evidence, wide, CHAIN)
    assert (len(claims.signatures), len(claims.aggregates)) == (0, 2)
    assert list(accused_seats(evidence, len(wide))) == list(range(5, 12))


def test_certificates_that_do_not_exclude_each_other() -> None:
    word, shown = commit(MEMBERS, [0, 1, 2], X), certificate(MEMBERS, [1, 2, 3], Y)
    no_conflict = [
        certificates(commits=(word,), prepared=(certificate(MEMBERS, [1, 2, 3], X),)),
        certificates(commits=(word,), prepared=(certificate(MEMBERS, [1, 2, 3], Y, round_=1),)),
        certificates(prepared=(shown, shown)),
        certificates(commits=(word,)),
        certificates(prepared=(shown,)),
        certificates(commits=(word, commit(MEMBERS, [1, 2, 3], Y))),
        certificates(),
    ]
    assert {why_not(evidence) for evidence in no_conflict} == {EvidenceRefusal.NO_CONFLICT}
    short = msgspec.structs.replace(shown, validator_bitmap=b"\x06", proof=shown.proof[:2])
    assert why_not(certificates(commits=(word,), prepared=(short,))) is JustificationRefusal.BAD_CERTIFICATE
    higher = msgspec.structs.replace(shown, height=2)
    assert why_not(certificates(prepared=(shown, higher))) is JustificationRefusal.BAD_CERTIFICATE


def elsewhere() -> Iterator[bytes]:
    """Headers that say that they are of another chain, another height, another set, no seat."""
    yield content(MEMBERS, 0, chain_id=NO_HASH).header
    yield content(MEMBERS, 0, height=2).header
    yield content(validators(7), 0).header
    yield content(MEMBERS, 4).header


@pytest.mark.parametrize("header", list(elsewhere()))
def test_whoever_speaks_for_a_header_from_elsewhere_is_convicted(header: bytes) -> None:
    hash_ = read_header(header).hash
    assert lunatic(read_header(header), 1, MEMBERS, CHAIN)
    for kind in VALUES:
        assert convicted(from_elsewhere(header, vote(MEMBERS, kind, 2, hash_))) == [2]
    assert convicted(from_elsewhere(header, commit(MEMBERS, [0, 2, 3], hash_))) == [0, 2, 3]


def test_what_is_no_lunatic_header() -> None:
    here, strange = content(MEMBERS, 0).header, content(MEMBERS, 0, height=2).header
    word = vote(MEMBERS, VoteKind.PREPARE, 2, read_header(strange).hash)
    cases = [
        from_elsewhere(here, vote(MEMBERS, VoteKind.PREPARE, 2, read_header(here).hash)),
        from_elsewhere(strange, vote(MEMBERS, VoteKind.PREPARE, 2, X)),
        from_elsewhere(strange, vote(MEMBERS, VoteKind.PREPARE, 2, read_header(strange).hash, height=2)),
        from_elsewhere(strange, round_change(2, 4, 2, read_header(strange).hash)),
        from_elsewhere(strange),
        from_elsewhere(strange, word, commit(MEMBERS, [0, 1, 2], read_header(strange).hash)),
    ]
    assert {why_not(evidence) for evidence in cases} == {EvidenceRefusal.NOT_LUNATIC}
    assert why_not(from_elsewhere(strange[:-1], word)) is HeaderRefusal.WRONG_LENGTH


def one_of_each() -> list[Evidence]:
    strange = content(MEMBERS, 0, height=2).header
    hash_ = read_header(strange).hash
    return [
        conflict(vote(MEMBERS, VoteKind.PREPARE, 2, X), vote(MEMBERS, VoteKind.PREPARE, 2, Y)),
        Amnesia(
            validators_hash=MEMBERS.hash, commit=vote(MEMBERS, VoteKind.COMMIT, 2, X), round_change=round_change(2, 1)
        ),
        UnjustifiedProposal(
            validators_hash=MEMBERS.hash,
            proposal=vote(MEMBERS, VoteKind.PROPOSAL, 2, X, round_=1),
            justification=Justification(round_changes=(), certificates=()),
        ),
        ConflictingCommits(
            validators_hash=MEMBERS.hash, first=commit(MEMBERS, [0, 1, 2], X), second=commit(MEMBERS, [1, 2, 3], Y)
        ),
        certificates(commits=(commit(MEMBERS, [0, 1, 2], X),), prepared=(certificate(MEMBERS, [1, 2, 3], Y),)),
        denied(commit(MEMBERS, [0, 1, 2], X), round_change(2, 1)),
        from_elsewhere(strange, vote(MEMBERS, VoteKind.PREPARE, 2, hash_)),
        from_elsewhere(strange, commit(MEMBERS, [0, 1, 2], hash_)),
    ]


@pytest.mark.parametrize("evidence", one_of_each(), ids=lambda e: type(e).__name__)
def test_each_kind_holds_and_convicts_somebody(evidence: Evidence) -> None:
    assert convicted(evidence)
    assert evidence_height(evidence) == 1


@given(st.data())
def test_a_flipped_byte_convicts_nobody_else(data: st.DataObject) -> None:
    """Whatever is changed in a proof, it is refused, does not verify, or convicts the same seats: never somebody
    else."""
    evidence = data.draw(st.sampled_from(one_of_each()))
    encoded = bytearray(msgspec.msgpack.encode(evidence))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        changed = msgspec.msgpack.decode(bytes(encoded), type=Evidence, strict=True)
        seats = convicted(changed)
    except (Rejected, msgspec.MsgspecError, UnicodeDecodeError):
        return
    assert [Seat(seat) for seat in seats] in ([], list(accused_seats(evidence, len(MEMBERS))))
