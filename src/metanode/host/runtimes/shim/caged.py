"""DET-1. A caged container, from fork to end: the shim's child is the supervisor, and the supervisor's is the job."""

import json
import os
import resource
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from metanode.host.runtimes.caging import Cage
from metanode.host.runtimes.plan import ContainerPlan
from metanode.host.runtimes.shim import jail, kernel
from metanode.host.runtimes.shim.cage import leaving
from metanode.host.runtimes.shim.cage.filter import program
from metanode.host.runtimes.shim.cage.made import STACK_BYTES, Facts
from metanode.host.runtimes.shim.cage.observed import Observed
from metanode.host.runtimes.shim.cage.said import LEFT, OBSERVATIONS, REPORT
from metanode.host.runtimes.shim.cage.supervisor import Supervisor
from metanode.host.runtimes.shim.cage.tracing import trace_me

FAILED_MAX: Final = 2000
"""Of the text of a failure."""
_KEPT: Final = 1 << 1 | 1 << 5 | 1 << 19
"""DAC_OVERRIDE, KILL and SYS_PTRACE: all that the supervisor keeps of root."""
_ASKED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def start(cell: jail.Cell, files: tuple[int, int, int]) -> jail.Birth:
    """Fork the supervisor, which forks the job and tells its number by `status`."""
    return jail.forked(os.fork, files, lambda: _supervise(cell), cell.protections)


def _supervise(cell: jail.Cell) -> NoReturn:
    """The supervisor's life. It ends as its job ended."""
    cage, folder = cell.plan.cage, Path(cell.place.folder)
    assert cage is not None, "only a deterministic job is supervised"
    kernel.die_with_parent()
    go_read, go_write = os.pipe2(os.O_CLOEXEC)
    job = kernel.clone(jail.namespaces(cell))
    if job == 0:
        jail.never_return(
            lambda: jail.take_files((0, 1, 2, go_read, jail.STATUS_FILE), closes=True), lambda: _live(cell)
        )
    kernel.hide_memory()
    os.close(go_read)
    os.write(jail.STATUS_FILE, json.dumps({"pid": job}).encode() + b"\n")
    os.close(jail.STATUS_FILE)
    try:
        status = _served(cell, cage, folder, job, go_write)
    except Exception as error:  # the job ends with this process
        why = f"metanode: DET-1: the supervisor gave up: {type(error).__name__} {error}\n"
        os.write(2, why.encode(errors="replace")[:FAILED_MAX])
        os._exit(jail.SETUP_EXIT)
    _end_as(status)


def _served(cell: jail.Cell, cage: Cage, folder: Path, job: int, go_write: int) -> int:
    """The job from its first stop to its end, and what was seen of it in the folder; its wait status."""
    observed = Observed(folder / OBSERVATIONS)
    left: list[list[object]] = []

    def collect(pid: int) -> None:
        left[:] = leaving.collect(pid, cage.outputs, folder / LEFT)

    owner = (cell.plan.uid, cell.plan.gid)
    supervisor = Supervisor(job, facts_of(cell.plan, cage), owner, observed, collect)
    for number in _ASKED:
        signal.signal(number, lambda *_: supervisor.end())
    supervisor.begin()
    kernel.no_new_privileges()
    if not cell.place.rootless:
        kernel.set_capabilities(_KEPT)
    if not os.read(jail.GO_FILE, 1):
        supervisor.end()
    os.write(go_write, b"g")
    status = supervisor.run()
    observed.close()
    if not supervisor.ended_by_us and status != signal.SIGKILL:
        told = {
            "count": observed.count,
            "chain": observed.chain.hex(),
            "processor": supervisor.hides_processor,
            "left": left,
        }
        (folder / f"{REPORT}.new").write_text(json.dumps(told))
        (folder / f"{REPORT}.new").rename(folder / REPORT)
    return status


def facts_of(plan: ContainerPlan, cage: Cage) -> Facts:
    """What the job may see of its plan."""
    return Facts(cage.seed, plan.hostname, plan.limits.memory_bytes, plan.limits.open_files)


def _end_as(status: int) -> NoReturn:
    """So that whoever waits for the supervisor hears of the job."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        with suppress(OSError):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else jail.SETUP_EXIT)


def _live(cell: jail.Cell) -> None:
    """The job's life until it is a program."""
    trace_me()
    signal.raise_signal(signal.SIGSTOP)
    resource.setrlimit(resource.RLIMIT_STACK, (STACK_BYTES, resource.getrlimit(resource.RLIMIT_STACK)[1]))
    kernel.fix_addresses()
    jail.live(cell)


def close() -> None:
    """DET-2, DET-6. The last lock, closed by the job itself before it becomes a program."""
    kernel.trap_counter()
    kernel.filter_calls(program())
