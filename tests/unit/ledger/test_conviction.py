"""Evidence in a block: who is convicted, who leaves, who has to wait, and what evidence is refused."""

import pytest
from tests.unit.ledger.test_governance import decide, propose, rotation, step_events
from tests.unit.ledger.world import World, adding, key, make_genesis, validator

from metanode.ledger.governance import ConvictionRefusal, GovernanceRefusal
from metanode.ledger.governance.state import read_conviction, read_docket
from metanode.primitives.bitmap import BitmapRefusal
from metanode.primitives.bitmap import encode as encode_bitmap
from metanode.primitives.refusal import Refusal
from metanode.records.commit import BlsCommit, PreparedCertificate
from metanode.records.evidence import (
    Amnesia,
    ConflictingCertificates,
    ConflictingCommits,
    ConflictingVotes,
    ContradictedCommit,
    Evidence,
    LunaticHeader,
    UnjustifiedProposal,
    evidence_digest,
)
from metanode.records.parameters import Parameters
from metanode.records.receipt import EvidenceOrigin, Status, ValidatorJailed
from metanode.records.validators import ValidatorSet
from metanode.records.vote import Justification, Vote

FOUR = ValidatorSet(tuple(validator(number) for number in range(4)))


def a_vote(seat: int, height: int = 1, content: bytes = b"\x01") -> Vote:
    return Vote(
        version=1,
        kind=2,
        height=height,
        round=0,
        seat=seat,
        header_hash=content * 32,
        prepared_round=0,
        attachment=bytes(32),
        seal=b"",
        signature=bytes(64),
    )


def double_vote(seat: int, height: int = 1, of: ValidatorSet = FOUR) -> ConflictingVotes:
    return ConflictingVotes(validators_hash=of.hash, first=a_vote(seat, height), second=a_vote(seat, height, b"\x02"))


def fork(
    first: tuple[int, ...], second: tuple[int, ...], seats: int = 4, of: ValidatorSet = FOUR
) -> ConflictingCommits:
    commits = [
        BlsCommit(
            version=1,
            height=1,
            round=0,
            header_hash=bytes([content]) * 32,
            validator_bitmap=encode_bitmap(signers, seats),
            aggregate_signature=bytes(96),
        )
        for content, signers in enumerate((first, second))
    ]
    return ConflictingCommits(validators_hash=of.hash, first=commits[0], second=commits[1])


def prepared(signers: tuple[int, ...]) -> PreparedCertificate:
    return PreparedCertificate(
        version=1,
        kind=1,
        height=1,
        round=0,
        header_hash=bytes(32),
        validator_bitmap=encode_bitmap(signers, 4),
        proof=(bytes(64),) * len(signers),
    )


def names(validators: ValidatorSet) -> list[int]:
    return [int(seat.name.removeprefix("validator-")) for seat in validators.validators]


@pytest.mark.parametrize(
    "evidence",
    [
        double_vote(2),
        Amnesia(validators_hash=FOUR.hash, commit=a_vote(2), round_change=a_vote(2)),
        UnjustifiedProposal(
            validators_hash=FOUR.hash,
            proposal=a_vote(2),
            justification=Justification(round_changes=(), certificates=()),
        ),
        fork((0, 1, 2), (2, 3)),
        ContradictedCommit(validators_hash=FOUR.hash, commit=fork((0, 1, 2), ()).first, vote=a_vote(2)),
        ConflictingCertificates(
            validators_hash=FOUR.hash, commits=(fork((0, 1, 2), ()).first,), prepared=(prepared((2, 3)),)
        ),
        LunaticHeader(validators_hash=FOUR.hash, header=b"", votes=(a_vote(2),), commits=()),
        LunaticHeader(validators_hash=FOUR.hash, header=b"", votes=(), commits=(fork((2,), ()).first,)),
    ],
)
def test_a_liar_is_jailed(evidence: Evidence) -> None:
    world = World()
    execution = world.commit(evidence=(evidence,))
    receipt = execution.receipts[0]
    assert receipt.origin == EvidenceOrigin(digest=evidence_digest(evidence))
    assert receipt.status == Status.SUCCEEDED
    assert receipt.events == (ValidatorJailed(name="validator-2", evidence=evidence_digest(evidence), removed=True),)
    assert names(execution.validators) == [0, 1, 3]
    conviction = read_conviction(world.ledger, key("validator-2 vote"))
    assert conviction is not None
    assert conviction.evidence == evidence_digest(evidence)


def refusal(world: World, *pieces: Evidence) -> list[Refusal]:
    execution = world.execute(evidence=pieces)
    return [refused.reason for refused in execution.refused_evidence]


