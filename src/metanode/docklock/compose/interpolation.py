"""COMPOSE-3. Variables in values: `$NAME`, `${NAME}` and the forms with `-`, `:-`, `?`, `:?`, `+`, `:+`, nested; `$$`
is a dollar. Keys, and what stands below other `x-` keys than x-metanode, are left as they are."""

import re
from collections.abc import Mapping as Variables
from typing import Final

from metanode.docklock.compose.findings import ComposeAdvice, ComposeRefusal, Notes
from metanode.docklock.compose.nodes import Mapping, Node, Scalar, Sequence, Spot
from metanode.primitives.refusal import Rejected

NESTED_MAX: Final = 8
"""Deepest nesting of variables in defaults of variables."""
INTERPOLATED_CHARACTERS_MAX: Final = 1_048_576
"""Most text that the variables of a file may make together: a short file could otherwise fill the memory."""
FORMS: Final = "${NAME}, ${NAME:-default}, ${NAME:?message}, ${NAME:+replacement}; $$ for a dollar"

NAMED: Final = frozenset({"services", "volumes", "networks", "secrets"})
"""Mappings at the top level whose keys are names that authors choose."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_OPERATOR: Final = re.compile(r":?[-?+]")


class Interpolation:
    """Values with the variables of one environment, and what was found missing."""

    def __init__(self, variables: Variables[str, str]) -> None:
        self._variables: Final = variables
        self._left = INTERPOLATED_CHARACTERS_MAX
        self.unset: list[str] = []

    def text(self, text: str, more: Variables[str, str] | None = None) -> str:
        """The text with its variables; `more` are known besides, where the environment says nothing. Raises `Rejected`:
        `BAD_VARIABLE`, `MISSING_VARIABLE` or `TOO_LARGE`."""
        if "$" not in text:
            return text
        self.unset = []
        done, _ = _Template(text, self._variables, more or {}, self.unset, self._left).until(0, 0, active=True)
        self._left -= len(done)
        return done


class _Template:
    """One text that is read once, from left to right."""

    def __init__(
        self, text: str, variables: Variables[str, str], more: Variables[str, str], unset: list[str], left: int
    ) -> None:
        self._text: Final = text
        self._variables: Final = variables
        self._more: Final = more
        self._unset: Final = unset
        self._left = left

    def _value(self, name: str) -> str | None:
        return self._variables.get(name, self._more.get(name))

    def _spend(self, made: str) -> str:
        self._left -= len(made)
        if self._left < 0:
            limit = f"at most {INTERPOLATED_CHARACTERS_MAX} characters together"
            raise Rejected(ComposeRefusal.TOO_LARGE, f"the variables make more text: {limit}")
        return made

    def until(self, at: int, depth: int, *, active: bool) -> tuple[str, int]:
        """The text from `at` on: to its end, or inside braces to the brace that closes them."""
        text = self._text
        made: list[str] = []
        while at < len(text):
            if depth and text[at] == "}":
                return "".join(made), at
            if text[at] != "$":
                end = at
                while end < len(text) and text[end] != "$" and not (depth and text[end] == "}"):
                    end += 1
                made.append(self._spend(text[at:end]))
                at = end
            elif text.startswith("$$", at):
                made.append(self._spend("$"))
                at += 2
            elif text.startswith("${", at):
                value, at = self._braced(at + 2, depth, active=active)
                made.append(value)
            elif name := _NAME.match(text, at + 1):
                made.append(self._plain(name.group(), active=active))
                at = name.end()
            else:
                made.append(self._spend("$"))
                at += 1
        if depth:
            raise Rejected(ComposeRefusal.BAD_VARIABLE, "a ${ that no } closes")
        return "".join(made), at

    def _plain(self, name: str, *, active: bool) -> str:
        value = self._value(name)
        if value is None and active:
            self._unset.append(name)
        return self._spend(value or "") if active else ""

    def _braced(self, at: int, depth: int, *, active: bool) -> tuple[str, int]:
        name = _NAME.match(self._text, at)
        if name is None or depth >= NESTED_MAX:
            why = f"more than {NESTED_MAX} nested variables" if name else "${ without the name of a variable"
            raise Rejected(ComposeRefusal.BAD_VARIABLE, why)
        if self._text.startswith("}", name.end()):
            return self._plain(name.group(), active=active), name.end() + 1
        operator = _OPERATOR.match(self._text, name.end())
        if operator is None:
            after = self._text[name.end() : name.end() + 10]
            raise Rejected(ComposeRefusal.BAD_VARIABLE, f"${{{name.group()[:40]} followed by {after!r}")
        value = self._value(name.group())
        is_set = bool(value) if operator.group().startswith(":") else value is not None
        sign = operator.group()[-1]
        wanted = is_set if sign == "+" else not is_set
        word, end = self.until(operator.end(), depth + 1, active=active and wanted)
        if sign == "?" and wanted and active:
            raise Rejected(
                ComposeRefusal.MISSING_VARIABLE, f"{name.group()[:60]} is not set: {word[:120] or 'it must be'}"
            )
        if sign == "+" or wanted:
            return (word if wanted and active else ""), end + 1
        return self._spend(value or "") if active else "", end + 1


def interpolated(spot: Spot, notes: Notes, by: Interpolation) -> Node:
    """COMPOSE-3. The same tree with the variables of its values; what cannot be is noted and left as it is."""
    match spot.node:
        case Scalar(text=text) if "$" in text:
            done = told(spot, text, notes, by)
            return Scalar(done or "", spot.node.line, spot.node.column, broken=done is None)
        case Scalar():
            return spot.node
        case Sequence(items=items):
            filled = (interpolated(spot.item(at, one), notes, by) for at, one in enumerate(items))
            return Sequence(tuple(filled), spot.node.line, spot.node.column)
        case Mapping(entries=entries):
            pairs = (
                (key, node if is_foreign(spot.path, key.text) else interpolated(spot.inside(key, node), notes, by))
                for key, node in entries
            )
            return Mapping(tuple(pairs), spot.node.line, spot.node.column)


def told(spot: Spot, text: str, notes: Notes, by: Interpolation, more: Variables[str, str] | None = None) -> str | None:
    """COMPOSE-3. The text with its variables; nothing where they were wrong, which is noted at the place."""
    try:
        done = by.text(text, more)
    except Rejected as rejected:
        missing = rejected.reason is ComposeRefusal.MISSING_VARIABLE
        fix = "set it in the environment, or write a default `${NAME:-default}`" if missing else ""
        spot.say(notes, rejected.reason, rejected.detail, "" if missing else FORMS, fix)
        return None
    for name in sorted(set(by.unset)):
        found = f"{name[:60]} is not set: empty text is taken"
        spot.say(notes, ComposeAdvice.UNSET_VARIABLE, found, "", f"set it, or write ${{{name[:60]}:-default}}")
    return done


def is_foreign(path: str, key: str) -> bool:
    """Whether a key is an extension that is not ours: nobody here reads it. Where authors choose names, `x-` is one."""
    chosen = path in NAMED or path.rpartition(".")[2] in ("environment", "depends_on")
    return key.startswith("x-") and key != "x-metanode" and not chosen
