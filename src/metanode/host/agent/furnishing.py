"""What a container has beside its image, put in place before it is made: volumes that the chain knows of, secrets."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace
from starlette.routing import Route

from metanode.docklock.cluster.state import Assignment
from metanode.host.agent.chain import ChainPort
from metanode.host.agent.content import Content
from metanode.host.agent.holdings import Holdings
from metanode.host.agent.records import Records
from metanode.host.agent.refusing import Refusals
from metanode.host.agent.secret_pages import Asking, SecretPages
from metanode.host.agent.secret_store import SecretStore
from metanode.host.agent.secrets import Here, NodeSecrets, Peers, opening_keys
from metanode.host.agent.volume_pages import VolumePages
from metanode.host.agent.volumes import NodeVolumes
from metanode.host.disk import Disk
from metanode.host.runtimes.driver import Driver
from metanode.host.runtimes.plan import Secret
from metanode.records.cluster import IMAGES_SHOWN_MAX, Inventory
from metanode.records.workload import WorkloadSpec

SECRETS: Final = "secrets"
"""Folder of the secrets that are sealed to this node, in the agent's folder."""


@dataclass(frozen=True, slots=True)
class Furnishing:
    """`holdings`: tells the chain what this node has."""

    volumes: NodeVolumes
    secrets: NodeSecrets
    holdings: Holdings

    async def gather(self, name: str, one: Assignment, spec: WorkloadSpec, *, runs: bool) -> bool:
        """Whether all is here that is not made here. `runs`: the container is there already, and is only adopted.
        Raises `Rejected`, `ChainUnreachable`."""
        self.volumes.use(name, spec.terms.demand.volumes)
        return runs or await self.secrets.gather(one, spec)

    async def furnish(self, one: Assignment, spec: WorkloadSpec) -> tuple[Secret, ...]:
        """VOLUME-2, SECRET-9. Make volumes, and tell the chain before anything is written to a new one; release the
        secrets, and write that down. Raises `Rejected`, `OSError`."""
        if self.volumes.make(spec.terms.demand.volumes):
            await self.holdings.tell()
        return await self.secrets.release(one, spec)

    def pages(self, driver: Driver, random: Callable[[int], bytes]) -> Callable[[Asking], list[Route]]:
        """The pages of the port about all this."""
        secrets, volumes = SecretPages(self.secrets, random), VolumePages(self.volumes, driver)
        return lambda asking: [*secrets.routes(asking), *volumes.routes(asking)]

    def leave(self, name: str) -> None:
        """Nothing is left of a container."""
        self.volumes.leave(name)


@dataclass(frozen=True, slots=True)
class Opening:
    """What an agent opens it with: its folder and seed, what it told the chain (`has`), and what it has of images now.
    `headers` signs a request with its body."""

    folder: Path
    seed: bytes
    chain_id: bytes
    cluster: str
    node: str
    has: Inventory
    images: Callable[[], tuple[bytes, ...]]
    headers: Callable[[str, str, bytes], dict[str, str]]

    def open(
        self, chain: ChainPort, content: Content, volumes: NodeVolumes, records: Records, refusals: Refusals
    ) -> Furnishing:
        """All of it. Raises `Fault` where the disk fails."""
        here = Here(self.chain_id, self.cluster, self.node, opening_keys(self.seed))

        def spec(one: Assignment) -> WorkloadSpec | None:
            return content.spec(one.spec, chain.terms(one.workload, one.revision))

        def now() -> Inventory:
            images = tuple(sorted(self.images()))[:IMAGES_SHOWN_MAX]
            return replace(self.has, images=images, volumes=volumes.names())

        store = SecretStore(self.folder / SECRETS, Disk())
        secrets = NodeSecrets(here, store, chain, Peers(chain.agents, self.headers), spec, records, refusals)
        return Furnishing(volumes, secrets, Holdings(chain, self.cluster, self.node, now, self.has))
