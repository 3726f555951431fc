"""Calls, actions and events as plain objects, for JSON and for people: the same on a node and for offline files."""

from typing import Final

from metanode.api.shapes import Plain
from metanode.primitives.codec import Wire
from metanode.records.address import ADDRESS_BYTES, show_address
from metanode.records.amount import AMOUNT_BYTES_MAX

ADDRESS_FIELDS: Final = frozenset(
    ("account", "to", "sender", "issuer", "proposer", "voter", "operator", "minters", "operators", "executors", "owner")
)
"""Fields of calls, actions and events that hold an address, or several."""
AMOUNT_FIELDS: Final = frozenset({"amount", "supply_max"})
"""Fields that hold an amount."""


def _shown(value: object, name: str) -> object:
    match value:
        case bytes() if name in ADDRESS_FIELDS and len(value) == ADDRESS_BYTES:
            return show_address(value)
        case bytes() if name in AMOUNT_FIELDS and len(value) <= AMOUNT_BYTES_MAX:
            return str(int.from_bytes(value, "big"))
        case bytes():  # also what a stranger put where an address or an amount is due
            return value.hex()
        case tuple():
            return [_shown(item, name) for item in value]
        case Wire():
            return plain(value)
        case _:
            return value


def plain(record: Wire) -> Plain:
    """`type` is the record's tag; bytes are hexadecimal, addresses bech32m, amounts decimal text."""
    tag = record.__struct_config__.tag
    fields = {name: _shown(getattr(record, name), name) for name in record.__struct_fields__}
    return {"type": tag, **fields} if isinstance(tag, str) else fields
