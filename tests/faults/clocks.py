"""A wall clock for each node that can be stepped while it runs: libfaketime, told by a file. Its monotonic clock stays
true, as with a real step (by hand, by NTP, after a machine was suspended)."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

LIBRARIES: Final = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
)
"""Where Debian's package `faketime` puts it."""
_ASK: Final = "import time; print(time.time_ns(), time.monotonic_ns())"
_PROBE_STEP_S: Final = 1_000


def library() -> str:
    """The library, empty where it is not installed."""
    return next((path for path in LIBRARIES if Path(path).is_file()), "")


def environment(control: Path) -> dict[str, str]:
    """What makes a process read its wall clock by way of this file."""
    return {
        "LD_PRELOAD": library(),
        "FAKETIME_TIMESTAMP_FILE": str(control),
        "FAKETIME_CACHE_DURATION": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def step(control: Path, by_ms: int) -> None:
    """The wall clock is so far from the true one; it is noticed within a second. The file is replaced at once: a
    process that reads it half-written would have a third time."""
    new = control.with_suffix(".new")
    new.write_text(f"{by_ms / 1000:+.3f}\n")
    new.replace(control)


def why_no_clocks(folder: Path) -> str:
    """Why clocks cannot be stepped here; empty where they can. Tried, not believed."""
    if not library():
        return "no libfaketime (install Debian's package `faketime`)"
    control = folder / "probe.clock"
    step(control, _PROBE_STEP_S * 1000)
    true = time.time_ns(), time.monotonic_ns()
    done = subprocess.run(
        [sys.executable, "-c", _ASK],
        env={**os.environ, **environment(control)},
        capture_output=True,
        text=True,
        check=False,
    )
    control.unlink()
    if done.returncode:
        return f"libfaketime does not load: {done.stderr.strip()[-200:]}"
    wall, monotonic = (int(word) for word in done.stdout.split())
    if abs(wall - true[0] - _PROBE_STEP_S * 10**9) > 60 * 10**9:
        return "libfaketime does not step the wall clock"
    if not 0 <= monotonic - true[1] < 60 * 10**9:
        return "libfaketime steps the monotonic clock, too"
    return ""


def sweep(process_ids: set[int]) -> None:
    """A killed process leaves its shared memory of libfaketime behind: take away what these left."""
    for path in Path("/dev/shm").glob("*faketime*"):
        if path.name.rpartition("_")[2] in {str(number) for number in process_ids}:
            path.unlink(missing_ok=True)
