"""The local network: a folder with one data directory a node, and which of them run. Imports nothing heavy."""

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from metanode.api.exits import ExitStatus
from metanode.cli.failure import CliRefusal, Failure

MARK: Final = "network.toml"
"""Written last by `bpi init`: without it the folder is not a whole network."""
ACCOUNTS: Final = "accounts"
"""Folder of the account keys of a network."""
VALIDATORS_DEFAULT: Final = 4
"""The fewest that tolerate a fault."""
PORT_BASE_DEFAULT: Final = 26_600
"""Public ports begin here."""


@dataclass(frozen=True, slots=True)
class LocalNode:
    """One data directory on this machine."""

    folder: Path

    @property
    def name(self) -> str:
        """What it is called: its folder's name."""
        return self.folder.name

    def settings(self) -> dict[str, dict[str, str]]:
        """Its node.toml as it stands. Raises `Failure`; the node itself checks the rest."""
        path = self.folder / "node.toml"
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            message = f"{path}: {error}"
            raise Failure(
                CliRefusal.CONFIGURATION, ExitStatus.CONFIGURATION, message, fix=f"correct or restore {path}"
            ) from None

    @property
    def url(self) -> str:
        """Where its public port is. Raises `Failure`."""
        return f"http://{self.settings().get('http', {}).get('listen', '127.0.0.1:26600')}"

    @property
    def ports(self) -> tuple[int, ...]:
        """The two ports it listens on: public, peers. Raises `Failure`."""
        table = self.settings()
        texts = (
            table.get("http", {}).get("listen", "127.0.0.1:26600"),
            table.get("network", {}).get("listen", "127.0.0.1:26601"),
        )
        return tuple(int(text.rpartition(":")[2]) for text in texts if text.rpartition(":")[2].isdecimal())

    @property
    def log_file(self) -> Path:
        """Where it logs. Raises `Failure`; a node that logs to standard error has its words in the start file."""
        return self.folder / (self.settings().get("log", {}).get("file", "") or "logs/start.log")

    @property
    def process(self) -> int:
        """The id of the process that runs it, 0 where none does: whoever holds the directory's lock."""
        return holder(self.folder / "LOCK")

    @property
    def is_paused(self) -> bool:
        """Whether its process stands still (SIGSTOP), as far as this system tells."""
        process = self.process
        try:
            state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False
        return state.rpartition(") ")[2][:1] == "T"


def holder(lock: Path) -> int:
    """The process that holds a lock file, 0 where nobody does. An id left behind, even of a living stranger, is nobody.

    The lock itself is tried only where the id is of a living process: a node that just starts is never disturbed.
    """
    import fcntl

    try:
        text = lock.read_text(encoding="ascii", errors="replace").strip()
        process = int(text) if text.isdecimal() else 0
        if not process:
            return 0
        os.kill(process, 0)
    except (FileNotFoundError, ProcessLookupError):
        return 0
    except PermissionError:
        pass  # another user's, and alive
    try:
        file = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return process
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return process
    finally:
        os.close(file)
    return 0


def _natural(path: Path) -> list[int | str]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", path.name)]


@dataclass(frozen=True, slots=True)
class LocalNetwork:
    """A folder of `bpi init`."""

    root: Path

    @property
    def is_there(self) -> bool:
        """Whether it was made to the end."""
        return (self.root / MARK).is_file()

    @property
    def accounts(self) -> Path:
        """Keys of its accounts."""
        return self.root / ACCOUNTS

    @property
    def nodes(self) -> tuple[LocalNode, ...]:
        """Its data directories, validator-2 before validator-10."""
        found = [path.parent for path in self.root.glob("*/FORMAT")]
        return tuple(LocalNode(folder) for folder in sorted(found, key=_natural))

    @property
    def running(self) -> tuple[LocalNode, ...]:
        """Those of its nodes that a process holds."""
        return tuple(node for node in self.nodes if node.process)

    @property
    def genesis(self) -> Path:
        """The genesis this folder trusts: its first node's."""
        nodes = self.nodes
        return (nodes[0].folder if nodes else self.root) / "genesis.toml"

    def node(self, name: str) -> LocalNode:
        """The node of this name. Raises `Failure` with those there are."""
        nodes = {node.name: node for node in self.nodes}
        if name in nodes:
            return nodes[name]
        message = f"no node {name!r} in {self.root}"
        fix = f"there are: {', '.join(nodes)}"
        raise Failure(CliRefusal.UNKNOWN_NODE, ExitStatus.NOT_FOUND, message, fix=fix)


def existing_network(root: Path) -> LocalNetwork:
    """The network of this folder. Raises `Failure` where there is none."""
    network = LocalNetwork(root.resolve())
    if not network.is_there:
        message = f"no local network in {root}"
        raise Failure(
            CliRefusal.NO_NETWORK, ExitStatus.NOT_FOUND, message, fix="bpi up makes one here; --data names another"
        )
    return network
