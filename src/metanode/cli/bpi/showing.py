"""How values are shown: times, short hashes, whole views as JSON."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from metanode.api.shapes import Answer


def as_data(view: Answer) -> dict[str, Any]:
    """A view as the object that `--json` prints."""
    data: dict[str, Any] = msgspec.to_builtins(view)
    return data


def instant(at_ms: int) -> str:
    """A time for people, UTC: `2026-11-25 04:31:02.125Z`."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{at_ms % 1000:03}Z"


def short(text: str, characters: int = 12) -> str:
    """The beginning of a hash."""
    return text if len(text) <= characters else text[:characters] + "…"


def amount_of_space(count: int) -> str:
    """Bytes for people: `77.9 GiB`, `5 MiB`."""
    return f"{count / 2**30:.1f} GiB" if count >= 1 << 30 else f"{count >> 20} MiB"


def size_words(count: int) -> str:
    """Bytes for people, small ones too: `119 B`, `2.4 KiB`, `5 MiB`."""
    if count < 1 << 20:
        return f"{count} B" if count < 1 << 10 else f"{count / 1024:.1f} KiB"
    return amount_of_space(count)


def counted(count: int, one: str) -> str:
    """A number of things: `1 transaction`, `2 transactions`."""
    return f"{count} {one}{'' if count == 1 else 's'}"


def yes(value: bool) -> str:  # noqa: FBT001 - it shows one
    """A truth for people."""
    return "yes" if value else "no"
