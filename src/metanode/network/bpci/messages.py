"""What crosses the wire: frames, the three words of the handshake, records, control words, checkpoints."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate, pairwise
from typing import Annotated, Final, TypeAlias

from msgspec import Meta

from metanode.network.bpci.refusals import BpciRefusal
from metanode.primitives.codec import Decoder, Wire, encode
from metanode.primitives.digest import Tag, digest
from metanode.primitives.names import Hash
from metanode.primitives.refusal import Rejected

VERSION: Final = 1
"""The version of the protocol spoken here."""
FRAME_BYTES_MAX: Final = 1 << 20
"""A frame's body: large enough to amortise its cost, small enough that a stranger's length reserves little."""
HANDSHAKE_BYTES_MAX: Final = 4096
"""A greeting is 1.3 KB; before anybody is known no more than this is buffered for a link."""
TAG_BYTES: Final = 16
"""Poly1305's tag at the end of each ciphertext."""
MESSAGES_MAX: Final = 4096
"""Messages of one record: bounds what one decode builds."""
SINGLE_BYTES_MAX: Final = FRAME_BYTES_MAX - TAG_BYTES - 8
"""The longest message that fits one record."""
FRAGMENT_BYTES: Final = 256 << 10
"""A piece of a long message: a more urgent stream waits no longer than this many bytes."""
VERSIONS_MAX: Final = 8
"""Versions a greeting may offer."""


class Kind(IntEnum):
    """The type of a frame."""

    HELLO = 1
    ANSWER = 2
    CONFIRM = 3
    RECORD = 4
    CONTROL = 5


class Stream(IntEnum):
    """What a message belongs to; a lower number goes first."""

    CONTROL = 0
    CONSENSUS = 1
    SYNC = 2
    TRANSACTIONS = 3
    GOSSIP = 4
    BULK = 5


STREAMS: Final = (Stream.CONSENSUS, Stream.SYNC, Stream.TRANSACTIONS, Stream.GOSSIP, Stream.BULK)
"""The streams of the rooms above, most urgent first."""
LONG_BYTES_MAX: Final = {
    Stream.CONSENSUS: 2 << 20,
    Stream.SYNC: (8 << 20) + (64 << 10),
    Stream.BULK: (8 << 20) + (64 << 10),
}
"""Streams whose messages may be cut into fragments, and the bound: a block body is at most 8 MiB and has an envelope; a
proposal with its justification stays below 2 MiB. It is also what one peer can make us hold."""
FRAGMENT_FLAG: Final = 1
"""Flag of a record that holds one fragment in place of a list of messages."""

HEADER: Final = struct.Struct(">IBBBBQ")
"""length (of what follows the header), type, flags, stream, epoch (low 8 bits), counter."""
HEADER_BYTES: Final = 16
_FRAGMENT: Final = struct.Struct(">III")
_CREDIT: Final = struct.Struct(">Q")
_CHECKPOINT: Final = struct.Struct(">QIQQI32s32s32sQ64s")


@dataclass(frozen=True, slots=True)
class Header:
    """The 16 bytes before every frame's body."""

    length: int
    kind: int
    flags: int
    stream: int
    epoch: int
    counter: int


def parse_header(data: bytes | bytearray | memoryview, offset: int = 0) -> Header:
    """BPCI-F1. A frame is 16 bytes of header and `length` bytes of body; the header is judged alone.

    Raises `Rejected` with MALFORMED_FRAME or TOO_LONG, before a byte of the body is waited for.
    """
    length, kind, flags, stream, epoch, counter = HEADER.unpack_from(data, offset)
    if kind == Kind.RECORD:
        good = flags <= FRAGMENT_FLAG and Stream.CONSENSUS <= stream <= Stream.BULK
    elif kind == Kind.CONTROL:
        good = not flags and not stream
    else:
        good = Kind.HELLO <= kind <= Kind.CONFIRM and not (flags or stream or epoch or counter)
    if not good:
        raise Rejected(BpciRefusal.MALFORMED_FRAME, f"type {kind}, flags {flags}, stream {stream}")
    limit = FRAME_BYTES_MAX if kind >= Kind.RECORD else HANDSHAKE_BYTES_MAX
    if length > limit:
        raise Rejected(BpciRefusal.TOO_LONG, f"{length} bytes, at most {limit}")
    return Header(length, kind, flags, stream, epoch, counter)


def handshake_frame(kind: Kind, body: bytes) -> bytes:
    """BPCI-F1. A frame of the handshake: flags, stream, epoch and counter are zero."""
    return HEADER.pack(len(body), kind, 0, 0, 0, 0) + body


# The handshake ------------------------------------------------------------------------------------------------------

