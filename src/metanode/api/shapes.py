"""How requests and answers look as JSON: hex for bytes, bech32m for accounts, decimal strings for amounts."""

from typing import Annotated, Any, Final, TypeAlias, dataclass_transform

import msgspec
from msgspec import Meta

PAGE_MAX: Final = 500
"""Most items of a page: an answer stays below a few megabytes and a query below a few milliseconds."""
PAGE_DEFAULT: Final = 50
"""Items of a page when the caller does not say."""
NUMBER_MAX: Final = (1 << 63) - 1
"""Heights, times and counters fit a signed 64-bit integer."""
BATCH_MAX: Final = 4_096
"""Most transactions of one submission: what the largest block takes."""
WAIT_MS_MAX: Final = 60_000
"""Longest long poll; a client that wants more asks again."""
SUBMISSION_TEXT_MAX: Final = 131_072
"""A signed transaction of 64 KiB as hexadecimal text."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """What a method is asked with. An unknown field is refused: a typing mistake must not be ignored."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a method answers. A client ignores fields it does not know, so that answers can grow."""


HashText: TypeAlias = Annotated[
    str,
    Meta(
        pattern="^[0-9a-f]{64}$",
        min_length=64,
        max_length=64,
        description="32 bytes as 64 lower-case hexadecimal characters.",
    ),
]
"""32 bytes."""
HexText: TypeAlias = Annotated[
    str, Meta(pattern="^([0-9a-f]{2})*$", description="Bytes as lower-case hexadecimal characters, two a byte.")
]
"""Bytes of any length."""
AddressText: TypeAlias = Annotated[
    str,
    Meta(pattern="^bpi1[02-9ac-hj-np-z]{38}$", min_length=42, max_length=42, description="An account, as bech32m."),
]
"""The 20 bytes of an account."""
AccountText: TypeAlias = Annotated[
    str,
    Meta(
        pattern="^[^\\x00-\\x1f\\x7f/?#]+$",
        min_length=1,
        max_length=64,
        description="An account: its address, or the name genesis gives it.",
    ),
]
"""An account in a request."""
AmountText: TypeAlias = Annotated[
    str,
    Meta(
        pattern="^(0|[1-9][0-9]{0,38})$",
        max_length=39,
        description="A number of the coin's smallest units, in decimal; at most 2^128 - 1.",
    ),
]
"""An amount of a coin."""
Number: TypeAlias = Annotated[int, Meta(ge=0, le=NUMBER_MAX)]
"""A count, a height, a time in milliseconds, a size in bytes."""
HeightOrLast: TypeAlias = Annotated[int, Meta(ge=0, le=NUMBER_MAX, description="A height; 0 means the last final one.")]
"""A height in a request."""
PageSize: TypeAlias = Annotated[int, Meta(ge=1, le=PAGE_MAX, description="Most items of the answer.")]
"""How many items are asked for."""
CursorText: TypeAlias = Annotated[
    str,
    Meta(
        pattern="^[0-9A-Za-z:._-]*$",
        max_length=128,
        description="Where a page goes on: empty for the first, else `next` of the page before.",
    ),
]
"""Opaque to callers."""
EventCursor: TypeAlias = Annotated[
    str,
    Meta(
        pattern="^([0-9]{1,19}:[0-9]{1,9})?$",
        max_length=29,
        description="The place of an event, `height:index`; empty for before the first.",
    ),
]
"""Where a stream of events goes on."""
NameText: TypeAlias = Annotated[str, Meta(pattern="^[^\\x00-\\x1f\\x7f/?#]+$", min_length=1, max_length=64)]
"""A validator's or a coin's name in a request."""
Plain: TypeAlias = dict[str, Any]
"""A call, event or action as an object: `type` names it, the other fields are those of its record."""
