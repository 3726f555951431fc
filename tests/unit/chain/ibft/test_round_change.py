"""Changing rounds: V1 … V7, P3 … P9, and the peers' old mistakes."""

import pytest
from tests.unit.chain.ibft.cluster import Cluster, of
from tests.unit.chain.ibft.counterfeit import certificate, content, vote

from metanode.chain import ibft
from metanode.chain.ibft import IbftRefusal
from metanode.primitives.names import NO_HASH, Hash, Seat
from metanode.records.commit import PreparedCertificate, certificate_digest
from metanode.records.evidence import ConflictingVotes, Evidence, UnjustifiedProposal
from metanode.records.header import read_header
from metanode.records.proposal import ProposalContent
from metanode.records.validators import ValidatorSet
from metanode.records.vote import Justification, Vote, VoteKind, justification_digest


def change(members: ValidatorSet, seat: int, round_: int, proof: PreparedCertificate | None = None) -> ibft.RoundChange:
    if proof is None:
        word = vote(members, VoteKind.ROUND_CHANGE, seat, NO_HASH, round_=round_)
        return ibft.RoundChange(vote=word, certificates=())
    word = vote(
        members,
        VoteKind.ROUND_CHANGE,
        seat,
        proof.header_hash,
        round_=round_,
        prepared_round=proof.round,
        attachment=certificate_digest((proof,)),
    )
    return ibft.RoundChange(vote=word, certificates=(proof,))


def proposal(
    members: ValidatorSet,
    seat: int,
    block: ProposalContent,
    changes: list[Vote],
    proofs: tuple[PreparedCertificate, ...] = (),
    round_: int = 1,
) -> ibft.Proposal:
    why = Justification(round_changes=tuple(changes), certificates=proofs)
    hash_ = read_header(block.header).hash
    word = vote(members, VoteKind.PROPOSAL, seat, hash_, round_=round_, attachment=justification_digest(why))
    return ibft.Proposal(vote=word, content=block, justification=why)


def hash_of(block: ProposalContent) -> Hash:
    return read_header(block.header).hash


def rounds(cluster: Cluster) -> list[int]:
    return [p.state.round for p in cluster.players.values()]


def test_no_round_change_before_a_block_is_due() -> None:
    """Rounds ran out before a block could be there: besu-eth/besu#2095."""
    cluster = Cluster(4)
    cluster.begin()
    assert all(p.timers == {} for p in cluster.players.values())
    cluster.run(600_000)
    assert rounds(cluster) == [0, 0, 0, 0]
    assert cluster.sent == []


def test_no_round_change_after_import() -> None:
    """A timer of the height below fires late, as one that was already on its way does.
    A timer fired after the import: besu-eth/besu#1575."""
    cluster = Cluster(4).start()
    stale = list(cluster[1].timers)
    cluster.pump()
    assert stale
    for timer in stale:
        cluster.tell(cluster[1], ibft.TimerFired(0, timer))
    cluster.begin(2)
    for timer in stale:
        cluster.tell(cluster[1], ibft.TimerFired(0, timer))
    assert rounds(cluster) == [0, 0, 0, 0]
    last = cluster.pump().sent[-1][2]
    assert isinstance(last, ibft.Ballot)
    assert last.vote.kind != VoteKind.ROUND_CHANGE


def test_f_plus_1_round_changes_lift_to_the_lowest_of_the_furthest() -> None:
    cluster = Cluster(7, puppets=(4, 5, 6))
    cluster.start().pump()
    for seat, round_ in ((4, 9), (5, 5)):
        cluster.puppet(seat, change(cluster.members, seat, round_))
    cluster.pump()
    assert rounds(cluster) == [0, 0, 0, 0], "two liars of f = 2 move nobody"
    cluster.puppet(6, change(cluster.members, 6, 7))
    cluster.pump()
    assert rounds(cluster) == [5, 5, 5, 5]
    assert all(p.state.announced for p in cluster.players.values())


