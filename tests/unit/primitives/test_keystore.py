"""Keys at rest under a password."""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from metanode.primitives import bls, ed25519
from metanode.primitives.codec import encode
from metanode.primitives.keystore import (
    ARGON2_LANES_MAX,
    ARGON2_PASSES_MAX,
    KEYSTORE_BYTES_MAX,
    LABEL_MAX,
    MEMORY_BYTES_MAX,
    PBKDF2_ROUNDS_MAX,
    SALT_BYTES_MIN,
    SCRYPT_BLOCK_MAX,
    SCRYPT_PARALLEL_MAX,
    AccountFile,
    Argon2Cost,
    KeystoreRefusal,
    Pbkdf2Cost,
    ScryptCost,
    ValidatorFile,
    decrypt_account,
    decrypt_validator,
    encrypt_account,
    encrypt_validator,
    read_account,
)
from metanode.primitives.refusal import Rejected
from metanode.primitives.sealing import seal_once

SECRET = bytes.fromhex("000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f")
SALT = bytes.fromhex("d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3")
IV = bytes.fromhex("264daa3f303d7259501c93d997d84fe6")
FILE = ValidatorFile(salt=SALT, iv=IV, uuid="64625def-3331-4eea-ab6f-782f3ed16a83", path="m/12381/60/0/0")
EIP_PASSWORD = "𝔱𝔢𝔰𝔱𝔭𝔞𝔰𝔰𝔴𝔬𝔯𝔡🔑"
SCRYPT = ScryptCost(n=16, r=8, p=1)
PBKDF2 = Pbkdf2Cost(c=10)
ARGON2 = Argon2Cost(memory_kib=64, passes=1, lanes=2)
SEED = bytes(range(32))


def validator(cost: ScryptCost | Pbkdf2Cost = SCRYPT) -> Any:
    return json.loads(encrypt_validator(SECRET, "pass", FILE, cost))


def account() -> Any:
    return json.loads(encrypt_account(SEED, "pass", label="savings", salt=bytes(16), nonce=bytes(12), cost=ARGON2))


def refusal(decrypt: Callable[[bytes, str], bytes], file: Any, password: str = "pass") -> object:
    with pytest.raises(Rejected) as refused:
        decrypt(json.dumps(file).encode(), password)
    return refused.value.reason


def changed(file: Any, path: str, value: object) -> Any:
    """The file with one field, named by its dotted path, changed."""
    *parents, last = path.split(".")
    place = file
    for parent in parents:
        place = place[parent]
    assert last in place
    place[last] = value
    return file


def test_the_pbkdf2_example_of_eip_2335_is_written_again() -> None:
    file = json.loads(encrypt_validator(SECRET, EIP_PASSWORD, FILE, Pbkdf2Cost()))
    assert file["crypto"]["checksum"]["message"] == "8a9f5d9912ed7e75ea794bc5a89bca5f193721d30868ade6f73043c6ea6febf1"
    assert file["crypto"]["cipher"]["message"] == "cee03fde2af33149775b7223e7845e4fb2c8ae1792e5f99fe9ecf474cc8c16ad"
    assert file == {
        "crypto": {
            "kdf": {
                "function": "pbkdf2",
                "params": {"dklen": 32, "c": 262144, "prf": "hmac-sha256", "salt": SALT.hex()},
                "message": "",
            },
            "checksum": {"function": "sha256", "params": {}, "message": file["crypto"]["checksum"]["message"]},
            "cipher": {
                "function": "aes-128-ctr",
                "params": {"iv": IV.hex()},
                "message": file["crypto"]["cipher"]["message"],
            },
        },
        "path": FILE.path,
        "uuid": FILE.uuid,
        "version": 4,
        "description": "",
        "pubkey": "9612d7a727c9d0a22e185a1c768478dfe919cada9266988cb32359c11f2b7b27f4ae4040902382ae2910c15e2b420d07",
    }


@pytest.mark.parametrize("cost", [SCRYPT, PBKDF2], ids=["scrypt", "pbkdf2"])
def test_a_validator_file_opens_with_its_password_alone(cost: ScryptCost | Pbkdf2Cost) -> None:
    text = encrypt_validator(SECRET, "pass", FILE, cost)
    assert decrypt_validator(text, "pass") == SECRET
    assert refusal(decrypt_validator, json.loads(text), "past") is KeystoreRefusal.WRONG_PASSWORD
    assert SECRET.hex().encode() not in text


