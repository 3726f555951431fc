"""Wycheproof (C2SP/wycheproof, testvectors_v1, Apache-2.0): Ed25519, X25519, ChaCha20-Poly1305, HKDF-SHA256."""

import json
from pathlib import Path
from typing import Any

import pytest

from metanode.primitives import ed25519
from metanode.primitives.refusal import Rejected
from metanode.primitives.sealing import (
    HKDF_BYTES_MAX,
    SealingRefusal,
    hkdf_sha256,
    open_once,
    seal_once,
    x25519_exchange,
)


def cases(folder: Path, name: str, count: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each test with its group; the count is checked, so that a cut file cannot pass."""
    with (folder / f"wycheproof_{name}_test.json").open(encoding="utf-8") as file:
        content = json.load(file)
    found = [(group, test) for group in content["testGroups"] for test in group["tests"]]
    assert len(found) == content["numberOfTests"] == count
    return found


def test_ed25519(vectors_folder: Path) -> None:
    wrong, items = [], []
    for group, test in cases(vectors_folder, "ed25519", 151):
        key, message, signature = (bytes.fromhex(h) for h in (group["publicKey"]["pk"], test["msg"], test["sig"]))
        items.append((key, message, signature))
        if ed25519.verify(key, message, signature) is not (test["result"] == "valid"):
            wrong.append(test["tcId"])
    assert wrong == []
    assert ed25519.verify_batch(items) == [ed25519.verify(*item) for item in items]


def test_x25519(vectors_folder: Path) -> None:
    """`acceptable` ones may be refused; we refuse exactly those whose shared secret is zero."""
    wrong, refused = [], 0
    for _, test in cases(vectors_folder, "x25519", 518):
        try:
            shared = x25519_exchange(bytes.fromhex(test["private"]), bytes.fromhex(test["public"])).hex()
        except Rejected as rejected:
            refused += 1
            shared = "00" * 32 if rejected.reason is SealingRefusal.LOW_ORDER else ""
        if shared != test["shared"]:
            wrong.append(test["tcId"])
    assert wrong == []
    assert refused == sum(1 for _, test in cases(vectors_folder, "x25519", 518) if not int(test["shared"], 16)) > 0


def test_chacha20_poly1305(vectors_folder: Path) -> None:
    wrong = []
    for _, test in cases(vectors_folder, "chacha20_poly1305", 325):
        key, nonce, associated, plain, sealed = (
            bytes.fromhex(h) for h in (test["key"], test["iv"], test["aad"], test["msg"], test["ct"] + test["tag"])
        )
        try:
            good = open_once(key, nonce, sealed, associated) == plain
        except Rejected:
            good = False
        if good is not (test["result"] == "valid"):
            wrong.append(test["tcId"])
        if test["result"] == "valid" and seal_once(key, nonce, plain, associated) != sealed:
            wrong.append(test["tcId"])
    assert wrong == []


def test_hkdf_sha256(vectors_folder: Path) -> None:
    wrong = []
    for _, test in cases(vectors_folder, "hkdf_sha256", 86):
        key_material, salt, info = (bytes.fromhex(h) for h in (test["ikm"], test["salt"], test["info"]))
        if test["result"] == "invalid":
            assert test["size"] > HKDF_BYTES_MAX
            with pytest.raises(AssertionError):
                hkdf_sha256(key_material, salt=salt, info=info, length=test["size"])
        elif hkdf_sha256(key_material, salt=salt, info=info, length=test["size"]).hex() != test["okm"]:
            wrong.append(test["tcId"])
    assert wrong == []
