"""The receipt file: a list of typed steps from an outcome up to a basis of trust (extension `.receipt`)."""

from typing import Final, TypeAlias

from metanode.primitives.codec import Decoder, Wire
from metanode.records.commit import BlsCommit
from metanode.records.validators import ValidatorList

RECEIPT_FILE_BYTES_MAX: Final = 4 << 20
"""A proof is a few kilobytes; one with many set changes of large sets stays below this."""
STEPS_MAX: Final = 4_096
"""Most steps of a file: set changes over years of a large consortium."""


class TransactionStep(Wire, tag="transaction"):
    """The signed transaction itself, so that what was asked can be shown."""

    signed: bytes


class ReceiptStep(Wire, tag="receipt"):
    """The receipt's bytes and its path to `receipts_root`: index, number of leaves, sibling hashes."""

    receipt: bytes
    index: int
    size: int
    path: tuple[bytes, ...]


class HeaderStep(Wire, tag="header"):
    """The header whose roots the steps before lead to."""

    header: bytes


class CommitStep(Wire, tag="commit"):
    """The certificate that made the header final, and the set that signed it."""

    commit: BlsCommit
    validators: ValidatorList


class SetChangeStep(Wire, tag="set-change"):
    """A header that announced another set, its certificate, and the set it announced: one link from a trusted set to
    a later one."""

    header: bytes
    commit: BlsCommit
    next_validators: ValidatorList


class HistoryStep(Wire, tag="history"):
    """The path of the header's hash to the `history_root` of a later, trusted header."""

    header: bytes
    size: int
    path: tuple[bytes, ...]


Step: TypeAlias = TransactionStep | ReceiptStep | HeaderStep | CommitStep | SetChangeStep | HistoryStep


class ReceiptFile(Wire):
    """The steps in the order they are checked, and the chain they claim to belong to."""

    version: int
    chain_id: bytes
    steps: tuple[Step, ...]


RECEIPT_FILES: Final = Decoder[ReceiptFile](ReceiptFile, RECEIPT_FILE_BYTES_MAX)
