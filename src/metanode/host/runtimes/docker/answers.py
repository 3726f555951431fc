"""What an engine answers, as far as it is used, and what it means here."""

import calendar
import re
import signal
import time
from typing import Final

import msgspec

from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.states import Exit, Phase
from metanode.primitives.refusal import Rejected

_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
_ZERO_YEAR: Final = "0001-"
"""How Go says that it has not happened."""
_SIGNALS: Final = frozenset(int(number) for number in signal.valid_signals())
NEVER_BEGAN: Final = 125
"""The exit code of a program that could not be begun, as for every driver."""
_PHASES: Final = {
    "created": Phase.CREATED,
    "configured": Phase.CREATED,
    "initialized": Phase.CREATED,
    "running": Phase.RUNNING,
    "stopping": Phase.RUNNING,
    "paused": Phase.PAUSED,
    "exited": Phase.EXITED,
    "stopped": Phase.EXITED,
    "removing": Phase.EXITED,
    "dead": Phase.EXITED,
}
"""Words of dockerd and of podman."""


class State(msgspec.Struct, frozen=True, rename="pascal"):
    """`State` of a container."""

    status: str
    started_at: str
    finished_at: str
    pid: int = 0
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = msgspec.field(default=False, name="OOMKilled")


class Config(msgspec.Struct, frozen=True, rename="pascal"):
    """`Config` of a container."""

    labels: dict[str, str] | None = None


class Inspected(msgspec.Struct, frozen=True, rename="pascal"):
    """A container."""

    id: str
    created: str
    state: State
    config: Config
    log_path: str = ""
    exec_ids: list[str] | None = msgspec.field(default=None, name="ExecIDs")


class Listed(msgspec.Struct, frozen=True, rename="pascal"):
    """A container, in a list."""

    id: str


class Created(msgspec.Struct, frozen=True, rename="pascal"):
    """What was made: a container, or a command in one."""

    id: str


class Executed(msgspec.Struct, frozen=True, rename="pascal"):
    """A command in a container."""

    running: bool
    exit_code: int | None = None
    pid: int = 0


class Layers(msgspec.Struct, frozen=True, rename="pascal"):
    """What an image is made of: digests of its layers, not compressed."""

    layers: tuple[str, ...] = ()


class ImageInspected(msgspec.Struct, frozen=True, rename="pascal"):
    """An image. `id` never names another one."""

    id: str
    root: Layers = msgspec.field(name="RootFS")


class ImageListed(msgspec.Struct, frozen=True, rename="pascal"):
    """An image, in a list."""

    id: str
    repo_tags: list[str] | None = None


class Component(msgspec.Struct, frozen=True, rename="pascal"):
    """One of the programs an engine is made of."""

    name: str
    version: str = ""


class Version(msgspec.Struct, frozen=True, rename="pascal"):
    """What the engine is."""

    version: str
    api_version: str
    least: str = msgspec.field(default="", name="MinAPIVersion")
    components: list[Component] = []


class Info(msgspec.Struct, frozen=True, rename="pascal"):
    """What it has."""

    security_options: list[str] | None = None
    cgroup_driver: str = ""
    memory_limit: bool = False
    pids_limit: bool = False
    cpu_cfs_quota: bool = False


def unix_ns(text: str) -> int:
    """A time of RFC 3339 as nanoseconds of Unix time; 0 for what has not happened. Raises `Rejected`."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise Rejected(RuntimeRefusal.ENGINE_ANSWER, f"{text[:40]!r} is no time")
    if text.startswith(_ZERO_YEAR):
        return 0
    whole, fraction, zone = found.groups()
    seconds = calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
    if zone != "Z":
        hours, minutes = zone[1:].split(":")
        seconds -= (1 if zone[0] == "+" else -1) * (int(hours) * 3600 + int(minutes) * 60)
    return seconds * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))


def phase_of(state: State) -> Phase:
    """How far a container is. One whose program could not be begun stays `created` with dockerd: here it has ended."""
    phase = _PHASES.get(state.status)
    if phase is None:
        raise Rejected(RuntimeRefusal.ENGINE_ANSWER, f"{state.status[:40]!r} is no state of a container")
    if phase is Phase.CREATED and (state.error or state.exit_code):
        return Phase.EXITED
    return phase


def exit_of(state: State, *, oom: bool) -> Exit:
    """DOCKER-6. How it ended. The API has one number: 128 and a signal's is taken for the signal. An engine may write
    down the start of what ended at once after its end: nothing ends before it began."""
    ended_ns = max(unix_ns(state.finished_at), unix_ns(state.started_at))
    if state.status == "created":
        return Exit(NEVER_BEGAN, 0, oom=False, at_ns=ended_ns)
    code = state.exit_code & 0xFF
    number = code - 128 if code - 128 in _SIGNALS else 0
    return Exit(code, number, oom=oom, at_ns=ended_ns)
