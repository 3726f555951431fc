"""Agreeing on secrets and sealing with them."""

from hashlib import sha256, shake_256

import pytest

from metanode.primitives.refusal import Rejected
from metanode.primitives.sealing import (
    AEAD_TAG_BYTES,
    COUNTER_MAX,
    HKDF_BYTES_MAX,
    KEM_CIPHERTEXT_BYTES,
    KEM_PUBLIC_KEY_BYTES,
    Aead,
    SealingRefusal,
    hkdf_sha256,
    kem_decapsulate,
    kem_encapsulate,
    kem_public_key,
    open_once,
    seal_once,
    x25519_exchange,
    x25519_public_key,
)

SUNSCREEN = (
    b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    b"sunscreen would be it."
)


def test_x25519_of_rfc_7748() -> None:
    """§6.1."""
    alice = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
    bob = bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
    assert x25519_public_key(bob).hex() == "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
    assert x25519_public_key(alice).hex() == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
    for own, other in ((alice, bob), (bob, alice)):
        shared = x25519_exchange(own, x25519_public_key(other))
        assert shared.hex() == "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"


def test_x25519_scalar_multiplication_of_rfc_7748() -> None:
    """§5.2, first vector."""
    scalar = bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
    point = bytes.fromhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
    assert x25519_exchange(scalar, point).hex() == "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"


@pytest.mark.parametrize(
    "point",
    [
        "00" * 32,
        "01" + "00" * 31,
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ],
)
def test_a_point_of_low_order_is_refused(point: str) -> None:
    with pytest.raises(Rejected) as refused:
        x25519_exchange(bytes(range(32)), bytes.fromhex(point))
    assert refused.value.reason is SealingRefusal.LOW_ORDER


@pytest.mark.parametrize("length", [0, 31, 33])
def test_an_x25519_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(Rejected) as refused:
        x25519_exchange(bytes(range(32)), bytes(length))
    assert refused.value.reason is SealingRefusal.WRONG_WIDTH


KEM_SEED = bytes.fromhex(
    "cbfc4405d1b2a3a386c94c25e0f2d5f5ee92cb0388ff4d6aa04223086d51c3fd"
    "24752da14c9fc3b8ae0d9e4a8b1016b8d8fc69e229c03ea2ef08a4ae0cffc37f"
)
"""The seed of C2SP CCTV's ML-KEM-768 `strcmp` vector."""


def test_a_kem_key_comes_from_its_seed() -> None:
    key = kem_public_key(KEM_SEED)
    assert len(key) == KEM_PUBLIC_KEY_BYTES
    assert sha256(key).hexdigest() == "67fe2cb60768d55758c67bfd5842692dedb14513d581c48db2cd3adf94568106"


def test_both_sides_of_a_kem_share_a_secret() -> None:
    secret, ciphertext = kem_encapsulate(kem_public_key(KEM_SEED))
    assert (len(secret), len(ciphertext)) == (32, KEM_CIPHERTEXT_BYTES)
    assert kem_decapsulate(KEM_SEED, ciphertext) == secret
    assert kem_encapsulate(kem_public_key(KEM_SEED)) != (secret, ciphertext)


def test_a_forged_kem_ciphertext_gives_the_secret_of_implicit_rejection() -> None:
    """FIPS 203, algorithm 18: J(z ‖ c)."""
    for forged in (bytes(KEM_CIPHERTEXT_BYTES), b"\xff" * KEM_CIPHERTEXT_BYTES):
        assert kem_decapsulate(KEM_SEED, forged) == shake_256(KEM_SEED[32:] + forged).digest(32)


def test_a_kem_key_or_ciphertext_that_is_none_is_refused() -> None:
    for length in (0, KEM_PUBLIC_KEY_BYTES - 1, KEM_PUBLIC_KEY_BYTES + 1):
        with pytest.raises(Rejected) as refused:
            kem_encapsulate(bytes(length))
        assert refused.value.reason is SealingRefusal.WRONG_WIDTH
    with pytest.raises(Rejected) as refused:
        kem_encapsulate(b"\xff" * KEM_PUBLIC_KEY_BYTES)
    assert refused.value.reason is SealingRefusal.BAD_KEY
    for length in (0, KEM_CIPHERTEXT_BYTES - 1, KEM_CIPHERTEXT_BYTES + 1):
        with pytest.raises(Rejected) as refused:
            kem_decapsulate(KEM_SEED, bytes(length))
        assert refused.value.reason is SealingRefusal.WRONG_WIDTH


