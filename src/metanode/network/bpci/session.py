"""The two directions of an established session: keys and their replacement, sealing, opening, checkpoints."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from metanode.network.bpci.handshake import Established
from metanode.network.bpci.messages import (
    HEADER,
    TAG_BYTES,
    VERSION,
    Checkpoint,
    Header,
    Kind,
    Stream,
    checkpoint_digest,
    service_hash,
)
from metanode.network.bpci.refusals import BpciRefusal
from metanode.network.bpci.replay import WINDOW, ReplayWindow
from metanode.primitives.digest import Tag, digest
from metanode.primitives.refusal import Rejected
from metanode.primitives.sealing import Aead, hkdf_sha256

KEY_AGE_MS: Final = 120_000
"""A key is replaced after two minutes: what a thief of it can read is bounded."""
KEY_RECORDS: Final = 1 << 20
"""…or after this many frames."""
KEY_BYTES: Final = 64 << 30
"""…or after 64 GiB, far below ChaCha20-Poly1305's limits."""
STALE_AGE_MS: Final = 180_000
"""A receiver refuses a key older than this: half as long again as the sender's bound, for delays and clocks."""
STALE_RECORDS: Final = KEY_RECORDS + WINDOW
"""A receiver refuses more frames than this under one key."""
GRACE_MS: Final = 10_000
"""How long the key just left still opens frames that were under way."""
CHECKPOINT_RECORDS: Final = 64
"""Records between two checkpoints: a twentieth of the price of a signature a record."""
CHECKPOINT_AGE_MS: Final = 250
"""…or this long after the first record that none covers."""
UNSIGNED_RECORDS_MAX: Final = 8192
"""Records a receiver holds digests of while it waits for a checkpoint."""
UNSIGNED_AGE_MS: Final = 10_000
"""…and how long it waits."""
CHECKPOINT_SPAN_MAX: Final = 4 * UNSIGNED_RECORDS_MAX
"""Counters one checkpoint may span; control words use counters too."""
PENDING_MAX: Final = 64
"""Checkpoints a receiver holds whose records are still under way."""


class _Epoch:
    """One key of one direction, its associated data, and how much it was used."""

    __slots__ = ("aead", "bytes", "index", "key_digest", "opened_ms", "prefixes", "records", "secret")

    def __init__(self, names: "Names", index: int, secret: bytes, opened_ms: int) -> None:
        """BPCI-K1. Key and the next epoch's secret come from this epoch's secret, one way."""
        info = b"bpci1 epoch" + bytes((names.direction,)) + index.to_bytes(4)
        material = hkdf_sha256(secret, salt=names.session, info=info, length=64)
        self.aead = Aead(material[:32])
        self.secret = material[32:]
        self.key_digest = digest(Tag.EPOCH_KEY, material[:32])
        self.prefixes = names.prefixes(index)
        self.index = index
        self.opened_ms = opened_ms
        self.records = 0
        self.bytes = 0


@dataclass(frozen=True, slots=True)
class Names:
    """What is constant in one direction of a session: names, clusters, and 0 (initiator to responder) or 1 (back)."""

    session: bytes
    direction: int
    source: bytes
    destination: bytes

    def opening_tick(self, epoch: int) -> bytes:
        """BPCI-C2. The tick under which an epoch opens."""
        return digest(Tag.TICK, self.session, bytes((self.direction,)), epoch.to_bytes(4))

    def prefixes(self, epoch: int) -> tuple[bytes, ...]:
        """BPCI-R2. The logical header up to the frame's own 16 bytes, for each stream.

        version(1) ‖ src_cluster_id(16) ‖ dst_cluster_id(16) ‖ svc_id_hash(32) ‖ session(32) ‖ direction(1) ‖ epoch(4)
        ‖ poh_tick(32); then length, type, flags, stream, epoch and the counter, which is the logical `nonce`.
        """
        before = bytes((VERSION,)) + self.source + self.destination
        after = self.session + bytes((self.direction,)) + epoch.to_bytes(4) + self.opening_tick(epoch)
        return tuple([before + service_hash(stream) + after for stream in Stream])


def _names(established: Established, own_cluster: bytes, *, sending: bool) -> Names:
    ours = established.initiator == sending
    source, destination = (own_cluster, established.cluster) if sending else (established.cluster, own_cluster)
    return Names(established.session, 0 if ours else 1, source, destination)


def _elapsed(now_ms: int, since_ms: int) -> int:
    """Milliseconds since; a clock set back counts as none."""
    return max(0, now_ms - since_ms)


