"""Blocks: a header, and the body its roots commit to."""

from dataclasses import dataclass
from typing import Final

from metanode.primitives.codec import Decoder, Wire
from metanode.primitives.names import Hash
from metanode.records.commit import BlsCommit
from metanode.records.evidence import Evidence
from metanode.records.header import HEADER_BYTES, Header, read_header
from metanode.records.transaction import SignedTransaction

BLOCK_BYTES_MAX: Final = 8 << 20
"""No parameter lets a body grow above this (7 MiB of transactions and what stands between and beside them), so that
every buffer and every message that holds one is bounded."""
LEAF_PLAIN: Final = b"\x01"
"""Kind byte of a plain transaction's leaf; sealed ones come later."""
LEAF_BYTES: Final = 65
"""kind(1) ‖ identity(32) ‖ authorizations digest(32)."""


class Body(Wire):
    """What a header's roots commit to. `last_commit`: the certificate of the parent, none at height 1.
    `transactions`: the canonical bytes of signed transactions, in order."""

    version: int
    last_commit: tuple[BlsCommit, ...]
    evidence: tuple[Evidence, ...]
    transactions: tuple[bytes, ...]


BODIES: Final = Decoder[Body](Body, BLOCK_BYTES_MAX)


class FinalBlock(Wire):
    """A header, the certificate that made it final, and its body: one entry of the block log, one item of sync."""

    version: int
    header: bytes
    commit: BlsCommit
    body: Body


FINAL_BLOCKS: Final = Decoder[FinalBlock](FinalBlock, BLOCK_BYTES_MAX + HEADER_BYTES + 4096)


@dataclass(frozen=True, slots=True)
class KnownTransaction:
    """A signed transaction with what is derived from it computed once: bytes, identity, digest of the signatures."""

    encoded: bytes
    signed: SignedTransaction
    identity: Hash
    authorizations_digest: Hash

    @property
    def leaf(self) -> bytes:
        """CHAIN-H3. The leaf of `transactions_root`."""
        return LEAF_PLAIN + self.identity + self.authorizations_digest


def final_block(header: Header, commit: BlsCommit, body: Body) -> FinalBlock:
    """Join the three."""
    return FinalBlock(version=1, header=header.encoded, commit=commit, body=body)


def header_of(block: FinalBlock) -> Header:
    """The decoded header of a final block. Raises `Rejected`."""
    return read_header(block.header)
