"""What is done about each entry of a layer: a plan of safe steps, or a refusal. Doing it is the host's part."""

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from metanode.docklock.images.bounds import Budget
from metanode.docklock.images.paths import Path, entry_path, link_text, shown
from metanode.docklock.images.refusals import ImageRefusal
from metanode.docklock.images.tar import Entry, Kind
from metanode.docklock.images.users import ID_MAX
from metanode.primitives.refusal import Rejected

_WHITEOUT: Final = b".wh."
_OPAQUE: Final = b".wh..wh..opq"
_AUFS: Final = b".wh..wh."
_FILE_MODE: Final = 0o1777
"""Bits of a file that are kept: setuid and setgid are not."""
_FOLDER_MODE: Final = 0o3777
"""Bits of a folder that are kept: sticky and setgid say how files in it are shared."""


class LeftOut(Enum):
    """IMG-8. What of an image is not carried over, counted for who asks why something is missing."""

    DEVICE = "device"
    """A device node: containers get their devices from the runtime."""
    PIPE = "pipe"
    """A named pipe: containers that share a root would speak to each other through it."""
    SETUID = "setuid"
    """The setuid or setgid bit of a file: it would be a door on this machine, and no container here gains rights."""
    ATTRIBUTE = "attribute"
    """Extended attributes, capabilities of files among them."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is set on a file or folder: mode bits, owner, time of change in nanoseconds of Unix time."""

    mode: int
    uid: int
    gid: int
    changed_ns: int


@dataclass(frozen=True, slots=True)
class MakeFolder:
    """A folder; one that is there keeps what is in it, anything else there is replaced."""

    path: Path
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class WriteFile:
    """A file with the `size` bytes that follow in the archive; what is there is replaced."""

    path: Path
    size: int
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class MakeSymlink:
    """A symbolic link; what is there is replaced."""

    path: Path
    target: bytes
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class MakeHardLink:
    """Another name of a file that is there; what is there under the new name is replaced."""

    path: Path
    target: Path


@dataclass(frozen=True, slots=True)
class Remove:
    """What lower layers have at this path is not in the image; what this layer makes there stays."""

    path: Path


@dataclass(frozen=True, slots=True)
class Clear:
    """What lower layers have in this folder is not in the image; what this layer makes in it stays."""

    path: Path


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing is done."""


Step: TypeAlias = MakeFolder | WriteFile | MakeSymlink | MakeHardLink | Remove | Clear | Nothing


class Plan:
    """IMG-8. The entries of one image's layers in their order, each into one step. `left_out`: what was not kept."""

    __slots__ = ("_budget", "left_out")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.left_out: dict[LeftOut, int] = {}

    def step(self, entry: Entry) -> Step:
        """IMG-8, IMG-11. What to do about an entry. Refused: paths and links that escape, senseless whiteouts, owners
        out of range, and whatever is more than the budget allows.
        """
        self._budget.take(entry)
        path = entry_path(entry.name)
        if any(part.startswith(_WHITEOUT) for part in path):
            return self._whiteout(path, entry)
        if not path and entry.kind is not Kind.FOLDER:
            raise Rejected(ImageRefusal.PATH_ESCAPES, f"a {entry.kind.name.lower()} without a name")
        if entry.uid > ID_MAX or entry.gid > ID_MAX:
            detail = f"{shown(path)} belongs to {entry.uid}:{entry.gid}, at most {ID_MAX}"
            raise Rejected(ImageRefusal.OWNER, detail)
        if entry.has_attributes:
            self._leave_out(LeftOut.ATTRIBUTE)
        match entry.kind:
            case Kind.FILE:
                if entry.mode & 0o6000:
                    self._leave_out(LeftOut.SETUID)
                return WriteFile(path, entry.size, _attributes(entry, _FILE_MODE))
            case Kind.FOLDER:
                return MakeFolder(path, _attributes(entry, _FOLDER_MODE))
            case Kind.SYMLINK:
                return MakeSymlink(path, link_text(path, entry.link), _attributes(entry, 0o777))
            case Kind.HARD_LINK:
                target = entry_path(entry.link.removeprefix(b"/"))
                if not target or target == path:
                    raise Rejected(ImageRefusal.HARD_LINK, f"{shown(path)} is a hard link to {shown(entry.link)}")
                return MakeHardLink(path, target)
            case Kind.CHARACTER_DEVICE | Kind.BLOCK_DEVICE:
                self._leave_out(LeftOut.DEVICE)
                return Nothing()
            case Kind.PIPE:
                self._leave_out(LeftOut.PIPE)
                return Nothing()

    def _whiteout(self, path: Path, entry: Entry) -> Step:
        name = path[-1]
        inside = any(part.startswith(_WHITEOUT) for part in path[:-1])
        if name == _OPAQUE and not inside:
            return Clear(path[:-1])
        if any(part.startswith(_AUFS) for part in path):
            return Nothing()  # bookkeeping of aufs, which Docker once wrote into layers
        hidden = name.removeprefix(_WHITEOUT)
        if inside or hidden in (b"", b".", b"..") or entry.kind is not Kind.FILE:
            raise Rejected(ImageRefusal.WHITEOUT, f"{shown(path)} hides nothing that could be")
        return Remove((*path[:-1], hidden))

    def _leave_out(self, what: LeftOut) -> None:
        self.left_out[what] = self.left_out.get(what, 0) + 1


def _attributes(entry: Entry, kept: int) -> Attributes:
    return Attributes(entry.mode & kept, entry.uid, entry.gid, entry.changed_ns)
