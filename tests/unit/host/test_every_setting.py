"""Every setting is read: what a node is made of, or does, differs where it differs."""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from metanode.host import run
from metanode.host.data_directory import DataDirectory
from metanode.host.development import PASSWORD, create_network
from metanode.host.fault import Fault, FaultReason
from metanode.host.keys import PASSWORD_VARIABLE
from metanode.host.logs import Log
from metanode.host.opening import Opened, open_all
from metanode.host.settings import LogFormat, LogLevel, NetworkSettings, Settings, advertised, port_settings, read_peer
from metanode.host.tcp import TcpCarrier
from metanode.node.settings import NodeSettings

KEY = "ab" * 32
DIGEST = "cd" * 32


@dataclass(frozen=True)
class Place:
    """Where a setting is tried: an empty folder, and one with a data directory in it."""

    empty: Path
    root: Path


Observed = Callable[[Settings, Place], Any]


def node_settings(settings: Settings, _: Place) -> NodeSettings:
    """What the node itself is made with."""
    key = SimpleNamespace(public_key=bytes(32))
    opened: Any = SimpleNamespace(genesis=SimpleNamespace(validators=()), transport_key=key, vote_key=bytes(32))
    return replace(run._node_settings(opened, settings), entropy=bytes(32))


def port(settings: Settings, _: Place) -> Any:
    """What the public port is made with; test_http_guard.py shows what each of it does."""
    return port_settings(settings.http, settings.metrics, development=True, version="1")


def kept(settings: Settings, _: Place) -> int:
    """How many blocks are kept; test_durables.py shows that no others are."""
    return run.retention_blocks(settings)


def space(settings: Settings, place: Place) -> str:
    """Whether the node goes on with the space there is."""
    try:
        run.check_space(place.root, settings)
    except Fault as fault:
        return fault.reason
    return "enough"


def bound(settings: Settings, _: Place) -> str:
    """Where peers are listened for."""

    async def listen() -> str:
        carrier = TcpCarrier(lambda _: None, lambda: 0)
        try:
            await run._listen(carrier, settings.network.listen)
            assert carrier._server is not None
            return str(carrier._server.sockets[0].getsockname()[0])
        finally:
            await carrier.stop()

    return asyncio.run(listen())


def log(settings: Settings, place: Place) -> list[str]:
    """What is in the folder after some lines."""
    made = Log(settings.log, settings.name, place.empty)
    for number in range(1_500):
        made._logger.debug("debug line %d of some length %s", number, "x" * 200)
        made._logger.handle(logging.makeLogRecord({"levelno": logging.INFO, "msg": "info"})) if number < 1 else None
    made.close()
    return sorted(
        f"{path.relative_to(place.empty)}:{path.read_text()[:40][25:]}" for path in place.empty.rglob("*.log*")
    )


def opened(look: Callable[[Opened], Any]) -> Observed:
    """Something of what is opened with a data directory."""

    def observe(settings: Settings, place: Place) -> Any:
        with ExitStack() as closing:
            directory = DataDirectory(place.root)
            closing.callback(directory.close)
            environment = {PASSWORD_VARIABLE: PASSWORD}
            quiet = replace(settings, log=replace(settings.log, file=str(place.empty / "node.log")))
            try:
                return look(open_all(directory, quiet, environment, closing))
            except Fault as fault:
                return fault.reason

    return observe


DEBUG = {"log.level": LogLevel.DEBUG, "log.file": "node.log", "log.file_bytes_max": 1 << 16}

