"""What passes over sessions: frames opened and admitted, records sent, checkpoints cut and held against what came."""

from collections.abc import Sequence
from typing import Final, assert_never

from metanode.network.bpci.events import Blame, Dropped, Effect, RoundTrip, Transmit
from metanode.network.bpci.messages import (
    FRAGMENT_FLAG,
    HEADER_BYTES,
    Checkpoint,
    Control,
    Credit,
    Header,
    Kind,
    Ping,
    Pong,
    Ready,
    Stream,
    decode_control,
    decode_fragment,
    encode_control,
    split_messages,
)
from metanode.network.bpci.refusals import BpciRefusal
from metanode.network.bpci.state import PING_MS, PONG_PAUSE_MS, Session
from metanode.primitives.refusal import Rejected

SILENCE_MS: Final = 15_000
"""A peer that missed three pings is gone."""
CREDIT_STEP_BYTES: Final = 512 << 10
"""An acknowledgement every so many bytes, an eighth of the window."""


class Traffic:
    """Works on one session at a time; all methods may raise `Rejected`, which ends the session's link."""

    def __init__(self, effects: list[Effect]) -> None:
        """`effects`: the door's own list, to which everything here is added in order."""
        self._effects: Final = effects
        self._unsigned: list[tuple[int, Checkpoint, bytes]] = []
        self._unchecked: list[tuple[int, Checkpoint, bytes, bytes]] = []

    def take_unsigned(self) -> list[tuple[int, Checkpoint, bytes]]:
        """Our checkpoints to sign since last asked: link, checkpoint, message."""
        taken, self._unsigned = self._unsigned, []
        return taken

    def take_unchecked(self) -> list[tuple[int, Checkpoint, bytes, bytes]]:
        """Peers' checkpoints to check since last asked: link, checkpoint, peer, message."""
        taken, self._unchecked = self._unchecked, []
        return taken

    # What arrives

    def open(self, session: Session, header: Header, header_bytes: bytes, body: bytes, now_ms: int) -> bytes | None:
        """BPCI-R4. The content of a frame, or nothing for one that is not fresh."""
        if header.kind < Kind.RECORD:
            raise Rejected(BpciRefusal.OUT_OF_TURN, f"frame type {header.kind} in a session")
        if not session.receiver.fresh(header):
            detail = f"counter {header.counter}"
            self._effects.append(Blame(session.peer, session.link, BpciRefusal.REPLAYED, detail))
            return None
        plain = session.receiver.open(header, header_bytes, body, now_ms)
        session.heard_ms = now_ms
        return plain

    def content(self, session: Session, header: Header, plain: bytes, now_ms: int) -> Sequence[bytes]:
        """BPCI-R5. The messages of a record that is within the quota; control words are obeyed."""
        if header.kind == Kind.CONTROL:
            self._obey(session, decode_control(plain), now_ms)
            return ()
        session.received_bytes += HEADER_BYTES + header.length
        return self._admit(session, Stream(header.stream), header.flags, plain, now_ms)

    def _admit(self, session: Session, stream: Stream, flags: int, plain: bytes, now_ms: int) -> Sequence[bytes]:
        """BPCI-S4. What is beyond the quota is dropped and counted."""
        admitted = session.intake.admit(stream, len(plain), now_ms)
        if flags & FRAGMENT_FLAG:
            fragment = decode_fragment(plain)
            if admitted:
                message = session.intake.join(stream, fragment)
                return () if message is None else (message,)
            session.intake.skip(stream, fragment)
            count = 1
        else:
            messages = split_messages(plain)
            if admitted:
                return messages
            count = len(messages)
        self._effects.append(Dropped(session.peer, stream, count))
        return ()

    def _obey(self, session: Session, word: Control, now_ms: int) -> None:
        match word:
            case Ready():
                pass
            case Ping(number):
                self._answer(session, number, now_ms)
            case Pong(number):
                self._measure(session, number, now_ms)
            case Credit(total_bytes):
                session.outbox.acknowledge(total_bytes)
                self.pump(session, now_ms)
            case Checkpoint():
                session.receiver.hear_checkpoint(word)
                self._match(session, now_ms)
            case _:
                assert_never(word)

    def _answer(self, session: Session, number: int, now_ms: int) -> None:
        """BPCI-T2. One PONG a second at most."""
        if not 0 <= now_ms - session.ponged_ms < PONG_PAUSE_MS:  # a clock set back is no pause
            session.ponged_ms = now_ms
            self.say(session, Pong(number), now_ms)

    def _measure(self, session: Session, number: int, now_ms: int) -> None:
        """BPCI-T2. An answer that nobody waits for says nothing."""
        if session.awaits_pong and number == session.ping:
            session.awaits_pong = False
            self._effects.append(RoundTrip(session.peer, max(0, now_ms - session.pinged_ms)))

    def _match(self, session: Session, now_ms: int) -> None:
        for checkpoint, message in session.receiver.matched(now_ms):
            self._unchecked.append((session.link, checkpoint, session.peer, message))

    def acknowledge(self, session: Session, now_ms: int) -> None:
        """BPCI-S3. Every `CREDIT_STEP_BYTES` the peer learns that it has room again."""
        session.receiver.check_unsigned(now_ms)
        if session.received_bytes - session.credited_bytes >= CREDIT_STEP_BYTES:
            session.credited_bytes = session.received_bytes
            self.say(session, Credit(session.received_bytes), now_ms)

    # What is sent

    def send(self, session: Session, stream: Stream, messages: tuple[bytes, ...], now_ms: int) -> None:
        """BPCI-S2. Queue a batch and send what may go now."""
        dropped = session.outbox.put(stream, messages)
        self.pump(session, now_ms)
        if dropped:
            self._effects.append(Dropped(session.peer, stream, dropped))

    def pump(self, session: Session, now_ms: int) -> None:
        """BPCI-S1. Records as long as queues, quotas and window allow; then the checkpoints that are due."""
        outbox, sender = session.outbox, session.sender
        chunks: list[bytes] = []
        while (packed := outbox.take(now_ms)) is not None:
            frame = sender.seal(Kind.RECORD, packed.flags, packed.stream, packed.plain, now_ms)
            outbox.sent_bytes += HEADER_BYTES + len(frame[1])
            chunks += frame
        if chunks:
            self._effects.append(Transmit(session.link, b"".join(chunks)))
        for checkpoint, message in sender.checkpoints(now_ms):
            self._unsigned.append((session.link, checkpoint, message))

    def say(self, session: Session, word: Control, now_ms: int) -> None:
        """BPCI-R7. One control word, ahead of everything that waits."""
        frame = session.sender.seal(Kind.CONTROL, 0, Stream.CONTROL, encode_control(word), now_ms)
        self._effects.append(Transmit(session.link, b"".join(frame)))

    # The clock

    def tick(self, session: Session, now_ms: int) -> None:
        """BPCI-T1. Silence has an end; pings, checkpoints and what waited for quota go out."""
        if now_ms - session.heard_ms > SILENCE_MS:
            raise Rejected(BpciRefusal.SILENT, f"{now_ms - session.heard_ms} ms")
        self._match(session, now_ms)
        session.receiver.check_unsigned(now_ms)
        self.pump(session, now_ms)
        if session.up and not 0 <= now_ms - session.pinged_ms < PING_MS:  # nor is it here
            session.ping, session.pinged_ms, session.awaits_pong = (session.ping + 1) % 2**32, now_ms, True
            self.say(session, Ping(session.ping), now_ms)
