"""The engine's API as short calls: by the package `docker`, in threads, each with a time-out, each answer bounded."""

import asyncio
import re
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import docker
import msgspec
import requests

from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.primitives.refusal import Rejected

ANSWER_BYTES_MAX: Final = 8 << 20
"""Of one answer: a list of a thousand containers takes two."""
CALL_TIMEOUT_S: Final = 30.0
"""Of a call; an engine under load starts a container in seconds."""
LOAD_TIMEOUT_S: Final = 600.0
"""Of the engine's taking in an image."""
THREADS: Final = 8
"""Calls at a time; others wait for their turn."""
COMPLAINT_CHARACTERS: Final = 2000
"""Of what the engine said when it refused."""
API: Final = (1, 41)
"""The version that is spoken, the first with namespaces of control groups: dockerd 20.10, podman 3."""
_NUMBER: Final = re.compile(r"(\d{1,4})\.(\d{1,4})(?:\.\d+)*")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class EngineSays(Exception):
    """The engine refused: its status and its words."""

    status: int
    words: str


class _Complaint(msgspec.Struct):
    message: str


class EngineApi:
    """One engine by its socket. Raises `EngineSays` where it refuses and `Rejected` where it does not answer."""

    def __init__(self, place: Path) -> None:
        self.socket: Final = place
        self._version = API
        self._client: docker.APIClient | None = None
        self._threads: Final = ThreadPoolExecutor(THREADS, thread_name_prefix="engine")

    async def call(self, verb: str, path: str, body: Any = None, **params: Any) -> bytes:
        """Ask; the answer's bytes."""
        return await self._in_thread(verb, path, params, {"json": body} if body is not None else {}, CALL_TIMEOUT_S)

    async def asked(self, kind: type[_T], verb: str, path: str, body: Any = None, **params: Any) -> _T:
        """Ask; the answer as a value of this kind."""
        return decoded(await self.call(verb, path, body, **params), kind)

    async def load(self, archive: Iterable[bytes]) -> None:
        """Give it the archive of an image."""
        fields = {"data": archive, "headers": {"Content-Type": "application/x-tar"}}
        await self._in_thread("POST", "/images/load", {"quiet": 1}, fields, LOAD_TIMEOUT_S)

    async def _in_thread(
        self, verb: str, path: str, params: dict[str, Any], fields: dict[str, Any], timeout_s: float
    ) -> bytes:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._ask, verb, path, params, fields, timeout_s)

    def _ask(self, verb: str, path: str, params: dict[str, Any], fields: dict[str, Any], timeout_s: float) -> bytes:
        try:
            self._check_reached()
            client = self._opened()
            url = f"{client.base_url}{self.versioned(path)}"
            with client.request(verb, url, params=params, timeout=timeout_s, stream=True, **fields) as answer:
                data: bytes = answer.raw.read(ANSWER_BYTES_MAX + 1, decode_content=True)
                status = answer.status_code
        except (requests.RequestException, docker.errors.DockerException, OSError, ValueError) as error:
            raise Rejected(RuntimeRefusal.ENGINE_GONE, f"{self.socket}: {reason_of(error)}") from None
        if len(data) > ANSWER_BYTES_MAX:
            raise Rejected(RuntimeRefusal.ENGINE_ANSWER, f"{verb} {path}: more than {ANSWER_BYTES_MAX} bytes")
        if status >= 400:
            raise EngineSays(status, complaint(data))
        return data

    def _check_reached(self) -> None:
        """Raises `OSError`. The package leaves the socket of a connection that failed open; this one is closed."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(CALL_TIMEOUT_S)
            peer.connect(str(self.socket))

    def _opened(self) -> docker.APIClient:
        if self._client is None:
            self._client = docker.APIClient(
                base_url=f"unix://{self.socket}", version="1.41", timeout=CALL_TIMEOUT_S, max_pool_size=THREADS
            )
            self._client.headers["Connection"] = "close"  # it would keep one open for each URL
        return self._client

    def versioned(self, path: str) -> str:
        """A path of the API in the version that is spoken; one of podman's own is what it is, and that of versions."""
        if path.startswith("/v4.0.0/") or path == "/version":
            return path
        return f"/v{self._version[0]}.{self._version[1]}{path}"

    def choose(self, least: str) -> None:
        """Speak the version that this driver was written for, or a later one where the engine has forgotten it."""
        self._version = max(API, number_of(least))

    def close(self) -> None:
        """No more calls."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()
            self._client = None


def number_of(version: str) -> tuple[int, int]:
    """A version of the API as a number; the smallest for what is none."""
    found = _NUMBER.fullmatch(version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def reason_of(error: BaseException) -> str:
    """The innermost reason of a failed call: what the system said, not what wrapped it."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error)[:200] or type(error).__name__


def complaint(data: bytes) -> str:
    """What an engine wrote with a refusal."""
    try:
        words = msgspec.json.decode(data, type=_Complaint).message
    except (msgspec.MsgspecError, UnicodeDecodeError):
        words = data.decode(errors="replace")
    return words.strip()[:COMPLAINT_CHARACTERS]


def decoded(data: bytes, kind: type[_T]) -> _T:
    """An answer, checked. Raises `Rejected`."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Rejected(RuntimeRefusal.ENGINE_ANSWER, f"{kind.__name__}: {error}") from None
