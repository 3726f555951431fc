"""An agent's folder: its settings and its key, as files."""

import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final

import msgspec

from metanode.api.exits import ExitStatus
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.files import read_text
from metanode.host.agent.receipt_log import RECEIPTS_BYTES_MIN, RECEIPTS_BYTES_USUAL
from metanode.host.disk import Disk, write_durably
from metanode.host.entropy import random_bytes
from metanode.host.keys import create_account
from metanode.primitives import ed25519
from metanode.records.address import address_of_key

FILE: Final = "agent.toml"
"""In the agent's folder."""
ACCOUNT: Final = "node"
"""The name of the node's account in its own keys folder."""
KEYS: Final = "keys"
"""Folder of the node's account key, in the agent's folder."""


class AgentFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`chain`: URLs of chain nodes, the first is asked first. `listen`: where people and other agents reach this one;
    `advertise` what they dial, if it is another. `cpu_millicores`, `memory_kib`: what may be placed here. `engine`:
    sandbox, crun, runc, docker, podman or kubernetes; empty for the first that works; `engine_socket`: of docker or
    podman, where it is not the usual one; `engine_options`: of kubernetes (KUBE-1). `receipts_bytes_max`: of
    receipts that are kept (WREC-22). `mesh`: where it listens for other agents, by default beside `listen`;
    `mesh_advertise` what they dial."""

    cluster: str
    node: str
    chain: tuple[str, ...]
    listen: str
    cpu_millicores: int
    memory_kib: int
    advertise: str = ""
    engine: str = ""
    engine_socket: str = ""
    engine_options: tuple[str, ...] = ()
    mesh: str = ""
    mesh_advertise: str = ""
    genesis: str = "genesis.toml"
    password_file: str = ""
    receipts_bytes_max: Annotated[int, msgspec.Meta(ge=RECEIPTS_BYTES_MIN)] = RECEIPTS_BYTES_USUAL

    @property
    def endpoint(self) -> str:
        """What others dial."""
        return self.advertise or self.listen


def load_agent_file(folder: Path) -> AgentFile:
    """The settings of an agent's folder. Raises `Failure` naming the key."""
    path = folder / FILE
    try:
        return msgspec.convert(tomllib.loads(read_text(str(path))), AgentFile)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Failure(
            CliRefusal.CONFIGURATION, ExitStatus.CONFIGURATION, f"{path}: {error}", fix=f"correct {path}"
        ) from None


def agent_text(file: AgentFile) -> str:
    """The same as TOML."""
    lines = []
    for name in file.__struct_fields__:
        value = getattr(file, name)
        match value:
            case str():
                lines.append(f'{name} = "{value}"')
            case tuple():
                lines.append(f"{name} = [" + ", ".join(f'"{one}"' for one in value) + "]")
            case _:
                lines.append(f"{name} = {value}")
    return "\n".join(lines) + "\n"


def make_agent(folder: Path, file: AgentFile, genesis: str, password: str, *, development: bool) -> bytes:
    """Write an agent's folder: settings, genesis, the key of the node's account. Returns its address."""
    disk = Disk()
    disk.make_folder(folder)
    seed = ed25519_seed(file.node, development=development)
    create_account(folder / KEYS, ACCOUNT, seed, password, random_bytes, disk, is_development=development)
    write_durably(disk, folder / file.genesis, genesis.encode())
    write_durably(disk, folder / FILE, agent_text(file).encode())
    return bytes(address_of_key(ed25519.public_key(seed)))


def ed25519_seed(node: str, *, development: bool) -> bytes:
    """A fresh seed; in development one that everybody can make from the node's name."""
    return sha256(b"development agent " + node.encode()).digest() if development else random_bytes(32)
