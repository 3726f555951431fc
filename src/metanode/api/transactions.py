"""Transactions on their way to being final, and the receipts they leave."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from metanode.api.shapes import (
    BATCH_MAX,
    PAGE_DEFAULT,
    SUBMISSION_TEXT_MAX,
    WAIT_MS_MAX,
    AddressText,
    AmountText,
    Answer,
    CursorText,
    HashText,
    HexText,
    Number,
    PageSize,
    Plain,
    Request,
)

Encoding: TypeAlias = Literal["hex", "base64"]
"""How the bytes of a transaction are written as text."""
SubmissionText: TypeAlias = Annotated[
    str,
    Meta(
        pattern="^[0-9A-Za-z+/=]*$",
        min_length=2,
        max_length=SUBMISSION_TEXT_MAX,
        description="A signed transaction: its canonical bytes as text.",
    ),
]
"""A signed transaction."""
TransactionState: TypeAlias = Literal["unknown", "pending", "included", "final", "dropped"]
"""unknown: this node has not heard of it; pending: it waits in the pool; included: a proposed block holds it;
final: it is in a final block, for ever; dropped: it had become inadmissible, `code` says why."""


class TransactionSubmit(Request):
    """One signed transaction."""

    transaction: SubmissionText
    encoding: Encoding = "hex"


class Submitted(Answer):
    """It is in the pool. `known`: it was there, or in a block, before; sending again changes nothing."""

    identity: HashText
    known: bool


class TransactionSubmitBatch(Request):
    """Many signed transactions, each judged alone."""

    transactions: Annotated[tuple[SubmissionText, ...], Meta(min_length=1, max_length=BATCH_MAX)]
    encoding: Encoding = "hex"


class SubmitOutcome(Answer):
    """One of a batch: `code` is empty where it was accepted. `identity` is empty where it is no transaction."""

    identity: str
    code: str
    detail: str


class SubmittedBatch(Answer):
    """The outcomes in the order of the batch."""

    accepted: Number
    refused: Number
    items: tuple[SubmitOutcome, ...]


class TransactionGet(Request):
    """One transaction by its identity."""

    identity: HashText


class TransactionWait(Request):
    """Answer when the transaction has come this far, or was dropped, or the time is over."""

    identity: HashText
    until: Literal["included", "final"] = "final"
    timeout_ms: Annotated[int, Meta(ge=0, le=WAIT_MS_MAX)] = 30_000


class AuthorizationView(Answer):
    """Who signed."""

    key: HexText
    signature: HexText


class TransactionView(Answer):
    """A signed transaction for people; `sentence` says what it asks for."""

    identity: HashText
    authorizations_digest: HashText
    sender: AddressText
    lane: Number
    nonce: Number
    expires_ms: Number
    fee: AmountText
    work_limit: Number
    calls: tuple[Plain, ...]
    memo: str
    authorizations: tuple[AuthorizationView, ...]
    bytes: Number
    sentence: str


class TransactionStatus(Answer):
    """How far a transaction has come. `height`, `index`, `receipt` and `succeeded` mean something once it is final;
    `code` says why it failed or was dropped. `waiting` is true where a deadline passed first.
    """

    identity: HashText
    state: TransactionState
    height: Number = 0
    index: Number = 0
    receipt: str = ""
    succeeded: bool = False
    code: str = ""
    timestamp_ms: Number = 0
    waiting: bool = False


ReceiptText: TypeAlias = Annotated[
    str,
    Meta(
        pattern="^([0-9a-f]{64}|rcpt_[0-9A-HJKMNP-TV-Z]{3,20})$",
        max_length=64,
        description="The identity of a transaction, or the name of a receipt (`rcpt_…`).",
    ),
]
"""A receipt in a request."""


class ReceiptGet(Request):
    """One receipt."""

    receipt: ReceiptText


class ReceiptList(Request):
    """Receipts by account, by heights, or both, the earliest first. `last` 0: up to the last block."""

    account: Annotated[str, Meta(pattern="^[^\\x00-\\x1f\\x7f/?#]*$", max_length=64)] = ""
    first: Number = 1
    last: Number = 0
    cursor: CursorText = ""
    limit: PageSize = PAGE_DEFAULT


class OriginView(Answer):
    """Where a receipt came from: a transaction (both digests), evidence, or a step of the system."""

    kind: Literal["transaction", "evidence", "system"]
    identity: str
    authorizations_digest: str
    module: str
    sequence: Number


class ReceiptView(Answer):
    """The outcome of one transaction, piece of evidence or step. `encoded` are the bytes that are proved."""

    receipt: str
    height: Number
    index: Number
    origin: OriginView
    succeeded: bool
    code: str
    work: Number
    events: tuple[Plain, ...]
    results: tuple[HexText, ...]
    encoded: HexText


class ReceiptPage(Answer):
    """Receipts, and where the next page begins (empty: nowhere)."""

    items: tuple[ReceiptView, ...]
    next: str


class ReceiptExport(Request):
    """The receipt file: everything a stranger needs to check it, with a basis of trust and without a server."""

    receipt: ReceiptText


class ReceiptFileView(Answer):
    """`file` are the bytes of the receipt file."""

    receipt: str
    height: Number
    file: HexText
