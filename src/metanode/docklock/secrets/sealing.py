"""Sealing a secret to one node, and opening it there. Chance is handed in, but for ML-KEM, which draws its own."""

from dataclasses import dataclass, field
from typing import Final

from metanode.primitives.codec import encode
from metanode.primitives.digest import Tag, digest
from metanode.primitives.names import Hash
from metanode.primitives.refusal import Rejected
from metanode.primitives.sealing import (
    AEAD_TAG_BYTES,
    KEY_BYTES,
    NONCE_BYTES,
    SealingRefusal,
    hkdf_sha256,
    kem_decapsulate,
    kem_encapsulate,
    kem_public_key,
    open_once,
    seal_once,
    x25519_exchange,
    x25519_public_key,
)
from metanode.records.secret import (
    PADDED_BYTES,
    SALT_BYTES,
    SECRET_BYTES_MAX,
    SealedSecret,
    SecretLabel,
    SecretRefusal,
    check_label,
    check_sealed,
    recipient_of,
)

_LENGTH_BYTES: Final = 4
_HEAD_BYTES: Final = SALT_BYTES + _LENGTH_BYTES


@dataclass(frozen=True, slots=True)
class Content:
    """SECRET-1. A secret and the salt of its commitment; neither is shown by `repr`."""

    salt: bytes = field(repr=False)
    clear: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Within its bounds."""
        assert len(self.salt) == SALT_BYTES, "a salt has 32 bytes"
        if len(self.clear) > SECRET_BYTES_MAX:
            raise Rejected(SecretRefusal.TOO_LARGE, f"{len(self.clear)} bytes, at most {SECRET_BYTES_MAX}")


@dataclass(frozen=True, slots=True)
class OpeningKeys:
    """The secret halves of a node's sealing key: X25519 (32 bytes) and the seed of ML-KEM-768 (64)."""

    x25519: bytes = field(repr=False)
    kem: bytes = field(repr=False)

    @property
    def public(self) -> bytes:
        """What others seal to (CLUSTER-2)."""
        return x25519_public_key(self.x25519) + kem_public_key(self.kem)


def salt_question(cluster: str, secret: str, clear: bytes) -> Hash:
    """SECRET-1. What the operator's key signs, to draw the salt from: the signature is kept to himself."""
    return digest(Tag.SECRET_SALT, encode((cluster, secret, clear)))


def salt_of(signature: bytes) -> bytes:
    """SECRET-1. The salt: nobody without the key can compute it, and with it the same content gives the same."""
    return digest(Tag.SECRET_SALT, signature)


def commitment_of(cluster: str, secret: str, content: Content) -> Hash:
    """SECRET-1. What a specification says of a content: it binds to it and, by the salt, shows nothing of it."""
    return digest(Tag.SECRET, encode((cluster, secret, content.salt, content.clear)))


def label_of(
    chain_id: bytes, cluster: str, node: str, sealing_key: bytes, secret: str, version: int, commitment: bytes
) -> SecretLabel:
    """SECRET-2. The label of an envelope for a node that has this sealing key. Raises `Rejected`."""
    label = SecretLabel(
        chain_id=chain_id,
        cluster=cluster,
        secret=secret,
        version=version,
        commitment=commitment,
        node=node,
        recipient=recipient_of(sealing_key),
    )
    check_label(label)
    return label


def _padded(content: Content) -> bytes:
    body = content.salt + len(content.clear).to_bytes(_LENGTH_BYTES, "big") + content.clear
    return body + bytes(-len(body) % PADDED_BYTES)


