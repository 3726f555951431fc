"""MESH-13. What the agent has in a container's network namespace: one place where calls arrive, one where names are
asked for, and sockets with which it calls the container."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterable
from typing import Final

from metanode.docklock.mesh.refusals import MeshRefusal
from metanode.host.agent.mesh.inside import inside, same_namespace
from metanode.host.agent.mesh.steering import steer
from metanode.host.runtimes.shim.kernel import loopback_up
from metanode.host.runtimes.shim.root import RESOLVER
from metanode.primitives.refusal import Rejected

NAMES_PORT: Final = 53
"""Where names are asked for."""
BACKLOG: Final = 512
"""Calls that wait to be taken."""
SPARE: Final = 16
"""Sockets made at a time: to make one, a thread enters the namespace."""


def _listening(address: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def _datagrams(address: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        made.bind((address, port))
    except OSError:
        made.close()
        raise
    return made


def _spare() -> list[socket.socket]:
    kind = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    return [socket.socket(socket.AF_INET, kind) for _ in range(SPARE)]


class Foothold:
    """In one container, found by the path of its namespace. `steered`: undeclared calls arrive too; else only those to
    places that `listen` was told. Raises `OSError`, `Rejected` with PORT_TAKEN."""

    def __init__(self, path: str) -> None:
        self._namespace = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._spares: list[socket.socket] = []
        self._link = -1
        self.places: dict[tuple[str, int], socket.socket] = {}
        self.taken: set[tuple[str, int]] = set()
        made: list[socket.socket] = []
        try:
            inside(self._namespace, lambda: self._enter(made))
        except OSError as error:
            for one in made:
                one.close()
            os.close(self._namespace)
            if error.errno in (1, 13):
                raise Rejected(MeshRefusal.NO_PRIVILEGE, str(error)) from None
            raise
        self.calls, self.names, self.streams = made
        with contextlib.suppress(OSError):
            self._link = steer(self.calls, self._namespace)

    def _enter(self, made: list[socket.socket]) -> None:
        loopback_up()
        made.append(_listening(RESOLVER, 0))
        made.append(_datagrams(RESOLVER, NAMES_PORT))
        made.append(_listening(RESOLVER, NAMES_PORT))

    @property
    def steered(self) -> bool:
        """Whether the kernel leads every call here."""
        return self._link >= 0

    def is_of(self, path: str) -> bool:
        """Whether a path leads to this namespace still."""
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return same_namespace(file, self._namespace)
        finally:
            os.close(file)

    def listen(self, wanted: Iterable[tuple[str, int]], own: tuple[int, ...]) -> list[socket.socket]:
        """MESH-13. Where nothing is steered: listen at these places and at no others, never at ports that the container
        needs itself (`own`). The sockets that are new; places that cannot be had are in `taken`."""
        every = set() if self.steered else set(wanted)
        places = {place for place in every if place[1] not in own}
        for place in set(self.places) - places:
            self.places.pop(place).close()
        self.taken = every - places
        missing = sorted(places - set(self.places))
        if not missing:
            return []
        made: dict[tuple[str, int], socket.socket] = {}

        def enter() -> None:
            for place in missing:
                try:
                    made[place] = _listening(*place)
                except OSError:
                    self.taken.add(place)

        inside(self._namespace, enter)
        self.places |= made
        return list(made.values())

    async def connect(self, port: int) -> socket.socket:
        """A connection to a port of the container. Raises `OSError`."""
        if not self._spares:
            self._spares = inside(self._namespace, _spare)
        one = self._spares.pop()
        try:
            await asyncio.get_running_loop().sock_connect(one, ("127.0.0.1", port))
        except BaseException:
            one.close()
            raise
        return one

    def close(self) -> None:
        """Leave: nothing of ours keeps the namespace alive."""
        for one in (*self._spares, *self.places.values(), self.calls, self.names, self.streams):
            one.close()
        self._spares, self.places = [], {}
        for file in (self._link, self._namespace):
            if file >= 0:
                os.close(file)
        self._link = self._namespace = -1
