"""What a node signs about a container when another node looks at it."""

from hashlib import sha256
from typing import Final

from metanode.primitives import ed25519
from metanode.primitives.codec import Decoder, Wire, encode
from metanode.primitives.digest import Tag, digest
from metanode.primitives.names import Hash

ANSWER_BYTES_MAX: Final = 4_096
"""Of what came out of a container so much is shown: the first line of an HTTP answer is all that counts."""
NONCE_BYTES: Final = 32
"""A prober's fresh number: nobody can have signed about it before."""


class Statement(Wire, tag="metanode.statement.1"):
    """PROBE-9. What a node says of a container to `asker` (an account), who gave the nonce. `runs`: it has a process;
    `well`: its health check, done for this, went well (without one: it runs). `answer`: SHA-256 of what came out."""

    cluster: str
    container: str
    asker: bytes
    nonce: bytes
    time_ms: int
    runs: bool
    well: bool
    answer: bytes


class SignedStatement(Wire):
    """A statement under the key of the node's account."""

    statement: Statement
    key: bytes
    signature: bytes


class InspectionAnswer(Wire):
    """What a prober is answered: the statement, and what came out of the container."""

    signed: SignedStatement
    answer: bytes


INSPECTION_ANSWERS: Final = Decoder[InspectionAnswer](InspectionAnswer, ANSWER_BYTES_MAX + 1_024)


def state(statement: Statement, answer: bytes, key: ed25519.SigningKey) -> InspectionAnswer:
    """PROBE-9. Sign a statement about what came out."""
    signature = key.sign(digest(Tag.STATEMENT, encode(statement)))
    return InspectionAnswer(
        signed=SignedStatement(statement=statement, key=key.public_key, signature=signature), answer=answer
    )


def is_signed(signed: SignedStatement) -> bool:
    """Whether the key has signed the statement."""
    return ed25519.verify(signed.key, digest(Tag.STATEMENT, encode(signed.statement)), signed.signature)


def statement_digest(signed: SignedStatement) -> Hash:
    """PROBE-9. What the chain pins of a statement, signature and all."""
    return Hash(sha256(encode(signed)).digest())
