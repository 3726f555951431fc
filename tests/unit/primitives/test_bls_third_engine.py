"""A few cases before a third, slow engine: py_ecc, written from the specification in plain Python."""

from eth_typing import BLSPubkey, BLSSignature
from py_ecc.bls.ciphersuites import G2ProofOfPossession as Oracle

from metanode.primitives.bls import SCHEME

SECRETS = [(123_456_789 + number).to_bytes(32, "big") for number in range(3)]
MESSAGE = b"three engines, one verdict"


def test_keys_signatures_and_proofs_have_the_same_bytes() -> None:
    scalar = int.from_bytes(SECRETS[0], "big")
    assert SCHEME.public_key(SECRETS[0]) == Oracle.SkToPk(scalar)
    assert SCHEME.sign(SECRETS[0], MESSAGE) == Oracle.Sign(scalar, MESSAGE)
    assert SCHEME.prove_possession(SECRETS[0]) == Oracle.PopProve(scalar)


def test_the_oracle_believes_our_aggregate_and_no_other() -> None:
    keys = [BLSPubkey(SCHEME.public_key(secret)) for secret in SECRETS]
    aggregate = BLSSignature(SCHEME.aggregate([SCHEME.sign(secret, MESSAGE) for secret in SECRETS]))
    assert Oracle.FastAggregateVerify(keys, MESSAGE, aggregate)
    assert SCHEME.fast_aggregate_verify(keys, MESSAGE, aggregate)
    assert not Oracle.FastAggregateVerify(keys[:2], MESSAGE, aggregate)
    assert not SCHEME.fast_aggregate_verify(keys[:2], MESSAGE, aggregate)
    assert Oracle.PopVerify(keys[0], BLSSignature(SCHEME.prove_possession(SECRETS[0])))