Bytes16: TypeAlias = Annotated[bytes, Meta(min_length=16, max_length=16)]
Bytes32: TypeAlias = Annotated[bytes, Meta(min_length=32, max_length=32)]
Bytes64: TypeAlias = Annotated[bytes, Meta(min_length=64, max_length=64)]
KemPublic: TypeAlias = Annotated[bytes, Meta(min_length=1184, max_length=1184)]
KemCiphertext: TypeAlias = Annotated[bytes, Meta(min_length=1088, max_length=1088)]
Version: TypeAlias = Annotated[int, Meta(ge=1, le=255)]
Instant: TypeAlias = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Sealed: TypeAlias = Annotated[bytes, Meta(max_length=512)]


class Hello(Wire):
    """First word, initiator to responder: versions offered (ascending), chain, two ephemeral keys, the clock."""

    versions: Annotated[tuple[Version, ...], Meta(min_length=1, max_length=VERSIONS_MAX)]
    chain_id: Bytes32
    exchange_public: Bytes32
    kem_public: KemPublic
    now_ms: Instant


class Answer(Wire):
    """Second word: the version chosen, the responder's ephemeral key, the encapsulated secret, sealed credentials."""

    version: Version
    exchange_public: Bytes32
    kem_ciphertext: KemCiphertext
    sealed: Sealed


class Confirm(Wire):
    """Third word: the initiator's sealed credentials."""

    version: Version
    sealed: Sealed


class Credentials(Wire):
    """Who speaks, proved by a signature over the transcript; always sealed."""

    version: Version
    transport_key: Bytes32
    cluster: Bytes16
    now_ms: Instant
    signature: Bytes64


_HELLO: Final = Decoder[Hello](Hello, HANDSHAKE_BYTES_MAX)
_ANSWER: Final = Decoder[Answer](Answer, HANDSHAKE_BYTES_MAX)
_CONFIRM: Final = Decoder[Confirm](Confirm, HANDSHAKE_BYTES_MAX)
_CREDENTIALS: Final = Decoder[Credentials](Credentials, HANDSHAKE_BYTES_MAX)


def _decoded(decoder: Decoder[Wire], body: bytes) -> Wire:
    try:
        return decoder.decode(body)
    except Rejected as rejected:
        raise Rejected(BpciRefusal.MALFORMED_HANDSHAKE, str(rejected)) from None


def decode_hello(body: bytes) -> Hello:
    """BPCI-H2. The first word, canonical. Raises `Rejected` MALFORMED_HANDSHAKE."""
    hello = _decoded(_HELLO, body)  # type: ignore[arg-type]
    assert isinstance(hello, Hello)
    if list(hello.versions) != sorted(set(hello.versions)):
        raise Rejected(BpciRefusal.MALFORMED_HANDSHAKE, "versions are not ascending")
    return hello


def decode_answer(body: bytes) -> Answer:
    """BPCI-H2. The second word, canonical. Raises `Rejected` MALFORMED_HANDSHAKE."""
    answer = _decoded(_ANSWER, body)  # type: ignore[arg-type]
    assert isinstance(answer, Answer)
    return answer


def decode_confirm(body: bytes) -> Confirm:
    """BPCI-H2. The third word, canonical. Raises `Rejected` MALFORMED_HANDSHAKE."""
    confirm = _decoded(_CONFIRM, body)  # type: ignore[arg-type]
    assert isinstance(confirm, Confirm)
    return confirm


def decode_credentials(body: bytes) -> Credentials:
    """BPCI-H2. Opened credentials, canonical. Raises `Rejected` MALFORMED_HANDSHAKE."""
    credentials = _decoded(_CREDENTIALS, body)  # type: ignore[arg-type]
    assert isinstance(credentials, Credentials)
    return credentials


def encode_word(word: Hello | Answer | Confirm | Credentials) -> bytes:
    """BPCI-H2. The canonical bytes of a word of the handshake."""
    return encode(word)


# Records ------------------------------------------------------------------------------------------------------------


def join_messages(messages: Sequence[bytes]) -> bytes:
    """BPCI-R5. Many messages, one record: count, the lengths, the bodies; all lengths 4 bytes big-endian."""
    count = len(messages)
    return b"".join((struct.pack(f">{count + 1}I", count, *map(len, messages)), *messages))


