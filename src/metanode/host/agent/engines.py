"""Which runtime an agent uses: the one asked for, or the first that was seen to work."""

import asyncio
import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from metanode.host.runtimes.docker.place import Place, Source, no_image
from metanode.host.runtimes.driver import Driver, Lacks, Works
from metanode.host.runtimes.link import SOCKET, ShimLink, ShimPlace, open_link
from metanode.host.runtimes.shim_driver import ShimDriver
from metanode.host.runtimes.states import Phase
from metanode.primitives.refusal import Refusal, Rejected

ENGINES: Final = ("sandbox", "crun", "runc", "docker", "podman")
"""Engines in the order in which they are tried where none is asked for; a cluster is used only where it is."""
KUBERNETES: Final = "kubernetes"
"""The engine that is somebody's cluster."""
SOCKETS: Final = {
    "docker": ("DOCKER_HOST", "/var/run/docker.sock"),
    "podman": ("CONTAINER_HOST", "/run/podman/podman.sock"),
}
"""Engines that are reached by a socket: the variable that says where, and where it is otherwise."""
NOTE: Final = "engine"
"""A file in such an engine's folder in the agent's: where it listens."""
FOLDER: Final = "shim"
"""Of the shim, in the agent's folder."""


class AgentRefusal(Refusal):
    """Why an agent cannot begin."""

    NO_ENGINE = "agent.no-engine"
    """No runtime works on this machine; the detail says of each why, and what would make it run."""
    NOT_LET_IN = "agent.not-let-in"
    """The chain does not take the node: the cluster is not there, or the name belongs to another account."""


@dataclass(frozen=True, slots=True)
class Engine:
    """The runtime that was found to work."""

    driver: Driver
    works: Works


def driver_name(engine: str) -> str:
    """What placement calls an engine: crun and runc are both `oci`, dockerd and podman both `docker`."""
    if engine in SOCKETS:
        return "docker"
    return "oci" if engine in ("crun", "runc") else engine


def socket_of(engine: str, given: str) -> Path:
    """Where an engine listens: as given, as its variable says, or where it usually is."""
    variable, usual = SOCKETS[engine]
    return Path((given or os.environ.get(variable, "") or usual).removeprefix("unix://"))


async def open_engine(
    folder: Path, wanted: str, socket: str = "", source: Source = no_image, options: Sequence[str] = ()
) -> Engine:
    """AGENT-11. The engine asked for, or the first that works, tried in earnest. `socket`: of one that is reached by
    one; `source`: the images that are given to it; `options`: what else it is told. Raises `Rejected`."""
    if wanted == KUBERNETES:
        return await _open_cluster(folder, options)
    lacking: list[Lacks] = []
    opener = _Opener(folder, socket, source)
    for name in (wanted,) if wanted else ENGINES:
        driver = await opener.driver(name)
        match await driver.probe():
            case Works() as works:
                await opener.keep(driver)
                return Engine(driver, works)
            case Lacks() as lacks:
                lacking.append(lacks)
    await opener.close()
    said = "; ".join(f"{one.engine}: {one.reason} ({one.fix})" for one in lacking)
    raise Rejected(AgentRefusal.NO_ENGINE, said)


class _Opener:
    """Drivers of one agent, until one is taken."""

    def __init__(self, folder: Path, socket: str, source: Source) -> None:
        self._folder: Final = folder
        self._socket: Final = socket
        self._source: Final = source
        self._opened: Final[list[Driver]] = []
        self._link: ShimLink | None = None

    async def driver(self, name: str) -> Driver:
        """One of them; all that the shim is for share one link to it."""
        if name in SOCKETS:
            driver = served(self._folder, name, socket_of(name, self._socket), self._source)
            self._opened.append(driver)
            return driver
        place = ShimPlace(self._folder / FOLDER)
        self._link = self._link or await open_link(place)
        return ShimDriver(self._link, name, place)

    async def keep(self, driver: Driver) -> None:
        """This one is taken: leave the others."""
        for other in self._opened:
            if other is not driver:
                await other.close()
        if driver in self._opened and self._link is not None:
            await self._link.close()

    async def close(self) -> None:
        """None was."""
        for driver in self._opened:
            await driver.close()
        if self._link is not None:
            await self._link.close()


def served(folder: Path, name: str, socket: Path, source: Source = no_image) -> Driver:
    """The driver of an engine that is reached by a socket; where it is is noted, for whoever takes the folder away."""
    from metanode.host.runtimes.docker.driver import DockerDriver  # noqa: PLC0415 - and with it `docker`: for who uses it

    own = folder / name
    own.mkdir(0o700, exist_ok=True)
    (own / NOTE).write_text(str(socket))
    return DockerDriver(Place(name, socket, own, source))


async def _open_cluster(folder: Path, options: Sequence[str]) -> Engine:
    """KUBE-1. A cluster as the options say; they are noted, for whoever takes the folder away. Raises `Rejected`."""
    from metanode.host.runtimes.kubernetes.driver import open_kubernetes  # noqa: PLC0415 - for who uses it
    from metanode.host.runtimes.kubernetes.place import place_of  # noqa: PLC0415 - as above

    own = folder / KUBERNETES
    own.mkdir(0o700, exist_ok=True)
    driver = await open_kubernetes(place_of(own, options))
    match await driver.probe():
        case Works() as works:
            (own / NOTE).write_text("\n".join(options))
            try:
                await driver.begin()
            except Rejected:
                await driver.close()
                raise
            return Engine(driver, works)
        case Lacks() as lacks:
            await driver.close()
            raise Rejected(AgentRefusal.NO_ENGINE, f"{lacks.engine}: {lacks.reason} ({lacks.fix})")


def end_containers(folder: Path) -> None:
    """End every container of an agent's folder, and its shim, where one runs. For whoever takes the whole away."""

    async def end() -> None:
        link = await open_link(ShimPlace(folder / FOLDER))
        await link.end_shim()

    if (folder / FOLDER / SOCKET).exists():
        with contextlib.suppress(Rejected):
            asyncio.run(end())
    for name in (*SOCKETS, KUBERNETES):
        if (folder / name / NOTE).exists():
            with contextlib.suppress(Rejected):
                asyncio.run(_end_served(folder, name))


async def _end_served(folder: Path, name: str) -> None:
    """End what an engine runs for this folder."""
    noted = (folder / name / NOTE).read_text()
    if name == KUBERNETES:
        driver: Driver = (await _open_cluster(folder, noted.split("\n") if noted else ())).driver
    else:
        driver = served(folder, name, Path(noted))
    try:
        for state in await driver.list():
            if state.phase in (Phase.STARTING, Phase.RUNNING, Phase.PAUSED):
                await driver.kill(state.id)
            await driver.remove(state.id)
        await driver.recover()  # and with it its images go, which no container is of any more
    finally:
        await driver.close()
