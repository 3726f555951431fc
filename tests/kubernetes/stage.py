"""Where the driver is played with, and what is asked and seen there again and again."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from metanode.host.runtimes.kubernetes.driver import KubernetesDriver, open_kubernetes
from metanode.host.runtimes.kubernetes.place import KubernetesPlace, place_of
from metanode.host.runtimes.plan import HOST_USR, ContainerPlan, Limits
from metanode.host.runtimes.states import Exit
from metanode.primitives.refusal import Rejected

NAMESPACE: Final = "metanode"
LIMITS: Final = Limits(memory_bytes=64 << 20, cpu_millicores=500, pids=16)
UP: Final = "echo up; while :; do sleep 0.1; done"
POLITE: Final = "trap 'echo asked; exit 7' TERM; " + UP
FOREVER_S: Final = 90
"""Nothing that is played takes so long."""


@dataclass
class Stage:
    """Where a scenario is played. `others`: makes what somebody else does happen, and knows its name; where there is
    only a recording it has happened. `ask`: the API server itself, for them;
    `forget` has it forget all versions before now."""

    folder: Path
    kubeconfig: Path
    guest: Path
    image: str
    others: Callable[[str, Callable[[], None]], Awaitable[None]]
    ask: Callable[..., Any]
    forget: Callable[[], None]
    is_real: bool
    _drivers: list[KubernetesDriver] = field(default_factory=list)

    def place(self, *options: str) -> KubernetesPlace:
        """A place in this cluster."""
        given = (f"kubeconfig={self.kubeconfig}", "pull=never", "agent=agent-test", f"namespace={NAMESPACE}")
        return place_of(self.folder, (*given, *options) if not options else _merged(given, options))

    async def driver(self, *options: str) -> KubernetesDriver:
        """An agent's driver that has begun."""
        driver = await open_kubernetes(self.place(*options))
        self._drivers.append(driver)
        await driver.begin()
        return driver

    def plan(self, name: str, *command: str, **fields: Any) -> ContainerPlan:
        """A plan with ordinary limits."""
        return ContainerPlan(
            **{"id": name, "root": HOST_USR, "image": self.image, "command": command, "limits": LIMITS, **fields}
        )

    async def end(self) -> None:
        """Close what is open."""
        for driver in self._drivers:
            await driver.close()


def _merged(given: tuple[str, ...], options: tuple[str, ...]) -> tuple[str, ...]:
    keys = {option.partition("=")[0] for option in options}
    return (*(one for one in given if one.partition("=")[0] not in keys), *options)


async def run(driver: KubernetesDriver, plan: ContainerPlan) -> Any:
    """Create and start."""
    await driver.create(plan)
    return await driver.start(plan.id)


async def refused(part: Awaitable[Any]) -> Rejected:
    """The refusal of something that must be refused."""
    with pytest.raises(Rejected) as caught:
        await part
    return caught.value


async def said(driver: KubernetesDriver, name: str) -> bytes:
    """Everything a container says until it ends."""
    return b"".join([record.data async for record in driver.logs(name, follow=True)])


async def says(driver: KubernetesDriver, name: str, word: bytes) -> None:
    """Wait until it has said a word."""
    heard = b""
    async for record in driver.logs(name, follow=True):
        heard += record.data
        if word in heard:
            return
    pytest.fail(f"{name} ended without {word!r}: {heard!r}")


async def executed(driver: KubernetesDriver, name: str, *command: str) -> tuple[bytes, bytes, int]:
    """What a command said, and how it ended."""
    execution = await driver.exec(name, command)
    await execution.end_input()
    chunks = [chunk async for chunk in execution.output()]
    out, err = (b"".join(one.data for one in chunks if one.stream == stream) for stream in (1, 2))
    return out, err, (await execution.wait()).code


async def ended(driver: KubernetesDriver, name: str) -> Exit:
    """How it is when it has ended."""
    async for _ in driver.logs(name, follow=True):
        pass
    state = await driver.inspect(name)
    assert state.exit is not None
    return state.exit
