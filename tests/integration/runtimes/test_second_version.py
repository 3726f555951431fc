"""Version 2 of control groups by the kernel itself, as far as it goes without controllers: freeze, kill, remove."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.integration.runtimes.stand import alive, wait_until

from metanode.host.runtimes.shim.cgroups import GroupV2, kill_all
from metanode.host.runtimes.shim.hierarchy import mounted

pytestmark = pytest.mark.live


def test_a_group_freezes_thaws_and_goes() -> None:
    tree = mounted(Path("/proc/self/mounts").read_text()).v2
    if os.geteuid() != 0 or tree is None:
        pytest.skip("VERSION 2 NOT TRIED: needs root and a mounted cgroup2")
    folder = tree / f"mn-freeze-{os.getpid()}"
    folder.mkdir()
    group = GroupV2(folder)
    process = subprocess.Popen(["sh", "-c", "while :; do :; done"])
    try:
        group.join(process.pid)
        assert group.pids() == [process.pid]
        group.freeze(frozen=True)
        used = ticks(process.pid)
        time.sleep(0.2)
        assert ticks(process.pid) == used
        group.freeze(frozen=False)
        wait_until(lambda: ticks(process.pid) > used)
        group.freeze(frozen=True)
        os.kill(process.pid, signal.SIGKILL)  # on version 2 a frozen process, too, dies
        wait_until(lambda: not alive(process.pid))
        group.freeze(frozen=False)
        kill_all(group)
    finally:
        process.kill()
        process.wait()
        assert group.remove()
    assert not folder.exists()


def ticks(pid: int) -> int:
    """Processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return int(fields[11]) + int(fields[12])
