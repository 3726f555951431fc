"""Every known way out is tried from inside, with each engine, as root of the container; and each lock is left
open once, to see that it was what held."""

import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.runtimes.stand import ENGINES, LIMITS, PYTHON, SERVED, Stand, copy_of_the_library, require

from metanode.host.runtimes.plan import HOST_USR, ContainerPlan, Mount
from metanode.host.runtimes.shim.plans import plan_message
from metanode.host.runtimes.shim_driver import ShimDriver

pytestmark = pytest.mark.live

SCRIPT = Path(__file__).with_name("escapes.py")
HARNESS = Path(__file__).with_name("planted.py")
ABSTRACT = f"mn-escape-{os.getpid()}"
ROOT_OF_THE_HOST = ("SECCOMP", "CAPABILITIES", "USER")
PLANTED = {
    "mount": (*ROOT_OF_THE_HOST, "LANDLOCK"),
    "mount-cgroup": (*ROOT_OF_THE_HOST, "LANDLOCK"),
    "umount-a-mask": (*ROOT_OF_THE_HOST, "LANDLOCK"),
    "remount-writable": (*ROOT_OF_THE_HOST, "LANDLOCK"),
    "new-mount-calls": ROOT_OF_THE_HOST,
    "copy-a-tree": ROOT_OF_THE_HOST,
    "trace-a-host-process": (*ROOT_OF_THE_HOST, "PROCESSES", "LANDLOCK"),
    "read-memory": ("SECCOMP",),
    "see-a-host-process": ("PROCESSES",),
    "signal-a-host-process": ("PROCESSES", "USER", "LANDLOCK"),
    "setns": ROOT_OF_THE_HOST,
    "unshare-user": ("SECCOMP",),
    "unshare-mounts": ROOT_OF_THE_HOST,
    "clone-user": ("SECCOMP",),
    "clone3-user": ("SECCOMP",),
    "keyctl": ("SECCOMP",),
    "add-key": ("SECCOMP",),
    "io-uring": ("SECCOMP",),
    "bpf": ROOT_OF_THE_HOST,
    "perf": ROOT_OF_THE_HOST,
    "userfaultfd": ("SECCOMP",),
    "device-node": ROOT_OF_THE_HOST,
    "raw-socket": ROOT_OF_THE_HOST,
    "packet-socket": ROOT_OF_THE_HOST,
    "old-packet-socket": ROOT_OF_THE_HOST,
    "netlink-connector": ROOT_OF_THE_HOST,
    "family-above-32-bits": ROOT_OF_THE_HOST,
    "handle-of-a-file": ("SECCOMP",),
    "open-by-handle": ROOT_OF_THE_HOST,
    "core-pattern": ("MASKS",),
    "panic-setting": ("MASKS",),
    "chroot": ROOT_OF_THE_HOST,
    "inherited-files": ("FILES",),
    "abstract-socket": ("NETWORK", "LANDLOCK"),
    "personality": ("SECCOMP",),
    "x32": ("SECCOMP",),
    "kernel-log": ROOT_OF_THE_HOST,
    "host-name": ROOT_OF_THE_HOST,
    "gain-a-capability": ("CAPABILITIES", "USER"),
    "watch-files": ROOT_OF_THE_HOST,
}
"""Which locks must be open for an attempt to work. Those that are not here could do harm, or have no door at all."""


@pytest.fixture(scope="module")
def words() -> Iterator[list[str]]:
    """A process, an abstract socket and a file of the host for the attempts to reach."""
    with (
        tempfile.NamedTemporaryFile(prefix="mn-marker-", dir="/var/tmp") as marker,
        socket.socket(socket.AF_UNIX) as listener,
    ):
        listener.bind("\0" + ABSTRACT)
        listener.listen(64)
        victim = subprocess.Popen(["sleep", "600"])
        Path(marker.name).chmod(0o644)
        yield [str(victim.pid), ABSTRACT, marker.name]
        victim.kill()
        victim.wait()


def plan_in(folder: Path, words: list[str], **fields: object) -> ContainerPlan:
    """The attempts as a container, as root of it."""
    scripts = folder / "scripts"
    scripts.mkdir(exist_ok=True)
    (scripts / "escapes.py").write_text(SCRIPT.read_text())
    scripts.chmod(0o755)
    (scripts / "escapes.py").chmod(0o644)
    command = ("python3", "-I", "-S", "/srv/escapes.py", *words)
    base = {"id": "e.s.0.1", "root": HOST_USR, "command": command, "limits": LIMITS, "uid": 0, "gid": 0}
    mounts = (Mount(str(scripts), "/srv", read_only=True),)
    return ContainerPlan(**{**base, "mounts": mounts, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize("user", [0, 65_534])
def test_every_way_out_is_refused(stand: Stand, words: list[str], user: int) -> None:
    async def play(driver: ShimDriver) -> None:
        plan = plan_in(stand.folder, words, uid=user, gid=user)
        state, out, err = await stand.run(driver, plan)
        assert state.exit is not None
        assert (state.exit.code, err) == (0, b"")
        outcomes = json.loads(out)
        assert {name: outcome for name, outcome in outcomes.items() if outcome == "done"} == {}
        assert set(PLANTED) <= set(outcomes)
        assert outcomes["x32"] in {"SIGSYS", "ENOSYS"}

    stand.play(play)


@pytest.mark.parametrize("opened", sorted(set(PLANTED.values())), ids="+".join)
def test_with_these_locks_open_the_attempts_would_work(
    opened: tuple[str, ...], words: list[str], tmp_path: Path
) -> None:
    require("crun")  # root, and a Python below /usr
    folder = tmp_path / "cell"
    folder.mkdir()
    plan = plan_in(tmp_path, words)
    line = [PYTHON, "-I", "-S", str(HARNESS), copy_of_the_library(tmp_path), str(folder)]
    message = json.dumps(plan_message(plan))
    done = subprocess.run([*line, message, *opened], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout)
    expected = {name for name, locks in PLANTED.items() if locks == opened}
    assert {name: outcomes[name] for name in expected} == dict.fromkeys(expected, "done")
    assert outcomes["find-the-host"] == "ENOENT"  # not even then: another root is another root


def test_the_harness_itself_refuses_everything_with_all_locks_closed(words: list[str], tmp_path: Path) -> None:
    require("crun")
    folder = tmp_path / "cell"
    folder.mkdir()
    line = [PYTHON, "-I", "-S", str(HARNESS), copy_of_the_library(tmp_path), str(folder)]
    message = json.dumps(plan_message(plan_in(tmp_path, words)))
    done = subprocess.run([*line, message], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "done" not in json.loads(done.stdout).values()


def test_all_engines_are_tried() -> None:
    assert {*ENGINES, *SERVED} == {"sandbox", "sandbox-as-nobody", "crun", "runc", "docker", "podman"}
