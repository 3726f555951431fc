"""What the public port counts of itself, as text for Prometheus beside the node's own metrics."""

from collections.abc import Callable
from typing import Final

CODES_MAX: Final = 256
"""Different codes counted by name: there are fewer; whatever comes beyond is `other`."""
HEADER: Final = b"metanode-code"
"""The header in which an HTTP answer that is an error repeats its code."""


class Counts:
    """HTTP-6. Requests, and refusals by code. `gauges`: numbers of the moment by the name of their metric."""

    def __init__(self) -> None:
        self._requests = 0
        self._refused: Final[dict[str, int]] = {}
        self.gauges: Final[dict[str, Callable[[], int]]] = {}

    def asked(self) -> None:
        """One more request."""
        self._requests += 1

    def refused(self, code: str) -> None:
        """One more refusal."""
        if code not in self._refused and len(self._refused) >= CODES_MAX:
            code = "other"
        self._refused[code] = self._refused.get(code, 0) + 1

    def render(self) -> bytes:
        """The text format of Prometheus, version 0.0.4."""
        lines = [
            "# HELP metanode_http_requests_total Requests at the public port.",
            "# TYPE metanode_http_requests_total counter",
            f"metanode_http_requests_total {self._requests}",
            "# HELP metanode_http_refused_total Requests refused, by code.",
            "# TYPE metanode_http_refused_total counter",
            *(f'metanode_http_refused_total{{code="{code}"}} {count}' for code, count in self._refused.items()),
        ]
        for name, value in self.gauges.items():
            lines += [f"# TYPE {name} gauge", f"{name} {value()}"]
        return "\n".join(lines).encode() + b"\n"
