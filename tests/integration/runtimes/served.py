"""A stand of an engine that is reached by its API: dockerd, or podman's service, in a network namespace of its own."""

import asyncio
import contextlib
import os
import socket
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from tests.integration.runtimes.stand import Stand, alive, build_image, remove_all, wait_for_nothing, wait_until

from metanode.host.runtimes.docker.driver import DockerDriver
from metanode.host.runtimes.docker.memory import PLACES
from metanode.host.runtimes.docker.place import Place
from metanode.host.runtimes.shim.main import key_of
from metanode.host.runtimes.shim_driver import ShimDriver

READY_TIMEOUT_S: Final = 30.0
"""Of an engine: dockerd starts containerd first."""
CONFIGURATION: Final = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
exit_command_delay = 3
"""
"""Podman's: what it asks for otherwise, root may lack the right to; crun refuses machines with both control groups;
conmon waits five minutes after a command."""


@dataclass
class Service:
    """An engine of its own: all it has is in a folder, and it ends by its number. What it ran may run on."""

    engine: str
    folder: Path
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / "s.sock"

    def begin(self) -> None:
        """Start it, and wait until it answers."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / "containers.conf").write_text(CONFIGURATION)
        self.socket.unlink(missing_ok=True)
        one = self.folder
        line = f"podman --root {one}/root --runroot {one}/run --tmpdir {one}/tmp "
        line += f"system service --time=0 unix://{one}/s.sock"
        if self.engine == "docker":
            line = (
                f"dockerd --data-root {one}/root --exec-root {one}/run --pidfile {one}/pid -H unix://{one}/s.sock "
                "--exec-opt native.cgroupdriver=cgroupfs --bridge=none --iptables=false"
            )
        with (one / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "-n", "-m", "--propagation", "slave", "sh", "-c", f"ip link set lo up; exec {line}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "CONTAINERS_CONF": str(one / "containers.conf")},
                start_new_session=True,
                cwd=one,  # where podman's monitor writes a file when memory runs out
            )
        wait_until(self.answers, READY_TIMEOUT_S)

    def answers(self) -> bool:
        """Whether it does."""
        assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(5)
            peer.connect(str(self.socket))
            peer.sendall(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n")
            return b" 200 " in peer.recv(64)
        return False

    def kill(self) -> None:
        """As if it had failed. A dockerd that is started before its containerd is gone takes it for one that runs."""
        self.process.kill()
        self.process.wait()
        for note in self.folder.glob("run/containerd/containerd.pid"):
            gone = Path("/proc", note.read_text().strip())
            wait_until(lambda gone=gone: not gone.exists())  # type: ignore[misc]

    def end(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(timeout=30)

    def containers(self) -> list[str]:
        """Processes of containers of this engine: their root is one of its own."""
        return self._found(self._is_inside)

    def processes(self) -> list[str]:
        """These, and the engine's own: they are told of its folder."""
        mark = os.fsencode(self.folder)
        return self._found(lambda entry: mark in (entry / "cmdline").read_bytes() or self._is_inside(entry))

    def waiting(self) -> list[str]:
        """Processes of podman that wait a while for whoever asks how a command ended."""
        mark = os.fsencode(self.folder)
        return self._found(
            lambda entry: (words := (entry / "cmdline").read_bytes()).find(b"conmon") > 0 and mark in words
        )

    def _found(self, fits: Callable[[Path], bool]) -> list[str]:
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and alive(int(entry.name)):
                with contextlib.suppress(OSError):
                    if fits(entry):
                        found.append(f"{entry.name} {(entry / 'cmdline').read_bytes()[:200]!r}")
        return found

    def _is_inside(self, entry: Path) -> bool:
        """Whether a process has a root that is one of the engine's."""
        first = (entry / "mountinfo").read_text(errors="replace").split("\n", 1)[0]
        return " / / " in first and str(self.folder) in first


@dataclass
class ServedStand(Stand):
    """An engine of its own in a folder of its own, and the driver of one agent."""

    service: Service = field(init=False)

    @property
    def adds(self) -> set[str]:
        """Podman adds variables that cannot be left out by the API."""
        return {"container", "TERM", "HOSTNAME"} if self.engine == "podman" else set()

    def __post_init__(self) -> None:
        self.folder.chmod(0o755)
        self.image = build_image(self.folder)
        self.state = self.folder / "state"
        self.state.mkdir(0o700)
        self.service = Service(self.engine, self.folder / "engine")
        self.service.begin()

    def driver_here(self) -> DockerDriver:
        """A driver, as an agent begins with it."""
        return DockerDriver(Place(self.engine, self.service.socket, self.state))

    def play(self, part: Callable[[ShimDriver], Awaitable[Any]], timeout_s: float = 60.0) -> Any:
        """Play a part with a fresh driver; the engine stays."""

        async def played() -> Any:
            driver = cast("ShimDriver", self.driver_here())
            try:
                async with asyncio.timeout(timeout_s):
                    return await part(driver)
            except BaseException:
                await remove_all(driver)
                raise
            finally:
                await driver.close()

        return asyncio.run(played())

    def end(self) -> None:
        """End what runs, and the engine."""
        with contextlib.suppress(Exception):
            self.play(remove_all)
            wait_for_nothing(self.service.waiting)
            self.play(lambda driver: driver.list())  # whoever leaves last takes the agent's group away
        self.service.end()
        wait_for_nothing(self.service.processes)

    def left(self, *, with_its_own: bool = False) -> list[str]:
        """What is left of this stand's containers: folders, secrets, groups, processes; with what is the engine's own,
        its groups and processes too."""
        folders = [str(path) for path in (self.state / "c").glob("*")]
        secrets = [str(path) for place in PLACES for path in Path(place).glob(f"metanode-{key_of(self.state)}/*")]
        below = "" if with_its_own else "/*/"
        groups = [str(one) for one in Path("/sys/fs/cgroup").glob(f"*/metanode/{key_of(self.state)}{below}")]
        groups = [one for one in groups if with_its_own or not one.endswith("/conmon")]
        return folders + secrets + groups + (self.service.processes() if with_its_own else self.service.containers())
