"""Running nodes, whichever they are: started, watched, ended."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
STOP_S = 20.0


@dataclass(slots=True)
class Process:
    """One running node. `port`: its public one."""

    folder: Path
    port: int
    running: subprocess.Popen[bytes]

    def cpu_s(self) -> float:
        """Processor time used so far, user and system."""
        fields = Path(f"/proc/{self.running.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_mib(self) -> float:
        """Memory of this process that is in RAM."""
        return int(Path(f"/proc/{self.running.pid}/statm").read_text().split()[1]) * 4096 / 2**20

    def resident_peak_mib(self) -> float:
        """The most there has been of it."""
        status = Path(f"/proc/{self.running.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def kill(self) -> None:
        """kill -9."""
        self.running.kill()
        self.running.wait()


def launch(command: Sequence[str], folder: Path, port: int, environment: dict[str, str] | None = None) -> Process:
    """Start one; what it prints goes to a file beside its folder."""
    with (folder.parent / (folder.name + ".out")).open("ab") as out:
        running = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **(environment or {})})
    return Process(folder, port, running)


def stop_all(processes: Sequence[Process]) -> None:
    """Gracefully; whoever does not end is killed."""
    for process in processes:
        process.running.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    for process in processes:
        try:
            process.running.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()


def check_alive(process: Process) -> None:
    """Raises `SystemExit` with its last words where it has ended."""
    if process.running.poll() is not None:
        out = process.folder.parent / (process.folder.name + ".out")
        raise SystemExit(f"{process.folder} ended:\n{out.read_text()[-2000:]}")


def check_free(ports: Sequence[int]) -> None:
    """Another network on these ports would be measured instead of ours."""
    for port in ports:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                raise SystemExit(f"port {port} is taken: choose another --base-port")
