"""A container that was asked to end while its things were prepared does not begin; what was refused has no volume."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from tests.unit.docklock.agent.desk import assignment, spec

from metanode.docklock.agent.events import Ended, Fetch, Fetched, Heard, Ran, Run, Stop
from metanode.host.agent.deeds import Deeds, Materials
from metanode.host.agent.planning import NO_IMAGE
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.primitives.refusal import Rejected
from metanode.records.secret import SecretRefusal

NAME = "shop.web.0.1"


class Driver:
    """Knows what was created; remembers what it was told."""

    def __init__(self) -> None:
        self.did: list[str] = []

    async def create(self, plan: Any) -> None:
        self.did.append(f"create {plan.id}")

    async def start(self, name: str) -> None:
        self.did.append(f"start {name}")

    async def stop(self, name: str, grace_ms: int) -> Any:
        raise Rejected(RuntimeRefusal.UNKNOWN, name)

    async def inspect(self, name: str) -> Any:
        raise Rejected(RuntimeRefusal.UNKNOWN, name)


class Furnishing:
    """Takes as long as the test lets it; refuses what it is told to refuse."""

    def __init__(self) -> None:
        self.asked, self.go = asyncio.Event(), asyncio.Event()
        self.refuses = False
        self.left: list[str] = []

    async def furnish(self, one: Any, spec: Any) -> tuple[()]:
        self.asked.set()
        await self.go.wait()
        return ()

    async def gather(self, name: str, one: Any, spec: Any, *, runs: bool) -> bool:
        if self.refuses:
            raise Rejected(SecretRefusal.UNBOUND, "token")
        return True

    def leave(self, name: str) -> None:
        self.left.append(name)


def desk() -> tuple[Deeds, Driver, Furnishing, list[Heard]]:
    driver, furnishing, heard = Driver(), Furnishing(), list[Heard]()
    content = SimpleNamespace(spec=lambda pinned, terms: spec())
    materials = Materials(cast("Any", content), lambda _: NO_IMAGE, Path("/volumes"), cast("Any", furnishing))
    chain, records = SimpleNamespace(terms=lambda *_: spec().terms), SimpleNamespace(tell=lambda *_: None)
    deeds = Deeds(
        "shop", "node-1", cast("Any", driver), cast("Any", chain), materials, cast("Any", records), heard.append
    )
    return deeds, driver, furnishing, heard


def test_what_was_asked_to_end_while_it_was_prepared_does_not_begin() -> None:
    async def play() -> None:
        deeds, driver, furnishing, heard = desk()
        running = asyncio.create_task(deeds.run(Run(NAME, assignment(), spec(), 0)))
        await furnishing.asked.wait()
        await deeds.stop(Stop(NAME, 0))
        furnishing.go.set()
        await running
        assert [type(one) for one in heard] == [Ended]
        assert driver.did == []

    asyncio.run(play())


def test_what_was_not_begins() -> None:
    async def play() -> None:
        deeds, driver, furnishing, heard = desk()
        furnishing.go.set()
        await deeds.run(Run(NAME, assignment(), spec(), 0))
        assert [(type(one), getattr(one, "code", "")) for one in heard] == [(Ran, "")]
        assert driver.did == [f"create {NAME}", f"start {NAME}"]

    asyncio.run(play())


def test_what_is_refused_holds_no_volume() -> None:
    async def play() -> None:
        deeds, _, furnishing, heard = desk()
        furnishing.refuses = True
        await deeds.fetch(Fetch(NAME, assignment()))
        assert heard == [Fetched(heard[0].now_ms, NAME, None, SecretRefusal.UNBOUND, final=True)]
        assert furnishing.left == [NAME]

    asyncio.run(play())
