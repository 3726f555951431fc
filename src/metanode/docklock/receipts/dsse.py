"""Dead Simple Signing Envelopes (DSSE): a payload, its type, and signatures over both."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from metanode.docklock.receipts.refusals import WorkloadReceiptRefusal
from metanode.primitives import ed25519
from metanode.primitives.refusal import Rejected
from metanode.records.receipt_file import RECEIPT_FILE_BYTES_MAX

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
"""An in-toto statement."""
PAYLOAD_BYTES_MAX: Final = 2 * RECEIPT_FILE_BYTES_MAX
"""Longest payload: a statement with a receipt file in base64."""
ENVELOPE_BYTES_MAX: Final = 2 * PAYLOAD_BYTES_MAX
"""Longest envelope: such a payload in base64, and its signatures."""
SIGNATURES_MAX: Final = 16
"""Most signatures of an envelope that are looked at."""

_Text = Annotated[str, msgspec.Meta(max_length=512)]


class _Signature(msgspec.Struct, frozen=True):
    sig: _Text
    keyid: _Text = ""


class _Envelope(msgspec.Struct, frozen=True, rename="camel"):
    payload: str
    payload_type: _Text
    signatures: Annotated[tuple[_Signature, ...], msgspec.Meta(min_length=1, max_length=SIGNATURES_MAX)]


_DECODER: Final = msgspec.json.Decoder(_Envelope)


@dataclass(frozen=True, slots=True)
class Envelope:
    """WREC-13. `signatures`: (key id, signature). A key id is a hint that nobody signed: it proves nothing."""

    payload_type: str
    payload: bytes
    signatures: tuple[tuple[str, bytes], ...]


def pae(payload_type: str, payload: bytes) -> bytes:
    """WREC-13. What is signed: DSSE's pre-authentication encoding of type and payload, with both lengths in bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(payload: bytes, key: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """WREC-13. An envelope of an in-toto statement with one Ed25519 signature; the key id is the key in hexadecimal."""
    signature = _Signature(sig=_text(sign(pae(PAYLOAD_TYPE, payload))), keyid=key.hex())
    made = _Envelope(payload=_text(payload), payload_type=PAYLOAD_TYPE, signatures=(signature,))
    return msgspec.json.encode(made)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def read_envelope(data: bytes) -> Envelope:
    """WREC-13. An envelope, nothing in it checked yet. Raises `Rejected`."""
    if len(data) > ENVELOPE_BYTES_MAX:
        raise Rejected(WorkloadReceiptRefusal.ENVELOPE, f"{len(data)} bytes, at most {ENVELOPE_BYTES_MAX}")
    try:
        found = _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Rejected(WorkloadReceiptRefusal.ENVELOPE, f"not an envelope: {str(error)[:200]}") from None
    signatures = tuple((one.keyid, _bytes(one.sig)) for one in found.signatures)
    return Envelope(found.payload_type, _bytes(found.payload), signatures)


def _bytes(text: str) -> bytes:
    """Base64 in either alphabet, as DSSE demands of who reads."""
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        raise Rejected(WorkloadReceiptRefusal.ENVELOPE, "something is not in base64") from None


def signers(envelope: Envelope, keys: Sequence[bytes], at_least: int = 1) -> tuple[bytes, ...]:
    """WREC-13. Which of these keys have signed, each counted once, in their order. Raises `Rejected` where fewer than
    `at_least` have, or where the payload is not an in-toto statement."""
    if envelope.payload_type != PAYLOAD_TYPE:
        raise Rejected(WorkloadReceiptRefusal.ENVELOPE, f"a payload of type {envelope.payload_type[:80]!r}")
    message = pae(envelope.payload_type, envelope.payload)
    signed = [one for _, one in envelope.signatures]
    found = tuple(
        key for key in dict.fromkeys(keys) if any(ed25519.verify(key, message, signature) for signature in signed)
    )
    if len(found) < at_least:
        detail = f"signed by {len(found)} of the {len(keys)} keys that count, {at_least} must have"
        raise Rejected(WorkloadReceiptRefusal.ENVELOPE, detail)
    return found
