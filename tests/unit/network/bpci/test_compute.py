"""The one real implementation of the heavy mathematics."""

from tests.unit.network.pump import signing_key

from metanode.network.bpci.compute import (
    ENTROPY_BYTES,
    Agree,
    Agreed,
    Encapsulate,
    Encapsulated,
    FreshKeys,
    OwnKeys,
    SignAll,
    Signatures,
    Unsound,
    Verdicts,
    VerifyAll,
    perform,
)

KEY = signing_key("alice")
ENTROPY = bytes(range(ENTROPY_BYTES))


def test_both_sides_find_the_same_secret() -> None:
    own = perform(FreshKeys(), KEY, ENTROPY)
    assert isinstance(own, OwnKeys)
    assert perform(FreshKeys(), KEY, ENTROPY) == own
    made = perform(Encapsulate(own.exchange_public, own.kem_public), KEY, b"e" * ENTROPY_BYTES)
    assert isinstance(made, Encapsulated)
    assert len(made.secret) == 64
    assert perform(Agree(own, made.exchange_public, made.kem_ciphertext), KEY, ENTROPY) == Agreed(made.secret)


def test_unsound_keys_are_named() -> None:
    own = perform(FreshKeys(), KEY, ENTROPY)
    assert isinstance(own, OwnKeys)
    for operation in (
        Encapsulate(bytes(32), own.kem_public),
        Encapsulate(own.exchange_public, b"\xff" * 1184),
        Encapsulate(own.exchange_public, b"short"),
        Agree(own, bytes(32), bytes(1088)),
        Agree(own, own.exchange_public, b"short"),
    ):
        assert isinstance(perform(operation, KEY, ENTROPY), Unsound)


def test_signatures_in_batches() -> None:
    messages = (b"one", b"two")
    signed = perform(SignAll(messages), KEY, ENTROPY)
    assert signed == Signatures((KEY.sign(b"one"), KEY.sign(b"two")))
    assert isinstance(signed, Signatures)
    one, two = signed.signatures
    items = ((KEY.public_key, b"one", one), (KEY.public_key, b"one", two), (KEY.public_key, b"two", two))
    assert perform(VerifyAll(items), KEY, ENTROPY) == Verdicts((True, False, True))
