"""The jail: a container made of nothing but the kernel. `start` forks the first process of one, `enter` one more.

In both the child is told to go on when the parent has put it into its cgroup, reports the step that failed by a pipe
that closes by itself when the program is executed, and ends with its parent.
"""

import errno
import fcntl
import json
import os
import select
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NoReturn

from metanode.host.runtimes.plan import ContainerPlan
from metanode.host.runtimes.shim import kernel, privileges, root
from metanode.host.runtimes.shim.privileges import ALL, Protection, Shortfall

GO_FILE: Final = 3
"""In the child: readable when it may go on, at its end when the parent is gone."""
STATUS_FILE: Final = 4
"""In the child: what failed is written here; it closes on execution."""
SETUP_EXIT: Final = 125
"""The status of a child that never became the program."""
FAILURE_BYTES_MAX: Final = 4096
"""A report fits one atomic write to a pipe."""


@dataclass(frozen=True, slots=True)
class Birth:
    """A child on its way. `pid`: of the child as the shim sees it; -1 where it is told by `status` (`enter`)."""

    pid: int
    status: int
    go: int


@dataclass(frozen=True, slots=True)
class Cell:
    """What a jail is made with: the plan, where its things are, what cgroups leave to do, which locks close, and what
    is done after the last of them."""

    plan: ContainerPlan
    place: root.Place
    missing: Shortfall
    protections: frozenset[Protection] = ALL
    last: Callable[[], None] | None = None


def start(cell: Cell, files: tuple[int, int, int]) -> Birth:
    """RUN-8. Fork the container's first process, in namespaces of its own; `files` become its standard files."""
    return forked(lambda: kernel.clone(namespaces(cell)), files, lambda: live(cell), cell.protections)


def namespaces(cell: Cell) -> int:
    """Those that the first process of a container is forked into; the others it enters itself."""
    flags = kernel.NEW_USERS if cell.place.rootless else 0
    if Protection.PROCESSES in cell.protections:
        flags |= kernel.NEW_PIDS
    return flags


def enter(cell: Cell, pid: int, command: ContainerPlan, files: tuple[int, int, int], *, terminal: bool) -> Birth:
    """RUN-16. Fork a process into a running container, with no more than the container itself has.

    `command` is the plan with the other command and environment. The fork is two steps, for a process enters a
    namespace of process numbers only by its children; the second is a child of the shim, not of the first.
    """

    def live() -> None:
        _join(pid, rootless=cell.place.rootless)
        born = kernel.clone(kernel.SAME_PARENT)
        if born:
            os.write(STATUS_FILE, json.dumps({"pid": born}).encode() + b"\n")
            os._exit(0)
        if terminal:
            _take_terminal()
        _wait_for_go()
        _finish(replace(cell, plan=command))

    return forked(os.fork, files, live, cell.protections)


def forked(
    fork: Callable[[], int], files: tuple[int, int, int], live: Callable[[], None], protections: frozenset[Protection]
) -> Birth:
    """Fork, and run `live` in the child, which never returns."""
    go_read, go_write = os.pipe2(os.O_CLOEXEC)
    status_read, status_write = os.pipe2(os.O_CLOEXEC)
    pid = fork()
    if pid == 0:
        closes = Protection.FILES in protections
        never_return(lambda: take_files((*files, go_read, status_write), closes=closes), live)
    os.close(go_read)
    os.close(status_write)
    return Birth(pid, status_read, go_write)


def never_return(prepare: Callable[[], None], live: Callable[[], None]) -> NoReturn:
    """Run a child; whatever it raises is reported, and nothing of the shim runs in it."""
    try:
        prepare()
        live()
    except OSError as error:
        failure = {"error": error.errno, "step": str(error.filename or ""), "text": error.strerror or str(error)}
        os.write(STATUS_FILE, json.dumps(failure).encode()[:FAILURE_BYTES_MAX])
    except BaseException as error:  # it must not go on as a second shim
        failure = {"error": 0, "step": type(error).__name__, "text": str(error)[:500]}
        os.write(STATUS_FILE, json.dumps(failure).encode()[:FAILURE_BYTES_MAX])
    finally:
        os._exit(SETUP_EXIT)