@pytest.mark.parametrize(
    ("key_material", "salt", "info", "output"),
    [
        (
            "0b" * 22,
            "000102030405060708090a0b0c",
            "f0f1f2f3f4f5f6f7f8f9",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            "".join(f"{byte:02x}" for byte in range(0x50)),
            "".join(f"{byte:02x}" for byte in range(0x60, 0xB0)),
            "".join(f"{byte:02x}" for byte in range(0xB0, 0x100)),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
        (
            "0b" * 22,
            "",
            "",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ],
)
def test_hkdf_of_rfc_5869(key_material: str, salt: str, info: str, output: str) -> None:
    """Appendices A.1 to A.3."""
    derived = hkdf_sha256(
        bytes.fromhex(key_material), salt=bytes.fromhex(salt), info=bytes.fromhex(info), length=len(output) // 2
    )
    assert derived.hex() == output


def test_hkdf_gives_at_most_its_limit() -> None:
    assert len(hkdf_sha256(b"key", salt=b"", info=b"", length=HKDF_BYTES_MAX)) == HKDF_BYTES_MAX == 8160
    with pytest.raises(AssertionError):
        hkdf_sha256(b"key", salt=b"", info=b"", length=HKDF_BYTES_MAX + 1)


RFC_8439_KEY = bytes(range(0x80, 0xA0))
RFC_8439_ASSOCIATED = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
RFC_8439_SEALED = bytes.fromhex(
    "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b"
    "1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
    "3ff4def08e4b7a9de576d26586cec64b6116"
    "1ae10b594f09e26a7e902ecbd0600691"
)


def test_sealing_of_rfc_8439() -> None:
    """§2.8.2."""
    nonce = bytes.fromhex("070000004041424344454647")
    assert seal_once(RFC_8439_KEY, nonce, SUNSCREEN, RFC_8439_ASSOCIATED) == RFC_8439_SEALED
    assert open_once(RFC_8439_KEY, nonce, RFC_8439_SEALED, RFC_8439_ASSOCIATED) == SUNSCREEN


def test_a_counter_is_the_last_eight_bytes_of_the_nonce() -> None:
    aead = Aead(RFC_8439_KEY)
    for counter in (0, 1, 0x0102030405060708, COUNTER_MAX):
        sealed = aead.seal(counter, b"word", b"context")
        assert sealed == seal_once(RFC_8439_KEY, bytes(4) + counter.to_bytes(8, "big"), b"word", b"context")
        assert len(sealed) == 4 + AEAD_TAG_BYTES
        assert aead.open(counter, sealed, b"context") == b"word"
    with pytest.raises(OverflowError):
        aead.seal(COUNTER_MAX + 1, b"", b"")
    assert RFC_8439_KEY.hex() not in repr(aead)


def test_what_was_changed_does_not_open() -> None:
    aead = Aead(RFC_8439_KEY)
    sealed = aead.seal(7, b"word", b"context")
    for counter, data, associated in [
        (8, sealed, b"context"),
        (7, sealed, b"contexts"),
        (7, sealed[:-1], b"context"),
        (7, b"", b"context"),
        (7, bytes([sealed[0] ^ 1]) + sealed[1:], b"context"),
    ]:
        with pytest.raises(Rejected) as refused:
            aead.open(counter, data, associated)
        assert refused.value.reason is SealingRefusal.NOT_AUTHENTIC
    with pytest.raises(Rejected) as refused:
        open_once(bytes(32), bytes(12), sealed, b"context")
    assert refused.value.reason is SealingRefusal.NOT_AUTHENTIC
    with pytest.raises(Rejected) as refused:
        open_once(bytes(32), bytes(11), sealed, b"context")
    assert refused.value.reason is SealingRefusal.WRONG_WIDTH
