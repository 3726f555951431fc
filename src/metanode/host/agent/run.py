"""One process, one agent: its data directory, its shim, its port, its loop, until it is told to stop."""

import asyncio
import contextlib
import platform
import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn
import uvloop
from msgspec.structs import replace

from metanode.docklock.agent import Agent
from metanode.docklock.images.platforms import platform_of_machine
from metanode.docklock.receipts import Author
from metanode.host.agent.chain import ChainPort
from metanode.host.agent.content import Content
from metanode.host.agent.copies import Copier, CopyStore
from metanode.host.agent.deeds import Deeds, Materials, now_ms
from metanode.host.agent.ended import EndedLogs
from metanode.host.agent.engine_images import from_store
from metanode.host.agent.engines import Engine, driver_name, open_engine
from metanode.host.agent.furnishing import Opening
from metanode.host.agent.images import NodeImages
from metanode.host.agent.inspecting import Answerer, Inspector
from metanode.host.agent.joining import inventory_of, join
from metanode.host.agent.keeping import Keeper
from metanode.host.agent.loop import AgentLoop
from metanode.host.agent.mesh.chain import MeshPort
from metanode.host.agent.mesh.node_mesh import MeshSettings, NodeMesh
from metanode.host.agent.mesh.pages import MeshPages
from metanode.host.agent.pins import PinLog
from metanode.host.agent.port import AgentPort, Stored
from metanode.host.agent.receipt_log import RECEIPTS_BYTES_USUAL, ReceiptLog
from metanode.host.agent.receipt_pages import ReceiptPages
from metanode.host.agent.records import Records
from metanode.host.agent.refusing import Refusals
from metanode.host.agent.repeat_pages import RepeatPages
from metanode.host.agent.repeating import Means, Repeating
from metanode.host.agent.status_pages import StatusPages
from metanode.host.agent.volumes import NodeVolumes
from metanode.host.agent.witness import Witness
from metanode.host.agent.witnessed import Witnesses
from metanode.host.agent.words import open_log
from metanode.host.blobs import BlobStore
from metanode.host.data_directory import lock_directory
from metanode.host.disk import Disk
from metanode.host.entropy import random_bytes
from metanode.host.http_server import EmbeddedServer
from metanode.host.images.roots import this_boot
from metanode.host.images.store import ImageStore
from metanode.primitives import ed25519
from metanode.records.agent_request import authorization
from metanode.records.cluster import Inventory

VOLUMES: Final = "volumes"
"""Folder of named volumes, in the agent's folder."""


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """What one agent is told: where its data is, which chain, cluster and node it is of, where it listens and what
    others dial, what it may give, which engine it uses (empty: the first that works) and by which socket it reaches one
    that has any (empty: where it usually is), how much of receipts it keeps; where it listens for other agents
    (`host:port`) and what those dial (empty: the same)."""

    folder: Path
    chain_id: bytes
    cluster: str
    node: str
    host: str
    port: int
    endpoint: str
    cpu_millicores: int
    memory_kib: int
    engine: str = ""
    engine_socket: str = ""
    engine_options: tuple[str, ...] = ()
    receipts_bytes_max: int = RECEIPTS_BYTES_USUAL
    mesh_listen: str = ""
    mesh_advertise: str = ""


