"""The mesh of node `one` in the cluster `shop`, under a clock of our own."""

from dataclasses import replace
from itertools import count
from typing import Any

from msgspec.structs import replace as changed

from metanode.docklock.mesh import Mesh
from metanode.docklock.mesh.events import (
    Answered,
    Asked,
    Began,
    Called,
    Checked,
    Connected,
    Effect,
    Entered,
    Event,
    Fell,
    Gone,
    Learned,
    Members,
    Named,
    Over,
    Requested,
    Resolved,
    Tick,
)
from metanode.docklock.mesh.frames import VERSION, Opening
from metanode.docklock.mesh.services import Container, Node, Replica, Served

NODES = tuple(Node(name, name.encode() * 8, f"{name}:1") for name in ("two", "three"))
WEB = Served("web", 1, "round-robin", ("front",), (("http", 80),), (Replica(0, 1, "one"), Replica(1, 1, "two")))
CALLER = Container("shop.caller.0.1", "caller", 0, 1, 3, ("front",), ())
SERVER = Container("shop.web.0.1", "web", 0, 1, 1, ("front",), (80,))
OPENING = Opening(
    version=VERSION,
    caller="caller",
    revision=3,
    service="web",
    port=80,
    index=0,
    attempt=1,
    header="",
    body=b"",
)


def service(name: str = "web", **changes: Any) -> Served:
    return replace(replace(WEB, name=name), **changes)


class Switchboard:
    """Hands events to a mesh; numbers of flows are given in turn."""

    def __init__(self, *services: Served, nodes: tuple[Node, ...] = NODES) -> None:
        self.mesh = Mesh("shop", "one")
        self.now_ms = 1_000_000
        self.height = 0
        self._numbers = count(1)
        self.hears(Members(self.now_ms, nodes))
        self.learns(*services)

    def hears(self, event: Event) -> list[Effect]:
        return self.mesh.handle(event)

    def learns(self, *services: Served, height: int = 0) -> None:
        self.height = height or self.height + 1
        self.hears(Learned(self.now_ms, self.height, services))

    def begins(self, *containers: Container) -> None:
        for one in containers:
            self.hears(Began(self.now_ms, one))

    def gone(self, name: str) -> None:
        self.hears(Gone(self.now_ms, name))

    def asks(self, name: str, container: str = CALLER.name) -> tuple[Resolved, list[Effect]]:
        """The answer to a question for a name, and what else follows."""
        first, *rest = sorted(self.hears(Named(self.now_ms, 1, container, name)), key=lambda e: type(e) is not Resolved)
        assert isinstance(first, Resolved)
        return first, rest

    def calls(self, name: str = "web", port: int = 80, container: str = CALLER.name) -> tuple[int, list[Effect]]:
        """A call to what a name stands for, or to an address."""
        address = self.asks(name, container)[0].address or name
        flow = next(self._numbers)
        return flow, self.hears(Called(self.now_ms, flow, container, address, port))

    def requests(self, name: str = "web", port: int = 0) -> tuple[int, list[Effect]]:
        flow = next(self._numbers)
        return flow, self.hears(Requested(self.now_ms, flow, name, port, "signed", b"{}"))

    def enters(self, container: str, port: int) -> tuple[int, list[Effect]]:
        flow = next(self._numbers)
        return flow, self.hears(Entered(self.now_ms, flow, container, port))

    def is_asked(self, key: bytes = NODES[0].key, **changes: Any) -> tuple[int, list[Effect]]:
        flow = next(self._numbers)
        return flow, self.hears(Asked(self.now_ms, flow, key, changed(OPENING, **changes)))

    def checks(
        self, flow: int, code: str = "", networks: tuple[str, ...] = ("front",), *, operator: bool = False
    ) -> list[Effect]:
        return self.hears(Checked(self.now_ms, flow, code, networks, operator))

    def connects(self, flow: int, code: str = "") -> list[Effect]:
        return self.hears(Connected(self.now_ms, flow, code))

    def answers(self, flow: int, code: str = "") -> list[Effect]:
        return self.hears(Answered(self.now_ms, flow, code))

    def falls(self, node: Node, *, again: bool = False) -> list[Effect]:
        return self.hears(Fell(self.now_ms, node.key, again))

    def ends(self, flow: int, sent: int = 0, received: int = 0) -> list[Effect]:
        return self.hears(Over(self.now_ms, flow, sent, received))

    def waits(self, ms: int) -> list[Effect]:
        self.now_ms += ms
        return self.hears(Tick(self.now_ms))
