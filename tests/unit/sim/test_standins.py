"""Stand-ins are as hard to confuse as the real thing: another key, message or set is another signature."""

from metanode.network.bpci.compute import (
    Agree,
    Agreed,
    Encapsulate,
    Encapsulated,
    FreshKeys,
    OwnKeys,
    SignAll,
    Signatures,
    Verdicts,
    VerifyAll,
)
from metanode.sim import standins

ONE, TWO = standins.key("bls", "one", 48), standins.key("bls", "two", 48)


def test_signatures_are_of_one_key_and_message() -> None:
    signature = standins.sign(ONE, b"word")
    assert len(signature) == 64
    assert standins.verify(ONE, b"word", signature)
    assert not standins.verify(TWO, b"word", signature)
    assert not standins.verify(ONE, b"other", signature)


def test_shares_sum_to_the_aggregate_of_exactly_these_keys() -> None:
    shares = [standins.share(key, b"m") for key in (ONE, TWO)]
    total, bad = standins.check_shares((ONE, TWO), b"m", shares)
    assert bad == ()
    assert standins.verify_aggregate((TWO, ONE), b"m", total)
    assert not standins.verify_aggregate((ONE,), b"m", total)
    assert not standins.verify_aggregate((ONE, TWO), b"n", total)
    assert not standins.verify_aggregate((), b"m", standins.aggregate((), b"m"))


def test_a_bad_share_is_found() -> None:
    assert standins.check_shares((ONE, TWO), b"m", (standins.share(ONE, b"m"), bytes(96))) == (b"", (1,))


def test_possession_is_of_one_key() -> None:
    assert standins.verify_possession(ONE, standins.possession(ONE))
    assert not standins.verify_possession(TWO, standins.possession(ONE))


def test_both_ends_of_a_handshake_find_the_same_secret() -> None:
    caller = standins.compute(FreshKeys(), ONE, bytes(range(96)))
    assert isinstance(caller, OwnKeys)
    answer = standins.compute(Encapsulate(caller.exchange_public, caller.kem_public), TWO, bytes(range(96, 192)))
    assert isinstance(answer, Encapsulated)
    agreed = standins.compute(Agree(caller, answer.exchange_public, answer.kem_ciphertext), ONE, bytes(96))
    assert isinstance(agreed, Agreed)
    assert agreed.secret == answer.secret


def test_transport_signatures_are_checked_in_order() -> None:
    signed = standins.compute(SignAll((b"m",)), ONE, bytes(96))
    assert isinstance(signed, Signatures)
    (signature,) = signed.signatures
    verdicts = standins.compute(VerifyAll(((ONE, b"m", signature), (TWO, b"m", signature))), ONE, bytes(96))
    assert isinstance(verdicts, Verdicts)
    assert verdicts.good == (True, False)
