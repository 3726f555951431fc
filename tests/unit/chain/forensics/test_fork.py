"""Forks laid at the feet of those who made them, and of nobody else."""

from dataclasses import replace
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.chain.forensics.twins import CHECKS, Fork, refused, split
from tests.unit.chain.ibft.cluster import Cluster
from tests.unit.chain.ibft.counterfeit import CHAIN, certificate, commit, content, validators, vote
from tests.unit.chain.ibft.test_round_change import change

from metanode.chain import ibft
from metanode.chain.evidence import evidence_claims
from metanode.chain.forensics import Findings, ForensicsRefusal, Material, find_guilty, investigate
from metanode.primitives.codec import encode
from metanode.primitives.names import NO_HASH, Hash, Seat
from metanode.primitives.refusal import Rejected
from metanode.records.commit import BlsCommit, PreparedCertificate
from metanode.records.evidence import (
    EVIDENCE,
    ConflictingCertificates,
    ConflictingCommits,
    ContradictedCommit,
    Evidence,
    LunaticHeader,
    UnjustifiedProposal,
    accused_seats,
)
from metanode.records.header import Header, read_header
from metanode.records.proposal import ProposalContent
from metanode.records.validators import ValidatorSet
from metanode.records.vote import NO_ROUND, Justification, Vote, VoteKind, justification_digest

LIARS: dict[int, list[tuple[int, ...]]] = {4: [(2, 3), (0, 1), (0, 2)], 7: [(0, 1, 2), (4, 5, 6), (1, 3, 5)]}


def convicts(evidence: Evidence, members: ValidatorSet) -> tuple[Seat, ...]:
    """Whom a proof convicts by itself, through its bytes; it must."""
    again = EVIDENCE.decode(encode(evidence))
    assert CHECKS.all_true(evidence_claims(again, members, CHAIN)), "every signature in it is real"
    return accused_seats(again, len(members))


def named(findings: Findings | tuple[tuple[Seat, Evidence], ...], members: ValidatorSet) -> list[int]:
    """Whom the proofs name; each convicts the seat it is filed under."""
    proofs = findings.proofs if isinstance(findings, Findings) else findings
    for seat, evidence in proofs:
        assert seat in convicts(evidence, members)
    return [seat for seat, _ in proofs]


@settings(max_examples=80, deadline=None)
@given(st.sampled_from([4, 7]), st.integers(0, 2), st.integers(0, 1 << 20), st.booleans())
def test_f_plus_1_liars_are_named_and_never_an_honest_seat(seats: int, who: int, seed: int, forget: bool) -> None:
    """Whatever the liars do with two lives: where they made a fork, at least f + 1 are named from what the honest of
    both sides decided and kept; where they made none, nobody else is named either."""
    fork = split(seats, LIARS[seats][who], seed, forget=forget)
    members, material = validators(seats), fork.material()
    if not fork.is_one:
        assert set(named(find_guilty(material), members)) <= set(fork.liars)
        return
    findings = investigate(material)
    assert set(named(findings, members)) <= set(fork.liars), "no honest seat"
    assert findings.enough
    assert len(findings.proofs) >= members.faults + 1
    assert findings.missing == ()


@cache
def forks(seats: int) -> list[Fork]:
    """Forks of the pretend seats, found by trying."""
    found = [split(seats, liars, seed) for liars in LIARS[seats] for seed in range(20)]
    return [fork for fork in found if fork.is_one]


@pytest.mark.parametrize("seats", [4, 7])
def test_forks_in_one_round_and_in_different_rounds(seats: int) -> None:
    """Both kinds are among those that the property above looks at, with exactly f + 1 liars."""
    made, members = forks(seats), validators(seats)
    one, different = [f for f in made if len(f.rounds) == 1], [f for f in made if len(f.rounds) > 1]
    assert one
    assert different
    for fork in one:
        assert named(investigate(fork.material()), members) == list(fork.liars)
        assert {type(e) for _, e in investigate(fork.material()).proofs} == {ConflictingCommits}
    for fork in different:
        findings = investigate(fork.material())
        assert named(findings, members) == list(fork.liars)
        assert findings.links, "the way down is shown"
        assert findings.links[-1].round > findings.first.round