def test_passwords_are_normal_and_without_control_codes() -> None:
    """EIP-2335: the example's fancy letters are the plain ones, and what is not printed does not count."""
    text = encrypt_validator(SECRET, EIP_PASSWORD, FILE, PBKDF2)
    assert decrypt_validator(text, "test\x00pass\x1fw\x7for\x80d\x9f🔑") == SECRET
    assert refusal(decrypt_validator, json.loads(text), "testpassword") is KeystoreRefusal.WRONG_PASSWORD
    composed = encrypt_account(SEED, "caf\u00e9", label="", salt=bytes(16), nonce=bytes(12), cost=ARGON2)
    assert decrypt_account(composed, "cafe\u0301") == SEED
    lone = encrypt_account(SEED, "\udc80", label="", salt=bytes(16), nonce=bytes(12), cost=ARGON2)
    assert decrypt_account(lone, "\udc80") == SEED


def test_other_tools_fields_beside_the_known_are_read_over() -> None:
    file = {**validator(), "name": "of another tool"}
    del file["description"]
    assert decrypt_validator(json.dumps(file).encode(), "pass") == SECRET
    assert decrypt_validator(json.dumps({**file, "pubkey": ""}).encode(), "pass") == SECRET


def test_a_public_key_of_another_secret_is_refused() -> None:
    other = bls.public_key((5).to_bytes(32, "big")).hex()
    assert refusal(decrypt_validator, changed(validator(), "pubkey", other)) is KeystoreRefusal.WRONG_KEY
    zero = json.loads(encrypt_zero())
    assert refusal(decrypt_validator, zero) is KeystoreRefusal.WRONG_KEY


def encrypt_zero() -> bytes:
    """A well-made file around a secret that is none: counter mode lets one turn a known secret into zero."""
    file = validator()
    message = bytes(a ^ b for a, b in zip(bytes.fromhex(file["crypto"]["cipher"]["message"]), SECRET, strict=True))
    key = SCRYPT.derive(b"pass", SALT)
    file["crypto"]["cipher"]["message"] = message.hex()
    file["crypto"]["checksum"]["message"] = sha256(key[16:32] + message).hexdigest()
    file["pubkey"] = ""
    return json.dumps(file).encode()


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("version", 3, KeystoreRefusal.UNSUPPORTED),
        ("crypto.checksum.function", "md5", KeystoreRefusal.UNSUPPORTED),
        ("crypto.cipher.function", "aes-256-gcm", KeystoreRefusal.UNSUPPORTED),
        ("crypto.kdf.params.dklen", 64, KeystoreRefusal.UNSUPPORTED),
        ("crypto.kdf.function", "argon2", KeystoreRefusal.MALFORMED),
        ("crypto.kdf.params.n", 17, KeystoreRefusal.MALFORMED),
        ("crypto.kdf.params.n", 1, KeystoreRefusal.MALFORMED),
        ("crypto.kdf.params.n", 0, KeystoreRefusal.MALFORMED),
        ("crypto.kdf.params.n", -16, KeystoreRefusal.MALFORMED),
        ("crypto.kdf.params.n", 16.0, KeystoreRefusal.MALFORMED),
        ("crypto.kdf.params.r", 0, KeystoreRefusal.MALFORMED),
        ("crypto.kdf.params.p", 0, KeystoreRefusal.MALFORMED),
        ("crypto.kdf.params.n", 1 << 19, KeystoreRefusal.TOO_COSTLY),
        ("crypto.kdf.params.n", 1 << 200, KeystoreRefusal.TOO_COSTLY),
        ("crypto.kdf.params.r", SCRYPT_BLOCK_MAX + 1, KeystoreRefusal.TOO_COSTLY),
        ("crypto.kdf.params.p", SCRYPT_PARALLEL_MAX + 1, KeystoreRefusal.TOO_COSTLY),
        ("crypto.kdf.params.salt", "zz", KeystoreRefusal.MALFORMED),
        ("crypto.kdf.params.salt", "ab" * 65, KeystoreRefusal.MALFORMED),
        ("crypto.kdf.params.salt", " " * 64, KeystoreRefusal.MALFORMED),
        ("crypto.cipher.params.iv", "00" * 15, KeystoreRefusal.MALFORMED),
        ("crypto.cipher.message", "00" * 31, KeystoreRefusal.MALFORMED),
        ("crypto.cipher.message", "00" * 32, KeystoreRefusal.WRONG_PASSWORD),
        ("crypto.checksum.message", "00" * 31, KeystoreRefusal.MALFORMED),
        ("crypto.checksum.message", "00" * 33, KeystoreRefusal.MALFORMED),
        ("crypto.kdf.params.salt", "", KeystoreRefusal.MALFORMED),
        ("crypto.checksum.message", "00" * 32, KeystoreRefusal.WRONG_PASSWORD),
        ("pubkey", "00" * 47, KeystoreRefusal.MALFORMED),
        ("pubkey", 7, KeystoreRefusal.MALFORMED),
        ("crypto.checksum.params", {"rounds": 2}, KeystoreRefusal.MALFORMED),
    ],
)
def test_a_changed_scrypt_file_is_refused(path: str, value: object, reason: KeystoreRefusal) -> None:
    assert refusal(decrypt_validator, changed(validator(), path, value)) is reason


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("crypto.kdf.params.prf", "hmac-sha1", KeystoreRefusal.UNSUPPORTED),
        ("crypto.kdf.params.c", 0, KeystoreRefusal.MALFORMED),
        ("crypto.kdf.params.c", PBKDF2_ROUNDS_MAX + 1, KeystoreRefusal.TOO_COSTLY),
        ("crypto.kdf.params.c", 11, KeystoreRefusal.WRONG_PASSWORD),
    ],
)
def test_a_changed_pbkdf2_file_is_refused(path: str, value: object, reason: KeystoreRefusal) -> None:
    assert refusal(decrypt_validator, changed(validator(PBKDF2), path, value)) is reason


