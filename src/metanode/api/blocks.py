"""Blocks and headers: for people, and as the bytes that prove them."""

from typing import Annotated, TypeAlias

from msgspec import Meta

from metanode.api.shapes import (
    NUMBER_MAX,
    PAGE_DEFAULT,
    Answer,
    EventCursor,
    HashText,
    HeightOrLast,
    HexText,
    NameText,
    Number,
    PageSize,
    Plain,
    Request,
)


class BlockGet(Request):
    """One block."""

    height: HeightOrLast


class BlockList(Request):
    """A page of blocks, the latest first. `before`: only below this height; 0 for the last."""

    before: HeightOrLast = 0
    limit: PageSize = PAGE_DEFAULT


class CommitView(Answer):
    """What made a header final: `signers` are seats, of `of`."""

    round: Number
    signers: tuple[int, ...]
    of: Number
    aggregate_signature: HexText


class BlockView(Answer):
    """A block: every field of its header, its certificate, its transactions' identities in order."""

    height: Number
    hash: HashText
    version: Number
    chain_id: HashText
    timestamp_ms: Number
    proposer: Number
    proposer_name: str
    parent_hash: HashText
    last_commit_hash: HashText
    transactions_root: HashText
    openings_root: HashText
    inclusion_root: HashText
    evidence_root: HashText
    state_root: HashText
    receipts_root: HashText
    history_root: HashText
    validators_hash: HashText
    next_validators_hash: HashText
    extensions_root: HashText
    commit: CommitView
    bytes: Number
    evidence: tuple[HashText, ...]
    transactions: tuple[HashText, ...]


class BlockSummary(Answer):
    """A line of a list of blocks."""

    height: Number
    hash: HashText
    timestamp_ms: Number
    proposer: Number
    proposer_name: str
    round: Number
    signers: Number
    of: Number
    transactions: Number
    bytes: Number


class BlockPage(Answer):
    """Blocks, and the height to ask below for the next page (0: nothing is left)."""

    items: tuple[BlockSummary, ...]
    next: Number


class BlockExport(Request):
    """The bytes of one block and of its receipts."""

    height: HeightOrLast


class BlockFile(Answer):
    """`block`: a canonical FinalBlock (header, certificate, body); `receipts`: each canonical, in order."""

    height: Number
    block: HexText
    receipts: tuple[HexText, ...]


class HeaderList(Request):
    """Headers from a height upwards, as bytes."""

    first: Annotated[int, Meta(ge=1, le=NUMBER_MAX)] = 1
    limit: PageSize = PAGE_DEFAULT


class HeaderChanges(Request):
    """LIGHT-7. Of the headers above a height, 0 for genesis, only those that announce another set; as bytes."""

    above: Number = 0
    limit: PageSize = PAGE_DEFAULT


class RawHeader(Answer):
    """A header and its certificate; `next_validators` is the next set where it changes, else empty."""

    height: Number
    header: HexText
    commit: HexText
    next_validators: HexText


class HeaderRange(Answer):
    """Enough to check headers with nothing but a basis of trust.

    `validators` is the set that signs the first height asked for, `last` the last final height.
    """

    chain_id: HashText
    last: Number
    validators: HexText
    items: tuple[RawHeader, ...]


class StateProve(Request):
    """Prove that a key of a module has a value, or has none. `key` as the module builds it."""

    module: NameText
    key: Annotated[HexText, Meta(min_length=2, max_length=512)]
    height: HeightOrLast = 0


class StateProof(Answer):
    """`proof` leads from the value (or its absence) to the `state_root` of `header`, which `commit` makes final."""

    height: Number
    module: str
    key: HexText
    present: bool
    value: HexText
    proof: HexText
    header: HexText
    commit: HexText
    validators: HexText


EventKinds: TypeAlias = Annotated[
    str,
    Meta(
        pattern="^((block|transaction|receipt)(,(block|transaction|receipt)){0,2})?$",
        description="Some of block, transaction, receipt, with commas between; empty for all.",
    ),
]
"""Which events."""


class EventList(Request):
    """A page of events after a cursor `height:index`; empty for the first event of the oldest block kept."""

    after: EventCursor = ""
    limit: PageSize = PAGE_DEFAULT
    kinds: EventKinds = ""


class EventItem(Answer):
    """One event. `id` is its cursor: `height:index`, the index counting from 0 within the block.

    `data` is a BlockSummary, a TransactionView or a ReceiptView, by `kind`.
    """

    id: str
    kind: str
    data: Plain


class EventPage(Answer):
    """Events in the order of the chain. `next` is the cursor to go on after; `last` the height of the last block."""

    items: tuple[EventItem, ...]
    next: str
    last: Number
