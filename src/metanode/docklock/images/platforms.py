"""Which image of an index runs on a machine."""

from typing import Final

from metanode.docklock.images.manifests import INDEXES, MANIFESTS, Descriptor, Index, Platform
from metanode.docklock.images.refusals import ImageRefusal
from metanode.primitives.refusal import Rejected

_MACHINES: Final = {
    "x86_64": Platform("linux", "amd64", "v1"),
    "aarch64": Platform("linux", "arm64", "v8"),
    "armv7l": Platform("linux", "arm", "v7"),
    "armv6l": Platform("linux", "arm", "v6"),
    "i686": Platform("linux", "386"),
    "riscv64": Platform("linux", "riscv64"),
    "ppc64le": Platform("linux", "ppc64le"),
    "s390x": Platform("linux", "s390x"),
    "loongarch64": Platform("linux", "loong64"),
}
"""What the kernel calls a machine, and what images call it."""
_USUAL: Final = {"amd64": "v1", "arm64": "v8", "arm": "v7"}
"""The variant that is meant where none is said."""


def platform_of_machine(machine: str) -> Platform:
    """IMG-5. The platform of a Linux machine, by the kernel's word for it (`uname -m`)."""
    if machine not in _MACHINES:
        raise Rejected(ImageRefusal.NO_PLATFORM, f"no images are known for a machine called {machine[:40]!r}")
    return _MACHINES[machine]


def runs_on(image: Platform, machine: Platform) -> bool:
    """IMG-5. Whether an image of one platform runs on a machine of another: the same system and architecture, and
    a variant no newer than the machine's.
    """
    if (image.os, image.architecture) != (machine.os, machine.architecture):
        return False
    return _variant(image) <= _variant(machine)


def choose(index: Index, machine: Platform) -> Descriptor:
    """IMG-5. The image, or the index of images, that fits best: the newest variant that runs, of equals the first.

    An entry that names no platform is taken where it is the only one that could be meant.
    """
    known = [one for one in index.manifests if one.media_type in (*MANIFESTS, *INDEXES)]
    fitting = [one for one in known if one.platform is not None and runs_on(one.platform, machine)]
    if fitting:
        return max(fitting, key=lambda one: _variant(one.platform) if one.platform is not None else 0)
    silent = [one for one in known if one.platform is None]
    if len(silent) == 1 and len(known) == 1:
        return silent[0]
    offered = sorted({str(one.platform) for one in known if one.platform is not None})
    raise Rejected(ImageRefusal.NO_PLATFORM, f"needed {machine}, offered {', '.join(offered)[:200] or 'nothing'}")


def _variant(platform: Platform) -> int:
    """The number of a variant; one that is not understood is newer than every machine."""
    text = platform.variant or _USUAL.get(platform.architecture, "v0")
    digits = text.removeprefix("v")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 4 else 1 << 16
