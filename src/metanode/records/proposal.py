"""What a proposal carries: the header, and of the body what cannot be gathered beforehand."""

from collections.abc import Sequence
from typing import Final

from metanode.primitives.codec import Wire
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.block import LEAF_BYTES
from metanode.records.commit import BlsCommit
from metanode.records.evidence import Evidence
from metanode.records.header import HEADER_BYTES, Header, read_header

CONTENT_BYTES_MAX: Final = (2 << 20) - (1 << 17)
"""16,384 leaves of 65 bytes and eight pieces of evidence stay below this; with its justification it fits a message of
the transport, 2 MiB."""
CONTENT_EVIDENCE_MAX: Final = 8
"""Pieces of evidence one block may carry: guilt is rare, and each may cost a thousand signature checks."""


class ContentRefusal(Refusal):
    """Why a proposal's content cannot be one, whatever its roots say."""

    WRONG_SHAPE = "content.wrong-shape"
    """An unknown version, a header or leaves of the wrong length, more than one commit or too much evidence."""


class ProposalContent(Wire):
    """The header (fixed width), the leaves of `transactions_root` one after another (65 bytes each), the commit of the
    parent (none at height 1) and the evidence. The transactions' bytes travel by gossip beforehand."""

    version: int
    header: bytes
    leaves: bytes
    last_commit: tuple[BlsCommit, ...]
    evidence: tuple[Evidence, ...]


def proposal_content(
    header: Header, leaves: Sequence[bytes], last_commit: tuple[BlsCommit, ...], evidence: tuple[Evidence, ...]
) -> ProposalContent:
    """Join the parts."""
    return ProposalContent(
        version=1, header=header.encoded, leaves=b"".join(leaves), last_commit=last_commit, evidence=evidence
    )


def check_content(content: ProposalContent) -> Header:
    """Widths and counts; gives the header, so that it is read once. Raises `Rejected`.

    That the sections belong to the header's roots is judged where bodies are assembled.
    """
    widths = len(content.header) == HEADER_BYTES and len(content.leaves) % LEAF_BYTES == 0
    counts = len(content.last_commit) <= 1 and len(content.evidence) <= CONTENT_EVIDENCE_MAX
    if content.version != 1 or not widths or not counts:
        raise Rejected(ContentRefusal.WRONG_SHAPE, "version 1, a header, leaves of 65 bytes, at most one commit")
    return read_header(content.header)


def content_leaves(content: ProposalContent) -> tuple[bytes, ...]:
    """The leaves in order, 65 bytes each."""
    leaves = content.leaves
    return tuple(leaves[i : i + LEAF_BYTES] for i in range(0, len(leaves), LEAF_BYTES))
