"""What passes on the carriers: for people who ask which peers are talking."""

from dataclasses import dataclass, field
from typing import Final


@dataclass(slots=True)
class Line:
    """One carrier. `inbound`: the peer dialled; the bytes are those of the carrier since it was opened.

    `round_trip_ms`: how long the last word there and back took; -1 before the first.
    """

    inbound: bool = False
    bytes_in: int = 0
    bytes_out: int = 0
    round_trip_ms: int = -1


@dataclass(slots=True)
class Lines:
    """The open carriers, and which peer speaks on which. Bounded by the transport, which bounds the carriers."""

    open: dict[int, Line] = field(default_factory=dict)
    links: dict[bytes, int] = field(default_factory=dict)

    def opened(self, link: int, *, inbound: bool) -> None:
        """A carrier is open."""
        self.open[link] = Line(inbound)

    def closed(self, link: int) -> None:
        """A carrier is gone."""
        self.open.pop(link, None)

    def heard(self, link: int, count: int) -> None:
        """Bytes arrived."""
        if link in self.open:
            self.open[link].bytes_in += count

    def said(self, link: int, count: int) -> None:
        """Bytes left."""
        if link in self.open:
            self.open[link].bytes_out += count

    def rose(self, peer: bytes, link: int) -> None:
        """The handshake told who is on a carrier."""
        self.links[peer] = link

    def measured(self, peer: bytes, took_ms: int) -> None:
        """A word there and back took so long."""
        line = self.open.get(self.links.get(peer, -1))
        if line is not None:
            line.round_trip_ms = took_ms

    def fell(self, peer: bytes) -> None:
        """A peer can no longer be spoken to."""
        self.links.pop(peer, None)

    def of(self, peer: bytes) -> Line:
        """The carrier of a peer; an idle one where there is none."""
        return self.open.get(self.links.get(peer, -1), _IDLE)


_IDLE: Final = Line()
