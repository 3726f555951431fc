"""A receipt as an in-toto statement: what other tools read, and the receipt file inside it, which proves it."""

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import msgspec

from metanode.chain.light import Basis, Pairing
from metanode.docklock.receipts.dsse import PAYLOAD_BYTES_MAX, read_envelope, signers
from metanode.docklock.receipts.proving import VerifiedEntry, is_workload_receipt, verify_workload_receipt
from metanode.docklock.receipts.refusals import WorkloadReceiptRefusal
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.address import show_address
from metanode.records.workload_receipt import DETAILS, Detail, Entry

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
"""What in-toto demands of every statement of its version 1."""
PREDICATE_TYPE: Final = "urn:metanode:workload-receipt:1"
"""Ours; a name, not an address."""
NOTE: Final = (
    "The node signed the entry, not this statement: `signature` is Ed25519 over SHA-256 of the tag and the entry's "
    "canonical msgpack, both in `receiptFile`. Who signed an envelope around this says only that he made it."
)
"""What a statement says of its own signatures."""


class _Predicate(msgspec.Struct, frozen=True, rename="camel"):
    receipt_file: str


class _Statement(msgspec.Struct, frozen=True, rename="camel"):
    predicate_type: str
    predicate: _Predicate
    type: str = msgspec.field(name="_type")


_DECODER: Final = msgspec.json.Decoder(_Statement)


@dataclass(frozen=True, slots=True)
class Attested:
    """WREC-12. What was proved, the form in which it came (`file`, `intoto`, `dsse`), and the keys that signed the
    envelope, where there is one."""

    entry: VerifiedEntry
    form: str
    keys: tuple[bytes, ...]


def statement(file: bytes, verified: VerifiedEntry) -> bytes:
    """WREC-11. The in-toto statement of a receipt file that was verified. The same file gives the same bytes."""
    entry, chain = verified.signed.entry, verified.chain
    told = {
        "_type": STATEMENT_TYPE,
        "subject": _subjects(entry, verified),
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "entry": entry_facts(entry),
            "account": show_address(verified.account),
            "key": verified.signed.key.hex(),
            "signature": verified.signed.signature.hex(),
            "pinned": {
                "chain": chain.chain_id.hex(),
                "height": chain.height,
                "header": chain.header_hash.hex(),
                "timestampMs": chain.timestamp_ms,
                "receipt": chain.receipt.index,
                "first": verified.batch.first,
                "count": verified.batch.count,
                "root": verified.batch.root.hex(),
            },
            "note": NOTE,
            "receiptFile": base64.b64encode(file).decode(),
        },
    }
    return msgspec.json.encode(told, order="deterministic")


def _subjects(entry: Entry, verified: VerifiedEntry) -> list[dict[str, Any]]:
    """WREC-11. The image and the specification; the entry itself where it is about neither."""
    named = {"image": entry.image, "specification": entry.spec}
    found = {name: data.hex() for name, data in named.items() if data}
    found = found or {"entry": sha256(encode(verified.signed)).hexdigest()}
    return [{"name": name, "digest": {"sha256": text}} for name, text in found.items()]


def entry_facts(entry: Entry) -> dict[str, Any]:
    """WREC-11. An entry for JSON: digests in hexadecimal, accounts as addresses."""
    facts: dict[str, Any] = {}
    for name in entry.__struct_fields__:
        value = getattr(entry, name)
        if name == "details":
            value = {one.name: detail_fact(one) for one in value}
        facts[name] = value.hex() if isinstance(value, bytes) else value
    return facts


def detail_fact(detail: Detail) -> int | str:
    """WREC-11. The value of a detail for JSON."""
    if isinstance(detail.value, bytes):
        return show_address(detail.value) if DETAILS[detail.name] == "account" else detail.value.hex()
    return detail.value


def verify_statement(payload: bytes, basis: Basis, pairing: Pairing, now_ms: int | None = None) -> VerifiedEntry:
    """WREC-12. A statement is true where the receipt file inside it verifies, and amounts to exactly these bytes.
    Raises `Rejected`."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise Rejected(WorkloadReceiptRefusal.STATEMENT, f"{len(payload)} bytes, at most {PAYLOAD_BYTES_MAX}")
    try:
        found = _DECODER.decode(payload)
        file = base64.b64decode(found.predicate.receipt_file, validate=True)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, binascii.Error, ValueError) as error:
        raise Rejected(WorkloadReceiptRefusal.STATEMENT, f"not a statement of ours: {str(error)[:200]}") from None
    if (found.type, found.predicate_type) != (STATEMENT_TYPE, PREDICATE_TYPE):
        raise Rejected(WorkloadReceiptRefusal.STATEMENT, f"a predicate of type {found.predicate_type[:80]!r}")
    verified = verify_workload_receipt(file, basis, pairing, now_ms)
    if statement(file, verified) != payload:
        raise Rejected(WorkloadReceiptRefusal.STATEMENT, "it says something else than the receipt file inside it")
    return verified


def verify_envelope(data: bytes, basis: Basis, pairing: Pairing, now_ms: int | None = None) -> Attested:
    """WREC-12, WREC-13. An envelope is true where its statement is, and the node's key, or one that a key id names,
    has signed it: whose key that is, and what he is worth, is for the reader to say. Raises `Rejected`."""
    envelope = read_envelope(data)
    verified = verify_statement(envelope.payload, basis, pairing, now_ms)
    keys = [verified.signed.key, *(_key(keyid) for keyid, _ in envelope.signatures)]
    return Attested(verified, "dsse", signers(envelope, keys))


def is_attestation(data: bytes) -> bool:
    """WREC-8, WREC-12. Whether this is, or says that it is, about a workload: its file, a statement, an envelope."""
    return is_workload_receipt(data) or data[:64].lstrip().startswith(b"{")


def verify_attestation(data: bytes, basis: Basis, pairing: Pairing, now_ms: int | None = None) -> Attested:
    """WREC-9, WREC-12. Check a workload's receipt in whichever of its three forms. Raises `Rejected` with the first
    layer that fails."""
    if is_workload_receipt(data):
        return Attested(verify_workload_receipt(data, basis, pairing, now_ms), "file", ())
    if data.startswith(b'{"_type"'):  # as every statement of ours does: it has one form
        return Attested(verify_statement(data, basis, pairing, now_ms), "intoto", ())
    return verify_envelope(data, basis, pairing, now_ms)


def _key(keyid: str) -> bytes:
    """The key that a key id of ours is; what is none has signed nothing."""
    try:
        return bytes.fromhex(keyid)
    except ValueError:
        return b""
