"""A folder in memory for secrets: below a tmpfs that the machine has, so that the engine sees what is put there."""

import os
from pathlib import Path
from typing import Final

from metanode.host.runtimes.plan import ContainerPlan
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim.bundle import secret_folders
from metanode.host.runtimes.shim.root import write_secret
from metanode.host.runtimes.shim.tree import remove_tree
from metanode.primitives.refusal import Rejected

PLACES: Final = ("/run", "/dev/shm")  # noqa: S108 - looked at, not trusted: what is made there is closed to others
"""Where a machine has a tmpfs, in the order in which they are tried."""


def in_memory(place: str, table: str) -> bool:
    """Whether a folder is a tmpfs itself, by /proc/self/mounts."""
    kinds = [line.split()[2] for line in table.splitlines() if line.split()[1:2] == [place]]
    return bool(kinds) and kinds[-1] == "tmpfs"


class Secrets:
    """RUN-4. The secrets of an agent's containers."""

    def __init__(self, key: str) -> None:
        table = Path("/proc/self/mounts").read_text()
        found = next((place for place in PLACES if in_memory(place, table)), "")
        self.folder: Final = Path(found, f"metanode-{key}") if found else None
        """`None` where the machine has no memory to keep them in."""

    def put(self, plan: ContainerPlan) -> tuple[Path, ...]:
        """Write those of a plan; a folder each folder. Raises `Rejected`."""
        if not plan.secrets:
            return ()
        if self.folder is None:
            detail = f"no tmpfs at {' or '.join(PLACES)} to keep secrets in: mount one"
            raise Rejected(RuntimeRefusal.SETUP_FAILED, detail)
        self.folder.mkdir(0o700, exist_ok=True)
        if self.folder.is_symlink() or self.folder.stat().st_uid != os.geteuid():
            raise Rejected(RuntimeRefusal.SETUP_FAILED, f"{self.folder} is somebody else's")
        own = self.folder / plan.id
        own.mkdir(0o700)
        found = []
        for number, place in enumerate(secret_folders(plan)):
            point = own / str(number)
            point.mkdir(0o755)
            for secret in plan.secrets:
                if secret.folder == place:
                    name = secret.target.rpartition("/")[2]
                    write_secret(str(point / name), secret.data, secret.mode, (plan.uid, plan.gid))
            found.append(point)
        return tuple(found)

    def forget(self, name: str) -> None:
        """Those of a container that has ended."""
        if self.folder is not None:
            remove_tree(self.folder / name)

    def names(self) -> list[str]:
        """Containers that have some."""
        if self.folder is None or not self.folder.is_dir():
            return []
        return [path.name for path in self.folder.iterdir()]

    def end(self) -> None:
        """All of them."""
        if self.folder is not None:
            remove_tree(self.folder)
