"""The door of discovery: one machine for all peers."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final, assert_never

from metanode.network.bpci.compute import Operation, SignAll, Signatures, Verdicts, VerifyAll
from metanode.network.bpci.events import Compute, Computed
from metanode.network.discovery.events import (
    Dial,
    DiscoveryEffect,
    DiscoveryEvent,
    KnownPeers,
    Mistrust,
    PeerFell,
    PeerRose,
    Pulse,
    Received,
    Send,
)
from metanode.network.discovery.messages import (
    KNOWN_MAX,
    RECORDS_MAX,
    VERSION,
    Addresses,
    AddressRecord,
    DiscoveryRefusal,
    Known,
    check_address,
    decode_message,
    encode_message,
    pack_bits,
    record_digest,
    set_digest,
    unpack_bits,
)
from metanode.primitives.refusal import Rejected

BACKOFF_FIRST_MS: Final = 500
"""The first redial; a process that restarts is back in about this time."""
BACKOFF_MAX_MS: Final = 30_000
"""Redials double up to this: a peer that is gone for a week costs two dials a minute, and is found again within one."""
COURTESY_MS: Final = 1_000
"""The higher key of a pair lets the lower one dial first: two links at once cost both a handshake."""
STABLE_MS: Final = 10_000
"""A link must have held this long before the backoff is forgotten: a peer that throws us out is not hammered."""
BITS_PERIOD_MS: Final = 10_000
"""One peer in turn hears this often whose addresses we have."""
REPLY_PERIOD_MS: Final = 2_000
"""A peer's bit vectors are answered no more often."""
UPDATE_PERIOD_MS: Final = 5_000
"""Newer addresses of one peer are taken and passed on no more often: nobody makes the network talk of him alone."""
FUTURE_MS: Final = 3_600_000
"""How far a sequence may be ahead of our clock."""
CHECKING_MAX: Final = 256
"""Records whose signatures are being checked at one time; more are ignored, the bits will ask again."""


@dataclass(frozen=True, slots=True)
class DiscoverySettings:
    """Who we are and whom we knew before: `bootstrap` are (transport key, host:port). `degree`: peers we dial up to."""

    chain_id: bytes
    transport_key: bytes
    addresses: tuple[str, ...]
    bootstrap: tuple[tuple[bytes, str], ...]
    degree: int = 64


@dataclass(slots=True)
class _Patience:
    """When to dial a peer next."""

    next_ms: int
    attempts: int = 0
    risen_ms: int = 0


