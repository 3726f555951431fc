"""COMPOSE-5. The keys of a mapping by a table: known, refused with a reason, or unknown. Nothing is silently ignored
but `x-` keys, where Compose allows them."""

from collections.abc import Callable, Iterable
from collections.abc import Mapping as Table
from typing import Final

from metanode.docklock.compose.findings import ComposeRefusal, Notes, quoted
from metanode.docklock.compose.nodes import Mapping, Scalar, Sequence, Spot, kind_of
from metanode.docklock.compose.scalars import near, text_of
from metanode.primitives.refusal import Rejected

NOTHING: Final[Table[str, str]] = {}


def fields(
    spot: Spot, notes: Notes, known: Iterable[str], refused: Table[str, str] = NOTHING, *, extensions: bool = True
) -> dict[str, Spot]:
    """The values of the known keys; every other key is noted with its line. Nothing at all is an empty mapping."""
    if isinstance(spot.node, Scalar) and spot.node.null:
        return {}
    if not isinstance(spot.node, Mapping):
        spot.say(notes, ComposeRefusal.WRONG_TYPE, kind_of(spot.node), "a mapping", "write `key: value` lines")
        return {}
    words = tuple(known)
    found: dict[str, Spot] = {}
    for key, node in spot.node.entries:
        at = spot.inside(key, key)
        if key.text in words:
            found[key.text] = spot.inside(key, node)
        elif key.text in refused:
            says = f"the key {quoted(key.text)} is not supported: {refused[key.text]}"
            at.say(notes, ComposeRefusal.UNSUPPORTED_KEY, says, "", f"take {key.text} out")
        elif not (extensions and key.text.startswith("x-")):
            allowed = ", ".join(words)
            if notes.is_full:
                break
            fix = near(key.text, (*words, *refused)) or "take it out"
            at.say(notes, ComposeRefusal.UNKNOWN_KEY, f"the key {quoted(key.text)}", allowed, fix)
    return found


def pairs(spot: Spot, notes: Notes) -> list[tuple[str, Spot]]:
    """The entries of a mapping whose keys are names that the author chose; nothing at all has none."""
    if isinstance(spot.node, Scalar) and spot.node.null:
        return []
    if not isinstance(spot.node, Mapping):
        spot.say(notes, ComposeRefusal.WRONG_TYPE, kind_of(spot.node), "a mapping", "write `name: …` lines")
        return []
    return [(key.text, spot.inside(key, node)) for key, node in spot.node.entries]


def items(spot: Spot, notes: Notes, most: int) -> list[Spot]:
    """The elements of a list; nothing at all has none."""
    if isinstance(spot.node, Scalar) and spot.node.null:
        return []
    if not isinstance(spot.node, Sequence):
        spot.say(notes, ComposeRefusal.WRONG_TYPE, kind_of(spot.node), "a list", "write `- ` before each element")
        return []
    if len(spot.node.items) > most:
        spot.say(notes, ComposeRefusal.TOO_LARGE, f"{len(spot.node.items)} elements", f"at most {most}", "")
    return [spot.item(at, one) for at, one in enumerate(spot.node.items[:most])]


def one_or_more(spot: Spot, notes: Notes, most: int) -> list[Spot]:
    """The elements of a list, or a text as the only one."""
    if isinstance(spot.node, Scalar) and not spot.node.null:
        return [spot]
    return items(spot, notes, most)


def texts(spot: Spot, notes: Notes, most: int) -> list[tuple[str, Spot]]:
    """The texts of a list, each with its place."""
    return [(text_of(one, notes), one) for one in items(spot, notes, most)]


def distinct(found: list[tuple[str, Spot]], notes: Notes) -> tuple[str, ...]:
    """Texts in ascending order; one that comes twice is noted."""
    seen: set[str] = set()
    for text, spot in found:
        if text in seen:
            spot.say(notes, ComposeRefusal.CONTRADICTION, f"{quoted(text)} a second time", "each once", "take one out")
        seen.add(text)
    return tuple(sorted(seen))


def agreed(spot: Spot, notes: Notes, check: Callable[[str, str], None], what: str, word: str) -> bool:
    """Whether a word passes a check of the agreed values; its refusal is noted here, with its own code."""
    try:
        check(what, word)
    except Rejected as rejected:
        spot.say(notes, rejected.reason, rejected.detail)
        return False
    return True
