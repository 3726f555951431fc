"""The agent's port: who may ask what, images shown and given up, a terminal in a container."""

import asyncio
import base64
import io
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace
from tests.unit.docklock.cluster.town import SETTINGS
from tests.unit.docklock.compose.samples import understood
from tests.unit.host.images.made import file, image, image_store, layout, tar

from metanode.docklock.cluster.state import NEVER, Cluster
from metanode.docklock.images.refusals import ImageRefusal
from metanode.host.agent.attaching import HANG_UP
from metanode.host.agent.content import Content
from metanode.host.agent.images import NodeImages
from metanode.host.agent.port import AgentPort, Stored
from metanode.host.agent.receipt_pages import ReceiptPages
from metanode.host.agent.witness import Witness
from metanode.host.fault import FaultReason
from metanode.host.images.importing import import_archive
from metanode.host.runtimes.driver import Chunk, Driver
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.states import Exit
from metanode.primitives import ed25519
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.address import address_of_key
from metanode.records.agent_request import RequestRefusal, authorization

KEYS = {name: ed25519.SigningKey(bytes([number]) * 32) for number, name in enumerate(
    ("owner", "operator", "executor", "node", "stranger"), 1)}  # fmt: skip
ACCOUNTS = {name: bytes(address_of_key(key.public_key)) for name, key in KEYS.items()}


@dataclass
class Command:
    """A command that echoes, and ends with 7 at the end of its input."""

    heard: list[bytes] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    said: "asyncio.Queue[Chunk | None]" = field(default_factory=asyncio.Queue)

    async def write(self, data: bytes) -> None:
        self.heard.append(data)
        await self.said.put(Chunk(1, data.upper()))

    async def end_input(self) -> None:
        await self.said.put(None)

    async def resize(self, rows: int, columns: int) -> None:
        self.sizes.append((rows, columns))

    async def output(self) -> AsyncIterator[Chunk]:
        while (chunk := await self.said.get()) is not None:
            yield chunk

    async def wait(self) -> Exit:
        return Exit(7, 0, oom=False, at_ns=0)


class Engine:
    """A driver that only executes."""

    def __init__(self) -> None:
        self.command = Command()
        self.terminal = False

    async def exec(self, name: str, command: tuple[str, ...], env: Any = (), *, tty: bool = False) -> Command:
        if name != "shop.web.0.1":
            raise Rejected(RuntimeRefusal.UNKNOWN, name)
        self.terminal = tty
        return self.command


class Seen:
    """What the witness was told."""

    def __init__(self) -> None:
        self.refusals: list[tuple[str, bool]] = []
        self.ends: list[tuple[str, str]] = []

    async def executed(self, *_: Any) -> Callable[[str, str], None]:
        def ended(code: str, reason: str = "") -> None:
            self.ends.append((code, reason))

        return ended

    def refused(self, error: Rejected, *_: Any, known: bool) -> None:
        self.refusals.append((str(error.reason), known))


class NoPages:
    def routes(self, *_: Any) -> list[Any]:
        return []


