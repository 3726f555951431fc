"""Small parts: the bundle, folders taken away, the loop, pipes, reports of children, advice."""

import asyncio
import errno
import json
import os
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from metanode.host.runtimes.driver import Lacks
from metanode.host.runtimes.plan import HOST_USR, ContainerPlan, Kept, Limits, Mount, Secret
from metanode.host.runtimes.probing import fix_of, trial_plan
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim import kernel, roster
from metanode.host.runtimes.shim.bundle import configuration
from metanode.host.runtimes.shim.children import Children, Pump
from metanode.host.runtimes.shim.connection import Connection
from metanode.host.runtimes.shim.engines import refusal_of
from metanode.host.runtimes.shim.frames import Message, packed
from metanode.host.runtimes.shim.hierarchy import Hierarchy
from metanode.host.runtimes.shim.landlock import handled
from metanode.host.runtimes.shim.loop import Loop
from metanode.host.runtimes.shim.outside import complained, complaint
from metanode.host.runtimes.shim.plans import plan_message
from metanode.host.runtimes.shim.privileges import writable_places
from metanode.host.runtimes.shim.server import Server
from metanode.host.runtimes.shim.tree import remove_tree
from metanode.host.runtimes.shim_driver import ShimDriver
from metanode.primitives.refusal import Rejected

PLAN = ContainerPlan("shop.web.0.1", HOST_USR, ("sh",), Limits(64 << 20, 250, 9, 64))


def test_a_bundle_says_what_the_plan_says() -> None:
    plan = replace(
        PLAN,
        env=(("A", "1"),),
        uid=7,
        gid=8,
        kept=(Kept.NET_BIND_SERVICE,),
        mounts=(Mount("/h/inner", "/srv/a/b", read_only=True), Mount("/h/outer", "/srv/a")),
        secrets=(Secret("/s/one", b"x"), Secret("/s/two", b"y"), Secret("/t/three", b"z")),
    )
    config = configuration(plan, "/state/c/x", "/metanode/k/x", "x86_64")
    process = config["process"]
    assert process["user"] == {"uid": 7, "gid": 8, "umask": 0o022}
    assert process["noNewPrivileges"] is True
    assert set(process["capabilities"]) == {"bounding", "effective", "permitted", "inheritable", "ambient"}
    assert all(kept == ["CAP_NET_BIND_SERVICE"] for kept in process["capabilities"].values())
    assert process["rlimits"][0] == {"type": "RLIMIT_NOFILE", "soft": 64, "hard": 64}
    resources = config["linux"]["resources"]
    assert resources["memory"] == {"limit": 64 << 20}
    assert resources["cpu"] == {"quota": 25_000, "period": 100_000}
    assert resources["pids"] == {"limit": 9}
    assert {entry["type"] for entry in config["linux"]["namespaces"]} == {
        "pid", "mount", "uts", "ipc", "network", "cgroup",
    }  # fmt: skip
    binds = {m["destination"]: m for m in config["mounts"] if m["type"] == "bind"}
    targets = [m["destination"] for m in config["mounts"]]
    assert targets.index("/srv/a") < targets.index("/srv/a/b")
    assert "ro" in binds["/srv/a/b"]["options"]
    assert "rw" in binds["/srv/a"]["options"]
    assert (binds["/s"]["source"], binds["/t"]["source"]) == ("/state/c/x/secrets/0", "/state/c/x/secrets/1")
    assert all({"nosuid", "nodev"} <= set(bind["options"]) for bind in binds.values())
    assert "x" not in json.dumps(config["process"]["env"])
    assert json.loads(json.dumps(config)) == config


def test_a_folder_goes_and_what_its_links_lead_to_stays(tmp_path: Path) -> None:
    kept, folder = tmp_path / "kept", tmp_path / "gone"
    (kept / "below").mkdir(parents=True)
    (folder / "closed").mkdir(parents=True)
    (folder / "closed" / "file").touch()
    (folder / "link").symlink_to(kept)
    (folder / "dangling").symlink_to("nowhere")
    (folder / "closed").chmod(0)
    remove_tree(folder)
    assert not folder.exists()
    assert (kept / "below").is_dir()
    remove_tree(folder)


def test_the_loop_reads_and_keeps_its_moments() -> None:
    loop = Loop()
    heard: list[bytes] = []
    read, write = os.pipe()
    pump = Pump(loop, read, heard.append)
    loop.after(0.0, lambda: heard.append(b"moment"))
    os.write(write, b"word")
    while len(heard) < 2:
        loop.turn()
    assert sorted(heard) == [b"moment", b"word"]
    pump.hold()
    os.write(write, b"held")
    loop.after(0.01, lambda: heard.append(b"later"))
    while heard[-1] != b"later":
        loop.turn()
    pump.go_on()
    loop.turn()
    assert heard[-1] == b"held"
    os.write(write, b"last")
    os.close(write)
    pump.drain()
    assert (heard[-1], pump.is_open) == (b"last", False)


