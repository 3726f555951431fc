"""BLS signatures, the same verdicts from every engine."""

from collections.abc import Iterable

import pytest

from metanode.primitives import bls
from metanode.primitives.bls import (
    GROUP_ORDER,
    KEYS_REMEMBERED,
    PUBLIC_KEY_BYTES,
    SIGNATURE_BYTES,
    BlsRefusal,
    Scheme,
    check_distinct,
    negate_key,
)
from metanode.primitives.bls_engines import ENGINES
from metanode.primitives.refusal import Rejected

SCHEMES = [Scheme(engine) for engine in ENGINES]
EVERY_ENGINE = pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.engine.name)
SECRETS = [(7 * number + 1).to_bytes(32, "big") for number in range(16)]
KEYS = [bls.public_key(secret) for secret in SECRETS]
MESSAGE = b"metanode.commit1 and so on"
SHARES = [bls.sign(secret, MESSAGE) for secret in SECRETS]
INFINITE_KEY = b"\xc0" + bytes(47)
INFINITE_SIGNATURE = b"\xc0" + bytes(95)

WYCHEPROOF_KEY = "8f62f546d9ace47b11df8d0cf2911ff7cff8d3c247a6a46a6b37cd42c5c19785f0ae24477a6b261b047b20b2993ebac4"
WYCHEPROOF = [
    (
        "810c3298362cdfa76d0f618d2c3443e6670a0dd4384cb3983782047f7b86e3b5",
        "a6bfda26f1f60ecfa65e9a57ae4bef304305be0bb3eca352c80032932a15928c0ac3abf7b676fefd0ca2a9af231f189c0f612e0fb494da9d6bbbb10984616c91e59b1f8850f3975e1e603d9bd10e0b2c47705bf4da99a7e17ad3d344aa3e27c5",
        True,
    ),
    (
        "",
        "90d7cf6fb5506e43d0982e0ccd1d51e6245785cd90c25dae748981fe18eb7f066e54bbb91ea1c85ed3e3732229568f361429a9842f2fdf4d2db8ca2602e869e882ac3aca4ff43db09be997de5c969a3e34a8011385eb3a7e6b7a1d09050e9ad3",
        True,
    ),
    (  # a signature of the basic scheme, under another domain
        "47776e8527239ab0662e22398230ef32805ae1abe4f7276f1953a91ac1a322d6",
        "81b38e45131516c072fac9aedb9c128195979666688b2e8c85fc92868a53685cc256c702b49ff0888de5bc51b5836fc9075b39f0f42a8bd8c4273c15da193b4e96c6195aef69421c5d9caa2b5bad6fb0374a6123bbfa043bf65e40fae7dd6b2d",
        False,
    ),
    (  # negated
        "fd961b1c74e14c2bf1b5d192e6bd7dcc2a001e25d24aacfe1c45157b20614acc",
        "8a29197e6247865eff470a67096c9320ded4ddf0799d333020e5aa6d0b5ebec970aab337e6a0b94ede18f39f04ff1928125db3c3978e6c41504cddc774b704fa810028541e89961dd65d3731bb98b0b7c2f8d0e915a14b6d16af94dc3edc39e0",
        False,
    ),
]
"""Message, signature, verdict: cases 1, 6, 7 and 17 of Wycheproof's `bls_sig_g2_pop_verify_test` (Apache-2.0)."""


def reason(refused: pytest.ExceptionInfo[Rejected]) -> object:
    return refused.value.reason


def test_blst_is_preferred_and_both_are_here() -> None:
    """The tests need both engines; a machine without blst's wheel runs on arkworks alone."""
    assert [engine.name for engine in ENGINES] == ["pyblst", "py-arkworks-bls12381"]
    assert bls.SCHEME.engine is ENGINES[0]


@EVERY_ENGINE
@pytest.mark.parametrize(("message", "signature", "verdict"), WYCHEPROOF)
def test_known_verdicts(scheme: Scheme, message: str, signature: str, verdict: bool) -> None:
    key = bytes.fromhex(WYCHEPROOF_KEY)
    assert scheme.verify(key, bytes.fromhex(message), bytes.fromhex(signature)) is verdict


def test_engines_give_the_same_bytes() -> None:
    for scheme in SCHEMES:
        assert [scheme.public_key(secret) for secret in SECRETS] == KEYS
        assert [scheme.sign(secret, MESSAGE) for secret in SECRETS] == SHARES
        assert scheme.prove_possession(SECRETS[3]) == bls.prove_possession(SECRETS[3])
        assert scheme.aggregate(SHARES) == bls.aggregate(SHARES)
        assert scheme.aggregate_keys(KEYS) == bls.aggregate_keys(KEYS)
    assert {len(key) for key in KEYS} == {PUBLIC_KEY_BYTES}
    assert {len(share) for share in SHARES} == {SIGNATURE_BYTES}


