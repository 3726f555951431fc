"""The handshake: three words after the shape of Noise XX, hybrid, signed over one transcript. No machine, no world.

    initiator                                             responder
    HELLO   versions, chain, X25519 e, ML-KEM key, clock ->
            <- ANSWER  version, X25519 e', ML-KEM ciphertext, {key', cluster', clock', signature'}
    CONFIRM {key, cluster, clock, signature}             ->
            <- first record (READY): both hold the same keys

{…} is sealed under keys from both shared secrets and the transcript so far. Each side signs the transcript so far, its
role, key and cluster; the initiator also the responder's (SIGMA with encryption as the MAC over the identity).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias, assert_never

from metanode.network.bpci.compute import (
    Agree,
    Agreed,
    Encapsulate,
    Encapsulated,
    FreshKeys,
    Operation,
    OwnKeys,
    Result,
    SignAll,
    Signatures,
    Unsound,
    Verdicts,
    VerifyAll,
)
from metanode.network.bpci.messages import (
    VERSION,
    Answer,
    Confirm,
    Credentials,
    Hello,
    Kind,
    decode_answer,
    decode_confirm,
    decode_credentials,
    decode_hello,
    encode_word,
    handshake_frame,
)
from metanode.network.bpci.refusals import BpciRefusal
from metanode.primitives.digest import Tag, digest
from metanode.primitives.refusal import Rejected
from metanode.primitives.sealing import Aead, hkdf_sha256

CLOCK_SKEW_MS: Final = 10_000
"""Clocks of both sides differ by no more: a recorded greeting is worthless after it, and the seen-cache stays small."""
_INITIATOR: Final = b"initiator"
_RESPONDER: Final = b"responder"


@dataclass(frozen=True, slots=True)
class Myself:
    """Who we are: chain (32 bytes), transport key (32 bytes), cluster (16 bytes)."""

    chain_id: bytes
    transport_key: bytes
    cluster: bytes


class Admission(Protocol):
    """What the handshake asks of those who know the world. Each raises `Rejected`."""

    def admit_hello(self, exchange_public: bytes, now_ms: int) -> None:
        """SEEN_BEFORE or REFLECTED for an ephemeral key that was used before, by us or by another."""

    def admit_peer(self, key: bytes, cluster: bytes, now_ms: int) -> None:
        """UNKNOWN_PEER, WRONG_CLUSTER or COOLING for a peer that may not speak to us."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The next step needs this answered."""

    operation: Operation


@dataclass(frozen=True, slots=True)
class Say:
    """Bytes for the other side."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Established:
    """Both identities are proved and the session's secrets are there.

    `session`: 32 public bytes that name it. `sending`, `receiving`: the first 32-byte secret of each direction.
    """

    peer: bytes
    cluster: bytes
    session: bytes
    initiator: bool
    sending: bytes
    receiving: bytes


Step: TypeAlias = Ask | Say | Established

# Phases: what a half-open link waits for.


@dataclass(frozen=True, slots=True)
class _WaitsForKeys:
    """Initiator: for its own ephemeral keys."""


@dataclass(frozen=True, slots=True)
class _WaitsForAnswer:
    """Initiator: for the second word."""

    own: OwnKeys
    transcript: bytes


@dataclass(frozen=True, slots=True)
class _Agreeing:
    """Initiator: for the joint secret."""

    answer: Answer
    transcript: bytes


@dataclass(frozen=True, slots=True)
class _ChecksResponder:
    """Initiator: for the verdict on the responder's signature."""

    peer: Credentials
    keys: "_Keys"
    transcript: bytes


@dataclass(frozen=True, slots=True)
class _SignsConfirm:
    """Initiator: for its own signature."""

    peer: Credentials
    keys: "_Keys"
    transcript: bytes
    now_ms: int


@dataclass(frozen=True, slots=True)
class _WaitsForHello:
    """Responder: for the first word."""


@dataclass(frozen=True, slots=True)
class _Encapsulating:
    """Responder: for its ephemeral key and the joint secret."""

    transcript: bytes


@dataclass(frozen=True, slots=True)
class _SignsAnswer:
    """Responder: for its own signature."""

    made: Encapsulated
    keys: "_Keys"
    transcript: bytes
    now_ms: int


@dataclass(frozen=True, slots=True)
class _WaitsForConfirm:
    """Responder: for the third word."""

    keys: "_Keys"
    transcript: bytes


@dataclass(frozen=True, slots=True)
class _ChecksInitiator:
    """Responder: for the verdict on the initiator's signature."""

    peer: Credentials
    keys: "_Keys"
    transcript: bytes