def test_evidence_that_may_not_be_in_a_block() -> None:
    world = World()
    other_set = ValidatorSet(tuple(validator(number) for number in range(3)))
    assert refusal(world, double_vote(0)) == []
    assert refusal(world, double_vote(0, height=2)) == [ConvictionRefusal.FUTURE]
    assert refusal(world, double_vote(0, of=other_set)) == [ConvictionRefusal.UNKNOWN_SET]
    assert refusal(world, double_vote(4)) == [ConvictionRefusal.UNKNOWN_SEAT]
    assert refusal(world, double_vote(-1)) == [ConvictionRefusal.UNKNOWN_SEAT]
    assert refusal(world, fork((0, 1), (2, 3))) == [ConvictionRefusal.UNKNOWN_SEAT]
    assert refusal(world, fork((0,), (0,), seats=9)) == [BitmapRefusal.WRONG_LENGTH]
    assert refusal(world, double_vote(0), double_vote(1), double_vote(0)) == [ConvictionRefusal.NOTHING_NEW]
    many = World(make_genesis(64))
    sixty_four = ValidatorSet(tuple(validator(number) for number in range(64)))
    pieces = tuple(double_vote(seat, of=sixty_four) for seat in range(18))
    assert refusal(many, *pieces) == [ConvictionRefusal.TOO_MANY] * 2


def test_a_whole_fork_leaves_within_bounds_and_the_minimum_stays() -> None:
    world = World(make_genesis(7, Parameters(validators_min=3)))
    seven = ValidatorSet(tuple(validator(number) for number in range(7)))
    everyone = tuple(range(7))
    first = world.commit(evidence=(fork(everyone, everyone, 7, seven),))
    assert [event.removed for event in first.receipts[0].events if isinstance(event, ValidatorJailed)] == [
        True, True, False, False, False, False, False,
    ]  # fmt: skip
    assert names(first.validators) == [2, 3, 4, 5, 6]
    second = world.commit()
    assert names(second.validators) == [3, 4, 5, 6]
    assert step_events(second) == (
        ValidatorJailed(name="validator-2", evidence=evidence_digest(fork(everyone, everyone, 7, seven)), removed=True),
    )
    assert names(world.commit().validators) == [4, 5, 6]
    for _ in range(3):
        assert names(world.commit().validators) == [4, 5, 6], "three stay: the minimum"
    assert len(read_docket(world.ledger).condemned) == 3
    assert propose(world, adding(9), 0).receipts[0].code == GovernanceRefusal.NOT_AN_OPERATOR.value
    assert propose(world, adding(9), 4).receipts[0].code == ""


def test_who_waits_leaves_when_the_set_has_grown() -> None:
    world = World(make_genesis(4, Parameters(validators_min=4)))
    waiting = world.commit(evidence=(double_vote(3),))
    assert waiting.receipts[0].events == (
        ValidatorJailed(name="validator-3", evidence=evidence_digest(double_vote(3)), removed=False),
    )
    assert names(waiting.validators) == [0, 1, 2, 3]
    grown = decide(world, adding(4))
    assert names(grown.validators) == [0, 1, 2, 3, 4]
    after = world.commit()
    assert names(after.validators) == [0, 1, 2, 4]
    assert read_docket(world.ledger).condemned == ()


def test_a_convicted_key_never_sits_again_and_its_seat_cannot_slip_away() -> None:
    world = World(make_genesis(4, Parameters(validators_min=4)))
    world.commit(evidence=(double_vote(3),))
    slipping = propose(world, rotation("validator-3", "fresh"))
    assert slipping.receipts[0].code == GovernanceRefusal.KEY_CONVICTED.value
    gone = World()
    gone.commit(evidence=(double_vote(3),))
    assert propose(gone, adding(3)).receipts[0].code == GovernanceRefusal.KEY_CONVICTED.value


def test_a_liar_is_found_under_the_keys_it_had_then() -> None:
    world = World()
    decide(world, rotation("validator-1", "fresh"))
    execution = world.commit(evidence=(double_vote(1),))
    assert names(execution.validators) == [0, 2, 3]
    assert read_conviction(world.ledger, key("fresh vote")) is not None


def test_a_set_is_remembered_for_the_evidence_period() -> None:
    parameters = Parameters(evidence_period_ms=60_000, trusting_period_ms=30_000)
    world = World(make_genesis(4, parameters))
    decide(world, adding(4))
    assert refusal(world, double_vote(0)) == []
    world.commit(later_ms=59_000)
    assert refusal(world, double_vote(0)) == []
    tip = world.ledger.tip[1]
    late = world.ledger.execute(tip, world.block(evidence=(double_vote(0),), later_ms=1_001))
    assert [refused.reason for refused in late.refused_evidence] == [ConvictionRefusal.TOO_OLD]
    world.commit(later_ms=1_001)
    assert refusal(world, double_vote(0)) == [ConvictionRefusal.UNKNOWN_SET]


def test_the_name_in_a_block_is_not_enough_for_a_newcomer_to_be_blamed() -> None:
    world = World()
    decide(world, adding(4))
    five = ValidatorSet(tuple(validator(number) for number in range(5)))
    execution = world.commit(evidence=(double_vote(4, height=2, of=five),))
    assert names(execution.validators) == [0, 1, 2, 3]
