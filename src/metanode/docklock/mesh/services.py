"""What can be called: services as the chain knows them, containers here, and which replica is next."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

REMEMBERED_MAX: Final = 1_024
"""Services of which the turn is remembered: as many as a cluster has workloads."""


@dataclass(frozen=True, slots=True, order=True)
class Replica:
    """A ready instance and the node that runs it."""

    index: int
    attempt: int
    node: str


@dataclass(frozen=True, slots=True)
class Served:
    """MESH-4. A workload with ports by its revision: how it is balanced, its networks, its TCP ports by name, and who
    is ready, ascending."""

    name: str
    revision: int
    balance: str
    networks: tuple[str, ...]
    ports: tuple[tuple[str, int], ...]
    replicas: tuple[Replica, ...]

    def has_port(self, port: int) -> bool:
        """Whether it can be called at a port."""
        return any(number == port for _, number in self.ports)


@dataclass(frozen=True, slots=True)
class Node:
    """Another node of the cluster: its Ed25519 key (32 bytes), and where its agent listens for agents (`host:port`, or
    nowhere)."""

    name: str
    key: bytes
    endpoint: str


@dataclass(frozen=True, slots=True)
class Container:
    """A container of this node: its name, what it is a replica of, by which revision; networks, TCP ports, destinations
    outside, published ports as (of the node, of the container)."""

    name: str
    workload: str
    index: int
    attempt: int
    revision: int
    networks: tuple[str, ...]
    ports: tuple[int, ...]
    egress: tuple[tuple[str, int], ...] = ()
    published: tuple[tuple[int, int], ...] = ()

    def may_call(self, service: Served) -> bool:
        """MESH-3. Whether it shares a network with a service."""
        return share(self.networks, service.networks)


def share(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether a network is in both."""
    return any(name in other for name in one)


Load: TypeAlias = Callable[[Replica], int]
"""How many flows from here are open to a replica."""


class Turns:
    """MESH-5. Which replica of a service is next."""

    def __init__(self) -> None:
        self._turns: Final[dict[str, int]] = {}

    def pick(self, service: Served, tried: frozenset[Replica], here: str, load: Load) -> Replica | None:
        """The next replica that was not tried, `None` where there is none."""
        able = [one for one in service.replicas if one not in tried]
        if not able:
            return None
        turn = self._turns.pop(service.name, 0)
        if len(self._turns) >= REMEMBERED_MAX:
            del self._turns[next(iter(self._turns))]
        self._turns[service.name] = turn + 1
        if service.balance == "local-first":
            able = [one for one in able if one.node == here] or able
        if service.balance == "least-connections":
            least = min(load(one) for one in able)
            able = [one for one in able if load(one) == least]
        return able[turn % len(able)]