@EVERY_ENGINE
def test_a_signature_is_for_one_key_and_message(scheme: Scheme) -> None:
    assert scheme.verify(KEYS[0], MESSAGE, SHARES[0])
    assert not scheme.verify(KEYS[1], MESSAGE, SHARES[0])
    assert not scheme.verify(KEYS[0], MESSAGE + b"!", SHARES[0])
    assert not scheme.verify(KEYS[0], MESSAGE, SHARES[1])


BAD_POINTS = [
    ("infinity", b"\xc0", BlsRefusal.NOT_FINITE),
    ("infinity with a sign", b"\xe0", BlsRefusal.NOT_FINITE),
    ("infinity, not compressed", b"\x40", BlsRefusal.NOT_FINITE),
    ("infinity with bits below", b"\xc1", BlsRefusal.NOT_FINITE),
    ("all zero", b"\x00", BlsRefusal.NOT_FINITE),
    ("a sign without compression", b"\x20", BlsRefusal.NOT_FINITE),
    ("x = 0", b"\x80", BlsRefusal.NOT_IN_GROUP),
    ("x above the modulus", b"\x9f" + b"\xff" * 47, BlsRefusal.NOT_IN_GROUP),
]


@EVERY_ENGINE
@pytest.mark.parametrize(("form", "head", "refusal"), BAD_POINTS, ids=[form for form, _, _ in BAD_POINTS])
def test_a_point_that_is_none_is_refused(scheme: Scheme, form: str, head: bytes, refusal: BlsRefusal) -> None:
    """BLS-B1: also the spellings of infinity on which the engines alone would differ."""
    key, signature = head.ljust(48, b"\x00"), head.ljust(96, b"\x00")
    assert not scheme.validate_key(key)
    assert not scheme.verify(key, MESSAGE, SHARES[0])
    assert not scheme.verify(KEYS[0], MESSAGE, signature)
    assert not scheme.verify_possession(key, SHARES[0])
    assert not scheme.fast_aggregate_verify([KEYS[0], key], MESSAGE, SHARES[0])
    assert not scheme.fast_aggregate_verify([KEYS[0]], MESSAGE, signature)
    with pytest.raises(Rejected) as refused:
        scheme.aggregate_keys([KEYS[0], key])
    assert reason(refused) is refusal
    with pytest.raises(Rejected) as refused:
        scheme.aggregate([SHARES[0], signature])
    assert reason(refused) is refusal


@EVERY_ENGINE
def test_infinity_with_a_coordinate_is_refused(scheme: Scheme) -> None:
    """arkworks alone takes this one for infinity."""
    assert not scheme.verify(KEYS[0], MESSAGE, b"\xc0" + bytes(94) + b"\x01")
    assert not scheme.validate_key(b"\xc0" + bytes(46) + b"\x01")


@EVERY_ENGINE
def test_a_point_off_the_curve_or_outside_the_subgroup_is_refused(scheme: Scheme) -> None:
    off_curve, outside = b"\x80" + bytes(46) + b"\x01", b"\x80" + bytes(46) + b"\x04"
    for key in (off_curve, outside):
        with pytest.raises(Rejected) as refused:
            scheme.aggregate_keys([key])
        assert reason(refused) is BlsRefusal.NOT_IN_GROUP
    off_curve, outside = b"\x80" + bytes(94) + b"\x01", b"\x80" + bytes(94) + b"\x02"
    for signature in (off_curve, outside):
        with pytest.raises(Rejected) as refused:
            scheme.aggregate([signature])
        assert reason(refused) is BlsRefusal.NOT_IN_GROUP


@EVERY_ENGINE
def test_another_width_is_refused(scheme: Scheme) -> None:
    for key in (b"", KEYS[0][:-1], KEYS[0] + b"\x00", SHARES[0]):
        assert not scheme.validate_key(key)
        with pytest.raises(Rejected) as refused:
            scheme.aggregate_keys([key])
        assert reason(refused) is BlsRefusal.WRONG_WIDTH
    for signature in (b"", SHARES[0][:-1], SHARES[0] + b"\x00", KEYS[0]):
        assert not scheme.verify(KEYS[0], MESSAGE, signature)
        with pytest.raises(Rejected) as refused:
            scheme.aggregate([signature])
        assert reason(refused) is BlsRefusal.WRONG_WIDTH


