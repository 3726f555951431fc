"""The roots of a body's sections: what ties a body, or the parts of one, to a header."""

from collections.abc import Sequence
from typing import NamedTuple

from metanode.primitives.digest import Tag
from metanode.primitives.merkle import counted_root
from metanode.primitives.names import Hash
from metanode.records.block import KnownTransaction
from metanode.records.commit import BlsCommit, commit_hash
from metanode.records.evidence import Evidence, evidence_digest
from metanode.records.header import Header


class SectionRoots(NamedTuple):
    """What a header says of a body."""

    transactions_root: Hash
    last_commit_hash: Hash
    evidence_root: Hash

    @classmethod
    def of_header(cls, header: Header) -> "SectionRoots":
        """As the header says."""
        return cls(header.transactions_root, header.last_commit_hash, header.evidence_root)


def section_roots(
    leaves: Sequence[bytes], last_commit: tuple[BlsCommit, ...], evidence: Sequence[Evidence]
) -> SectionRoots:
    """LIGHT-1. As the sections are. At most one commit."""
    return SectionRoots(
        counted_root(Tag.TRANSACTIONS_ROOT, leaves),
        commit_hash(last_commit),
        counted_root(Tag.EVIDENCE_ROOT, [evidence_digest(one) for one in evidence]),
    )


def body_leaves(transactions: Sequence[KnownTransaction]) -> list[bytes]:
    """The leaves of `transactions_root`, in order."""
    return [known.leaf for known in transactions]
