"""Real validators, each with a network, a disk and a clock of its own, as far as this machine permits."""

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import msgspec
from tests.faults import clocks, disks
from tests.faults.cables import Cables, why_no_network
from tests.faults.clients import Door
from tests.faults.schedule import Organ
from tests.faults.switch import address
from tests.journeys.islands import Islander
from tests.journeys.town import ROOT, SWIFT, House, Town, free_base

from metanode.host.development import (
    PASSWORD,
    DevelopmentNetwork,
    create_node,
    development_genesis,
    node_settings,
    peer_port,
)
from metanode.host.settings import Settings

SOURCE: Final = ROOT / "src"


@dataclass
class World:
    """The town, and what of it can be hurt. `missing`: organs that cannot be hurt here, and why."""

    town: Town
    missing: dict[Organ, str]
    cables: Cables | None
    started: dict[str, set[int]] = field(default_factory=dict)

    @property
    def houses(self) -> list[House]:
        """The validators."""
        return self.town.houses

    def doors(self) -> list[Door]:
        """Where clients find them."""
        names = self.cables.names if self.cables is not None else [""] * len(self.houses)
        return [Door(house.url, name) for house, name in zip(self.houses, names, strict=True)]

    def clock(self, index: int) -> Path:
        """The file that says how far its wall clock is off."""
        return _clock(self.houses[index].folder)

    def start(self, index: int) -> None:
        """Start a node's process; it gets ready by itself."""
        house = self.houses[index]
        house.start(wait=False)
        assert house.process is not None, "it was started"
        self.started.setdefault(house.name, set()).add(house.process.pid)


def _clock(folder: Path) -> Path:
    return folder.parent / f"{folder.name}.clock"


def missing_organs(folder: Path) -> dict[Organ, str]:
    """What cannot be hurt on this machine, and why. Each is tried."""
    found = {
        Organ.NETWORK: why_no_network(),
        Organ.DISK: disks.why_no_disks(folder),
        Organ.WALL_CLOCK: clocks.why_no_clocks(folder),
    }
    return {organ: why for organ, why in found.items() if why}


@contextmanager
def world(root: Path, count: int, source: Path = SOURCE) -> Iterator[World]:
    """`count` validators below `root`, running. All of it is taken away in the end, whatever happened."""
    missing = missing_organs(root)
    with ExitStack() as closing:
        cables = None
        if Organ.NETWORK not in missing:
            cables = Cables(count)
            closing.callback(cables.close)
        base = free_base()
        genesis = development_genesis(count, base, "faults", SWIFT, time.time_ns() // 1_000_000)
        places = [f"{address(index) if cables else '127.0.0.1'}:{peer_port(base, index)}" for index in range(count)]
        validators = tuple(
            msgspec.structs.replace(one, addresses=(place,))
            for one, place in zip(genesis.validators, places, strict=True)
        )
        genesis = msgspec.structs.replace(genesis, validators=validators)
        (root / "password").write_text(f"{PASSWORD}\n")
        houses: list[House] = []
        for index, place in enumerate(places):
            folder = root / f"validator-{index}"
            if Organ.DISK not in missing:
                why = disks.mount(folder)
                assert not why, why
                closing.callback(disks.unmount, folder)
                closing.callback(_keep_log, folder)
            create_node(folder, folder.name, genesis, _settings(base, index, root, place))
            houses.append(_house(folder, source, cables.names[index] if cables else "", missing))
        town = Town(DevelopmentNetwork(root, genesis, tuple(house.folder for house in houses)), base, houses)
        built = World(town, missing, cables)
        closing.callback(lambda: clocks.sweep({pid for pids in built.started.values() for pid in pids}))
        closing.callback(town.close)
        for index in range(count):
            built.start(index)
        for house in houses:
            house.await_ready()
        yield built


def _keep_log(folder: Path) -> None:
    """The log goes with its disk: what it says is kept beside."""
    for path in folder.glob("node.log*"):
        shutil.copy(path, folder.parent / f"{folder.name}.{path.name}")


def _settings(base: int, index: int, root: Path, place: str) -> Settings:
    settings = node_settings(base, index, root)
    return replace(
        settings,
        network=replace(settings.network, listen=place),
        storage=replace(settings.storage, free_bytes_min=disks.FREE_BYTES_MIN),
    )


def _house(folder: Path, source: Path, namespace: str, missing: dict[Organ, str]) -> House:
    environment = {}
    if Organ.WALL_CLOCK not in missing:
        clocks.step(_clock(folder), 0)
        environment = clocks.environment(_clock(folder))
    if not namespace:
        return House(folder, source, environment)
    return Islander(folder, source, environment, ("ip", "netns", "exec", namespace))
