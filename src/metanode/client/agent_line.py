"""The line to an agent: requests signed by an account, answers as a whole or line by line."""

import http.client
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import msgspec

from metanode.api.errors import ApiError, ApiRefusal, error_form
from metanode.client.failures import ClientError, Unreachable, failure
from metanode.primitives import ed25519
from metanode.records.agent_request import authorization

TIMEOUT_S: Final = 10.0
"""How long an agent may take to begin its answer."""
SILENCE_S: Final = 3_600.0
"""How long a followed log or a command may say nothing."""
PIECE_BYTES: Final = 1 << 20
"""One piece of content."""
ANSWER_BYTES_MAX: Final = 16 << 20
"""Largest answer that is read as a whole; a line of a stream is no longer either."""


class AgentLine:
    """One agent at `host:port`; `key` is that of the account that asks. Raises `ClientError` with the agent's code,
    `Unreachable`."""

    def __init__(self, endpoint: str, cluster: str, key: ed25519.SigningKey) -> None:
        self._endpoint: Final = endpoint
        self._cluster: Final = cluster
        self._key: Final = key

    def ask(self, verb: str, path: str, body: bytes = b"") -> bytes:
        """The answer to any other request, by its path with its query."""
        return self._ask(verb, path, body)

    def begin(self, verb: str, path: str) -> http.client.HTTPConnection:
        """A request whose body is yet to be sent, in chunks; the path is signed, the body is not."""
        connection = http.client.HTTPConnection(self._endpoint, timeout=SILENCE_S)
        try:
            connection.putrequest(verb, path)
            headers = {**self._headers(verb, path, b""), "Transfer-Encoding": "chunked"}
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            connection.auto_open = 0  # a broken conversation is over, not begun anew
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise away(self._endpoint, error) from None
        return connection

    def lines(self, verb: str, path: str, body: bytes) -> Iterator[dict[str, Any]]:
        """An answer that comes line by line, as long as it lasts."""
        try:
            with closing(http.client.HTTPConnection(self._endpoint, timeout=SILENCE_S)) as connection:
                connection.request(verb, path, body or None, self._headers(verb, path, body))
                answer = connection.getresponse()
                if answer.status >= 400:
                    raise refusal_of(answer.read(ANSWER_BYTES_MAX), answer.status)
                while line := answer.readline(ANSWER_BYTES_MAX):
                    yield msgspec.json.decode(line, type=dict[str, Any])
        except (OSError, http.client.HTTPException) as error:
            raise away(self._endpoint, error) from None

    # --- inside -----------------------------------------------------------------------------------------------------

    def _headers(self, verb: str, path: str, signed: bytes) -> dict[str, str]:
        now_ms = time.time_ns() // 1_000_000
        return {"Authorization": authorization(self._cluster, verb, path, signed, now_ms, self._key)}

    def _ask(self, verb: str, path: str, body: bytes = b"", signed: bytes | None = None) -> bytes:
        try:
            with closing(http.client.HTTPConnection(self._endpoint, timeout=TIMEOUT_S)) as connection:
                headers = self._headers(verb, path, body if signed is None else signed)
                connection.request(verb, path, body or None, headers)
                answer = connection.getresponse()
                data = answer.read(ANSWER_BYTES_MAX)
        except (OSError, http.client.HTTPException) as error:
            raise away(self._endpoint, error) from None
        if answer.status >= 400:
            raise refusal_of(data, answer.status)
        return data


def away(endpoint: str, why: object) -> Unreachable:
    """What is raised where an agent does not answer, or breaks off."""
    return Unreachable(error_form(ApiError(ApiRefusal.UNREACHABLE, f"agent {endpoint}: {why}")))


class _Told(msgspec.Struct, frozen=True):
    code: str
    message: str


class _Refused(msgspec.Struct, frozen=True):
    error: _Told


def refusal_of(data: bytes, status: int) -> ClientError:
    """What is raised where an agent says no."""
    try:
        told = msgspec.json.decode(data, type=_Refused).error
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return failure(ApiRefusal.BAD_ANSWER, f"status {status} without an error of ours")
    return failure(told.code, told.message)