TABLE: dict[str, tuple[Any, Observed, dict[str, Any]]] = {
    "name": ("north", node_settings, {}),
    "network.listen": ("127.0.0.2:0", bound, {"network.listen": "127.0.0.1:0"}),
    "network.advertise": ("example.org:26601", node_settings, {}),
    "network.peers": ((f"{KEY}@host:1",), node_settings, {}),
    "network.observers": ((KEY,), node_settings, {}),
    "network.discovery": (False, node_settings, {}),
    "http.listen": ("127.0.0.1:9", port, {}),
    "http.tokens": ((f"ci read {DIGEST}",), port, {}),
    "http.hosts": (("node.example",), port, {}),
    "http.origins": (("https://wallet.example",), port, {}),
    "http.tls_certificate": ("cert.pem", port, {"http.tls_key": "key.pem", "http.tls_certificate": "other.pem"}),
    "http.tls_key": ("key.pem", port, {"http.tls_key": "other.pem", "http.tls_certificate": "cert.pem"}),
    "http.body_bytes_max": (2048, port, {}),
    "http.connections_max": (7, port, {}),
    "http.connections_per_address_max": (7, port, {}),
    "http.streams_max": (7, port, {}),
    "http.rate_per_second": (7, port, {}),
    "http.rate_burst": (7, port, {}),
    "sync.snapshot": (True, node_settings, {}),
    "storage.prune": (True, kept, {}),
    "storage.retention_blocks": (2_000, kept, {"storage.prune": True}),
    "storage.free_bytes_min": (1 << 50, space, {"storage.free_bytes_min": 0}),
    "verify.workers": (1, opened(lambda made: len(made.verifiers)), {}),
    "keys.password_file": ("/nowhere/password", opened(lambda made: len(made.signers)), {}),
    "log.level": (LogLevel.DEBUG, log, {"log.file": "node.log"}),
    "log.format": (LogFormat.JSON, log, {"log.file": "node.log"}),
    "log.file": ("other.log", log, {"log.file": "node.log"}),
    "log.file_bytes_max": (1 << 20, log, DEBUG),
    "log.files_max": (1, log, DEBUG),
    "metrics.enabled": (False, port, {}),
}
"""Every key: another value, what it changes, and what else is set on both sides."""


def changed(settings: Settings, name: str, value: Any) -> Settings:
    """The same settings but for one."""
    section, _, key = name.rpartition(".")
    if not section:
        return replace(settings, **{key: value})
    return replace(settings, **{section: replace(getattr(settings, section), **{key: value})})


def test_the_table_is_whole() -> None:
    sections: dict[str, Any] = {f.name: f.default for f in fields(Settings) if f.name != "name"}
    keys = [f"{section}.{key.name}" for section, default in sections.items() for key in fields(default)]
    assert sorted(TABLE) == sorted(["name", *keys])


@pytest.fixture(scope="module")
def data_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_network(tmp_path_factory.mktemp("net"), 4, 26_700, "settings").nodes[0]


@pytest.mark.parametrize("name", TABLE)
def test_a_setting_changes_what_it_says(name: str, data_directory: Path, tmp_path: Path) -> None:
    value, observe, around = TABLE[name]
    settings = Settings()
    for other, its_value in around.items():
        settings = changed(settings, other, its_value)
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    one = observe(settings, Place(tmp_path / "one", data_directory))
    other = observe(changed(settings, name, value), Place(tmp_path / "other", data_directory))
    assert one != other


def test_what_peers_are_told_is_an_address_they_can_dial() -> None:
    """Found by this table: a node told its peers to dial 0.0.0.0; one with port 0 ended with a trace at the start."""
    told = {"127.0.0.1:5": ("127.0.0.1:5",), "0.0.0.0:5": (), "[::]:5": (), "127.0.0.1:0": (), "host:5": ("host:5",)}
    assert {listen: advertised(NetworkSettings(listen=listen)) for listen in told} == told
    assert advertised(NetworkSettings(listen="0.0.0.0:5", advertise="example.org:7")) == ("example.org:7",)
    for wrong in ("example.org:0", "example.org", "a b:1", "ä:1"):
        for refused in (lambda: advertised(NetworkSettings(advertise=wrong)), lambda: read_peer(f"{KEY}@{wrong}", "x")):  # noqa: B023
            with pytest.raises(Fault) as caught:
                refused()
            assert caught.value.reason is FaultReason.SETTINGS_WRONG_VALUE


def test_a_node_listens_where_it_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = changed(Settings(), "network.listen", f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(Fault, match=r"port\.taken"):
            bound(settings, Place(Path(), Path()))
