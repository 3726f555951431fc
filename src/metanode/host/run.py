"""One process, one node: opens what the data directory holds, wires the world to the node, runs until told to stop."""

import asyncio
import gc
import signal
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import uvloop
from nacl.bindings import crypto_core_ed25519_is_valid_point

from metanode import __version__
from metanode.host.clients import Clients
from metanode.host.clock import Clock
from metanode.host.data_directory import DataDirectory
from metanode.host.devices import Devices
from metanode.host.disk import free_bytes
from metanode.host.entropy import random_bytes
from metanode.host.fault import Fault, FaultReason
from metanode.host.http_server import HttpServer
from metanode.host.loop import Loop
from metanode.host.metrics import Metrics, resident_bytes
from metanode.host.opening import Opened, open_all
from metanode.host.settings import (
    LogLevel,
    Settings,
    advertised,
    load_settings,
    port_settings,
    read_address,
    read_key,
    read_peer,
)
from metanode.host.tcp import TcpCarrier, too_many_links
from metanode.ledger import Mathematics
from metanode.node.events import Booted, Stopping
from metanode.node.machine import Node
from metanode.node.settings import NodeSettings
from metanode.primitives import bls

HOUSEKEEPING_S: Final = 1.0
"""How often free space and the process's own size are looked at."""
RECOVERY_POLL_S: Final = 0.005
"""How often it is looked whether the node has recovered; mostly it has at the first look."""
COLLECTOR_THRESHOLDS: Final = (50_000, 20, 100)
"""Cyclic garbage is rare here; looking for it among a full pool many times a second would cost a tenth of a core."""
FAREWELL_S: Final = 0.05
"""What is under way may still leave before the links are closed."""


@dataclass(slots=True)
class Stop:
    """Why the node ends: the first reason counts. `fault`: what failed; None where it was asked to stop."""

    event: asyncio.Event = field(default_factory=asyncio.Event)
    reason: str = ""
    fault: Fault | None = None

    def ask(self, reason: str) -> None:
        """End in good order, for this reason."""
        if not self.event.is_set():
            self.reason = reason
            self.event.set()

    def fail(self, fault: Fault) -> None:
        """End at once: the disk is left as it is."""
        if not self.event.is_set():
            self.reason, self.fault = fault.detail, fault
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
        opened = open_all(directory, settings, environment, closing)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(opened, settings, ready))


async def _serve(opened: Opened, settings: Settings, ready: Callable[[str], None]) -> str:
    """Wire, run, stop."""
    check_space(opened.layout.root, settings)
    stop, clock, genesis = Stop(), Clock(), opened.genesis
    metrics = Metrics(__version__)
    clients = Clients(clock.now_ms, metrics.render)
    devices = Devices(clock, opened, clients, metrics, retention_blocks(settings))
    mathematics = Mathematics(bls.verify_possession, is_account_key)
    node = Node(genesis, _node_settings(opened, settings), opened.store, opened.blocks, mathematics)
    loop = Loop(node, devices, stop.fail)
    carrier = TcpCarrier(loop.deliver, clock.now_ms)
    devices.carrier = carrier
    clients.connect(loop.deliver)
    await _listen(carrier, settings.network.listen)
    port = port_settings(settings.http, settings.metrics, development=genesis.development, version=__version__)
    http = HttpServer(port, clients)
    url = await _bind(http, settings.http.listen)
    _calm_collector()
    loop.deliver(Booted(clock.now_ms(), opened.records, opened.may_vote, opened.guard_record))
    loop.start()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, lambda: stop.ask("asked to stop"))
    housekeeping = asyncio.create_task(_housekeeping(opened, settings, stop, metrics, devices))
    if await _has_recovered(node, stop):
        await carrier.serve()
        clients.set_head(opened.blocks.last)
        clients.is_ready = True
        ready(url)
    await stop.event.wait()
    housekeeping.cancel()
    clients.stop()
    await http.stop()
    await _farewell(loop, carrier, devices, clock, stop)
    opened.log.write(LogLevel.INFO, "stopped", reason=stop.reason)
    if stop.fault is not None:
        if stop.fault.reason is FaultReason.DIRECTORY_GONE:
            opened.store.abandon()
        raise stop.fault
    return stop.reason


