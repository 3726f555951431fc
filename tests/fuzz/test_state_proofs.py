"""Arbitrary bytes end in a proof or in `Rejected`, and an arbitrary proof proves nothing."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.ledger.state import (
    STATE_PROOF_DECODER,
    SUBTREE_PROOF_DECODER,
    StateProof,
    SubtreeProof,
    build_tree,
    verify_state_proof,
    verify_subtree,
)
from metanode.ledger.state.proof import STATE_PROOF_BYTES_MAX, ProofLevel
from metanode.primitives.codec import CodecRefusal, encode
from metanode.primitives.refusal import Rejected

TREE = build_tree((b"key %d" % number, b"value") for number in range(200))
HONEST = encode(TREE.prove(b"key 1"))
LEVELS = st.lists(
    st.builds(
        lambda bitmap, siblings: ProofLevel(bitmap=bitmap, siblings=siblings),
        st.integers(0, 65_535),
        st.binary(max_size=480),
    ),
    max_size=64,
).map(tuple)


@settings(max_examples=200)
@given(st.binary(max_size=400) | st.integers(0, len(HONEST)).map(lambda cut: HONEST[:cut]))
def test_any_bytes_end_in_a_value_or_a_refusal(data: bytes) -> None:
    for decoder in (STATE_PROOF_DECODER, SUBTREE_PROOF_DECODER):
        with suppress(Rejected):
            assert encode(decoder.decode(data)) == data


@settings(max_examples=200)
@given(st.integers(0, 1 << 62), LEVELS, st.binary(max_size=2048), st.binary(max_size=64))
def test_any_proof_is_answered_no(count: int, levels: tuple[ProofLevel, ...], page: bytes, prefix: bytes) -> None:
    proof = StateProof(count=count, levels=levels, page=page)
    assert not verify_state_proof(TREE.root, b"key 1", None, proof)
    assert not verify_state_proof(TREE.root, b"key 1", b"forged", proof)
    piece = SubtreeProof(count=count, levels=levels, page=page)
    assert not verify_subtree(TREE.root, prefix, [(b"key 1", b"forged")], piece)


def test_a_proof_too_long_to_be_one_is_refused() -> None:
    with pytest.raises(Rejected) as refused:
        STATE_PROOF_DECODER.decode(bytes(STATE_PROOF_BYTES_MAX + 1))
    assert refused.value.reason is CodecRefusal.TOO_LARGE
