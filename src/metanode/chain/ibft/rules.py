"""What is allowed: pure functions of a message, the set of its height and nothing else."""

from typing import Final

from metanode.chain.bls import AggregateClaim, prepared_claim
from metanode.chain.ibft.messages import Proposal, RoundChange
from metanode.primitives.bitmap import decode as decode_bitmap
from metanode.primitives.names import NO_HASH, Hash, Round, Seat
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.commit import (
    PREPARED_BY_AGGREGATE,
    PREPARED_BY_ENVELOPES,
    PreparedCertificate,
    certificate_digest,
)
from metanode.records.header import Header
from metanode.records.proposal import check_content
from metanode.records.validators import ValidatorSet
from metanode.records.vote import (
    NO_ROUND,
    Justification,
    Vote,
    VoteKind,
    check_vote,
    justification_digest,
    vote_signing_bytes,
)

ENVELOPES_MAX: Final = 16
"""Up to so many seats a list of envelope signatures is cheaper to check than one pairing, and each is attributable."""
DOUBLINGS_MAX: Final = 32
"""A timeout is doubled at most so often; the cap is reached long before."""
NO_CHECK: Final = ((), ())
"""Nothing left to check."""

SignatureClaim = tuple[bytes, bytes, bytes]
"""(public key, message, signature): one item of `CheckSignatures`."""
Claims = tuple[tuple[SignatureClaim, ...], tuple[AggregateClaim, ...]]
"""What must hold before a message counts."""


class IbftRefusal(Refusal):
    """Why a message of another seat is turned away."""

    NOT_A_SEAT = "ibft.not-a-seat"
    """The sender is no validator of this height (IBFT-M2)."""
    WRONG_KIND = "ibft.wrong-kind"
    """The vote inside is of another kind than the message around it, or has fields that its kind has not."""
    NOT_THE_LEADER = "ibft.not-the-leader"
    """Somebody else leads this round (IBFT-P1)."""
    WRONG_HEADER = "ibft.wrong-header"
    """The header is not the one that was voted for, or not of this chain, height, set or proposer."""
    UNJUSTIFIED = "ibft.unjustified"
    """The round changes carried do not allow this proposal (IBFT-P2 … P5)."""
    BAD_ROUND_CHANGE = "ibft.bad-round-change"
    """What a ROUND-CHANGE says it prepared and what it shows differ."""
    BAD_CERTIFICATE = "ibft.bad-certificate"
    """A prepared certificate that cannot be one."""
    BAD_SIGNATURE = "ibft.bad-signature"
    """A signature does not verify."""
    BAD_SHARE = "ibft.bad-share"
    """A BLS share under a good envelope failed by itself."""
    UNFIT_BLOCK = "ibft.unfit-block"
    """The proposed block was judged invalid."""
    FLOODING = "ibft.flooding"
    """More unchecked messages by one link than an honest peer has reason to send (IBFT-M3)."""
    UNWANTED = "ibft.unwanted"
    """A content that nobody asked for."""


def first_leader(previous_validators: ValidatorSet, previous_proposer: Seat, validators: ValidatorSet) -> Seat:
    """IBFT-P1. The leader of round 0: the seat after the previous proposer's, whatever became of the set.

    Where the previous proposer has left, the first of those after it in the old order who is still there leads.
    """
    if previous_proposer < 0:
        return Seat(0)
    seats, before = validators.seats_by_vote_key, len(previous_validators)
    proposer = previous_validators[previous_proposer].vote_key
    if proposer in seats:
        return Seat((seats[proposer] + 1) % len(validators))
    for step in range(1, before):
        key = previous_validators[(previous_proposer + step) % before].vote_key
        if key in seats:
            return seats[key]
    return Seat(0)


def leader(first: Seat, seats: int, round_: int) -> Seat:
    """IBFT-P1. In n rounds one after another every seat leads once."""
    return Seat((first + round_) % seats)


def round_timeout_ms(base_ms: int, maximum_ms: int, round_: int) -> int:
    """IBFT-V6. Doubles from round to round up to the maximum, in integers."""
    return min(base_ms << min(round_, DOUBLINGS_MAX), maximum_ms)


def has_seal(kind: VoteKind, seats: int) -> bool:
    """BLS-B10. Every COMMIT carries a BLS share, a PREPARE only where certificates are aggregated."""
    return kind is VoteKind.COMMIT or (kind is VoteKind.PREPARE and seats > ENVELOPES_MAX)


