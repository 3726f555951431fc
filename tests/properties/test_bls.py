"""Whatever shares are bad, they are found, and the rest verifies: with every engine alike."""

from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.primitives.bls import GROUP_ORDER, Scheme
from metanode.primitives.bls_engines import ENGINES

SCHEMES = [Scheme(engine) for engine in ENGINES]
SECRETS = [(number + 2).to_bytes(32, "big") for number in range(12)]
KEYS = [SCHEMES[0].public_key(secret) for secret in SECRETS]
GOOD = [SCHEMES[0].sign(secret, b"message") for secret in SECRETS]
BAD = [SCHEMES[0].sign(secret, b"massage") for secret in SECRETS]


@settings(max_examples=30)
@given(st.integers(1, 12).flatmap(lambda n: st.lists(st.booleans(), min_size=n, max_size=n)))
def test_the_bad_shares_are_found_and_the_rest_verifies(good: list[bool]) -> None:
    shares = [GOOD[i] if fine else BAD[i] for i, fine in enumerate(good)]
    bad = tuple(i for i, fine in enumerate(good) if not fine)
    kept = [i for i, fine in enumerate(good) if fine]
    for scheme in SCHEMES:
        assert scheme.find_bad_shares(KEYS[: len(good)], b"message", shares) == bad
        if kept:
            aggregate = scheme.aggregate([shares[i] for i in kept])
            assert scheme.fast_aggregate_verify([KEYS[i] for i in kept], b"message", aggregate)


@settings(max_examples=30)
@given(st.integers(1, GROUP_ORDER - 1), st.binary(max_size=200))
def test_engines_sign_alike_and_believe_each_other(scalar: int, message: bytes) -> None:
    secret = scalar.to_bytes(32, "big")
    keys = [scheme.public_key(secret) for scheme in SCHEMES]
    signatures = [scheme.sign(secret, message) for scheme in SCHEMES]
    assert keys == [keys[0]] * len(SCHEMES)
    assert signatures == [signatures[0]] * len(SCHEMES)
    assert all(scheme.verify(keys[0], message, signatures[0]) for scheme in SCHEMES)


@settings(max_examples=100)
@given(st.integers(0, 47), st.integers(1, 255), st.integers(0, 95), st.integers(1, 255))
def test_engines_agree_on_every_changed_byte(key_at: int, key_flip: int, at: int, flip: int) -> None:
    key, signature = bytearray(KEYS[0]), bytearray(GOOD[0])
    key[key_at] ^= key_flip
    signature[at] ^= flip
    for candidate_key, candidate in ((bytes(key), GOOD[0]), (KEYS[0], bytes(signature))):
        assert [scheme.verify(candidate_key, b"message", candidate) for scheme in SCHEMES] == [False] * len(SCHEMES)
    assert len({scheme.validate_key(bytes(key)) for scheme in SCHEMES}) == 1


@settings(max_examples=100)
@given(st.binary(min_size=48, max_size=48), st.sampled_from([0x80, 0xA0, 0xC0, 0x00]))
def test_engines_agree_on_arbitrary_points(data: bytes, flags: int) -> None:
    key = bytes([data[0] & 0x1F | flags]) + data[1:]
    assert len({scheme.validate_key(key) for scheme in SCHEMES}) == 1