@dataclass(frozen=True, slots=True)
class _Over:
    """Established."""


_Phase: TypeAlias = (
    _WaitsForKeys
    | _WaitsForAnswer
    | _Agreeing
    | _ChecksResponder
    | _SignsConfirm
    | _WaitsForHello
    | _Encapsulating
    | _SignsAnswer
    | _WaitsForConfirm
    | _ChecksInitiator
    | _Over
)


@dataclass(frozen=True, slots=True)
class _Keys:
    """The joint secret and what the handshake itself is sealed with."""

    secret: bytes
    of_responder: bytes
    of_initiator: bytes


def _keys(secret: bytes, transcript: bytes) -> _Keys:
    """BPCI-H5. One key a role for the sealed halves of the handshake."""
    material = hkdf_sha256(secret, salt=transcript, info=b"bpci1 handshake", length=64)
    return _Keys(secret, material[:32], material[32:])


def _greeted(chain_id: bytes, hello: bytes) -> bytes:
    """BPCI-H4. The transcript begins with protocol, chain and the first word."""
    return digest(Tag.HANDSHAKE, b"bpci", chain_id, hello)


def _answered(transcript: bytes, version: int, exchange_public: bytes, kem_ciphertext: bytes) -> bytes:
    """BPCI-H4. The open half of the second word joins the transcript."""
    return digest(Tag.HANDSHAKE, transcript, bytes((version,)), exchange_public, kem_ciphertext)


def _statement(role: bytes, transcript: bytes, own: Credentials, other: Credentials | None) -> bytes:
    """BPCI-H6. What an identity signs: role, transcript, its key, cluster, clock, and the other's where known."""
    parts = [role, transcript, own.transport_key, own.cluster, own.now_ms.to_bytes(8)]
    if other is not None:
        parts += [other.transport_key, other.cluster]
    return digest(Tag.HANDSHAKE, *parts)


def check_clock(theirs_ms: int, now_ms: int) -> None:
    """BPCI-H8. Clocks differ by at most `CLOCK_SKEW_MS`. Raises `Rejected` CLOCKS_APART."""
    if abs(theirs_ms - now_ms) > CLOCK_SKEW_MS:
        raise Rejected(BpciRefusal.CLOCKS_APART, f"{theirs_ms - now_ms} ms, at most {CLOCK_SKEW_MS} either way")


