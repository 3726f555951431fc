"""The loop: one node, its events in order, its effects carried out in order. The only place that owns a node."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, assert_never

from metanode.host.devices import Devices
from metanode.host.fault import Fault, halted
from metanode.node.effects import (
    TICK_MS,
    Answer,
    AppendBlock,
    BatchAnswer,
    Bug,
    CancelTimer,
    CheckAggregates,
    CheckShares,
    CheckSignatures,
    CloseLink,
    Compute,
    Dial,
    Effect,
    Halt,
    Journal,
    JournalCheckpoint,
    Note,
    PublishFinal,
    SetFault,
    SetTimer,
    SignVote,
    Transmit,
    WriteStore,
)
from metanode.node.events import Event, SignaturesChecked, Ticked, TimerFired
from metanode.node.machine import Node

TURN_EVENTS_MAX: Final = 256
"""After so many events the loop lets sockets and clients have their turn."""
SLICE_SIGNATURES: Final = 64
"""Signatures of transactions checked at a stretch (about 4 ms), so that a vote never waits long behind them."""


class Loop:
    """Feeds the node and carries out what it asks. `stopped` is called once, with what ends it: a failure of the
    world as it is, a bug or the node's own wish as `node.halted`."""

    def __init__(self, node: Node, devices: Devices, stopped: Callable[[Fault], None]) -> None:
        self._node = node
        self._devices = devices
        self._stopped = stopped
        self._inbox: deque[Event] = deque()
        self._checks: deque[CheckSignatures] = deque()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._scheduled = False
        self._ended = False
        self._journal: list[bytes] = []
        self._answers: list[Event] = []

    def start(self) -> None:
        """Begin the pulse."""
        self._pulse()

    def stop(self) -> None:
        """Carry out nothing more."""
        self._ended = True
        for handle in self._timers.values():
            handle.cancel()

    def deliver(self, event: Event) -> None:
        """Queue an event; the node hears it in this or the next turn of the asyncio loop."""
        self._inbox.append(event)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled and not self._ended:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _pulse(self) -> None:
        if not self._ended:
            self.deliver(Ticked(self._devices.now_ms()))
            asyncio.get_running_loop().call_later(TICK_MS / 1000, self._pulse)

    def _turn(self) -> None:
        self._scheduled = False
        try:
            self._drain()
            if not self._inbox and self._checks and not self._ended:
                self._check_slice()
        except Exception as error:  # the one place: a bug or a fault ends the node, the journal stays
            self._ended = True
            self._devices.crashed(error)
            self._stopped(error if isinstance(error, Fault) else halted(f"{type(error).__name__}: {error}"))
            return
        if self._inbox or self._checks:
            self._schedule()

    def _drain(self) -> None:
        for _ in range(TURN_EVENTS_MAX):
            if not self._inbox or self._ended:
                break
            effects = self._node.handle(self._inbox.popleft())
            for effect in effects:
                if not self._ended:
                    self._carry_out(effect)
            self._sync_journal()
            self._inbox.extendleft(reversed(self._answers))
            self._answers.clear()
        self._devices.carrier.flush()

    def _sync_journal(self) -> None:
        if self._journal:
            records, self._journal = self._journal, []
            self._devices.disk.journal(records)

    def _carry_out(self, effect: Effect) -> None:
        """Durable first: records gathered so far are on disk before anything but another record is carried out."""
        if isinstance(effect, Journal):
            self._journal.append(effect.record)
            return
        self._sync_journal()
        devices = self._devices
        match effect:
            case Transmit(link, data):
                devices.carrier.send(link, data)
            case CheckSignatures(urgent=False) if devices.verify_later(effect, self.deliver):
                pass
            case CheckSignatures(urgent=False):
                self._checks.append(effect)
            case CheckSignatures() | CheckShares() | CheckAggregates() | SignVote() | Compute():
                # Answered at the head of the queue: what waits for a vote must not wait behind a flood.
                self._answers.append(devices.answer(effect))
            case SetTimer(timer, delay_ms):
                self._set_timer(timer, delay_ms)
            case CancelTimer(timer):
                self._cancel_timer(timer)
            case Dial(peer, address):
                devices.carrier.dial(peer, address)
            case CloseLink(link, reason):
                devices.closing(link, reason)
            case JournalCheckpoint(records):
                devices.disk.checkpoint(records)
            case AppendBlock(height, block):
                devices.disk.append_block(height, block)
            case WriteStore(height, rows):
                devices.disk.write_store(height, rows)
            case Answer() | BatchAnswer() | PublishFinal():
                devices.outward(effect)
            case Bug(_, error):
                if isinstance(error, Fault | OSError | MemoryError):
                    raise error
                devices.bug(effect)
            case SetFault(kind, _, value_ms):
                devices.carrier.latency_ms = value_ms if kind == "latency" else 0
            case Note():
                devices.note(effect)
            case Halt(reason):
                self._ended = True
                self._stopped(halted(reason))
            case _ as never:
                assert_never(never)

    def _check_slice(self) -> None:
        effect = self._checks[0]
        done = self._devices.check_slice(effect, SLICE_SIGNATURES)
        if done is not None:
            self._checks.popleft()
            self._inbox.append(SignaturesChecked(self._devices.now_ms(), effect.room, effect.token, done))

    def _set_timer(self, timer: str, delay_ms: int) -> None:
        self._cancel_timer(timer)
        self._timers[timer] = asyncio.get_running_loop().call_later(delay_ms / 1000, self._fire, timer)

    def _cancel_timer(self, timer: str) -> None:
        handle = self._timers.pop(timer, None)
        if handle is not None:
            handle.cancel()

    def _fire(self, timer: str) -> None:
        self._timers.pop(timer, None)
        self.deliver(TimerFired(self._devices.now_ms(), timer))
