"""What waits to be sent to one peer, and what one peer may send: queues, quotas, fragments."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from metanode.network.bpci.messages import (
    FRAGMENT_BYTES,
    FRAGMENT_FLAG,
    LONG_BYTES_MAX,
    MESSAGES_MAX,
    SINGLE_BYTES_MAX,
    STREAMS,
    Fragment,
    Stream,
    encode_fragment,
    join_messages,
)
from metanode.network.bpci.refusals import BpciRefusal
from metanode.primitives.refusal import Rejected

RECORD_FILL_BYTES: Final = 64 << 10
"""A record is closed at about this size: large enough to pay for itself, short enough for what is more urgent."""
WINDOW_BYTES: Final = 4 << 20
"""Bytes under way that the peer has not acknowledged: 40 MB/s at 100 ms, and no more than this is ahead of a vote."""
CONSENSUS_RESERVE_BYTES: Final = 1 << 20
"""Beyond the window consensus may still send this much."""
QUEUE_BYTES_MAX: Final = {
    Stream.CONSENSUS: 8 << 20,
    Stream.SYNC: 32 << 20,
    Stream.TRANSACTIONS: 16 << 20,
    Stream.GOSSIP: 4 << 20,
    Stream.BULK: 32 << 20,
}
"""What may wait for one peer; a few of the longest messages of each stream."""
QUEUE_MESSAGES_MAX: Final = 65_536
"""Messages of one stream that may wait for one peer: empty messages cost memory too."""


@dataclass(frozen=True, slots=True)
class Quota:
    """Of one stream of one peer: bytes a second, and bytes at once after a silence."""

    rate_bytes: int
    burst_bytes: int


DEFAULT_QUOTAS: Final = {
    Stream.CONSENSUS: Quota(16 << 20, 16 << 20),
    Stream.SYNC: Quota(64 << 20, 64 << 20),
    Stream.TRANSACTIONS: Quota(64 << 20, 32 << 20),
    Stream.GOSSIP: Quota(8 << 20, 8 << 20),
    Stream.BULK: Quota(64 << 20, 64 << 20),
}
"""Of one peer; more than a validator needs at the target load, and no two peers can drown a node with one stream."""
RECEIVED_SHARE: Final = 2
"""A receiver grants this many times what a sender grants itself: delays bunch traffic, honest peers lose nothing."""


class TokenBucket:
    """Bytes that may pass now; a message may overdraw it once, so that a long one passes a short burst."""

    __slots__ = ("_quota", "_tokens", "_updated_ms")

    def __init__(self, quota: Quota, now_ms: int) -> None:
        self._quota = quota
        self._tokens = quota.burst_bytes
        self._updated_ms = now_ms

    def open(self, now_ms: int) -> bool:
        """Whether anything may pass at this instant."""
        elapsed = now_ms - self._updated_ms
        if elapsed > 0:
            self._tokens = min(self._quota.burst_bytes, self._tokens + elapsed * self._quota.rate_bytes // 1000)
            self._updated_ms = now_ms
        elif elapsed < 0:
            self._updated_ms = now_ms
        return self._tokens > 0

    def spend(self, size: int) -> None:
        """Count what passed."""
        self._tokens -= size


@dataclass(frozen=True, slots=True)
class Packed:
    """The plain content of one record."""

    stream: Stream
    flags: int
    plain: bytes


class Outbox:
    """BPCI-S1. Five bounded queues, drained by rank, each within its quota, all within the window.

    A full queue drops and counts: consensus its oldest (a later vote is worth more), the others what comes last.
    """

    def __init__(self, quotas: dict[Stream, Quota], now_ms: int) -> None:
        self._queues: Final[dict[Stream, deque[bytes]]] = {stream: deque() for stream in STREAMS}
        self._queued: Final = dict.fromkeys(STREAMS, 0)
        self._buckets: Final = {stream: TokenBucket(quotas[stream], now_ms) for stream in STREAMS}
        self._cutting: Final[dict[Stream, tuple[int, int]]] = {}
        self._next_message = 0
        self._waiting = 0
        self.sent_bytes = 0
        """Bytes of frames handed to this link."""
        self.acknowledged_bytes = 0
        """…of which the peer has received these."""

    def new_link(self) -> None:
        """A new link carries on: nothing is under way on it, and a half-sent message begins again."""
        self.sent_bytes = self.acknowledged_bytes = 0
        self._cutting.clear()

    def put(self, stream: Stream, messages: tuple[bytes, ...]) -> int:
        """BPCI-S2. Queue a batch; returns how many were dropped. A message beyond the stream's bound is a bug."""
        queue, dropped = self._queues[stream], 0
        limit = QUEUE_BYTES_MAX[stream]
        size = sum(map(len, messages))
        bound = LONG_BYTES_MAX.get(stream, SINGLE_BYTES_MAX)
        assert size <= bound or max(map(len, messages)) <= bound, f"a message of {stream.name} above {bound} bytes"
        if self._queued[stream] + size <= limit and len(queue) + len(messages) <= QUEUE_MESSAGES_MAX:
            queue.extend(messages)
            self._queued[stream] += size
            self._waiting += len(messages)
            return 0
        for message in messages:
            if stream is Stream.CONSENSUS:
                while queue and self._overfull(stream, len(message)):
                    dropped += 1
                    self._forget_oldest(stream)
            if self._overfull(stream, len(message)):
                dropped += 1
                continue
            queue.append(message)
            self._queued[stream] += len(message)
            self._waiting += 1
        return dropped

    def _overfull(self, stream: Stream, size: int) -> bool:
        full = self._queued[stream] + size > QUEUE_BYTES_MAX[stream]
        return full or len(self._queues[stream]) >= QUEUE_MESSAGES_MAX

    def _forget_oldest(self, stream: Stream) -> None:
        self._cutting.pop(stream, None)
        self._queued[stream] -= len(self._queues[stream].popleft())
        self._waiting -= 1

    def acknowledge(self, total_bytes: int) -> None:
        """BPCI-S3. The peer received so much of this link. Raises `Rejected` FALSE_CREDIT for more than was sent."""
        if not self.acknowledged_bytes <= total_bytes <= self.sent_bytes:
            detail = f"{total_bytes} of {self.sent_bytes} bytes, before {self.acknowledged_bytes}"
            raise Rejected(BpciRefusal.FALSE_CREDIT, detail)
        self.acknowledged_bytes = total_bytes

    def waiting(self) -> int:
        """Messages that wait."""
        return self._waiting

    def take(self, now_ms: int) -> Packed | None:
        """BPCI-S1. The next record: the most urgent stream that has something, quota and window."""
        if not self._waiting:
            return None
        room = WINDOW_BYTES - (self.sent_bytes - self.acknowledged_bytes)
        for stream in STREAMS:
            reserve = CONSENSUS_RESERVE_BYTES if stream is Stream.CONSENSUS else 0
            if self._queues[stream] and room + reserve > 0 and self._buckets[stream].open(now_ms):
                packed = self._pack(stream)
                self._buckets[stream].spend(len(packed.plain))
                return packed
        return None

    def _pack(self, stream: Stream) -> Packed:
        queue = self._queues[stream]
        if len(queue[0]) > SINGLE_BYTES_MAX:
            return self._cut_fragment(stream)
        batch = [queue.popleft()]
        size = len(batch[0])
        while queue and size + len(queue[0]) <= RECORD_FILL_BYTES and len(batch) < MESSAGES_MAX:
            message = queue.popleft()
            batch.append(message)
            size += len(message)
        self._queued[stream] -= size
        self._waiting -= len(batch)
        return Packed(stream, 0, join_messages(batch))

    def _cut_fragment(self, stream: Stream) -> Packed:
        """BPCI-R6. A message too long for a record goes in pieces, in order, one message of a stream at a time."""
        message = self._queues[stream][0]
        if stream not in self._cutting:
            self._next_message = self._next_message + 1 & 0xFFFF_FFFF
            self._cutting[stream] = (self._next_message, 0)
        number, offset = self._cutting[stream]
        data = message[offset : offset + FRAGMENT_BYTES]
        fragment = Fragment(number, len(message), offset, data)
        if offset + len(data) < len(message):
            self._cutting[stream] = (number, offset + len(data))
        else:
            self._forget_oldest(stream)
        return Packed(stream, FRAGMENT_FLAG, encode_fragment(fragment))