@EVERY_ENGINE
def test_a_secret_out_of_range_is_refused(scheme: Scheme) -> None:
    assert scheme.public_key((GROUP_ORDER - 1).to_bytes(32, "big")) == negate_key(
        scheme.public_key((1).to_bytes(32, "big"))
    )
    for secret in (bytes(32), GROUP_ORDER.to_bytes(32, "big"), b"\xff" * 32):
        for use in (scheme.public_key, scheme.prove_possession, lambda s: scheme.sign(s, MESSAGE)):
            with pytest.raises(Rejected) as refused:
                use(secret)
            assert reason(refused) is BlsRefusal.SECRET_OUT_OF_RANGE
    for secret in (b"", bytes(31), bytes(33)):
        with pytest.raises(Rejected) as refused:
            scheme.public_key(secret)
        assert reason(refused) is BlsRefusal.WRONG_WIDTH


@EVERY_ENGINE
def test_a_rogue_key_has_no_proof_of_possession(scheme: Scheme) -> None:
    """BLS-B2: a key made of another's negation signs for both, but nobody can prove to hold it."""
    rogue = scheme.aggregate_keys([KEYS[0], negate_key(KEYS[1])])
    assert scheme.fast_aggregate_verify([KEYS[1], rogue], MESSAGE, SHARES[0])
    for proof in (scheme.prove_possession(SECRETS[0]), scheme.sign(SECRETS[0], rogue)):
        assert not scheme.verify_possession(rogue, proof)


@EVERY_ENGINE
def test_possession_is_proved_under_its_own_domain(scheme: Scheme) -> None:
    proof = scheme.prove_possession(SECRETS[0])
    assert scheme.verify_possession(KEYS[0], proof)
    assert not scheme.verify_possession(KEYS[1], proof)
    assert not scheme.verify(KEYS[0], KEYS[0], proof)
    assert not scheme.verify_possession(KEYS[0], scheme.sign(SECRETS[0], KEYS[0]))


def test_a_key_twice_or_with_its_negation_is_refused() -> None:
    """BLS-B3."""
    check_distinct(KEYS)
    assert negate_key(negate_key(KEYS[0])) == KEYS[0]
    with pytest.raises(Rejected) as refused:
        check_distinct([*KEYS, KEYS[5]])
    assert reason(refused) is BlsRefusal.DUPLICATE_KEY
    with pytest.raises(Rejected) as refused:
        check_distinct([*KEYS, negate_key(KEYS[5])])
    assert reason(refused) is BlsRefusal.NEGATED_KEY


@EVERY_ENGINE
def test_a_negated_key_is_a_key_and_cancels_out(scheme: Scheme) -> None:
    """BLS-B3: together such keys would sign everything with the infinite signature."""
    negated = negate_key(KEYS[0])
    assert scheme.validate_key(negated)
    with pytest.raises(Rejected) as refused:
        scheme.aggregate_keys([KEYS[0], negated])
    assert reason(refused) is BlsRefusal.INFINITE_SUM
    assert not scheme.fast_aggregate_verify([KEYS[0], negated], b"anything", INFINITE_SIGNATURE)
    assert not scheme.fast_aggregate_verify([KEYS[0], negated], MESSAGE, SHARES[0])
    with pytest.raises(Rejected) as refused:
        scheme.aggregate([SHARES[0], negate_key(SHARES[0])])
    assert reason(refused) is BlsRefusal.INFINITE_SUM


@EVERY_ENGINE
def test_an_aggregate_is_for_exactly_its_signers(scheme: Scheme) -> None:
    aggregate = scheme.aggregate(SHARES)
    assert scheme.fast_aggregate_verify(KEYS, MESSAGE, aggregate)
    assert scheme.fast_aggregate_verify(KEYS[::-1], MESSAGE, aggregate)
    assert not scheme.fast_aggregate_verify(KEYS[:-1], MESSAGE, aggregate)
    assert not scheme.fast_aggregate_verify([*KEYS, KEYS[0]], MESSAGE, aggregate)
    assert not scheme.fast_aggregate_verify(KEYS, MESSAGE + b"!", aggregate)
    assert scheme.aggregate([SHARES[0]]) == SHARES[0]
    assert scheme.aggregate_keys([KEYS[0]]) == KEYS[0]


@EVERY_ENGINE
def test_nothing_has_no_aggregate(scheme: Scheme) -> None:
    """BLS-B9."""
    for use in (scheme.aggregate, scheme.aggregate_keys):
        with pytest.raises(Rejected) as refused:
            use([])
        assert reason(refused) is BlsRefusal.NOTHING_TO_SUM
    assert not scheme.fast_aggregate_verify([], MESSAGE, INFINITE_SIGNATURE)
    assert not scheme.fast_aggregate_verify([], MESSAGE, SHARES[0])
    assert not scheme.fast_aggregate_verify([INFINITE_KEY], MESSAGE, INFINITE_SIGNATURE)


