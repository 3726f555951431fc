"""Blocks that come by sync: a quorum vouched for them, and this node computes them all the same."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.node.requests.world import Chain

from metanode.chain.sync import Import
from metanode.node.desk import Candidate
from metanode.node.effects import Halt
from metanode.node.routes import synchronise
from metanode.primitives.names import Hash


def imported(chain: Chain, candidate: Candidate) -> list[Halt]:
    """What the node stops for."""
    chain.desk.candidates.clear()
    chain.effects()
    commit = chain.commit_of(candidate, chain.desk.tip.validators)
    synchronise.carry(chain.desk, Import(candidate.header, commit, candidate.body, candidate.transactions))
    return [effect for effect in chain.effects() if isinstance(effect, Halt)]


def test_a_block_that_gives_what_it_says_is_applied() -> None:
    chain = Chain()
    chain.final()
    height = chain.desk.tip.height
    assert imported(chain, chain.candidate()) == []
    assert chain.desk.tip.height == height + 1


@pytest.mark.parametrize("field", ["state_root", "receipts_root", "next_validators_hash"])
def test_a_final_block_whose_execution_gives_other_results_stops_the_node(field: str) -> None:
    chain = Chain()
    chain.final()
    height = chain.desk.tip.height
    candidate = chain.candidate()
    changes: dict[str, Any] = {field: Hash(bytes(32))}
    halts = imported(chain, replace(candidate, header=replace(candidate.header, **changes)))
    assert [f"block {height + 1} is final" in halt.reason for halt in halts] == [True]
    assert chain.desk.tip.height == height


def test_a_block_of_another_parent_is_let_be() -> None:
    chain = Chain()
    chain.final()
    height = chain.desk.tip.height
    candidate = chain.candidate()
    other = replace(candidate, header=replace(candidate.header, parent_hash=Hash(b"\1" * 32)))
    assert imported(chain, other) == []
    assert chain.desk.tip.height == height
