"""One process, one node: opens what the data directory holds, wires the world to the node, runs until told to stop."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop
from nacl.bindings import crypto_core_ed25519_is_valid_point

from metanode import __version__
from metanode.host.block_log import BlockLog
from metanode.host.clients import Clients
from metanode.host.clock import Clock
from metanode.host.data_directory import DataDirectory
from metanode.host.devices import Devices
from metanode.host.disk import Disk, free_bytes
from metanode.host.entropy import random_bytes
from metanode.host.fault import Fault, FaultReason
from metanode.host.http_server import HttpServer
from metanode.host.http_settings import PortSettings
from metanode.host.journal import Journal, JournalDamaged
from metanode.host.keys import find_password, load_validator_keys
from metanode.host.logs import Log
from metanode.host.loop import Loop
from metanode.host.metrics import Metrics
from metanode.host.settings import Settings, load_settings, read_address, read_key, read_peer
from metanode.host.signer import open_signer
from metanode.host.store import Store
from metanode.host.tcp import TcpCarrier
from metanode.host.verify import Pool
from metanode.ledger import Mathematics
from metanode.node.boot import first_rows
from metanode.node.events import Booted, Stopping
from metanode.node.machine import Node
from metanode.node.rows import TIP
from metanode.node.settings import NodeSettings
from metanode.primitives import bls, ed25519
from metanode.records.genesis import Genesis

HOUSEKEEPING_S: Final = 1.0
"""How often free space and the process's own size are looked at."""


@dataclass(slots=True)
class Stop:
    """Why the node ends: the first reason counts."""

    event: asyncio.Event
    reason: str = ""
    failed: bool = False

    def ask(self, reason: str, *, failed: bool) -> None:
        """End, for this reason."""
        if not self.event.is_set():
            self.reason, self.failed = reason, failed
            self.event.set()


def run(root: Path, environment: Mapping[str, str], ready: Callable[[str], None]) -> str:
    """Run the node of a data directory until SIGINT or SIGTERM. `ready` is called with the URL of the public port.

    Returns the reason it stopped. Raises `Fault` where it cannot start or go on.
    """
    if not __debug__:
        raise Fault(FaultReason.NODE_HALTED, "assertions are switched off (python -O)", "start it without -O")
    with ExitStack() as closing:
        directory = DataDirectory(root)
        closing.callback(directory.close)
        settings = load_settings(directory.layout.settings)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_Process(directory, settings, environment, closing).serve(ready))


