"""What the jail asks of the kernel, in what order; only the files of a child are tried in earnest, in a fork."""

import json
import os
import resource
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from metanode.host.runtimes.plan import HOST_USR, ContainerPlan, Kept, Limits, Mount
from metanode.host.runtimes.shim import jail, kernel, landlock, privileges, root, seccomp
from metanode.host.runtimes.shim.privileges import ALL, Shortfall
from metanode.host.runtimes.shim.syscalls import MACHINE

PLAN = ContainerPlan("shop.web.0.1", HOST_USR, ("sh",), Limits(64 << 20, 250, 9, 64))
LAST_CAPABILITY = 40


class Kernel:
    """In the place of a module: its constants, and functions that only note that they were called."""

    def __init__(self, module: Any, calls: list[tuple[Any, ...]], **answers: Any) -> None:
        self._module, self._calls, self._answers = module, calls, answers

    def __getattr__(self, name: str) -> Any:
        if not callable(getattr(self._module, name)):
            return getattr(self._module, name)

        def noted(*arguments: Any, **named: Any) -> Any:
            self._calls.append((name, *arguments, *named.values()))
            return self._answers.get(name)

        return noted


def names(calls: list[tuple[Any, ...]]) -> list[str]:
    """What was called, in order."""
    return [name for name, *_ in calls]


def given_up(monkeypatch: pytest.MonkeyPatch, plan: ContainerPlan, *, rootless: bool) -> list[tuple[Any, ...]]:
    """What is given up for a plan, and in what order."""
    calls: list[tuple[Any, ...]] = []
    noting = Kernel(kernel, calls, last_capability=LAST_CAPABILITY, landlock_version=7)
    monkeypatch.setattr(privileges, "kernel", noting)
    monkeypatch.setattr(privileges, "landlock", Kernel(landlock, calls))
    for name in ("setgroups", "setresgid", "setresuid"):
        monkeypatch.setattr(os, name, getattr(Kernel(os, calls), name))
    privileges.give_up(plan, rootless=rootless)
    return calls


