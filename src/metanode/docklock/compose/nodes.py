"""A YAML document as a tree in which everything knows its line and column. Scalars stay text: what they mean is decided
by the key that they stand at, so that `22:22`, `no` and `0755` are what was written."""

from enum import StrEnum

import msgspec

from metanode.docklock.compose.findings import Finding, Notes


class Scalar(msgspec.Struct, frozen=True):
    """A text; `null` for `~`, `null` and nothing at all, written without quotes; `broken` where a variable in it could
    not be filled in, which was noted: nothing more is said of it."""

    text: str
    line: int
    column: int
    null: bool = False
    broken: bool = False


class Sequence(msgspec.Struct, frozen=True):
    """A list."""

    items: tuple["Node", ...]
    line: int
    column: int


class Mapping(msgspec.Struct, frozen=True):
    """Keys with values, merge keys resolved, no key twice."""

    entries: tuple[tuple[Scalar, "Node"], ...]
    line: int
    column: int


Node = Scalar | Sequence | Mapping


class Spot(msgspec.Struct, frozen=True):
    """A node, the path that leads to it, and where to look: at a text itself, else at the key that it belongs to."""

    node: Node
    path: str
    file: str = ""
    key: Scalar | None = None

    @property
    def place(self) -> Scalar | Sequence | Mapping:
        """What has the line and column to look at."""
        is_text = isinstance(self.node, Scalar) and not self.node.null
        return self.node if is_text or self.key is None else self.key

    def inside(self, key: Scalar, node: Node) -> "Spot":
        """The value of a key of this mapping."""
        word = key.text[:60]
        return Spot(node, f"{self.path}.{word}" if self.path else word, self.file, key)

    def item(self, number: int, node: Node) -> "Spot":
        """An element of this list."""
        return Spot(node, f"{self.path}[{number}]", self.file)

    def say(self, notes: Notes, code: StrEnum, found: str, allowed: str = "", fix: str = "") -> None:
        """COMPOSE-2. Note a finding here."""
        if isinstance(self.node, Scalar) and self.node.broken:
            return
        place = self.place
        path, found, allowed, fix, file = map(printable, (self.path, found, allowed, fix, self.file))
        notes.add(Finding(code, place.line, place.column, path, found, allowed, fix, file))


def printable(text: str) -> str:
    """The text without what moves a cursor or hides other text: files may come from strangers."""
    return (
        text
        if text.isprintable()
        else "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    )


def kind_of(node: Node) -> str:
    """What a node is, in the words of people."""
    match node:
        case Sequence():
            return "a list"
        case Mapping():
            return "a mapping"
        case Scalar(null=True):
            return "nothing"
        case Scalar():
            return "a text"