def _unpadded(data: bytes) -> Content:
    """The content of what was opened, in its one form. Raises `Rejected`."""
    if len(data) < PADDED_BYTES or len(data) % PADDED_BYTES:
        raise Rejected(SecretRefusal.MALFORMED, f"{len(data)} bytes are no filled-up content")
    end = _HEAD_BYTES + int.from_bytes(data[SALT_BYTES:_HEAD_BYTES], "big")
    if end > len(data) or len(data) - end >= PADDED_BYTES or any(data[end:]):
        raise Rejected(SecretRefusal.MALFORMED, "filled up with something else than as few zeroes as possible")
    return Content(data[:SALT_BYTES], data[_HEAD_BYTES:end])


def _key_and_nonce(label: SecretLabel, sides: bytes, shared: bytes) -> tuple[bytes, bytes]:
    """SECRET-2. `sides`: both public keys, the ephemeral one and the ML-KEM ciphertext; `shared`: both secrets."""
    info = Tag.SECRET_KEY.value + digest(Tag.SECRET_KEY, encode(label), sides)
    made = hkdf_sha256(shared, salt=b"", info=info, length=KEY_BYTES + NONCE_BYTES)
    return made[:KEY_BYTES], made[KEY_BYTES:]


def seal(label: SecretLabel, sealing_key: bytes, content: Content, ephemeral: bytes) -> SealedSecret:
    """SECRET-2. The envelope that only the node of this label can open. `ephemeral`: 32 fresh bytes, used once.

    Raises `Rejected` where the node's key is none (`SealingRefusal`), or is another than the label says.
    """
    if label.recipient != recipient_of(sealing_key):
        raise Rejected(SecretRefusal.WRONG_NODE, f"not the key of {label.node} that the label names")
    if label.commitment != commitment_of(label.cluster, label.secret, content):
        raise Rejected(SecretRefusal.OTHER_CONTENT, f"not the content of {label.secret} that the label commits to")
    own = x25519_public_key(ephemeral)
    first = x25519_exchange(ephemeral, sealing_key[:KEY_BYTES])
    second, encapsulated = kem_encapsulate(sealing_key[KEY_BYTES:])
    key, nonce = _key_and_nonce(label, own + encapsulated + sealing_key, first + second)
    ciphertext = seal_once(key, nonce, _padded(content), encode(label))
    return SealedSecret(label=label, ephemeral=own, encapsulated=encapsulated, ciphertext=ciphertext)


def open_sealed(sealed: SealedSecret, expected: SecretLabel, keys: OpeningKeys) -> Content:
    """SECRET-3. The content of an envelope that is exactly the expected one. Raises `Rejected`, and says why."""
    check_sealed(sealed)
    label, public = sealed.label, keys.public
    if (label.node, label.recipient) != (expected.node, expected.recipient) or label.recipient != recipient_of(public):
        raise Rejected(SecretRefusal.WRONG_NODE, f"sealed to {label.node} and its key, not to {expected.node}")
    if label != expected:
        said = f"{label.secret} {label.version} of {label.cluster}, {label.commitment.hex()[:16]}…"
        raise Rejected(SecretRefusal.OTHER_SECRET, f"it is {said}")
    if len(sealed.ciphertext) < PADDED_BYTES + AEAD_TAG_BYTES:
        raise Rejected(SecretRefusal.NOT_AUTHENTIC, f"{len(sealed.ciphertext)} bytes: cut off")
    try:
        shared = x25519_exchange(keys.x25519, sealed.ephemeral) + kem_decapsulate(keys.kem, sealed.encapsulated)
        key, nonce = _key_and_nonce(label, sealed.ephemeral + sealed.encapsulated + public, shared)
        opened = open_once(key, nonce, sealed.ciphertext, encode(label))
    except Rejected as rejected:
        assert isinstance(rejected.reason, SealingRefusal), "nothing else is refused here"
        raise Rejected(SecretRefusal.NOT_AUTHENTIC, "it was changed, or sealed to another key") from None
    content = _unpadded(opened)
    if commitment_of(label.cluster, label.secret, content) != label.commitment:
        raise Rejected(SecretRefusal.OTHER_CONTENT, f"not the content of {label.secret} that was committed to")
    return content
