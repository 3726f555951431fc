"""How far a Twins campaign has come: a small file with one spelling, made durable as a whole, doubted when read."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from metanode.sim.twins import Space

HEAD: Final = "metanode twins progress 1"
"""With another number where the scenarios of a space get other numbers or another order: then a count says nothing."""
NAMED_MAX: Final = 100
"""So many broken scenarios of a space are named; an engine that breaks more is not told more by a longer list."""
BYTES_MAX: Final = 100_000
"""Ten spaces with a hundred names each are less than a tenth of it."""


class Doubtful(Exception):
    """A progress file that is damaged, or that of another campaign."""


@dataclass
class Tally:
    """What was played of one space: the first so many turns, heights that everybody decided, heights decided before the
    healing, the highest round of a decision, messages heard, time of all processes together, and what broke."""

    space: Space
    played: int = 0
    heights: int = 0
    early: int = 0
    round: int = 0
    messages: int = 0
    milliseconds: int = 0
    broken: int = 0
    named: list[str] = field(default_factory=list)

    @property
    def numbers(self) -> tuple[int, ...]:
        """All of them, as they are written."""
        counted = self.played, self.heights, self.early, self.round, self.messages
        return *counted, self.milliseconds, self.broken

    def break_on(self, name: str) -> None:
        """A scenario did not go well."""
        self.broken += 1
        if len(self.named) < NAMED_MAX:
            self.named.append(name)


def encode(tallies: Sequence[Tally]) -> bytes:
    """A line a space: its name, its numbers, what broke; the digest of all of it."""
    lines = [HEAD, *(" ".join([t.space.name, *map(str, t.numbers), *t.named]) for t in tallies)]
    text = "".join(f"{line}\n" for line in lines).encode()
    return text + f"{sha256(text).hexdigest()}\n".encode()


def decode(data: bytes, spaces: Sequence[Space]) -> list[Tally]:
    """The tallies of these spaces. Raises `Doubtful` unless the bytes are exactly what `encode` makes of them."""
    if len(data) > BYTES_MAX:
        raise Doubtful(f"{len(data)} bytes")
    lines = data.decode(errors="replace").splitlines()[1:-1]
    tallies = []
    for line, space in zip(lines, spaces, strict=False):
        name, *words = line.split(" ")
        if name != space.name:
            raise Doubtful(f"a campaign of {name}, not of {space.name}")
        try:
            played, heights, early, round_, messages, spent, broken = (int(word) for word in words[:7])
        except ValueError as wrong:
            raise Doubtful("numbers that are none") from wrong
        tallies.append(Tally(space, played, heights, early, round_, messages, spent, broken, words[7:]))
    if encode(tallies) != data:
        raise Doubtful("damaged")
    if len(tallies) != len(spaces):
        raise Doubtful(f"a campaign of {len(tallies)} spaces, not of {len(spaces)}")
    return tallies


def load(path: Path | None, spaces: Sequence[Space]) -> list[Tally]:
    """Where a campaign stands; at its beginning if there is no file. Raises `Doubtful`."""
    if path is None or not path.exists():
        return [Tally(space) for space in spaces]
    try:
        return decode(path.read_bytes(), spaces)
    except Doubtful as wrong:
        raise Doubtful(f"{path}: {wrong}; move it away to begin anew") from wrong


def save(path: Path | None, tallies: Sequence[Tally]) -> None:
    """Durable as a whole, or not at all: a kill leaves the old file or the new one."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.new")
    with beside.open("wb") as file:
        file.write(encode(tallies))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
