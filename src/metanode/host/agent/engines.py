"""Which runtime an agent uses: the one asked for, or the first that was seen to work."""

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from metanode.host.runtimes.driver import Driver, Lacks, Works
from metanode.host.runtimes.link import SOCKET, ShimPlace, open_link
from metanode.host.runtimes.shim_driver import ShimDriver
from metanode.primitives.refusal import Refusal, Rejected

ENGINES: Final = ("sandbox", "crun", "runc")
"""Engines in the order in which they are tried where none is asked for."""
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
    """What placement calls an engine: crun and runc are both `oci`."""
    return "oci" if engine in ("crun", "runc") else engine


async def open_engine(folder: Path, wanted: str) -> Engine:
    """AGENT-11. The engine asked for, or the first that works, tried in earnest. Raises `Rejected`."""
    place = ShimPlace(folder / FOLDER)
    link = await open_link(place)
    lacking: list[Lacks] = []
    for name in (wanted,) if wanted else ENGINES:
        driver = ShimDriver(link, name, place)
        match await driver.probe():
            case Works() as works:
                return Engine(driver, works)
            case Lacks() as lacks:
                lacking.append(lacks)
    await link.close()
    said = "; ".join(f"{one.engine}: {one.reason} ({one.fix})" for one in lacking)
    raise Rejected(AgentRefusal.NO_ENGINE, said)


def end_containers(folder: Path) -> None:
    """End every container of an agent's folder, and its shim, where one runs. For whoever takes the whole away."""

    async def end() -> None:
        link = await open_link(ShimPlace(folder / FOLDER))
        await link.end_shim()

    if (folder / FOLDER / SOCKET).exists():
        with contextlib.suppress(Rejected):
            asyncio.run(end())
