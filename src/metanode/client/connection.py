"""One connection to one node: kept alive, within a deadline, opened again where it broke."""

import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from metanode.api.errors import ApiError, ApiRefusal, error_form
from metanode.client.failures import DeadlinePassed, Unreachable, failure

ANSWER_BYTES_MAX: Final = 64 << 20
"""The largest answer is a full block as hexadecimal text; more is not from a Metanode node."""


class Response(NamedTuple):
    """What came back."""

    status: int
    media_type: str
    body: bytes


class Streaming(NamedTuple):
    """An answer that goes on and on. `plug`: its socket; shutting it down wakes who reads, from any thread."""

    response: http.client.HTTPResponse
    plug: socket.socket


class Connection:
    """HTTP-16. Not for several threads at once. `url` without a path; `authority` a PEM file for a private TLS root."""

    def __init__(self, url: str, token: str = "", authority: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise failure(ApiRefusal.UNREACHABLE, f"{url!r} is not a node's URL such as http://127.0.0.1:26600")
        try:
            self._port = parts.port
        except ValueError as error:
            raise failure(ApiRefusal.UNREACHABLE, f"{url!r}: {error}") from None
        self.url: Final = url.rstrip("/")
        self._host: Final = parts.hostname
        try:
            is_tls = parts.scheme == "https"
            self._context: Final = ssl.create_default_context(cafile=authority or None) if is_tls else None
        except OSError as error:  # `SSLError` is one
            raise failure(ApiRefusal.UNREACHABLE, f"{authority}: not the PEM file of a certificate: {error}") from None
        self._headers: Final[dict[str, str]] = {"Authorization": f"Bearer {token}"} if token else {}
        self._open: http.client.HTTPConnection | None = None

    def close(self) -> None:
        """Hang up; the next request dials again."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def request(
        self, verb: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None, *, timeout_s: float
    ) -> Response:
        """Ask and read the whole answer. Every request of ours may be sent twice, so a kept connection that turns out
        to be dead is replaced once. Raises `Unreachable`, `DeadlinePassed` or a `ClientError`."""
        deadline = time.monotonic() + timeout_s
        kept = self._open is not None
        try:
            return self._once(verb, path, body, headers, deadline)
        except TimeoutError:
            self.close()
            raise self._late(verb, path, timeout_s) from None
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if not kept:
                raise failure(ApiRefusal.UNKNOWN_OUTCOME, f"{self.url} hung up during {verb} {path}: {error}") from None
        try:
            return self._once(verb, path, body, headers, deadline)
        except TimeoutError:
            self.close()
            raise self._late(verb, path, timeout_s) from None
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise failure(ApiRefusal.UNKNOWN_OUTCOME, f"{self.url} hung up during {verb} {path}: {error}") from None

    def stream(self, path: str, headers: Mapping[str, str], *, timeout_s: float) -> Streaming:
        """Ask on a connection of its own, which closes with the answer. `timeout_s`: of each read. Raises
        `Unreachable`."""
        connection = self._dial(timeout_s)
        plug = connection.sock
        try:
            connection.request("GET", path, headers={**self._headers, **headers, "Connection": "close"})
            return Streaming(connection.getresponse(), plug)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unreachable(error_form(ApiError(ApiRefusal.UNREACHABLE, f"{self.url}: {error}"))) from None

    def _late(self, verb: str, path: str, timeout_s: float) -> DeadlinePassed:
        detail = f"no answer to {verb} {path} within {timeout_s:g} s"
        return DeadlinePassed(error_form(ApiError(ApiRefusal.DEADLINE, detail)))

    def _once(self, verb: str, path: str, body: bytes, headers: Mapping[str, str] | None, deadline: float) -> Response:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if self._open is None:
            self._open = self._dial(left)
        connection = self._open
        if connection.sock is not None:
            connection.sock.settimeout(left)
        connection.request(verb, path, body or None, {**self._headers, **(headers or {})})
        response = connection.getresponse()
        data = response.read(ANSWER_BYTES_MAX + 1)
        if response.length and len(data) <= ANSWER_BYTES_MAX:
            raise http.client.IncompleteRead(data, response.length)
        if len(data) > ANSWER_BYTES_MAX:
            self.close()
            raise failure(ApiRefusal.BAD_ANSWER, f"{self.url} answers with more than {ANSWER_BYTES_MAX} bytes")
        if response.will_close:
            self.close()
        return Response(response.status, response.headers.get_content_type(), data)

    def _dial(self, timeout_s: float) -> http.client.HTTPConnection:
        connection = (
            http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)
            if self._context is None
            else http.client.HTTPSConnection(self._host, self._port, timeout=timeout_s, context=self._context)
        )
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            why = (error.strerror or str(error)).lower()
            raise Unreachable(error_form(ApiError(ApiRefusal.UNREACHABLE, f"{self.url}: {why}"))) from None
        return connection
