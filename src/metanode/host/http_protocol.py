"""uvicorn's parser with the limits it lacks: size of headers, time for them, number of connections."""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from metanode.api.errors import ApiError, ApiRefusal, explain
from metanode.host.http_answers import error_bytes
from metanode.host.http_counts import Counts
from metanode.host.http_limits import Connections
from metanode.host.http_settings import PortSettings


def _raw_refusal(error: ApiError) -> bytes:
    """An HTTP answer for a connection that will not get as far as an application."""
    body = error_bytes(error)
    status = explain(error.code).http_status
    head = f"HTTP/1.1 {status} Refused\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + b"connection: close\r\n\r\n" + body


class LimitedProtocol(HttpToolsProtocol):
    """HTTP-11, HTTP-12, HTTP-13. One connection. `_closing`: refused, whatever else arrives is ignored."""

    settings: ClassVar[PortSettings]
    places: ClassVar[Connections]
    counts: ClassVar[Counts]

    _address = ""
    _entered = False
    _closing = False
    _in_headers = True
    _received = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it, or refuse it."""
        super().connection_made(transport)
        self._address = self.client[0] if self.client else "local"
        self._entered = self.places.enter(self._address)
        if self._entered:
            self._await_headers()
        else:
            self._refuse(ApiError(ApiRefusal.BUSY, f"{self.places.open} connections are open"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no more."""
        self._stop_timer()
        if self._entered:
            self._entered = False
            self.places.leave(self._address)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and refuse headers that never end."""
        if self._closing:
            return
        self._received += len(data)
        super().data_received(data)
        if self._in_headers and self._received > self.settings.header_bytes_max:
            self._refuse_headers()

    def on_message_begin(self) -> None:
        """From here on the headers must arrive in time."""
        super().on_message_begin()
        self._await_headers()

    def on_headers_complete(self) -> None:
        """Refuse headers that are too many or too long."""
        self._in_headers = False
        self._stop_timer()
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.settings.header_bytes_max or len(self.headers) > self.settings.headers_max:
            self._refuse_headers()
        if not self._closing:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand on, unless refused."""
        if not self._closing:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Hand on, unless refused."""
        if not self._closing:
            self._received = 0
            super().on_message_complete()

    def _await_headers(self) -> None:
        self._in_headers = True
        self._stop_timer()
        self._timer = self.loop.call_later(self.settings.header_timeout_ms / 1000, self._too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._closing = True
        self.transport.close()

    def _refuse_headers(self) -> None:
        detail = f"at most {self.settings.headers_max} headers of {self.settings.header_bytes_max} bytes in all"
        self._refuse(ApiError(ApiRefusal.HEADERS_TOO_LARGE, detail))

    def _refuse(self, error: ApiError) -> None:
        if self._closing:
            return
        self._closing = True
        self.counts.refused(error.code)
        self.transport.write(_raw_refusal(error))
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """What the parser could not read."""
        self._refuse(ApiError(ApiRefusal.MALFORMED, msg))


def limited_protocol(its_settings: PortSettings, its_places: Connections, its_counts: Counts) -> type[asyncio.Protocol]:
    """The protocol class of one server."""

    class OfServer(LimitedProtocol):
        """One connection of this server."""

        settings = its_settings
        places = its_places
        counts = its_counts

    return OfServer