class Sender:
    """Our direction: seals frames, replaces keys, cuts checkpoints."""

    def __init__(self, established: Established, own_cluster: bytes, checkpoint_records: int, now_ms: int) -> None:
        self.names: Final = _names(established, own_cluster, sending=True)
        self._checkpoint_records: Final = checkpoint_records
        self._epoch = _Epoch(self.names, 0, established.sending, now_ms)
        self._tick = self.names.opening_tick(0)
        self._counter = 0
        self._number = 0
        self._first = 0
        self._leaves: list[bytes] = []
        self._oldest_ms = now_ms
        self._cut: list[Checkpoint] = []

    def seal(self, kind: Kind, flags: int, stream: Stream, plain: bytes, now_ms: int) -> tuple[bytes, bytes]:
        """BPCI-R1. Header and sealed body of one frame; the nonce is 4 zero bytes ‖ the counter, never used twice."""
        epoch = self._epoch
        if epoch.records >= KEY_RECORDS or epoch.bytes >= KEY_BYTES or _elapsed(now_ms, epoch.opened_ms) >= KEY_AGE_MS:
            epoch = self._replace_key(now_ms)
        counter = self._counter
        header = HEADER.pack(len(plain) + TAG_BYTES, kind, flags, stream, epoch.index & 0xFF, counter)
        body = epoch.aead.seal(counter, plain, epoch.prefixes[stream] + header)
        self._counter = counter + 1
        epoch.records += 1
        epoch.bytes += len(body)
        if kind is Kind.RECORD:
            leaves = self._leaves
            if not leaves:
                self._oldest_ms, self._first = now_ms, counter
            leaf = sha256(header)
            leaf.update(body)
            leaves.append(leaf.digest())
            if len(leaves) >= self._checkpoint_records:
                self._cut_checkpoint(now_ms)
        return header, body

    def checkpoints(self, now_ms: int) -> list[tuple[Checkpoint, bytes]]:
        """BPCI-C3. Checkpoints due by count or age, with the digest that the transport key shall sign."""
        if self._leaves and _elapsed(now_ms, self._oldest_ms) >= CHECKPOINT_AGE_MS:
            self._cut_checkpoint(now_ms)
        if not self._cut:
            return []
        cut, self._cut = self._cut, []
        names = self.names
        return [(checkpoint, checkpoint_digest(names.session, names.direction, checkpoint)) for checkpoint in cut]

    def _cut_checkpoint(self, now_ms: int) -> None:
        """BPCI-C1. All records of one epoch since the checkpoint before, in the order of their counters."""
        chain = digest(Tag.FRAMES, *self._leaves)
        self._tick = digest(Tag.TICK, self._tick, chain)
        epoch = self._epoch
        self._cut.append(
            Checkpoint(
                number=self._number,
                epoch=epoch.index,
                first=self._first,
                last=self._counter - 1,
                count=len(self._leaves),
                chain=chain,
                epoch_key_digest=epoch.key_digest,
                poh_tick=self._tick,
                now_ms=max(0, now_ms),
            )
        )
        self._number += 1
        self._leaves = []

    def _replace_key(self, now_ms: int) -> _Epoch:
        """BPCI-K2. After 120 s, 2^20 frames or 64 GiB the next epoch begins; a checkpoint closes the one before."""
        if self._leaves:
            self._cut_checkpoint(now_ms)
        epoch = self._epoch
        self._epoch = _Epoch(self.names, epoch.index + 1, epoch.secret, now_ms)
        return self._epoch