@EVERY_ENGINE
def test_errors_that_cancel_pass_as_a_sum_and_in_no_part(scheme: Scheme) -> None:
    """BLS-B7."""
    error = scheme.sign(SECRETS[9], b"an error")
    shares = [*SHARES[:4]]
    shares[1] = scheme.aggregate([shares[1], error])
    shares[2] = scheme.aggregate([shares[2], negate_key(error)])
    assert scheme.fast_aggregate_verify(KEYS[:4], MESSAGE, scheme.aggregate(shares))
    assert scheme.find_bad_shares(KEYS[:4], MESSAGE, shares) == ()
    assert not scheme.verify(KEYS[1], MESSAGE, shares[1])
    assert not scheme.verify(KEYS[2], MESSAGE, shares[2])
    assert not scheme.fast_aggregate_verify(KEYS[:2], MESSAGE, scheme.aggregate(shares[:2]))
    assert scheme.find_bad_shares(KEYS[:2], MESSAGE, shares[:2]) == (1,)


@EVERY_ENGINE
@pytest.mark.parametrize("bad", [(), (0,), (15,), (3, 4), (0, 7, 8, 15), tuple(range(0, 16, 3)), tuple(range(16))])
def test_exactly_the_bad_shares_are_found(scheme: Scheme, bad: tuple[int, ...]) -> None:
    shares = [*SHARES]
    for index in bad:
        shares[index] = scheme.sign(SECRETS[index], b"another message %d" % index)
    assert scheme.find_bad_shares(KEYS, MESSAGE, shares) == bad


@EVERY_ENGINE
def test_a_share_that_is_no_point_is_bad_at_once(scheme: Scheme) -> None:
    shares = [*SHARES]
    shares[2], shares[5], shares[6] = b"", INFINITE_SIGNATURE, b"\x80" + bytes(95)
    assert scheme.find_bad_shares(KEYS, MESSAGE, shares) == (2, 5, 6)
    keys = [*KEYS]
    keys[9] = INFINITE_KEY
    assert scheme.find_bad_shares(keys, MESSAGE, shares) == (2, 5, 6, 9)
    assert scheme.find_bad_shares([], MESSAGE, []) == ()
    assert scheme.find_bad_shares(KEYS[:2], MESSAGE, [b"", b""]) == (0, 1)


class CountingEngine:
    """An engine whose points are numbers modulo a prime: `paired` is a comparison, and counted."""

    name = "numbers"

    def __init__(self) -> None:
        self.pairings = 0

    def parse_key(self, data: bytes) -> int:
        return int.from_bytes(data[1:], "big")

    parse_signature = parse_key

    def key_bytes(self, point: int) -> bytes:
        return b"\x80" + point.to_bytes(47, "big")

    def signature_bytes(self, point: int) -> bytes:
        return b"\x80" + point.to_bytes(95, "big")

    def sum_keys(self, points: Iterable[int]) -> int:
        return sum(points) % GROUP_ORDER

    sum_signatures = sum_keys

    def public_key(self, scalar: int) -> int:
        return scalar

    def hash_to_signature(self, message: bytes, domain: bytes) -> int:
        return int.from_bytes(message, "big")

    def multiply(self, point: int, scalar: int) -> int:
        return point * scalar % GROUP_ORDER

    def paired(self, key: int, hashed: int, signature: int) -> bool:
        self.pairings += 1
        return key * hashed % GROUP_ORDER == signature


@pytest.mark.parametrize(
    ("bad", "pairings_max"), [(0, 1), (1, 14), (2, 26), (10, 100), (33, 160), (50, 160), (100, 160)]
)
def test_the_search_stays_near_one_check_a_share(bad: int, pairings_max: int) -> None:
    """BLS-B6: 100 shares, the bad ones spread evenly."""
    engine = CountingEngine()
    scheme = Scheme(engine)
    secrets = [(number * number + 3).to_bytes(32, "big") for number in range(100)]
    keys = [scheme.public_key(secret) for secret in secrets]
    shares = [scheme.sign(secret, b"message") for secret in secrets]
    culprits = tuple(sorted({number * 100 // bad for number in range(bad)})) if bad else ()
    for index in culprits:
        shares[index] = scheme.sign(secrets[index], b"massage")
    assert scheme.find_bad_shares(keys, b"message", shares) == culprits
    assert engine.pairings <= pairings_max


def test_remembered_keys_are_bounded_and_bad_ones_not_remembered() -> None:
    scheme = Scheme(CountingEngine())
    for number in range(KEYS_REMEMBERED + 100):
        assert scheme.validate_key(b"\x80" + number.to_bytes(47, "big"))
    assert scheme._key.cache_info().currsize == KEYS_REMEMBERED
    scheme = Scheme(ENGINES[0])
    assert not scheme.validate_key(INFINITE_KEY)
    assert not scheme.validate_key(b"\x80" + bytes(47))
    assert scheme._key.cache_info().currsize == 0
