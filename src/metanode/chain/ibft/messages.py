"""What crosses the wire between validators."""

from typing import Final, TypeAlias

from metanode.chain.guard import LastWord, LastWordAsked
from metanode.primitives.codec import Decoder, Wire
from metanode.records.commit import BlsCommit, PreparedCertificate
from metanode.records.proposal import CONTENT_BYTES_MAX, ProposalContent
from metanode.records.vote import JUSTIFICATION_BYTES_MAX, Justification, Vote


class Proposal(Wire, tag="proposal/1"):
    """The leader's word for a round: what to agree on and, above round 0, why it may ask."""

    vote: Vote
    content: ProposalContent
    justification: Justification


class Ballot(Wire, tag="ballot/1"):
    """A PREPARE or a COMMIT."""

    vote: Vote


class Prepared(Wire, tag="prepared/1"):
    """Q seats prepared: what the leader summed of votes that came to it alone (IBFT-L2)."""

    certificate: PreparedCertificate


class RoundChange(Wire, tag="round-change/1"):
    """A seat gave up on the rounds below; it shows the highest certificate it holds, or none."""

    vote: Vote
    certificates: tuple[PreparedCertificate, ...]


class Decided(Wire, tag="decided/1"):
    """The answer to a seat that is behind: this header is final."""

    commit: BlsCommit
    header: bytes


class Wanted(Wire, tag="wanted/1"):
    """A seat asks for the content of a header that was prepared or committed without it; zeros: for the decision."""

    height: int
    header_hash: bytes


class Content(Wire, tag="content/1"):
    """The answer to `Wanted`."""

    height: int
    content: ProposalContent


Message: TypeAlias = Proposal | Ballot | Prepared | RoundChange | Decided | Wanted | Content | LastWordAsked | LastWord

MESSAGE_BYTES_MAX: Final = CONTENT_BYTES_MAX + JUSTIFICATION_BYTES_MAX
"""The largest is a proposal: its content and its justification, each within its own limit."""
MESSAGES: Final = Decoder[Message](Message, MESSAGE_BYTES_MAX)
