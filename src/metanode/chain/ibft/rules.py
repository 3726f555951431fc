"""What is allowed: pure functions of a message, the set of its height and nothing else."""

from metanode.chain.bls import has_seal
from metanode.chain.evidence import (
    JustificationRefusal,
    check_certificate,
    check_round_change_vote,
    check_seat,
    lunatic,
)
from metanode.chain.ibft.messages import Proposal, RoundChange
from metanode.chain.ibft.schedule import leader
from metanode.primitives.names import Hash, Seat
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.commit import certificate_digest
from metanode.records.header import Header
from metanode.records.proposal import check_content
from metanode.records.validators import ValidatorSet
from metanode.records.vote import NO_ROUND, Vote, VoteKind


class IbftRefusal(Refusal):
    """Why a message of another seat is turned away."""

    WRONG_KIND = "ibft.wrong-kind"
    """The vote inside is of another kind than the message around it, or has fields that its kind has not."""
    NOT_THE_LEADER = "ibft.not-the-leader"
    """Somebody else leads this round (IBFT-P1)."""
    WRONG_HEADER = "ibft.wrong-header"
    """The header is not the one that was voted for, or of another proposer."""
    LUNATIC = "ibft.lunatic"
    """The header voted for says that it is of another chain, height or set, or of no seat: evidence (EVID-11)."""
    UNJUSTIFIED = "ibft.unjustified"
    """A signature of the justification does not verify (IBFT-P3, P5)."""
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


def check_ballot(vote: Vote, validators: ValidatorSet) -> None:
    """IBFT-M2. A PREPARE or COMMIT of a seat, with exactly the fields of its kind. Raises `Rejected`."""
    check_seat(vote, validators)
    if vote.kind not in (VoteKind.PREPARE, VoteKind.COMMIT) or vote.prepared_round != NO_ROUND:
        raise Rejected(IbftRefusal.WRONG_KIND, "a ballot holds a PREPARE or a COMMIT")
    if (len(vote.seal) == 96) != has_seal(VoteKind(vote.kind), len(validators)):
        raise Rejected(IbftRefusal.WRONG_KIND, "a share too many, or none where one is due")


def check_round_change(message: RoundChange, validators: ValidatorSet) -> None:
    """IBFT-P3. The vote, and the certificate it was signed over. Raises `Rejected`."""
    vote = message.vote
    check_round_change_vote(vote, validators)
    if len(message.certificates) > 1 or certificate_digest(message.certificates) != vote.attachment:
        raise Rejected(JustificationRefusal.BAD_ROUND_CHANGE, "another certificate than the one signed over")
    for certificate in message.certificates:
        check_certificate(certificate, validators, vote.height)
        if (certificate.round, certificate.header_hash) != (vote.prepared_round, vote.header_hash):
            raise Rejected(JustificationRefusal.BAD_ROUND_CHANGE, "the certificate is of another round or value")


def check_proposal(message: Proposal, validators: ValidatorSet, chain_id: Hash, first: Seat) -> Header:
    """IBFT-P1, P2, P4. A PROPOSAL of the round's leader, and a header that is the one voted for. Raises `Rejected`.

    A value proposed afresh must name its leader as proposer; one carried on from a lower round keeps its own.
    """
    vote = message.vote
    check_seat(vote, validators)
    if vote.kind != VoteKind.PROPOSAL or vote.seal or vote.prepared_round != NO_ROUND:
        raise Rejected(IbftRefusal.WRONG_KIND, "a proposal holds a PROPOSAL")
    if vote.seat != leader(first, len(validators), vote.round):
        raise Rejected(IbftRefusal.NOT_THE_LEADER, f"seat {vote.seat} does not lead round {vote.round}")
    header = check_content(message.content)
    if header.hash != vote.header_hash:
        raise Rejected(IbftRefusal.WRONG_HEADER, "not the header voted for")
    if lunatic(header, vote.height, validators, chain_id):
        raise Rejected(IbftRefusal.LUNATIC, "a header of another chain, height or set, or of no seat of this one")
    if not message.justification.certificates and header.proposer != vote.seat:
        raise Rejected(IbftRefusal.WRONG_HEADER, f"proposer {header.proposer}, but seat {vote.seat} proposes it afresh")
    return header
