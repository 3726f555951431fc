"""Nodes on computers of their own: network namespaces on two bridges, and a trunk between these that can be cut."""

import ctypes
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
import pytest
from tests.journeys.town import SWIFT, House, Town, free_base

from metanode.host.development import (
    PASSWORD,
    DevelopmentNetwork,
    create_node,
    development_genesis,
    node_settings,
    peer_port,
)

_NEW_NET: Final = 0x4000_0000
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def skip_unless_possible() -> None:
    """Namespaces need root and iproute2: say loudly what was not run."""
    if os.geteuid() != 0:
        pytest.skip("PARTITION NOT RUN: network namespaces need root")
    if shutil.which("ip") is None:
        pytest.skip("PARTITION NOT RUN: no `ip` command (install iproute2)")
    probe = subprocess.run(["ip", "netns", "add", _name("probe")], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"PARTITION NOT RUN: no network namespaces here: {probe.stderr.strip()}")
    _ip("netns", "del", _name("probe"))


def _name(what: str) -> str:
    return f"mn{os.getpid()}-{what}"


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread's new sockets belong to a namespace."""
    own, other = os.open("/proc/thread-self/ns/net", os.O_RDONLY), os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        assert _LIBC.setns(other, _NEW_NET) == 0, f"setns {namespace}"
        yield
    finally:
        assert _LIBC.setns(own, _NEW_NET) == 0, "setns back"
        os.close(own)
        os.close(other)


class Islander(House):
    """A node in a namespace of its own."""

    __slots__ = ()

    @contextmanager
    def ask(self, timeout_s: float = 10.0):
        with inside(self.prefix[3]), super().ask(timeout_s) as client:
            yield client


class Islands:
    """Two bridges and the trunk between them: the first `count // 2` nodes are on the first one."""

    def __init__(self, count: int) -> None:
        self._made: list[str] = []
        self.names: Final = [_name(str(index)) for index in range(count)]
        try:
            self._build(count)
        except BaseException:
            self.close()
            raise

    @staticmethod
    def address(index: int) -> str:
        """Of a node."""
        return f"10.77.0.{index + 1}"

    def _build(self, count: int) -> None:
        west, east = _name("west"), _name("east")
        for name in (west, east, *self.names):
            _ip("netns", "add", name)
            self._made.append(name)
            _ip("-n", name, "link", "set", "lo", "up")
        for bridge in (west, east):
            _ip("-n", bridge, "link", "add", "bridge", "type", "bridge")
            _ip("-n", bridge, "link", "set", "bridge", "up")
        self._wire(west, "trunk", east, "trunk")
        _ip("-n", east, "link", "set", "trunk", "master", "bridge")
        _ip("-n", east, "link", "set", "trunk", "up")
        for index, name in enumerate(self.names):
            self._wire(west if index < count // 2 else east, f"port{index}", name, "wire")
            _ip("-n", name, "address", "add", f"{self.address(index)}/24", "dev", "wire")
            _ip("-n", name, "link", "set", "wire", "up")

    @staticmethod
    def _wire(bridge: str, port: str, name: str, end: str) -> None:
        _ip("link", "add", port, "netns", bridge, "type", "veth", "peer", "name", end, "netns", name)
        _ip("-n", bridge, "link", "set", port, "master", "bridge")
        _ip("-n", bridge, "link", "set", port, "up")

    def cut(self) -> None:
        """Nothing passes from one half to the other, and nobody is told."""
        _ip("-n", _name("west"), "link", "set", "trunk", "down")

    def heal(self) -> None:
        """It passes again."""
        _ip("-n", _name("west"), "link", "set", "trunk", "up")

    def strand(self, index: int) -> None:
        """Nothing passes to one node or from it, and nobody is told."""
        west = index < len(self.names) // 2
        _ip("-n", _name("west" if west else "east"), "link", "set", f"port{index}", "down")

    def rejoin(self, index: int) -> None:
        """It passes again."""
        west = index < len(self.names) // 2
        _ip("-n", _name("west" if west else "east"), "link", "set", f"port{index}", "up")

    def close(self) -> None:
        """Take everything away."""
        for name in self._made:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@contextmanager
def archipelago(root: Path, count: int = 4) -> Iterator[tuple[Town, Islands]]:
    """A development network whose validators live in namespaces, running."""
    skip_unless_possible()
    islands = Islands(count)
    base = free_base()
    genesis = development_genesis(count, base, "journey", SWIFT, time.time_ns() // 1_000_000)
    places = [f"{islands.address(index)}:{peer_port(base, index)}" for index in range(count)]
    validators = tuple(
        msgspec.structs.replace(one, addresses=(place,)) for one, place in zip(genesis.validators, places, strict=True)
    )
    genesis = msgspec.structs.replace(genesis, validators=validators)
    root.mkdir(exist_ok=True)
    (root / "password").write_text(f"{PASSWORD}\n")
    houses: list[House] = []
    for index, place in enumerate(places):
        settings = node_settings(base, index, root)
        settings = replace(settings, network=replace(settings.network, listen=place))
        create_node(root / f"validator-{index}", f"validator-{index}", genesis, settings)
        prefix = ("ip", "netns", "exec", islands.names[index])
        houses.append(Islander(root / f"validator-{index}", prefix=prefix))
    town = Town(DevelopmentNetwork(root, genesis, tuple(house.folder for house in houses)), base, houses)
    try:
        town.start()
        yield town, islands
    finally:
        town.close()
        islands.close()