@pytest.mark.parametrize("decrypt", [decrypt_validator, decrypt_account])
@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b"null", b"[" * 10_000, b'{"kind":"\xff"}'])
def test_what_is_no_keystore_is_refused(decrypt: Callable[[bytes, str], bytes], text: bytes) -> None:
    with pytest.raises(Rejected) as refused:
        decrypt(text, "pass")
    assert refused.value.reason is KeystoreRefusal.MALFORMED
    with pytest.raises(Rejected) as refused:
        decrypt(text + b" " * (KEYSTORE_BYTES_MAX + 1), "pass")
    assert refused.value.reason is KeystoreRefusal.TOO_LARGE


def test_a_file_and_a_label_at_their_limits_are_taken() -> None:
    label = "x" * LABEL_MAX
    text = encrypt_account(SEED, "pass", label=label, salt=bytes(16), nonce=bytes(12), cost=ARGON2)
    assert read_account(text).label == label
    assert decrypt_account(text + b" " * (KEYSTORE_BYTES_MAX - len(text)), "pass") == SEED


def test_a_space_counts_in_a_password() -> None:
    text = encrypt_validator(SECRET, "pass word", FILE, PBKDF2)
    assert refusal(decrypt_validator, json.loads(text), "password") is KeystoreRefusal.WRONG_PASSWORD
    assert decrypt_validator(text, "pass\u00a0word") == SECRET, "the space that does not break is one"


def test_what_costs_too_much_is_not_written() -> None:
    with pytest.raises(Rejected) as refused:
        encrypt_validator(SECRET, "pass", FILE, ScryptCost(n=17))
    assert refused.value.reason is KeystoreRefusal.MALFORMED
    with pytest.raises(Rejected) as refused:
        encrypt_account(
            SEED, "pass", label="", salt=bytes(16), nonce=bytes(12), cost=Argon2Cost(memory_kib=64, passes=0)
        )
    assert refused.value.reason is KeystoreRefusal.MALFORMED


def test_unless_told_otherwise_files_cost_what_they_should(monkeypatch: pytest.MonkeyPatch) -> None:
    for cost in (ScryptCost, Argon2Cost):
        monkeypatch.setattr(cost, "derive", lambda *_: bytes(32))
    assert json.loads(encrypt_validator(SECRET, "pass", FILE))["crypto"]["kdf"]["params"]["n"] == ScryptCost().n
    made = json.loads(encrypt_account(SEED, "pass", label="", salt=bytes(16), nonce=bytes(12)))
    assert made["memory_kib"] == Argon2Cost().memory_kib


def test_the_numbers_that_files_of_people_depend_on() -> None:
    """Lower limits would lock somebody out of a file that was good; other costs are another choice."""
    assert (KEYSTORE_BYTES_MAX, SALT_BYTES_MIN, LABEL_MAX) == (16_384, 8, 128)
    assert (SCRYPT_BLOCK_MAX, SCRYPT_PARALLEL_MAX, PBKDF2_ROUNDS_MAX) == (64, 4, 4_194_304)
    assert (ARGON2_PASSES_MAX, ARGON2_LANES_MAX, MEMORY_BYTES_MAX) == (16, 16, 256 * 1024 * 1024)
    assert ScryptCost() == ScryptCost(n=262_144, r=8, p=1)
    assert Argon2Cost() == Argon2Cost(memory_kib=65_536, passes=3, lanes=4)


