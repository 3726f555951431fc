"""Requests that were refused, as receipts: the first at once, its like within a minute as one, with their number."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from metanode.docklock.cluster.state import Assignment
from metanode.host.agent.records import Records
from metanode.records.workload_receipt import DetailValue, command_digest

WINDOW_MS: Final = 60_000
"""Refusals that are alike are one entry within this time, after the first."""
WINDOWS_MAX: Final = 256
"""Kinds of refusals that are told apart at once: a cluster has few accounts, and a node few workloads."""
AGAIN: Final = "refused again within a minute"
"""What an entry says that stands for several."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that was refused. `caller`: the account that signed it, empty where none did. `known`: it has to do
    with the cluster. `about`: the replica that was meant and its image, where it is one of this node's. `command`: what
    was to be executed."""

    code: str
    reason: str
    caller: bytes = b""
    known: bool = False
    about: tuple[Assignment, bytes] | None = None
    command: tuple[str, ...] = ()


@dataclass(slots=True)
class _Window:
    """The first of its kind, when that was, how many more there were."""

    first: Refused
    since_ms: int
    times: int = field(default=0)


class Refusals:
    """WREC-19. Strangers are one for this, so whoever asks under a thousand names fills nobody's log."""

    def __init__(self, records: Records, now_ms: Callable[[], int]) -> None:
        self._records: Final = records
        self._now_ms: Final = now_ms
        self._windows: Final[dict[tuple[str, bytes, str], _Window]] = {}

    def note(self, refused: Refused) -> None:
        """Write it down, or count it with its like."""
        self.sweep()
        workload = refused.about[0].workload if refused.about else ""
        key = (refused.code, refused.caller if refused.known else b"", workload)
        window = self._windows.get(key)
        if window is None and len(self._windows) >= WINDOWS_MAX:
            window = next(iter(self._windows.values()))
        if window is not None:
            window.times += 1
            return
        self._windows[key] = _Window(refused, self._now_ms())
        self._tell(refused, {"reason": refused.reason})

    def sweep(self) -> None:
        """Write down what was counted in windows that are over."""
        now_ms = self._now_ms()
        for key, window in list(self._windows.items()):
            if now_ms - window.since_ms >= WINDOW_MS:
                del self._windows[key]
                if window.times:
                    first = window.first
                    like = Refused(first.code, AGAIN, first.caller if first.known else b"", first.known, first.about)
                    self._tell(like, {"reason": AGAIN, "times": window.times})

    def _tell(self, refused: Refused, told: dict[str, DetailValue]) -> None:
        if refused.caller:
            told["caller"] = refused.caller
        if refused.command:
            told["command"] = command_digest(refused.command)
        one, image = refused.about or (None, b"")
        self._records.tell("refused", one, image, told, refused.code)
