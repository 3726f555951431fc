"""Paths within an image: what an archive may write, and where links lead. Nothing here can leave the root."""

from typing import Final, TypeAlias

from metanode.docklock.images.refusals import ImageRefusal
from metanode.primitives.refusal import Rejected

PATH_BYTES_MAX: Final = 4095
"""Longest path or link: what the kernel takes with the NUL at its end."""
NAME_BYTES_MAX: Final = 255
"""Longest name of a file: what file systems take."""
DEPTH_MAX: Final = 128
"""Deepest path, links followed: deeper trees are made to hurt who walks them."""
LINK_HOPS_MAX: Final = 40
"""Most symbolic links on the way to one path, as in the kernel."""
STEPS_MAX: Final = 512
"""Most names looked at on the way to one path, those in links included."""

Path: TypeAlias = tuple[bytes, ...]
"""The names from the root of the image down; the root itself is empty."""


def shown(path: Path | bytes) -> str:
    """A path for a sentence, cut where it is long."""
    text = b"/" + b"/".join(path) if isinstance(path, tuple) else path
    return repr(text.decode("utf-8", "backslashreplace")[:200])


def entry_path(name: bytes) -> Path:
    """IMG-8. The path of an archive's entry: relative, no `..`, names and depth within their limits. `.` and doubled
    slashes mean nothing and are dropped.
    """
    if len(name) > PATH_BYTES_MAX:
        raise Rejected(ImageRefusal.PATH_TOO_LONG, f"a path of {len(name)} bytes, at most {PATH_BYTES_MAX}")
    if name.startswith(b"/"):
        raise Rejected(ImageRefusal.PATH_ESCAPES, f"{shown(name)} is absolute")
    if b"\x00" in name:
        raise Rejected(ImageRefusal.PATH_ESCAPES, f"{shown(name)} holds a NUL")
    path = tuple(part for part in name.split(b"/") if part not in (b"", b"."))
    if b".." in path:
        raise Rejected(ImageRefusal.PATH_ESCAPES, f"{shown(name)} climbs by `..`")
    if len(path) > DEPTH_MAX:
        raise Rejected(ImageRefusal.PATH_TOO_LONG, f"{shown(name)} is {len(path)} deep, at most {DEPTH_MAX}")
    if any(len(part) > NAME_BYTES_MAX for part in path):
        raise Rejected(ImageRefusal.PATH_TOO_LONG, f"{shown(name)} has a name longer than {NAME_BYTES_MAX} bytes")
    return path


def link_text(path: Path, target: bytes) -> bytes:
    """IMG-8. What a symbolic link at `path` may say: something, without NUL, and, where it is relative, nothing that
    climbs above the root. An absolute target is meant from the root of the image, as a container sees it.
    """
    if not target or b"\x00" in target:
        raise Rejected(ImageRefusal.LINK_ESCAPES, f"{shown(path)} links to {shown(target)}")
    if len(target) > PATH_BYTES_MAX:
        detail = f"{shown(path)} links to {len(target)} bytes, at most {PATH_BYTES_MAX}"
        raise Rejected(ImageRefusal.PATH_TOO_LONG, detail)
    if not target.startswith(b"/"):
        depth = len(path) - 1
        for part in target.split(b"/"):
            depth += -1 if part == b".." else 0 if part in (b"", b".") else 1
            if depth < 0:
                raise Rejected(ImageRefusal.LINK_ESCAPES, f"{shown(path)} links to {shown(target)}, above the root")
    return target


class Walk:
    """IMG-8. The way to a path, one name at a time, through links that are met; never above the root.

    The owner looks up `next_name()` in the folder where the walk stands and says what it found: `entered()`,
    `climbed()` after a `..` (it has gone up one folder itself), or `followed(link)`, which says whether to begin at
    the root again. `depth` is how deep the walk stands. It may begin below the root, where the first `start` names of
    the path are known to be folders.
    """

    __slots__ = ("_hops", "_left", "_steps", "_wanted", "depth")

    def __init__(self, path: Path, start: int = 0) -> None:
        self._wanted = path
        self._left = list(reversed(path[start:]))
        self._hops = 0
        self._steps = 0
        self.depth = start

    def next_name(self) -> bytes | None:
        """The next name; None at the end. `..` only where there is a folder above within the root."""
        if not self._left:
            return None
        self._steps += 1
        if self._steps > STEPS_MAX:
            raise Rejected(ImageRefusal.LINK_LOOP, f"{shown(self._wanted)}: more than {STEPS_MAX} steps")
        name = self._left.pop()
        if name == b".." and self.depth == 0:
            raise Rejected(ImageRefusal.LINK_ESCAPES, f"{shown(self._wanted)} leads above the root")
        return name

    def entered(self) -> None:
        """The name was a folder, and the walk stands in it now."""
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise Rejected(ImageRefusal.PATH_TOO_LONG, f"{shown(self._wanted)} leads deeper than {DEPTH_MAX}")

    def climbed(self) -> None:
        """The name was `..`, and the walk stands one folder higher."""
        self.depth -= 1

    def followed(self, link: bytes) -> bool:
        """The name was a symbolic link; true where it is absolute, so that the walk goes on from the root."""
        self._hops += 1
        if self._hops > LINK_HOPS_MAX:
            raise Rejected(ImageRefusal.LINK_LOOP, f"{shown(self._wanted)}: more than {LINK_HOPS_MAX} links")
        self._left += [part for part in reversed(link.split(b"/")) if part not in (b"", b".")]
        if link.startswith(b"/"):
            self.depth = 0
            return True
        return False


def absolute_text(text: str, what: str) -> str:
    """IMG-7. A path of a configuration, made absolute and plain: `/a/b`. Refused where it climbs above the root."""
    parts: list[str] = []
    for part in text.split("/"):
        if part == "..":
            if not parts:
                raise Rejected(ImageRefusal.CONFIG_VALUE, f"{what}: {text[:80]!r} climbs above the root")
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    if "\x00" in text or len(text) > PATH_BYTES_MAX:
        raise Rejected(ImageRefusal.CONFIG_VALUE, f"{what}: {text[:80]!r} is no path")
    return "/" + "/".join(parts)
