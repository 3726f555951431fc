"""A folder that is filled with the files of an image, and with nothing else: whatever its archives say, nothing
outside of it is read, changed or removed.

Every name is looked up in an open folder (`dir_fd`), one at a time, without following links; links are followed by
hand and only within the root. So it does not matter who renames what meanwhile: the kernel is never asked to resolve a
path with more than one name.
"""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, TypeAlias

from metanode.docklock.images.paths import Path, Walk, shown
from metanode.docklock.images.plan import (
    Attributes,
    Clear,
    MakeFolder,
    MakeHardLink,
    MakeSymlink,
    Nothing,
    Remove,
    Step,
    WriteFile,
)
from metanode.docklock.images.refusals import ImageRefusal
from metanode.host.fault import disk_fault
from metanode.host.images.archive import Content
from metanode.primitives.refusal import Rejected

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_IMPLIED: Final = Attributes(0o755, 0, 0, 0)
"""What a folder has that an archive needs and does not describe."""
_OWN_BITS: Final = 0o700
"""An unprivileged owner keeps these on folders, else it could neither fill nor remove them."""
_READ_BIT: Final = 0o400
"""And this on files, else it could not copy them."""


@dataclass(frozen=True, slots=True)
class KeepOwners:
    """Owners are as the image says. Needs root."""


@dataclass(frozen=True, slots=True)
class ShiftOwners:
    """Owner n of the image, below `count`, is `uid` + n or `gid` + n here: a range of a user namespace. Needs root."""

    uid: int
    gid: int
    count: int


@dataclass(frozen=True, slots=True)
class OneOwner:
    """Everything belongs to who unpacks: what an unprivileged user can do."""


Owners: TypeAlias = KeepOwners | ShiftOwners | OneOwner


