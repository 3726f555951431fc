"""An agent's folder: its settings and its key, as files."""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from metanode.api.exits import ExitStatus
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.files import read_text

FILE: Final = "agent.toml"
"""In the agent's folder."""
ACCOUNT: Final = "node"
"""The name of the node's account in its own keys folder."""
SHARE_OF_MACHINE: Final = 4
"""In a development network each of so many agents offers its part of this machine."""


class AgentFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`chain`: URLs of chain nodes, the first is asked first. `listen`: where people and other agents reach this one;
    `advertise` what they dial, if it is another. `cpu_millicores`, `memory_kib`: what may be placed here. `engine`:
    sandbox, crun or runc; empty for the first that works."""

    cluster: str
    node: str
    chain: tuple[str, ...]
    listen: str
    cpu_millicores: int
    memory_kib: int
    advertise: str = ""
    engine: str = ""
    genesis: str = "genesis.toml"
    password_file: str = ""

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


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine has."""

    cpu_millicores: int
    memory_kib: int
    architecture: str
    kernel: str


def this_machine() -> Machine:
    """Cores, memory, type and kernel of the machine this runs on."""
    name = os.uname()
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return Machine(len(os.sched_getaffinity(0)) * 1_000, pages * size // 1_024, name.machine, name.release[:64])
