"""Images on their way between this machine and the agents of a cluster: a store of our own in between, everything
checked by its digest at each end."""

import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.clusters import chosen_cluster
from metanode.cli.bpi.keys import Names
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.running import agents_of
from metanode.cli.bpi.trust import local_genesis
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session
from metanode.client import ClientError
from metanode.client.agent import AgentClient
from metanode.client.agent_images import AgentImages
from metanode.docklock.images.digests import Digest, parse_digest
from metanode.docklock.images.manifests import Descriptor
from metanode.docklock.images.platforms import platform_of_machine
from metanode.docklock.images.references import parse_reference
from metanode.host.blobs import BlobStore
from metanode.host.disk import Disk
from metanode.host.entropy import random_bytes
from metanode.host.images.catalogue import Image
from metanode.host.images.gather import Nowhere
from metanode.host.images.roots import this_boot
from metanode.host.images.store import ImageStore

PIECE_BYTES: Final = 1 << 20
"""One piece of content on its way to an agent."""
PART_BYTES_MAX: Final = 16 << 30
"""Largest part that is fetched: IMG-2."""


def agents_asked(session: Session, named: str, account: str) -> tuple[str, dict[str, AgentClient]]:
    """The cluster, and its agents that are heard, by node, to be asked by an account. Raises `Failure`."""
    with connect(session) as client:
        cluster = chosen_cluster(client, named)
        key = Names(session, local_genesis(session), client).signer(account).key
        found = {node: AgentClient(api, cluster, key) for node, api in agents_of(client, cluster).items()}
    if not found:
        message = f"the cluster {cluster} has no node that answers"
        raise Failure(CliRefusal.NOT_READY, ExitStatus.RUNTIME, message, fix="bpi node list")
    return cluster, found


@dataclass(frozen=True, slots=True)
class Held:
    """An image as the agents tell of it: one row, the nodes that have it, the nodes that did not answer."""

    row: dict[str, Any]
    nodes: tuple[str, ...]

    @property
    def digest(self) -> Digest:
        """By which it is placed."""
        return parse_digest(self.row["digest"])


def every_image(agents: dict[str, AgentClient]) -> tuple[dict[str, Held], list[str]]:
    """The images of all agents by digest, their names together; and the nodes that did not answer."""
    rows: dict[str, tuple[dict[str, Any], list[str]]] = {}
    silent = []
    for node, agent in agents.items():
        try:
            told = AgentImages(agent).list()
        except ClientError:
            silent.append(node)
            continue
        for row in told:
            kept, nodes = rows.setdefault(row["digest"], (dict(row), []))
            kept["names"] = sorted({*kept["names"], *row["names"]})
            nodes.append(node)
    return {digest: Held(*rows[digest][:1], tuple(rows[digest][1])) for digest in sorted(rows)}, silent


def find_image(agents: dict[str, AgentClient], text: str) -> Held:
    """IMG-6. The image of a name, a digest or the beginning of one. Raises `Failure`, `Rejected`."""
    images, silent = every_image(agents)
    plain = text.removeprefix("sha256:")
    named = [one for one in images.values() if _is_meant(one, text, plain)]
    if len(named) == 1:
        return named[0]
    if named:
        several = ", ".join(str(one.digest)[:19] for one in named[:4])
        raise Failure(
            CliRefusal.NOTHING_THERE, ExitStatus.USAGE, f"{text} may be any of {several}", fix="write more of it"
        )
    away = f"; not heard: {', '.join(silent)}" if silent else ""
    raise Failure(
        CliRefusal.NOTHING_THERE,
        ExitStatus.NOT_FOUND,
        f"no agent has an image {text}{away}",
        fix="bpi container images list",
    )


class Tags:
    """COMPOSE-7. What the agents of a cluster call by a name; they are asked once, and only where a file has tags."""

    def __init__(self, session: Session, cluster: str, account: str) -> None:
        self._session = session
        self._cluster = cluster
        self._account = account
        self._known: dict[str, bytes] | None = None

    def digest(self, reference: str) -> bytes | None:
        """The digest of a reference with a tag; nothing where no agent has it, or two have different ones."""
        if self._known is None:
            _, agents = agents_asked(self._session, self._cluster, self._account)
            images, _ = every_image(agents)
            names = [(name, held.digest.raw) for held in images.values() for name in held.row["names"]]
            self._known = {name: raw for name, raw in names if [one for one, _ in names].count(name) == 1}
        return self._known.get(parse_reference(reference).alias)


def _is_meant(one: Held, text: str, plain: str) -> bool:
    if plain and all(letter in "0123456789abcdef" for letter in plain) and len(plain) >= 6:
        return one.digest.hex.startswith(plain) or one.row["manifest"][7:].startswith(plain)
    if text.startswith("sha256:"):
        return False
    reference = parse_reference(text)
    if reference.digest is not None:
        return str(reference.digest) in (one.row["digest"], one.row["manifest"])
    return reference.alias in one.row["names"]


@contextmanager
def scratch_store() -> Iterator[ImageStore]:
    """A store of images that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bpi-image-") as folder:
        blobs = BlobStore(Path(folder), Disk(), random_bytes)
        yield ImageStore(blobs, platform_of_machine(platform.machine()), this_boot())


def hand_image(images: ImageStore, image: Image, agents: dict[str, AgentClient]) -> list[str]:
    """Put what each agent lacks of an image, and let it be entered there; the nodes that have it now."""
    nodes = []
    for node, agent in agents.items():
        for part in image.parts:
            if not agent.has(str(part)):
                agent.put_file(str(part), images.blobs.size(part), _pieces(images.blobs, part))
        AgentImages(agent).add(str(image.digest), image.top.media_type, image.top.size, image.names)
        nodes.append(node)
    return nodes


def fetch_image(images: ImageStore, held: Held, agents: dict[str, AgentClient]) -> Image:
    """An image from the first agent that has it into a store of ours, every part compared with its digest."""
    agent = agents[held.nodes[0]]
    for text in held.row["parts"]:
        digest = parse_digest(text)
        if not images.blobs.has(digest):
            images.blobs.put(agent.fetch(text), PART_BYTES_MAX, digest)
    top = Descriptor(held.row["media_type"], held.digest, held.row["size"])
    with images.blobs.leases.lease() as lease:
        return images.add(top, Nowhere(), tuple(held.row["names"]), lease)


def _pieces(blobs: BlobStore, part: Digest) -> Iterator[bytes]:
    with blobs.open(part) as file:
        while piece := file.read(PIECE_BYTES):
            yield piece
