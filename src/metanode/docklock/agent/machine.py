"""The agent's machine: one share of the state in, what has to be done on this node out."""

from typing import Final, assert_never

from msgspec.structs import replace

from metanode.docklock.agent.events import (
    Desired,
    Effect,
    Ended,
    Fetch,
    Fetched,
    Found,
    Heard,
    Inspected,
    Probe,
    Probed,
    Ran,
    Record,
    Remove,
    Removed,
    Report,
    Reported,
    Run,
    Stop,
    Tick,
    Vanished,
    Wake,
)
from metanode.docklock.agent.inspecting import Prober
from metanode.docklock.agent.rules import exhausted, heartbeat_ms, may_start, restarts, wait_ms
from metanode.docklock.agent.state import FETCH_AGAIN_MS, NEVER, Task, name_of
from metanode.docklock.cluster.state import Assignment
from metanode.records.cluster import REPORTED_MAX, ReplicaReport
from metanode.records.workload import WorkloadSpec

START_FAILED: Final = 125
"""The exit status of a container that could not be started, as elsewhere in the field."""
KILLED: Final = 137
"""The exit status of what was killed, as elsewhere in the field."""
LOST_ENGINE: Final = "its runtime was lost"
OUT_OF_MEMORY: Final = "out of memory"
TOO_SLOW: Final = "it did not end within its grace"
NOT_IN_SHARE: Final = "the share does not name it any more"
"""Why something was killed, or let go of, as its receipt says."""
ORPHAN_GRACE_MS: Final = 10_000
"""How long a container may take to end that is not in the share any more, where its specification is not known."""


