"""MESH-13. The agent stands in the containers of every engine: its resolver, its calls in, and theirs to a name."""

import asyncio
import tempfile
from pathlib import Path

import pytest
import uvloop
from msgspec.structs import replace
from tests.integration.mesh.town import CALLER_PROGRAM, WEB_PROGRAM, Chain, View, port, spec_of, until
from tests.integration.runtimes.stand import PYTHON, require
from tests.unit.docklock.agent.desk import assignment

from metanode.docklock.mesh.services import Replica, Served
from metanode.host.agent.mesh.node_mesh import MeshSettings, NodeMesh
from metanode.host.runtimes.link import ShimPlace, open_link
from metanode.host.runtimes.plan import HOST_USR, ContainerPlan, Limits
from metanode.host.runtimes.shim_driver import ShimDriver
from metanode.primitives import ed25519

pytestmark = [pytest.mark.live, pytest.mark.root]
LIMITS = Limits(memory_bytes=64 << 20, cpu_millicores=500, pids=32)


async def play(engine: str, folder: Path) -> bytes:
    """What a container says that was answered by another one, both of this engine."""
    link = await open_link(ShimPlace(folder))
    driver = ShimDriver(link, engine)
    chain, key = Chain(), ed25519.SigningKey(b"k" * 32)
    view = View(chain, "one")
    mesh = NodeMesh(
        MeshSettings(bytes(32), "shop", "one", "127.0.0.1", 0, "", "127.0.0.1"), key, driver, view, view.wait
    )
    await mesh.open()
    running = asyncio.create_task(mesh.run())
    said = b""
    try:
        replicas = (Replica(0, 1, "one"),)
        chain.services["web"] = Served("web", 1, "round-robin", ("front",), (("http", 8_080),), replicas)
        chain.changed()
        for name, program, ports in (("web", WEB_PROGRAM, (port(8_080),)), ("caller", CALLER_PROGRAM, ())):
            wanted = ContainerPlan(f"shop.{name}.0.1", HOST_USR, (PYTHON, "-u", "-c", program), LIMITS)
            await driver.create(wanted)
            await driver.start(wanted.id)
            await mesh.knows(wanted.id, replace(assignment(), workload=name), spec_of(name, ("front",), ports))
        assert {one["steered"] for one in mesh.routes()["containers"]} == {True}
        await until(lambda: mesh.routes()["height"] == chain.height, "it learns")
        async with asyncio.timeout(30):
            async for record in driver.logs("shop.caller.0.1", follow=True):
                said += record.data
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await mesh.close()
        for name in ("web", "caller"):
            await driver.kill(f"shop.{name}.0.1")
            await driver.remove(f"shop.{name}.0.1")
        await link.end_shim()
    return said


@pytest.mark.parametrize("engine", ["sandbox", "crun", "runc"])
def test_a_container_calls_another_by_its_name(engine: str):
    require(engine)
    with (
        tempfile.TemporaryDirectory(prefix="mesh-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        assert runner.run(play(engine, Path(folder))) == b"hello from web\n"
