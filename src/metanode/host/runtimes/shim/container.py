"""One container as the shim knows it: what it is, how far it is, what it has said."""

import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from metanode.host.runtimes.plan import ContainerPlan
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim import kernel, proc
from metanode.host.runtimes.shim.cage.said import Said
from metanode.host.runtimes.shim.cgroups import Group, Usage
from metanode.host.runtimes.shim.frames import Message
from metanode.host.runtimes.shim.logfiles import LogFiles
from metanode.host.runtimes.shim.plans import plan_message
from metanode.host.runtimes.states import Exit, Phase
from metanode.primitives.refusal import Rejected


def exit_of(status: int, *, oom: bool) -> Exit:
    """What `waitpid` said."""
    code = os.waitstatus_to_exitcode(status)
    ended = code if code >= 0 else 128 - code
    return Exit(ended, max(0, -code), oom, time.time_ns())


class Container:
    """Its state; who changes it is the server."""

    def __init__(self, plan: ContainerPlan, engine: str, folder: Path, group: Group | None) -> None:
        self.secrets: ContainerPlan | None = plan
        """The plan with its secrets, until it is started."""
        self.plan: Final = replace(plan, secrets=())
        self.engine: Final = engine
        self.folder: Final = folder
        self.group: Final = group
        self.phase = Phase.CREATED
        self.pid = 0
        self.pidfd = -1
        self.created_ns: Final = time.time_ns()
        self.started_ns = 0
        self.exit: Exit | None = None
        self.last_usage: Usage | None = None
        self.said: Final = Said(folder) if plan.cage is not None else None
        self.log: Final = LogFiles(folder / "log", plan.log.file_bytes, plan.log.files)
        (folder / "plan.json").write_text(json.dumps(plan_message(plan, secrets=False)))

    def require(self, *phases: Phase) -> None:
        """The refusal of what cannot be done in this phase."""
        if self.phase not in phases:
            wanted = " or ".join(phases)
            raise Rejected(RuntimeRefusal.WRONG_PHASE, f"{self.plan.id} is {self.phase}, not {wanted}")

    def runs(self, pid: int) -> None:
        """Its program runs: note it where the sweep finds it."""
        self.pid, self.phase, self.started_ns = pid, Phase.RUNNING, time.time_ns()
        self.pidfd = kernel.pidfd_open(pid)
        note = {"pid": pid, "ticks": proc.start_ticks(pid)}
        (self.folder / "state.json").write_text(json.dumps(note))

    def hear(self, stream: int, data: bytes) -> None:
        """It has said something."""
        if self.said is not None:
            self.said.hear(stream, data)
        self.log.append(stream, time.time_ns(), data)

    def signal(self, number: int) -> None:
        """To its first process; nothing where that has ended."""
        if self.pidfd >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, number)

    def usage(self) -> Usage:
        """What it uses; after its end, what it had used."""
        if self.last_usage is not None:
            return self.last_usage
        if self.group is not None:
            return self.group.usage()
        return proc.usage(self.pid) if self.pid else Usage(0, 0, 0, 0, 0)

    def freeze(self, *, frozen: bool) -> None:
        """All its processes, by its group or, without one, by signals."""
        if self.group is not None:
            self.group.freeze(frozen=frozen)
        else:
            proc.freeze(self.pid, frozen=frozen)

    def ends(self, ended: Exit) -> None:
        """Its program has ended, and with it everything in its namespaces."""
        self.last_usage = self.usage()
        self.exit = replace(ended, oom=self.last_usage.oom_kills > 0)
        self.phase = Phase.EXITED
        if self.pidfd >= 0:
            os.close(self.pidfd)
        self.pid, self.pidfd = 0, -1
        self.log.close()
        if self.group is not None:
            self.group.remove()
        (self.folder / "state.json").unlink(missing_ok=True)

    def message(self) -> Message:
        """All of it, for the agent."""
        mark, ended = self.log.mark(), self.exit
        return {
            "id": self.plan.id,
            "engine": self.engine,
            "phase": str(self.phase),
            "pid": self.pid,
            "created_ns": self.created_ns,
            "started_ns": self.started_ns,
            "exit": [ended.code, ended.signal, ended.oom, ended.at_ns] if ended else None,
            "log": [mark.end, mark.first, mark.lost, mark.digest],
            "log_folder": str(self.folder / "log"),
            "witness": self.said.message() if self.said is not None and ended else None,
        }