@pytest.mark.parametrize("seats", [4, 7])
def test_without_transcripts_a_fork_in_different_rounds_names_who_must_have_them(seats: int) -> None:
    fork = next(f for f in forks(seats) if len(f.rounds) > 1)
    bare = replace(fork.material(), votes=(), justifications=())
    findings = investigate(bare)
    assert findings.proofs == ()
    assert not findings.enough
    (missing,) = findings.missing
    assert (missing.round, missing.header_hash) == (findings.second.round, findings.second.header_hash)
    assert len(missing.seats) >= validators(seats).quorum
    assert set(missing.seats) - set(fork.liars), "an honest seat is among them, and has it"


@pytest.mark.parametrize("seats", [4, 7])
def test_the_material_of_the_second_side_alone_is_enough(seats: int) -> None:
    """The first side decided in its round and may have heard of no other: its certificate is all it has to give."""
    for fork in [f for f in forks(seats) if len(f.rounds) > 1]:
        material = fork.material()
        first = investigate(material).first
        votes = tuple(v for v in material.votes if v.round > first.round)
        assert investigate(replace(material, votes=votes)).enough


# --- forks made by hand ---

X, Y = content(validators(4), 0, "X"), content(validators(4), 1, "Y")


def hash_of(block: ProposalContent) -> Hash:
    return read_header(block.header).hash


def why(
    members: ValidatorSet, round_: int, seats: list[int], shown: PreparedCertificate | None = None
) -> Justification:
    """ROUND-CHANGEs of these seats to a round, the first of which shows this certificate."""
    changes = [change(members, seat, round_, shown if seat == seats[0] else None).vote for seat in seats]
    return Justification(round_changes=tuple(changes), certificates=() if shown is None else (shown,))


def fork_of(
    members: ValidatorSet, first: BlsCommit, second: BlsCommit, *whys: Justification, votes: tuple[Vote, ...] = ()
) -> Material:
    headers = {hash_of(block): read_header(block.header) for block in (X, Y)}
    pairs: tuple[tuple[Header, BlsCommit], ...] = tuple((headers[Hash(c.header_hash)], c) for c in (first, second))
    return Material(CHAIN, members, pairs, votes, whys)


def test_the_way_leads_down_to_the_earliest_round_of_the_other_value() -> None:
    """X final in round 1; Y proposed afresh in round 2, carried to 3 and to 5, final there."""
    members = validators(4)
    x, y = hash_of(X), hash_of(Y)
    ends = commit(members, [0, 1, 2], x, round_=1), commit(members, [1, 2, 3], y, round_=5)
    in_2, in_3 = certificate(members, [1, 2, 3], y, round_=2), certificate(members, [1, 2, 3], y, round_=3)
    fifth, third, second = (
        why(members, 5, [1, 2, 3], in_3),
        why(members, 3, [3, 1, 2], in_2),
        why(members, 2, [1, 2, 3]),
    )
    findings = investigate(fork_of(members, *ends, fifth, third, second))
    assert [(link.round, link.prepared_round) for link in findings.links] == [(5, 3), (3, 2), (2, NO_ROUND)]
    assert named(findings, members) == [1, 2]
    for lacking, holders in ((second, (1, 2, 3)), (third, (1, 2, 3)), (fifth, (1, 2, 3))):
        rest = [one for one in (fifth, third, second) if one is not lacking]
        part = investigate(fork_of(members, *ends, *rest))
        if part.enough:
            continue  # what seats 1 and 2 denied in another round is as good
        (missing,) = part.missing
        assert (missing.round, missing.seats) == (lacking.round_changes[0].round, holders)
    alone = investigate(fork_of(members, *ends, why(members, 5, [3, 1, 2], in_3)))
    assert alone.enough, "two of its three ROUND-CHANGEs show nothing of what their seats committed to"


def test_only_the_last_link_convicts_where_the_others_hide_nothing() -> None:
    """All three show what they prepared last, which honest seats do too: only the first proposal of Y was a lie."""
    members = validators(4)
    x, y = hash_of(X), hash_of(Y)
    ends = commit(members, [0, 1, 2], x, round_=0), commit(members, [1, 2, 3], y, round_=2)
    in_1 = certificate(members, [1, 2, 3], y, round_=1)
    changes = tuple(change(members, seat, 2, in_1).vote for seat in (1, 2, 3))
    second = Justification(round_changes=changes, certificates=(in_1,))
    part = investigate(fork_of(members, *ends, second))
    assert (part.enough, part.proofs) == (False, ())
    assert [(m.round, m.header_hash, m.seats) for m in part.missing] == [(1, y, (1, 2, 3))]
    assert [(link.round, link.prepared_round) for link in part.links] == [(2, 1)]
    whole = investigate(fork_of(members, *ends, second, why(members, 1, [1, 2, 3])))
    assert named(whole, members) == [1, 2]


