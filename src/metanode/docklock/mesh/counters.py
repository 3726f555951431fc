"""MESH-16. What was carried, by service and node."""

from dataclasses import dataclass
from typing import Final

ROWS_MAX: Final = 1_024
"""Most rows; what comes beyond them is counted in one row for all."""
OTHERS: Final = ("*", "*")
"""The row for all others."""


@dataclass(slots=True)
class Row:
    """Flows `opened`, `refused` and now `open`; bytes to the service and from it."""

    opened: int = 0
    refused: int = 0
    open: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0


class Counters:
    """Rows by (service, node)."""

    def __init__(self) -> None:
        self._rows: Final[dict[tuple[str, str], Row]] = {}

    def row(self, service: str, node: str) -> Row:
        """The row of a service and a node."""
        key = service, node
        if key not in self._rows and len(self._rows) >= ROWS_MAX:
            key = OTHERS
        return self._rows.setdefault(key, Row())

    def rows(self) -> dict[tuple[str, str], Row]:
        """All of them."""
        return self._rows
