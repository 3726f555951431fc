"""Named volumes of one node: folders that outlive the containers that see them, removed by command alone."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from metanode.host.runtimes.shim.tree import remove_tree
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.cluster import IMAGES_SHOWN_MAX
from metanode.records.demand import check_name

VOLUMES_MAX: Final = IMAGES_SHOWN_MAX
"""Most volumes of a node: one that its inventory does not tell of would be begun anew elsewhere."""
COUNTED_MAX: Final = 100_000
"""Files of a volume that are counted; of a larger one less is told than there is."""
MODE: Final = 0o777
"""Of a new volume: a container's user is not known beforehand, and nobody else gets through the agent's folder."""
GOING: Final = ".going-"
"""Beginning of the name of what is no volume any more, and is being taken away."""


class VolumeRefusal(Refusal):
    """Why a volume is not made, or not removed."""

    MISSING = "volume.missing"
    """There is no volume of this name on the node."""
    IN_USE = "volume.in-use"
    """A container of the node has it, or may have it."""
    TOO_MANY = "volume.too-many"
    """The node holds as many volumes as it can tell of."""


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume: how many bytes its files take on the disk, how many files there are (`whole`: all were counted), and
    which containers have it."""

    name: str
    bytes: int
    files: int
    whole: bool
    users: tuple[str, ...]


class NodeVolumes:
    """VOLUME-1 to 5. `folder` is the agent's alone."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(0o700, parents=True, exist_ok=True)
        self._folder: Final = folder
        self._users: dict[str, frozenset[str]] = {}
        for left in folder.glob(f"{GOING}*"):
            remove_tree(left)

    def names(self) -> tuple[str, ...]:
        """Those that are here, ascending."""
        found = []
        for path in self._folder.iterdir():
            try:
                check_name("volume", path.name)
            except Rejected:
                continue
            if path.is_dir() and not path.is_symlink():
                found.append(path.name)
        return tuple(sorted(found))

    def use(self, container: str, volumes: Iterable[str]) -> None:
        """A container has these, or is about to."""
        self._users[container] = frozenset(volumes)

    def leave(self, container: str) -> None:
        """Nothing is left of a container."""
        self._users.pop(container, None)

    def make(self, wanted: Iterable[str]) -> bool:
        """VOLUME-1. Make those that are not here; whether there were any. Raises `Rejected`."""
        here = set(self.names())
        missing = sorted(set(wanted) - here)
        if len(here) + len(missing) > VOLUMES_MAX:
            said = f"{len(here)} volumes are here, at most {VOLUMES_MAX}: bpi volume rm makes room"
            raise Rejected(VolumeRefusal.TOO_MANY, said)
        for name in missing:
            check_name("volume", name)
            path = self._folder / name
            path.mkdir()
            path.chmod(MODE)
        return bool(missing)

    def show(self) -> tuple[Volume, ...]:
        """VOLUME-5. What is here, with what it takes."""
        return tuple(self._shown(name) for name in self.names())

    def _shown(self, name: str) -> Volume:
        size = files = 0
        waiting = [self._folder / name]
        while waiting and files < COUNTED_MAX:
            try:
                entries = list(os.scandir(waiting.pop()))
            except OSError:
                continue
            for entry in entries:
                files += 1
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                else:
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
        return Volume(name, size, files, not waiting, self._having(name))

    def _having(self, name: str) -> tuple[str, ...]:
        return tuple(sorted(container for container, volumes in self._users.items() if name in volumes))

    def remove(self, name: str, running: Iterable[str]) -> None:
        """VOLUME-4. Take a volume away with all that is in it. `running`: the containers that the runtime knows. Raises
        `Rejected`."""
        check_name("volume", name)
        if name not in self.names():
            raise Rejected(VolumeRefusal.MISSING, f"no volume {name} here")
        if users := self._having(name):
            raise Rejected(VolumeRefusal.IN_USE, f"{', '.join(users[:4])}: remove the workload before")
        if unknown := sorted(set(running) - set(self._users)):
            raise Rejected(VolumeRefusal.IN_USE, f"of {unknown[0]} it is not known yet which volumes it has")
        going = self._folder / f"{GOING}{name}"
        remove_tree(going)
        (self._folder / name).rename(going)
        remove_tree(going)