class Agent:
    """Reconciles one node's share with what runs here. One door: `handle(event) -> effects`."""

    def __init__(self, cluster: str, cpu_millicores: int, memory_kib: int) -> None:
        self._cluster: Final = cluster
        self._cpu: Final = cpu_millicores
        self._memory: Final = memory_kib
        self._tasks: dict[str, Task] = {}
        self._found: dict[str, int] = {}
        self._leaving: set[str] = set()
        self._over: set[str] = set()
        self._changed: dict[str, ReplicaReport] = {}
        self._under_way: dict[str, ReplicaReport] | None = None
        self._prober: Final = Prober()
        self._now_ms = -NEVER
        self._is_new = False
        self._timeout_ms = 0
        self._said_ms = -NEVER
        self._effects: list[Effect] = []

    def handle(self, event: Heard) -> list[Effect]:
        """One event in, what follows from it out, in order."""
        self._effects = []
        if event.now_ms < self._now_ms:
            self._set_back(self._now_ms - event.now_ms)
        self._now_ms = event.now_ms
        match event:
            case Found():
                self._found = {name: -1 if runs else code for name, runs, code in event.containers}
                self._is_new = True
            case Desired():
                self._desired(event)
            case Fetched():
                self._fetched(event)
            case Ran():
                self._ran(event)
            case Ended():
                self._ended(event)
            case Vanished():
                self._vanished(event)
            case Removed():
                self._removed(event)
            case Probed():
                self._probed(event)
            case Inspected():
                self._prober.heard(event, self._timeout_ms)
            case Reported():
                self._reported(event)
            case Tick():
                pass
            case _:
                assert_never(event)
        self._go_on(event.now_ms)
        return self._effects

    def about(self, name: str) -> tuple[Assignment, bytes] | None:
        """The assignment of a container and the digest of its image, where there is one of this name."""
        task = self._tasks.get(name)
        return (task.assignment, _image(task)) if task is not None else None

    def spec_of(self, name: str) -> WorkloadSpec | None:
        """The specification of a container, where there is one of this name and its specification is here."""
        task = self._tasks.get(name)
        return task.spec if task is not None else None

    def images(self) -> frozenset[bytes] | None:
        """The digests of the images that its containers are made of; `None` while there is one of which it is not known
        yet, or no share was heard of."""
        tasks = self._tasks.values()
        if not self._timeout_ms or any(task.spec is None for task in tasks):
            return None
        return frozenset(_image(task) for task in tasks) - {b""}

    # --- the share --------------------------------------------------------------------------------------------------

    def _desired(self, event: Desired) -> None:
        """AGENT-1. What the share names runs or stops; what it does not name does not run here."""
        self._timeout_ms = event.timeout_ms
        self._prober.follow(event.now_ms, event.duties)
        named = {name_of(self._cluster, one): one for one in event.assignments}
        self._over &= set(named)
        wanted = {name: one for name, one in named.items() if name not in self._over}
        for name, one in wanted.items():
            task = self._tasks.get(name)
            if task is None:
                self._begin(event.now_ms, name, one)
            elif task.assignment.run and not one.run:
                task.assignment = one
                self._stop(task, "stopped", 0)
        for name, task in list(self._tasks.items()):
            if name not in wanted:
                self._changed.pop(name, None)
                if task.assignment.run:
                    self._record(event.now_ms, "moved", task, "", NOT_IN_SHARE)
                task.assignment = replace(task.assignment, run=False)
                self._leaving.add(name)
                self._stop(task, "", 0)
        for name in sorted(set(self._found) - set(wanted)):
            self._clear(event.now_ms, name)
        self._found = {}
        self._is_new = False

    def _begin(self, now_ms: int, name: str, one: Assignment) -> None:
        """AGENT-2. A new assignment: its specification first; a container of it that is here already is adopted.
        AGENT-18: what an agent that was just started does not find may have run under an earlier one; it says so."""
        found = self._found.get(name)
        task = Task(name, one, found=found, began_ms=now_ms)
        self._tasks[name] = task
        if one.run:
            if self._is_new and (found is None or found >= 0):
                self._tell(task, "starting", 0)
            self._effects.append(Fetch(name, one))
        elif found is None:
            self._gone(task, "stopped", 0)
        else:
            task.phase = "running" if found < 0 else "ended"
            self._stop(task, "stopped", 0)

    def _clear(self, now_ms: int, name: str) -> None:
        """AGENT-1. A container that nothing asks for any more: found after a restart, and not in the share."""
        self._effects.append(Record(now_ms, "moved", name, None, b"", "", NOT_IN_SHARE))
        if self._found[name] < 0:
            self._leaving.add(name)
            self._effects.append(Stop(name, ORPHAN_GRACE_MS))
        else:
            self._effects.append(Remove(name))

    # --- a container's life -----------------------------------------------------------------------------------------

    def _fetched(self, event: Fetched) -> None:
        task = self._tasks.get(event.name)
        if task is None or task.phase != "fetching":
            return
        if event.spec is None:
            if event.final:
                self._record(event.now_ms, "refused", task, event.code)
                self._gone(task, "refused", START_FAILED)
            else:
                task.next_ms = event.now_ms + FETCH_AGAIN_MS
            return
        task.spec = event.spec
        self._record(event.now_ms, "verified", task, "")
        if task.found is None:
            task.phase = "waiting"
        elif task.found < 0:
            task.phase = "running"
            self._runs(event.now_ms, task)
        else:
            task.phase = "running"
            self._ended(Ended(event.now_ms, task.name, task.found, out_of_memory=False))

    def _ran(self, event: Ran) -> None:
        task = self._tasks.get(event.name)
        if task is not None and task.overtaken:
            task.overtaken = False
            return
        if task is None or task.phase not in ("starting", "stopping"):
            if not event.code:
                self._leaving.add(event.name)
                self._effects.append(Stop(event.name, 0))
            return
        if task.phase == "stopping":
            self._started_in_vain(task, event.code)
        elif event.code:
            self._record(event.now_ms, "refused", task, event.code)
            task.phase = "ended"
            self._after_end(event.now_ms, task, "failed", START_FAILED)
        else:
            task.phase = "running"
            self._record(event.now_ms, "restarted" if task.again else "started", task, "")
            self._runs(event.now_ms, task)

    def _started_in_vain(self, task: Task, code: str) -> None:
        """AGENT-3. What was to end while it was being started is asked to end now that it runs."""
        if code:
            self._remove(task)
        else:
            self._effects.append(Stop(task.name, task.spec.stop_grace_ms if task.spec is not None else ORPHAN_GRACE_MS))

    def _runs(self, now_ms: int, task: Task) -> None:
        """AGENT-5. What has no health check is well as soon as it runs; the others are looked at."""
        assert task.spec is not None, "what runs by this agent has a specification"
        task.began_ms, task.bad, task.looking = now_ms, 0, False
        task.well = not task.spec.health
        task.next_ms = now_ms + (task.spec.health[0].interval_ms if task.spec.health else NEVER)
        self._tell(task, "ready" if task.well else "started", 0)

    def _ended(self, event: Ended, lost: str = "") -> None:
        """AGENT-6. It ended as asked, or by itself: then its restart rule says whether it is started again."""
        task = self._tasks.get(event.name)
        if task is None:
            if event.name in self._leaving:
                self._leaving.discard(event.name)
                step, why = ("killed", TOO_SLOW) if event.code == KILLED else ("stopped", "")
                self._effects.append(Record(event.now_ms, step, event.name, None, b"", str(event.code), why))
            self._effects.append(Remove(event.name))
            return
        if task.phase in ("waiting", "resting"):
            self._effects.append(Remove(event.name))
        if task.phase not in ("starting", "running", "stopping"):
            return
        by_itself = task.assignment.run and task.phase != "stopping"
        if task.phase == "starting" and not lost:
            task.overtaken = True
            self._record(event.now_ms, "restarted" if task.again else "started", task, "")
        task.phase = "ended"
        why = OUT_OF_MEMORY if event.out_of_memory else lost
        if not by_itself:
            why = why or (TOO_SLOW if _by_force(task, event.code) else "")
            self._record(event.now_ms, "killed" if why else "stopped", task, str(event.code), why)
            self._remove(task)
            return
        self._record(event.now_ms, "killed" if why else "exited", task, str(event.code), why)
        self._after_end(event.now_ms, task, "exited", event.code)

    def _vanished(self, event: Vanished) -> None:
        """AGENT-12. What the runtime took with it has ended as if it had been killed; what was found and is there no
        more is not adopted."""
        self._found = {name: code for name, code in self._found.items() if code >= 0 or name in event.left}
        for task in list(self._tasks.values()):
            if task.phase == "fetching" and task.found == -1 and task.name not in event.left:
                task.found = None
                self._tell(task, "starting", 0)
            if task.phase in ("starting", "running", "stopping") and task.name not in event.left:
                self._ended(Ended(event.now_ms, task.name, KILLED, out_of_memory=False), LOST_ENGINE)

    def _after_end(self, now_ms: int, task: Task, state: str, code: int) -> None:
        if task.spec is not None and restarts(task, code) and not exhausted(task, now_ms):
            task.last = ("", code)
            self._tell(task, "unready", code)
            task.next_ms = now_ms + wait_ms(task)
        else:
            task.last = (state, code)
            task.next_ms = NEVER
        self._remove(task)

    def _remove(self, task: Task) -> None:
        task.phase = "removing"
        self._effects.append(Remove(task.name))

    def _removed(self, event: Removed) -> None:
        task = self._tasks.get(event.name)
        if task is None or task.phase != "removing":
            self._leaving.discard(event.name)
            return
        if task.assignment.run and not task.last[0]:
            task.phase = "resting"
        else:
            self._gone(task, *(task.last if task.last[0] else ("stopped", 0)))

    def _gone(self, task: Task, state: str, code: int) -> None:
        """AGENT-7. Nothing of it is left: only now the chain hears that it ended, for then its room is free. Until the
        share has followed, the attempt is over all the same."""
        del self._tasks[task.name]
        self._over.add(task.name)
        if task.name in self._leaving:
            self._leaving.discard(task.name)
        else:
            self._tell(task, state, code)

    def _stop(self, task: Task, state: str, code: int) -> None:
        """AGENT-3. It is to end: at once where nothing runs yet, by its signal and after its grace by force else."""
        task.last = (state, code)
        match task.phase:
            case "running":
                task.phase = "stopping"
                grace = task.spec.stop_grace_ms if task.spec is not None else ORPHAN_GRACE_MS
                self._effects.append(Stop(task.name, grace))
            case "starting":
                task.phase = "stopping"
            case "fetching" if task.found is not None and task.found < 0:
                task.phase = "stopping"
                self._effects.append(Stop(task.name, ORPHAN_GRACE_MS))
            case "fetching" | "waiting" | "resting" | "ended":
                self._remove(task)
            case _:
                pass

    def _set_back(self, by_ms: int) -> None:
        """AGENT-17. Somebody has set the clock back: all times that were kept go with it, so that nothing that is due
        in a second becomes due in an hour."""
        for task in self._tasks.values():
            task.next_ms -= by_ms if task.next_ms < NEVER else 0
            task.began_ms -= by_ms
            task.starts = [start - by_ms for start in task.starts]
        self._said_ms -= by_ms
        self._prober.set_back(by_ms)

    # --- health -----------------------------------------------------------------------------------------------------

    def _probed(self, event: Probed) -> None:
        """AGENT-5. So many failures in a row make it unwell, one success makes it well; what fails in its first time
        does not count."""
        task = self._tasks.get(event.name)
        if task is None or task.phase != "running" or task.spec is None or not task.spec.health:
            return
        check = task.spec.health[0]
        task.looking = False
        task.next_ms = event.now_ms + check.interval_ms
        if event.well:
            task.bad = 0
            if not task.well:
                task.well = True
                self._record(event.now_ms, "healthy", task, "")
                self._tell(task, "ready", 0)
        elif task.well or event.now_ms - task.began_ms >= check.start_period_ms:
            task.bad += 1
            if task.bad >= check.retries and task.told[0] != "unready":
                task.well = False
                self._record(event.now_ms, "unhealthy", task, "")
                self._tell(task, "unready", 0)

    # --- what is due by time ----------------------------------------------------------------------------------------

    def _go_on(self, now_ms: int) -> None:
        """AGENT-4. Whatever has become possible or due: starts where there is room, looks, restarts, the report."""
        for task in self._tasks.values():
            if task.phase == "waiting" and may_start(task, self._tasks.values(), self._cpu, self._memory):
                self._start(now_ms, task)
        self._effects += self._prober.due(now_ms)
        due = self._prober.next_ms
        for task in self._tasks.values():
            if task.next_ms <= now_ms:
                task.next_ms = NEVER
                self._is_due(task)
            due = min(due, task.next_ms)
        for task in self._tasks.values():
            if task.phase == "waiting" and may_start(task, self._tasks.values(), self._cpu, self._memory):
                self._start(now_ms, task)
        self._report(now_ms)
        if self._timeout_ms:
            due = min(due, max(self._said_ms, now_ms - self._timeout_ms) + heartbeat_ms(self._timeout_ms))
        if due < NEVER:
            self._effects.append(Wake(max(due, now_ms + 1)))

    def _is_due(self, task: Task) -> None:
        match task.phase:
            case "fetching":
                self._effects.append(Fetch(task.name, task.assignment))
            case "resting":
                task.again += 1
                task.phase = "waiting"
            case "running" if task.spec is not None and task.spec.health and not task.looking:
                task.looking = True
                self._effects.append(Probe(task.name, task.spec.health[0]))
            case _:
                pass

    def _start(self, now_ms: int, task: Task) -> None:
        assert task.spec is not None, "who waits for room was fetched"
        task.phase = "starting"
        task.last = ("", 0)
        task.starts.append(now_ms)
        self._effects.append(Run(task.name, task.assignment, task.spec, task.again))

    # --- what the chain hears ---------------------------------------------------------------------------------------

    def _tell(self, task: Task, state: str, code: int) -> None:
        """AGENT-8. The latest state of each attempt, said once."""
        if task.told == (state, code) or not state:
            return
        task.told = (state, code)
        one = task.assignment
        self._changed[task.name] = ReplicaReport(
            workload=one.workload, index=one.index, attempt=one.attempt, state=state, code=code
        )

    def _report(self, now_ms: int) -> None:
        """AGENT-8. One report at a time: when something changed, and often enough to count as alive."""
        if self._under_way is not None or not self._timeout_ms:
            return
        news = self._changed or self._prober.has_news
        if not news and now_ms - self._said_ms < heartbeat_ms(self._timeout_ms):
            return
        chosen = dict(list(self._changed.items())[:REPORTED_MAX])
        self._under_way = chosen
        self._said_ms = now_ms
        self._effects.append(Report(tuple(chosen.values()), self._prober.speak()))

    def _reported(self, event: Reported) -> None:
        under_way, self._under_way = self._under_way or {}, None
        self._prober.reported(final=event.final)
        if event.final:
            for name, said in under_way.items():
                if self._changed.get(name) == said:
                    del self._changed[name]

    def _record(self, now_ms: int, step: str, task: Task, code: str, reason: str = "") -> None:
        self._effects.append(Record(now_ms, step, task.name, task.assignment, _image(task), code, reason))


def _by_force(task: Task, code: int) -> bool:
    """AGENT-3. Whether what was asked to end was ended by force: killed, and that was not its own stop signal."""
    return code == KILLED and (task.spec is None or task.spec.stop_signal != "SIGKILL")


def _image(task: Task) -> bytes:
    return task.spec.terms.demand.image if task.spec is not None else b""