class Intake:
    """BPCI-S4. What one peer may send us: a quota a stream, and at most one unfinished long message a stream."""

    def __init__(self, quotas: dict[Stream, Quota], now_ms: int) -> None:
        doubled = {s: Quota(q.rate_bytes * RECEIVED_SHARE, q.burst_bytes * RECEIVED_SHARE) for s, q in quotas.items()}
        self._buckets: Final = {stream: TokenBucket(doubled[stream], now_ms) for stream in STREAMS}
        self._pieces: Final[dict[Stream, list[Fragment]]] = {}
        self._received: Final = dict.fromkeys(STREAMS, 0)
        self._skipped: Final[dict[Stream, int]] = {}

    def admit(self, stream: Stream, size: int, now_ms: int) -> bool:
        """BPCI-S4. Whether a record's content is within the peer's quota; what is not is dropped and counted."""
        bucket = self._buckets[stream]
        if bucket.open(now_ms):
            bucket.spend(size)
            return True
        return False

    def skip(self, stream: Stream, fragment: Fragment) -> None:
        """A fragment beyond the quota: the rest of its message is ignored."""
        self._pieces.pop(stream, None)
        self._received[stream] = 0
        self._skipped[stream] = fragment.message

    def join(self, stream: Stream, fragment: Fragment) -> bytes | None:
        """BPCI-R6. The message, when its last piece is here. Raises `Rejected` BROKEN_FRAGMENTS."""
        bound = LONG_BYTES_MAX.get(stream, 0)
        if not SINGLE_BYTES_MAX < fragment.total_bytes <= bound:
            raise Rejected(
                BpciRefusal.BROKEN_FRAGMENTS, f"{fragment.total_bytes} bytes, at most {bound} on {stream.name}"
            )
        if fragment.offset and self._skipped.get(stream) == fragment.message:
            return None
        pieces = self._pieces.setdefault(stream, [])
        if not fragment.offset:
            pieces.clear()
            self._received[stream] = 0
        elif not pieces or (pieces[0].message, pieces[0].total_bytes) != (fragment.message, fragment.total_bytes):
            raise Rejected(BpciRefusal.BROKEN_FRAGMENTS, "a piece of another message")
        if fragment.offset != self._received[stream]:
            detail = f"bytes from {fragment.offset}, expected from {self._received[stream]}"
            raise Rejected(BpciRefusal.BROKEN_FRAGMENTS, detail)
        pieces.append(fragment)
        self._received[stream] += len(fragment.data)
        if self._received[stream] < fragment.total_bytes:
            return None
        del self._pieces[stream]
        self._received[stream] = 0
        return b"".join([piece.data for piece in pieces])
