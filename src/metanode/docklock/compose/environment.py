"""COMPOSE-13. Variables of a container: of env files, later ones over earlier, and over them those of the file itself.
A variable without a value is taken from the environment that is handed in; unset there, the container has none."""

import re
from collections.abc import Callable
from collections.abc import Mapping as Variables
from typing import Final

import msgspec

from metanode.docklock.compose.fields import agreed, fields, items, one_or_more, pairs
from metanode.docklock.compose.findings import ComposeAdvice, ComposeRefusal, Notes, quoted
from metanode.docklock.compose.interpolation import Interpolation, told
from metanode.docklock.compose.keys import ENV_FILE
from metanode.docklock.compose.nodes import Mapping, Scalar, Sequence, Spot, kind_of
from metanode.docklock.compose.scalars import text_of, truth, word_of
from metanode.records.demand import LISTED_MAX
from metanode.records.workload import WORDS_MAX, Variable, check_variable

ENV_FILE_CHARACTERS_MAX: Final = 65_536
"""Longest env file: what does not fit into a specification is not read."""

_LINE: Final = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]{0,254})\s*(?:=[ \t]*(.*))?", re.ASCII | re.DOTALL)
_COMMENT: Final = re.compile(r"[ \t]+#.*")
_SECRET: Final = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|PRIVATE_KEY|API_KEY|CREDENTIAL", re.IGNORECASE)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "$": "$$"}


class Outside(msgspec.Struct, frozen=True):
    """What the world knows, handed in: variables, the text of an env file (nothing where it is missing), and the digest
    of the manifest that a reference means (nothing where it is unknown)."""

    variables: Variables[str, str]
    file: Callable[[str], str | None]
    image: Callable[[str], bytes | None]


class _EnvFile:
    """One env file, line by line."""

    def __init__(
        self, name: str, notes: Notes, by: Interpolation, variables: Variables[str, str], *, raw: bool
    ) -> None:
        self._name: Final = name
        self._variables: Final = variables
        self._notes: Final = notes
        self._by: Final = by
        self._raw: Final = raw

    def read(self, text: str, known: dict[str, str]) -> None:
        """Its variables into those known."""
        for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
            if line.strip() and not line.lstrip().startswith("#") and not self._notes.is_full:
                self._take(number, line.removesuffix("\r"), known)

    def _spot(self, number: int, name: str) -> Spot:
        return Spot(Scalar("", number, 1), name, self._name)

    def _take(self, number: int, line: str, known: dict[str, str]) -> None:
        found = _LINE.fullmatch(line)
        if found is None:
            spot = self._spot(number, "")
            spot.say(self._notes, ComposeRefusal.BAD_ENV_FILE, quoted(line), "NAME=value", "correct the name")
            return
        name, value = found.groups()
        spot = self._spot(number, name)
        if value is None:
            _keep(known, name, self._variables.get(name))
        elif self._raw:
            known[name] = value
        else:
            known[name] = self._value(spot, value.rstrip(), known)

    def _value(self, spot: Spot, text: str, known: dict[str, str]) -> str:
        quote = text[:1]
        if quote not in ("'", '"') or not quote:
            return told(spot, _COMMENT.sub("", text, count=1).rstrip(), self._notes, self._by, known) or ""
        made, at = [], 1
        while at < len(text) and text[at] != quote:
            following = text[at + 1 : at + 2]
            if text[at] == "\\" and following and (following == quote or (quote == '"' and following in _ESCAPES)):
                made.append(_ESCAPES.get(following, following))
                at += 2
            else:
                made.append(text[at])
                at += 1
        rest = text[at + 1 :].strip()
        if at >= len(text) or (rest and not rest.startswith("#")):
            fix = f"close the {quote} on the same line, with nothing but a comment behind"
            spot.say(self._notes, ComposeRefusal.BAD_ENV_FILE, quoted(text), "a quotation on one line", fix)
            return ""
        value = "".join(made)
        return value if quote == "'" else told(spot, value, self._notes, self._by, known) or ""


def _keep(known: dict[str, str], name: str, value: str | None) -> None:
    """A variable as it is outside; none where there is none."""
    if value is None:
        known.pop(name, None)
    else:
        known[name] = value


def _env_files(at: Spot | None, notes: Notes, outside: Outside, by: Interpolation) -> dict[str, str]:
    known: dict[str, str] = {}
    for spot in [] if at is None else one_or_more(at, notes, LISTED_MAX):
        keys = fields(spot, notes, ENV_FILE, extensions=False) if isinstance(spot.node, Mapping) else {"path": spot}
        if "path" not in keys:
            spot.say(notes, ComposeRefusal.MISSING_KEY, "no path", "the path of a file", "write `path: FILE`")
            continue
        path = text_of(keys["path"], notes)
        raw = "format" in keys and word_of(keys["format"], notes, ("raw",), "raw") == "raw"
        text = outside.file(path)
        if text is not None and len(text) <= ENV_FILE_CHARACTERS_MAX:
            _EnvFile(path, notes, by, outside.variables, raw=raw).read(text, known)
        elif text is not None:
            spot.say(notes, ComposeRefusal.TOO_LARGE, f"{len(text)} characters", f"{ENV_FILE_CHARACTERS_MAX}", "")
        elif "required" not in keys or truth(keys["required"], notes):
            fix = "create it, or write `required: false`"
            keys["path"].say(notes, ComposeRefusal.MISSING_FILE, f"no file {quoted(path)}", "", fix)
    return known


def _written(at: Spot, notes: Notes) -> list[tuple[str, str | None, Spot]]:
    """Names, values and places of `environment`, a list or a mapping."""
    made: list[tuple[str, str | None, Spot]] = []
    if isinstance(at.node, Sequence):
        for spot in items(at, notes, WORDS_MAX):
            name, equals, value = text_of(spot, notes, "X").partition("=")
            made.append((name, value if equals else None, spot))
        return made
    for name, spot in pairs(at, notes):
        match spot.node:
            case Scalar(null=True):
                made.append((name, None, spot))
            case Scalar(text=text):
                made.append((name, text, spot))
            case _:
                spot.say(notes, ComposeRefusal.WRONG_TYPE, kind_of(spot.node), "a text", "")
    return made


def environment(keys: dict[str, Spot], notes: Notes, outside: Outside, by: Interpolation) -> tuple[Variable, ...]:
    """COMPOSE-13. The variables of a service by name."""
    known = _env_files(keys.get("env_file"), notes, outside, by)
    seen: set[str] = set()
    for name, value, spot in _written(keys["environment"], notes) if "environment" in keys else []:
        if not agreed(spot, notes, check_variable, "the variable", name):
            continue
        if name in seen:
            spot.say(notes, ComposeRefusal.CONTRADICTION, f"{name[:60]} a second time", "once", "take one out")
        seen.add(name)
        taken = value if value is not None else outside.variables.get(name)
        _keep(known, name, taken)
        if taken and _SECRET.search(name) and not name.endswith("_FILE"):
            found = f"{name[:60]} looks like a secret, and stands in the specification"
            fix = "list it in `secrets`, and name its file in the environment"
            spot.say(notes, ComposeAdvice.SECRET_IN_ENVIRONMENT, found, "", fix)
    if len(known) > WORDS_MAX:
        at = keys.get("environment") or keys["env_file"]
        at.say(notes, ComposeRefusal.TOO_LARGE, f"{len(known)} variables", f"at most {WORDS_MAX}", "")
    return tuple(Variable(name=name, value=known[name]) for name in sorted(known))