class Handshake:
    """One half-open link. `begin`, `hear` and `resume` return steps or raise `Rejected`."""

    def __init__(self, myself: Myself, admission: Admission, *, initiator: bool, expected: bytes) -> None:
        self._myself: Final = myself
        self._admission: Final = admission
        self._initiator: Final = initiator
        self._expected: Final = expected
        self._phase: _Phase = _WaitsForKeys() if initiator else _WaitsForHello()
        self._own_key = b""
        self.claimed = b""
        """The transport key the other side named and the registry knows, not yet proved; empty before."""

    @property
    def own_ephemeral(self) -> bytes:
        """BPCI-H9. Our X25519 ephemeral key in flight, to recognise a reflection; empty before there is one."""
        return self._own_key

    def begin(self) -> Sequence[Step]:
        """BPCI-H1. The initiator asks for fresh keys; the responder waits."""
        return (Ask(FreshKeys()),) if self._initiator else ()

    def hear(self, kind: int, body: bytes, now_ms: int) -> Sequence[Step]:
        """BPCI-H1. Three words in turn; anything else is OUT_OF_TURN."""
        match self._phase:
            case _WaitsForHello() if kind == Kind.HELLO:
                return self._hear_hello(body, now_ms)
            case _WaitsForAnswer() as phase if kind == Kind.ANSWER:
                return self._hear_answer(phase, body)
            case _WaitsForConfirm() as phase if kind == Kind.CONFIRM:
                return self._hear_confirm(phase, body, now_ms)
            case phase:
                waits = type(phase).__name__.strip("_")
                raise Rejected(BpciRefusal.OUT_OF_TURN, f"frame type {kind} while {waits}")

    def resume(self, result: Result, now_ms: int) -> Sequence[Step]:
        """The answer to what was asked last. Raises `Rejected` UNSOUND_KEY, FALSE_IDENTITY, or for the credentials."""
        if isinstance(result, Unsound):
            raise Rejected(BpciRefusal.UNSOUND_KEY, result.detail)
        match self._phase:
            case _WaitsForKeys():
                assert isinstance(result, OwnKeys)
                return self._greet(result, now_ms)
            case _Agreeing() as phase:
                assert isinstance(result, Agreed)
                return self._check_responder(phase, result.secret, now_ms)
            case _ChecksResponder() as phase:
                _require(result)
                return self._sign_confirm(phase, now_ms)
            case _SignsConfirm() as phase:
                assert isinstance(result, Signatures)
                return self._confirm(phase, result.signatures[0])
            case _Encapsulating() as phase:
                assert isinstance(result, Encapsulated)
                return self._sign_answer(phase, result, now_ms)
            case _SignsAnswer() as phase:
                assert isinstance(result, Signatures)
                return self._answer(phase, result.signatures[0])
            case _ChecksInitiator() as phase:
                _require(result)
                self._phase = _Over()
                return (self._established(phase.peer, phase.keys, phase.transcript),)
            case _WaitsForAnswer() | _WaitsForHello() | _WaitsForConfirm() | _Over():
                raise AssertionError("nothing was asked")
            case _:
                assert_never(self._phase)

    # The initiator's steps

    def _greet(self, own: OwnKeys, now_ms: int) -> Sequence[Step]:
        """BPCI-H2. The first word: versions, chain, two ephemeral keys, clock."""
        hello = encode_word(
            Hello(
                versions=(VERSION,),
                chain_id=self._myself.chain_id,
                exchange_public=own.exchange_public,
                kem_public=own.kem_public,
                now_ms=now_ms,
            )
        )
        self._own_key = own.exchange_public
        self._phase = _WaitsForAnswer(own, _greeted(self._myself.chain_id, hello))
        return (Say(handshake_frame(Kind.HELLO, hello)),)

    def _hear_answer(self, phase: _WaitsForAnswer, body: bytes) -> Sequence[Step]:
        answer = decode_answer(body)
        if answer.version != VERSION:
            raise Rejected(BpciRefusal.UNKNOWN_VERSION, f"{answer.version} was not offered")
        if answer.exchange_public == phase.own.exchange_public:
            raise Rejected(BpciRefusal.REFLECTED, "our own ephemeral key")
        transcript = _answered(phase.transcript, answer.version, answer.exchange_public, answer.kem_ciphertext)
        self._phase = _Agreeing(answer, transcript)
        return (Ask(Agree(phase.own, answer.exchange_public, answer.kem_ciphertext)),)

    def _check_responder(self, phase: _Agreeing, secret: bytes, now_ms: int) -> Sequence[Step]:
        keys = _keys(secret, phase.transcript)
        peer = self._open_credentials(keys.of_responder, phase.answer.sealed, phase.transcript, now_ms)
        statement = _statement(_RESPONDER, phase.transcript, peer, None)
        transcript = digest(Tag.HANDSHAKE, phase.transcript, phase.answer.sealed)
        self._phase = _ChecksResponder(peer, keys, transcript)
        return (Ask(VerifyAll(((peer.transport_key, statement, peer.signature),))),)

    def _sign_confirm(self, phase: _ChecksResponder, now_ms: int) -> Sequence[Step]:
        self._phase = _SignsConfirm(phase.peer, phase.keys, phase.transcript, now_ms)
        statement = _statement(_INITIATOR, phase.transcript, self._credentials(now_ms, bytes(64)), phase.peer)
        return (Ask(SignAll((statement,))),)

    def _confirm(self, phase: _SignsConfirm, signature: bytes) -> Sequence[Step]:
        plain = encode_word(self._credentials(phase.now_ms, signature))
        sealed = Aead(phase.keys.of_initiator).seal(0, plain, phase.transcript)
        frame = handshake_frame(Kind.CONFIRM, encode_word(Confirm(version=VERSION, sealed=sealed)))
        self._phase = _Over()
        transcript = digest(Tag.HANDSHAKE, phase.transcript, sealed)
        return (Say(frame), self._established(phase.peer, phase.keys, transcript))

    # The responder's steps

    def _hear_hello(self, body: bytes, now_ms: int) -> Sequence[Step]:
        """BPCI-H7. Versions, chain, clock and the seen-cache are judged before any mathematics."""
        hello = decode_hello(body)
        if VERSION not in hello.versions:
            raise Rejected(BpciRefusal.UNKNOWN_VERSION, f"offered {hello.versions}, spoken here {VERSION}")
        if hello.chain_id != self._myself.chain_id:
            raise Rejected(BpciRefusal.WRONG_CHAIN, f"{hello.chain_id.hex()}, here {self._myself.chain_id.hex()}")
        check_clock(hello.now_ms, now_ms)
        self._admission.admit_hello(hello.exchange_public, now_ms)
        self._phase = _Encapsulating(_greeted(self._myself.chain_id, body))
        return (Ask(Encapsulate(hello.exchange_public, hello.kem_public)),)

    def _sign_answer(self, phase: _Encapsulating, made: Encapsulated, now_ms: int) -> Sequence[Step]:
        transcript = _answered(phase.transcript, VERSION, made.exchange_public, made.kem_ciphertext)
        self._own_key = made.exchange_public
        self._phase = _SignsAnswer(made, _keys(made.secret, transcript), transcript, now_ms)
        statement = _statement(_RESPONDER, transcript, self._credentials(now_ms, bytes(64)), None)
        return (Ask(SignAll((statement,))),)

    def _answer(self, phase: _SignsAnswer, signature: bytes) -> Sequence[Step]:
        plain = encode_word(self._credentials(phase.now_ms, signature))
        sealed = Aead(phase.keys.of_responder).seal(0, plain, phase.transcript)
        answer = Answer(
            version=VERSION,
            exchange_public=phase.made.exchange_public,
            kem_ciphertext=phase.made.kem_ciphertext,
            sealed=sealed,
        )
        self._phase = _WaitsForConfirm(phase.keys, digest(Tag.HANDSHAKE, phase.transcript, sealed))
        return (Say(handshake_frame(Kind.ANSWER, encode_word(answer))),)

    def _hear_confirm(self, phase: _WaitsForConfirm, body: bytes, now_ms: int) -> Sequence[Step]:
        confirm = decode_confirm(body)
        if confirm.version != VERSION:
            raise Rejected(BpciRefusal.UNKNOWN_VERSION, f"{confirm.version}, agreed {VERSION}")
        peer = self._open_credentials(phase.keys.of_initiator, confirm.sealed, phase.transcript, now_ms)
        myself = self._credentials(0, bytes(64))
        statement = _statement(_INITIATOR, phase.transcript, peer, myself)
        transcript = digest(Tag.HANDSHAKE, phase.transcript, confirm.sealed)
        self._phase = _ChecksInitiator(peer, phase.keys, transcript)
        return (Ask(VerifyAll(((peer.transport_key, statement, peer.signature),))),)

    # Both

    def _credentials(self, now_ms: int, signature: bytes) -> Credentials:
        return Credentials(
            version=VERSION,
            transport_key=self._myself.transport_key,
            cluster=self._myself.cluster,
            now_ms=now_ms,
            signature=signature,
        )

    def _open_credentials(self, key: bytes, sealed: bytes, transcript: bytes, now_ms: int) -> Credentials:
        """BPCI-H7. Sealed credentials open under this transcript only; who it is, is judged before the signature."""
        try:
            plain = Aead(key).open(0, sealed, transcript)
        except Rejected as rejected:
            raise Rejected(BpciRefusal.UNREADABLE_CREDENTIALS, rejected.detail) from None
        peer = decode_credentials(plain)
        if peer.version != VERSION:
            raise Rejected(BpciRefusal.UNKNOWN_VERSION, f"{peer.version}, agreed {VERSION}")
        if peer.transport_key == self._myself.transport_key:
            raise Rejected(BpciRefusal.REFLECTED, "our own transport key")
        if self._expected not in (b"", peer.transport_key):
            raise Rejected(BpciRefusal.UNEXPECTED_PEER, f"{peer.transport_key.hex()}, dialled {self._expected.hex()}")
        check_clock(peer.now_ms, now_ms)
        self._admission.admit_peer(peer.transport_key, peer.cluster, now_ms)
        self.claimed = peer.transport_key
        return peer

    def _established(self, peer: Credentials, keys: _Keys, transcript: bytes) -> Established:
        """BPCI-H5. The session's secrets stand on both shared secrets and the whole transcript, one a direction."""
        material = hkdf_sha256(keys.secret, salt=transcript, info=b"bpci1 session", length=64)
        of_initiator, of_responder = material[:32], material[32:]
        sending, receiving = (of_initiator, of_responder) if self._initiator else (of_responder, of_initiator)
        session = digest(Tag.HANDSHAKE, b"session", transcript)
        return Established(peer.transport_key, peer.cluster, session, self._initiator, sending, receiving)


def _require(result: Result) -> None:
    """BPCI-H6. The identity's signature over the transcript holds. Raises `Rejected` FALSE_IDENTITY."""
    assert isinstance(result, Verdicts)
    if result.good != (True,):
        raise Rejected(BpciRefusal.FALSE_IDENTITY, "the signature is not by the claimed transport key")