def test_costs_at_the_limit_are_taken() -> None:
    ScryptCost().check()
    ScryptCost(n=MEMORY_BYTES_MAX // 128 // SCRYPT_BLOCK_MAX, r=SCRYPT_BLOCK_MAX, p=SCRYPT_PARALLEL_MAX).check()
    Pbkdf2Cost(PBKDF2_ROUNDS_MAX).check()
    Argon2Cost().check()
    Argon2Cost(MEMORY_BYTES_MAX // 1024, ARGON2_PASSES_MAX, ARGON2_LANES_MAX).check()
    assert len(ScryptCost(n=2, r=SCRYPT_BLOCK_MAX, p=SCRYPT_PARALLEL_MAX).derive(b"", b"")) == 32


def test_argon2id_is_the_reference_implementations() -> None:
    """Its test vector for version 0x13 with t = 2, m = 2^16, p = 1 (phc-winner-argon2, test.c)."""
    derived = Argon2Cost(memory_kib=65_536, passes=2, lanes=1).derive(b"password", b"somesalt")
    assert derived.hex() == "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"


def test_scrypt_is_rfc_7914s() -> None:
    """§12, second vector, its first 32 bytes."""
    derived = ScryptCost(n=1024, r=8, p=16).derive(b"password", b"NaCl")
    assert derived.hex() == "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"


def test_an_account_file_opens_with_its_password_alone() -> None:
    text = encrypt_account(SEED, "pass", label="savings", salt=bytes(16), nonce=bytes(12), cost=ARGON2)
    assert decrypt_account(text, "pass") == SEED
    assert refusal(decrypt_account, json.loads(text), "past") is KeystoreRefusal.WRONG_PASSWORD
    assert read_account(text) == AccountFile("savings", ed25519.public_key(SEED))
    assert SEED.hex().encode() not in text
    assert json.loads(text) == {
        "kind": "metanode account",
        "version": 1,
        "label": "savings",
        "public_key": ed25519.public_key(SEED).hex(),
        "memory_kib": 64,
        "passes": 1,
        "lanes": 2,
        "salt": "00" * 16,
        "nonce": "00" * 12,
        "sealed": json.loads(text)["sealed"],
    }


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("kind", "another", KeystoreRefusal.UNSUPPORTED),
        ("version", 2, KeystoreRefusal.UNSUPPORTED),
        ("label", "spendings", KeystoreRefusal.WRONG_PASSWORD),
        ("label", "x" * 129, KeystoreRefusal.MALFORMED),
        ("public_key", ed25519.public_key(bytes(32)).hex(), KeystoreRefusal.WRONG_PASSWORD),
        ("public_key", "00", KeystoreRefusal.MALFORMED),
        ("memory_kib", 72, KeystoreRefusal.WRONG_PASSWORD),
        ("memory_kib", 15, KeystoreRefusal.MALFORMED),
        ("memory_kib", -1, KeystoreRefusal.MALFORMED),
        ("memory_kib", MEMORY_BYTES_MAX // 1024 + 1, KeystoreRefusal.TOO_COSTLY),
        ("passes", 0, KeystoreRefusal.MALFORMED),
        ("passes", ARGON2_PASSES_MAX + 1, KeystoreRefusal.TOO_COSTLY),
        ("lanes", 0, KeystoreRefusal.MALFORMED),
        ("lanes", 8, KeystoreRefusal.WRONG_PASSWORD),
        ("salt", "00" * 7, KeystoreRefusal.MALFORMED),
        ("salt", "01" * 16, KeystoreRefusal.WRONG_PASSWORD),
        ("nonce", "00" * 11, KeystoreRefusal.MALFORMED),
        ("nonce", "01" * 12, KeystoreRefusal.WRONG_PASSWORD),
        ("sealed", "00" * 47, KeystoreRefusal.MALFORMED),
        ("sealed", "00" * 49, KeystoreRefusal.MALFORMED),
        ("sealed", "00" * 48, KeystoreRefusal.WRONG_PASSWORD),
    ],
)
def test_a_changed_account_file_is_refused(field: str, value: object, reason: KeystoreRefusal) -> None:
    assert refusal(decrypt_account, changed(account(), field, value)) is reason


def test_too_many_lanes_or_fields_are_refused() -> None:
    file = {**account(), "memory_kib": 1024, "lanes": ARGON2_LANES_MAX + 1}
    assert refusal(decrypt_account, file) is KeystoreRefusal.TOO_COSTLY
    assert refusal(decrypt_account, {**account(), "more": 1}) is KeystoreRefusal.MALFORMED


def test_an_account_sealed_under_another_public_key_is_refused() -> None:
    """Whoever knows the password could make such a file; importing it would show a wrong address."""
    file = account()
    file["public_key"] = ed25519.public_key(bytes(32)).hex()
    names = ("kind", "version", "label", "public_key", "memory_kib", "passes", "lanes", "salt")
    key = ARGON2.derive(b"pass", bytes(16))
    file["sealed"] = seal_once(key, bytes(12), SEED, encode(tuple(file[name] for name in names))).hex()
    assert refusal(decrypt_account, file) is KeystoreRefusal.WRONG_KEY
