"""For other tools: DSSE envelopes as their specification has them, in-toto statements that say what is proved."""

import base64
import json
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec.structs import replace
from tests.unit.docklock.receipts.samples import (
    IMAGE,
    NODE_KEY,
    OTHER_KEY,
    PAIRING,
    SPEC,
    VALUES,
    basis,
    file_of,
    happening,
    life,
    refusal,
    written,
)

from metanode.docklock.receipts import (
    WorkloadReceiptRefusal,
    seal,
    statement,
    verify_envelope,
    verify_statement,
    verify_workload_receipt,
)
from metanode.docklock.receipts.dsse import (
    ENVELOPE_BYTES_MAX,
    PAYLOAD_BYTES_MAX,
    PAYLOAD_TYPE,
    SIGNATURES_MAX,
    pae,
    read_envelope,
    signers,
)
from metanode.primitives import ed25519
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.address import show_address
from metanode.records.workload_receipt import WORKLOAD_RECEIPT_FILES

# --- DSSE -------------------------------------------------------------------------------------------------------------

EXAMPLE = {
    "payload": "aGVsbG8gd29ybGQ=",
    "payloadType": "http://example.com/HelloWorld",
    "signatures": [{"sig": "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="}],
}
"""The example of DSSE's protocol.md, version 1.0.0, with its public key below: ECDSA on P-256, r ‖ s."""
EXAMPLE_X = 46950820868899156662930047687818585632848591499744589407958293238635476079160
EXAMPLE_Y = 5640078356564379163099075877009565129882514886557779369047442380624545832820


def test_the_published_example_is_read_and_encoded_as_it_was_signed() -> None:
    envelope = read_envelope(json.dumps(EXAMPLE).encode())
    message = pae(envelope.payload_type, envelope.payload)
    assert message == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    ((keyid, signature),) = envelope.signatures
    assert keyid == ""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    key = EllipticCurvePublicNumbers(EXAMPLE_X, EXAMPLE_Y, SECP256R1()).public_key()
    key.verify(encode_dss_signature(r, s), message, ECDSA(SHA256()))


@pytest.mark.parametrize(
    ("kind", "body", "encoded"),
    [
        ("", b"", b"DSSEv1 0  0 "),
        ("t", b"", b"DSSEv1 1 t 0 "),
        ("application/vnd.exämple+json", b"{}", "DSSEv1 29 application/vnd.exämple+json 2 {}".encode()),
        ("t", b"\x00 \xff", b"DSSEv1 1 t 3 \x00 \xff"),
        ("t 1 x", b"", b"DSSEv1 5 t 1 x 0 "),
    ],
)
def test_lengths_are_of_bytes_and_nothing_is_escaped(kind: str, body: bytes, encoded: bytes) -> None:
    assert pae(kind, body) == encoded


def envelope_of(payload: bytes = b"{}", kind: str = PAYLOAD_TYPE, *keys: ed25519.SigningKey) -> dict[str, Any]:
    message = pae(kind, payload)
    made = [{"keyid": "", "sig": base64.b64encode(key.sign(message)).decode()} for key in keys]
    return {"payload": base64.b64encode(payload).decode(), "payloadType": kind, "signatures": made}


def signed_by(made: dict[str, Any], *keys: ed25519.SigningKey, at_least: int = 1) -> tuple[bytes, ...]:
    return signers(read_envelope(json.dumps(made).encode()), [key.public_key for key in keys], at_least)


def refused(made: dict[str, Any], *keys: ed25519.SigningKey, at_least: int = 1) -> str:
    return refusal(signed_by, made, *keys, at_least=at_least)


def test_either_alphabet_of_base64_is_read() -> None:
    payload = b"\xfb\xff\xbf>?"
    made = envelope_of(payload, PAYLOAD_TYPE, NODE_KEY)
    assert "+" in made["payload"]
    for part in (made, made["signatures"][0]):
        for name in ("payload", "sig"):
            if name in part:
                part[name] = part[name].replace("+", "-").replace("/", "_")
    assert read_envelope(json.dumps(made).encode()).payload == payload
    assert signed_by(made, NODE_KEY) == (NODE_KEY.public_key,)


def test_a_signature_covers_type_and_payload_and_is_of_a_key_that_counts() -> None:
    made = envelope_of(b"{}", PAYLOAD_TYPE, NODE_KEY)
    assert signed_by(made, OTHER_KEY, NODE_KEY) == (NODE_KEY.public_key,)
    assert refused(made, OTHER_KEY) == WorkloadReceiptRefusal.ENVELOPE
    assert refused(made) == WorkloadReceiptRefusal.ENVELOPE
    other = {**made, "payload": base64.b64encode(b"{ }").decode()}
    assert refused(other, NODE_KEY) == WorkloadReceiptRefusal.ENVELOPE
    typed = {**made, "payloadType": "application/vnd.example.other+json"}
    assert refused(typed, NODE_KEY) == WorkloadReceiptRefusal.ENVELOPE


