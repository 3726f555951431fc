"""An agent's machine under a clock of our own, with assignments and specifications that are easily made."""

from typing import Any

from msgspec.structs import replace
from tests.unit.docklock.cluster.town import terms

from metanode.docklock.agent import Agent
from metanode.docklock.agent.events import (
    Desired,
    Effect,
    Ended,
    Fetched,
    Heard,
    Probed,
    Ran,
    Record,
    Removed,
    Report,
    Reported,
    Wake,
)
from metanode.docklock.cluster.state import Assignment
from metanode.records.workload import HealthCheck, Restart, WorkloadSpec

TIMEOUT_MS = 4_000
RESTART = Restart(condition="always", attempts_max=0, delay_ms=1_000, window_ms=0)
CHECK = HealthCheck(
    probe="tcp", command=(), port=80, path="", interval_ms=1_000, timeout_ms=500, retries=2, start_period_ms=3_000
)
SPEC = WorkloadSpec(
    terms=terms(),
    image="metanode.host/usr",
    command=("/usr/bin/true",),
    arguments=(),
    environment=(),
    working_directory="",
    user="",
    hostname="",
    read_only=True,
    temporary=(),
    capabilities=(),
    mounts=(),
    secrets=(),
    pids_max=64,
    stop_signal="SIGTERM",
    stop_grace_ms=7_000,
    log_bytes_max=65_536,
    log_files_max=2,
    health=(),
    restart=RESTART,
    egress=(),
    agreement=b"",
)


def spec(**changes: Any) -> WorkloadSpec:
    return replace(SPEC, **changes)


def assignment(index: int = 0, attempt: int = 1, *, run: bool = True, **changes: Any) -> Assignment:
    usual = Assignment(
        workload="web",
        index=index,
        attempt=attempt,
        revision=1,
        spec=b"s" * 32,
        terms=b"t" * 32,
        run=run,
        cpu_millicores=500,
        memory_kib=65_536,
        ports=(),
        priority=0,
    )
    return replace(usual, **changes)


def name(index: int = 0, attempt: int = 1) -> str:
    return f"shop.web.{index}.{attempt}"


class Desk:
    """Hands events to the agent of a node with two cores, and keeps what it asks for; reports are final at once unless
    `deaf`. `Wake` is left out of what is returned: `woken` has the latest."""

    def __init__(self, cpu_millicores: int = 2_000) -> None:
        self.agent = Agent("shop", cpu_millicores, 1 << 20)
        self.now_ms = 1_000_000
        self.deaf = False
        self.said: list[tuple[int, str, int]] = []
        self.steps: list[tuple[str, str]] = []
        self.reasons: list[str] = []
        self.woken = 0

    def hears(self, event: Heard) -> list[Effect]:
        asked: list[Effect] = []
        waiting: list[Heard] = [event]
        while waiting:
            for effect in self.agent.handle(waiting.pop(0)):
                match effect:
                    case Wake(at_ms=at_ms):
                        self.woken = at_ms
                    case Record(step=step, code=code, reason=reason):
                        self.steps.append((step, code))
                        self.reasons += [reason] if reason else []
                    case Report(replicas=replicas):
                        self.said += [(one.index, one.state, one.code) for one in replicas]
                        if not self.deaf:
                            waiting.append(Reported(self.now_ms, final=True))
                    case _:
                        asked.append(effect)
        return asked

    def wants(self, *assignments: Assignment) -> list[Effect]:
        return self.hears(Desired(self.now_ms, 1, assignments, TIMEOUT_MS))

    def fetches(self, what: WorkloadSpec = SPEC, of: str = "") -> list[Effect]:
        return self.hears(Fetched(self.now_ms, of or name(), what, "", final=True))

    def runs(self, of: str = "", code: str = "") -> list[Effect]:
        return self.hears(Ran(self.now_ms, of or name(), code))

    def ends(self, code: int = 0, of: str = "", *, out_of_memory: bool = False) -> list[Effect]:
        return self.hears(Ended(self.now_ms, of or name(), code, out_of_memory))

    def removes(self, of: str = "") -> list[Effect]:
        return self.hears(Removed(self.now_ms, of or name()))

    def looks(self, *, well: bool, of: str = "") -> list[Effect]:
        return self.hears(Probed(self.now_ms, of or name(), well))

    def started(
        self, what: WorkloadSpec = SPEC, one: Assignment | None = None, beside: tuple[Assignment, ...] = ()
    ) -> None:
        """A container that runs, beside others that the share names."""
        wanted = one or assignment()
        of = name(wanted.index, wanted.attempt)
        self.wants(*beside, wanted)
        self.fetches(what, of)
        self.runs(of)

    def heard(self) -> list[tuple[int, str, int]]:
        """What the chain was told since it was last asked."""
        said, self.said = self.said, []
        return said
