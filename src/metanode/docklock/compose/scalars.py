"""COMPOSE-4. What a text means where a number, a duration, a size or a word is due. Integers only: no fraction of a
millisecond, of a thousandth of a core or of a basis point is rounded away."""

import re
from typing import Final

from metanode.docklock.compose.findings import ComposeRefusal, Notes, quoted
from metanode.docklock.compose.nodes import Scalar, Spot, kind_of
from metanode.primitives.refusal import Rejected

TEXT_CHARACTERS_MAX: Final = 65_536
"""Longest value that is looked at; the specification has closer limits."""

_WHOLE: Final = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
_DECIMAL: Final = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,9}))?", re.ASCII)
_PART: Final = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,9}))?(ns|us|µs|ms|s|m|h)", re.ASCII)
_SIZE: Final = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,6}))? ?(b|[kmgt](?:i?b)?)?", re.ASCII | re.IGNORECASE)
_OCTAL: Final = re.compile(r"0o?([0-7]{1,4})", re.ASCII)

_NANOSECONDS: Final = {
    "ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000,
}  # fmt: skip
_UNITS: Final = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
TRUTHS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
"""What is a truth value (YAML 1.2, core schema)."""


def _scaled(whole: str, fraction: str | None, unit: int) -> int | None:
    """A decimal times a unit, if that is a whole number."""
    digits = (fraction or "").rstrip("0")
    scaled = int(whole + digits) * unit
    divisor = 10 ** len(digits)
    return scaled // divisor if scaled % divisor == 0 else None


def duration_ms(text: str) -> int:
    """`1m30s` in milliseconds. Raises `Rejected`: `BAD_DURATION`."""
    total, at = 0, 0
    while at < len(text):
        part = _PART.match(text, at)
        amount = None if part is None else _scaled(part.group(1), part.group(2), _NANOSECONDS[part.group(3)])
        if part is None or amount is None:
            raise Rejected(ComposeRefusal.BAD_DURATION, "not a duration")
        total, at = total + amount, part.end()
    if not text or total % 1_000_000:
        raise Rejected(ComposeRefusal.BAD_DURATION, "nothing" if not text else "a part of a millisecond")
    return total // 1_000_000


def size_bytes(text: str) -> int:
    """`512m` or `1gb` in bytes; a unit is a power of 1,024. Raises `Rejected`: `BAD_SIZE`."""
    found = _SIZE.fullmatch(text)
    size = (
        None if found is None else _scaled(found.group(1), found.group(2), _UNITS[(found.group(3) or "b")[0].lower()])
    )
    if size is None:
        raise Rejected(ComposeRefusal.BAD_SIZE, "not a number of bytes")
    return size


def thousandths(text: str, unit: int = 1_000) -> int:
    """A decimal in thousandths, or in other parts of a whole. Raises `Rejected`: `BAD_NUMBER`."""
    found = _DECIMAL.fullmatch(text)
    value = None if found is None else _scaled(found.group(1), found.group(2), unit)
    if value is None:
        raise Rejected(ComposeRefusal.BAD_NUMBER, f"not a decimal number in steps of 1/{unit}")
    return value


def text_of(spot: Spot, notes: Notes, default: str = "") -> str:
    """The text of a value that must be one."""
    if isinstance(spot.node, Scalar) and not spot.node.null:
        if len(spot.node.text) <= TEXT_CHARACTERS_MAX:
            return spot.node.text
        spot.say(notes, ComposeRefusal.TOO_LARGE, f"{len(spot.node.text)} characters", f"{TEXT_CHARACTERS_MAX}")
        return default
    spot.say(notes, ComposeRefusal.WRONG_TYPE, kind_of(spot.node), "a text")
    return default


def truth(spot: Spot, notes: Notes, *, default: bool = False) -> bool:
    """`true` or `false`."""
    word = text_of(spot, notes, "false")
    if word not in TRUTHS:
        spot.say(notes, ComposeRefusal.BAD_CHOICE, quoted(word), "true, false", "write true or false")
    return TRUTHS.get(word, default)


