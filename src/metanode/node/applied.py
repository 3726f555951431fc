"""The rows of one applied block: its state, and the indexes that questions need."""

from collections.abc import Mapping
from typing import Final

import msgspec

from metanode.ledger import Execution
from metanode.node.desk import Tip
from metanode.node.rows import (
    ACCOUNT,
    HASH,
    IDENTITY,
    RECEIPTS,
    SET,
    STATE,
    TIP,
    TipRow,
    height_key,
    place_bytes,
)
from metanode.primitives.codec import encode
from metanode.primitives.names import Address, Hash
from metanode.records.address import ADDRESS_BYTES
from metanode.records.receipt import Receipt, TransactionOrigin
from metanode.records.validators import ValidatorList, ValidatorSet

_ACCOUNT_FIELDS: Final = ("account", "sender", "to", "issuer", "proposer", "voter")
"""Fields of events that hold an address."""


def set_row(validators: ValidatorSet) -> bytes:
    """The bytes of a set."""
    return encode(ValidatorList(version=1, validators=validators.validators))


def tip_row(tip: Tip) -> bytes:
    """The bytes recovery starts from."""
    size, peaks = tip.frontier.to_tuple()
    header = tip.header[0].encoded if tip.header else b""
    return encode(
        TipRow(
            version=1,
            height=tip.height,
            header=header,
            commit=tip.commit,
            frontier_size=size,
            frontier=peaks,
            history=tip.history.to_tuple()[1],
        )
    )


def accounts_named(receipt: Receipt) -> dict[bytes, None]:
    """The accounts a receipt's events speak of, each once."""
    found: dict[bytes, None] = {}
    for event in receipt.events:
        for field in event.__struct_fields__:
            if field in _ACCOUNT_FIELDS:
                value = getattr(event, field)
                if isinstance(value, bytes) and len(value) == ADDRESS_BYTES:
                    found[value] = None
    return found


def accounts_written(writes: Mapping[bytes, bytes | None]) -> dict[Address, None]:
    """The accounts whose nonces, keys or balances a block changed, each once."""
    return {Address(key[2 : 2 + ADDRESS_BYTES]): None for key in writes if key[:2] in (b"aa", b"cb")}


def rows_of_block(tip: Tip, before: Tip, execution: Execution) -> Mapping[bytes, bytes | None]:
    """Everything one block writes: one atomic batch, so that state and indexes are of the same height."""
    height = tip.height
    rows: dict[bytes, bytes | None] = {STATE + key: value for key, value in execution.writes.items()}
    rows[TIP] = tip_row(tip)
    rows[height_key(HASH, height)] = tip.hash
    rows[height_key(RECEIPTS, height)] = msgspec.msgpack.encode(execution.receipt_bytes)
    if tip.validators.validators != before.validators.validators:
        rows[height_key(SET, height + 1)] = set_row(tip.validators)
    senders = {known.identity: known.signed.transaction.sender for known in execution.transactions}
    for index, receipt in enumerate(execution.receipts):
        place, named = place_bytes(height, index), accounts_named(receipt)
        if isinstance(receipt.origin, TransactionOrigin):
            rows[IDENTITY + receipt.origin.identity] = place
            named[senders[Hash(receipt.origin.identity)]] = None  # a failed one has no events that name its sender
        for address in named:
            rows[ACCOUNT + address + place] = b""
    return rows