def test_a_round_beyond_the_cap_counts_only_with_support() -> None:
    """One liar far away moves nobody and fills nothing; f+1 seats there are believed.
    Unbounded round numbers filled the memory: besu-eth/besu#11102 (GHSA-23rh-rrqg-wq82)."""
    cluster = Cluster(4, puppets=(2, 3))
    cluster.start().pump()
    far = 4_000_000_000
    cluster.puppet(3, change(cluster.members, 3, far))
    cluster.puppet(3, ibft.Ballot(vote=vote(cluster.members, VoteKind.COMMIT, 3, bytes(32), round_=far)))
    cluster.pump()
    assert rounds(cluster) == [0, 0]
    assert all((VoteKind.COMMIT, far) not in p.state.votes for p in cluster.players.values())
    cluster.puppet(2, change(cluster.members, 2, far))
    cluster.pump()
    assert rounds(cluster) == [far, far]
    assert all(3 in p.state.changes[far] for p in cluster.players.values())


def test_timeouts_double_to_the_cap_without_overflow() -> None:
    """Found by reading: 2 to the power of the round leaves 64 bits near round 30; not confirmed there."""
    from metanode.chain.ibft.schedule import round_timeout_ms

    assert [round_timeout_ms(800, 30_000, r) for r in range(7)] == [800, 1600, 3200, 6400, 12800, 25600, 30000]
    assert round_timeout_ms(800, 30_000, 10**6) == 30_000
    assert round_timeout_ms(800, 30_000, 0xFFFF_FFFE) == 30_000


def test_a_prepared_value_is_proposed_again_unchanged() -> None:
    cluster = Cluster(4)
    cluster.links = lambda s, r, m: not (isinstance(m, ibft.Ballot) and m.vote.kind == VoteKind.COMMIT)
    cluster.start().pump()
    first = cluster[0].state.accepted
    cluster.links = lambda s, r, m: True
    cluster.expire().pump()
    assert cluster.all_decided()
    assert cluster.agreed() == first
    assert {p.decided[1].round for p in cluster.players.values()} == {1}
    proposals = [m for _, _, m in cluster.sent if isinstance(m, ibft.Proposal) and m.vote.round == 1]
    assert proposals[0].vote.seat == 1
    assert read_header(proposals[0].content.header).proposer == 0, "a value carried on keeps its proposer"
    asked = cluster[2].asked(ibft.Validate)
    assert [e.reproposed for e in asked] == [False], "judged once, and its time never again"


def test_the_leader_without_the_prepared_block_asks_for_it() -> None:
    """Seat 1 leads round 1 but never saw the block that the others prepared."""
    cluster = Cluster(4)
    commits = VoteKind.COMMIT
    cluster.links = lambda s, r, m: r != 1 and not (isinstance(m, ibft.Ballot) and m.vote.kind == commits)
    cluster.start().pump()
    first = cluster[0].state.accepted
    cluster.links = lambda s, r, m: True
    cluster.expire().pump()
    assert cluster.all_decided()
    assert cluster.agreed() == first
    assert any(isinstance(m, ibft.Wanted) and s == 1 for s, _, m in cluster.sent)


def test_prepare_after_a_proposal_jump_is_of_the_new_round() -> None:
    """Found by reading, in an engine that stamps the old one; not confirmed there."""
    cluster = Cluster(4, puppets=(1,))
    members, block = cluster.members, content(cluster.members, 1, "fresh")
    cluster.begin()
    changes = [change(members, seat, 1).vote for seat in (0, 1, 2)]
    cluster.puppet(1, proposal(members, 1, block, changes), [3])
    cluster.pump()
    assert [(v.kind, v.round, v.header_hash) for v in cluster[3].signed] == [(VoteKind.PREPARE, 1, hash_of(block))]
    assert not cluster[3].state.announced, "a quorum is there already: no ROUND-CHANGE of its own"


def test_round_changes_with_other_values_below_the_highest_are_fine() -> None:
    """Lower rounds may have prepared something else: no uniformity is asked for.
    Uniform values were demanded: sigp/anchor#592, sigp/anchor#600."""
    cluster = Cluster(4, puppets=(0, 1, 2))
    members = cluster.members
    low, high = content(members, 0, "low"), content(members, 1, "high")
    proof_low = certificate(members, [0, 1, 2], hash_of(low), round_=0)
    proof_high = certificate(members, [0, 1, 2], hash_of(high), round_=1)
    changes = [change(members, 0, 2, proof_low), change(members, 1, 2, proof_high), change(members, 2, 2)]
    cluster.begin()
    why = proposal(members, 2, high, [c.vote for c in changes], (proof_high,), round_=2)
    cluster.puppet(2, why, [3])
    cluster.pump()
    assert cluster[3].state.accepted == hash_of(high)
    assert cluster[3].blamed() == []