class Discovery:
    """Learns and spreads where the known peers are, and asks for a dial to those that are not connected."""

    def __init__(self, settings: DiscoverySettings, seed: bytes) -> None:
        """`seed`: 32 random bytes of the host, for jitter only."""
        for address in (*settings.addresses, *[address for _, address in settings.bootstrap]):
            check_address(address)
        self._settings: Final = settings
        self._seed: Final = seed
        self._draws = 0
        self._known: tuple[bytes, ...] = ()
        self._known_digest: bytes = set_digest(())
        self._records: dict[bytes, AddressRecord] = {}
        self._updated: dict[bytes, int] = {}
        self._patience: dict[bytes, _Patience] = {}
        self._up: dict[bytes, int] = {}
        self._own: AddressRecord | None = None
        self._signing: dict[int, AddressRecord] = {}
        self._checking: dict[int, tuple[tuple[bytes, AddressRecord], ...]] = {}
        self._next_token = 1
        self._bits_due_ms = 0
        self._turn = 0
        self._now_ms = 0
        self._effects: list[DiscoveryEffect] = []

    def handle(self, event: DiscoveryEvent) -> list[DiscoveryEffect]:
        """Take one event, return what it asks of the host, in order."""
        self._now_ms = event.now_ms
        match event:
            case Pulse():
                self._dial_due()
                self._send_bits_in_turn()
            case Received(peer, data):
                self._receive(peer, data)
            case PeerRose(peer):
                self._rise(peer)
            case PeerFell(peer):
                self._fall(peer)
            case Computed():
                self._resume(event)
            case KnownPeers(keys):
                self._replace(keys)
            case _:
                assert_never(event)
        effects, self._effects = self._effects, []
        return effects

    def addresses(self, peer: bytes) -> tuple[str, ...]:
        """BPCI-D5. What the peer itself signed, then what the operator wrote down."""
        record = self._records.get(peer)
        signed = record.addresses if record is not None else ()
        written = tuple([address for key, address in self._settings.bootstrap if key == peer])
        return (*signed, *[address for address in written if address not in signed])

    def _replace(self, keys: tuple[bytes, ...]) -> None:
        """BPCI-D3. The known set bounds everything that is remembered."""
        assert len(keys) <= KNOWN_MAX, "a set beyond its bound"
        self._known = tuple(sorted(dict.fromkeys(keys)))
        self._known_digest = set_digest(self._known)
        own = self._settings.transport_key
        members = frozenset(self._known)
        self._records = {key: record for key, record in self._records.items() if key in members or key == own}
        self._updated = {key: at for key, at in self._updated.items() if key in members}
        fresh = {key: self._courtesy(key) for key in self._known if key != own and key not in self._patience}
        kept = {key: patience for key, patience in self._patience.items() if key in members}
        self._patience = kept | {key: _Patience(self._now_ms + wait) for key, wait in fresh.items()}
        if self._own is None and self._settings.addresses and not self._signing:
            self._sign_own()

    def _sign_own(self) -> None:
        """BPCI-D2. Our own word about where we are; its sequence is our clock, so it grows over restarts."""
        record = AddressRecord(
            version=VERSION,
            key=self._settings.transport_key,
            sequence=self._now_ms,
            addresses=self._settings.addresses,
            signature=bytes(64),
        )
        token = self._ask(SignAll((record_digest(self._settings.chain_id, record),)))
        self._signing[token] = record

    def _ask(self, operation: Operation) -> int:
        token = self._next_token
        self._next_token += 1
        self._effects.append(Compute(token, operation))
        return token

    def _resume(self, event: Computed) -> None:
        unsigned = self._signing.pop(event.token, None)
        if unsigned is not None:
            assert isinstance(event.result, Signatures)
            self._own = AddressRecord(
                version=VERSION,
                key=unsigned.key,
                sequence=unsigned.sequence,
                addresses=unsigned.addresses,
                signature=event.result.signatures[0],
            )
            self._records[self._own.key] = self._own
            self._pass_on((self._own,), b"")
            return
        items = self._checking.pop(event.token, ())
        if items:
            assert isinstance(event.result, Verdicts)
            self._learn([(*item, good) for item, good in zip(items, event.result.good, strict=True)])

    # What peers say

    def _receive(self, peer: bytes, data: bytes) -> None:
        """BPCI-D4. A refusal is the sender's: it should have checked before it passed anything on."""
        try:
            message = decode_message(data)
            match message:
                case Addresses(records=records):
                    self._check(peer, records)
                case Known():
                    self._answer(peer, message)
                case _:
                    assert_never(message)
        except Rejected as rejected:
            self._mistrust(peer, rejected)

    def _mistrust(self, peer: bytes, rejected: Rejected) -> None:
        assert isinstance(rejected.reason, DiscoveryRefusal), "a room's refusals are its own"
        self._effects.append(Mistrust(peer, rejected.reason, rejected.detail))

    def _check(self, peer: bytes, records: tuple[AddressRecord, ...]) -> None:
        """BPCI-D4. Newer records of known peers have their signatures checked, in one batch."""
        wanted = []
        for record in records:
            if record.sequence > self._now_ms + FUTURE_MS:
                raise Rejected(DiscoveryRefusal.FROM_THE_FUTURE, f"{record.sequence}, now {self._now_ms}")
            if self._is_news(record):
                wanted.append((peer, record))
        under_way = sum(map(len, self._checking.values()))
        wanted = wanted[: max(0, CHECKING_MAX - under_way)]
        if wanted:
            chain_id = self._settings.chain_id
            items = [(record.key, record_digest(chain_id, record), record.signature) for _, record in wanted]
            self._checking[self._ask(VerifyAll(tuple(items)))] = tuple(wanted)

    def _is_news(self, record: AddressRecord) -> bool:
        if record.key == self._settings.transport_key or record.key not in self._patience:
            return False
        held = self._records.get(record.key)
        if held is None:
            return True
        rested = self._now_ms - self._updated.get(record.key, 0) >= UPDATE_PERIOD_MS
        return record.sequence > held.sequence and rested

    def _learn(self, checked: list[tuple[bytes, AddressRecord, bool]]) -> None:
        news = []
        for peer, record, good in checked:
            if not good:
                self._mistrust(peer, Rejected(DiscoveryRefusal.FALSE_RECORD, record.key.hex()))
            elif self._is_news(record):
                self._records[record.key] = record
                self._updated[record.key] = self._now_ms
                self._hasten(record.key)
                news.append((peer, record))
        for source in dict.fromkeys([peer for peer, _ in news]):
            self._pass_on(tuple([record for peer, record in news if peer == source]), source)

    def _hasten(self, peer: bytes) -> None:
        """BPCI-D5. A new address deserves a new attempt, with the courtesy of the first."""
        patience = self._patience[peer]
        patience.attempts = 0
        patience.next_ms = min(patience.next_ms, self._now_ms + self._courtesy(peer))

    def _pass_on(self, records: tuple[AddressRecord, ...], source: bytes) -> None:
        """BPCI-D4. News goes once to every connected peer, except to whom it came from and to whom it is about."""
        for peer in self._up:
            theirs = tuple([record for record in records if record.key != peer])
            if peer != source and theirs:
                self._effects.append(Send(peer, encode_message(Addresses(version=VERSION, records=theirs))))

    def _answer(self, peer: bytes, message: Known) -> None:
        """BPCI-D3. Who counts over the same set and lacks addresses gets some of ours; another set is no mistake."""
        if message.known_set != self._known_digest:
            return
        flags = unpack_bits(message.bits, len(self._known))
        lacking = [key for key, has in zip(self._known, flags, strict=True) if not has and key in self._records]
        due = self._now_ms - self._up.get(peer, self._now_ms) >= 0
        if not lacking or peer not in self._up or not due:
            return
        self._up[peer] = self._now_ms + REPLY_PERIOD_MS
        start = self._draw(len(lacking))
        chosen = (lacking[start:] + lacking[:start])[:RECORDS_MAX]
        records = tuple([self._records[key] for key in chosen if key != peer])
        if records:
            self._effects.append(Send(peer, encode_message(Addresses(version=VERSION, records=records))))

    # Who is connected

    def _rise(self, peer: bytes) -> None:
        """BPCI-D4. Both greet with their own record and with whose they have."""
        self._up[peer] = self._now_ms
        if peer in self._patience:
            self._patience[peer].risen_ms = self._now_ms
        if self._own is not None:
            self._effects.append(Send(peer, encode_message(Addresses(version=VERSION, records=(self._own,)))))
        self._send_bits(peer)

    def _fall(self, peer: bytes) -> None:
        """BPCI-D5. A link that held is tried again soon, one that did not with growing patience."""
        self._up.pop(peer, None)
        patience = self._patience.get(peer)
        if patience is not None:
            if self._now_ms - patience.risen_ms >= STABLE_MS:
                patience.attempts = 0
            patience.next_ms = self._now_ms + self._courtesy(peer) + self._backoff(patience)

    def _send_bits(self, peer: bytes) -> None:
        bits = pack_bits(tuple([key in self._records for key in self._known]))
        message = Known(version=VERSION, known_set=self._known_digest, bits=bits)
        self._effects.append(Send(peer, encode_message(message)))

    def _send_bits_in_turn(self) -> None:
        """BPCI-D3. Every `BITS_PERIOD_MS` one connected peer hears whose addresses we have, if we lack any."""
        if self._now_ms < self._bits_due_ms or not self._up or len(self._records) >= len(self._known):
            return
        self._bits_due_ms = self._now_ms + BITS_PERIOD_MS
        self._turn = (self._turn + 1) % len(self._up)
        self._send_bits(tuple(self._up)[self._turn])

    # Dialling

    def _dial_due(self) -> None:
        """BPCI-D5. Capped exponential backoff with jitter, addresses in turn, up to `degree` peers."""
        room = self._settings.degree - len(self._up)
        for peer, patience in self._patience.items():
            if room <= 0:
                return
            if peer in self._up or self._now_ms < patience.next_ms:
                continue
            addresses = self.addresses(peer)
            if not addresses:
                continue
            self._effects.append(Dial(peer, addresses[patience.attempts % len(addresses)]))
            patience.next_ms = self._now_ms + self._backoff(patience)
            patience.attempts += 1
            room -= 1

    def _backoff(self, patience: _Patience) -> int:
        full = min(BACKOFF_FIRST_MS << min(patience.attempts, 16), BACKOFF_MAX_MS)
        return full // 2 + self._draw(full // 2 + 1)

    def _courtesy(self, peer: bytes) -> int:
        return 0 if self._settings.transport_key < peer else COURTESY_MS

    def _draw(self, bound: int) -> int:
        """A number below `bound` from the host's seed; its slight bias does not matter to a delay."""
        self._draws += 1
        return int.from_bytes(sha256(self._seed + self._draws.to_bytes(8)).digest()[:8]) % bound
