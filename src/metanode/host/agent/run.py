"""One process, one agent: its data directory, its shim, its port, its loop, until it is told to stop."""

import asyncio
import contextlib
import logging
import os
import platform
import signal
from collections.abc import Callable
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

import uvicorn

from metanode.docklock.agent import Agent
from metanode.docklock.cluster.state import Cluster
from metanode.docklock.images.manifests import Platform
from metanode.docklock.receipts import Author
from metanode.host.agent.chain import ChainPort
from metanode.host.agent.content import Content
from metanode.host.agent.deeds import Deeds, Materials, now_ms
from metanode.host.agent.loop import AgentLoop
from metanode.host.agent.planning import Unpacked
from metanode.host.agent.port import AgentPort
from metanode.host.agent.receipt_log import ReceiptLog
from metanode.host.agent.records import Records
from metanode.host.blobs import BlobStore
from metanode.host.data_directory import lock_directory
from metanode.host.disk import Disk
from metanode.host.entropy import random_bytes
from metanode.host.http_server import EmbeddedServer
from metanode.host.images.roots import this_boot
from metanode.host.images.store import ImageStore
from metanode.host.images.tree import KeepOwners, OneOwner
from metanode.host.runtimes.driver import Driver, Lacks, Works
from metanode.host.runtimes.link import SOCKET, ShimLink, ShimPlace, open_link
from metanode.host.runtimes.shim_driver import ShimDriver
from metanode.primitives import ed25519
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.agent_request import Asker, authorization

ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
"""Machine types as images name them."""
LOG_BYTES_MAX: Final = 4 << 20
"""One file of the agent's log."""
LOG_FILES_MAX: Final = 4
"""Older files that are kept."""
ENGINES: Final = ("sandbox", "crun", "runc")
"""Engines in the order in which they are tried where none is asked for."""


class AgentRefusal(Refusal):
    """Why an agent cannot begin."""

    NO_ENGINE = "agent.no-engine"
    """No runtime works on this machine; the detail says of each why, and what would make it run."""


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """What one agent is told: where its data is, which cluster and node it is, where it listens, what it may give,
    which engine it uses (empty: the first that works)."""

    folder: Path
    cluster: str
    node: str
    host: str
    port: int
    cpu_millicores: int
    memory_kib: int
    engine: str = ""


@dataclass(frozen=True, slots=True)
class Engine:
    """The runtime that was found to work."""

    driver: Driver
    works: Works
    link: ShimLink


FIELDS: Final = ("container", "code", "why", "height")
"""What the agent adds to its words."""


class _Words(logging.Formatter):
    """One line: when, how grave, what, then what it is about."""

    def format(self, record: logging.LogRecord) -> str:
        said = [f"{name}={getattr(record, name)}" for name in FIELDS if getattr(record, name, "") != ""]
        head = f"{self.formatTime(record)} {record.levelname.lower():<7} {record.getMessage()}"
        lines = [" ".join((head, *said))]
        if record.exc_info:
            lines.append(self.formatException(record.exc_info))
        return "\n".join(lines)


def open_log(folder: Path) -> None:
    """The agent's log: bounded files in its folder."""
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(folder / "logs" / "agent.log", maxBytes=LOG_BYTES_MAX, backupCount=LOG_FILES_MAX)
    handler.setFormatter(_Words())
    logger = logging.getLogger("metanode.agent")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers = [handler]


def driver_name(engine: str) -> str:
    """What placement calls an engine: crun and runc are both `oci`."""
    return "oci" if engine in ("crun", "runc") else engine


async def open_engine(folder: Path, wanted: str) -> Engine:
    """AGENT-11. The engine asked for, or the first that works, tried in earnest. Raises `Rejected`."""
    link = await open_link(ShimPlace(folder / "shim"))
    lacking: list[Lacks] = []
    for name in (wanted,) if wanted else ENGINES:
        driver = ShimDriver(link, name)
        match await driver.probe():
            case Works() as works:
                return Engine(driver, works, link)
            case Lacks() as lacks:
                lacking.append(lacks)
    said = "; ".join(f"{one.engine}: {one.reason} ({one.fix})" for one in lacking)
    raise Rejected(AgentRefusal.NO_ENGINE, said)


def end_containers(folder: Path) -> None:
    """End every container of an agent's folder, and its shim, where one runs. For whoever takes the whole away."""

    async def end() -> None:
        link = await open_link(ShimPlace(folder / "shim"))
        await link.end_shim()

    if (folder / "shim" / SOCKET).exists():
        with contextlib.suppress(Rejected):
            asyncio.run(end())


async def serve(
    settings: AgentSettings,
    seed: bytes,
    chain_id: bytes,
    chain: ChainPort,
    settled: Callable[[], tuple[Cluster, frozenset[bytes]]],
    join: Callable[[Engine, ImageStore], None],
    ready: Callable[[str, Engine], None],
) -> str:
    """Run until SIGINT or SIGTERM; containers run on. `join` tells the chain what this node has, before anything else.
    Returns the reason it stopped. Raises `Rejected`, `Fault`."""
    folder = settings.folder
    lock = lock_directory(folder, folder / "LOCK")
    open_log(folder)
    engine = await open_engine(folder, settings.engine)
    blobs = BlobStore(folder / "content", Disk(), random_bytes)
    images = ImageStore(
        blobs, Platform("linux", ARCHITECTURES.get(platform.machine(), platform.machine())), this_boot()
    )
    owners = KeepOwners() if os.geteuid() == 0 else OneOwner()
    lease = blobs.leases.lease()

    def image(manifest: bytes) -> Unpacked:
        detail = images.show(f"sha256:{manifest.hex()}")
        return Unpacked(str(images.root(detail.image, owners, lease).files), detail.config.run)

    key = ed25519.SigningKey(seed)

    def headers(verb: str, path: str) -> dict[str, str]:
        return {"Authorization": authorization(settings.cluster, verb, path, b"", now_ms(), key)}

    author = Author(chain_id, settings.cluster, settings.node, key.public_key)
    receipts = ReceiptLog(folder / "receipts", Disk(), random_bytes, author, key.sign)
    await asyncio.to_thread(join, engine, images)
    receipts.check_pinned((await asyncio.to_thread(chain.share)).share.pinned)
    loop = AgentLoop(Agent(settings.cluster, settings.cpu_millicores, settings.memory_kib), engine.driver, chain)
    records = Records(receipts, driver_name(engine.works.engine), lambda: loop.height)

    async def executed(name: str, asker: Asker, command: tuple[str, ...]) -> None:
        found = loop.about(name)
        if found is not None:
            await records.executed(now_ms(), found[0], found[1], asker.account, command)

    content = Content(blobs, chain.agents, headers)
    materials = Materials(content, image, folder / "volumes")
    loop.deeds = Deeds(settings.cluster, settings.node, engine.driver, chain, materials, records, loop.tell)
    port = AgentPort(settings.cluster, engine.driver, blobs, settled, executed)
    server = EmbeddedServer(
        uvicorn.Config(
            port.application(),
            host=settings.host,
            port=settings.port,
            log_config=None,
            lifespan="off",
            access_log=False,
        )
    )
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    serving = asyncio.create_task(server.serve())
    await server.began.wait()
    work = asyncio.create_task(loop.run())
    ready(f"http://{settings.host}:{settings.port}", engine)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((stopping, work, serving), return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    for task in (work, stopping):
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work
    await serving
    receipts.close()
    await engine.link.close()
    os.close(lock)
    return "asked to stop" if stop.is_set() else "its port closed"