def refused(cluster: Cluster, bad: ibft.Proposal) -> list[Evidence]:
    """What seat 3 holds against a proposal by seat 1; it never accepts it."""
    cluster.begin()
    cluster.puppet(1, bad, [3])
    cluster.pump()
    assert cluster[3].state.accepted == NO_HASH
    assert cluster[3].signed == []
    return cluster[3].evidence()


def test_a_value_that_is_not_the_highest_prepared_convicts() -> None:
    """The block of another round was chosen: 0xPolygon/go-ibft#52."""
    cluster = Cluster(4, puppets=(0, 1, 2))
    members, low, high = cluster.members, content(cluster.members, 0, "low"), content(cluster.members, 0, "high")
    proof = certificate(members, [0, 1, 2], hash_of(high))
    changes = [change(members, 0, 1, proof).vote, change(members, 1, 1).vote, change(members, 2, 1).vote]
    (evidence,) = refused(cluster, proposal(members, 1, low, changes, (proof,)))
    assert isinstance(evidence, UnjustifiedProposal)


def test_a_fresh_value_where_something_was_prepared_convicts() -> None:
    cluster = Cluster(4, puppets=(0, 1, 2))
    members, high = cluster.members, content(cluster.members, 0, "high")
    proof = certificate(members, [0, 1, 2], hash_of(high))
    changes = [change(members, 0, 1, proof).vote, change(members, 1, 1).vote, change(members, 2, 1).vote]
    assert refused(cluster, proposal(members, 1, content(members, 1, "fresh"), changes))


def test_a_certificate_without_a_round_change_that_says_so_convicts() -> None:
    """PREPAREs shown where no ROUND-CHANGE says that anything was prepared."""
    cluster = Cluster(4, puppets=(0, 1, 2))
    members, high = cluster.members, content(cluster.members, 0, "high")
    proof = certificate(members, [0, 1, 2], hash_of(high))
    changes = [change(members, seat, 1).vote for seat in (0, 1, 2)]
    assert refused(cluster, proposal(members, 1, high, changes, (proof,)))


def test_a_round_change_of_another_round_in_a_justification_convicts() -> None:
    """A wrong round passed the check: 0xPolygon/go-ibft#51."""
    cluster = Cluster(4, puppets=(0, 1, 2))
    members = cluster.members
    changes = [change(members, 0, 1).vote, change(members, 1, 1).vote, change(members, 2, 2).vote]
    assert refused(cluster, proposal(members, 1, content(members, 1), changes))


def test_a_round_change_twice_in_a_justification_convicts() -> None:
    """Senders were not counted once: 0xPolygon/go-ibft#50, besu-eth/besu#1736."""
    cluster = Cluster(4, puppets=(0, 1, 2))
    members = cluster.members
    changes = [change(members, 0, 1).vote, change(members, 1, 1).vote, change(members, 1, 1).vote]
    assert refused(cluster, proposal(members, 1, content(members, 1), changes))


def test_a_prepared_round_that_is_not_lower_convicts() -> None:
    """Rounds that justify themselves were taken: sigp/anchor#599."""
    cluster = Cluster(4, puppets=(0, 1, 2))
    members, block = cluster.members, content(cluster.members, 1)
    proof = certificate(members, [0, 1, 2], hash_of(block), round_=1)
    changes = [change(members, 0, 1, proof).vote, change(members, 1, 1).vote, change(members, 2, 1).vote]
    assert refused(cluster, proposal(members, 1, block, changes, (proof,)))


def test_a_justification_in_round_0_convicts() -> None:
    cluster = Cluster(4, puppets=(0, 1, 2))
    members = cluster.members
    cluster.begin()
    changes = [change(members, seat, 1).vote for seat in (0, 1, 2)]
    cluster.puppet(0, proposal(members, 0, content(members, 0), changes, round_=0), [3])
    cluster.pump()
    assert len(cluster[3].evidence()) == 1
    assert cluster[3].signed == []


def test_too_few_round_changes_convict() -> None:
    cluster = Cluster(4, puppets=(0, 1, 2))
    members = cluster.members
    assert refused(cluster, proposal(members, 1, content(members, 1), [change(members, s, 1).vote for s in (0, 1)]))


