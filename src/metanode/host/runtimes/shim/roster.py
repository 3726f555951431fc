"""Which containers and engines there are."""

from collections.abc import Iterator
from typing import Final

from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim.container import Container
from metanode.host.runtimes.shim.engines import Engine
from metanode.host.runtimes.shim.frames import Message
from metanode.host.runtimes.states import Phase
from metanode.primitives.refusal import Rejected

CONTAINERS_MAX: Final = 1024
"""Of one shim, those that have ended and were not removed among them."""


class Roster:
    """The containers by their ids, and the engines by their names."""

    def __init__(self, engines: dict[str, Engine]) -> None:
        self._engines: Final = engines
        self._containers: Final[dict[str, Container]] = {}

    def __iter__(self) -> Iterator[Container]:
        return iter(tuple(self._containers.values()))

    def check_room(self, name: str) -> None:
        """The refusal of one more container, or of one that is there."""
        if name in self._containers:
            raise Rejected(RuntimeRefusal.EXISTS, name)
        if len(self._containers) >= CONTAINERS_MAX:
            raise Rejected(RuntimeRefusal.FULL, f"{CONTAINERS_MAX} containers")

    def add(self, container: Container) -> None:
        """It is there from now on."""
        self._containers[container.plan.id] = container

    def forget(self, container: Container) -> None:
        """It is not any more."""
        del self._containers[container.plan.id]

    def at(self, message: Message) -> Container:
        """The container a request names."""
        container = self._containers.get(str(message.get("id")))
        if container is None:
            raise Rejected(RuntimeRefusal.UNKNOWN, f"no container {str(message.get('id'))[:160]}")
        return container

    def engine(self, name: object) -> Engine:
        """The engine a plan or a container names."""
        engine = self._engines.get(str(name))
        if engine is None:
            raise Rejected(RuntimeRefusal.ENGINE_MISSING, f"{str(name)[:40]!r}; here are {' '.join(self._engines)}")
        return engine

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to be the parent of."""
        return not self._containers

    @property
    def runs_anything(self) -> bool:
        """Whether a process of a container may be alive."""
        return any(container.phase not in {Phase.CREATED, Phase.EXITED} for container in self)

    @property
    def is_starting(self) -> bool:
        """Whether a container is being made."""
        return any(container.phase is Phase.STARTING for container in self)
