"""A namespace for each node, and the switch between them: what passes is what the faults at work let pass."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.faults.schedule import Fault, Kind
from tests.faults.switch import DEVICE, address

ROOT: Final = Path(__file__).resolve().parents[2]


def _name(what: str) -> str:
    return f"mnf{os.getpid()}-{what}"


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


def sweep() -> None:
    """Take away namespaces of runs that were killed and could not do it themselves."""
    for path in Path("/run/netns").glob("mnf*-*"):
        found = re.fullmatch(r"mnf(\d+)-\w+", path.name)
        if found and not Path("/proc", found[1]).exists():
            subprocess.run(["ip", "netns", "del", path.name], capture_output=True, check=False)


def why_no_network() -> str:
    """Why nodes cannot have namespaces of their own here; empty where they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "no `ip` command (install iproute2)"
    if not Path("/dev/net/tun").exists():
        return "the kernel has no TUN devices (/dev/net/tun)"
    probe = subprocess.run(["ip", "netns", "add", _name("probe")], capture_output=True, text=True, check=False)
    if probe.returncode:
        return f"no network namespaces here: {probe.stderr.strip()}"
    _ip("netns", "del", _name("probe"))
    return ""


def links(faults: Iterable[Fault], count: int) -> list[tuple[int, int, int, int]]:
    """The links that are not as they should be: from, to, loss in per cent, delay in ms."""
    found: dict[tuple[int, int], tuple[int, int]] = {}
    for fault in faults:
        for source in range(count):
            for target in range(count):
                loss, delay = _on_link(fault, leaves=source in fault.targets, enters=target in fault.targets)
                known = found.get((source, target), (0, 0))
                if source != target and (loss or delay):
                    found[source, target] = max(known[0], loss), max(known[1], delay)
    return [(source, target, loss, delay) for (source, target), (loss, delay) in sorted(found.items())]


def _on_link(fault: Fault, *, leaves: bool, enters: bool) -> tuple[int, int]:
    """Loss and delay on a link from a target, or to one. Targets among each other are cut by nothing."""
    match fault.kind:
        case Kind.CUT:
            return (100, 0) if leaves != enters else (0, 0)
        case Kind.DEAF:
            return (100, 0) if enters and not leaves else (0, 0)
        case Kind.MUTE:
            return (100, 0) if leaves and not enters else (0, 0)
        case Kind.LOSS:
            return (fault.value, 0) if leaves or enters else (0, 0)
        case Kind.DELAY:
            return (0, fault.value) if leaves or enters else (0, 0)
        case _:
            return 0, 0


class Cables:
    """Namespaces of ours, and the program that is the network between them."""

    def __init__(self, count: int) -> None:
        self.names: Final = [_name(str(index)) for index in range(count)]
        self._made: Final[list[str]] = []
        self._switch: subprocess.Popen[str] | None = None
        sweep()
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self) -> None:
        for name in self.names:
            _ip("netns", "add", name)
            self._made.append(name)
            _ip("-n", name, "link", "set", "lo", "up")
        self._switch = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.switch", *self.names],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._hear("open")
        for index, name in enumerate(self.names):
            _ip("-n", name, "address", "add", f"{address(index)}/24", "dev", DEVICE)
            _ip("-n", name, "link", "set", DEVICE, "up")

    def _hear(self, word: str) -> None:
        assert self._switch is not None, "it was started"
        assert self._switch.stdout is not None, "with a pipe"
        said = self._switch.stdout.readline().strip()
        assert said == word, f"the switch says {said!r}, not {word!r}"

    def play(self, faults: Iterable[Fault]) -> None:
        """These faults are at work, and no others."""
        assert self._switch is not None, "it was started"
        assert self._switch.stdin is not None, "with a pipe"
        print(json.dumps(links(faults, len(self.names))), file=self._switch.stdin, flush=True)
        self._hear("done")

    def close(self) -> None:
        """Take everything away."""
        if self._switch is not None:
            self._switch.kill()
            self._switch.wait()
            for stream in (self._switch.stdin, self._switch.stdout):
                if stream is not None:
                    stream.close()
        for name in self._made:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
