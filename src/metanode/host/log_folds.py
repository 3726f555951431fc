"""Bounded logs: the first lines of a kind are written, the rest of some seconds is one line with a count."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

PERIOD_S: Final = 10.0
"""What is counted together."""
KIND_LINES_MAX: Final = 8
"""Lines of one kind within a period: enough to see what it is and of whom."""
LINES_MAX: Final = 100
"""Lines of all kinds within a period: some 200 MB a day, however many kinds of wrong a liar knows."""
KINDS_MAX: Final = 256
"""Kinds counted apart; those beyond are counted together."""
FIELDS: Final = "metanode_fields"
"""The attribute of a record that holds its fields."""
OTHERS: Final = ("others", "")
"""The kind of what is beyond `KINDS_MAX`."""

Kind = tuple[str, str]


@dataclass(slots=True)
class _Count:
    """One kind in its period."""

    until: float
    level: int
    written: int = 0
    folded: int = 0
    """What the lines not written stand for: one each, or the `count` they have."""


class Folds(logging.Filter):
    """DISK-23. Lets a record pass, or counts it. A kind is what a line says together with its `reason`; who is guilty
    does not make another kind, for a flood has many names. Debug lines always pass: whoever wants them wants all."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        super().__init__()
        self._seconds: Final = seconds
        self._counts: Final[dict[Kind, _Count]] = {}
        self._all = _Count(0.0, logging.INFO)
        self.folded = 0
        """Lines that were only counted, since the start."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is written."""
        if record.levelno <= logging.DEBUG or record.levelno >= logging.CRITICAL:
            return True
        now = self._seconds()
        if now >= self._all.until:
            self._all = _Count(now + PERIOD_S, logging.INFO)
        kind = _kind(record)
        if kind not in self._counts and len(self._counts) >= KINDS_MAX:
            kind = OTHERS
        count = self._counts.setdefault(kind, _Count(now + PERIOD_S, record.levelno))
        if count.written < KIND_LINES_MAX and self._all.written < LINES_MAX:
            count.written += 1
            self._all.written += 1
            return True
        count.folded += _stands_for(record)
        self.folded += 1
        return False

    def due(self, *, all_: bool = False) -> list[tuple[int, Mapping[str, int | str]]]:
        """Levels and fields of the lines that stand for what was counted in periods now over (or in `all_` of them)."""
        now = self._seconds()
        over = [(kind, count) for kind, count in self._counts.items() if all_ or now >= count.until]
        for kind, _ in over:
            del self._counts[kind]
        return [
            (count.level, {"of": what, **({"reason": reason} if reason else {}), "count": count.folded})
            for (what, reason), count in over
            if count.folded
        ]


def _stands_for(record: logging.LogRecord) -> int:
    count = getattr(record, FIELDS, {}).get("count", 1)
    return count if isinstance(count, int) else 1


def _kind(record: logging.LogRecord) -> Kind:
    fields: Mapping[str, Any] | None = getattr(record, FIELDS, None)
    if fields is None:
        return str(record.msg), ""  # of a library: its template, not what strangers put into it
    return record.getMessage(), str(fields.get("reason", ""))
