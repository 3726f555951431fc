"""Who listens on a port of this machine."""

import errno
import os
import socket
from contextlib import suppress
from pathlib import Path


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a node could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the node does: TIME_WAIT is no obstacle
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE
    return True


def taker(port: int) -> str:
    """Who listens there, as far as this user can see: `process 12 (nginx)`, else `another program`."""
    process = _listener(port)
    if not process:
        return "another program"
    folder = node_folder(port)
    if folder is not None:
        return f"process {process} (bpi node run --data {folder})"
    with suppress(OSError):
        return f"process {process} ({Path(f'/proc/{process}/comm').read_text().strip()})"
    return f"process {process}"


def node_folder(port: int) -> Path | None:
    """The data directory of the node that listens there, None where it is no node of bpi or nobody can see."""
    with suppress(OSError):
        words = Path(f"/proc/{_listener(port)}/cmdline").read_bytes().decode(errors="replace").split("\0")
        if words[3:6] == ["node", "run", "--data"] and words[2] == "metanode.cli.bpi.main":
            return Path(words[6])
    return None


def how_to_free(port: int, otherwise: str) -> str:
    """What gives a taken port back: the command that stops a network of bpi, also one whose folder is gone."""
    folder = node_folder(port)
    if folder is None:
        return f"stop it, or {otherwise}"
    if (folder.parent / "network.toml").is_file():
        return f"bpi down --data {folder.parent}; or {otherwise}"
    return f"its folder is gone: kill {_listener(port)}; or {otherwise}"


def _listener(port: int) -> int:
    """The process that listens there, 0 where this user cannot see it."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    for folder in Path("/proc").glob("[0-9]*") if inodes else ():
        with suppress(OSError):
            if any(os.readlink(link) in inodes for link in (folder / "fd").iterdir()):  # noqa: PTH115 - not a path
                return int(folder.name)
    return 0


def spans(ports: list[int]) -> str:
    """Ports for people: `26600-26603, 26620`."""
    runs: list[list[int]] = []
    for port in sorted(ports):
        if runs and port == runs[-1][-1] + 1:
            runs[-1].append(port)
        else:
            runs.append([port])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
