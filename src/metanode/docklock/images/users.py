"""Who a container of an image runs as: names looked up in the image's own files, never in the host's."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from metanode.docklock.images.refusals import ImageRefusal
from metanode.primitives.refusal import Rejected

ID_MAX: Final = (1 << 31) - 1
"""Highest number of a user or group: what every kernel interface takes, and none that means `nobody changes it`."""
ACCOUNTS_BYTES_MAX: Final = 1 << 20
"""Longest /etc/passwd or /etc/group of an image that is read."""
GROUPS_MAX: Final = 64
"""Most groups that a user is given beside its own."""


@dataclass(frozen=True, slots=True)
class Identity:
    """IMG-7. User, group and further groups, as numbers within the container; `home` by passwd, or `/`."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    home: str = "/"


def identify(user: str, passwd: bytes, group: bytes) -> Identity:
    """IMG-7. The identity that `user` (`""`, `name`, `uid`, each with `:group` or without) stands for.

    Names must be in the image's files; numbers need not. Without a group it is the user's by passwd, else 0, and the
    groups that list its name come with it.
    """
    wanted, colon, wanted_group = user.partition(":")
    number = _number(wanted or "0")
    row = next((row for row in _rows(passwd, 7) if row[0] == wanted or (number is not None and row[2] == number)), None)
    if row is None and number is None:
        raise Rejected(ImageRefusal.NO_USER, f"user {wanted[:40]!r} is not in /etc/passwd of the image")
    uid = number if number is not None else int(row[2]) if row is not None else 0
    home = str(row[5]) if row is not None and str(row[5]).startswith("/") else "/"
    if colon:
        return Identity(uid, _group(wanted_group, group), (), home)
    name = str(row[0]) if row is not None else ""
    groups = sorted({int(one[2]) for one in _rows(group, 4) if name and name in str(one[3]).split(",")})
    gid = int(row[3]) if row is not None else 0
    return Identity(uid, gid, tuple(one for one in groups if one != gid)[:GROUPS_MAX], home)


def _group(wanted: str, group: bytes) -> int:
    number = _number(wanted)
    if number is not None:
        return number
    for row in _rows(group, 4):
        if row[0] == wanted and wanted:
            return int(row[2])
    raise Rejected(ImageRefusal.NO_USER, f"group {wanted[:40]!r} is not in /etc/group of the image")


def _rows(data: bytes, fields: int) -> Iterator[list[str | int]]:
    """Well-formed lines; numbers in the third column, and in the fourth of passwd, as integers."""
    for line in data[:ACCOUNTS_BYTES_MAX].decode("utf-8", "replace").splitlines():
        row: list[str | int] = list(line.split(":"))
        numbers = (2, 3) if fields == 7 else (2,)
        if len(row) != fields or any(_number(str(row[at])) is None for at in numbers):
            continue
        for at in numbers:
            row[at] = int(row[at])
        yield row


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()) or len(text) > 10:
        return None
    return number if (number := int(text)) <= ID_MAX else None
