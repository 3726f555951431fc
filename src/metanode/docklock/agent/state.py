"""What the agent remembers of each assignment."""

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from metanode.docklock.cluster.state import Assignment
from metanode.records.workload import WorkloadSpec

BACKOFF_MS_MAX: Final = 300_000
"""Longest wait before a container is started again: five minutes."""
FETCH_AGAIN_MS: Final = 2_000
"""What could not be fetched is asked for again after this."""
NEVER: Final = 1 << 62
"""A time that does not come."""

TaskPhase: TypeAlias = Literal["fetching", "waiting", "starting", "running", "stopping", "ended", "removing", "resting"]
"""A specification is on its way; no room yet; about to run; runs; about to end; has ended; nothing of it shall be left;
to be started again later."""


def name_of(cluster: str, one: Assignment) -> str:
    """What a container is called: cluster, workload, index, attempt."""
    return f"{cluster}.{one.workload}.{one.index}.{one.attempt}"


@dataclass(slots=True)
class Task:
    """One assignment under way. `found`: an earlier agent's container, running (-1) or ended with this code.

    `told`: the state that the chain knows, or will by the report under way. `bad`: failed looks in a row. `starts`:
    when it was started, within the window of its restart rule. `last`: what is said once nothing of it is left.
    `overtaken`: its end was heard before the word that it runs, which is still to come.
    """

    name: str
    assignment: Assignment
    phase: TaskPhase = "fetching"
    spec: WorkloadSpec | None = None
    found: int | None = None
    told: tuple[str, int] = ("", 0)
    bad: int = 0
    well: bool = False
    looking: bool = False
    began_ms: int = 0
    next_ms: int = NEVER
    starts: list[int] = field(default_factory=list)
    again: int = 0
    last: tuple[str, int] = ("", 0)
    overtaken: bool = False

    @property
    def takes_room(self) -> bool:
        """Whether something of it runs or is about to."""
        return self.phase in ("starting", "running", "stopping", "ended", "removing")