class Receiver:
    """The peer's direction: opens frames, follows its keys, holds its records against its checkpoints."""

    def __init__(self, established: Established, own_cluster: bytes, now_ms: int) -> None:
        self.names: Final = _names(established, own_cluster, sending=False)
        self._window: Final = ReplayWindow()
        self._epoch = _Epoch(self.names, 0, established.receiving, now_ms)
        self._before: _Epoch | None = None
        self._tick = self.names.opening_tick(0)
        self._covered = 0
        self._number = 0
        self._leaves: dict[int, bytes] = {}
        self._oldest_ms = now_ms
        self._pending: dict[int, Checkpoint] = {}
        self._key_digests = {0: self._epoch.key_digest}

    def fresh(self, header: Header) -> bool:
        """BPCI-R4. Whether this counter was not received before and is not below the window."""
        return self._window.fresh(header.counter)

    def open(self, header: Header, header_bytes: bytes, body: bytes, now_ms: int) -> bytes:
        """BPCI-R3. The content of one fresh frame: under a key in use, authentic with its whole logical header.

        Raises `Rejected` WRONG_EPOCH, STALE_KEY, FORGED_RECORD. Nothing is remembered of a refused frame.
        """
        counter = header.counter
        epoch = self._epoch
        if header.epoch != epoch.index & 0xFF:
            epoch = self._other_epoch(header.epoch, now_ms)
        if epoch.records >= STALE_RECORDS or _elapsed(now_ms, epoch.opened_ms) > STALE_AGE_MS:
            raise Rejected(BpciRefusal.STALE_KEY, f"{epoch.records} frames, {_elapsed(now_ms, epoch.opened_ms)} ms")
        try:
            plain = epoch.aead.open(counter, body, epoch.prefixes[header.stream] + header_bytes)
        except Rejected as rejected:
            raise Rejected(BpciRefusal.FORGED_RECORD, rejected.detail) from None
        self._window.accept(counter)
        if epoch.index > self._epoch.index:
            self._before, self._epoch = self._epoch, epoch
            self._key_digests[epoch.index] = epoch.key_digest
            self._key_digests.pop(epoch.index - 4, None)
        epoch.records += 1
        if header.kind == Kind.RECORD:
            self._remember(counter, header_bytes, body, now_ms)
        return plain

    def _other_epoch(self, low_bits: int, now_ms: int) -> _Epoch:
        """BPCI-K3. Besides the current key the next one opens frames, and for `GRACE_MS` the one before."""
        current, before = self._epoch, self._before
        if low_bits == current.index + 1 & 0xFF:
            return _Epoch(self.names, current.index + 1, current.secret, now_ms)
        if before is not None and low_bits == before.index & 0xFF and _elapsed(now_ms, current.opened_ms) <= GRACE_MS:
            return before
        raise Rejected(BpciRefusal.WRONG_EPOCH, f"epoch {low_bits}, current {current.index}")

    def _remember(self, counter: int, header_bytes: bytes, body: bytes, now_ms: int) -> None:
        """BPCI-C4. The digest of a record, until its checkpoint."""
        if counter < self._covered:
            raise Rejected(BpciRefusal.WRONG_CHECKPOINT, f"record {counter} was left out")
        leaves = self._leaves
        if not leaves:
            self._oldest_ms = now_ms
        leaf = sha256(header_bytes)
        leaf.update(body)
        leaves[counter] = leaf.digest()

    def check_unsigned(self, now_ms: int) -> None:
        """BPCI-C5. Records are covered in number and time. Raises `Rejected` UNSIGNED_TOO_LONG."""
        count = len(self._leaves)
        age = _elapsed(now_ms, self._oldest_ms) if count else 0
        if count > UNSIGNED_RECORDS_MAX or age > UNSIGNED_AGE_MS:
            raise Rejected(BpciRefusal.UNSIGNED_TOO_LONG, f"{count} records, {age} ms")

    def hear_checkpoint(self, checkpoint: Checkpoint) -> None:
        """BPCI-C4. Keep a checkpoint until it is its turn. Raises `Rejected` WRONG_CHECKPOINT if it can never match."""
        span = checkpoint.last - checkpoint.first + 1
        if (
            not 0 < checkpoint.count <= min(span, UNSIGNED_RECORDS_MAX)
            or span > CHECKPOINT_SPAN_MAX
            or not self._number <= checkpoint.number < self._number + PENDING_MAX
            or checkpoint.number in self._pending
        ):
            detail = f"number {checkpoint.number}, counters {checkpoint.first} to {checkpoint.last}"
            raise Rejected(BpciRefusal.WRONG_CHECKPOINT, detail)
        self._pending[checkpoint.number] = checkpoint

    def matched(self, now_ms: int) -> list[tuple[Checkpoint, bytes]]:
        """BPCI-C4. Checkpoints whose turn it is and whose records are all here, with the digest that is signed.

        Raises `Rejected` WRONG_CHECKPOINT for one that says something else than what was received.
        """
        matched: list[tuple[Checkpoint, bytes]] = []
        while (following := self._pending.get(self._number)) is not None:
            counters = range(following.first, following.last + 1)
            leaves = [leaf for leaf in map(self._leaves.get, counters) if leaf is not None]
            if len(leaves) < following.count:
                break
            self._match(following, leaves)
            for counter in counters:
                self._leaves.pop(counter, None)
            self._oldest_ms = now_ms
            self._covered = following.last + 1
            del self._pending[self._number]
            self._number += 1
            matched.append((following, checkpoint_digest(self.names.session, self.names.direction, following)))
        return matched

    def _match(self, checkpoint: Checkpoint, leaves: list[bytes]) -> None:
        """BPCI-C4. Count, chain, key digest and tick are those of what was received; no earlier record is left out."""
        chain = digest(Tag.FRAMES, *leaves)
        tick = digest(Tag.TICK, self._tick, chain)
        expected = (len(leaves), chain, self._key_digests.get(checkpoint.epoch), tick)
        described = (checkpoint.count, checkpoint.chain, checkpoint.epoch_key_digest, checkpoint.poh_tick)
        if described != expected or min(self._leaves, default=0) < checkpoint.first:
            raise Rejected(BpciRefusal.WRONG_CHECKPOINT, f"counters {checkpoint.first} to {checkpoint.last} differ")
        self._tick = tick