def run_agent(
    settings: AgentSettings,
    seed: bytes,
    chain: ChainPort,
    mesh_chain: MeshPort,
    ready: Callable[[str, Engine], None],
) -> str:
    """Run until SIGINT or SIGTERM; containers run on. Returns the reason it stopped. Raises `Rejected`, `Fault`. The
    folder stays locked until this process ends."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # secrets pass through here, and through the shim that it starts
    lock_directory(settings.folder, settings.folder / "LOCK")
    open_log(settings.folder)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings, seed, chain, mesh_chain, ready))


async def _engine(settings: AgentSettings, images: ImageStore) -> Engine:
    """AGENT-11. The runtime, with what it is told and the images it is given."""
    source = from_store(images)
    return await open_engine(settings.folder, settings.engine, settings.engine_socket, source, settings.engine_options)


async def _serve(
    settings: AgentSettings, seed: bytes, chain: ChainPort, mesh_chain: MeshPort, ready: Callable[[str, Engine], None]
) -> str:
    """Open, join, work, close."""
    folder, key = settings.folder, ed25519.SigningKey(seed)
    blobs = BlobStore(folder / "content", Disk(), random_bytes)
    images = ImageStore(blobs, platform_of_machine(platform.machine()), this_boot())
    engine = await _engine(settings, images)
    author = Author(settings.chain_id, settings.cluster, settings.node, key.public_key)
    receipts = ReceiptLog(folder / "receipts", Disk(), random_bytes, author, key.sign)
    volumes = NodeVolumes(folder / VOLUMES)
    has = _inventory(settings, seed, engine, images, volumes)
    mesh = NodeMesh(_mesh_settings(settings), key, engine.driver, mesh_chain, chain.wait)
    has = replace(has, mesh=await mesh.open())
    await asyncio.to_thread(join, chain, settings.cluster, settings.node, has)
    receipts.check_pinned((await asyncio.to_thread(chain.share)).share.pinned)
    loop = AgentLoop(Agent(settings.cluster, settings.cpu_millicores, settings.memory_kib), engine.driver, chain)
    records = Records(receipts, driver_name(engine.works.engine), lambda: loop.height, now_ms)
    pins = PinLog(folder / "pins", Disk(), random_bytes)
    content = _content(settings, key, blobs, chain)
    pictures = NodeImages(images, content)
    refusals = Refusals(records, now_ms)
    furnishing = _opening(settings, seed, has, images).open(chain, content, volumes, records, refusals)
    materials = Materials(content, pictures.unpacked, folder / VOLUMES, furnishing)
    loop.deeds = Deeds(settings.cluster, settings.node, engine.driver, chain, materials, records, loop.tell)

    witness = Witness(records, refusals, loop.about)
    loop.inspector = Inspector(settings.cluster, key, chain, content, random_bytes, now_ms)
    keeper, copier = _keeping(settings, records, pins, chain, key)
    loop.deeds.mesh, mesh.write_down = mesh, witness.call_refused
    loop.beside = (records.run, witness.run, keeper.run, copier.run, furnishing.holdings.run, mesh.run)
    kept, pages = Stored(blobs, pictures, loop.images), ReceiptPages(records, pins, author)
    port = AgentPort(settings.cluster, engine.driver, kept, chain.settled, witness, pages)
    port.add(Answerer(settings.cluster, key, engine.driver, loop.spec_of, now_ms).routes)
    port.add(_repeating(settings, engine, materials, blobs, chain, loop.deeds).routes)
    port.add(furnishing.pages(engine.driver, random_bytes))
    port.add(MeshPages(mesh).routes)
    port.add(CopyStore(folder / "copies", Disk()).routes)
    port.add(StatusPages(settings.node, engine, loop, receipts).routes)
    ended = loop.deeds.ended = EndedLogs(folder / "ended")
    port.add(ended.routes)
    reason = await _until_told(settings, port, loop, lambda url: ready(url, engine))
    chain.close()
    await mesh.close()
    receipts.close()
    pins.close()
    await engine.driver.close()
    return reason


def _keeping(
    settings: AgentSettings, records: Records, pins: PinLog, chain: ChainPort, key: ed25519.SigningKey
) -> tuple[Keeper, Copier]:
    """Who gets the proofs of what is pinned, and who gives both to other agents."""
    keeper = Keeper(records, pins, chain, settings.receipts_bytes_max, now_ms)
    copier = Copier(records, chain, settings.cluster, settings.endpoint, key)
    keeper.copy = copier.copy
    records.pinned.begin(pins.next_entry)
    return keeper, copier


def _mesh_settings(settings: AgentSettings) -> MeshSettings:
    """Where the mesh listens: as said, else beside the public port at any that is free."""
    host, _, port = (settings.mesh_listen or f"{settings.host}:0").rpartition(":")
    return MeshSettings(
        chain_id=settings.chain_id,
        cluster=settings.cluster,
        node=settings.node,
        host=host.strip("[]"),
        port=int(port),
        advertise=settings.mesh_advertise,
        address=settings.host,
    )


def _inventory(
    settings: AgentSettings, seed: bytes, engine: Engine, images: ImageStore, volumes: NodeVolumes
) -> Inventory:
    """CLUSTER-2. What this node is and holds now."""
    held = tuple(image.digest.raw for image in images.list())
    offered = settings.cpu_millicores, settings.memory_kib
    return inventory_of(seed, settings.endpoint, offered, driver_name(engine.works.engine), held, volumes.names())


def _opening(settings: AgentSettings, seed: bytes, has: Inventory, images: ImageStore) -> Opening:
    """What secrets and volumes are opened with."""

    def headers(verb: str, path: str, body: bytes) -> dict[str, str]:
        return {"Authorization": authorization(settings.cluster, verb, path, body, now_ms(), ed25519.SigningKey(seed))}

    return Opening(
        folder=settings.folder,
        seed=seed,
        chain_id=settings.chain_id,
        cluster=settings.cluster,
        node=settings.node,
        has=has,
        images=lambda: tuple(image.digest.raw for image in images.list()),
        headers=headers,
    )


def _content(settings: AgentSettings, key: ed25519.SigningKey, blobs: BlobStore, chain: ChainPort) -> Content:
    """Content from here and from other agents, who are asked by the node's own account."""

    def headers(verb: str, path: str) -> dict[str, str]:
        return {"Authorization": authorization(settings.cluster, verb, path, b"", now_ms(), key)}

    return Content(blobs, chain.agents, headers)


def _repeating(
    settings: AgentSettings, engine: Engine, materials: Materials, blobs: BlobStore, chain: ChainPort, deeds: Deeds
) -> RepeatPages:
    """What is kept of deterministic jobs, and the page on which they are run again."""
    witnesses = Witnesses(settings.chain_id, settings.cluster, blobs, materials.content, engine.works.cage)
    deeds.witnesses, deeds.records.witnessed = witnesses, witnesses.told
    means = Means(engine.driver, materials.content, blobs, materials.image, materials.volumes)
    return RepeatPages(settings.cluster, Repeating(settings.cluster, means, witnesses, chain, deeds.records))


async def _until_told(settings: AgentSettings, port: AgentPort, loop: AgentLoop, ready: Callable[[str], None]) -> str:
    """Serve and work until a signal comes, or one of the two ends."""
    configuration = uvicorn.Config(
        port.application(), host=settings.host, port=settings.port, log_config=None, lifespan="off", access_log=False
    )
    server, stop = EmbeddedServer(configuration), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    serving = asyncio.create_task(server.serve())
    await server.began.wait()
    work, stopping = asyncio.create_task(loop.run()), asyncio.create_task(stop.wait())
    ready(f"http://{settings.host}:{settings.port}")
    await asyncio.wait((stopping, work, serving), return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    for task in (work, stopping):
        task.cancel()
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await work
    finally:
        await serving
    return "asked to stop" if stop.is_set() else "its port closed"
