"""Whether a proposal may be what it is: the rules that its round changes and its certificate must satisfy."""

from typing import Final

from metanode.chain.bls import ENVELOPES_MAX
from metanode.primitives.bitmap import decode as decode_bitmap
from metanode.primitives.codec import encode
from metanode.primitives.names import NO_HASH
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.commit import (
    PREPARED_BY_AGGREGATE,
    PREPARED_BY_ENVELOPES,
    PreparedCertificate,
    certificate_digest,
)
from metanode.records.validators import ValidatorSet
from metanode.records.vote import (
    JUSTIFICATION_BYTES_MAX,
    NO_ROUND,
    Justification,
    Vote,
    VoteKind,
    check_vote,
    justification_digest,
)


class JustificationRefusal(Refusal):
    """Why a vote, a round change, a certificate or a justification cannot stand."""

    NOT_A_SEAT = "justification.not-a-seat"
    """The sender is no validator of this height (IBFT-M2)."""
    NOT_A_ROUND_CHANGE = "justification.not-a-round-change"
    """The vote is of another kind, or has fields that a ROUND-CHANGE has not."""
    BAD_ROUND_CHANGE = "justification.bad-round-change"
    """What a ROUND-CHANGE says it prepared and what it shows differ."""
    BAD_CERTIFICATE = "justification.bad-certificate"
    """A prepared certificate that cannot be one."""
    OTHER_JUSTIFICATION = "justification.other"
    """Not the justification that the proposal was signed over: somebody exchanged it on the way."""
    TOO_LARGE = "justification.too-large"
    """Longer than any justification can be: it is dropped, not kept as a proof of guilt."""
    UNJUSTIFIED = "justification.unjustified"
    """The round changes carried do not allow this proposal (IBFT-P2 … P5)."""


NO_PROOF: Final = frozenset({JustificationRefusal.OTHER_JUSTIFICATION, JustificationRefusal.TOO_LARGE})
"""EVID-5. Refusals that convict nobody: the sender may not have sent it so, or it is too long to be shown around."""


def check_seat(vote: Vote, validators: ValidatorSet) -> None:
    """IBFT-M1, M2. A well-formed vote of a seat of this set. Raises `Rejected`."""
    check_vote(vote)
    if vote.seat >= len(validators):
        raise Rejected(JustificationRefusal.NOT_A_SEAT, f"seat {vote.seat} of {len(validators)}")


def check_round_change_vote(vote: Vote, validators: ValidatorSet) -> None:
    """IBFT-P3. Prepared round, value and certificate are all there or all absent, and the round is lower. Raises
    `Rejected`."""
    check_seat(vote, validators)
    if vote.kind != VoteKind.ROUND_CHANGE or vote.seal or vote.round == 0:
        raise Rejected(JustificationRefusal.NOT_A_ROUND_CHANGE, "not a ROUND-CHANGE to a round above 0")
    prepared = (vote.prepared_round != NO_ROUND, vote.header_hash != NO_HASH, vote.attachment != NO_HASH)
    if prepared not in ((True, True, True), (False, False, False)):
        raise Rejected(JustificationRefusal.BAD_ROUND_CHANGE, "prepared round, value and certificate: all or none")
    if prepared[0] and vote.prepared_round >= vote.round:
        raise Rejected(
            JustificationRefusal.BAD_ROUND_CHANGE, f"prepared in {vote.prepared_round}, not below {vote.round}"
        )


def check_certificate(certificate: PreparedCertificate, validators: ValidatorSet, height: int) -> None:
    """IBFT-P5. Everything of a prepared certificate but its signatures: height, widths, bitmap, quorum. Raises
    `Rejected`."""
    seats = decode_bitmap(certificate.validator_bitmap, len(validators))
    if len(seats) < validators.quorum:
        raise Rejected(JustificationRefusal.BAD_CERTIFICATE, f"{len(seats)} seats, a quorum is {validators.quorum}")
    if len(validators) <= ENVELOPES_MAX:
        kind, widths = PREPARED_BY_ENVELOPES, [64] * len(seats)
    else:
        kind, widths = PREPARED_BY_AGGREGATE, [96]
    if (certificate.version, certificate.kind, certificate.height) != (1, kind, height):
        raise Rejected(JustificationRefusal.BAD_CERTIFICATE, "another version, kind or height")
    if [len(p) for p in certificate.proof] != widths or len(certificate.header_hash) != 32:
        raise Rejected(JustificationRefusal.BAD_CERTIFICATE, "a hash or signature of the wrong length")
    if not 0 <= certificate.round < NO_ROUND:
        raise Rejected(JustificationRefusal.BAD_CERTIFICATE, "a round out of range")


def check_justification(vote: Vote, justification: Justification, validators: ValidatorSet) -> None:
    """IBFT-P2, P3, P4, P5. Whether these round changes allow this proposal, signatures apart. Raises `Rejected`.

    P2: round 0 has no justification. P3: Q distinct seats, all of exactly this height and round. P4: nothing prepared,
    any block. P5: else the value of the highest prepared round, with its certificate; lower ones may differ.
    """
    size = len(encode(justification))
    if size > JUSTIFICATION_BYTES_MAX:
        raise Rejected(JustificationRefusal.TOO_LARGE, f"{size} bytes, at most {JUSTIFICATION_BYTES_MAX}")
    if justification_digest(justification) != vote.attachment:
        raise Rejected(JustificationRefusal.OTHER_JUSTIFICATION, "another justification than the one signed over")
    changes, certificates = justification.round_changes, justification.certificates
    if vote.round == 0:
        if changes or certificates:
            raise Rejected(JustificationRefusal.UNJUSTIFIED, "round 0 needs no justification and may have none")
        return
    seats: dict[int, bool] = {}
    for change in changes:
        check_vote(change)
        check_round_change_vote(change, validators)
        if (change.height, change.round) != (vote.height, vote.round):
            raise Rejected(JustificationRefusal.UNJUSTIFIED, "a ROUND-CHANGE to another height or round")
        if change.seat in seats:
            raise Rejected(JustificationRefusal.UNJUSTIFIED, f"two ROUND-CHANGEs of seat {change.seat}")
        seats[change.seat] = True
    if len(seats) < validators.quorum:
        raise Rejected(JustificationRefusal.UNJUSTIFIED, f"{len(seats)} ROUND-CHANGEs, a quorum is {validators.quorum}")
    prepared = [change for change in changes if change.prepared_round != NO_ROUND]
    if not prepared:
        if certificates:
            raise Rejected(JustificationRefusal.UNJUSTIFIED, "a certificate, but no ROUND-CHANGE that says so")
        return
    if len(certificates) != 1:
        raise Rejected(JustificationRefusal.UNJUSTIFIED, "something was prepared, so exactly one certificate is due")
    _check_highest(vote, prepared, certificates[0], validators)


def _check_highest(
    vote: Vote, prepared: list[Vote], certificate: PreparedCertificate, validators: ValidatorSet
) -> None:
    check_certificate(certificate, validators, vote.height)
    highest = max(change.prepared_round for change in prepared)
    shown = (certificate.round, certificate.header_hash)
    if shown != (highest, vote.header_hash):
        raise Rejected(JustificationRefusal.UNJUSTIFIED, f"not the value prepared in round {highest}, the highest")
    digest = certificate_digest((certificate,))
    if not any((c.prepared_round, c.header_hash, c.attachment) == (*shown, digest) for c in prepared):
        raise Rejected(JustificationRefusal.UNJUSTIFIED, "no ROUND-CHANGE was signed over this certificate")