def whole(spot: Spot, notes: Notes, least: int, most: int) -> int:
    """A decimal integer within a range."""
    word = text_of(spot, notes, str(least))
    if _WHOLE.fullmatch(word) and least <= int(word) <= most:
        return int(word)
    fix = ""
    if _WHOLE.fullmatch(word):
        fix = f"write {least if int(word) < least else most}"
    elif word.startswith("0") and word.strip("01234567") == "":
        fix = f"write {word.lstrip('0') or '0'}: a leading zero means octal to some and nothing to others"
    spot.say(notes, ComposeRefusal.BAD_NUMBER, quoted(word), f"{least} … {most}", fix)
    return least


def period_ms(spot: Spot, notes: Notes, least: int, most: int) -> int:
    """A duration within a range, in milliseconds."""
    word = text_of(spot, notes, f"{least}ms")
    try:
        value = duration_ms(word)
    except Rejected as rejected:
        fix = f"write {word}s" if _WHOLE.fullmatch(word) else "write it like 500ms, 10s, 1m30s, 2h"
        found = f"{quoted(word)}: {rejected.detail}"
        spot.say(notes, rejected.reason, found, "whole milliseconds with units ms, s, m, h", fix)
        return least
    if not least <= value <= most:
        nearest = least if value < least else most
        spot.say(notes, ComposeRefusal.BAD_DURATION, quoted(word), f"{least}ms … {most}ms", f"write {nearest}ms")
        return least
    return value


def size_kib(spot: Spot, notes: Notes, least: int, most: int) -> int:
    """A size within a range, in KiB; a part of one is not granted."""
    word = text_of(spot, notes, f"{least}k")
    try:
        value = size_bytes(word) >> 10
    except Rejected as rejected:
        spot.say(notes, rejected.reason, quoted(word), "a number with b, k, m, g or t", "write it like 512m or 1gb")
        return least
    if not least <= value <= most:
        fix = f"write {least}k" if value < least else f"write {most}k"
        spot.say(notes, ComposeRefusal.BAD_SIZE, quoted(word), f"{least}k … {most}k", fix)
        return least
    return value


def decimal(spot: Spot, notes: Notes, unit: int, least: int, most: int) -> int:
    """A decimal number in parts of a whole: thousandths of a core, ten thousandths of all replicas."""
    word = text_of(spot, notes, "0")
    try:
        value = thousandths(word, unit)
    except Rejected as rejected:
        spot.say(notes, rejected.reason, f"{quoted(word)}: {rejected.detail}", "like 0.5 or 2", "write it like 0.5")
        return least
    if not least <= value <= most:
        allowed = f"{_decimal_text(least, unit)} … {_decimal_text(most, unit)}"
        nearest = _decimal_text(least if value < least else most, unit)
        spot.say(notes, ComposeRefusal.BAD_NUMBER, quoted(word), allowed, f"write {nearest}")
        return least
    return value


def _decimal_text(value: int, unit: int) -> str:
    digits = str(value % unit).rjust(len(str(unit)) - 1, "0").rstrip("0")
    return f"{value // unit}.{digits}" if digits else str(value // unit)


def file_mode(spot: Spot, notes: Notes) -> int:
    """Permissions of a file, octal as they are always said: `0440` or `0o440`."""
    word = text_of(spot, notes, "0444")
    found = _OCTAL.fullmatch(word)
    if found is None or int(found.group(1), 8) > 0o777:
        fix = "write it like 0440, with the zero in front"
        spot.say(notes, ComposeRefusal.BAD_NUMBER, quoted(word), "0 … 0777, octal", fix)
        return 0o444
    return int(found.group(1), 8)


def word_of(spot: Spot, notes: Notes, words: tuple[str, ...], default: str) -> str:
    """One of several words."""
    word = text_of(spot, notes, default)
    if word not in words:
        spot.say(notes, ComposeRefusal.BAD_CHOICE, quoted(word), ", ".join(words), near(word, words))
        return default
    return word


def near(word: str, words: tuple[str, ...]) -> str:
    """The word that was meant, if one is likely."""
    best, distance = "", 3
    for one in words:
        apart = _apart(word.lower()[:64], one.lower(), distance)
        if apart < distance:
            best, distance = one, apart
    return f"did you mean {best}?" if best else ""


def _apart(one: str, other: str, most: int) -> int:
    """How many letters must come, go or change to make one word of the other (Levenshtein), up to a bound."""
    if abs(len(one) - len(other)) >= most:
        return most
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        before, row[0] = row[0], at
        for column, wanted in enumerate(other, 1):
            before, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, before + (letter != wanted))
    return min(row[-1], most)
