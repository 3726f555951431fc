"""Receipts: the provable outcome of one transaction, one piece of evidence or one step of the system."""

from enum import IntEnum
from typing import Final, TypeAlias

from metanode.primitives.codec import Decoder, Wire, encode
from metanode.primitives.digest import Tag, digest
from metanode.primitives.names import Hash
from metanode.records.cluster_events import ClusterEvent

RECEIPT_BYTES_MAX: Final = 262_144
"""A receipt with the most events of the longest transaction stays below this."""


class Status(IntEnum):
    """How it ended."""

    SUCCEEDED = 1
    FAILED = 2


class TransactionOrigin(Wire, tag="transaction"):
    """A transaction, by both of its digests."""

    identity: bytes
    authorizations_digest: bytes


class EvidenceOrigin(Wire, tag="evidence"):
    """A piece of evidence, by its digest."""

    digest: bytes


class SystemOrigin(Wire, tag="system"):
    """An end-of-block step of a module, counted without gaps within the block."""

    module: str
    sequence: int


Origin: TypeAlias = TransactionOrigin | EvidenceOrigin | SystemOrigin


class AccountCreated(Wire, tag="accounts.created"):
    """An account came to be by its first credit."""

    account: bytes


class PolicySet(Wire, tag="accounts.policy-set"):
    """An account has other keys or another threshold."""

    account: bytes
    keys: tuple[bytes, ...]
    threshold: int


class RoleGranted(Wire, tag="accounts.role-granted"):
    """An account has a role."""

    account: bytes
    role: str


class RoleRevoked(Wire, tag="accounts.role-revoked"):
    """An account no longer has a role."""

    account: bytes
    role: str


class FeePaid(Wire, tag="coin.fee-paid"):
    """The fee was charged."""

    account: bytes
    amount: bytes


class CoinDefined(Wire, tag="coin.defined"):
    """A coin came to be."""

    coin: str
    issuer: bytes
    decimals: int


class CoinMinted(Wire, tag="coin.minted"):
    """New units were made."""

    coin: str
    to: bytes
    amount: bytes


class CoinTransferred(Wire, tag="coin.transferred"):
    """Units moved."""

    coin: str
    sender: bytes
    to: bytes
    amount: bytes


class CoinBurned(Wire, tag="coin.burned"):
    """Units were destroyed."""

    coin: str
    sender: bytes
    amount: bytes


class Proposed(Wire, tag="governance.proposed"):
    """An action was put to the vote."""

    proposal: int
    proposer: bytes


class Voted(Wire, tag="governance.voted"):
    """A validator's operator voted."""

    proposal: int
    voter: bytes
    approve: bool


class ProposalClosed(Wire, tag="governance.closed"):
    """A proposal passed, failed or expired."""

    proposal: int
    outcome: str


class ValidatorAdded(Wire, tag="governance.validator-added"):
    """A seat was added; it signs from the next height."""

    name: str


class ValidatorRemoved(Wire, tag="governance.validator-removed"):
    """A seat left."""

    name: str


class ValidatorRotated(Wire, tag="governance.validator-rotated"):
    """A seat has other keys."""

    name: str


class ValidatorJailed(Wire, tag="governance.validator-jailed"):
    """A seat was convicted by evidence; `removed` is false where the minimum size of the set kept it."""

    name: str
    evidence: bytes
    removed: bool


class ParameterSet(Wire, tag="governance.parameter-set"):
    """A parameter has another value from the next height."""

    name: str
    value: int


class RulesVersionSet(Wire, tag="governance.rules-version-set"):
    """Another version of the rules is due at a height."""

    version: int
    height: int


Event: TypeAlias = (
    AccountCreated
    | PolicySet
    | RoleGranted
    | RoleRevoked
    | FeePaid
    | CoinDefined
    | CoinMinted
    | CoinTransferred
    | CoinBurned
    | Proposed
    | Voted
    | ProposalClosed
    | ValidatorAdded
    | ValidatorRemoved
    | ValidatorRotated
    | ValidatorJailed
    | ParameterSet
    | RulesVersionSet
    | ClusterEvent
)


class Receipt(Wire):
    """The outcome: where it came from, its place among the block's receipts, how it ended, what it did.

    `status` is a `Status`, `code` empty or the stable code of the failure, `work` what was used,
    `results` one bytes object a call that returns something.
    """

    version: int
    height: int
    index: int
    origin: Origin
    status: int
    code: str
    work: int
    events: tuple[Event, ...]
    results: tuple[bytes, ...]


RECEIPTS: Final = Decoder[Receipt](Receipt, RECEIPT_BYTES_MAX)


def receipt_leaf(encoded: bytes) -> Hash:
    """LEDGER-R1. The leaf of `receipts_root`: the digest of the receipt's bytes."""
    return digest(Tag.RECEIPT, encoded)


def receipt_bytes(receipt: Receipt) -> bytes:
    """The canonical bytes of a receipt."""
    return encode(receipt)