def split_messages(plain: bytes) -> tuple[bytes, ...]:
    """BPCI-R5. The messages of a record. Raises `Rejected` MALFORMED_RECORD if the lengths do not add up exactly."""
    size = len(plain)
    count = int.from_bytes(plain[:4]) if size >= 4 else 0
    if not 0 < count <= MESSAGES_MAX or size < 4 * count + 4:
        raise Rejected(BpciRefusal.MALFORMED_RECORD, f"{count} messages in {size} bytes")
    lengths = struct.unpack_from(f">{count}I", plain, 4)
    ends = list(accumulate(lengths, initial=4 * count + 4))
    if ends[-1] != size:
        raise Rejected(BpciRefusal.MALFORMED_RECORD, f"lengths add up to {ends[-1]} of {size} bytes")
    return tuple([plain[start:end] for start, end in pairwise(ends)])


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of a message too long for one record: whose piece, of how many bytes, from where."""

    message: int
    total_bytes: int
    offset: int
    data: bytes


def encode_fragment(fragment: Fragment) -> bytes:
    """BPCI-R6. 12 bytes, then the piece."""
    return _FRAGMENT.pack(fragment.message, fragment.total_bytes, fragment.offset) + fragment.data


def decode_fragment(plain: bytes) -> Fragment:
    """BPCI-R6. Raises `Rejected` MALFORMED_RECORD for an empty piece or one beyond its message's end."""
    if len(plain) <= _FRAGMENT.size:
        raise Rejected(BpciRefusal.MALFORMED_RECORD, f"a fragment of {len(plain)} bytes")
    message, total_bytes, offset = _FRAGMENT.unpack_from(plain)
    data = plain[_FRAGMENT.size :]
    if offset + len(data) > total_bytes:
        raise Rejected(BpciRefusal.MALFORMED_RECORD, f"bytes {offset}+{len(data)} of {total_bytes}")
    return Fragment(message, total_bytes, offset, data)


# Control words ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ready:
    """The responder's first word after the handshake: both sides hold the same keys."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Still here; the other side answers with a `Pong` of the same number."""

    number: int


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to the `Ping` of this number."""

    number: int


@dataclass(frozen=True, slots=True)
class Credit:
    """Bytes of frames received since the link began; gives the sender room."""

    total_bytes: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The signed statement of a sender about what it sent.

    The `number`-th of its direction, from 0. Of the counters `first`…`last` of a key epoch, `count` were records;
    `chain` is a digest over their headers and ciphertexts in order; `epoch_key_digest` pins the key (ChaCha20-Poly1305
    does not commit to its key); `poh_tick` chains all checkpoints of a session and direction. The signature is by the
    sender's transport key.
    """

    number: int
    epoch: int
    first: int
    last: int
    count: int
    chain: bytes
    epoch_key_digest: bytes
    poh_tick: bytes
    now_ms: int
    signature: bytes = bytes(64)


Control: TypeAlias = Ready | Ping | Credit | Checkpoint | Pong


def encode_control(word: Control) -> bytes:
    """BPCI-R7. One byte of kind, then fixed width."""
    match word:
        case Ready():
            return b"\x00"
        case Ping(number):
            return b"\x01" + number.to_bytes(4)
        case Credit(total_bytes):
            return b"\x02" + _CREDIT.pack(total_bytes)
        case Checkpoint():
            return b"\x03" + _CHECKPOINT.pack(
                word.number,
                word.epoch,
                word.first,
                word.last,
                word.count,
                word.chain,
                word.epoch_key_digest,
                word.poh_tick,
                word.now_ms,
                word.signature,
            )
        case Pong(number):
            return b"\x04" + number.to_bytes(4)


def decode_control(plain: bytes) -> Control:
    """BPCI-R7. Raises `Rejected` MALFORMED_RECORD."""
    kind, size = plain[:1], len(plain)
    if plain == b"\x00":
        return Ready()
    if kind == b"\x01" and size == 5:
        return Ping(int.from_bytes(plain[1:]))
    if kind == b"\x02" and size == 1 + _CREDIT.size:
        return Credit(_CREDIT.unpack_from(plain, 1)[0])
    if kind == b"\x03" and size == 1 + _CHECKPOINT.size:
        return Checkpoint(*_CHECKPOINT.unpack_from(plain, 1))
    if kind == b"\x04" and size == 5:
        return Pong(int.from_bytes(plain[1:]))
    raise Rejected(BpciRefusal.MALFORMED_RECORD, f"no control word of {size} bytes")


def checkpoint_digest(session: bytes, direction: int, checkpoint: Checkpoint) -> Hash:
    """BPCI-C1. What the transport key signs: session, direction, and all fields of the checkpoint."""
    fields = encode_control(checkpoint)[1:-64]
    return digest(Tag.CHECKPOINT, session, bytes((direction,)), fields)


def service_hash(stream: Stream) -> Hash:
    """BPCI-R2. The logical frame's `svc_id_hash` of a stream."""
    return digest(Tag.FRAMES, b"service ", stream.name.lower().encode())
