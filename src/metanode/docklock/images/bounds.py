"""How much an image may be, counted while it is unpacked."""

from dataclasses import dataclass
from typing import Final

from metanode.docklock.images.refusals import ImageRefusal
from metanode.docklock.images.tar import Entry, Kind
from metanode.primitives.refusal import Rejected

ENTRIES_MAX: Final = 500_000
"""Most entries of an image in all its layers; the largest in common use have some 300,000."""
HARD_LINKS_MAX: Final = 60_000
"""Most hard links of an image: below the 65,000 names that ext4 gives one file."""
UNPACKED_BYTES_MAX: Final = 32 << 30
"""Most bytes of content of an image in all its layers."""
RATIO_MAX: Final = 200
"""Most bytes out of one packed byte. Programs and text give 2 to 6, logs 20; the format itself can reach 1,032."""
RATIO_FREE_BYTES: Final = 16 << 20
"""So much may come out of however little: small files of zeros are honest."""


@dataclass(frozen=True, slots=True)
class Limits:
    """IMG-11. The bounds of one image; a test may set them lower, nobody sets them higher."""

    entries: int = ENTRIES_MAX
    hard_links: int = HARD_LINKS_MAX
    unpacked_bytes: int = UNPACKED_BYTES_MAX


class Budget:
    """IMG-11. What of its bounds an image has used, over all its layers."""

    __slots__ = ("_limits", "entries", "hard_links", "unpacked_bytes")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.entries = 0
        self.hard_links = 0
        self.unpacked_bytes = 0

    def take(self, entry: Entry) -> None:
        """IMG-11. Count an entry before anything is done about it: also what its header promises."""
        self.entries += 1
        if self.entries > self._limits.entries:
            detail = f"more than {self._limits.entries} files, folders and links"
            raise Rejected(ImageRefusal.TOO_MANY_ENTRIES, detail)
        if entry.kind is Kind.HARD_LINK:
            self.hard_links += 1
            if self.hard_links > self._limits.hard_links:
                raise Rejected(ImageRefusal.TOO_MANY_ENTRIES, f"more than {self._limits.hard_links} hard links")
        self.unpacked_bytes += entry.size
        if self.unpacked_bytes > self._limits.unpacked_bytes:
            detail = f"{self.unpacked_bytes} bytes with {entry.name[:80]!r}, at most {self._limits.unpacked_bytes}"
            raise Rejected(ImageRefusal.UNPACKS_TOO_LARGE, detail)


def check_inflation(packed: int, unpacked: int) -> None:
    """IMG-11. So many bytes may have come out of so many packed ones."""
    allowed = RATIO_FREE_BYTES + RATIO_MAX * packed
    if unpacked > allowed:
        detail = f"{unpacked} bytes out of {packed} packed ones, at most {allowed}: {RATIO_MAX} for one"
        raise Rejected(ImageRefusal.BOMB, detail)
