"""COMPOSE-1. Text into a tree, within bounds, on a parser's stream of events: nothing is built, nothing resolved."""

from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from metanode.docklock.compose.findings import ComposeRefusal, Notes, quoted
from metanode.docklock.compose.nodes import Mapping, Node, Scalar, Sequence, Spot, kind_of

TEXT_BYTES_MAX: Final = 262_144
"""Largest Compose file: a hundred times a usual one."""
DEPTH_MAX: Final = 24
"""Deepest nesting; Compose itself needs eight levels."""
NODES_MAX: Final = 20_000
"""Most values of a file, aliases counted as often as they are used: a few lines could otherwise mean billions."""
EXPANDED_BYTES_MAX: Final = 1_048_576
"""Most text of a file, aliases counted as often as they are used."""
KEY_CHARACTERS_MAX: Final = 256
"""Longest key."""

NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
"""What means nothing when it is written without quotes (YAML 1.2, core schema)."""
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml, which every wheel holds; where the package was built without it, the same in Python."""


class _StopReading(Exception):
    """The rest of the text is not read: a finding has been noted."""


@dataclass(slots=True)
class _Weight:
    """How much a value is with all that is in it: nodes, bytes of text, levels."""

    nodes: int = 1
    text: int = 0
    height: int = 1


@dataclass(slots=True)
class _Open:
    """A list or mapping that has begun and not ended."""

    line: int
    column: int
    anchor: str | None
    is_mapping: bool
    weight: _Weight = field(default_factory=_Weight)
    items: list[Node] = field(default_factory=list)
    merges: list[Node] = field(default_factory=list)
    entries: dict[str, tuple[Scalar, Node]] = field(default_factory=dict)
    key: Scalar | None = None


class _Builder:
    """Events in, one tree out."""

    def __init__(self, notes: Notes) -> None:
        self._notes: Final = notes
        self._stack: Final[list[_Open]] = []
        self._anchors: Final[dict[str, tuple[Node, _Weight]]] = {}
        self._nodes = 0
        self._text = 0
        self.root: Node | None = None

    def take(self, event: Any) -> None:
        """One event of the stream."""
        mark = event.start_mark
        line, column = mark.line + 1, mark.column + 1
        match event:
            case yaml.ScalarEvent():
                self._check_tag(event, line, column)
                is_plain = not event.style  # libyaml says '', the parser in Python says None
                is_null = is_plain and event.value in NULLS
                node = Scalar(event.value, line, column, null=is_null)
                is_merge = event.value == "<<" and is_plain
                self._count(1, len(event.value), line, column)
                self._remember(event.anchor, node, _Weight(1, len(event.value), 1))
                self._put(node, _Weight(1, len(event.value), 1), line, column, is_merge=is_merge)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._check_tag(event, line, column)
                is_mapping = isinstance(event, yaml.MappingStartEvent)
                self._stack.append(_Open(line, column, event.anchor, is_mapping))
                self._check_depth(len(self._stack), line, column)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._close()
            case yaml.AliasEvent():
                self._alias(event.anchor, line, column)
            case yaml.DocumentStartEvent() if self.root is not None:
                self._stop(line, column, ComposeRefusal.NOT_YAML, "a second document", "one", "take `---` out")
            case _:
                pass

    def _say(self, line: int, column: int, code: ComposeRefusal, found: str, allowed: str = "", fix: str = "") -> None:
        Spot(Scalar("", line, column), self._path()).say(self._notes, code, found, allowed, fix)

    def _stop(self, line: int, column: int, code: ComposeRefusal, found: str, allowed: str, fix: str) -> None:
        self._say(line, column, code, found, allowed, fix)
        raise _StopReading

    def _path(self) -> str:
        parts = [
            "." + one.key.text[:60] if one.is_mapping and one.key else f"[{len(one.items)}]"
            for one in self._stack
            if not one.is_mapping or one.key
        ]
        return "".join(parts).lstrip(".")

    def _check_tag(self, event: Any, line: int, column: int) -> None:
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            self._say(line, column, ComposeRefusal.BAD_TAG, f"the tag {quoted(event.tag)}", "none", "take it out")

    def _check_depth(self, depth: int, line: int, column: int) -> None:
        if depth > DEPTH_MAX:
            self._stop(line, column, ComposeRefusal.TOO_DEEP, f"more than {DEPTH_MAX} levels", f"{DEPTH_MAX}", "")

    def _alias(self, anchor: str, line: int, column: int) -> None:
        known = self._anchors.get(anchor)
        if known is None:
            inside = any(one.anchor == anchor for one in self._stack)
            found = f"*{anchor[:60]} inside the value that it names" if inside else f"*{anchor[:60]} names no anchor"
            self._stop(
                line, column, ComposeRefusal.UNKNOWN_ANCHOR, found, "an anchor above it", f"write &{anchor[:60]}"
            )
        else:
            node, weight = known
            self._check_depth(len(self._stack) + weight.height, line, column)
            self._count(weight.nodes, weight.text, line, column)
            self._put(node, weight, line, column)

    def _count(self, nodes: int, text: int, line: int, column: int) -> None:
        self._nodes += nodes
        self._text += text
        if self._nodes > NODES_MAX or self._text > EXPANDED_BYTES_MAX:
            limit = f"{NODES_MAX} values and {EXPANDED_BYTES_MAX} characters, aliases counted each time"
            self._stop(line, column, ComposeRefusal.TOO_LARGE, "more values or text", limit, "split the file")

    def _remember(self, anchor: str | None, node: Node, weight: _Weight) -> None:
        if anchor is not None:
            self._anchors[anchor] = (node, weight)

    def _put(self, node: Node, weight: _Weight, line: int, column: int, *, is_merge: bool = False) -> None:
        """A whole value to where it belongs."""
        if not self._stack:
            self.root = node
            return
        above = self._stack[-1]
        above.weight.nodes += weight.nodes
        above.weight.text += weight.text
        above.weight.height = max(above.weight.height, weight.height + 1)
        if not above.is_mapping:
            above.items.append(node)
        elif above.key is None:
            above.key = self._key(node, line, column, is_merge=is_merge)
        else:
            self._entry(above, above.key, node)
            above.key = None

    def _key(self, node: Node, line: int, column: int, *, is_merge: bool) -> Scalar:
        if isinstance(node, Scalar) and len(node.text) <= KEY_CHARACTERS_MAX:
            return Scalar(node.text, line, column, null=is_merge)
        found = f"{kind_of(node)} as a key" if not isinstance(node, Scalar) else "a key that is too long"
        self._say(line, column, ComposeRefusal.BAD_KEY, found, f"a text, at most {KEY_CHARACTERS_MAX} characters")
        return Scalar(f"x-bad-key-{line}-{column}", line, column)

    def _entry(self, above: _Open, key: Scalar, node: Node) -> None:
        merging = key.null and key.text == "<<"  # `null` of a key says that it was written as a merge key
        if key.text in above.entries or (merging and above.merges):
            before = above.entries[key.text][0].line if key.text in above.entries else above.merges[0].line
            fix = "write `<<: [*one, *other]`" if merging else "take one of the two out"
            found = f"the key {quoted(key.text)} a second time, first on line {before}"
            self._say(key.line, key.column, ComposeRefusal.DUPLICATE_KEY, found, "each once", fix)
        elif merging:
            above.merges.append(node)
        else:
            above.entries[key.text] = (Scalar(key.text, key.line, key.column), node)

    def _close(self) -> None:
        done = self._stack.pop()
        node: Node
        if done.is_mapping:
            for one in done.merges:
                self._merge(done, one)
            node = Mapping(tuple(done.entries.values()), done.line, done.column)
        else:
            node = Sequence(tuple(done.items), done.line, done.column)
        self._count(1, 0, done.line, done.column)
        self._remember(done.anchor, node, done.weight)
        self._put(node, done.weight, done.line, done.column)

    def _merge(self, done: _Open, value: Node) -> None:
        """What is written wins over what is merged; of several, the earlier."""
        sources = value.items if isinstance(value, Sequence) else (value,)
        for source in sources:
            if isinstance(source, Mapping):
                for key, node in source.entries:
                    done.entries.setdefault(key.text, (key, node))
            else:
                found = f"{kind_of(source)} after `<<`"
                fix = "write `<<: *anchor` with the anchor of a mapping"
                self._say(
                    source.line, source.column, ComposeRefusal.BAD_MERGE, found, "a mapping, or a list of them", fix
                )


def _place(error: yaml.YAMLError, text: str) -> tuple[int, int, str]:
    """Where the text stops being YAML, and why."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        why = ", ".join(part for part in (error.context, error.problem) if part)
        return (mark.line + 1, mark.column + 1, why) if mark else (1, 1, why)
    position = min(getattr(error, "position", 0), len(text))
    line = text.count("\n", 0, position) + 1
    return line, position - (text.rfind("\n", 0, position) + 1) + 1, str(getattr(error, "reason", "not readable"))


def read(text: str, notes: Notes, loader: Any = _LOADER) -> Node | None:
    """COMPOSE-1. The tree of one document; nothing, with findings, where the text has none."""
    start = Spot(Scalar("", 1, 1), "")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        start.say(notes, ComposeRefusal.NOT_YAML, "characters that UTF-8 cannot write", "UTF-8", "take them out")
        return None
    if size > TEXT_BYTES_MAX:
        start.say(notes, ComposeRefusal.TOO_LARGE, f"{size} bytes", f"{TEXT_BYTES_MAX}", "split the file")
        return None
    builder = _Builder(notes)
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event)
    except _StopReading:
        return None
    except yaml.YAMLError as error:
        line, column, why = _place(error, text)
        fix = "correct the indentation, quotes or brackets there"
        Spot(Scalar("", line, column), "").say(notes, ComposeRefusal.NOT_YAML, why[:200], "YAML", fix)
        return None
    if builder.root is None:
        start.say(notes, ComposeRefusal.NOT_YAML, "an empty file", "a mapping with `services`", "write services:")
    return builder.root