class _Process:
    """Everything one process holds, opened in order, closed in reverse."""

    def __init__(
        self, directory: DataDirectory, settings: Settings, environment: Mapping[str, str], closing: ExitStack
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._environment = environment
        self._closing = closing
        self._genesis: Genesis = directory.genesis
        self._disk = Disk()
        self._clock = Clock()

    async def serve(self, ready: Callable[[str], None]) -> str:
        """Open, wire, run."""
        settings, layout, genesis = self._settings, self._directory.layout, self._genesis
        password = find_password(settings.keys.password_file, self._environment)
        secrets = load_validator_keys(layout.keys, password, development=genesis.development)
        transport_key = ed25519.public_key(secrets.transport)
        vote_key = ed25519.public_key(secrets.vote)
        name = settings.name or _name_of(genesis, vote_key)
        log = Log(settings.log, name, layout.logs)
        self._closing.callback(log.close)
        metrics = Metrics(__version__)
        store = Store(layout.store)
        self._closing.callback(store.close)
        if store.get(TIP) is None:
            store.write(first_rows(genesis))
            store.flush()
        blocks = BlockLog(layout.blocks, self._disk, random_bytes)
        self._closing.callback(blocks.close)
        journal, found = Journal.open(layout.journal, self._disk, random_bytes)
        self._closing.callback(journal.close)
        stop = Stop(asyncio.Event())
        signer = open_signer(layout, self._directory.owner, secrets, self._disk)
        self._closing.callback(signer.close)
        pool = Pool(settings.verify.workers) if settings.verify.workers else None

        loop: Loop
        clients = Clients(lambda event: loop.deliver(event), self._clock.now_ms, metrics.render)
        devices = Devices(
            self._clock,
            journal,
            blocks,
            store,
            signer,
            ed25519.SigningKey(secrets.transport),
            pool,
            clients,
            log,
            metrics,
            settings.storage.retention_blocks if settings.storage.prune else 0,
        )
        node = Node(
            genesis,
            self._node_settings(transport_key, vote_key),
            store,
            blocks,
            Mathematics(bls.verify_possession, is_account_key),
        )
        loop = Loop(node, devices, lambda reason: stop.ask(reason, failed=True))
        carrier = TcpCarrier(loop.deliver, self._clock.now_ms)
        devices.carrier = carrier
        await carrier.listen(*read_address(settings.network.listen, "network.listen"))
        may_vote = not isinstance(found, JournalDamaged) and signer.may_sign
        loop.deliver(Booted(self._clock.now_ms(), found.records, may_vote, signer.record))
        loop.start()
        clients.is_ready = True
        http = HttpServer(self._port_settings(), clients)
        url = await http.start()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, lambda: stop.ask("asked to stop", failed=False))
        ready(url)
        housekeeping = asyncio.create_task(self._housekeeping(stop, metrics, store))
        await stop.event.wait()
        housekeeping.cancel()
        clients.is_ready = False
        await http.stop()
        if not stop.failed:
            loop.deliver(Stopping(self._clock.now_ms()))
            await asyncio.sleep(0.05)
        loop.stop()
        await carrier.stop()
        if not stop.failed:
            devices.close_cleanly()
        if stop.failed:
            fix = "read the log above; nothing acknowledged is lost, start it again when the cause is mended"
            raise Fault(FaultReason.NODE_HALTED, stop.reason, fix)
        return stop.reason

    def _node_settings(self, transport_key: bytes, vote_key: bytes) -> NodeSettings:
        settings = self._settings
        seats = tuple((v.transport_key, a) for v in self._genesis.validators for a in v.addresses)
        peers = tuple(read_peer(text, "network.peers") for text in settings.network.peers)
        return NodeSettings(
            transport_key=transport_key,
            vote_key=vote_key,
            listen_addresses=(settings.network.advertise or settings.network.listen,),
            bootstrap=tuple((key, address) for key, address in (*seats, *peers) if key != transport_key),
            observers=tuple(read_key(text, "network.observers") for text in settings.network.observers),
            retention_blocks=settings.storage.retention_blocks if settings.storage.prune else 0,
            entropy=random_bytes(32),
            snapshot_sync=settings.sync.snapshot,
        )

    def _port_settings(self) -> PortSettings:
        host, port = read_address(self._settings.http.listen, "http.listen")
        return PortSettings(
            address=host, port=port, development=self._genesis.development, version=__version__
        )

    async def _housekeeping(self, stop: Stop, metrics: Metrics, store: Store) -> None:
        """Now and then: is there room on the disk, how big are we."""
        while True:
            free = free_bytes(self._directory.layout.root)
            if free < self._settings.storage.free_bytes_min:
                stop.ask(
                    f"only {free >> 20} MiB are free, storage.free_bytes_min is {self._settings.storage.free_bytes_min >> 20} MiB",
                    failed=True,
                )
            metrics.store(store.statistics())
            await asyncio.sleep(HOUSEKEEPING_S)


def is_account_key(key: bytes) -> bool:
    """Whether 32 bytes are a point that could ever sign: on the curve, in the main subgroup, not small."""
    return len(key) == 32 and bool(crypto_core_ed25519_is_valid_point(key))


def _name_of(genesis: Genesis, vote_key: bytes) -> str:
    return next((v.name for v in genesis.validators if v.vote_key == vote_key), f"observer-{os.getpid()}")