def take_files(files: tuple[int, ...], *, closes: bool) -> None:
    """RUN-9. The child has exactly these files, from 0 on, and no other of the shim's; signals as a program expects."""
    signal.set_wakeup_fd(-1)
    moved = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, len(files)) for file in files]
    for number, file in enumerate(moved):
        os.dup2(file, number, inheritable=number <= 2)
    if closes:
        kernel.close_files_from(len(files))
    for number in signal.valid_signals():
        if number not in {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.setsid()
    os.umask(0o022)


def _wait_for_go() -> None:
    """Until the parent has done its part; without a parent there is no container."""
    if not os.read(GO_FILE, 1):
        os._exit(SETUP_EXIT)


def _check_parent() -> None:
    """After `die_with_parent`: it may have ended just before."""
    ready = select.poll()
    ready.register(GO_FILE, 0)
    if ready.poll(0):
        os._exit(SETUP_EXIT)


def live(cell: Cell) -> None:
    """RUN-8 to RUN-15. The first process of a container, from fork to execution."""
    plan, place = cell.plan, cell.place
    if place.rootless:
        _map_users(plan, place)
    kernel.hide_memory()
    _wait_for_go()
    kinds = kernel.NEW_MOUNTS | kernel.NEW_HOSTNAME | kernel.NEW_IPC | kernel.NEW_CGROUP
    if Protection.NETWORK in cell.protections:
        kinds |= kernel.NEW_NETWORK
    kernel.unshare(kinds)
    kernel.set_host_name(plan.hostname)
    if Protection.NETWORK in cell.protections:
        kernel.loopback_up()
    root.build(plan, place, masks=Protection.MASKS in cell.protections)
    _finish(cell)


def _finish(cell: Cell) -> None:
    """What the first process and every later one have in common."""
    plan = cell.plan
    privileges.limit(plan, cell.missing, rootless=cell.place.rootless)
    os.chdir(plan.workdir)
    privileges.give_up(plan, cell.protections, rootless=cell.place.rootless)
    if cell.last is not None:
        cell.last()
    _check_parent()
    _execute(plan)


def _map_users(plan: ContainerPlan, place: root.Place) -> None:
    """The shim's user is the plan's user inside, and there is no other: all an unprivileged user may say."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{plan.uid} {place.uid} 1")
    Path("/proc/self/gid_map").write_text(f"{plan.gid} {place.gid} 1")


def _join(pid: int, *, rootless: bool) -> None:
    """All namespaces of a container. Hidden first: whoever is inside must find nothing to hold on to."""
    kernel.hide_memory()
    target = kernel.pidfd_open(pid)
    kinds = kernel.NEW_MOUNTS | kernel.NEW_HOSTNAME | kernel.NEW_IPC | kernel.NEW_NETWORK | kernel.NEW_PIDS
    kernel.set_namespaces(target, kinds | kernel.NEW_CGROUP | (kernel.NEW_USERS if rootless else 0))
    os.close(target)


def _take_terminal() -> None:
    """A session of its own, whose terminal is standard input."""
    os.setsid()
    kernel.take_terminal(0)


def _execute(plan: ContainerPlan) -> None:
    """Become the program. A name without a slash is looked for where the container's environment says."""
    env = plan.variables
    word = plan.command[0]
    places = [word] if "/" in word else [f"{folder}/{word}" for folder in env["PATH"].split(":") if folder]
    refused: OSError = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), word)
    for place in places:
        try:
            os.execve(place, plan.command, env)  # noqa: S606 - this is what it is for
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            refused = OSError(error.errno, error.strerror, word)
    raise OSError(refused.errno, refused.strerror, f"execute {word}")


assert sys.byteorder == "little", "the filter reads arguments in this order"
