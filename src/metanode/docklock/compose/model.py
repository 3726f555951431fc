"""The documented subset as values: what a file says, checked key by key, before it becomes specifications."""

from typing import Final

import msgspec

from metanode.docklock.compose.nodes import Spot
from metanode.records.demand import Constraint, Spread, Toleration
from metanode.records.determinism import InputFile
from metanode.records.workload import (
    BALANCES,
    Dependency,
    HealthCheck,
    Job,
    Mount,
    Port,
    Restart,
    SecretFile,
    Temporary,
    Update,
    Variable,
)

HOST_IMAGE: Final = "metanode.host/usr"
"""COMPOSE-7. Name of the image that is no image: the node's own /usr, read-only."""
DEFAULT_NETWORK: Final = "default"
"""The network of services that name none, as in Compose."""


class Image(msgspec.Struct, frozen=True):
    """A reference as it was written, with the digest it pins (32 bytes, or empty) and its tag."""

    reference: str
    digest: bytes
    tag: str

    @property
    def is_host(self) -> bool:
        """Whether it is the node's own /usr."""
        return self.reference == HOST_IMAGE


class Resources(msgspec.Struct, frozen=True):
    """What a replica gets; nothing where the file does not say."""

    cpu_millicores: int | None = None
    memory_kib: int | None = None
    pids_max: int | None = None


class Deploy(msgspec.Struct, frozen=True):
    """COMPOSE-8. The key `deploy`, and those outside it that say the same."""

    replicas: int
    is_job: bool
    resources: Resources
    constraints: tuple[Constraint, ...]
    architecture: str
    spread: tuple[Spread, ...]
    node_max: int
    update: Update
    restart: Restart | None


class Settings(msgspec.Struct, frozen=True):
    """COMPOSE-10. The key `x-metanode` of a service, those of the whole file taken in."""

    agreement: bytes
    data_class: str
    regions: tuple[str, ...]
    engines: tuple[str, ...]
    strategy: str
    priority: int = 0
    preempts: bool = False
    deterministic: bool = False
    inputs: tuple[InputFile, ...] = ()
    outputs: tuple[str, ...] = ()
    job: Job | None = None
    architecture: str = ""
    constraints: tuple[Constraint, ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    affinity: tuple[str, ...] = ()
    anti_affinity: tuple[str, ...] = ()
    spread: tuple[Spread, ...] = ()
    egress: tuple[str, ...] = ()
    balance: str = BALANCES[0]


class Process(msgspec.Struct, frozen=True):
    """What runs in a container, and as whom. `entrypoint`, `command`: nothing where the image decides."""

    entrypoint: tuple[str, ...] | None
    command: tuple[str, ...] | None
    environment: tuple[Variable, ...]
    working_directory: str
    user: str
    hostname: str
    capabilities: tuple[str, ...]
    stop_signal: str
    stop_grace_ms: int
    log_bytes_max: int
    log_files_max: int
    health: HealthCheck | None


class Files(msgspec.Struct, frozen=True):
    """What a container has beside its image."""

    read_only: bool
    temporary: tuple[Temporary, ...]
    mounts: tuple[Mount, ...]
    secrets: tuple[SecretFile, ...]


class ServiceText(msgspec.Struct, frozen=True):
    """One service of a file; `keys` are the places of what was written."""

    name: str
    spot: Spot
    keys: dict[str, Spot]
    image: Image
    process: Process
    files: Files
    ports: tuple[Port, ...]
    networks: tuple[str, ...]
    dependencies: tuple[Dependency, ...]
    deploy: Deploy
    settings: Settings

    def at(self, key: str) -> Spot:
        """The place of a key, or of the service where it is not written."""
        return self.keys.get(key, self.spot)


class SecretSource(msgspec.Struct, frozen=True):
    """COMPOSE-9. A secret that the file names: the cluster has it already (`external`), or whoever runs the command
    creates it from a file or a variable. The secret itself is never part of a specification."""

    name: str
    kind: str
    where: str


class Declared(msgspec.Struct, frozen=True):
    """What the top level declares, by the names that services use: the real names."""

    volumes: dict[str, str]
    networks: dict[str, str]
    secrets: dict[str, SecretSource]


class ComposeText(msgspec.Struct, frozen=True):
    """A whole file."""

    name: str
    cluster: str
    declared: Declared
    services: tuple[ServiceText, ...]

    @property
    def waits(self) -> dict[str, tuple[str, ...]]:
        """Who waits for whom."""
        return {one.name: tuple(other.workload for other in one.dependencies) for one in self.services}
