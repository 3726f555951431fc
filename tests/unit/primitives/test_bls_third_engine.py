"""A few cases before a third, slow engine: py_ecc, written from the specification in plain Python.

Where two fast libraries agree they may still share an error; what they refuse, the third refuses, too.
"""

import pytest
from eth_typing import BLSPubkey, BLSSignature
from py_ecc.bls.ciphersuites import G2ProofOfPossession as Oracle

from metanode.primitives.bls import Scheme, negate_key
from metanode.primitives.bls_engines import ENGINES

SCHEMES = [Scheme(engine) for engine in ENGINES]
SCHEME = SCHEMES[0]
SECRETS = [(123_456_789 + number).to_bytes(32, "big") for number in range(3)]
MESSAGE = b"three engines, one verdict"
KEYS = [SCHEME.public_key(secret) for secret in SECRETS]
SHARES = [SCHEME.sign(secret, MESSAGE) for secret in SECRETS]
AGGREGATE = SCHEME.aggregate(SHARES)
INFINITE_KEY, INFINITE_SIGNATURE = b"\xc0" + bytes(47), b"\xc0" + bytes(95)
ROGUE = SCHEME.aggregate_keys([KEYS[0], negate_key(KEYS[1])])
"""Cancels the key of the second out: together with it, it is the key of the first."""

NO_KEYS = {
    "infinite": INFINITE_KEY,
    "infinite, with a coordinate": b"\xc0" + bytes(46) + b"\x01",
    "not compressed": bytes([KEYS[0][0] & 0x7F]) + KEYS[0][1:],
    "off the curve": b"\x80" + bytes(46) + b"\x01",
    "outside the subgroup": b"\x80" + bytes(46) + b"\x04",
    "a coordinate above the field": b"\x9f" + b"\xff" * 47,
    "too short": KEYS[0][:-1],
}
NO_SIGNATURES = {
    "infinite": INFINITE_SIGNATURE,
    "not compressed": bytes([AGGREGATE[0] & 0x7F]) + AGGREGATE[1:],
    "off the curve": b"\x80" + bytes(94) + b"\x01",
    "outside the subgroup": b"\x80" + bytes(94) + b"\x02",
    "a coordinate above the field": b"\x9f" + b"\xff" * 95,
    "the negative": bytes([AGGREGATE[0] ^ 0x20]) + AGGREGATE[1:],
    "too short": AGGREGATE[:-1],
    "of fewer": SCHEME.aggregate(SHARES[:2]),
}


def verdicts(keys: list[bytes], message: bytes, signature: bytes) -> list[bool]:
    """Of the third engine, then of ours."""
    third = Oracle.FastAggregateVerify([BLSPubkey(key) for key in keys], message, BLSSignature(signature))
    return [third, *(scheme.fast_aggregate_verify(keys, message, signature) for scheme in SCHEMES)]


def possessions(key: bytes, proof: bytes) -> list[bool]:
    """Whether the third engine, then ours, believe a proof of possession."""
    third = Oracle.PopVerify(BLSPubkey(key), BLSSignature(proof))
    return [third, *(scheme.verify_possession(key, proof) for scheme in SCHEMES)]


def test_keys_signatures_and_proofs_have_the_same_bytes() -> None:
    scalar = int.from_bytes(SECRETS[0], "big")
    assert SCHEME.public_key(SECRETS[0]) == Oracle.SkToPk(scalar)
    assert SCHEME.sign(SECRETS[0], MESSAGE) == Oracle.Sign(scalar, MESSAGE)
    assert SCHEME.prove_possession(SECRETS[0]) == Oracle.PopProve(scalar)


def test_the_oracle_believes_our_aggregate_and_no_other() -> None:
    assert set(verdicts(KEYS, MESSAGE, AGGREGATE)) == {True}
    assert set(verdicts(KEYS[:2], MESSAGE, AGGREGATE)) == {False}
    assert set(verdicts(KEYS, MESSAGE + b"!", AGGREGATE)) == {False}
    assert set(possessions(KEYS[0], SCHEME.prove_possession(SECRETS[0]))) == {True}


@pytest.mark.parametrize("key", NO_KEYS.values(), ids=NO_KEYS)
def test_what_is_no_key_is_none_for_all_three(key: bytes) -> None:
    assert {Oracle.KeyValidate(BLSPubkey(key)), *(scheme.validate_key(key) for scheme in SCHEMES)} == {False}
    assert set(verdicts([*KEYS[:2], key], MESSAGE, AGGREGATE)) == {False}


@pytest.mark.parametrize("signature", NO_SIGNATURES.values(), ids=NO_SIGNATURES)
def test_what_is_no_signature_is_none_for_all_three(signature: bytes) -> None:
    assert set(verdicts(KEYS, MESSAGE, signature)) == {False}


def test_nothing_signed_by_nobody_is_no_signature() -> None:
    """BLS-B9. Infinity is the sum of nothing and the signature of the secret zero: no engine takes it for one."""
    assert set(verdicts([INFINITE_KEY], MESSAGE, INFINITE_SIGNATURE)) == {False}
    assert set(verdicts([], MESSAGE, INFINITE_SIGNATURE)) == {False}
    assert set(verdicts([KEYS[0], negate_key(KEYS[0])], MESSAGE, INFINITE_SIGNATURE)) == {False}
    assert set(possessions(INFINITE_KEY, INFINITE_SIGNATURE)) == {False}


def test_a_rogue_key_signs_for_others_and_cannot_be_proved() -> None:
    """BLS-B2. The arithmetic alone lets it through, in all three: what keeps it out is the proof it cannot have."""
    assert set(verdicts([KEYS[1], ROGUE], MESSAGE, SHARES[0])) == {True}
    for forged in (SCHEME.prove_possession(SECRETS[0]), SCHEME.sign(SECRETS[0], ROGUE)):
        assert set(possessions(ROGUE, forged)) == {False}
