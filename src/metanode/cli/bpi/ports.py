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
                return f"process {folder.name} ({(folder / 'comm').read_text().strip()})"
    return "another program"


def spans(ports: list[int]) -> str:
    """Ports for people: `26600-26603, 26620`."""
    runs: list[list[int]] = []
    for port in sorted(ports):
        if runs and port == runs[-1][-1] + 1:
            runs[-1].append(port)
        else:
            runs.append([port])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
