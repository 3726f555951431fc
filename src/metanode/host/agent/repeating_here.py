"""A deterministic job run again on the caller's own machine: no node is asked for more than content by its digest."""

import asyncio
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from metanode.docklock.cluster.state import Assignment
from metanode.docklock.images.digests import Digest
from metanode.docklock.images.platforms import platform_of_machine
from metanode.host.agent.content import Content
from metanode.host.agent.engines import Engine, end_containers, open_engine
from metanode.host.agent.images import NodeImages
from metanode.host.agent.repeat_pages import original_of
from metanode.host.agent.repeating import Means, Original, Repeating
from metanode.host.agent.witnessed import Witnesses
from metanode.host.blobs import BlobStore
from metanode.host.disk import Disk
from metanode.host.entropy import random_bytes
from metanode.host.images.roots import this_boot
from metanode.host.images.store import ImageStore
from metanode.host.runtimes.driver import EventKind
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.primitives import ed25519
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.agent_request import authorization
from metanode.records.determinism import ENGINE, DeterminismRefusal
from metanode.records.workload import SPEC_BYTES_MAX, WORKLOAD_SPECS, Terms
from metanode.records.workload_receipt import DetailValue, SignedEntry

HERE: Final = "here"
"""What this machine is called beside nodes."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The terms are those of the specification that the receipt names by its digest."""

    content: Content
    blobs: BlobStore
    spec: bytes

    def terms(self, workload: str, revision: int) -> Terms:  # noqa: ARG002 - the protocol's
        """Of the specification. Raises `Rejected`."""
        digest = Digest(self.spec.hex())
        if not self.content.have(digest, SPEC_BYTES_MAX):
            raise Rejected(DeterminismRefusal.MISSING, f"no agent has the specification {self.spec.hex()[:16]}…")
        return WORKLOAD_SPECS.decode(self.blobs.read(digest, SPEC_BYTES_MAX)).terms


class _Unwritten:
    """Nobody signs what is only looked at here."""

    async def write(
        self, step: str, one: Assignment | None, image: bytes, told: dict[str, DetailValue], code: str = ""
    ) -> object:
        """Nothing."""


def replay_here(signed: SignedEntry, cluster: str, peers: tuple[str, ...], key: ed25519.SigningKey) -> dict[str, Any]:
    """DET-11. Run the job of a receipt again on this machine, in a folder that is gone afterwards. Raises `Rejected`,
    also where this machine has no cage, and `Fault`."""
    first = original_of(encode(signed), cluster)
    with tempfile.TemporaryDirectory(prefix="bpi-replay-") as name:
        folder = Path(name)
        try:
            return asyncio.run(_again(first, signed, folder, peers, _headers(cluster, key)))
        finally:
            end_containers(folder)


def _headers(cluster: str, key: ed25519.SigningKey) -> Callable[[str, str], dict[str, str]]:
    """Signs a request for content."""

    def headers(verb: str, path: str) -> dict[str, str]:
        now_ms = time.time_ns() // 1_000_000
        return {"Authorization": authorization(cluster, verb, path, b"", now_ms, key)}

    return headers


async def _again(
    first: Original,
    signed: SignedEntry,
    folder: Path,
    peers: tuple[str, ...],
    headers: Callable[[str, str], dict[str, str]],
) -> dict[str, Any]:
    """An agent of one job."""
    engine: Engine = await open_engine(folder, ENGINE)
    if engine.works.cage:
        await engine.driver.close()
        raise Rejected(RuntimeRefusal.NO_CAGE, engine.works.cage)
    blobs = BlobStore(folder / "content", Disk(), random_bytes)
    content = Content(blobs, lambda: peers, headers)
    pictures = NodeImages(ImageStore(blobs, platform_of_machine(platform.machine()), this_boot()), content)
    entry = signed.entry
    witnesses = Witnesses(entry.chain_id, entry.cluster, blobs, content, "")
    means = Means(engine.driver, content, blobs, pictures.unpacked, folder / "volumes")
    known = _Known(content, blobs, entry.spec)
    repeating = Repeating(entry.cluster, means, witnesses, known, _Unwritten())

    async def watch() -> None:
        async for event in engine.driver.events():
            if event.kind is EventKind.EXITED and event.state is not None:
                await witnesses.took(event.state)

    watching = asyncio.create_task(watch())
    try:
        return (await repeating.again(first)).message()
    finally:
        watching.cancel()
        await engine.driver.close()
