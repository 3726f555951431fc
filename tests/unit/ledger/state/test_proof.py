"""Proofs of presence and absence: each flipped byte, each wrong claim is refused."""

import pytest

from metanode.ledger.state import (
    EMPTY_TREE,
    STATE_PROOF_DECODER,
    StateProof,
    build_tree,
    verify_state_proof,
)
from metanode.ledger.state.nodes import EMPTY_HASH, HASH_BYTES, key_path, nibble
from metanode.ledger.state.proof import ProofLevel
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected

PAIRS = {b"key %d" % number: b"value %d" % number for number in range(400)}
TREE = build_tree(PAIRS.items())


def test_presence_and_absence() -> None:
    for key, value in PAIRS.items():
        proof = TREE.prove(key)
        assert verify_state_proof(TREE.root, key, value, proof)
        assert not verify_state_proof(TREE.root, key, None, proof)
        assert not verify_state_proof(TREE.root, key, b"another", proof)
    for number in range(100):
        key = b"absent %d" % number
        proof = TREE.prove(key)
        assert verify_state_proof(TREE.root, key, None, proof)
        assert not verify_state_proof(TREE.root, key, b"", proof)


def test_absence_in_the_empty_state() -> None:
    assert verify_state_proof(EMPTY_TREE.root, b"key", None, EMPTY_TREE.prove(b"key"))
    assert not verify_state_proof(TREE.root, b"key 1", None, EMPTY_TREE.prove(b"key 1"))


def test_absence_below_an_empty_child() -> None:
    tree = build_tree(list(PAIRS.items())[:40])
    found = [
        proof
        for number in range(300)
        if not (proof := tree.prove(b"absent %d" % number)).page
        and verify_state_proof(tree.root, b"absent %d" % number, None, proof)
    ]
    assert found, "no key of this test ends in an empty child"


@pytest.mark.parametrize(("key", "value"), [(b"key 3", b"value 3"), (b"absent 3", None)])
def test_every_flipped_byte_is_refused(key: bytes, value: bytes | None) -> None:
    data = encode(TREE.prove(key))
    for index in range(len(data)):
        for flip in (0x01, 0x80):
            flipped = bytearray(data)
            flipped[index] ^= flip
            try:
                proof = STATE_PROOF_DECODER.decode(bytes(flipped))
            except Rejected:
                continue
            assert not verify_state_proof(TREE.root, key, value, proof), f"byte {index}"


def test_a_proof_has_one_form() -> None:
    """Children that are not there are left out: an empty hash in their place would be another spelling."""
    pairs = list(PAIRS.items())[:40]
    tree = build_tree(pairs)
    padded = 0
    for key, value in pairs:
        proof = tree.prove(key)
        depth = len(proof.levels) - 1
        level = proof.levels[depth]
        own = nibble(key_path(key), depth)
        for child in (child for child in range(16) if child != own and not level.bitmap >> child & 1):
            before = (level.bitmap & ((1 << child) - 1)).bit_count() * HASH_BYTES
            siblings = level.siblings[:before] + EMPTY_HASH + level.siblings[before:]
            other = ProofLevel(bitmap=level.bitmap | 1 << child, siblings=siblings)
            assert not verify_state_proof(tree.root, key, value, with_level(proof, other))
            padded += 1
    assert padded, "no node of this tree lacks a child"


def with_level(proof: StateProof, level: ProofLevel) -> StateProof:
    return StateProof(count=proof.count, levels=(*proof.levels[:-1], level), page=proof.page)


def test_a_page_of_broken_length_is_refused() -> None:
    proof = TREE.prove(b"key 3")
    broken = StateProof(count=proof.count, levels=proof.levels, page=proof.page[:-1])
    assert not verify_state_proof(TREE.root, b"key 3", b"value 3", broken)


def test_a_proof_of_an_older_version_holds_for_that_version_only() -> None:
    after = TREE.update({b"key 3": b"new"})
    assert verify_state_proof(TREE.root, b"key 3", b"value 3", TREE.prove(b"key 3"))
    assert not verify_state_proof(after.root, b"key 3", b"value 3", TREE.prove(b"key 3"))
    assert verify_state_proof(after.root, b"key 3", b"new", after.prove(b"key 3"))
