"""What discovery sends: signed addresses, and bit vectors that say whose addresses are known."""

from typing import Annotated, Final, TypeAlias

from msgspec import Meta

from metanode.primitives.codec import Decoder, Wire, encode
from metanode.primitives.digest import Tag, digest
from metanode.primitives.names import Hash
from metanode.primitives.refusal import Refusal, Rejected

KNOWN_MAX: Final = 1024
"""Peers of one set: validators, observers and cluster machines of one chain."""
ADDRESSES_MAX: Final = 4
"""Addresses of one peer: a name, two families, a spare."""
ADDRESS_BYTES_MAX: Final = 262
"""A name of 253 bytes, brackets, a colon and a port."""
RECORDS_MAX: Final = 16
"""Address records of one message."""
MESSAGE_BYTES_MAX: Final = 32 << 10
"""Sixteen of the longest records fit."""
VERSION: Final = 1
"""Version of these messages."""


class DiscoveryRefusal(Refusal):
    """Why a discovery message is turned away; its sender is to blame, who should have checked."""

    MALFORMED = "discovery.malformed"
    """Not canonical, of the wrong shape, or a bit vector that does not fit its set."""
    BAD_ADDRESS = "discovery.bad-address"
    """An address that is not host:port in printable ASCII."""
    FALSE_RECORD = "discovery.false-record"
    """An address record not signed by the peer it speaks of."""
    FROM_THE_FUTURE = "discovery.from-the-future"
    """A sequence number (a time) beyond our clock's bound: it could never be replaced."""


Bytes32: TypeAlias = Annotated[bytes, Meta(min_length=32, max_length=32)]
Bytes64: TypeAlias = Annotated[bytes, Meta(min_length=64, max_length=64)]
AddressText: TypeAlias = Annotated[str, Meta(min_length=3, max_length=ADDRESS_BYTES_MAX)]


class AddressRecord(Wire):
    """Where a peer listens, by its own word. The higher `sequence` wins: the peer's clock when it signed, in ms."""

    version: Annotated[int, Meta(ge=VERSION, le=VERSION)]
    key: Bytes32
    sequence: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
    addresses: Annotated[tuple[AddressText, ...], Meta(min_length=1, max_length=ADDRESSES_MAX)]
    signature: Bytes64


class Addresses(Wire):
    """Some address records."""

    version: Annotated[int, Meta(ge=VERSION, le=VERSION)]
    records: Annotated[tuple[AddressRecord, ...], Meta(min_length=1, max_length=RECORDS_MAX)]


class Known(Wire):
    """Of the set with this digest, whose records the sender has: bit i mod 8 of byte i div 8, in the order of keys."""

    version: Annotated[int, Meta(ge=VERSION, le=VERSION)]
    known_set: Bytes32
    bits: Annotated[bytes, Meta(max_length=KNOWN_MAX // 8)]


DiscoveryMessage: TypeAlias = Addresses | Known

_ADDRESSES: Final = Decoder[Addresses](Addresses, MESSAGE_BYTES_MAX)
_KNOWN: Final = Decoder[Known](Known, MESSAGE_BYTES_MAX)


def encode_message(message: DiscoveryMessage) -> bytes:
    """BPCI-D1. One byte of kind, then canonical msgpack."""
    return (b"\x01" if isinstance(message, Addresses) else b"\x02") + encode(message)


def decode_message(data: bytes) -> DiscoveryMessage:
    """BPCI-D1. Raises `Rejected` MALFORMED or BAD_ADDRESS."""
    kind = data[:1]
    if kind not in (b"\x01", b"\x02"):
        raise Rejected(DiscoveryRefusal.MALFORMED, f"kind {kind.hex()}")
    try:
        if kind == b"\x02":
            return _KNOWN.decode(data[1:])
        message = _ADDRESSES.decode(data[1:])
    except Rejected as rejected:
        raise Rejected(DiscoveryRefusal.MALFORMED, str(rejected)) from None
    for record in message.records:
        for address in record.addresses:
            check_address(address)
    return message


def check_address(address: str) -> None:
    """BPCI-D2. host:port, printable ASCII without spaces, port 1 to 65535. Raises `Rejected` BAD_ADDRESS."""
    host, _, port = address.rpartition(":")
    printable = address.isascii() and address.isprintable() and " " not in address
    if not (printable and host and port.isdigit() and len(port) <= 5 and 0 < int(port) < 1 << 16):
        raise Rejected(DiscoveryRefusal.BAD_ADDRESS, ascii(address))


def record_digest(chain_id: bytes, record: AddressRecord) -> Hash:
    """BPCI-D2. What the peer's transport key signs: the chain and the record with an empty signature."""
    body = encode((record.version, record.key, record.sequence, record.addresses))
    return digest(Tag.PEER_RECORD, chain_id, body)


def set_digest(keys: tuple[bytes, ...]) -> Hash:
    """BPCI-D3. Names a known set, keys in ascending order, so that bits are never read against another."""
    return digest(Tag.PEER_RECORD, b"set", *keys)


def pack_bits(flags: tuple[bool, ...]) -> bytes:
    """BPCI-D3. Bit i mod 8 of byte i div 8; excess bits zero."""
    value = sum(1 << position for position, flag in enumerate(flags) if flag)
    return value.to_bytes((len(flags) + 7) // 8, "little")


def unpack_bits(bits: bytes, count: int) -> tuple[bool, ...]:
    """BPCI-D3. Raises `Rejected` MALFORMED for another length or an excess bit."""
    value = int.from_bytes(bits, "little")
    if len(bits) != (count + 7) // 8 or value >> count:
        raise Rejected(DiscoveryRefusal.MALFORMED, f"{len(bits)} bytes of bits for {count} peers")
    return tuple([bool(value >> position & 1) for position in range(count)])
