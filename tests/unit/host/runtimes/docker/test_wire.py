"""An engine that answers too much, nothing, nonsense, or not at all: refused by name, and nothing is believed."""

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from metanode.host.runtimes.docker import api
from metanode.host.runtimes.docker.answers import Version
from metanode.host.runtimes.docker.api import EngineApi, EngineSays
from metanode.host.runtimes.docker.driver import DockerDriver
from metanode.host.runtimes.docker.images import EngineImages
from metanode.host.runtimes.docker.place import Place, no_image
from metanode.host.runtimes.docker.streams import open_stream
from metanode.host.runtimes.driver import Capability, Lacks
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.primitives.refusal import Rejected

OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"


def ok(body: bytes) -> bytes:
    return OK % (len(body), body)


def against(answer: bytes | Callable[[bytes], bytes], part: Callable[[Path], Awaitable[Any]]) -> Any:
    """Play a part against an engine that answers so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(answer if isinstance(answer, bytes) else answer(head))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # a look whether anybody listens
        writer.close()

    async def play() -> Any:
        with tempfile.TemporaryDirectory(prefix="mn-") as folder:
            place = Path(folder, "s")
            server = await asyncio.start_unix_server(serve, place)
            try:
                return await part(place)
            finally:
                server.close()
                await server.wait_closed()

    return asyncio.run(play())


async def version(place: Path) -> Version:
    engine = EngineApi(place)
    try:
        return await engine.asked(Version, "GET", "/version")
    finally:
        engine.close()


async def frames(place: Path) -> list[tuple[int, bytes]]:
    stream = await open_stream(place, "GET", "/logs")
    try:
        return [frame async for frame in stream.frames()]
    finally:
        stream.close()


def test_a_good_answer_is_a_value() -> None:
    assert against(ok(b'{"Version": "1", "ApiVersion": "1.41"}'), version) == Version("1", "1.41")


@pytest.mark.parametrize("body", [b"", b"{}", b"nonsense", b'{"Version": 1, "ApiVersion": 2}'])
def test_an_answer_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(Rejected) as refused:
        against(ok(body), version)
    assert refused.value.reason is RuntimeRefusal.ENGINE_ANSWER


def test_an_answer_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "ANSWER_BYTES_MAX", 100)
    with pytest.raises(Rejected) as refused:
        against(ok(b'{"Version": "1", "ApiVersion": "1.41"%s}' % (b" " * 100)), version)
    assert refused.value.reason is RuntimeRefusal.ENGINE_ANSWER


def test_what_the_engine_refuses_is_in_its_own_words() -> None:
    body = b'{"message": "no such thing"}'
    answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body)
    for part in (version, frames):
        with pytest.raises(EngineSays) as said:
            against(answer, part)
        assert (said.value.status, said.value.words) == (404, "no such thing")


@pytest.mark.parametrize("part", [version, frames])
def test_an_engine_that_hangs_up_or_is_not_there_is_gone(part: Callable[[Path], Awaitable[Any]]) -> None:
    with pytest.raises(Rejected) as refused:
        against(b"", part)
    assert refused.value.reason is RuntimeRefusal.ENGINE_GONE
    with pytest.raises(Rejected) as refused:
        asyncio.run(part(Path("/no/such/socket")))  # type: ignore[arg-type]
    assert refused.value.reason is RuntimeRefusal.ENGINE_GONE


def test_frames_are_taken_apart_and_what_is_none_is_refused() -> None:
    head = b"HTTP/1.0 200 OK\r\n\r\n"
    good = b"\x01\0\0\0\0\0\0\x03one\x02\0\0\0\0\0\0\x00"
    assert against(head + good, frames) == [(1, b"one"), (2, b"")]
    assert against(head + good + b"\x01\0\0\0\0\0\0\x09cut", frames) == [(1, b"one"), (2, b"")]
    for bad in (b"\x07\0\0\0\0\0\0\x01x", b"\x01\0\0\0\xff\xff\xff\xffx"):
        with pytest.raises(Rejected) as refused:
            against(head + bad, frames)
        assert refused.value.reason is RuntimeRefusal.ENGINE_ANSWER
    for bad in (b"220 mail\r\n\r\n", b"\r\n\r\n", b"HTTP/1.0 many\r\n\r\n", b"x" * 70_000):
        with pytest.raises(Rejected) as refused:
            against(bad, frames)
        assert refused.value.reason is RuntimeRefusal.ENGINE_ANSWER


def test_an_image_of_other_layers_is_not_used(tmp_path: Path) -> None:
    """Whatever the engine has under the name that it was given: the layers are compared."""
    (tmp_path / "root").mkdir()

    async def use(place: Path) -> str:
        engine = EngineApi(place)
        try:
            return await EngineImages(engine, tmp_path, "k", "x86_64", no_image).ready(str(tmp_path / "root"))
        finally:
            engine.close()

    other = b'{"Id": "sha256:aa", "RootFS": {"Layers": ["sha256:bb"]}}'
    with pytest.raises(Rejected) as refused:
        against(ok(other), use)
    assert refused.value.reason is RuntimeRefusal.ENGINE_ANSWER


@pytest.mark.skipif(os.geteuid() != 0, reason="who is not root is told so before anything is asked")
@pytest.mark.parametrize(
    ("version", "info", "reason", "fix"),
    [
        ("1.40", b"{}", "speaks version 1.40 of the API", "1.41 or later"),
        ("1.41", b'{"SecurityOptions": ["name=rootless"]}', "is run without root", "run it as root"),
    ],
)
def test_an_engine_that_could_not_keep_the_rules_is_not_used(version: str, info: bytes, reason: str, fix: str) -> None:
    said = b'{"Version": "1", "ApiVersion": "%s"}' % version.encode()

    def answer(head: bytes) -> bytes:
        path = head.split()[1].partition(b"?")[0]
        if path == b"/version":
            return ok(said)
        return ok(info if path.endswith(b"/info") else b"[]")

    async def ask(place: Path) -> Capability:
        driver = DockerDriver(Place("docker", place, place.parent))
        try:
            return await driver.probe()
        finally:
            await driver.close()

    lacks = against(answer, ask)
    assert isinstance(lacks, Lacks)
    assert (lacks.reason, fix in lacks.fix) == (reason, True)
