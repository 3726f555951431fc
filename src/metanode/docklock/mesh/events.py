"""What the mesh of a node hears, and what it asks for: two closed unions."""

from dataclasses import dataclass
from typing import TypeAlias

from metanode.docklock.mesh.dns import Code
from metanode.docklock.mesh.frames import Opening
from metanode.docklock.mesh.refusals import MeshRefusal
from metanode.docklock.mesh.services import Container, Node, Served

# --- heard ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Learned:
    """What a chain node tells of the services of the cluster at a height."""

    now_ms: int
    height: int
    services: tuple[Served, ...]


@dataclass(frozen=True, slots=True)
class Members:
    """The other nodes of the cluster, as proved."""

    now_ms: int
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Began:
    """A container of this node runs, and the agent has a foot in it."""

    now_ms: int
    container: Container


@dataclass(frozen=True, slots=True)
class Gone:
    """It does not any more."""

    now_ms: int
    name: str


@dataclass(frozen=True, slots=True)
class Named:
    """A container asks for a name, in lower case. Answered by `Resolved` with the same token."""

    now_ms: int
    token: int
    container: str
    name: str


@dataclass(frozen=True, slots=True)
class Called:
    """A container connects to an address of the mesh."""

    now_ms: int
    flow: int
    container: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Requested:
    """An operator calls a service by name; `header` and `body` are the signed request. Port 0: the first one."""

    now_ms: int
    flow: int
    service: str
    port: int
    header: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Entered:
    """Somebody connects to a published port: it leads to a container of this node."""

    now_ms: int
    flow: int
    container: str
    port: int


@dataclass(frozen=True, slots=True)
class Asked:
    """The agent of a node (by its key) asks for a flow to a container here."""

    now_ms: int
    flow: int
    key: bytes
    opening: Opening


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether the caller may be believed (`code` empty), and the networks of its workload by the terms on chain;
    `operator`: it is no workload, and needs none."""

    now_ms: int
    flow: int
    code: str
    networks: tuple[str, ...]
    operator: bool


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection was made, or not: `code` says why."""

    now_ms: int
    flow: int
    code: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The agent that was asked accepts (`code` empty) or refuses."""

    now_ms: int
    flow: int
    code: str


@dataclass(frozen=True, slots=True)
class Fell:
    """The session with a node ended, or could not be made. `again`: another one takes its place just now."""

    now_ms: int
    key: bytes
    again: bool


@dataclass(frozen=True, slots=True)
class Over:
    """A flow has ended: bytes to the service and from it."""

    now_ms: int
    flow: int
    sent: int
    received: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""

    now_ms: int


Event: TypeAlias = (
    Learned
    | Members
    | Began
    | Gone
    | Named
    | Called
    | Requested
    | Entered
    | Asked
    | Checked
    | Connected
    | Answered
    | Fell
    | Over
    | Tick
)

# --- asked for ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Resolved:
    """The answer to a `Named`: a code, and the address where there is one."""

    token: int
    code: Code
    address: str


@dataclass(frozen=True, slots=True)
class Allow:
    """These are the other nodes; sessions with others end."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect to a port in a container of this node; a `Connected` follows."""

    flow: int
    container: str
    port: int


@dataclass(frozen=True, slots=True)
class Reach:
    """Connect to a destination outside; a `Connected` follows."""

    flow: int
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the agent of a node for a flow; an `Answered` or a `Fell` follows."""

    flow: int
    node: Node
    opening: Opening


@dataclass(frozen=True, slots=True)
class Check:
    """Find out whether the caller is who a node says; a `Checked` follows."""

    flow: int
    node: Node
    opening: Opening


@dataclass(frozen=True, slots=True)
class Abandon:
    """What was tried last for a flow is too late: its answer is not waited for."""

    flow: int


@dataclass(frozen=True, slots=True)
class Join:
    """Both ends are there: carry. An `Over` follows."""

    flow: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """There is no flow: reset who calls, or say it to the agent that asked. Nothing follows."""

    flow: int
    code: MeshRefusal
    detail: str


@dataclass(frozen=True, slots=True)
class WriteDown:
    """MESH-3. A container wanted what it may not: the rule, and the smallest change that would allow it."""

    now_ms: int
    container: str
    target: str
    code: MeshRefusal
    rule: str
    fix: str


Effect: TypeAlias = Resolved | Allow | Connect | Reach | Ask | Check | Abandon | Join | Refuse | WriteDown