class Tree:
    """IMG-8. The root of an image being filled. `root`: its folder, open; it stays the caller's to close."""

    def __init__(self, root: int, owners: Owners) -> None:
        self._root = root
        self._owners = owners
        self._names: list[bytes] = []
        self._folders: list[int] = []
        self._text: Path | None = ()
        self._has_links = False
        self._layers = 0
        self._made: set[bytes] = set()
        self._cleared: set[bytes] = set()
        self._times: dict[bytes, int] = {b"": 0}
        self._set(root, _IMPLIED, is_folder=True)

    def begin_layer(self) -> None:
        """What was made until now is of lower layers: whiteouts hide it."""
        self._layers += 1
        self._made.clear()
        self._cleared.clear()

    def apply(self, step: Step, content: Content) -> None:
        """IMG-8. Do one step of the plan. Raises `Fault` where the disk fails, refuses what no image may do."""
        try:
            match step:
                case WriteFile():
                    self._write(step, content)
                case MakeFolder():
                    self._make_folder(step)
                case MakeSymlink():
                    self._make_symlink(step)
                case MakeHardLink():
                    self._make_hard_link(step)
                case Remove(path):
                    if self._has_lower and (parent := self._find(path[:-1])) is not None:
                        self._hide(parent, self._key(), path[-1])
                case Clear(path):
                    if self._has_lower and (folder := self._find(path)) is not None:
                        self._clear(folder, self._key())
                case Nothing():
                    pass
        except OSError as error:
            raise disk_fault(error, f"unpacking {step}"[:300]) from error

    def finish(self) -> None:
        """Set the times of folders, which filling them had changed; those that something else has replaced are passed
        over. Then nothing may be added.
        """
        try:
            for key, changed_ns in self._times.items():
                with suppress(Rejected):  # a file is there now
                    folder = self._find(tuple(key.split(b"/")) if key else ())
                    if folder is not None and not self._has_links:
                        os.utime(folder, ns=(changed_ns, changed_ns))
        except OSError as error:
            raise disk_fault(error, "unpacking an image") from error
        finally:
            self.close()

    def close(self) -> None:
        """Close what is open of it."""
        self._cut(0)
        self._text = None

    @property
    def _has_lower(self) -> bool:
        """Whether there is something that a whiteout could hide."""
        return self._layers > 1

    def _write(self, step: WriteFile, content: Content) -> None:
        parent, name = self._parent(step.path)
        try:
            file = os.open(name, _NEW_FILE, 0o600, dir_fd=parent)
        except FileExistsError:
            _remove(parent, name)
            file = os.open(name, _NEW_FILE, 0o600, dir_fd=parent)
        try:
            for piece in content.pieces():
                _write_all(file, piece)
            self._set(file, step.attributes, is_folder=False)
        finally:
            os.close(file)

    def _make_folder(self, step: MakeFolder) -> None:
        if not step.path:
            self._set(self._root, step.attributes, is_folder=True)
            self._times[b""] = step.attributes.changed_ns
            return
        parent, name = self._parent(step.path)
        try:
            os.mkdir(name, _OWN_BITS, dir_fd=parent)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                _remove(parent, name)
                os.mkdir(name, _OWN_BITS, dir_fd=parent)
        with _opened(name, parent) as folder:
            self._set(folder, step.attributes, is_folder=True)
        self._times[_joined(self._key(), name)] = step.attributes.changed_ns

    def _make_symlink(self, step: MakeSymlink) -> None:
        parent, name = self._parent(step.path)
        try:
            os.symlink(step.target, name, dir_fd=parent)
        except FileExistsError:
            _remove(parent, name)
            os.symlink(step.target, name, dir_fd=parent)
        owner = self._owner(step.attributes)
        if owner is not None:
            os.chown(name, *owner, dir_fd=parent, follow_symlinks=False)
        changed = step.attributes.changed_ns
        os.utime(name, ns=(changed, changed), dir_fd=parent, follow_symlinks=False)

    def _make_hard_link(self, step: MakeHardLink) -> None:
        found = self._find(step.target[:-1])
        if found is None:
            raise _no_target(step)
        source = os.dup(found)
        try:
            parent, name = self._parent(step.path)
            try:
                target = os.stat(step.target[-1], dir_fd=source, follow_symlinks=False)
            except FileNotFoundError:
                raise _no_target(step) from None
            if not (stat.S_ISREG(target.st_mode) or stat.S_ISLNK(target.st_mode)):
                raise _no_target(step)
            with suppress(FileNotFoundError):
                there = os.stat(name, dir_fd=parent, follow_symlinks=False)
                if (there.st_dev, there.st_ino) == (target.st_dev, target.st_ino):
                    return
                _remove(parent, name)
            os.link(step.target[-1], name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        except OSError as error:
            if error.errno != errno.EMLINK:
                raise
            raise Rejected(ImageRefusal.HARD_LINK, f"{shown(step.target)} has too many names already") from None
        finally:
            os.close(source)

    def _clear(self, folder: int, key: bytes) -> None:
        """Take away what lower layers have in a folder, once a layer."""
        if key in self._cleared:
            return
        self._cleared.add(key)
        with os.scandir(folder) as found:
            names = [os.fsencode(one.name) for one in found]
        for name in names:
            self._hide(folder, key, name)

    def _hide(self, parent: int, above: bytes, name: bytes) -> None:
        """Take away what lower layers have under a name; what this layer has made there, or below, stays."""
        key = _joined(above, name)
        if key not in self._made:
            with suppress(FileNotFoundError):
                _remove(parent, name)
        elif stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            with _opened(name, parent) as folder:
                self._clear(folder, key)

    def _parent(self, path: Path) -> tuple[int, bytes]:
        """The folder in which the last name of a path stands, made where it is missing; the name is noted as made."""
        parent = self._walk(path[:-1], make=True)
        assert parent is not None
        if self._has_lower:
            key = _joined(self._key(), path[-1])
            while key and key not in self._made:
                self._made.add(key)
                key = key.rpartition(b"/")[0]
        return parent, path[-1]

    def _find(self, path: Path) -> int | None:
        """A folder that is there already, or None."""
        return self._walk(path, make=False)

    def _walk(self, path: Path, *, make: bool) -> int | None:
        """Open a folder, beginning where the last walk ended as far as both go the same way."""
        if path == self._text:
            return self._here()
        start = 0
        if not self._has_links:
            for mine, wanted in zip(self._names, path, strict=False):
                if mine != wanted:
                    break
                start += 1
        self._text, self._has_links = None, False
        self._cut(start)
        walk = Walk(path, start)
        while (name := walk.next_name()) is not None:
            if name == b"..":
                self._cut(len(self._names) - 1)
                walk.climbed()
            elif (link := self._enter(name, path, make=make)) is None:
                walk.entered()
            elif not link:
                return None
            else:
                self._has_links = True
                if walk.followed(link):
                    self._cut(0)
        self._text = path
        return self._here()

    def _enter(self, name: bytes, path: Path, *, make: bool) -> bytes | None:
        """Go into a folder: None. Or the text of the link that is there instead, or nothing where nothing is there."""
        try:
            folder = os.open(name, _FOLDER, dir_fd=self._here())
        except FileNotFoundError:
            if not make:
                return b""
            os.mkdir(name, _OWN_BITS, dir_fd=self._here())
            folder = os.open(name, _FOLDER, dir_fd=self._here())
            self._set(folder, _IMPLIED, is_folder=True)
            self._times[_joined(self._key(), name)] = 0
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            try:
                return os.readlink(name, dir_fd=self._here())
            except OSError:
                detail = f"{shown(path)}: {shown((*self._names, name))} is not a folder"
                raise Rejected(ImageRefusal.NOT_A_FOLDER, detail) from None
        self._names.append(name)
        self._folders.append(folder)
        return None

    def _here(self) -> int:
        return self._folders[-1] if self._folders else self._root

    def _key(self) -> bytes:
        """Where the last walk ended: names of folders, no links among them."""
        return b"/".join(self._names)

    def _cut(self, depth: int) -> None:
        """Go back up."""
        for folder in self._folders[depth:]:
            os.close(folder)
        del self._folders[depth:], self._names[depth:]

    def _owner(self, attributes: Attributes) -> tuple[int, int] | None:
        match self._owners:
            case KeepOwners():
                return attributes.uid, attributes.gid
            case ShiftOwners(uid, gid, count):
                if max(attributes.uid, attributes.gid) >= count:
                    detail = f"owner {attributes.uid}:{attributes.gid}, there are {count} users in this image's range"
                    raise Rejected(ImageRefusal.OWNER, detail)
                return uid + attributes.uid, gid + attributes.gid
            case OneOwner():
                return None

    def _set(self, file: int, attributes: Attributes, *, is_folder: bool) -> None:
        owner = self._owner(attributes)
        mode = attributes.mode
        if owner is None:
            mode |= _OWN_BITS if is_folder else _READ_BIT
        else:
            os.fchown(file, *owner)
        os.fchmod(file, mode)
        os.utime(file, ns=(attributes.changed_ns, attributes.changed_ns))


@contextmanager
def _opened(name: bytes, parent: int) -> Iterator[int]:
    folder = os.open(name, _FOLDER, dir_fd=parent)
    try:
        yield folder
    finally:
        os.close(folder)


def _remove(parent: int, name: bytes) -> None:
    """Remove a name and, where it is a folder, all that is in it; links are removed, not followed."""
    try:
        os.unlink(name, dir_fd=parent)
    except IsADirectoryError:
        shutil.rmtree(name, dir_fd=parent)


def _write_all(file: int, data: bytes) -> None:
    written = os.write(file, data)
    while written < len(data):
        written += os.write(file, data[written:])


def _joined(above: bytes, name: bytes) -> bytes:
    return above + b"/" + name if above else name


def _no_target(step: MakeHardLink) -> Rejected:
    detail = f"{shown(step.path)} is a hard link to {shown(step.target)}, where there is no file"
    return Rejected(ImageRefusal.HARD_LINK, detail)
