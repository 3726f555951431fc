"""Arbitrary bytes, and keystores with one value changed, end in a key or in a refusal, cheaply."""

import json
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.primitives.keystore import (
    Argon2Cost,
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

SECRET = bytes(31) + b"\x05"
FILE = ValidatorFile(salt=bytes(32), iv=bytes(16), uuid="", path="m")
VALIDATORS = [
    encrypt_validator(SECRET, "pass", FILE, ScryptCost(n=2, r=1, p=1)),
    encrypt_validator(SECRET, "pass", FILE, Pbkdf2Cost(c=1)),
]
ACCOUNT = encrypt_account(
    bytes(32), "pass", label="", salt=bytes(8), nonce=bytes(12), cost=Argon2Cost(memory_kib=8, passes=1, lanes=1)
)
CHEAP = st.none() | st.booleans() | st.integers(-2, 70) | st.text(max_size=70) | st.integers(1 << 40, 1 << 80)
"""Values for one field: none of them is a cost that is both allowed and slow."""


def leaves(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if isinstance(value, dict):
        return [path, *(found for key in value for found in leaves(value[key], (*path, key)))]
    return [path]


def put(value: Any, path: tuple[str, ...], changed: object) -> Any:
    if not path:
        return changed
    return {**value, path[0]: put(value[path[0]], path[1:], changed)}


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_refusal(data: bytes) -> None:
    for read in (lambda text: decrypt_validator(text, ""), lambda text: decrypt_account(text, ""), read_account):
        with suppress(Rejected):
            read(data)
            raise AssertionError("bytes at random are no keystore")


@settings(max_examples=200)
@given(st.sampled_from([*VALIDATORS, ACCOUNT]), st.data())
def test_a_changed_field_ends_in_the_key_or_a_refusal(text: bytes, data: st.DataObject) -> None:
    file = json.loads(text)
    path = data.draw(st.sampled_from(leaves(file)))
    changed = json.dumps(put(file, path, data.draw(CHEAP))).encode()
    with suppress(Rejected):
        assert (decrypt_account(changed, "pass") if text == ACCOUNT else decrypt_validator(changed, "pass")) in {
            SECRET,
            bytes(32),
        }
    with suppress(Rejected):
        read_account(changed)
