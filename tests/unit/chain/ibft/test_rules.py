"""What no message of another seat may be, whoever signed it."""

import msgspec
import pytest
from tests.unit.chain.ibft.counterfeit import certificate, signed, validators, vote
from tests.unit.chain.ibft.test_found_by_mutants import BLOCK, MEMBERS, X
from tests.unit.chain.ibft.test_round_change import change

from metanode.chain import ibft
from metanode.chain.evidence import JustificationRefusal
from metanode.chain.ibft import IbftRefusal, first_leader
from metanode.chain.ibft.rules import check_ballot, check_round_change
from metanode.primitives.codec import encode
from metanode.primitives.names import NO_HASH, Seat
from metanode.primitives.refusal import Rejected
from metanode.records.commit import PreparedCertificate, certificate_digest
from metanode.records.proposal import CONTENT_BYTES_MAX
from metanode.records.validators import ValidatorSet
from metanode.records.vote import JUSTIFICATION_BYTES_MAX, Justification, Vote, VoteKind


@pytest.mark.parametrize("seats", [16, 17])
@pytest.mark.parametrize("kind", [VoteKind.PREPARE, VoteKind.COMMIT])
def test_a_ballot_has_a_share_where_its_kind_has_one_and_none_elsewhere(kind: VoteKind, seats: int) -> None:
    members = validators(seats)
    right = vote(members, kind, 1, X)
    check_ballot(right, members)
    sealed = kind is VoteKind.COMMIT or seats > 16
    seal = b"" if sealed else bytes(96)
    digest = vote(validators(17), VoteKind.PREPARE, 1, X, seal=bytes(96)).attachment
    wrong = signed(
        msgspec.structs.replace(right, seal=seal, attachment=NO_HASH if sealed else digest), members, seal=seal
    )
    with pytest.raises(Rejected) as refused:
        check_ballot(wrong, members)
    assert refused.value.reason is IbftRefusal.WRONG_KIND


SHOWN = certificate(MEMBERS, [0, 1, 2], X)
SAME = certificate(MEMBERS, [0, 1, 3], X)
FEW = certificate(MEMBERS, [0, 1], X)


def of_a_round_change(certificates: tuple[PreparedCertificate, ...], signed_over: PreparedCertificate) -> Vote:
    assert certificates
    return vote(
        MEMBERS,
        VoteKind.ROUND_CHANGE,
        1,
        X,
        round_=1,
        prepared_round=0,
        attachment=certificate_digest((signed_over,)),
    )


@pytest.mark.parametrize(
    ("certificates", "signed_over", "reason"),
    [
        ((SHOWN, SHOWN), SHOWN, JustificationRefusal.BAD_ROUND_CHANGE),
        ((SHOWN, SAME, FEW), SHOWN, JustificationRefusal.BAD_ROUND_CHANGE),
        ((SHOWN,), SAME, JustificationRefusal.BAD_ROUND_CHANGE),
        ((FEW,), FEW, JustificationRefusal.BAD_CERTIFICATE),
    ],
)
def test_a_round_change_shows_one_certificate_the_one_it_is_signed_over(
    certificates: tuple[PreparedCertificate, ...], signed_over: PreparedCertificate, reason: JustificationRefusal
) -> None:
    check_round_change(change(MEMBERS, 1, 1, SHOWN), MEMBERS)
    message = ibft.RoundChange(vote=of_a_round_change(certificates, signed_over), certificates=certificates)
    with pytest.raises(Rejected) as refused:
        check_round_change(message, MEMBERS)
    assert refused.value.reason is reason


def test_without_a_proposer_before_the_first_seat_leads() -> None:
    """At height 1, whatever the set before: its last seat sits elsewhere now."""
    turned = ValidatorSet(MEMBERS.validators[::-1])
    assert first_leader(MEMBERS, ibft.NO_SEAT, turned) == Seat(0)


def test_the_largest_content_fits_a_message_with_the_largest_justification() -> None:
    word = vote(MEMBERS, VoteKind.PROPOSAL, 0, X)
    leaves = bytes(CONTENT_BYTES_MAX - len(encode(BLOCK)))
    why = Justification(round_changes=(word,) * (JUSTIFICATION_BYTES_MAX // len(encode(word)) - 1), certificates=())
    block = msgspec.structs.replace(BLOCK, leaves=leaves)
    data = encode(ibft.Proposal(vote=word, content=block, justification=why))
    assert len(data) > CONTENT_BYTES_MAX + JUSTIFICATION_BYTES_MAX - 1_000
    assert ibft.MESSAGES.decode(data) == ibft.Proposal(vote=word, content=block, justification=why)
