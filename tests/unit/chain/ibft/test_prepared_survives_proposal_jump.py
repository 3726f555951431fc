"""The counter-example against engines that forget what they prepared when a justified proposal lifts them up."""

import subprocess

import pytest
from tests.simulation.planting import Fault, run_module
from tests.unit.chain.ibft.cluster import Cluster
from tests.unit.chain.ibft.counterfeit import certificate, content, vote
from tests.unit.chain.ibft.proposal_jump import A, B, C, E, H, block_y, ending, first_round, jump, lie

from metanode.chain import ibft
from metanode.records.commit import certificate_digest
from metanode.records.header import read_header
from metanode.records.vote import VoteKind

FORGETFUL = Fault(
    rule="IBFT-P7",
    says="what was prepared is forgotten when a proposal lifts this seat to its round",
    file="chain/ibft/voting.py",
    line="move(state, Round(vote.round), announce=False)",
    planted="move(state, Round(vote.round), announce=False); state.prepared = None",
)


@pytest.mark.parametrize("guarded", [True, False])
def test_prepared_survives_proposal_jump(guarded: bool) -> None:
    """Found by reading, in an engine without the rule; not confirmed there."""
    cluster = first_round(guarded=guarded)
    x = cluster[H].decided[1].header_hash
    assert [s for s in (A, B, C, E) if VoteKind.COMMIT in [v.kind for v in cluster[s].signed]] == [A, B]
    jump(cluster)
    jumped = cluster[B].state
    assert (jumped.round, jumped.accepted, jumped.announced) == (1, x, False), "lifted by E's proposal of X"
    assert jumped.prepared is not None
    assert (jumped.prepared.round, jumped.prepared.header_hash) == (0, x), "and still knows that it prepared X"
    lie(cluster)
    hash_y = read_header(block_y(cluster).header).hash
    assert all(hash_y not in cluster[s].state.contents for s in (B, C, E))
    assert ending(cluster) == "one value, H decided X"
    assert [e.proposal.seat for s in (B, C, E) for e in cluster[s].evidence() if hasattr(e, "proposal")] == [2, 2, 2]

    # With everybody back, X is carried on, and all agree with H.
    cluster.links = lambda sender, receiver, message: True
    cluster.run(20_000)
    assert cluster.all_decided()
    assert cluster.agreed() == x


def test_without_the_rule_it_forks_and_only_the_guard_is_left(tmp_path) -> None:
    """Run to the fork in a copy of the source without IBFT-P7. The guard (GUARD-3) refuses the ROUND-CHANGE that hides
    B's COMMIT, so that bare keys are needed for the fork: two walls, and each holds alone."""
    FORGETFUL.plant(tmp_path)
    ended: subprocess.CompletedProcess[str] = run_module(tmp_path, "tests.unit.chain.ibft.proposal_jump")
    assert ended.stdout.splitlines() == [
        "guarded: one value, H decided X, the guard of B refused",
        "bare keys: FORK, H decided X; E B C decided Y",
    ], ended.stdout + ended.stderr


def test_two_proven_values_of_one_round_are_an_alarm() -> None:
    """Beyond f liars two certificates of one round can exist: every seat in both is accused."""
    cluster = Cluster(4, puppets=(1, 2, 3)).start().pump()
    members = cluster.members
    for seat, word in ((1, "X"), (2, "Y")):
        hash_ = read_header(content(members, 0, word).header).hash
        proof = certificate(members, [1, 2, 3], hash_)
        digest = certificate_digest((proof,))
        change = vote(members, VoteKind.ROUND_CHANGE, seat, hash_, round_=1, prepared_round=0, attachment=digest)
        cluster.puppet(seat, ibft.RoundChange(vote=change, certificates=(proof,)), [0])
    cluster.pump()
    assert sorted(e.first.seat for e in cluster[0].conflicts()) == [1, 2, 3]
