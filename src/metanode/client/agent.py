"""The client of an agent: content, logs, commands in containers. Every request is signed by the caller's account."""

import base64
import http.client
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from metanode.client.agent_line import (
    ANSWER_BYTES_MAX,
    PIECE_BYTES,
    SILENCE_S,
    TIMEOUT_S,
    AgentLine,
    away,
    refusal_of,
)
from metanode.client.failures import ClientError, Unreachable, failure


@dataclass(frozen=True, slots=True)
class LogLine:
    """What a container said at once: where the next begins, when, on which stream (1 or 2), the bytes."""

    next: int
    time_ns: int
    stream: int
    data: bytes


class AgentClient(AgentLine):
    """What an agent is asked for: content, logs, commands in containers."""

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
