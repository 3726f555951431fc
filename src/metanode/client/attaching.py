"""A command in a container with somebody at its terminal: what is typed goes there while what it says comes back."""

import base64
import http.client
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import msgspec

from metanode.client.agent import AgentClient
from metanode.client.agent_line import ANSWER_BYTES_MAX, away, refusal_of
from metanode.client.failures import failure

INPUT_BYTES: Final = 64 << 10
"""One piece of input."""


class Attached:
    """AGENT-16. One command; `read` and `resize` may be used by different threads. Raises what `AgentClient` raises."""

    def __init__(self, agent: AgentClient, name: str, command: tuple[str, ...], *, tty: bool) -> None:
        asked = {"command": command, "tty": tty}
        text = base64.urlsafe_b64encode(msgspec.json.encode(asked)).decode()
        self._connection: Final = agent.begin("POST", f"/v1/containers/{name}/attach?asked={text}")
        self._lock: Final = threading.Lock()
        self._over = False

    def give(self, data: bytes) -> None:
        """Input; nothing where the command is over."""
        for at in range(0, len(data), INPUT_BYTES):
            self._say({"input": base64.b64encode(data[at : at + INPUT_BYTES]).decode()})

    def end_input(self) -> None:
        """There is no more."""
        self._say({"end": True})

    def resize(self, rows: int, columns: int) -> None:
        """The size of its terminal."""
        self._say({"rows": rows, "columns": columns, "resize": True})

    def read(self, write: Callable[[int, bytes], None]) -> int:
        """`write(stream, data)` gets its output until it has ended; its exit status."""
        where = f"{self._connection.host}:{self._connection.port}"
        try:
            answer = self._connection.getresponse()
            if answer.status >= 400:
                raise refusal_of(answer.read(ANSWER_BYTES_MAX), answer.status)
            while line := answer.readline(ANSWER_BYTES_MAX):
                said = msgspec.json.decode(line, type=dict[str, Any])
                if "exit" in said:
                    return int(said["exit"])
                if "error" in said:
                    raise failure(str(said["error"]["code"]), str(said["error"]["message"]))
                write(said["stream"], base64.b64decode(said["data"]))
        except (OSError, http.client.HTTPException) as error:
            raise away(where, error) from None
        raise away(where, "the answer broke off before the command ended")

    def close(self) -> None:
        """Whoever stood at the terminal is gone."""
        self._over = True
        self._connection.close()

    def _say(self, what: dict[str, Any]) -> None:
        line = msgspec.json.encode(what) + b"\n"
        with self._lock, suppress(OSError, http.client.HTTPException, AttributeError):
            if not self._over:
                self._connection.send(b"%x\r\n%s\r\n" % (len(line), line))