def test_nothing_is_kept_that_the_plan_does_not_say(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(PLAN, uid=7, gid=8, kept=(Kept.NET_BIND_SERVICE,))
    calls = given_up(monkeypatch, plan, rootless=False)
    dropped = [number for name, *arguments in calls if name == "drop_bounding" for number in arguments]
    assert dropped == [number for number in range(LAST_CAPABILITY + 1) if number != 10]
    assert calls[len(dropped) + 1 :] == [
        ("clear_ambient",),
        ("keep_capabilities_over_user_change",),
        ("setgroups", []),
        ("setresgid", 8, 8, 8),
        ("setresuid", 7, 7, 7),
        ("set_capabilities", 1 << 10),
        ("raise_ambient", 10),
        ("no_new_privileges",),
        ("landlock_version",),
        ("restrict", ("/tmp", "/dev/shm"), 7),
        ("filter_calls", seccomp.program(MACHINE)),
        ("die_with_parent",),
    ]


def test_without_root_there_is_one_user_and_he_has_no_capability(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = given_up(monkeypatch, PLAN, rootless=True)
    assert ("set_capabilities", 0) in calls
    assert {"setgroups", "setresgid", "setresuid", "raise_ambient"} & set(names(calls)) == set()
    assert names(calls)[-1] == "die_with_parent"


@pytest.mark.parametrize(("version", "scopes"), [(1, 0), (5, 0), (6, 3), (7, 3)])
def test_landlock_lets_write_where_the_plan_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: int, scopes: int
) -> None:
    calls: list[tuple[Any, ...]] = []
    nothing = os.open("/dev/null", os.O_RDONLY)
    monkeypatch.setattr(landlock, "kernel", Kernel(kernel, calls, landlock_ruleset=nothing))
    landlock.restrict((str(tmp_path),), version)
    every = landlock.handled(version)
    allowed = {path: rights for name, _, path, rights in (call for call in calls if call[0] == "landlock_allow")}
    assert calls[0] == ("landlock_ruleset", every, 0, scopes)
    assert calls[-1] == ("landlock_restrict", nothing)
    assert allowed["/"] == 0b1101  # execute, read a file, read a folder
    assert allowed[str(tmp_path)] == every
    assert set(allowed) == {"/", "/proc", "/dev", str(tmp_path)}


def limited(
    monkeypatch: pytest.MonkeyPatch, hard: int, missing: Shortfall, *, rootless: bool
) -> dict[int, tuple[int, int]]:
    """The limits of a process that had this one before."""
    found: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(resource, "getrlimit", lambda _: (hard, hard))
    monkeypatch.setattr(resource, "setrlimit", found.__setitem__)
    privileges.limit(PLAN, missing, rootless=rootless)
    return found


def test_limits_of_a_process_are_only_lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    held = Shortfall(memory=False, pids=False)
    assert limited(monkeypatch, 20, held, rootless=True)[resource.RLIMIT_NOFILE] == (20, 20)
    assert limited(monkeypatch, 4096, held, rootless=True) == {
        resource.RLIMIT_NOFILE: (64, 64),
        resource.RLIMIT_CORE: (0, 0),
    }


def test_without_a_group_a_process_is_held_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = Shortfall(memory=True, pids=True)
    found = limited(monkeypatch, resource.RLIM_INFINITY, missing, rootless=True)
    assert found[resource.RLIMIT_DATA] == (64 << 20, 64 << 20)
    assert found[resource.RLIMIT_NPROC] == (9, 9)
    assert resource.RLIMIT_NPROC not in limited(monkeypatch, 4096, missing, rootless=False)


def test_the_first_process_has_its_own_files_and_nothing_else_of_the_shim() -> None:
    read, write = os.pipe()
    nothing, leaked = os.open("/dev/null", os.O_RDWR), os.open("/etc/passwd", os.O_RDONLY)
    os.set_inheritable(leaked, True)
    pid = os.fork()
    if pid == 0:
        try:
            jail.take_files((nothing, nothing, nothing, write), closes=True)
            session, mask = os.getsid(0) == os.getpid(), os.umask(0)
            pipes = signal.getsignal(signal.SIGPIPE) == signal.SIG_DFL
            with os.scandir("/proc/self/fd") as found:
                files = sorted(int(entry.name) for entry in found)
            os.write(3, json.dumps([files, session, mask, pipes]).encode())
        finally:
            os._exit(0)
    for file in (write, nothing, leaked):
        os.close(file)
    said = os.read(read, 4096)
    os.close(read)
    os.waitpid(pid, 0)
    files, *others = json.loads(said)
    assert files[:4] == [0, 1, 2, 3]
    assert len(files) == 5  # and the folder that is just being read
    assert others == [True, 0o022, True]


def built(monkeypatch: pytest.MonkeyPatch, plan: ContainerPlan) -> list[tuple[Any, ...]]:
    """What is done for the root of a container, in order."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(root, "kernel", Kernel(kernel, calls, clone_tree=-1))
    monkeypatch.setattr(os, "chdir", lambda path: calls.append(("chdir", path)))
    for name in ("_make_point", "_devices", "_secrets", "_mask"):
        monkeypatch.setattr(root, name, getattr(Kernel(root, calls), name))
    root.build(plan, root.Place("/state/c/x", rootless=False, uid=0, gid=0))
    return calls


def test_the_old_root_is_gone_before_a_name_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(PLAN, root="/images/web", mounts=(Mount("/h/a", "/srv/a"),))
    calls = built(monkeypatch, plan)
    entered = calls.index(("pivot_root", ".", "."))
    assert calls[entered - 1 : entered + 3] == [
        ("chdir", "/state/c/x/point"),
        ("pivot_root", ".", "."),
        ("unmount", "."),
        ("chdir", "/"),
    ]
    after = {"_make_point", "put_tree", "_devices", "_secrets", "_mask"}
    assert after & set(names(calls[:entered])) == set()
    assert after <= set(names(calls[entered:]))
    assert "clone_tree" not in names(calls[entered:])


def test_an_image_is_the_lower_layer_and_its_name_is_no_option(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(root, "kernel", Kernel(kernel, calls))
    root.mount_image("/i/a,upperdir=/etc:b", "/c", "/c/point", rootless=True)
    safe = kernel.NO_SUID | kernel.NO_DEVICES
    options = "lowerdir=/i/a\\,upperdir=/etc\\:b,upperdir=/c/upper,workdir=/c/spare,userxattr"
    assert calls == [("mount", "overlay", "/c/point", "overlay", safe, options)]


def test_what_of_proc_moves_the_machine_is_read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(root, "kernel", Kernel(kernel, calls))
    root._mask()
    covered = [target for name, _, target, *_ in (call for call in calls if call[0] == "mount")]
    assert covered == [path for path in root.MASKED if Path(path).exists()] + list(root.READ_ONLY)
    assert [target for name, target, *_ in calls if name == "restrict_mount"] == list(root.READ_ONLY)


def finished(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What is called from here on between a fork and the execution."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(jail, "privileges", Kernel(privileges, calls))
    monkeypatch.setattr(jail, "kernel", Kernel(kernel, calls, clone=0))
    monkeypatch.setattr(os, "chdir", lambda path: calls.append(("chdir", path)))
    for name in ("_join", "_wait_for_go", "_check_parent", "_execute", "_take_terminal"):
        monkeypatch.setattr(jail, name, getattr(Kernel(jail, calls), name))
    return calls


def test_a_command_joins_what_the_container_is_in_and_gives_up_what_it_gave_up(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = finished(monkeypatch)

    def forked(_fork: Any, _files: Any, live: Any, _protections: Any) -> jail.Birth:
        live()
        return jail.Birth(-1, -1, -1)

    monkeypatch.setattr(jail, "forked", forked)
    place = root.Place("/c", rootless=False, uid=0, gid=0)
    cell = jail.Cell(PLAN, place, Shortfall(memory=False, pids=False))
    command = replace(PLAN, command=("id",))
    jail.enter(cell, 4242, command, (0, 1, 2), terminal=False)
    assert names(calls) == [
        "_join", "clone", "_wait_for_go", "limit", "chdir", "give_up", "_check_parent", "_execute",
    ]  # fmt: skip
    assert calls[0] == ("_join", 4242, False)
    assert calls[5] == ("give_up", command, ALL, False)
    assert calls[-1] == ("_execute", command)
