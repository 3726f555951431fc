"""Single protections of the cage are taken out of a copy of the shim: two runs of a job then differ, and it is said in
what."""

import asyncio
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.integration.runtimes.stand import Stand, ended, require
from tests.integration.runtimes.test_cage import SEED, job

from metanode.docklock.receipts.differing import Difference, first_difference
from metanode.host.agent.witnessed import witness_of
from metanode.host.runtimes.shim.cage.numbers import name_of
from metanode.host.runtimes.shim_driver import ShimDriver
from metanode.records.determinism import Identity, Witness

pytestmark = pytest.mark.live

IDENTITY = Identity(
    chain_id=bytes(32), cluster="c", workload="w", index=0, attempt=1, revision=1, spec=bytes(32), image=b""
)
CAGE = "host/runtimes/shim/cage/"


@dataclass(frozen=True)
class Plant:
    """What is changed where, a job that shows it, and what then differs first."""

    file: str
    old: str
    new: str
    program: str
    differs: str


PLANTED = {
    "the-clock": Plant(
        CAGE + "made.py", "self.clock_ns += TICK_NS", "self.clock_ns = __import__('time').time_ns()",
        "import time; time.monotonic()", "rdtsc",
    ),
    "the-counter": Plant("host/runtimes/shim/caged.py", "    kernel.trap_counter()\n", "", "COUNT", "stdout"),
    "addresses": Plant(
        "host/runtimes/shim/caged.py", "    kernel.fix_addresses()\n", "", "print(id(object()))", "stdout"
    ),
    "chance": Plant(
        CAGE + "made.py", 'return seeded(self._facts.seed, b"drawn", self._drawn, length)',
        "return __import__('os').urandom(length)", "import os; os.urandom(1)", "getrandom",
    ),
    "chance-on-the-disk": Plant(
        CAGE + "root.py", 'seeded(plan.cage.seed, b"device", 0, RANDOM_BYTES)', "os.urandom(RANDOM_BYTES)",
        "print(open('/dev/urandom', 'rb').read(8))", "stdout",
    ),
    "times-of-files": Plant(
        CAGE + "files.py", "(START_S, 0) if fresh else changed", "changed",
        "import os; open('/tmp/x', 'w').close(); os.stat('/tmp/x')", "newfstatat",
    ),
    "who-else-is-there": Plant(
        CAGE + "files.py", "return self._numbers.setdefault((device, inode), len(self._numbers) + 1)",
        "return device * 7919 + inode", "import os; os.stat('/etc/hosts')", "newfstatat",
    ),
}  # fmt: skip
COUNT = """
import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=7)
page.write(bytes.fromhex("0f31c3"))
print(ctypes.CFUNCTYPE(ctypes.c_uint32)(ctypes.addressof(ctypes.c_char.from_buffer(page)))())
"""


async def seen(driver: ShimDriver, stand: Stand, program: str) -> tuple[Witness, bytes]:
    """The witness of one run, and its single observations."""
    plan = job(stand, COUNT if program == "COUNT" else program)
    await driver.create(plan)
    await driver.start(plan.id)
    state = await ended(driver, plan)
    assert state.witness is not None
    assert state.exit is not None
    kept = await asyncio.to_thread(Path(state.witness.folder, "observations").read_bytes)
    await driver.remove(plan.id)
    return witness_of(IDENTITY, state.witness, b"", state.exit), kept


def difference(plant: Plant | None, program: str) -> Difference | None:
    """Between two runs by a shim that has this fault."""
    require("sandbox" if os.geteuid() == 0 else "crun")
    assert len(SEED) == 32
    with tempfile.TemporaryDirectory(prefix="mnpl-") as folder:
        stand = Stand("sandbox", Path(folder))
        if plant is not None:
            file = Path(stand.place.library, "metanode", plant.file)
            text = file.read_text()
            assert text.count(plant.old) == 1, plant.old
            file.write_text(text.replace(plant.old, plant.new))

        async def play(driver: ShimDriver) -> Difference | None:
            (first, kept), (again, kept_again) = [await seen(driver, stand, program) for _ in range(2)]
            return first_difference(first, again, kept, kept_again)

        found: Difference | None = stand.play(play)
        stand.end()
        return found


@pytest.mark.parametrize("name", PLANTED)
def test_without_it_two_runs_differ_in_what_it_is_for(name: str) -> None:
    plant = PLANTED[name]
    found = difference(plant, plant.program)
    assert found is not None, "the fault changes nothing that a job could see"
    told = name_of(found.call) if found.call >= 0 else found.what
    assert told == plant.differs, found


def test_with_all_of_them_none_of_these_jobs_differs() -> None:
    programs = sorted({plant.program for plant in PLANTED.values()} - {"COUNT"})
    whole = "\n".join(programs) + COUNT
    assert difference(None, whole) is None