class House:
    """A port over a real store; `using`: the images in use."""

    def __init__(self, folder: Path) -> None:
        self.store = image_store(folder)
        self.images = NodeImages(self.store, Content(self.store.blobs, tuple, lambda *_: {}))
        self.using: frozenset[bytes] | None = frozenset()
        self.engine, self.seen = Engine(), Seen()
        settings = replace(SETTINGS, operators=(ACCOUNTS["operator"],), executors=(ACCOUNTS["executor"],))
        cluster = Cluster(owner=ACCOUNTS["owner"], settings=settings, nodes=(), workloads=(), due_ms=NEVER)
        self.port = AgentPort(
            "shop",
            cast("Driver", self.engine),
            Stored(self.store.blobs, self.images, lambda: self.using),
            lambda: (cluster, frozenset({ACCOUNTS["node"]})),
            cast("Witness", self.seen),
            cast("ReceiptPages", NoPages()),
        )

    def ask(self, who: str, verb: str, path: str, *body: bytes, gone: bool = False) -> tuple[int, Any]:
        """Status and answer of a request; `gone`: whoever asked hangs up after what was sent."""
        return asyncio.run(self._ask(who, verb, path, list(body), gone=gone))

    async def _ask(self, who: str, verb: str, path: str, body: list[bytes], *, gone: bool) -> tuple[int, Any]:
        signed = body[0] if len(body) == 1 else b""
        headers = []
        if who:
            text = authorization("shop", verb, path, signed, time.time_ns() // 1_000_000, KEYS[who])
            headers = [(b"authorization", text.encode())]
        plain, _, query = path.partition("?")
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": verb, "scheme": "http",
                 "path": plain, "raw_path": plain.encode(), "query_string": query.encode(), "headers": headers,
                 "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "root_path": ""}  # fmt: skip
        parts = [{"type": "http.request", "body": one, "more_body": True} for one in body]
        parts.append({"type": "http.disconnect"} if gone else {"type": "http.request", "body": b"", "more_body": False})
        status, data = 0, b""

        async def receive() -> dict[str, Any]:
            if parts:
                return parts.pop(0)
            await asyncio.sleep(3_600)
            raise AssertionError("nobody waits that long")

        async def send(message: dict[str, Any]) -> None:
            nonlocal status, data
            status = message.get("status", status)
            data += message.get("body", b"")

        call = cast("Callable[..., Awaitable[None]]", self.port.application())
        await asyncio.wait_for(call(scope, receive, send), 10)
        lines = [json.loads(line) for line in data.splitlines()]
        return status, lines[0] if len(lines) == 1 else lines


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def imported(house: House, data: bytes = b"x") -> str:
    made = layout(image(tar([file("bin/x", data)])))
    (found,) = import_archive(house.store, io.BytesIO(tar(made)))
    return str(found.digest)


@pytest.mark.parametrize(
    ("path", "verb", "may"),
    [
        ("/v1/images", "GET", {"owner", "operator", "node"}),
        ("/v1/images/prune", "POST", {"owner", "operator"}),
        ("/v1/containers/shop.web.0.1/attach?asked=e30=", "POST", {"owner", "executor"}),
    ],
)
def test_only_who_has_the_role_may_ask_and_every_refusal_is_written_down(house, path, verb, may):
    for who in KEYS:
        status, told = house.ask(who, verb, path)
        if who in may:
            assert status != 403, (who, told)
        else:
            assert (status, told["error"]["code"]) == (403, RequestRefusal.NOT_ALLOWED), (who, told)
            assert house.seen.refusals[-1] == (str(RequestRefusal.NOT_ALLOWED), who != "stranger")
    status, told = house.ask("", verb, path)
    assert (status, told["error"]["code"]) == (401, RequestRefusal.NOT_SIGNED)


def test_an_image_is_shown_checked_and_forgotten_unless_it_is_in_use(house):
    digest = imported(house)
    status, told = house.ask("node", "GET", f"/v1/images/{digest}")
    assert (status, told["digest"], len(told["layers"])) == (200, digest, 1)
    assert house.ask("operator", "POST", f"/v1/images/{digest}/check") == (200, {"parts": 3, "bytes": told["bytes"]})
    house.using = frozenset({bytes.fromhex(digest[7:])})
    status, said = house.ask("operator", "DELETE", f"/v1/images/{digest}")
    assert (status, said["error"]["code"]) == (409, ImageRefusal.IN_USE)
    house.using = None
    status, said = house.ask("operator", "DELETE", f"/v1/images/{digest}")
    assert (status, said["error"]["code"]) == (409, ImageRefusal.IN_USE), "nobody knows yet what runs here"
    house.using = frozenset()
    assert house.ask("operator", "DELETE", f"/v1/images/{digest}") == (200, {"names": []})
    status, said = house.ask("node", "GET", f"/v1/images/{digest}")
    assert (status, said["error"]["code"]) == (404, ImageRefusal.NOT_FOUND)


def test_content_that_was_changed_on_the_disk_is_told(house):
    digest = imported(house)
    layer = house.ask("node", "GET", f"/v1/images/{digest}")[1]["layers"][0]["digest"]
    path = house.store.blobs.folder / "blobs" / "sha256" / layer[7:]
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    status, said = house.ask("operator", "POST", f"/v1/images/{digest}/check")
    assert (status, said["error"]["code"]) == (503, FaultReason.BLOB_DAMAGED)


def test_what_nobody_needs_is_collected_and_specifications_stay(house):
    digest = imported(house)
    root = house.images.unpacked(bytes.fromhex(digest[7:])).root
    spec = understood("services:\n  web:\n    image: metanode.host/usr\n    command: [/x]\n").application
    assert spec is not None
    kept = house.store.blobs.put([encode(spec.workloads[0].spec)], 65_536)
    house.images.collect(frozenset())
    house.store.blobs.put([b"left over"], 100)
    house.using = frozenset({bytes.fromhex(digest[7:])})
    assert house.ask("operator", "POST", "/v1/images/prune")[1]["blobs"] == 1, "only what was left over"
    assert Path(root).is_dir()
    house.using = frozenset()
    assert house.ask("operator", "DELETE", f"/v1/images/{digest}")[0] == 200
    swept = house.ask("operator", "POST", "/v1/images/prune")[1]
    assert (swept["blobs"], swept["roots"]) == (3, 1)
    assert [one.digest for one in house.store.blobs.list()] == [kept.digest]
    assert not Path(root).exists()


def asked(**more: Any) -> str:
    text = json.dumps({"command": ["/bin/sh"], **more})
    return f"/v1/containers/shop.web.0.1/attach?asked={base64.urlsafe_b64encode(text.encode()).decode()}"


def line(**given: Any) -> bytes:
    return json.dumps(given).encode() + b"\n"


def test_a_terminal_carries_both_ways_at_once_and_ends_with_the_commands_own_status(house):
    words = base64.b64encode(b"hello").decode()
    whole = line(input=words) + line(rows=33, columns=99, resize=True) + line(end=True)
    status, lines = house.ask("executor", "POST", asked(tty=True), whole[:9], whole[9:40], whole[40:])
    assert status == 200
    assert base64.b64decode(lines[0]["data"]) == b"HELLO"
    assert lines[-1] == {"exit": 7}
    assert (house.engine.command.heard, house.engine.command.sizes) == ([b"hello"], [(33, 99)])
    assert house.engine.terminal
    assert house.seen.ends == [("7", "")]


def test_a_terminal_hangs_up_when_whoever_stood_there_is_gone(house):
    house.ask("executor", "POST", asked(tty=True), b"", gone=True)
    assert house.engine.command.heard == [HANG_UP]


@pytest.mark.parametrize("nonsense", [b"{\n", line(input="%"), line(rows=0), line(unknown=1), b"x" * (129 << 10)])
def test_nonsense_ends_the_input_and_nothing_else(house, nonsense):
    _, told = house.ask("executor", "POST", asked(), nonsense, b"")
    assert told == {"exit": 7}


def test_a_container_that_is_not_here_and_a_command_that_is_none(house):
    elsewhere = asked().replace("shop.web.0.1", "shop.web.9.1")
    status, told = house.ask("executor", "POST", elsewhere)
    assert (status, told["error"]["code"]) == (404, RuntimeRefusal.UNKNOWN)
    assert house.seen.ends == [("", str(RuntimeRefusal.UNKNOWN))]
    status, told = house.ask("executor", "POST", "/v1/containers/shop.web.0.1/attach?asked=AAAA")
    assert (status, told["error"]["code"]) == (422, RuntimeRefusal.BAD_COMMAND)