def check_ballot(vote: Vote, validators: ValidatorSet) -> None:
    """IBFT-M2. A PREPARE or COMMIT of a seat, with exactly the fields of its kind. Raises `Rejected`."""
    _check_seat(vote, validators)
    if vote.kind not in (VoteKind.PREPARE, VoteKind.COMMIT) or vote.prepared_round != NO_ROUND:
        raise Rejected(IbftRefusal.WRONG_KIND, "a ballot holds a PREPARE or a COMMIT")
    if (len(vote.seal) == 96) != has_seal(VoteKind(vote.kind), len(validators)):
        raise Rejected(IbftRefusal.WRONG_KIND, "a share too many, or none where one is due")


def check_round_change_vote(vote: Vote, validators: ValidatorSet) -> None:
    """IBFT-P3. Prepared round, value and certificate are all there or all absent, and the round is lower. Raises
    `Rejected`."""
    _check_seat(vote, validators)
    if vote.kind != VoteKind.ROUND_CHANGE or vote.seal or vote.round == 0:
        raise Rejected(IbftRefusal.WRONG_KIND, "not a ROUND-CHANGE to a round above 0")
    prepared = (vote.prepared_round != NO_ROUND, vote.header_hash != NO_HASH, vote.attachment != NO_HASH)
    if prepared not in ((True, True, True), (False, False, False)):
        raise Rejected(IbftRefusal.BAD_ROUND_CHANGE, "prepared round, value and certificate: all or none")
    if prepared[0] and vote.prepared_round >= vote.round:
        raise Rejected(IbftRefusal.BAD_ROUND_CHANGE, f"prepared in {vote.prepared_round}, not below {vote.round}")


def check_round_change(message: RoundChange, validators: ValidatorSet) -> None:
    """IBFT-P3. The vote, and the certificate it was signed over. Raises `Rejected`."""
    vote = message.vote
    check_round_change_vote(vote, validators)
    if len(message.certificates) > 1 or certificate_digest(message.certificates) != vote.attachment:
        raise Rejected(IbftRefusal.BAD_ROUND_CHANGE, "another certificate than the one signed over")
    for certificate in message.certificates:
        check_certificate(certificate, validators, vote.height)
        if (certificate.round, certificate.header_hash) != (vote.prepared_round, vote.header_hash):
            raise Rejected(IbftRefusal.BAD_ROUND_CHANGE, "the certificate is of another round or value")


def check_certificate(certificate: PreparedCertificate, validators: ValidatorSet, height: int) -> None:
    """IBFT-P5. Everything of a prepared certificate but its signatures: height, widths, bitmap, quorum. Raises
    `Rejected`."""
    seats = decode_bitmap(certificate.validator_bitmap, len(validators))
    if len(seats) < validators.quorum:
        raise Rejected(IbftRefusal.BAD_CERTIFICATE, f"{len(seats)} seats, a quorum is {validators.quorum}")
    if len(validators) <= ENVELOPES_MAX:
        kind, widths = PREPARED_BY_ENVELOPES, [64] * len(seats)
    else:
        kind, widths = PREPARED_BY_AGGREGATE, [96]
    if (certificate.version, certificate.kind, certificate.height) != (1, kind, height):
        raise Rejected(IbftRefusal.BAD_CERTIFICATE, "another version, kind or height")
    if [len(p) for p in certificate.proof] != widths or len(certificate.header_hash) != 32:
        raise Rejected(IbftRefusal.BAD_CERTIFICATE, "a hash or signature of the wrong length")
    if not 0 <= certificate.round < NO_ROUND:
        raise Rejected(IbftRefusal.BAD_CERTIFICATE, "a round out of range")


def check_justification(vote: Vote, justification: Justification, validators: ValidatorSet) -> None:
    """IBFT-P2, P3, P4, P5. Whether these round changes allow this proposal, signatures apart. Raises `Rejected`.

    P2: round 0 has no justification. P3: Q distinct seats, all of exactly this height and round. P4: nothing prepared,
    any block. P5: else the value of the highest prepared round, with its certificate; lower ones may differ.
    """
    if justification_digest(justification) != vote.attachment:
        raise Rejected(IbftRefusal.UNJUSTIFIED, "another justification than the one signed over")
    changes, certificates = justification.round_changes, justification.certificates
    if vote.round == 0:
        if changes or certificates:
            raise Rejected(IbftRefusal.UNJUSTIFIED, "round 0 needs no justification and may have none")
        return
    seats: dict[int, bool] = {}
    for change in changes:
        check_vote(change)
        check_round_change_vote(change, validators)
        if (change.height, change.round) != (vote.height, vote.round):
            raise Rejected(IbftRefusal.UNJUSTIFIED, "a ROUND-CHANGE to another height or round")
        if change.seat in seats:
            raise Rejected(IbftRefusal.UNJUSTIFIED, f"two ROUND-CHANGEs of seat {change.seat}")
        seats[change.seat] = True
    if len(seats) < validators.quorum:
        raise Rejected(IbftRefusal.UNJUSTIFIED, f"{len(seats)} ROUND-CHANGEs, a quorum is {validators.quorum}")
    prepared = [change for change in changes if change.prepared_round != NO_ROUND]
    if not prepared:
        if certificates:
            raise Rejected(IbftRefusal.UNJUSTIFIED, "a certificate, but no ROUND-CHANGE that says so")
        return
    if len(certificates) != 1:
        raise Rejected(IbftRefusal.UNJUSTIFIED, "something was prepared, so exactly one certificate is due")
    _check_highest(vote, prepared, certificates[0], validators)


