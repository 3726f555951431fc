"""Logs: a fold over notes. One handler, bounded on the disk and in its pace, no secrets, and never a reason to stop."""

import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from os import SEEK_END
from pathlib import Path
from time import monotonic
from typing import Any, Final

import msgspec

from metanode.host.fault import disk_fault
from metanode.host.log_folds import FIELDS, Folds
from metanode.host.settings import LogFormat, LogLevel, LogSettings
from metanode.node.effects import Note

TEXT_MAX: Final = 2_000
"""Longest value of a field, in characters: strangers choose some of them."""
HIDDEN: Final = ("password", "secret", "seed", "token", "private", "mnemonic")
"""A field with one of these in its name is not written, whoever put it there by mistake."""
LIBRARIES: Final = ("asyncio", "metanode.http", "uvicorn.error")
"""Loggers of this process that are not the node's: what they warn of is written with the rest, and bounded like it."""

NOTE_LEVELS: Final[Mapping[str, int]] = {
    "final": logging.DEBUG,
    "evicted": logging.DEBUG,
    "refused": logging.DEBUG,
    "blame": logging.WARNING,
    "block_refused": logging.WARNING,
    "dropped": logging.WARNING,
    "evidence": logging.WARNING,
    "guard_refused": logging.WARNING,
    "shed": logging.WARNING,
    "unknown_letter": logging.WARNING,
}
"""The level of each kind of note; what is not listed is INFO."""

_LEVELS: Final[Mapping[LogLevel, int]] = {
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}


class _Json(logging.Formatter):
    """One JSON object a line: when, level, node, what, then the fields."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": _instant(record),
            "level": record.levelname.lower(),
            "node": self._name,
            "what": record.getMessage()[:TEXT_MAX],
        }
        line.update((f"field_{k}" if k in line else k, v) for k, v in getattr(record, FIELDS, {}).items())
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


class _Human(logging.Formatter):
    """Time, level, node, what, `key=value`…; line breaks and control characters of strangers are escaped."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {key}={_value(value)}" for key, value in getattr(record, FIELDS, {}).items())
        what = _visible(record.getMessage()[:TEXT_MAX])
        line = f"{_instant(record)} {record.levelname:<8} {self._name} {what}{fields}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _Quiet(logging.Handler):
    """What both handlers share: a line that cannot be written is counted, and that is all."""

    lost_lines = 0

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802
        self.lost_lines += 1


class _QuietFile(_Quiet, RotatingFileHandler):
    """A file, rotated by size."""


class _QuietStream(_Quiet, logging.StreamHandler):  # type: ignore[type-arg]
    """Standard error."""


class Log:
    """The log of one node in this process."""

    def __init__(
        self, settings: LogSettings, name: str, folder: Path, seconds: Callable[[], float] = monotonic
    ) -> None:
        """`name`: of the node; `folder`: what a relative file is relative to; `seconds`: a clock that never goes back.
        Raises `Fault` where it cannot write."""
        self._handler: _QuietFile | _QuietStream
        if settings.file:
            path = folder / settings.file
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                _end_last_line(path)
                self._handler = _QuietFile(
                    path, maxBytes=settings.file_bytes_max, backupCount=settings.files_max, encoding="utf-8"
                )
            except OSError as error:
                raise disk_fault(error, f"opening the log {path}") from error
        else:
            self._handler = _QuietStream(sys.stderr)
        self._handler.setFormatter(_Json(name) if settings.format is LogFormat.JSON else _Human(name))
        self._logger = logging.Logger(f"metanode.{name}", _LEVELS[settings.level])  # noqa: LOG001 - its own, no global
        self._logger.addHandler(self._handler)
        self._folds = Folds(seconds)
        self._handler.addFilter(self._folds)
        for library in LIBRARIES:
            logger = logging.getLogger(library)
            logger.addHandler(self._handler)
            logger.setLevel(logging.WARNING)
            logger.propagate = False

    @property
    def folded_lines(self) -> int:
        """Lines that were counted and not written, for metrics."""
        return self._folds.folded

    @property
    def lost_lines(self) -> int:
        """Lines that could not be written, for metrics."""
        return self._handler.lost_lines

    def write(self, level: LogLevel, what: str, **fields: int | str) -> None:
        """One line of the host's own."""
        self._write(_LEVELS[level], what, fields)

    def note(self, note: Note) -> None:
        """One line of the node's."""
        self._write(NOTE_LEVELS.get(note.kind, logging.INFO), note.kind, note.fields)

    def bug(self, method: str, error: Exception) -> None:
        """HTTP-21. A bug that cost one answer, and where it is."""
        self._logger.error("bug", exc_info=error, extra={FIELDS: {"method": method, "error": repr(error)[:TEXT_MAX]}})

    def crash(self, error: BaseException) -> None:
        """The last line: what ended the node, and where."""
        self._logger.critical("crashed: %s", error, exc_info=error)

    def turn(self, *, last: bool = False) -> None:
        """Now and then: a line for what was counted instead of written, for each kind whose period is over."""
        for level, fields in self._folds.due(all_=last):
            record = self._logger.makeRecord(
                self._logger.name, level, "", 0, "folded", (), None, extra={FIELDS: _shown(fields)}
            )
            self._handler.emit(record)

    def close(self) -> None:
        """Flush and close."""
        self.turn(last=True)
        for library in LIBRARIES:
            logger = logging.getLogger(library)
            logger.removeHandler(self._handler)
            logger.setLevel(logging.NOTSET)
            logger.propagate = True
        self._logger.removeHandler(self._handler)
        with suppress(OSError):  # what ended the node is told instead
            self._handler.close()

    def _write(self, level: int, what: str, fields: Mapping[str, int | str]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", what, extra={FIELDS: _shown(fields)})


def _end_last_line(path: Path) -> None:
    """A line that was torn, by a full disk or a power cut, must not spoil the first one of this process."""
    if path.is_file() and path.stat().st_size:
        with suppress(OSError), path.open("rb+") as file:
            file.seek(-1, SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")


def _shown(fields: Mapping[str, int | str]) -> dict[str, int | str]:
    return {key: _field(key, value) for key, value in fields.items()}


def _field(key: str, value: int | str) -> int | str:
    if any(word in key.lower() for word in HIDDEN):
        return "(hidden)"
    return value if isinstance(value, int) else value[:TEXT_MAX]


def _visible(text: str) -> str:
    return text if text.isprintable() else repr(text)


def _value(value: int | str) -> str:
    text = str(value)
    return text if text and text.isprintable() and not any(c in text for c in " =\"'") else repr(text)


def _instant(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
