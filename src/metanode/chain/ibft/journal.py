"""The machine's own steps, durable before the signature that shows them; folding them again is recovery."""

from typing import Final, TypeAlias

from metanode.chain.ibft.messages import MESSAGE_BYTES_MAX
from metanode.primitives.codec import Decoder, Wire
from metanode.records.commit import BlsCommit, PreparedCertificate
from metanode.records.proposal import ProposalContent
from metanode.records.vote import Justification, Vote


class Held(Wire, tag="ibft.held/1"):
    """A content that was found valid and that later steps name by its hash."""

    height: int
    content: ProposalContent


class Proposed(Wire, tag="ibft.proposed/1"):
    """This seat leads the round and is about to sign exactly this proposal (IBFT-P9)."""

    height: int
    round: int
    header_hash: bytes
    justification: Justification


class Accepted(Wire, tag="ibft.accepted/1"):
    """The proposal of the round was accepted; a PREPARE is about to be signed (IBFT-R1)."""

    height: int
    round: int
    header_hash: bytes


class Locked(Wire, tag="ibft.locked/1"):
    """Q seats prepared; a COMMIT is about to be signed (IBFT-R2)."""

    height: int
    certificate: PreparedCertificate


class Moved(Wire, tag="ibft.moved/1"):
    """The round was entered. `announced`: by this seat's own ROUND-CHANGE, which is about to be signed (IBFT-V1)."""

    height: int
    round: int
    announced: bool


class Spoke(Wire, tag="ibft.spoke/1"):
    """A vote this seat has signed, kept so that it can be sent again after the guard has moved on."""

    height: int
    vote: Vote


class Settled(Wire, tag="ibft.settled/1"):
    """The height is decided: no more votes in it, ever (IBFT-C2)."""

    height: int
    commit: BlsCommit


Record: TypeAlias = Held | Proposed | Accepted | Locked | Moved | Spoke | Settled

RECORDS: Final = Decoder[Record](Record, MESSAGE_BYTES_MAX)