def test_a_forged_round_change_in_a_justification_is_blamed() -> None:
    """It convicts nobody (a proof that something does not verify has rules of its own) and lifts nobody."""
    cluster = Cluster(4, puppets=(0, 1, 2))
    members = cluster.members
    wrong = vote(members, VoteKind.ROUND_CHANGE, 0, NO_HASH, round_=1, height=9)
    forged = Vote(**{**{f: getattr(wrong, f) for f in Vote.__struct_fields__}, "height": 1})
    changes = [forged, change(members, 1, 1).vote, change(members, 2, 1).vote]
    assert refused(cluster, proposal(members, 1, content(members, 1), changes)) == []
    assert cluster[3].blamed() == [(1, IbftRefusal.UNJUSTIFIED)]
    assert cluster[3].state.round == 0


def test_a_false_certificate_never_reaches_an_honest_justification() -> None:
    """A liar's ROUND-CHANGE whose PREPAREs are forged is not kept, so the honest leader proposes without it."""
    cluster = Cluster(4, puppets=(3,))
    members = cluster.members
    lie = content(members, 0, "never prepared")
    proof = certificate(members, [0, 1, 2], hash_of(lie))
    forged = PreparedCertificate(
        **{**{f: getattr(proof, f) for f in PreparedCertificate.__struct_fields__}, "proof": (bytes(64),) * 3}
    )
    cluster.kill(0)
    cluster.start()
    cluster.puppet(3, change(members, 3, 1, forged))
    cluster.pump()
    assert cluster[1].blamed() == [(3, IbftRefusal.BAD_CERTIFICATE)]
    assert 3 not in cluster[1].state.latest
    cluster.puppet(3, change(members, 3, 1))
    cluster.expire(1, 2).pump()
    proposed = cluster[1].state.proposed[1]
    assert proposed[1].certificates == ()


def test_a_round_change_twice_counts_once() -> None:
    cluster = Cluster(4, puppets=(2, 3))
    cluster.start().pump()
    for _ in range(5):
        cluster.puppet(3, change(cluster.members, 3, 1))
    cluster.pump()
    assert rounds(cluster) == [0, 0]
    assert list(cluster[0].state.latest) == [3]


def test_two_round_changes_to_one_round_are_evidence() -> None:
    cluster = Cluster(4, puppets=(3,))
    members = cluster.members
    cluster.begin()
    proof = certificate(members, [0, 1, 3], hash_of(content(members, 0)))
    first, second = change(members, 3, 1), change(members, 3, 1, proof)
    for message in (first, second, second):
        cluster.puppet(3, message, [1])
    cluster.pump()
    (evidence,) = cluster[1].evidence()
    assert evidence == ConflictingVotes(validators_hash=members.hash, first=first.vote, second=second.vote)
    assert cluster[1].state.changes == {1: {3: first}}, "the second counts for nothing"


def test_of_each_seat_the_furthest_round_change_is_kept() -> None:
    """In whatever order they come, also where two wait for one check; of two to one far round the first."""
    cluster = Cluster(4, puppets=(3,))
    members, machine = cluster.members, cluster[1].machine
    cluster.begin()
    (out,) = of(machine.handle(ibft.Received(0, change(members, 2, 1), Seat(2))), ibft.CheckSignatures)
    far = change(members, 3, 99)
    proof = certificate(members, [0, 1, 3], hash_of(content(members, 0)))
    for message in (far, change(members, 3, 5), change(members, 3, 99, proof)):
        machine.handle(ibft.Received(0, message, Seat(3)))
    cluster.tell(cluster[1], ibft.SignaturesChecked(0, out.token, (True,)))
    assert cluster[1].state.latest[Seat(3)] == far
    assert sorted(cluster[1].state.changes) == [1, 5]


def test_an_older_round_change_is_answered_with_our_own() -> None:
    cluster = Cluster(4, puppets=(0, 3))
    cluster.start()
    cluster.wire.clear()
    cluster.puppet(0, change(cluster.members, 0, 2), [1, 2])
    cluster.expire(1, 2).pump().expire(1, 2).pump()
    cluster.sent.clear()
    cluster.puppet(3, change(cluster.members, 3, 1), [1])
    cluster.pump()
    answers = [m for s, r, m in cluster.sent if (s, r) == (1, 3)]
    changes = [m for m in answers if isinstance(m, ibft.RoundChange)]
    assert changes == answers
    assert [(m.vote.kind, m.vote.seat, m.vote.round) for m in changes] == [(VoteKind.ROUND_CHANGE, 1, 2)]