def test_a_type_that_nobody_here_reads_is_refused_even_if_signed() -> None:
    for kind in ("", "application/json"):
        assert refused(envelope_of(b"{}", kind, NODE_KEY), NODE_KEY) == WorkloadReceiptRefusal.ENVELOPE


def test_each_key_counts_once() -> None:
    both = envelope_of(b"{}", PAYLOAD_TYPE, NODE_KEY, OTHER_KEY)
    assert len(signed_by(both, NODE_KEY, OTHER_KEY, at_least=2)) == 2
    twice = envelope_of(b"{}", PAYLOAD_TYPE, NODE_KEY, NODE_KEY)
    assert refused(twice, NODE_KEY, OTHER_KEY, at_least=2) == WorkloadReceiptRefusal.ENVELOPE
    assert refused(twice, NODE_KEY, NODE_KEY, at_least=2) == WorkloadReceiptRefusal.ENVELOPE


def test_what_is_no_envelope() -> None:
    good = envelope_of(b"{}", PAYLOAD_TYPE, NODE_KEY)
    for wrong in (
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        json.dumps({**good, "payload": "*"}).encode(),
        json.dumps({**good, "payload": "é"}).encode(),
        json.dumps({**good, "signatures": []}).encode(),
        json.dumps({**good, "signatures": good["signatures"] * (SIGNATURES_MAX + 1)}).encode(),
        json.dumps({**good, "signatures": [{"keyid": "a"}]}).encode(),
        b" " * (ENVELOPE_BYTES_MAX + 1),
    ):
        assert refusal(read_envelope, wrong) == WorkloadReceiptRefusal.ENVELOPE


def test_how_large_an_envelope_can_be() -> None:
    good = json.dumps(envelope_of(b"{}", PAYLOAD_TYPE, NODE_KEY)).encode()
    assert read_envelope(good.ljust(ENVELOPE_BYTES_MAX)).payload == b"{}"
    assert refusal(read_envelope, good.ljust(ENVELOPE_BYTES_MAX + 1)) == WorkloadReceiptRefusal.ENVELOPE
    assert ENVELOPE_BYTES_MAX == 2 * PAYLOAD_BYTES_MAX == 16 << 20
    assert WORKLOAD_RECEIPT_FILES.bytes_max * 4 // 3 + 65_536 < PAYLOAD_BYTES_MAX


def test_how_many_signatures_and_how_long_a_key_id() -> None:
    good = envelope_of(b"{}", PAYLOAD_TYPE, NODE_KEY)
    sixteen = {**good, "signatures": [{**good["signatures"][0], "keyid": "k" * 512}] * 16}
    assert len(read_envelope(json.dumps(sixteen).encode()).signatures) == SIGNATURES_MAX == 16
    long = {**good, "signatures": [{**good["signatures"][0], "keyid": "k" * 513}]}
    assert refusal(read_envelope, json.dumps(long).encode()) == WorkloadReceiptRefusal.ENVELOPE


# --- statements -------------------------------------------------------------------------------------------------------


def told(number: int = 3) -> tuple[bytes, bytes]:
    """The file of an entry, and its statement."""
    file = encode(file_of(life(), number))
    return file, statement(file, verify_workload_receipt(file, basis(), PAIRING))


def test_a_statement_of_in_toto_about_image_and_specification() -> None:
    file, payload = told()
    said = json.loads(payload)
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["predicateType"] == "urn:metanode:workload-receipt:1"
    assert said["subject"] == [
        {"name": "image", "digest": {"sha256": IMAGE.hex()}},
        {"name": "specification", "digest": {"sha256": SPEC.hex()}},
    ]
    predicate = said["predicate"]
    assert predicate["entry"]["step"] == "started"
    assert predicate["entry"]["details"]["cpu-millicores"] == 500
    assert predicate["entry"]["details"]["seccomp"] == "08" * 32
    assert predicate["entry"]["spec"] == SPEC.hex()
    assert predicate["key"] == NODE_KEY.public_key.hex()
    assert predicate["signature"] == life()[3].signature.hex()
    assert (predicate["pinned"]["height"], predicate["pinned"]["count"]) == (1, 17)
    assert base64.b64decode(predicate["receiptFile"]) == file
    assert "not this statement" in predicate["note"]
    assert told()[1] == payload


def test_accounts_are_shown_as_addresses() -> None:
    details = json.loads(told(6)[1])["predicate"]["entry"]["details"]
    assert details["caller"] == show_address(VALUES["caller"])