def _check_highest(
    vote: Vote, prepared: list[Vote], certificate: PreparedCertificate, validators: ValidatorSet
) -> None:
    check_certificate(certificate, validators, vote.height)
    highest = max(change.prepared_round for change in prepared)
    shown = (certificate.round, certificate.header_hash)
    if shown != (highest, vote.header_hash):
        raise Rejected(IbftRefusal.UNJUSTIFIED, f"not the value prepared in round {highest}, the highest")
    digest = certificate_digest((certificate,))
    if not any((c.prepared_round, c.header_hash, c.attachment) == (*shown, digest) for c in prepared):
        raise Rejected(IbftRefusal.UNJUSTIFIED, "no ROUND-CHANGE was signed over this certificate")


def check_proposal(message: Proposal, validators: ValidatorSet, chain_id: Hash, first: Seat) -> Header:
    """IBFT-P1, P2, P4. A PROPOSAL of the round's leader, and a header that is the one voted for. Raises `Rejected`.

    A value proposed afresh must name its leader as proposer; one carried on from a lower round keeps its own.
    """
    vote = message.vote
    _check_seat(vote, validators)
    if vote.kind != VoteKind.PROPOSAL or vote.seal or vote.prepared_round != NO_ROUND:
        raise Rejected(IbftRefusal.WRONG_KIND, "a proposal holds a PROPOSAL")
    if vote.seat != leader(first, len(validators), vote.round):
        raise Rejected(IbftRefusal.NOT_THE_LEADER, f"seat {vote.seat} does not lead round {vote.round}")
    header = check_content(message.content)
    belongs = (header.chain_id, header.height, header.validators_hash) == (chain_id, vote.height, validators.hash)
    if header.hash != vote.header_hash or not belongs:
        raise Rejected(IbftRefusal.WRONG_HEADER, "not the header voted for, or of another chain, height or set")
    if not message.justification.certificates and header.proposer != vote.seat:
        raise Rejected(IbftRefusal.WRONG_HEADER, f"proposer {header.proposer}, but seat {vote.seat} proposes it afresh")
    return header


def vote_claim(vote: Vote, validators: ValidatorSet, chain_id: Hash) -> SignatureClaim:
    """IBFT-M1. The envelope's signature."""
    message = vote_signing_bytes(chain_id, validators.hash, vote)
    return validators[vote.seat].vote_key, message, vote.signature


def certificate_claims(certificate: PreparedCertificate, validators: ValidatorSet, chain_id: Hash) -> Claims:
    """IBFT-P5. The signatures of a certificate that passed `check_certificate`, as envelopes or as one aggregate."""
    if certificate.kind == PREPARED_BY_AGGREGATE:
        return (), (prepared_claim(certificate, validators, chain_id),)
    seats = decode_bitmap(certificate.validator_bitmap, len(validators))
    prepares = (
        Vote(
            version=1,
            kind=VoteKind.PREPARE,
            height=certificate.height,
            round=certificate.round,
            seat=seat,
            header_hash=certificate.header_hash,
            prepared_round=NO_ROUND,
            attachment=NO_HASH,
            seal=b"",
            signature=signature,
        )
        for seat, signature in zip(seats, certificate.proof, strict=True)
    )
    return tuple(vote_claim(vote, validators, chain_id) for vote in prepares), ()


def justification_claims(justification: Justification, validators: ValidatorSet, chain_id: Hash) -> Claims:
    """IBFT-P3, P5. Every signature of a justification that passed `check_justification`."""
    signatures = [vote_claim(change, validators, chain_id) for change in justification.round_changes]
    aggregates: list[AggregateClaim] = []
    for certificate in justification.certificates:
        more, sums = certificate_claims(certificate, validators, chain_id)
        signatures.extend(more)
        aggregates.extend(sums)
    return tuple(signatures), tuple(aggregates)


def highest_supported(rounds: list[int], faults: int) -> Round:
    """IBFT-V2. The highest round that f+1 of these (the highest of each seat) reach: one honest seat is there."""
    return Round(sorted(rounds, reverse=True)[faults])


def _check_seat(vote: Vote, validators: ValidatorSet) -> None:
    check_vote(vote)
    if vote.seat >= len(validators):
        raise Rejected(IbftRefusal.NOT_A_SEAT, f"seat {vote.seat} of {len(validators)}")
