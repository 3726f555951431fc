"""Control groups in trees of files made for the purpose: version 1, version 2, delegated, shared, and none."""

import os
import threading
from pathlib import Path

import pytest

from metanode.host.runtimes.plan import Limits
from metanode.host.runtimes.shim import hierarchy
from metanode.host.runtimes.shim.cgroups import GroupV1, GroupV2, Usage
from metanode.host.runtimes.shim.hierarchy import V1_CONTROLLERS, Mounted, detect, mounted, own_group

LIMITS = Limits(64 << 20, 250, pids=9)
HYBRID = """proc /proc proc rw 0 0
cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup /sys/fs/cgroup/pids cgroup rw,relatime,pids 0 0
cgroup /sys/fs/cgroup/freezer cgroup rw,relatime,freezer 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
"""


def tree_v2(folder: Path, controllers: str = "cpuset cpu io memory pids") -> Path:
    """A version 2 group as the kernel shows it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cgroup.controllers").write_text(controllers)
    (folder / "cgroup.subtree_control").write_text("")
    (folder / "cgroup.procs").write_text("")
    return folder


def test_the_mounted_trees_are_read() -> None:
    found = mounted(HYBRID)
    assert found.v1["cpuacct"] == found.v1["cpu"] == Path("/sys/fs/cgroup/cpu")
    assert set(found.v1) == set(V1_CONTROLLERS)
    assert found.v2 == Path("/sys/fs/cgroup/unified")
    assert mounted("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n") == Mounted({}, Path("/sys/fs/cgroup"))


def test_the_group_of_a_process_is_read() -> None:
    assert own_group("12:pids:/x\n0::/user.slice/agent.service\n") == "/user.slice/agent.service"
    assert own_group("12:pids:/x\n") == "/"


def test_version_1_is_chosen_where_it_is_whole(tmp_path: Path) -> None:
    trees = {name: tmp_path / name for name in V1_CONTROLLERS}
    for tree in trees.values():
        tree.mkdir()
    found = detect("key", Mounted(trees, tree_v2(tmp_path / "unified", "hugetlb")), "/")
    assert (found.version, found.reason) == (1, "")
    found.prepare()
    group = found.group("a.b.0.1")
    assert isinstance(group, GroupV1)
    group.make(LIMITS)
    own = Path("metanode/key/a.b.0.1")
    assert (trees["memory"] / own / "memory.limit_in_bytes").read_text() == str(64 << 20)
    assert (trees["pids"] / own / "pids.max").read_text() == "9"
    assert (trees["cpu"] / own / "cpu.cfs_quota_us").read_text() == "25000"
    assert (trees["cpu"] / own / "cpu.cfs_period_us").read_text() == "100000"
    group.join(4242)
    assert {(tree / own / "cgroup.procs").read_text() for tree in trees.values()} == {"4242"}
    assert group.pids() == [4242]
    assert found.left_behind() == ["a.b.0.1"]


def test_usage_on_version_1(tmp_path: Path) -> None:
    group = GroupV1({name: tmp_path / name for name in V1_CONTROLLERS}, "g")
    for name, file, text in (
        ("memory", "memory.usage_in_bytes", "100\n"),
        ("memory", "memory.max_usage_in_bytes", "200\n"),
        ("memory", "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"),
        ("cpuacct", "cpuacct.usage", "300\n"),
        ("pids", "pids.current", "4\n"),
    ):
        (tmp_path / name / "g").mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "g" / file).write_text(text)
    assert group.usage() == Usage(100, 200, 300, 4, 3)


def test_version_2_as_root(tmp_path: Path) -> None:
    tree = tree_v2(tmp_path)
    found = detect("key", Mounted({}, tree), "/somewhere")
    assert (found.version, found.base) == (2, tree)
    assert (tree / "cgroup.subtree_control").read_text() == "+memory +cpu +pids"
    found.prepare()
    assert (tree / "metanode" / "key" / "cgroup.subtree_control").read_text() == "+memory +cpu +pids"
    group = found.group("a.b.0.1")
    assert isinstance(group, GroupV2)
    group.make(LIMITS)
    folder = tree / "metanode" / "key" / "a.b.0.1"
    assert (folder / "memory.max").read_text() == str(64 << 20)
    assert (folder / "memory.swap.max").read_text() == "0"
    assert (folder / "pids.max").read_text() == "9"
    assert (folder / "cpu.max").read_text() == "25000 100000"
    group.join(77)
    assert group.pids() == [77]


def test_usage_on_version_2(tmp_path: Path) -> None:
    for file, text in (
        ("memory.current", "100\n"),
        ("memory.peak", "200\n"),
        ("cpu.stat", "usage_usec 3\nuser_usec 2\n"),
        ("pids.current", "4\n"),
        ("memory.events", "low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\noom_group_kill 0\n"),
    ):
        (tmp_path / file).write_text(text)
    assert GroupV2(tmp_path).usage() == Usage(100, 200, 3000, 4, 1)


def test_usage_of_a_group_that_is_gone_is_nothing(tmp_path: Path) -> None:
    assert GroupV2(tmp_path / "none").usage() == Usage(0, 0, 0, 0, 0)
    assert GroupV2(tmp_path / "none").pids() == []
    assert GroupV2(tmp_path / "none").remove()


def test_freezing_waits_for_the_kernel(tmp_path: Path) -> None:
    (tmp_path / "cgroup.events").write_text("populated 1\nfrozen 0\n")
    later = threading.Timer(0.05, lambda: (tmp_path / "cgroup.events").write_text("populated 1\nfrozen 1\n"))
    later.start()
    GroupV2(tmp_path).freeze(frozen=True)
    later.join()
    assert (tmp_path / "cgroup.freeze").read_text() == "1"


def test_what_does_not_freeze_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metanode.host.runtimes.shim.cgroups.FREEZE_WAIT_S", 0.01)
    (tmp_path / "cgroup.events").write_text("frozen 0\n")
    with pytest.raises(OSError, match="do not freeze"):
        GroupV2(tmp_path).freeze(frozen=True)
    (tmp_path / "group").mkdir()
    (tmp_path / "group" / "freezer.state").symlink_to("/dev/null")  # takes everything and says nothing
    with pytest.raises(OSError, match="do not freeze"):
        GroupV1({"freezer": tmp_path}, "group").freeze(frozen=True)


@pytest.mark.parametrize(
    ("controllers", "reason"), [("hugetlb", "no controller memory cpu pids"), ("memory cpu", "no controller pids")]
)
def test_version_2_without_controllers_says_which(tmp_path: Path, controllers: str, reason: str) -> None:
    found = detect("key", Mounted({}, tree_v2(tmp_path, controllers)), "/")
    assert found.version == 0
    assert reason in found.reason
    assert "delegate" in found.fix
    assert found.group("x") is None


def test_a_delegated_group_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = tree_v2(tmp_path)
    own = tree_v2(tmp_path / "user.slice" / "agent.service", "cpu memory pids")
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).is_relative_to(own))
    found = detect("key", Mounted({}, tree), "/user.slice/agent.service")
    assert (found.version, found.base) == (2, own)


def test_no_permission_says_what_would_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    tree_v2(tmp_path / "x")
    found = detect("key", Mounted({}, tree_v2(tmp_path)), "/x")
    assert (found.version, "Delegate=yes" in found.fix) == (0, True)
    trees = dict.fromkeys(V1_CONTROLLERS, tmp_path)
    found = detect("key", Mounted(trees), "/")
    assert (found.version, found.fix) == (0, "run the agent as root")
    found = detect("key", Mounted(), "/")
    assert (found.version, found.reason) == (0, "no control groups are mounted")


def test_a_busy_delegated_group_moves_its_processes_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group with processes may not hand controllers down; the kernel says EBUSY until they are gone."""
    tree = tree_v2(tmp_path)
    moved: list[bool] = []
    (tree / "cgroup.procs").write_text("11\n12\n")
    real = hierarchy.hand_down

    def busy(folder: Path) -> None:
        if not moved:
            moved.append(True)
            raise OSError(16, "Device or resource busy")
        real(folder)

    monkeypatch.setattr(hierarchy, "hand_down", busy)
    found = detect("key", Mounted({}, tree), "/")
    assert found.version == 2
    assert (tree / "metanode-rest" / "cgroup.procs").read_text() == "12"


def test_a_group_that_stays_busy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(_: Path) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(hierarchy, "hand_down", busy)
    found = detect("key", Mounted({}, tree_v2(tmp_path)), "/")
    assert (found.version, "move the other processes" in found.fix) == (0, True)


def test_clearing_removes_what_is_empty(tmp_path: Path) -> None:
    found = detect("key", Mounted({}, tree_v2(tmp_path)), "/")
    for name in ("a.b.0.1", "a.b.1.1"):
        (tmp_path / "metanode" / "key" / name).mkdir(parents=True)
    assert found.left_behind() == ["a.b.0.1", "a.b.1.1"]
    assert found.clear() == []
    assert not (tmp_path / "metanode").exists()
