"""What one operator may choose about the public port. Checked at birth; unknown or unsafe values never start."""

import ipaddress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from metanode.api.method import Scope
from metanode.primitives.refusal import Refusal, Rejected

TOKEN_CHARACTERS_MIN: Final = 32
"""A token of 32 random characters cannot be guessed."""
BODY_BYTES_MAX: Final = 8 << 20
"""The largest batch: 4,096 transactions of 2 KiB. Larger transactions travel in smaller batches."""
HEADER_BYTES_MAX: Final = 16_384
"""Request line and headers together; ours take a few hundred bytes."""
HEADERS_MAX: Final = 64
"""Number of headers; a browser sends some 20."""


class PortRefusal(Refusal):
    """Why the port is not opened."""

    TOKENS_REQUIRED = "settings.http-tokens-required"
    """Bound beyond loopback without a bearer token: anyone on the network could submit."""
    BAD_TOKEN = "settings.http-bad-token"  # noqa: S105
    """A token without name or scope, of a wrong digest, or two of one name."""
    OUT_OF_RANGE = "settings.http-out-of-range"
    """A number that is not positive, or an address that is none."""


@dataclass(frozen=True, slots=True)
class Token:
    """HTTP-9. A bearer token by the SHA-256 of its text in hexadecimal, so that the settings do not hold it."""

    name: str
    sha256: str
    scopes: tuple[Scope, ...]


def token_digest(text: str) -> str:
    """HTTP-9. What the settings hold of a token. Raises `Rejected` where it could be guessed."""
    if len(text) < TOKEN_CHARACTERS_MIN:
        raise Rejected(PortRefusal.BAD_TOKEN, f"{len(text)} characters, at least {TOKEN_CHARACTERS_MIN}")
    return sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class PortSettings:
    """Times in milliseconds, sizes in bytes, rates in requests a second and address (or token).

    `hosts`: names this node answers for beside `localhost` and IP addresses, where no tokens are asked for. `origins`:
    web sites whose pages may call. `development`: what genesis says. `metrics`: whether `/metrics` is answered.
    `tls_certificate` and `tls_key`: paths of PEM files, empty for plain HTTP.
    """

    address: str = "127.0.0.1"
    port: int = 26600
    tokens: tuple[Token, ...] = ()
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    development: bool = False
    body_bytes_max: int = BODY_BYTES_MAX
    header_bytes_max: int = HEADER_BYTES_MAX
    headers_max: int = HEADERS_MAX
    connections_max: int = 512
    connections_per_address_max: int = 256
    streams_max: int = 128
    waits_max: int = 1_024
    rate_per_second: int = 2_000
    rate_burst: int = 4_000
    request_timeout_ms: int = 15_000
    header_timeout_ms: int = 10_000
    keep_alive_ms: int = 60_000
    heartbeat_ms: int = 15_000
    stall_ms: int = 10_000
    tls_certificate: str = ""
    tls_key: str = ""
    metrics: bool = True
    version: str = field(default="0.0.0")

    def __post_init__(self) -> None:
        """HTTP-7. Loopback by default; anywhere else only with tokens."""
        try:
            address = ipaddress.ip_address(self.address)
        except ValueError:
            raise Rejected(PortRefusal.OUT_OF_RANGE, f"{self.address!r} is not an IP address") from None
        if not address.is_loopback and not self.tokens:
            raise Rejected(
                PortRefusal.TOKENS_REQUIRED,
                f"http.address = {self.address!r} is open to the network: add http.tokens, or use 127.0.0.1",
            )
        if len({token.name for token in self.tokens}) != len(self.tokens):
            raise Rejected(PortRefusal.BAD_TOKEN, "two tokens have the same name")
        for token in self.tokens:
            _check_token(token)
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if type(value) is int and value < (0 if name == "port" else 1):
                raise Rejected(PortRefusal.OUT_OF_RANGE, f"http.{name} = {value}")
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise Rejected(PortRefusal.OUT_OF_RANGE, "http.tls_certificate and http.tls_key go together")


def _check_token(token: Token) -> None:
    digits = set(token.sha256) <= set("0123456789abcdef")
    if not token.name or not token.scopes or len(token.sha256) != 64 or not digits:
        raise Rejected(
            PortRefusal.BAD_TOKEN, f"token {token.name!r}: name, scopes and a SHA-256 of 64 hex digits are due"
        )
