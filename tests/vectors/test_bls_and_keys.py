"""Official vectors of everything around BLS12-381.

RFC 9380 appendix J (data of supranational/blst, Apache-2.0), Wycheproof `bls_hash_to_g2_test` (Apache-2.0),
EIP-2333 and EIP-2335 (data of ethereum/staking-deposit-cli, CC0).
"""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import py_arkworks_bls12381 as arkworks
import pyblst
import pytest

from metanode.primitives.bls_derivation import _lamport_parts, derive_child, derive_master, derive_path
from metanode.primitives.bls_engines import ENGINES, Engine
from metanode.primitives.keystore import decrypt_validator

EVERY_ENGINE = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
MODULUS = 0x1A0111EA397FE69A4B1BA7B6434BACD764774B84F38512BF6730D2A0F6B0F6241EABFFFEB153FFFFB9FEFFFFFFFFAAAB
PASSWORD = "𝔱𝔢𝔰𝔱𝔭𝔞𝔰𝔰𝔴𝔬𝔯𝔡🔑"
SECRET = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"


def load(folder: Path, name: str) -> Any:
    with (folder / name).open(encoding="utf-8") as file:
        return json.load(file)


def compressed(point: dict[str, str]) -> bytes:
    """The compressed form of coordinates written as `c0` or `c0,c1`."""
    x = [int(part, 16) for part in point["x"].split(",")][::-1]
    y = [int(part, 16) for part in point["y"].split(",")][::-1]
    larger = y > [(MODULUS - part) % MODULUS for part in y]
    data = b"".join(part.to_bytes(48, "big") for part in x)
    return bytes([data[0] | 0x80 | (0x20 if larger else 0)]) + data[1:]


@EVERY_ENGINE
def test_rfc_9380_to_g2(engine: Engine[Any, Any], vectors_folder: Path) -> None:
    suite = load(vectors_folder, "rfc9380_BLS12381G2_XMD_SHA-256_SSWU_RO_.json")
    assert len(suite["vectors"]) == 5
    for vector in suite["vectors"]:
        point = engine.hash_to_signature(vector["msg"].encode(), suite["dst"].encode())
        assert engine.signature_bytes(point) == compressed(vector["P"])


def test_rfc_9380_to_g1(vectors_folder: Path) -> None:
    """Signatures never hash to G1; these five check the field arithmetic below the engines' keys."""
    suite = load(vectors_folder, "rfc9380_BLS12381G1_XMD_SHA-256_SSWU_RO_.json")
    assert len(suite["vectors"]) == 5
    for vector in suite["vectors"]:
        message, domain, expected = vector["msg"].encode(), suite["dst"].encode(), compressed(vector["P"])
        assert bytes(pyblst.BlstP1Element.hash_to_group(message, domain).compress()) == expected
        assert bytes(arkworks.G1Point.hash_to_curve(message, domain).to_compressed_bytes()) == expected
        assert [engine.key_bytes(engine.parse_key(expected)) for engine in ENGINES] == [expected] * len(ENGINES)


@EVERY_ENGINE
def test_wycheproof_hash_to_g2(engine: Engine[Any, Any], vectors_folder: Path) -> None:
    suite = load(vectors_folder, "wycheproof_bls_hash_to_g2_test.json")
    tests = [(group, test) for group in suite["testGroups"] for test in group["tests"]]
    assert len(tests) == suite["numberOfTests"] == 34
    for group, test in tests:
        point = engine.hash_to_signature(bytes.fromhex(test["msg"]), group["dst"].encode())
        assert engine.signature_bytes(point).hex() == test["expected"]


def test_eip_2333(vectors_folder: Path) -> None:
    cases = load(vectors_folder, "eip2333_tree_kdf.json")["kdf_tests"]
    assert len(cases) == 4
    for case in cases:
        master = derive_master(bytes.fromhex(case["seed"]))
        assert int.from_bytes(master, "big") == case["master_SK"]
        assert int.from_bytes(derive_child(master, case["child_index"]), "big") == case["child_SK"]


def test_eip_2333_step_by_step(vectors_folder: Path) -> None:
    case = load(vectors_folder, "eip2333_tree_kdf_intermediate.json")
    seed, index = bytes.fromhex(case["seed"]), case["child_index"]
    master = derive_master(seed)
    assert int.from_bytes(master, "big") == case["master_SK"]
    zero = _lamport_parts(master, index.to_bytes(4, "big"))
    one = _lamport_parts(bytes(byte ^ 0xFF for byte in master), index.to_bytes(4, "big"))
    assert [part.hex() for part in zero] == case["lamport_0"]
    assert [part.hex() for part in one] == case["lamport_1"]
    public = sha256(b"".join(sha256(part).digest() for part in zero + one)).hexdigest()
    assert public == case["compressed_lamport_PK"]
    assert int.from_bytes(derive_path(seed, case["path"]), "big") == case["child_SK"]


@pytest.mark.parametrize("number", [0, 1], ids=["pbkdf2", "scrypt"])
def test_eip_2335(number: int, vectors_folder: Path) -> None:
    text = (vectors_folder / f"eip2335_test{number}.json").read_bytes()
    assert decrypt_validator(text, PASSWORD).hex() == SECRET
