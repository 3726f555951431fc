"""The heavy mathematics of BPCI as questions and answers; the host and the tests answer them with `perform`.

Machines never compute these: key generation and encapsulation need chance, signing needs the long-lived transport key,
checking signatures is slow and is batched. The simulator answers the same questions with seeded stand-ins.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

from metanode.primitives import ed25519, sealing
from metanode.primitives.refusal import Rejected

ENTROPY_BYTES: Final = 96
"""Fresh random bytes the host adds to a question: 32 for X25519, 64 for ML-KEM-768 (FIPS 203 d ‖ z)."""


@dataclass(frozen=True, slots=True)
class FreshKeys:
    """Asks for the initiator's two ephemeral key pairs. Answer: `OwnKeys`."""


@dataclass(frozen=True, slots=True)
class Encapsulate:
    """Asks, as responder, for an ephemeral key and both secrets. Answer: `Encapsulated` or `Unsound`."""

    exchange_public: bytes
    kem_public: bytes


@dataclass(frozen=True, slots=True)
class Agree:
    """Asks, as initiator, for the same two secrets. Answer: `Agreed` or `Unsound`."""

    own: "OwnKeys"
    exchange_public: bytes
    kem_ciphertext: bytes


@dataclass(frozen=True, slots=True)
class SignAll:
    """Asks for signatures by the transport key. Answer: `Signatures`, in order."""

    messages: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class VerifyAll:
    """Asks for the verdicts on (public key, message, signature). Answer: `Verdicts`, in order."""

    items: tuple[tuple[bytes, bytes, bytes], ...]


Operation: TypeAlias = FreshKeys | Encapsulate | Agree | SignAll | VerifyAll


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """Two ephemeral key pairs: X25519 (32, 32 bytes) and ML-KEM-768 (64-byte seed, 1184-byte public key)."""

    exchange_secret: bytes
    exchange_public: bytes
    kem_seed: bytes
    kem_public: bytes


@dataclass(frozen=True, slots=True)
class Encapsulated:
    """The responder's public halves and the joint secret, X25519 ‖ ML-KEM, 64 bytes."""

    exchange_public: bytes
    kem_ciphertext: bytes
    secret: bytes


@dataclass(frozen=True, slots=True)
class Agreed:
    """The joint secret, X25519 ‖ ML-KEM, 64 bytes."""

    secret: bytes


@dataclass(frozen=True, slots=True)
class Signatures:
    """Ed25519 signatures, 64 bytes each."""

    signatures: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Whether each signature holds."""

    good: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Unsound:
    """The other side's keys admit no secret: a low-order point, no ML-KEM key."""

    detail: str


Result: TypeAlias = OwnKeys | Encapsulated | Agreed | Signatures | Verdicts | Unsound


def perform(operation: Operation, key: ed25519.SigningKey, entropy: bytes) -> Result:
    """BPCI-H3. Answer one question. `key`: the transport key. `entropy`: `ENTROPY_BYTES` fresh random bytes, used once.

    Encapsulation draws its 32 bytes from the library's own generator, whose interface takes none.
    """
    assert len(entropy) == ENTROPY_BYTES
    match operation:
        case FreshKeys():
            exchange_secret, kem_seed = entropy[:32], entropy[32:]
            return OwnKeys(
                exchange_secret,
                sealing.x25519_public_key(exchange_secret),
                kem_seed,
                sealing.kem_public_key(kem_seed),
            )
        case Encapsulate(exchange_public, kem_public):
            try:
                shared = sealing.x25519_exchange(entropy[:32], exchange_public)
                encapsulated, kem_ciphertext = sealing.kem_encapsulate(kem_public)
            except Rejected as rejected:
                return Unsound(str(rejected))
            return Encapsulated(sealing.x25519_public_key(entropy[:32]), kem_ciphertext, shared + encapsulated)
        case Agree(own, exchange_public, kem_ciphertext):
            try:
                shared = sealing.x25519_exchange(own.exchange_secret, exchange_public)
                return Agreed(shared + sealing.kem_decapsulate(own.kem_seed, kem_ciphertext))
            except Rejected as rejected:
                return Unsound(str(rejected))
        case SignAll(messages):
            return Signatures(tuple([key.sign(message) for message in messages]))
        case VerifyAll(items):
            return Verdicts(tuple(ed25519.verify_batch(items)))
        case _:
            assert_never(operation)
