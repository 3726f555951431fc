"""HTTP towards registries: one request, one connection; redirects within bounds; secrets stay where they belong."""

import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import urljoin, urlsplit

from metanode.docklock.images.refusals import RegistryRefusal
from metanode.primitives.refusal import Rejected

REDIRECTS_MAX: Final = 5
"""Most redirects of one request."""
STALL_SECONDS: Final = 30.0
"""How long a registry may say nothing."""
URL_MAX: Final = 4096
"""Longest address; those that storage behind a registry signs have some 1,500 characters."""
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PORTS: Final = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Url:
    """An address of the web: where to connect, and what to ask for there."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """Who answers there: what is meant for one origin is not told another."""
        return self.scheme, self.host, self.port

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can read along: encrypted, or within this machine."""
        if self.scheme == "https" or self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        """For sentences: without the query, which may hold a signature."""
        return self.whole.partition("?")[0][:200]

    @property
    def whole(self) -> str:
        """The address as it is asked for."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.target}"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose body is still to be read. `url`: where it came from, redirects followed."""

    url: Url
    status: int
    headers: http.client.HTTPMessage
    body: http.client.HTTPResponse = field(repr=False)

    def header(self, name: str) -> str:
        """A header, or an empty text."""
        return self.headers.get(name, "")

    def read(self, bytes_max: int) -> bytes:
        """The body. Refused: a longer one, and one that breaks off."""
        try:
            data = self.body.read(bytes_max + 1)
        except (OSError, http.client.HTTPException) as error:
            raise unreachable(self.url, error) from error
        if len(data) > bytes_max:
            raise Rejected(RegistryRefusal.PROTOCOL, f"{self.url}: more than {bytes_max} bytes")
        return data


def parse_url(text: str) -> Url:
    """IMG-22. An address with `http` or `https`, a host, no name and password in it; a fragment is dropped."""
    if len(text) > URL_MAX or not text.isascii() or any(letter <= " " for letter in text):
        raise Rejected(RegistryRefusal.PROTOCOL, f"no address: {text[:100]!r}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise Rejected(RegistryRefusal.PROTOCOL, f"no address: {text[:100]!r}: {error}") from None
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        raise Rejected(RegistryRefusal.PROTOCOL, f"no address of http or https: {text[:100]!r}")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Url(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], target)


class Web:
    """IMG-23. Requests over HTTP. `authority`: a file of certificates to trust besides those of the system."""

    def __init__(self, authority: Path | None = None, stall: float = STALL_SECONDS) -> None:
        self._tls = ssl.create_default_context()
        if authority is not None:
            self._tls.load_verify_locations(authority)
        self._stall = stall

    @contextmanager
    def ask(
        self,
        method: str,
        url: Url,
        headers: Mapping[str, str],
        secret: str = "",
        body: bytes | BinaryIO | None = None,
        length: int = 0,
    ) -> Iterator[Answer]:
        """The answer of a request; of GET and HEAD redirects are followed. `secret`: the header Authorization, which
        only the first origin is told. `length`: of the body, in bytes.
        """
        origin = url.origin
        for _ in range(REDIRECTS_MAX + 1):
            sent = dict(headers)
            if secret and url.origin == origin:
                sent["Authorization"] = secret
            if body is not None:
                sent["Content-Length"] = str(length)
            connection = self._connection(url)
            with closing(connection), self._answer(connection, method, url, sent, body) as answer:
                if answer.status not in _REDIRECTS or method not in ("GET", "HEAD"):
                    yield answer
                    return
                url = _redirected(url, answer.header("Location"))
        raise Rejected(RegistryRefusal.REDIRECTED, f"more than {REDIRECTS_MAX} redirects, the last to {url}")

    def _connection(self, url: Url) -> http.client.HTTPConnection:
        if url.scheme == "https":
            return http.client.HTTPSConnection(url.host, url.port, timeout=self._stall, context=self._tls)
        return http.client.HTTPConnection(url.host, url.port, timeout=self._stall)

    @staticmethod
    @contextmanager
    def _answer(
        connection: http.client.HTTPConnection,
        method: str,
        url: Url,
        headers: Mapping[str, str],
        body: bytes | BinaryIO | None,
    ) -> Iterator[Answer]:
        try:
            connection.request(method, url.target, body, dict(headers))
            response = connection.getresponse()
        except ssl.SSLCertVerificationError as error:
            detail = f"{url}: its certificate is not trusted: {error.verify_message}"
            raise Rejected(RegistryRefusal.INSECURE, detail) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise unreachable(url, error) from error
        with response:
            yield Answer(url, response.status, response.headers, response)


def unreachable(url: Url, error: Exception) -> Rejected:
    """What is told of a connection that does not come about, or breaks."""
    why = "it says nothing" if isinstance(error, socket.timeout) else str(error) or type(error).__name__
    return Rejected(RegistryRefusal.UNREACHABLE, f"{url}: {why[:200]}")


def joined(url: Url, text: str) -> Url:
    """The address that a header Location means, which may be written without what `url` says already."""
    try:
        return parse_url(urljoin(url.whole, text[: URL_MAX + 1]))
    except ValueError as error:
        raise Rejected(RegistryRefusal.PROTOCOL, f"no address: {text[:100]!r}: {error}") from None


def _redirected(url: Url, location: str) -> Url:
    """Where a redirect leads; never from an encrypted connection to one that is not."""
    if not location:
        raise Rejected(RegistryRefusal.REDIRECTED, f"{url} redirects to nowhere")
    to = joined(url, location)
    if url.scheme == "https" and to.scheme != "https":
        raise Rejected(RegistryRefusal.INSECURE, f"{url} redirects to {to}, which is not encrypted")
    return to
