"""The agent's log: bounded files of lines that people read."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

LOG_BYTES_MAX: Final = 4 << 20
"""One file of the agent's log."""
LOG_FILES_MAX: Final = 4
"""Older files that are kept."""
FIELDS: Final = ("container", "code", "why", "height")
"""What the agent adds to its words."""


class _Words(logging.Formatter):
    """One line: when, how grave, what, then what it is about."""

    def format(self, record: logging.LogRecord) -> str:
        said = [f"{name}={getattr(record, name)}" for name in FIELDS if getattr(record, name, "") != ""]
        head = f"{self.formatTime(record)} {record.levelname.lower():<7} {record.getMessage()}"
        lines = [" ".join((head, *said))]
        if record.exc_info:
            lines.append(self.formatException(record.exc_info))
        return "\n".join(lines)


def open_log(folder: Path) -> None:
    """The agent's log: bounded files in its folder."""
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(folder / "logs" / "agent.log", maxBytes=LOG_BYTES_MAX, backupCount=LOG_FILES_MAX)
    handler.setFormatter(_Words())
    logger = logging.getLogger("metanode.agent")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers = [handler]
