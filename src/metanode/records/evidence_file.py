"""Files about guilt: a proof that a stranger can check (extension `.evidence`), and what one node kept of one height
(extension `.testimony`)."""

from typing import Final

from metanode.primitives.codec import Decoder, Wire, encode
from metanode.primitives.digest import Tag, digest
from metanode.primitives.names import Hash
from metanode.records.commit import BlsCommit
from metanode.records.evidence import Evidence
from metanode.records.receipt_file import RECEIPT_FILE_BYTES_MAX, SetChangeStep
from metanode.records.vote import Justification, Vote

TESTIMONY_BYTES_MAX: Final = 8 << 20
"""Votes and justifications of dozens of rounds of the largest set; a node that kept more gives the earliest rounds."""


class EvidenceFile(Wire):
    """One proof, the chain it claims to belong to, and the way from a basis of trust to the set of the accused.

    `set_changes`: ascending, from the basis to the header that announced the set; none where the basis knows it.
    `evidence`: its bytes. `whole`: the digest of all the rest, 32 bytes.
    """

    version: int
    chain_id: bytes
    set_changes: tuple[SetChangeStep, ...]
    evidence: bytes
    whole: bytes


class Testimony(Wire):
    """What one node says of one height: the header it took for final, its certificate, the way to the set that signed
    it, and the votes and justifications it kept. `complete`: whether these are all that it kept."""

    version: int
    chain_id: bytes
    set_changes: tuple[SetChangeStep, ...]
    header: bytes
    commit: BlsCommit
    votes: tuple[Vote, ...]
    justifications: tuple[Justification, ...]
    complete: bool


EVIDENCE_FILES: Final = Decoder[EvidenceFile](EvidenceFile, RECEIPT_FILE_BYTES_MAX)
TESTIMONIES: Final = Decoder[Testimony](Testimony, TESTIMONY_BYTES_MAX + RECEIPT_FILE_BYTES_MAX)


def evidence_file(chain_id: Hash, set_changes: tuple[SetChangeStep, ...], evidence: Evidence) -> EvidenceFile:
    """EVID-13. The file of a proof."""
    encoded = encode(evidence)
    whole = file_digest(1, chain_id, set_changes, encoded)
    return EvidenceFile(version=1, chain_id=chain_id, set_changes=set_changes, evidence=encoded, whole=whole)


def file_digest(version: int, chain_id: bytes, set_changes: tuple[SetChangeStep, ...], evidence: bytes) -> Hash:
    """EVID-13. Of everything in an evidence file but itself: names and addresses too, which nobody signed."""
    return digest(Tag.EVIDENCE_FILE, encode((version, chain_id, set_changes, evidence)))