def test_a_file_forgotten_in_a_turn_is_not_called_in_it() -> None:
    loop = Loop()
    heard: list[int] = []
    pairs = [os.pipe() for _ in range(2)]
    for read, write in pairs:
        os.write(write, b"x")

        def first(read: int = read) -> None:
            heard.append(read)
            for other, _ in pairs:
                loop.forget(other)

        loop.watch(read, first)
    loop.turn()
    assert len(heard) == 1
    for file in (file for pair in pairs for file in pair):
        os.close(file)


def test_children_are_waited_for_and_strays_are_not_theirs() -> None:
    loop = Loop()
    children = Children(loop)
    ended: list[int] = []
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 3"], {})
    children.wait(pid, ended.append)
    children.reap_strays()
    while not ended:
        loop.turn()
    assert os.waitstatus_to_exitcode(ended[0]) == 3
    stray = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 0"], {})
    os.waitid(os.P_PID, stray, os.WEXITED | os.WNOWAIT)
    children.reap_strays()
    with pytest.raises(ChildProcessError):
        os.waitpid(stray, 0)


def test_a_process_that_ends_before_it_is_the_shims_child_is_waited_for() -> None:
    """crun returns while a process of its own still stands between the container and the shim."""
    kernel.be_subreaper()
    loop = Loop()
    children = Children(loop)
    ended: list[int] = []
    read, write = os.pipe()
    between = os.fork()
    if between == 0:
        inner = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 5"], {})
        os.waitid(os.P_PID, inner, os.WEXITED | os.WNOWAIT)
        os.write(write, str(inner).encode())
        time.sleep(0.1)
        os._exit(0)  # the zombie has a new parent now
    children.wait(int(os.read(read, 20)), ended.append)
    loop.turn()
    assert ended == []
    while not ended:
        loop.turn()
    assert os.waitstatus_to_exitcode(ended[0]) == 5
    os.waitpid(between, 0)
    kernel._prctl("not any more", 36, 0)
    for file in (read, write):
        os.close(file)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        ({"step": "execute x", "error": errno.ENOENT}, RuntimeRefusal.COMMAND_NOT_FOUND),
        ({"step": "execute x", "error": errno.ENOTDIR}, RuntimeRefusal.COMMAND_NOT_FOUND),
        ({"step": "execute x", "error": errno.EACCES}, RuntimeRefusal.COMMAND_NOT_EXECUTABLE),
        ({"step": "execute x", "error": errno.ENOEXEC}, RuntimeRefusal.COMMAND_NOT_EXECUTABLE),
        ({"step": "mount proc on /proc", "error": errno.EPERM}, RuntimeRefusal.SETUP_FAILED),
        ({}, RuntimeRefusal.SETUP_FAILED),
    ],
)
def test_a_report_of_a_child_is_a_refusal(failure: dict[str, object], reason: RuntimeRefusal) -> None:
    assert refusal_of(failure).reason is reason


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('{"msg":"executable file `x` not found in $PATH: No such file or directory","level":"error"}', "NOT_FOUND"),
        ('{"level":"error","msg":"unable to start: exec: \\"x\\": permission denied: unknown"}', "NOT_EXECUTABLE"),
        ('{"level":"error","msg":"exec format error"}', "NOT_EXECUTABLE"),
        ('{"level": "error", "msg": "cgroups in hybrid mode not supported"}', "SETUP"),
        ("not json level error", "SETUP"),
    ],
)
def test_a_complaint_of_a_runtime_is_a_refusal(tmp_path: Path, said: str, reason: str) -> None:
    log = tmp_path / "log"
    log.write_text(said + "\n")
    wanted = {
        "NOT_FOUND": RuntimeRefusal.COMMAND_NOT_FOUND,
        "NOT_EXECUTABLE": RuntimeRefusal.COMMAND_NOT_EXECUTABLE,
        "SETUP": RuntimeRefusal.SETUP_FAILED,
    }
    assert complaint(log).reason is wanted[reason]
    assert complained(log) is ("level" in said and "{" in said)
    assert complaint(tmp_path / "none").reason is RuntimeRefusal.SETUP_FAILED


def test_what_fails_comes_with_advice() -> None:
    assert "user namespaces" in fix_of("clone: Operation not permitted")
    assert "overlayfs" in fix_of("mount overlay on /x: No such device")
    assert fix_of("something new").startswith("see ")
    assert trial_plan().id != trial_plan().id


