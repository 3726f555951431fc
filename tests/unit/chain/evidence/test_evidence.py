"""What convicts and what does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.chain.ibft.counterfeit import (
    CHAIN,
    certificate,
    check_aggregates,
    check_signatures,
    commit,
    content,
    validators,
    vote,
)
from tests.unit.chain.ibft.test_round_change import change, hash_of, proposal

from metanode.chain import ibft
from metanode.chain.evidence import (
    EvidenceRefusal,
    JustificationRefusal,
    certificate_claims,
    certificate_votes,
    check_certificate,
    check_justification,
    check_round_change_vote,
    check_seat,
    evidence_claims,
    justification_claims,
)
from metanode.primitives.bitmap import BitmapRefusal
from metanode.primitives.codec import encode
from metanode.primitives.names import NO_HASH
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.commit import PreparedCertificate
from metanode.records.evidence import (
    EVIDENCE,
    Amnesia,
    ConflictingCommits,
    ConflictingVotes,
    Evidence,
    UnjustifiedProposal,
    accused_seats,
)
from metanode.records.vote import NO_ROUND, Justification, Vote, VoteKind

MEMBERS = validators(4)
X, Y = b"x" * 32, b"y" * 32


def conflict(first: Vote, second: Vote) -> ConflictingVotes:
    return ConflictingVotes(validators_hash=MEMBERS.hash, first=first, second=second)


def amnesia(word: Vote, later: Vote) -> Amnesia:
    return Amnesia(validators_hash=MEMBERS.hash, commit=word, round_change=later)


def unjustified(message: ibft.Proposal) -> UnjustifiedProposal:
    return UnjustifiedProposal(validators_hash=MEMBERS.hash, proposal=message.vote, justification=message.justification)


def convicted(evidence: Evidence) -> list[int]:
    """Whom it convicts, all claims checked, through its bytes."""
    again = EVIDENCE.decode(encode(evidence))
    claims = evidence_claims(again, MEMBERS, CHAIN)
    proved = all(check_signatures(claims.signatures)) and all(check_aggregates(claims.aggregates))
    return list(accused_seats(again, len(MEMBERS))) if proved else []


def why_not(evidence: Evidence) -> Refusal:
    with pytest.raises(Rejected) as refused:
        evidence_claims(evidence, MEMBERS, CHAIN)
    return refused.value.reason


@pytest.mark.parametrize("kind", list(VoteKind))
def test_two_words_for_one_step_convict(kind: VoteKind) -> None:
    assert convicted(conflict(vote(MEMBERS, kind, 2, X, round_=1), vote(MEMBERS, kind, 2, Y, round_=1))) == [2]


def test_votes_that_do_not_conflict() -> None:
    word = vote(MEMBERS, VoteKind.PREPARE, 2, X)
    others = [
        word,
        vote(MEMBERS, VoteKind.PREPARE, 1, Y),
        vote(MEMBERS, VoteKind.PREPARE, 2, Y, round_=1),
        vote(MEMBERS, VoteKind.PREPARE, 2, Y, height=2),
        vote(MEMBERS, VoteKind.COMMIT, 2, X),
        vote(MEMBERS, VoteKind.COMMIT, 2, Y, round_=1),
        vote(MEMBERS, VoteKind.ROUND_CHANGE, 2, Y, prepared_round=0, attachment=Y),
    ]
    assert [why_not(conflict(word, other)) for other in others] == [EvidenceRefusal.NO_CONFLICT] * len(others)


def test_a_forged_vote_convicts_nobody() -> None:
    word, other = vote(MEMBERS, VoteKind.PREPARE, 2, X), vote(MEMBERS, VoteKind.PREPARE, 2, Y)
    forged = Vote(**{**{f: getattr(other, f) for f in Vote.__struct_fields__}, "signature": bytes(64)})
    assert convicted(conflict(word, forged)) == []


def test_another_set_than_it_names() -> None:
    other = ConflictingVotes(
        validators_hash=NO_HASH,
        first=vote(MEMBERS, VoteKind.PREPARE, 2, X),
        second=vote(MEMBERS, VoteKind.PREPARE, 2, Y),
    )
    assert why_not(other) is EvidenceRefusal.OTHER_SET


@pytest.mark.parametrize(("prepared", "hash_"), [(NO_ROUND, NO_HASH), (1, X), (0, Y)])
def test_a_round_change_that_hides_a_commit_convicts(prepared: int, hash_: bytes) -> None:
    word = vote(MEMBERS, VoteKind.COMMIT, 3, X, round_=2)
    attachment = NO_HASH if prepared == NO_ROUND else Y
    later = vote(MEMBERS, VoteKind.ROUND_CHANGE, 3, hash_, round_=4, prepared_round=prepared, attachment=attachment)
    assert convicted(amnesia(word, later)) == [3]


def test_what_is_no_amnesia() -> None:
    word = vote(MEMBERS, VoteKind.COMMIT, 3, X, round_=2)

    def later(**kinds: int) -> Vote:
        seat, round_, height = kinds.get("seat", 3), kinds.get("round_", 4), kinds.get("height", 1)
        return vote(
            MEMBERS,
            VoteKind.ROUND_CHANGE,
            seat,
            X,
            round_=round_,
            height=height,
            prepared_round=kinds.get("prepared", 0),
            attachment=Y,
        )

    cases = [
        (word, later(prepared=2)),
        (word, later(prepared=3)),
        (word, later(round_=2)),
        (word, later(round_=1)),
        (word, later(seat=1)),
        (word, later(height=2)),
        (vote(MEMBERS, VoteKind.PREPARE, 3, X, round_=2), later()),
        (word, vote(MEMBERS, VoteKind.COMMIT, 3, Y, round_=4)),
    ]
    assert [why_not(amnesia(*case)) for case in cases] == [EvidenceRefusal.NO_AMNESIA] * len(cases)


def test_an_unjustified_proposal_convicts_and_a_justified_one_does_not() -> None:
    block = content(MEMBERS, 1)
    changes = [change(MEMBERS, seat, 1).vote for seat in (0, 1, 2)]
    assert convicted(unjustified(proposal(MEMBERS, 1, block, changes[:2]))) == [1]
    assert why_not(unjustified(proposal(MEMBERS, 1, block, changes))) is EvidenceRefusal.JUSTIFIED
    other = UnjustifiedProposal(
        validators_hash=MEMBERS.hash,
        proposal=proposal(MEMBERS, 1, block, changes).vote,
        justification=Justification(round_changes=(), certificates=()),
    )
    assert why_not(other) is EvidenceRefusal.JUSTIFIED, "exchanged on the way"
    ballot = UnjustifiedProposal(
        validators_hash=MEMBERS.hash,
        proposal=vote(MEMBERS, VoteKind.PREPARE, 1, X, round_=1),
        justification=Justification(round_changes=(), certificates=()),
    )
    assert why_not(ballot) is EvidenceRefusal.JUSTIFIED


def test_two_certificates_of_one_round_convict_who_is_in_both() -> None:
    def commits(second_round: int, second_hash: bytes) -> ConflictingCommits:
        first = commit(MEMBERS, [0, 1, 2], X)
        second = commit(MEMBERS, [1, 2, 3], second_hash, round_=second_round)
        return ConflictingCommits(validators_hash=MEMBERS.hash, first=first, second=second)

    assert convicted(commits(0, Y)) == [1, 2]
    assert why_not(commits(1, Y)) is EvidenceRefusal.NO_CONFLICT
    assert why_not(commits(0, X)) is EvidenceRefusal.NO_CONFLICT


# --- what a proposal must show ---


def refusal(vote_: Vote, why: Justification) -> Refusal:
    with pytest.raises(Rejected) as refused:
        check_justification(vote_, why, MEMBERS)
    return refused.value.reason


def test_every_way_not_to_be_justified() -> None:
    block, other = content(MEMBERS, 0, "high"), content(MEMBERS, 0, "low")
    proof = certificate(MEMBERS, [0, 1, 2], hash_of(block))
    elsewhere = certificate(MEMBERS, [0, 1, 3], hash_of(block))
    empty = [change(MEMBERS, seat, 1).vote for seat in range(4)]
    shown = change(MEMBERS, 0, 1, proof).vote
    fine = proposal(MEMBERS, 1, block, [shown, *empty[1:3]], (proof,))
    check_justification(fine.vote, fine.justification, MEMBERS)
    assert len(justification_claims(fine.justification, MEMBERS, CHAIN).signatures) == 6
    later = [change(MEMBERS, seat, 2).vote for seat in range(3)]
    ballots = [vote(MEMBERS, VoteKind.PREPARE, seat, X, round_=1) for seat in range(3)]
    bad = {
        "too few": proposal(MEMBERS, 1, block, empty[:2]),
        "twice": proposal(MEMBERS, 1, block, [*empty[:2], empty[1]]),
        "another round": proposal(MEMBERS, 1, block, later),
        "a certificate nobody speaks of": proposal(MEMBERS, 1, block, empty[:3], (proof,)),
        "no certificate": proposal(MEMBERS, 1, block, [shown, *empty[1:3]]),
        "two certificates": proposal(MEMBERS, 1, block, [shown, *empty[1:3]], (proof, proof)),
        "another value": proposal(MEMBERS, 1, other, [shown, *empty[1:3]], (proof,)),
        "a certificate nobody signed over": proposal(MEMBERS, 1, block, [shown, *empty[1:3]], (elsewhere,)),
        "in round 0": proposal(MEMBERS, 0, block, empty[:3], round_=0),
    }
    assert {n: refusal(p.vote, p.justification) for n, p in bad.items()} == dict.fromkeys(
        bad, JustificationRefusal.UNJUSTIFIED
    )
    kinds = proposal(MEMBERS, 1, block, ballots)
    assert refusal(kinds.vote, kinds.justification) is JustificationRefusal.NOT_A_ROUND_CHANGE
    assert refusal(fine.vote, bad["too few"].justification) is JustificationRefusal.OTHER_JUSTIFICATION
    stranger = vote(validators(7), VoteKind.ROUND_CHANGE, 6, NO_HASH, round_=1)
    strange = proposal(MEMBERS, 1, block, [*empty[:2], stranger])
    assert refusal(strange.vote, strange.justification) is JustificationRefusal.NOT_A_SEAT


@pytest.mark.parametrize(
    ("prepared", "hash_", "attachment"),
    [(NO_ROUND, X, NO_HASH), (0, NO_HASH, NO_HASH), (0, X, NO_HASH), (NO_ROUND, NO_HASH, X), (1, X, X), (2, X, X)],
)
def test_a_round_change_shows_all_or_nothing_and_only_lower_rounds(
    prepared: int, hash_: bytes, attachment: bytes
) -> None:
    bent = vote(MEMBERS, VoteKind.ROUND_CHANGE, 0, hash_, round_=1, prepared_round=prepared, attachment=attachment)
    with pytest.raises(Rejected) as refused:
        check_round_change_vote(bent, MEMBERS)
    assert refused.value.reason is JustificationRefusal.BAD_ROUND_CHANGE


def test_certificates_that_cannot_be_one() -> None:
    good = certificate(MEMBERS, [0, 1, 2], X)
    check_certificate(good, MEMBERS, 1)

    def reason(height: int = 1, **changes: object) -> Refusal:
        fields = {**{f: getattr(good, f) for f in PreparedCertificate.__struct_fields__}, **changes}
        with pytest.raises(Rejected) as refused:
            check_certificate(PreparedCertificate(**fields), MEMBERS, height)
        return refused.value.reason

    bad = [
        reason(height=2),
        reason(version=2),
        reason(kind=2),
        reason(validator_bitmap=b"\x03"),
        reason(proof=good.proof[:2]),
        reason(proof=(*good.proof[:2], b"short")),
        reason(header_hash=b"short"),
        reason(round=NO_ROUND),
        reason(round=-1),
    ]
    assert bad == [JustificationRefusal.BAD_CERTIFICATE] * len(bad)
    assert reason(validator_bitmap=b"\x17") is BitmapRefusal.EXCESS_BITS
    wide = validators(17)
    by_envelopes = certificate(MEMBERS, [0, 1, 2], X)
    with pytest.raises(Rejected):
        check_certificate(by_envelopes, wide, 1)
    aggregated = certificate(wide, list(range(12)), X)
    check_certificate(aggregated, wide, 1)
    assert certificate_votes(aggregated, wide) == ()
    assert certificate_claims(aggregated, wide, CHAIN).signatures == ()
    assert [v.seat for v in certificate_votes(good, MEMBERS)] == [0, 1, 2]


def test_a_seat_beyond_the_set() -> None:
    with pytest.raises(Rejected) as refused:
        check_seat(vote(validators(7), VoteKind.PREPARE, 6, X), MEMBERS)
    assert refused.value.reason is JustificationRefusal.NOT_A_SEAT


@given(st.lists(st.sampled_from([0, 1, 2, 3]), min_size=3, max_size=4, unique=True))
def test_any_quorum_of_prepares_is_a_certificate(seats: list[int]) -> None:
    check_certificate(certificate(MEMBERS, sorted(seats), X), MEMBERS, 1)
