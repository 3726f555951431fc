"""Blocks: for people, and as bytes."""

from typing import Final

import msgspec

from metanode.api.blocks import (
    BlockExport,
    BlockFile,
    BlockGet,
    BlockList,
    BlockPage,
    BlockSummary,
    BlockView,
    CommitView,
)
from metanode.node.desk import Desk
from metanode.node.requests.finding import READ_BYTES_MAX, block_at, height_asked, receipts_at, set_at
from metanode.node.shelf import FiledBlock
from metanode.primitives.bitmap import decode as decode_bitmap
from metanode.records.evidence import evidence_digest
from metanode.records.receipt import Origin, TransactionOrigin
from metanode.records.validators import ValidatorSet


class ReceiptOutline(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A receipt without a look at what it did: for lists of thousands."""

    version: int
    height: int
    index: int
    origin: Origin
    status: int
    code: str
    work: int
    events: msgspec.Raw
    results: msgspec.Raw


OUTLINES: Final = msgspec.msgpack.Decoder(ReceiptOutline)
"""Of receipts this node made itself."""


def proposer_name(filed: FiledBlock, validators: ValidatorSet) -> str:
    """Whose seat proposed a block."""
    return validators[filed.header.proposer].name


def block_summary(desk: Desk, filed: FiledBlock) -> BlockSummary:
    """A line of a list."""
    header, commit = filed.header, filed.commit
    validators = set_at(desk, header.height)
    return BlockSummary(
        height=header.height,
        hash=header.hash.hex(),
        timestamp_ms=header.timestamp_ms,
        proposer=header.proposer,
        proposer_name=proposer_name(filed, validators),
        round=commit.round,
        signers=len(decode_bitmap(commit.validator_bitmap, len(validators))),
        of=len(validators),
        transactions=len(filed.body.transactions),
        bytes=len(filed.encoded),
    )


def block_get(desk: Desk, asked: BlockGet) -> BlockView:
    """Every field of a block, and the identities of its transactions."""
    height = height_asked(desk, asked.height)
    filed = block_at(desk, height)
    header, commit, validators = filed.header, filed.commit, set_at(desk, height)
    origins = (OUTLINES.decode(receipt).origin for receipt in receipts_at(desk, height))
    return BlockView(
        height=height,
        hash=header.hash.hex(),
        version=header.version,
        chain_id=header.chain_id.hex(),
        timestamp_ms=header.timestamp_ms,
        proposer=header.proposer,
        proposer_name=proposer_name(filed, validators),
        parent_hash=header.parent_hash.hex(),
        last_commit_hash=header.last_commit_hash.hex(),
        transactions_root=header.transactions_root.hex(),
        openings_root=header.openings_root.hex(),
        inclusion_root=header.inclusion_root.hex(),
        evidence_root=header.evidence_root.hex(),
        state_root=header.state_root.hex(),
        receipts_root=header.receipts_root.hex(),
        history_root=header.history_root.hex(),
        validators_hash=header.validators_hash.hex(),
        next_validators_hash=header.next_validators_hash.hex(),
        extensions_root=header.extensions_root.hex(),
        commit=CommitView(
            round=commit.round,
            signers=decode_bitmap(commit.validator_bitmap, len(validators)),
            of=len(validators),
            aggregate_signature=commit.aggregate_signature.hex(),
        ),
        bytes=len(filed.encoded),
        evidence=tuple(evidence_digest(evidence).hex() for evidence in filed.body.evidence),
        transactions=tuple(origin.identity.hex() for origin in origins if isinstance(origin, TransactionOrigin)),
    )


def block_list(desk: Desk, asked: BlockList) -> BlockPage:
    """Blocks downwards. A page ends early where much was read, or where this node keeps no more."""
    height = min(asked.before - 1, desk.tip.height) if asked.before else desk.tip.height
    items: list[BlockSummary] = []
    left = READ_BYTES_MAX
    while len(items) < asked.limit and height >= max(desk.archive.first, 1) and left > 0:
        filed = block_at(desk, height)
        items.append(block_summary(desk, filed))
        left -= len(filed.encoded)
        height -= 1
    more = bool(items) and height >= max(desk.archive.first, 1)
    return BlockPage(items=tuple(items), next=items[-1].height if more else 0)


def block_export(desk: Desk, asked: BlockExport) -> BlockFile:
    """The bytes of a block and of its receipts."""
    height = height_asked(desk, asked.height)
    return BlockFile(
        height=height,
        block=block_at(desk, height).encoded.hex(),
        receipts=tuple(receipt.hex() for receipt in receipts_at(desk, height)),
    )
