"""Secrets of a cluster as they cross the wire and lie on the disk: sealed to one node, and to nobody else."""

from typing import Final

from metanode.primitives.codec import Decoder, Wire
from metanode.primitives.digest import Tag, digest
from metanode.primitives.names import Hash
from metanode.primitives.refusal import Refusal, Rejected
from metanode.primitives.sealing import KEM_CIPHERTEXT_BYTES, KEY_BYTES
from metanode.records.cluster import SEALING_KEY_BYTES
from metanode.records.demand import check_digest, check_name, check_range
from metanode.records.workload import REPLICAS_MAX, SECRET_VERSION_MAX

SECRET_BYTES_MAX: Final = 65_536
"""Largest secret: keys and certificates, not files of data."""
SALT_BYTES: Final = 32
"""What hides the content in its commitment: nobody can try guesses against that."""
PADDED_BYTES: Final = 512
"""A sealed content is filled up to a multiple of this, so that its length says little of that of the secret."""
SEALED_BYTES_MAX: Final = SECRET_BYTES_MAX + 8_192
"""Largest envelope."""


class SecretRefusal(Refusal):
    """Why an envelope, or whoever asks for one, is turned away."""

    MALFORMED = "secret.malformed"
    """A part of an envelope, or its content, of a form that no sealing makes."""
    TOO_LARGE = "secret.too-large"
    """More bytes than a secret may have."""
    WRONG_NODE = "secret.wrong-node"
    """Sealed to another node, or to a key that this node does not have."""
    OTHER_SECRET = "secret.other-secret"  # noqa: S105 - a code
    """About another chain, cluster, name, version or content than was asked for: a foreign or an old envelope."""
    NOT_AUTHENTIC = "secret.not-authentic"
    """Not what was sealed: some byte of it was changed, or it was cut off."""
    OTHER_CONTENT = "secret.other-content"
    """It opens, and holds something else than the specification commits to."""
    UNBOUND = "secret.unbound"
    """The specification names a secret without saying which content is meant."""
    MISSING = "secret.missing"
    """Neither this node nor any that it reached has an envelope of it."""
    NOT_PLACED = "secret.not-placed"
    """The node that asks for a secret is not to run what needs it, says the chain."""
    FULL = "secret.full"
    """The node keeps as many secrets as it may."""


class SecretLabel(Wire):
    """SECRET-2. Which secret, and for whom: everything that an envelope is bound to. `commitment`: of its content;
    `recipient`: digest of the node's sealing key."""

    chain_id: bytes
    cluster: str
    secret: str
    version: int
    commitment: bytes
    node: str
    recipient: bytes


class SealedSecret(Wire, tag="metanode.sealed-secret.1"):
    """SECRET-2. An envelope: what it is about, one side of X25519 (32 bytes), an ML-KEM-768 ciphertext (1,088), and
    the content under ChaCha20-Poly1305."""

    label: SecretLabel
    ephemeral: bytes
    encapsulated: bytes
    ciphertext: bytes


class SecretAsked(Wire, tag="metanode.secret-asked.1"):
    """SECRET-8. A node asks another for a secret: it is to run this attempt, whose specification names it so."""

    node: str
    workload: str
    index: int
    attempt: int
    secret: str
    version: int
    commitment: bytes


SEALED_SECRETS: Final = Decoder[SealedSecret](SealedSecret, SEALED_BYTES_MAX)
SECRETS_ASKED: Final = Decoder[SecretAsked](SecretAsked, 1_024)


def recipient_of(sealing_key: bytes) -> Hash:
    """SECRET-2. What names a node's sealing key (X25519 and ML-KEM-768, 1,216 bytes) in a label and in receipts."""
    if len(sealing_key) != SEALING_KEY_BYTES:
        raise Rejected(SecretRefusal.MALFORMED, f"a sealing key of {len(sealing_key)} bytes, not {SEALING_KEY_BYTES}")
    return digest(Tag.SECRET_RECIPIENT, sealing_key)


def check_label(label: SecretLabel) -> None:
    """SECRET-2. A label that says all that it must. Raises `Rejected`."""
    check_digest("the chain", label.chain_id)
    check_name("cluster", label.cluster)
    check_name("secret", label.secret)
    check_range("the version", label.version, 1, SECRET_VERSION_MAX)
    check_digest("the commitment", label.commitment)
    check_name("node", label.node)
    check_digest("the recipient", label.recipient)


def check_sealed(sealed: SealedSecret) -> None:
    """SECRET-2. An envelope of the right form, before anything is computed with it. Raises `Rejected`."""
    check_label(sealed.label)
    widths = (len(sealed.ephemeral), len(sealed.encapsulated))
    if widths != (KEY_BYTES, KEM_CIPHERTEXT_BYTES):
        raise Rejected(SecretRefusal.MALFORMED, f"keys of {widths} bytes, not {(KEY_BYTES, KEM_CIPHERTEXT_BYTES)}")


def check_asked(asked: SecretAsked) -> None:
    """SECRET-8. A question that could be answered. Raises `Rejected`."""
    for what, name in (("node", asked.node), ("workload", asked.workload), ("secret", asked.secret)):
        check_name(what, name)
    check_range("the index", asked.index, 0, REPLICAS_MAX - 1)
    check_range("the attempt", asked.attempt, 0, 1 << 62)
    check_range("the version", asked.version, 1, SECRET_VERSION_MAX)
    check_digest("the commitment", asked.commitment)