def test_where_a_container_may_write() -> None:
    mounts = (Mount("/a", "/data"), Mount("/b", "/shown", read_only=True))
    assert writable_places(replace(PLAN, mounts=mounts)) == ("/tmp", "/dev/shm", "/data")
    assert writable_places(replace(PLAN, read_only_root=False)) == ("/",)


def test_landlock_rights_grow_with_its_version() -> None:
    assert [handled(version).bit_length() for version in range(1, 8)] == [13, 14, 15, 15, 16, 16, 16]


def test_an_agent_that_does_not_read_is_cut_off(monkeypatch: Any) -> None:
    loop = Loop()
    gone: list[Connection] = []
    here, there = socket.socketpair()
    connection = Connection(loop, here, lambda *_: None, gone.append)
    for _ in range(200):
        connection.send({"data": "x" * 100_000})
    assert gone == [connection]
    assert not connection.is_open
    connection.send({})
    there.close()


def test_what_does_not_fit_at_once_is_written_later() -> None:
    loop = Loop()
    heard: list[Message] = []
    here, there = socket.socketpair()
    connection = Connection(loop, here, lambda _, message: heard.append(message), lambda _: None)
    frame = packed({"data": "y" * 2_000_000})
    connection.send({"data": "y" * 2_000_000})
    there.settimeout(5)
    got = b""
    while len(got) < len(frame):
        got += there.recv(1 << 20)
        loop.after(0.0, lambda: None)  # a turn that does not wait
        loop.turn()
    assert got == frame
    there.sendall(packed({"n": 1}))
    while not heard:
        loop.turn()
    assert heard == [{"n": 1}]
    there.close()
    while connection.is_open:
        loop.turn()


def test_a_shim_takes_a_bounded_number_of_containers(tmp_path: Path, monkeypatch: Any) -> None:
    class Nothing:
        makes_terminals = False

        def prepare(self, container: Any) -> None:
            pass

        def clean(self, container: Any, cleaned: Any) -> None:
            cleaned()

    monkeypatch.setattr(roster, "CONTAINERS_MAX", 2)
    loop = Loop()
    told: list[Message] = []
    engines: dict[str, Any] = {"sandbox": Nothing()}
    one = Server(loop, Children(loop), tmp_path, Hierarchy(0, "k"), engines, told.append)

    def create(number: int) -> Message:
        plan = plan_message(replace(PLAN, id=f"a.{number}"))
        return one.create({"plan": plan, "engine": "sandbox"}, told.append)

    create(1)
    create(2)
    with pytest.raises(Rejected) as refused:
        create(3)
    assert refused.value.reason is RuntimeRefusal.FULL
    assert one.remove({"id": "a.1"}, told.append) is None
    assert told == [{"ok": {}}]
    assert not (tmp_path / "c" / "a.1").exists()
    create(3)
    assert [c["id"] for c in one.listed({}, told.append)["containers"]] == ["a.2", "a.3"]


class Facts:
    """A link to a shim that is as it says, and in which nothing works."""

    def __init__(self, refusal: Rejected | None = None, **facts: Any) -> None:
        groups = {"version": 1, "reason": "", "fix": ""}
        self.facts = {"outside": {}, "rootless": False, "groups": groups, "landlock": 7, "python": "3.11.2", **facts}
        self.refusal = refusal

    async def ask(self, request: str, **_: Any) -> Message:
        assert self.refusal is not None
        raise self.refusal


@pytest.mark.parametrize(
    ("engine", "facts", "reason", "fix"),
    [
        ("crun", {}, "no program crun", "apt-get install crun"),
        ("runc", {"rootless": True}, "runc needs root", "use the sandbox"),
    ],
)
def test_an_engine_that_is_not_here_says_what_would_make_it_run(
    engine: str, facts: dict[str, Any], reason: str, fix: str
) -> None:

    lacks = asyncio.run(ShimDriver(Facts(**facts), engine).probe())  # type: ignore[arg-type]
    assert isinstance(lacks, Lacks)
    assert reason in lacks.reason
    assert fix in lacks.fix


def test_a_trial_that_fails_is_told_with_its_step() -> None:

    refusal = Rejected(RuntimeRefusal.SETUP_FAILED, "clone: Operation not permitted")
    lacks = asyncio.run(ShimDriver(Facts(refusal)).probe())  # type: ignore[arg-type]
    assert isinstance(lacks, Lacks)
    assert lacks.reason == "a trial failed: clone: Operation not permitted"
    assert "user namespaces" in lacks.fix
