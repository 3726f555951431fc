"""The client of an agent: content, logs, commands in containers. Every request is signed by the caller's account."""

import base64
import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
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


@dataclass(frozen=True, slots=True)
class LogLine:
    """What a container said at once: where the next begins, when, on which stream (1 or 2), the bytes."""

    next: int
    time_ns: int
    stream: int
    data: bytes


class AgentClient:
    """One agent at `host:port`; `key` is that of the account that asks. Raises `ClientError` with the agent's code,
    `Unreachable`."""

    def __init__(self, endpoint: str, cluster: str, key: ed25519.SigningKey) -> None:
        self._endpoint: Final = endpoint
        self._cluster: Final = cluster
        self._key: Final = key

    def put(self, data: bytes) -> str:
        """Put content into the agent's store; returns its digest."""
        digest = f"sha256:{sha256(data).hexdigest()}"
        self._ask("PUT", f"/v1/blobs/{digest}", data, signed=b"")
        return digest

    def has(self, digest: str) -> bool:
        """Whether the agent has content of this digest."""
        try:
            self._ask("HEAD", f"/v1/blobs/{digest}", signed=b"")
        except ClientError as error:
            if isinstance(error, Unreachable):
                raise
            return False
        return True

    def put_file(self, digest: str, size: int, pieces: Iterator[bytes]) -> None:
        """Put content of this digest, piece by piece."""
        path = f"/v1/blobs/{digest}"
        try:
            with closing(http.client.HTTPConnection(self._endpoint, timeout=SILENCE_S)) as connection:
                headers = {**self._headers("PUT", path, b""), "Content-Length": str(size)}
                connection.request("PUT", path, pieces, headers)
                answer = connection.getresponse()
                data = answer.read(ANSWER_BYTES_MAX)
        except (OSError, http.client.HTTPException) as error:
            raise away(self._endpoint, error) from None
        if answer.status >= 400:
            raise refusal_of(data, answer.status)

    def ask(self, verb: str, path: str, body: bytes = b"") -> bytes:
        """The answer to any other request, by its path with its query."""
        return self._ask(verb, path, body)

    def fetch(self, digest: str) -> Iterator[bytes]:
        """Content of this digest, in pieces; whoever takes them compares the digest."""
        path = f"/v1/blobs/{digest}"
        try:
            with closing(http.client.HTTPConnection(self._endpoint, timeout=TIMEOUT_S)) as connection:
                connection.request("GET", path, headers=self._headers("GET", path, b""))
                answer = connection.getresponse()
                if answer.status >= 400:
                    raise refusal_of(answer.read(ANSWER_BYTES_MAX), answer.status)
                while piece := answer.read(PIECE_BYTES):
                    yield piece
        except (OSError, http.client.HTTPException) as error:
            raise away(self._endpoint, error) from None

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

    def status(self) -> dict[str, Any]:
        """How it is: light, chain, height, engine, running, receipts."""
        return msgspec.json.decode(self._ask("GET", "/v1/status"), type=dict[str, Any])

    def containers(self) -> list[dict[str, Any]]:
        """What runs there: id, engine, phase."""
        return msgspec.json.decode(self._ask("GET", "/v1/containers"), type=list[dict[str, Any]])

    def stats(self, name: str) -> dict[str, int]:
        """What a container uses."""
        return msgspec.json.decode(self._ask("GET", f"/v1/containers/{name}/stats"), type=dict[str, int])

    def logs(self, name: str, since: int = 0, *, follow: bool = False) -> Iterator[LogLine]:
        """What a container said, from an offset on; `follow`: until it ends."""
        path = f"/v1/containers/{name}/logs?since={since}" + ("&follow=1" if follow else "")
        for line in self.lines("GET", path, b""):
            yield LogLine(line["next"], line["time_ns"], line["stream"], base64.b64decode(line["data"]))

    def ended(self) -> list[str]:
        """Names of containers that are no more, of which it kept what they said last."""
        return msgspec.json.decode(self._ask("GET", "/v1/ended"), type=list[str])

    def ended_logs(self, name: str) -> Iterator[LogLine]:
        """What a container that is no more said last."""
        for line in self.lines("GET", f"/v1/ended/{name}", b""):
            yield LogLine(line["next"], line["time_ns"], line["stream"], base64.b64decode(line["data"]))

    def execute(self, name: str, command: tuple[str, ...], given: bytes, write: Callable[[int, bytes], None]) -> int:
        """Execute a command in a container; `write(stream, data)` gets its output. Returns its exit status."""
        body = msgspec.json.encode({"command": command, "input": base64.b64encode(given).decode()})
        for line in self.lines("POST", f"/v1/containers/{name}/exec", body):
            if "exit" in line:
                return int(line["exit"])
            if "error" in line:
                raise failure(str(line["error"]["code"]), str(line["error"]["message"]))
            write(line["stream"], base64.b64decode(line["data"]))
        raise away(self._endpoint, "the answer broke off before the command ended")

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
