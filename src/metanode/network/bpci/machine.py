"""The door: one machine for all peers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias, assert_never

from metanode.network.bpci.compute import Operation, Result, SignAll, Signatures, Verdicts, VerifyAll
from metanode.network.bpci.events import (
    AllowPeers,
    Blame,
    BytesArrived,
    Close,
    Compute,
    Computed,
    Connected,
    Delivered,
    Disconnected,
    Dropped,
    Effect,
    Event,
    PeerDown,
    PeerUp,
    Punish,
    SendMessages,
    Tick,
    Transmit,
    Witnessed,
)
from metanode.network.bpci.handshake import Ask, Established, Handshake, Myself, Say, Step
from metanode.network.bpci.messages import (
    Checkpoint,
    Header,
    Ready,
    Stream,
)
from metanode.network.bpci.outbox import DEFAULT_QUOTAS, Intake, Outbox, Quota
from metanode.network.bpci.refusals import GUILT, BpciRefusal, EndReason, LinkEnd
from metanode.network.bpci.rules import Admissions, prefers_new
from metanode.network.bpci.session import CHECKPOINT_RECORDS, Receiver, Sender
from metanode.network.bpci.state import Link, Session
from metanode.network.bpci.traffic import Traffic
from metanode.primitives.refusal import Refusal, Rejected

HANDSHAKE_MS: Final = 5_000
"""A handshake is two round trips and a millisecond of mathematics; who needs longer holds a place of another."""
HALF_OPEN_MAX: Final = 256
"""Unfinished handshakes of all strangers together: some 4 KB each."""
HALF_OPEN_PER_REMOTE_MAX: Final = 16
"""…of one host: a stranger cannot take all places, a whole test network on one machine still starts at once."""


@dataclass(frozen=True, slots=True)
class BpciSettings:
    """Who we are, and what one operator may choose.

    `chain_id` 32 bytes, `transport_key` 32 bytes (public), `cluster` 16 bytes.
    `checkpoint_records` = 1 signs every record.
    """

    chain_id: bytes
    transport_key: bytes
    cluster: bytes
    quotas: dict[Stream, Quota] = field(default_factory=lambda: dict(DEFAULT_QUOTAS))
    checkpoint_records: int = CHECKPOINT_RECORDS
    half_open_max: int = HALF_OPEN_MAX
    half_open_per_remote_max: int = HALF_OPEN_PER_REMOTE_MAX


@dataclass(frozen=True, slots=True)
class _ForHandshake:
    """A half-open link waits for this answer."""

    link: int


@dataclass(frozen=True, slots=True)
class _ForCheckpoints:
    """Checkpoints of ours, each with its link, wait for signatures."""

    items: tuple[tuple[int, Checkpoint], ...]


@dataclass(frozen=True, slots=True)
class _ForVerdicts:
    """Checkpoints of peers, each with its link, wait for verdicts."""

    items: tuple[tuple[int, Checkpoint], ...]


_Waiting: TypeAlias = _ForHandshake | _ForCheckpoints | _ForVerdicts


class Bpci:
    """Encrypted, authenticated links to all peers, behind one door."""

    def __init__(self, settings: BpciSettings) -> None:
        self._settings: Final = settings
        self._myself: Final = Myself(settings.chain_id, settings.transport_key, settings.cluster)
        self._admissions: Final = Admissions()
        self._links: Final[dict[int, Link]] = {}
        self._peers: Final[dict[bytes, Link]] = {}
        self._waiting: Final[dict[int, _Waiting]] = {}
        self._next_token = 1
        self._now_ms = 0
        self._effects: Final[list[Effect]] = []
        self._traffic: Final = Traffic(self._effects)

    def handle(self, event: Event) -> list[Effect]:
        """Take one event, return what it asks of the host, in order."""
        self._now_ms = event.now_ms
        match event:
            case BytesArrived(number, data):
                self._guarded(number, lambda link: self._hear(link, data))
            case SendMessages():
                self._send(event)
            case Computed(token, result):
                self._resume(token, result)
            case Tick():
                self._tick()
            case Connected():
                self._connect(event)
            case Disconnected(number):
                self._disconnect(number)
            case AllowPeers(peers):
                self._admissions.replace(peers)
                for number in tuple(self._links):
                    self._guarded(number, self._still_allowed)
            case Punish(peer, detail):
                self._punish(peer, detail)
            case _:
                assert_never(event)
        self._ask_signatures()
        effects = self._effects.copy()
        self._effects.clear()
        return effects

    def connected(self) -> tuple[bytes, ...]:
        """The peers that can be spoken to, in the order they came."""
        return tuple(self._peers)

    # Every refusal ends here

    def _guarded(self, number: int, work: Callable[[Link], None]) -> None:
        """BPCI-A4. A refusal is blamed on its link and ends it; guilt that only the peer can have is cooled down."""
        link = self._links.get(number)
        if link is None:
            return
        try:
            work(link)
        except Rejected as rejected:
            self._refuse(link, rejected.reason, rejected.detail)

    def _refuse(self, link: Link, reason: Refusal, detail: str) -> None:
        assert isinstance(reason, BpciRefusal), "a room's refusals are its own"
        stage = link.stage
        known = stage.peer if isinstance(stage, Session) else stage.claimed
        self._effects.append(Blame(known, link.number, reason, detail))
        if reason in GUILT and isinstance(stage, Session):
            self._admissions.cool(stage.peer, self._now_ms)
        self._end(link, reason)

    def _end(self, link: Link, reason: EndReason) -> None:
        self._effects.append(Close(link.number, reason))
        self._forget(link, reason)

    def _forget(self, link: Link, reason: EndReason) -> None:
        del self._links[link.number]
        stage = link.stage
        if isinstance(stage, Handshake):
            self._admissions.forget_own(stage.own_ephemeral)
        elif self._peers.get(stage.peer) is link:
            del self._peers[stage.peer]
            self._effects.append(PeerDown(stage.peer, reason))

    # Carriers come and go

    def _connect(self, event: Connected) -> None:
        assert event.link not in self._links, "a link's number is never used again"
        handshake = Handshake(self._myself, self._admissions, initiator=event.outbound, expected=event.peer_hint)
        remote = event.remote.rpartition(":")[0] or event.remote
        link = Link(event.link, event.peer_hint, remote, handshake, event.now_ms, outbound=event.outbound)
        self._links[event.link] = link
        self._guarded(event.link, self._begin)

    def _begin(self, link: Link) -> None:
        if link.outbound:
            if link.hint and self._already_reaching(link):
                self._end(link, BpciRefusal.DUPLICATE_LINK)
                return
        else:
            self._check_half_open(link)
        assert isinstance(link.stage, Handshake)
        self._follow(link, link.stage.begin())

    def _already_reaching(self, link: Link) -> bool:
        """BPCI-A3. A second dial to a peer that is up, or being dialled, is not begun."""
        if link.hint in self._peers:
            return True
        return any(other.outbound and other.hint == link.hint for other in self._links.values() if other is not link)

    def _check_half_open(self, link: Link) -> None:
        """BPCI-H10. Unfinished handshakes are capped, of one host and altogether. Raises `Rejected`."""
        half_open = [
            other.remote for other in self._links.values() if isinstance(other.stage, Handshake) and not other.outbound
        ]
        if len(half_open) > self._settings.half_open_max:
            raise Rejected(BpciRefusal.TOO_MANY_HALF_OPEN, f"{len(half_open)} altogether")
        of_remote = half_open.count(link.remote)
        if of_remote > self._settings.half_open_per_remote_max:
            raise Rejected(BpciRefusal.TOO_MANY_HALF_OPEN, f"{of_remote} from {link.remote}")

    def _disconnect(self, number: int) -> None:
        link = self._links.get(number)
        if link is not None:
            self._forget(link, LinkEnd.LOST)

    def _still_allowed(self, link: Link) -> None:
        """BPCI-A1. Who leaves the registry is closed."""
        if isinstance(link.stage, Session) and not self._admissions.allows(link.stage.peer):
            raise Rejected(BpciRefusal.NO_LONGER_ALLOWED, link.stage.peer.hex())

    def _punish(self, peer: bytes, detail: str) -> None:
        """BPCI-A2. What a room above blames on a peer costs it the same as a broken rule of ours."""

        def refuse(_: Link) -> None:
            raise Rejected(BpciRefusal.PUNISHED, detail)

        numbers = [link.number for link in self._links.values() if _is_session_with(link, peer)]
        for number in numbers:
            self._guarded(number, refuse)
        if not numbers:
            self._admissions.cool(peer, self._now_ms)

    # The handshake

    def _follow(self, link: Link, steps: Sequence[Step]) -> None:
        for step in steps:
            match step:
                case Ask(operation):
                    self._ask(operation, _ForHandshake(link.number))
                case Say(frame):
                    self._effects.append(Transmit(link.number, frame))
                case Established():
                    self._establish(link, step)
                case _:
                    assert_never(step)
        if isinstance(link.stage, Handshake) and link.outbound and link.stage.own_ephemeral:
            self._admissions.remember_own(link.stage.own_ephemeral, link.number)

    def _ask(self, operation: Operation, waiting: _Waiting) -> None:
        token = self._next_token
        self._next_token += 1
        self._waiting[token] = waiting
        self._effects.append(Compute(token, operation))

    def _establish(self, link: Link, established: Established) -> None:
        assert isinstance(link.stage, Handshake)
        self._admissions.forget_own(link.stage.own_ephemeral)
        now_ms, settings = self._now_ms, self._settings
        link.stage = Session(
            link.number,
            established.peer,
            Sender(established, settings.cluster, settings.checkpoint_records, now_ms),
            Receiver(established, settings.cluster, now_ms),
            Outbox(settings.quotas, now_ms),
            Intake(settings.quotas, now_ms),
            now_ms,
        )
        link.buffer.handshaking = False
        if not link.outbound and self._raise(link, link.stage):
            self._traffic.say(link.stage, Ready(), now_ms)
            self._traffic.pump(link.stage, now_ms)

    def _raise(self, link: Link, session: Session) -> bool:
        """BPCI-H11. The keys have proved to be the same: the link is up, unless a better one is (BPCI-A3)."""
        self._still_allowed(link)
        remaining = self._admissions.cooling_ms(session.peer, self._now_ms)
        if remaining:
            raise Rejected(BpciRefusal.COOLING, f"{remaining} ms more")
        old = self._peers.get(session.peer)
        if old is not None:
            assert isinstance(old.stage, Session)
            own_key = self._settings.transport_key
            if not prefers_new(own_key, session.peer, new_outbound=link.outbound, old_outbound=old.outbound):
                self._end(link, BpciRefusal.DUPLICATE_LINK)
                return False
            session.outbox = old.stage.outbox
            session.outbox.new_link()
            self._end(old, LinkEnd.REPLACED)
        session.up = True
        self._peers[session.peer] = link
        self._effects.append(PeerUp(session.peer, link.number, link.outbound, self._admissions.role(session.peer)))
        return True

    def _resume(self, token: int, result: Result) -> None:
        waiting = self._waiting.pop(token, None)
        match waiting:
            case None:
                pass
            case _ForHandshake(number):
                self._guarded(number, lambda link: self._resume_handshake(link, result))
            case _ForCheckpoints(items):
                assert isinstance(result, Signatures)
                for (number, checkpoint), signature in zip(items, result.signatures, strict=True):
                    link = self._links.get(number)
                    if link is not None and isinstance(link.stage, Session):
                        self._traffic.say(link.stage, replace(checkpoint, signature=signature), self._now_ms)
            case _ForVerdicts(items):
                assert isinstance(result, Verdicts)
                for (number, checkpoint), good in zip(items, result.good, strict=True):
                    self._guarded(number, _Verdict(effects=self._effects, checkpoint=checkpoint, good=good).fall)
            case _:
                assert_never(waiting)

    def _resume_handshake(self, link: Link, result: Result) -> None:
        assert isinstance(link.stage, Handshake), "a session asks nothing for a handshake"
        self._follow(link, link.stage.resume(result, self._now_ms))

    # What arrives

    def _hear(self, link: Link, data: bytes) -> None:
        """BPCI-F2. Frames in turn; adjacent deliveries of one stream are one effect."""
        delivered: list[bytes] = []
        stream = Stream.CONTROL
        try:
            for header, header_bytes, body in link.buffer.feed(data):
                if link.number not in self._links:
                    break
                stage = link.stage
                if isinstance(stage, Handshake):
                    self._follow(link, stage.hear(header.kind, body, self._now_ms))
                    continue
                messages = self._open(link, stage, header, header_bytes, body)
                if messages:
                    if header.stream != stream and delivered:
                        self._deliver(link, stream, delivered)
                        delivered = []
                    stream = Stream(header.stream)
                    delivered.extend(messages)
        finally:
            if delivered:
                self._deliver(link, stream, delivered)
        if isinstance(link.stage, Session) and link.number in self._links:
            self._traffic.acknowledge(link.stage, self._now_ms)

    def _deliver(self, link: Link, stream: Stream, messages: list[bytes]) -> None:
        assert isinstance(link.stage, Session)
        self._effects.append(Delivered(link.stage.peer, stream, tuple(messages)))

    def _open(self, link: Link, session: Session, header: Header, header_bytes: bytes, body: bytes) -> Sequence[bytes]:
        plain = self._traffic.open(session, header, header_bytes, body, self._now_ms)
        if plain is None or (not session.up and not self._raise(link, session)):
            return ()
        return self._traffic.content(session, header, plain, self._now_ms)

    # What is sent

    def _send(self, event: SendMessages) -> None:
        if not event.messages:
            return
        link = self._peers.get(event.peer)
        if link is None:
            self._effects.append(Dropped(event.peer, event.stream, len(event.messages)))
            return
        assert isinstance(link.stage, Session)
        self._traffic.send(link.stage, event.stream, event.messages, self._now_ms)

    def _ask_signatures(self) -> None:
        """BPCI-C3. All checkpoints of one event, over all links, are signed, and checked, in one batch each."""
        sign, check = self._traffic.take_unsigned(), self._traffic.take_unchecked()
        if sign:
            waiting = _ForCheckpoints(tuple([(number, checkpoint) for number, checkpoint, _ in sign]))
            self._ask(SignAll(tuple([message for _, _, message in sign])), waiting)
        if check:
            items = tuple([(peer, message, checkpoint.signature) for _, checkpoint, peer, message in check])
            verdicts = _ForVerdicts(tuple([(number, checkpoint) for number, checkpoint, _, _ in check]))
            self._ask(VerifyAll(items), verdicts)

    # The clock

    def _tick(self) -> None:
        self._admissions.forget_old(self._now_ms)
        for number in tuple(self._links):
            self._guarded(number, self._tick_link)

    def _tick_link(self, link: Link) -> None:
        """BPCI-T1. Handshakes and silence have an end; pings, checkpoints and what waited for quota go out."""
        now_ms, session = self._now_ms, link.stage
        if isinstance(session, Handshake) or not session.up:
            if now_ms - link.opened_ms > HANDSHAKE_MS:
                raise Rejected(BpciRefusal.HANDSHAKE_TOO_SLOW, f"{now_ms - link.opened_ms} ms")
            return
        self._traffic.tick(session, now_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    """What becomes of a link when the verdict on a checkpoint of its peer is there."""

    effects: list[Effect]
    checkpoint: Checkpoint
    good: bool

    def fall(self, link: Link) -> None:
        """BPCI-C4. A good signature makes the peer's traffic undeniable; a bad one is the peer's own doing."""
        session = link.stage
        assert isinstance(session, Session)
        if not self.good:
            raise Rejected(BpciRefusal.FALSE_CHECKPOINT, f"counters {self.checkpoint.first} to {self.checkpoint.last}")
        names = session.receiver.names
        self.effects.append(Witnessed(session.peer, names.session, names.direction, self.checkpoint))


def _is_session_with(link: Link, peer: bytes) -> bool:
    return isinstance(link.stage, Session) and link.stage.peer == peer
