"""One authenticated map: keys and values in, a root, proofs and provable pieces out."""

from metanode.ledger.state.nodes import KEY_BYTES_MAX
from metanode.ledger.state.proof import STATE_PROOF_DECODER, ProofLevel, StateProof, verify_state_proof
from metanode.ledger.state.subtree import (
    SUBTREE_PROOF_DECODER,
    Piece,
    PieceSorter,
    SubtreeProof,
    covers_all,
    subtree_proof,
    subtrees,
    verify_subtree,
)
from metanode.ledger.state.tree import EMPTY_TREE, StateTree, build_tree

__all__ = [
    "EMPTY_TREE",
    "KEY_BYTES_MAX",
    "STATE_PROOF_DECODER",
    "SUBTREE_PROOF_DECODER",
    "Piece",
    "PieceSorter",
    "ProofLevel",
    "StateProof",
    "StateTree",
    "SubtreeProof",
    "build_tree",
    "covers_all",
    "subtree_proof",
    "subtrees",
    "verify_state_proof",
    "verify_subtree",
]
