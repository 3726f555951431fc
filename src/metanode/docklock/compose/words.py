"""COMPOSE-6. Commands: a list as it stands, a text split as a shell would split it, without running one."""

from typing import Final

from metanode.docklock.compose.fields import texts
from metanode.docklock.compose.findings import ComposeRefusal, Notes, quoted
from metanode.docklock.compose.nodes import Scalar, Spot
from metanode.docklock.compose.scalars import text_of
from metanode.primitives.refusal import Rejected
from metanode.records.workload import WORDS_MAX

SHELL: Final = ("/bin/sh", "-c")
"""What runs a command that is a text for a shell."""

_OPERATORS: Final = frozenset("|&;<>")
_ESCAPED: Final = frozenset('"\\$`\n')


def split(text: str) -> tuple[str, ...]:
    """Words by the rules of POSIX shells for quotes and backslashes. An operator outside of quotes is refused: Compose
    would cut the command off there, and nobody would see it. Raises `Rejected`: `BAD_FORM`, `UNSUPPORTED_VALUE`."""
    words: list[str] = []
    word: list[str] | None = None
    quote, at = "", 0
    while at < len(text):
        letter = text[at]
        following = text[at + 1 : at + 2]
        if letter == "\\" and quote != "'" and (not quote or following in _ESCAPED) and following:
            word = (word or []) + ([] if following == "\n" else [following])
            at += 1
        elif quote:
            if letter == quote:
                quote = ""
            else:
                assert word is not None
                word.append(letter)
        elif letter in "'\"":
            quote, word = letter, word or []
        elif letter in " \t\r\n":
            if word is not None:
                words.append("".join(word))
            word = None
        elif letter in _OPERATORS:
            raise Rejected(ComposeRefusal.UNSUPPORTED_VALUE, f"{letter!r} outside of quotes: no shell runs this")
        else:
            if word is None:
                word = []
            word.append(letter)
        at += 1
    if quote:
        raise Rejected(ComposeRefusal.BAD_FORM, f"a quotation {quote} that does not end")
    if word is not None:
        words.append("".join(word))
    return tuple(words)


def command(spot: Spot, notes: Notes) -> tuple[str, ...] | None:
    """The words of `command` or `entrypoint`; nothing for null: the image decides."""
    if not isinstance(spot.node, Scalar):
        return tuple(text for text, _ in texts(spot, notes, WORDS_MAX))
    if spot.node.null:
        return None
    text = text_of(spot, notes)
    try:
        return split(text)
    except Rejected as rejected:
        fix = 'write a list, or ["/bin/sh", "-c", "…"] for a shell'
        spot.say(notes, rejected.reason, f"{quoted(text)}: {rejected.detail}", "", fix)
        return (text,)