async def _has_recovered(node: Node, stop: Stop) -> bool:
    """Return when the node knows where it was, or must end; whether it does. Until then nobody can connect, and clients
    hear how far it is (HTTP-6): executing a whole block log again takes a while."""
    while not node.has_recovered and not stop.event.is_set():  # noqa: ASYNC110 - a pure node calls nobody
        await asyncio.sleep(RECOVERY_POLL_S)
    return not stop.event.is_set()


def _calm_collector() -> None:
    """What was made so far lives as long as the process; what comes is mostly freed by counting references."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)


async def _farewell(loop: Loop, carrier: TcpCarrier, devices: Devices, clock: Clock, stop: Stop) -> None:
    """A graceful stop makes everything durable; after a failure the disk is left as it is."""
    if stop.fault is None:
        loop.deliver(Stopping(clock.now_ms()))
        await asyncio.sleep(FAREWELL_S)
    loop.stop()
    await carrier.stop()
    if stop.fault is None:
        devices.disk.close_cleanly()


async def _listen(carrier: TcpCarrier, listen: str) -> None:
    try:
        await carrier.listen(*read_address(listen, "network.listen"), serving=False)
    except OSError as error:
        raise _port_taken(listen, "network.listen", error) from error


async def _bind(http: HttpServer, listen: str) -> str:
    try:
        return await http.start()
    except OSError as error:
        raise _port_taken(listen, "http.listen", error) from error


def _port_taken(listen: str, key: str, error: OSError) -> Fault:
    fix = f"stop what listens there, or choose another address in {key}"
    return Fault(FaultReason.PORT_TAKEN, f"cannot listen on {listen}: {error.strerror}", fix)


def _node_settings(opened: Opened, settings: Settings) -> NodeSettings:
    """What the node itself may know: addresses of genesis, and the peers and observers this operator names."""
    seats = tuple((v.transport_key, a) for v in opened.genesis.validators for a in v.addresses)
    peers = tuple(read_peer(text, "network.peers") for text in settings.network.peers)
    own = opened.transport_key.public_key
    return NodeSettings(
        transport_key=own,
        vote_key=opened.vote_key,
        listen_addresses=advertised(settings.network),
        bootstrap=tuple((key, address) for key, address in (*seats, *peers) if key != own),
        observers=tuple(read_key(text, "network.observers") for text in settings.network.observers),
        discovery=settings.network.discovery,
        entropy=random_bytes(32),
        snapshot_sync=settings.sync.snapshot,
        name=settings.name,
    )


def retention_blocks(settings: Settings) -> int:
    """How many blocks are kept; 0: all."""
    return settings.storage.retention_blocks if settings.storage.prune else 0


def check_space(root: Path, settings: Settings) -> int:
    """Bytes that are free. Raises `Fault` where they are fewer than the operator wants: a node that stops before the
    disk is full can still write down why."""
    free, least = free_bytes(root), settings.storage.free_bytes_min
    if free < least:
        fix = "free some space there, or lower storage.free_bytes_min in node.toml, and start again"
        detail = f"only {free >> 20} MiB are free for {root}; storage.free_bytes_min is {least >> 20} MiB"
        raise Fault(FaultReason.DISK_FULL, detail, fix)
    return free


async def _housekeeping(opened: Opened, settings: Settings, stop: Stop, metrics: Metrics, devices: Devices) -> None:
    """Now and then: is the data directory still ours, is there room on the disk, how big are we, who found no place."""
    told = 0
    try:
        while True:
            opened.directory.check_ours()
            free = check_space(opened.layout.root, settings)
            metrics.store(opened.store.statistics())
            opened.log.turn()
            lines = {"log_lines_folded": opened.log.folded_lines, "log_lines_lost": opened.log.lost_lines}
            metrics.host({"resident_bytes": resident_bytes(), "disk_free_bytes": free, **lines})
            turned_away = devices.carrier.turned_away
            if turned_away > told:
                devices.note(too_many_links(turned_away - told))
                told = turned_away
            await asyncio.sleep(HOUSEKEEPING_S)
    except Fault as fault:
        stop.fail(fault)


def is_account_key(key: bytes) -> bool:
    """Whether 32 bytes are a point that could ever sign: on the curve, in the main subgroup, not small."""
    return len(key) == 32 and bool(crypto_core_ed25519_is_valid_point(key))