def test_what_is_about_neither_image_nor_specification_is_about_itself() -> None:
    alone = happening("refused", workload="", attempt=0, revision=0, spec=b"", image=b"", engine="")
    entries = written(alone)
    file = encode(file_of(entries, 0))
    said = json.loads(statement(file, verify_workload_receipt(file, basis(), PAIRING)))
    assert said["subject"] == [{"name": "entry", "digest": {"sha256": sha256(encode(entries[0])).hexdigest()}}]


def test_a_statement_is_true_if_the_file_inside_it_is_and_says_the_same() -> None:
    _, payload = told()
    assert verify_statement(payload, basis(), PAIRING).signed == life()[3]
    said = json.loads(payload)
    for change in (
        {"subject": said["subject"][:1]},
        {"subject": [{"name": "image", "digest": {"sha256": "00" * 32}}, said["subject"][1]]},
        {"predicate": {**said["predicate"], "account": "bpi1nobody"}},
        {"predicate": {**said["predicate"], "note": ""}},
        {"predicate": {**said["predicate"], "entry": {**said["predicate"]["entry"], "revision": 4}}},
        {"more": 1},
    ):
        wrong = json.dumps({**said, **change}, separators=(",", ":"), sort_keys=True).encode()
        assert refusal(verify_statement, wrong, basis(), PAIRING) == WorkloadReceiptRefusal.STATEMENT
    assert refusal(verify_statement, payload + b" ", basis(), PAIRING) == WorkloadReceiptRefusal.STATEMENT


def test_a_statement_with_a_forged_file_is_refused_by_the_files_layer() -> None:
    said = json.loads(told()[1])
    forged = encode(replace(file_of(life(), 3), path=()))
    said["predicate"]["receiptFile"] = base64.b64encode(forged).decode()
    assert refusal(verify_statement, json.dumps(said).encode(), basis(), PAIRING) == WorkloadReceiptRefusal.BATCH


def test_what_is_no_statement_of_ours() -> None:
    said = json.loads(told()[1])
    for wrong in (
        b"",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        json.dumps({**said, "_type": "https://in-toto.io/Statement/v0.1"}).encode(),
        json.dumps({**said, "predicateType": "https://slsa.dev/provenance/v1"}).encode(),
        json.dumps({**said, "predicate": {"receiptFile": "*"}}).encode(),
        b" " * (PAYLOAD_BYTES_MAX + 1),
    ):
        assert refusal(verify_statement, wrong, basis(), PAIRING) == WorkloadReceiptRefusal.STATEMENT


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b" " * (PAYLOAD_BYTES_MAX + 1), "at most"),
        (b" " * PAYLOAD_BYTES_MAX, "not a statement"),
        (b'{"_type":"x","predicateType":"y","predicate":{"receiptFile":""}}', "a predicate of type 'y'"),
    ],
)
def test_why_it_is_none(payload: bytes, said: str) -> None:
    with pytest.raises(Rejected, match=said) as rejected:
        verify_statement(payload, basis(), PAIRING)
    assert rejected.value.reason == WorkloadReceiptRefusal.STATEMENT


def test_an_envelope_says_who_made_it() -> None:
    _, payload = told()
    for key in (NODE_KEY, OTHER_KEY):
        found = verify_envelope(seal(payload, key.public_key, key.sign), basis(), PAIRING)
        assert found.keys == (key.public_key,)
        assert found.entry.signed == life()[3]


def test_an_envelope_of_the_node_needs_no_key_id() -> None:
    _, payload = told()
    made = json.loads(seal(payload, NODE_KEY.public_key, NODE_KEY.sign))
    for keyid in ("", "node-2", OTHER_KEY.public_key.hex(), "00" * 32):
        made["signatures"][0]["keyid"] = keyid
        assert verify_envelope(json.dumps(made).encode(), basis(), PAIRING).keys == (NODE_KEY.public_key,)


def test_an_envelope_that_nobody_signed() -> None:
    _, payload = told()
    made = json.loads(seal(payload, OTHER_KEY.public_key, OTHER_KEY.sign))
    made["signatures"][0]["keyid"] = NODE_KEY.public_key.hex()
    assert refusal(verify_envelope, json.dumps(made).encode(), basis(), PAIRING) == WorkloadReceiptRefusal.ENVELOPE
    sealed = seal(payload, NODE_KEY.public_key, OTHER_KEY.sign)
    assert refusal(verify_envelope, sealed, basis(), PAIRING) == WorkloadReceiptRefusal.ENVELOPE


def test_an_envelope_around_something_else() -> None:
    sealed = seal(b"{}", NODE_KEY.public_key, NODE_KEY.sign)
    assert refusal(verify_envelope, sealed, basis(), PAIRING) == WorkloadReceiptRefusal.STATEMENT