def test_own_words_are_sent_again_and_the_proposal_only_where_it_is_missing() -> None:
    cluster = Cluster(4)
    cluster.links = lambda s, r, m: r != 3 and s != 3
    cluster.start().pump()
    cluster.begin(2)
    cluster.due()
    lost = lambda s, r, m: False  # noqa: E731
    cluster.links = lost
    cluster.pump()
    cluster.links = lambda s, r, m: True
    cluster.fire(1, "resend")
    sent = [(r, type(m).__name__) for s, r, m in _drain(cluster) if s == 1]
    assert sorted(sent) == sorted([(r, "Proposal") for r in (0, 2, 3)] + [(r, "Ballot") for r in (0, 2, 3)])


def _drain(cluster: Cluster) -> list[tuple[int, int, ibft.Message]]:
    cluster.sent.clear()
    cluster.pump(6)
    return cluster.sent


def test_a_lossy_start_still_decides_in_round_0() -> None:
    """The very first messages are all lost; sending again heals it before the round's time is over."""
    cluster = Cluster(4, timeout_ms=4000)
    cluster.links = lambda s, r, m: False
    cluster.start().pump()
    cluster.links = lambda s, r, m: True
    cluster.run(3900)
    assert cluster.all_decided()
    assert {p.decided[1].round for p in cluster.players.values()} == {0}


def test_who_ran_ahead_waits_for_a_quorum_there() -> None:
    """With capped timeouts seats some rounds apart would climb at one pace and never meet (IBFT-V8)."""
    cluster = Cluster(4)
    cluster.links = lambda s, r, m: False
    cluster.start().pump()
    cluster.run(600_000)
    assert rounds(cluster) == [1, 1, 1, 1], "alone nobody goes further"
    assert all(list(p.timers) == ["ibft.resend/1/1"] for p in cluster.players.values())
    cluster.links = lambda s, r, m: True
    cluster.run(610_000)
    assert cluster.all_decided()


@pytest.mark.parametrize("dead", [{2, 3}, {1, 3}, {1, 2}])
def test_a_dead_link_is_bridged_by_a_third(dead: set[int]) -> None:
    """One seat down, and two of the others cannot hear each other: all three words are needed for a quorum."""
    cluster = Cluster(4)
    cluster.kill(0)
    cluster.links = lambda s, r, m: {s, r} != dead
    cluster.start()
    cluster.run(20_000)
    assert cluster.all_decided()
    assert [e for p in cluster.living() for e in p.asked(ibft.Relay)]


def test_a_link_dead_in_one_direction_only() -> None:
    cluster = Cluster(4)
    cluster.kill(0)
    cluster.links = lambda s, r, m: (s, r) != (2, 3)
    cluster.start()
    cluster.run(20_000)
    assert cluster.all_decided()


def test_in_a_healthy_round_nothing_is_relayed() -> None:
    cluster = Cluster(4).start().pump()
    assert [e for p in cluster.players.values() for e in p.asked(ibft.Relay)] == []


def test_own_proposal_that_is_invalid_is_not_sent() -> None:
    """A proposer did not judge its own proposal: besu-eth/besu#7875."""
    cluster = Cluster(4)
    block = content(cluster.members, 0, "1/0")
    cluster.invalid[hash_of(block)] = True
    cluster.start().pump()
    assert cluster.sent == []
    assert cluster[0].blamed() == [(0, IbftRefusal.UNFIT_BLOCK)]
    cluster.run(3000)
    assert cluster.all_decided()


def test_an_invalid_proposal_gets_no_prepare_and_the_next_leader_takes_over() -> None:
    cluster = Cluster(4, puppets=(0,))
    bad = content(cluster.members, 0, "bad")
    cluster.invalid[hash_of(bad)] = True
    cluster.start()
    cluster.puppet(0, proposal(cluster.members, 0, bad, [], round_=0))
    cluster.run(3000)
    assert cluster.all_decided()
    assert cluster[1].blamed() == [(0, IbftRefusal.UNFIT_BLOCK)]
