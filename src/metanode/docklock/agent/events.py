"""What the agent hears, and what it asks for: two closed unions."""

from dataclasses import dataclass
from typing import TypeAlias

from metanode.docklock.cluster.state import Assignment, Duty
from metanode.records.cluster import ReplicaReport, Sighting
from metanode.records.workload import HealthCheck, WorkloadSpec

# --- heard ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Desired:
    """A proved share of the state: all that this node is to do at a height. `timeout_ms`: how long it may be silent;
    `duties`: what it is to look at elsewhere."""

    now_ms: int
    height: int
    assignments: tuple[Assignment, ...]
    timeout_ms: int
    duties: tuple[Duty, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """The containers that a restarted agent finds: names, whether each runs, the exit code of one that does not."""

    now_ms: int
    containers: tuple[tuple[str, bool, int], ...]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A specification is here, checked against its digest and the terms on chain, its image unpacked; or `code` says
    why not (empty: it is here). `final`: trying again would not help."""

    now_ms: int
    name: str
    spec: WorkloadSpec | None
    code: str
    final: bool


@dataclass(frozen=True, slots=True)
class Ran:
    """A container runs, or could not be started (`code` not empty)."""

    now_ms: int
    name: str
    code: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A container has ended: exit code 0 … 255 (128 + signal where a signal ended it), whether memory ran out."""

    now_ms: int
    name: str
    code: int
    out_of_memory: bool


@dataclass(frozen=True, slots=True)
class Vanished:
    """The runtime was lost and began anew: of all containers only these are left."""

    now_ms: int
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    """Nothing of a container is left."""

    now_ms: int
    name: str


@dataclass(frozen=True, slots=True)
class Probed:
    """What one look at a container found."""

    now_ms: int
    name: str
    well: bool


@dataclass(frozen=True, slots=True)
class Inspected:
    """What one look at another node's replica found, and the digest of what that node signed about it."""

    now_ms: int
    duty: Duty
    sight: str
    statement: bytes


@dataclass(frozen=True, slots=True)
class Reported:
    """What became of the report under way: it is final, or it has to be said again."""

    now_ms: int
    final: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""

    now_ms: int


Heard: TypeAlias = Desired | Found | Fetched | Ran | Ended | Vanished | Removed | Probed | Inspected | Reported | Tick

# --- asked for ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fetch:
    """Get the specification of an assignment and its image, and check both."""

    name: str
    assignment: Assignment


@dataclass(frozen=True, slots=True)
class Run:
    """Create a container by a specification and start it. `again`: how often it was started before."""

    name: str
    assignment: Assignment
    spec: WorkloadSpec
    again: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Ask a container to end, and end it after the grace; an `Ended` follows."""

    name: str
    grace_ms: int


@dataclass(frozen=True, slots=True)
class Remove:
    """Leave nothing of a container that has ended; a `Removed` follows."""

    name: str


@dataclass(frozen=True, slots=True)
class Probe:
    """Look once whether a container is well; a `Probed` follows."""

    name: str
    check: HealthCheck


@dataclass(frozen=True, slots=True)
class Record:
    """Something happened that is worth a receipt: the step, the assignment and its image, an exit code or a refusal's
    code, and why it happened, where the step says so. No assignment: it is of an earlier agent, which has written down
    what it was."""

    now_ms: int
    step: str
    name: str
    assignment: Assignment | None
    image: bytes
    code: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Inspect:
    """Look once at another node's replica; an `Inspected` follows."""

    duty: Duty


@dataclass(frozen=True, slots=True)
class Report:
    """Tell the chain that the node lives, what has changed, and what it saw elsewhere; a `Reported` follows."""

    replicas: tuple[ReplicaReport, ...]
    sightings: tuple[Sighting, ...] = ()


@dataclass(frozen=True, slots=True)
class Wake:
    """A `Tick` is due at this time, at the latest."""

    at_ms: int


Effect: TypeAlias = Fetch | Run | Stop | Remove | Probe | Inspect | Record | Report | Wake
