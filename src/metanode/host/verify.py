"""Heavy mathematics for the node: batches of signatures in slices or in other processes, shares, aggregates."""

import multiprocessing
import os
import signal
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from threading import Lock, Thread
from typing import Final, TypeAlias

from metanode.primitives import bls, ed25519
from metanode.primitives.refusal import Rejected

Item: TypeAlias = tuple[bytes, bytes, bytes]
"""Public key (32), message, signature (64)."""
POOL_ITEMS_MIN: Final = 32
"""Below this a round trip to another process costs more than checking here."""
CHUNK_ITEMS: Final = 256
"""Signatures sent to one process at once: about 12 ms of work for half a millisecond of carrying."""
_LENGTHS: Final = struct.Struct(">HHI")


class Slices:
    """One batch checked in the node's own thread, some at a time, so that a vote never waits long behind it."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self._verdicts: list[bool] = []

    def step(self, count: int) -> tuple[bool, ...] | None:
        """Check so many more; the verdicts in order once all are checked, else None."""
        start = len(self._verdicts)
        self._verdicts += ed25519.verify_batch(self._items[start : start + count])
        return tuple(self._verdicts) if len(self._verdicts) == len(self._items) else None


class Pool:
    """Batches checked in other processes. One that dies costs its batches a second check here and the pool its use;
    the node goes on by itself."""

    def __init__(self, workers: int) -> None:
        assert workers > 0, "without workers, use `Slices`"
        context = multiprocessing.get_context("spawn")
        self._executor = ProcessPoolExecutor(workers, mp_context=context, initializer=_settle_in)
        self.is_lost = False

    def check(self, items: Sequence[Item], done: Callable[[tuple[bool, ...]], None]) -> None:
        """Call `done` with the verdicts, in order, in a thread of the pool. The caller brings it home to its loop."""
        parts = [items[at : at + CHUNK_ITEMS] for at in range(0, len(items), CHUNK_ITEMS)]
        gathering = _Gathering(parts, done, self._lost)
        if self.is_lost or len(items) < POOL_ITEMS_MIN:
            gathering.check_all()
            return
        for position, part in enumerate(parts):
            try:
                future = self._executor.submit(check_blob, pack(part))
            except (BrokenProcessPool, RuntimeError):
                self._lost()
                gathering.check_here(position)
            else:
                future.add_done_callback(gathering.heard(position))

    def _lost(self) -> None:
        self.is_lost = True

    def close(self) -> None:
        """End the processes; batches under way are forgotten."""
        self._executor.shutdown(wait=True, cancel_futures=True)


class _Gathering:
    """The parts of one batch, until all have their verdicts."""

    def __init__(
        self, parts: list[Sequence[Item]], done: Callable[[tuple[bool, ...]], None], lost: Callable[[], None]
    ) -> None:
        self._parts = parts
        self._done = done
        self._lost = lost
        self._verdicts: dict[int, tuple[bool, ...]] = {}
        self._lock = Lock()

    def heard(self, position: int) -> Callable[[Future[bytes]], None]:
        """What to do when a process has answered; all answers are heard in the pool's one thread."""

        def note(future: Future[bytes]) -> None:
            if future.cancelled():
                return
            if future.exception() is not None:
                self._lost()
                self.check_here(position)
            else:
                self._add(position, tuple(byte == 1 for byte in future.result()))

        return note

    def check_here(self, position: int) -> None:
        """Check one part in this process."""
        self._add(position, check_signatures(self._parts[position]))

    def check_all(self) -> None:
        """Check everything in this process."""
        self._done(tuple(verdict for part in self._parts for verdict in check_signatures(part)))

    def _add(self, position: int, verdicts: tuple[bool, ...]) -> None:
        with self._lock:  # the caller's thread adds what it checked itself
            self._verdicts[position] = verdicts
            is_last = len(self._verdicts) == len(self._parts)
        if is_last:
            self._done(tuple(v for at in range(len(self._parts)) for v in self._verdicts[at]))


def check_signatures(items: Sequence[Item]) -> tuple[bool, ...]:
    """The verdict of each signature, in order."""
    return tuple(ed25519.verify_batch(items))


def check_shares(message: bytes, keys: Sequence[bytes], shares: Sequence[bytes]) -> tuple[bytes, tuple[int, ...]]:
    """BLS-B6. (aggregate, ()) where the sum of all shares verifies, else (b"", the positions of the bad ones)."""
    bad = bls.find_bad_shares(keys, message, shares)
    if bad:
        return b"", bad
    try:
        return bls.aggregate(shares), ()
    except Rejected:  # they cancel out, so not one honest key is among them
        return b"", tuple(range(len(shares)))


def check_aggregates(items: Sequence[tuple[Sequence[bytes], bytes, bytes]]) -> tuple[bool, ...]:
    """The verdict of each aggregate (keys, message, signature), in order."""
    return tuple(bls.fast_aggregate_verify(keys, message, signature) for keys, message, signature in items)


def pack(items: Sequence[Item]) -> bytes:
    """A batch as one blob: pickling thousands of small objects would cost as much as checking some."""
    return b"".join(
        part
        for key, message, signature in items
        for part in (_LENGTHS.pack(len(key), len(signature), len(message)), key, signature, message)
    )


def unpack(blob: bytes) -> list[Item]:
    """What `pack` packed."""
    items, at = [], 0
    while at < len(blob):
        key_bytes, signature_bytes, message_bytes = _LENGTHS.unpack_from(blob, at)
        key_at = at + _LENGTHS.size
        signature_at = key_at + key_bytes
        message_at = signature_at + signature_bytes
        at = message_at + message_bytes
        items.append((blob[key_at:signature_at], blob[message_at:at], blob[signature_at:message_at]))
    return items


def check_blob(blob: bytes) -> bytes:
    """What a process does: one byte a verdict."""
    return bytes(ed25519.verify_batch(unpack(blob)))


def _settle_in() -> None:
    """Ctrl-C goes to the whole group of processes; the node ends its workers itself, after its last batch. A node that
    is killed cannot: its workers watch it, and go with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None, "this is a process of a pool"
    Thread(target=_leave_with, args=(parent.sentinel,), daemon=True).start()


def _leave_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(0)