@pytest.mark.parametrize("seats", [4, 17])
def test_another_value_prepared_in_the_very_round_of_the_first_certificate(seats: int) -> None:
    """The ROUND-CHANGEs hide nothing by their numbers: they show Y prepared in the round in which X was committed."""
    members = validators(seats)
    quorum = members.quorum
    blocks = content(members, 0, "X"), content(members, 1, "Y")
    x, y = map(hash_of, blocks)
    low, high = list(range(quorum)), list(range(seats - quorum, seats))
    shown = certificate(members, high, y, round_=1)
    changes = tuple(change(members, seat, 2, shown).vote for seat in high)
    ends = commit(members, low, x, round_=1), commit(members, high, y, round_=2)
    pairs = tuple((read_header(block.header), end) for block, end in zip(blocks, ends, strict=True))
    material = Material(CHAIN, members, pairs, (), (Justification(round_changes=changes, certificates=(shown,)),))
    findings = investigate(material)
    assert named(findings, members) == [seat for seat in low if seat in high]
    assert findings.enough
    assert {type(e) for _, e in findings.proofs} <= {ContradictedCommit, ConflictingCertificates}


def test_a_certificate_of_a_header_from_elsewhere_convicts_all_its_seats() -> None:
    members = validators(4)
    strange = content(members, 0, "Y", height=2)
    ends = commit(members, [0, 1, 2], hash_of(X)), commit(members, [1, 2, 3], hash_of(strange), round_=3)
    material = Material(
        CHAIN, members, ((read_header(X.header), ends[0]), (read_header(strange.header), ends[1])), (), ()
    )
    findings = investigate(material)
    assert named(findings, members) == [1, 2, 3]
    assert {type(e) for _, e in findings.proofs} == {LunaticHeader}


def test_an_unjustified_proposal_that_somebody_kept_convicts_its_leader() -> None:
    members = validators(4)
    thin = why(members, 1, [0, 2])
    word = vote(members, VoteKind.PROPOSAL, 1, hash_of(Y), round_=1, attachment=justification_digest(thin))
    found = find_guilty(Material(CHAIN, members, (), (word,), (thin,)))
    assert [(seat, type(e)) for seat, e in found] == [(1, UnjustifiedProposal)]
    fine = why(members, 1, [0, 2, 3])
    justified = vote(members, VoteKind.PROPOSAL, 1, hash_of(Y), round_=1, attachment=justification_digest(fine))
    assert find_guilty(Material(CHAIN, members, (), (justified,), (fine,))) == ()


def test_without_two_headers_there_is_no_fork() -> None:
    members = validators(4)
    one = commit(members, [0, 1, 2], hash_of(X))
    with pytest.raises(Rejected) as rejected:
        investigate(fork_of(members, one, commit(members, [1, 2, 3], hash_of(X), round_=1)))
    assert refused(rejected.value) is ForensicsRefusal.NO_FORK


# --- what honest seats keep ---


def test_honest_votes_name_nobody_and_a_second_word_among_them_its_author() -> None:
    cluster = Cluster(4)
    cluster.kill(0)
    cluster.start()
    cluster.run(5000)
    cluster.begin(2)
    kept = [keep for player in cluster.living() for keep in player.asked(ibft.Keep)]
    honest = tuple(v for keep in kept for v in keep.votes)
    whys = tuple(w for keep in kept for w in keep.justifications)
    members = cluster.members
    assert find_guilty(Material(CHAIN, members, (), honest, whys)) == ()
    twice = vote(members, VoteKind.PREPARE, 2, b"y" * 32, round_=1)
    assert named(find_guilty(Material(CHAIN, members, (), (*honest, twice), whys)), members) == [2]
    hidden = msgspec.structs.replace(twice, header_hash=NO_HASH)
    assert hidden != twice
