"""Answers that come when things have moved on: sums of shares, verdicts on blocks, blocks that were asked for."""

import pytest
from tests.unit.chain.ibft.cluster import Cluster, of, state_of
from tests.unit.chain.ibft.counterfeit import CHAIN, certificate, check_shares, commit, content, validators, vote
from tests.unit.chain.ibft.test_attacks import hear
from tests.unit.chain.ibft.test_found_by_mutants import ACCEPTED, BLOCK, HELD, MEMBERS, X, asked_to_sign, lone, resumed
from tests.unit.chain.ibft.test_round_change import change, hash_of, proposal

from metanode.chain import ibft
from metanode.chain.ibft import IbftRefusal
from metanode.primitives.names import Height, Round, Seat
from metanode.records.proposal import ProposalContent
from metanode.records.validators import ValidatorSet
from metanode.records.vote import VoteKind

MANY = validators(17)
"""Here certificates are aggregates; twelve are a quorum."""


def accepted(members: ValidatorSet, block: ProposalContent) -> ibft.Ibft:
    """The last seat; the block of round 0 is found valid."""
    machine = ibft.Ibft(CHAIN)
    seats = len(members)
    machine.handle(Cluster(seats, all_to_all_max=seats - 1).begins(1, seats - 1))
    machine.handle(ibft.BlockDue(0))
    hear(machine, proposal(members, 0, block, [], round_=0), 0)
    machine.handle(ibft.Validated(0, hash_of(block), valid=True))
    return machine


def ballots(members: ValidatorSet, kind: VoteKind, seats: list[int], header_hash: bytes = X) -> list[ibft.Ballot]:
    return [ibft.Ballot(vote=vote(members, kind, seat, header_hash)) for seat in seats]


def request(effects: list[ibft.Effect]) -> ibft.CheckShares:
    (asked,) = of(effects, ibft.CheckShares)
    return asked


def answer(asked: ibft.CheckShares) -> ibft.SharesChecked:
    return ibft.SharesChecked(0, asked.token, *check_shares(asked.message, asked.keys, asked.shares))


def all_heard(machine: ibft.Ibft, words: list[ibft.Ballot]) -> list[ibft.Effect]:
    return [effect for word in words for effect in hear(machine, word, word.vote.seat)]


def test_a_sum_of_prepares_counts_in_its_round_and_once() -> None:
    """IBFT-R2. In time; in a round that was left; where the leader showed a certificate meanwhile."""
    block = content(MANY, 0)
    prepares = ballots(MANY, VoteKind.PREPARE, list(range(12)), hash_of(block))
    shown = certificate(MANY, list(range(12)), hash_of(block))
    in_time = accepted(MANY, block)
    asked = request(all_heard(in_time, prepares))
    effects = in_time.handle(answer(asked))
    assert of(effects, ibft.Journal) == [ibft.Journal(ibft.Locked(height=1, certificate=shown))]
    assert asked_to_sign(effects) == [(VoteKind.COMMIT, 0)]
    left = accepted(MANY, block)
    asked = request(all_heard(left, prepares))
    left.handle(ibft.TimerFired(0, "ibft.round/1/0"))
    assert left.handle(answer(asked)) == []
    assert state_of(left).prepared is None
    prepared = accepted(MANY, block)
    asked = request(all_heard(prepared, prepares))
    assert asked_to_sign(hear(prepared, ibft.Prepared(certificate=shown), 0)) == [(VoteKind.COMMIT, 0)]
    assert prepared.handle(answer(asked)) == []


def test_where_a_sum_failed_the_good_shares_are_summed_at_once() -> None:
    """BLS-B6. The fourth COMMIT came while the sum of three was out."""
    machine = accepted(MEMBERS, BLOCK)
    bad = ibft.Ballot(vote=vote(MEMBERS, VoteKind.COMMIT, 0, X, seal=bytes(96)))
    asked = request(all_heard(machine, [bad, *ballots(MEMBERS, VoteKind.COMMIT, [1, 2])]))
    own = vote(MEMBERS, VoteKind.COMMIT, 3, X)
    assert of(machine.handle(ibft.Signed(0, own)), ibft.CheckShares) == []
    blame, again = machine.handle(answer(asked))
    assert blame == ibft.Blame(Seat(0), IbftRefusal.BAD_SHARE, "COMMIT of round 0")
    assert isinstance(again, ibft.CheckShares)
    assert [one.commit for one in of(machine.handle(answer(again)), ibft.Decide)] == [commit(MEMBERS, [1, 2, 3], X)]


def test_only_votes_that_carry_shares_take_room_for_them() -> None:
    machine = accepted(MEMBERS, BLOCK)
    all_heard(machine, ballots(MEMBERS, VoteKind.PREPARE, [0, 1]))
    assert state_of(machine).shares == {}
    all_heard(machine, ballots(MEMBERS, VoteKind.COMMIT, [0, 1]))
    assert list(state_of(machine).shares) == [(VoteKind.COMMIT, 0, X)]
    own = ibft.Spoke(height=1, vote=vote(MEMBERS, VoteKind.PREPARE, 1, X))
    assert state_of(resumed(Cluster(4), 1, HELD, ACCEPTED, own)[0]).shares == {}


def test_a_verdict_on_a_block_that_was_forgotten_meanwhile_says_nothing_of_it() -> None:
    """IBFT-M3. Should it come back, it is judged again."""
    machine = ibft.Ibft(CHAIN)
    machine.handle(Cluster(4).begins(1, 3))
    hear(machine, proposal(MEMBERS, 0, BLOCK, [], round_=0), 0)
    for round_ in range(1, 7):
        changes = [change(MEMBERS, seat, round_).vote for seat in (0, 1, 2)]
        later = content(MEMBERS, round_ % 4, f"{round_}")
        hear(machine, proposal(MEMBERS, round_ % 4, later, changes, round_=round_), round_ % 4)
    assert X not in state_of(machine).contents
    assert machine.handle(ibft.Validated(0, X, valid=True)) == []
    decided = ibft.Decided(commit=commit(MEMBERS, [0, 1, 2], X), header=BLOCK.header)
    assert of(hear(machine, decided, 1), ibft.Decide) == []
    asked = ibft.Validate(BLOCK, X, Height(1), Round(6), Seat(2), reproposed=True)
    assert machine.handle(ibft.Received(0, ibft.Content(height=1, content=BLOCK), Seat(2))) == [asked]


@pytest.mark.parametrize(("told_by", "asked"), [(0, [0, 1, 2, 0]), (2, [2, 0, 1, 2]), (1, [1, 0, 2, 1])])
def test_a_decided_block_is_asked_for_first_of_who_told_of_it(told_by: int, asked: list[int]) -> None:
    """Then of the others who committed, one after another; each once in turn."""
    _, machine = lone()
    decided = ibft.Decided(commit=commit(MEMBERS, [0, 1, 2], X), header=BLOCK.header)
    effects = hear(machine, decided, told_by)
    for _ in range(3):
        effects += machine.handle(ibft.TimerFired(0, "ibft.resend/1/0"))
    block = ibft.Wanted(height=1, header_hash=X)
    assert of(effects, ibft.SendTo) == [ibft.SendTo(Seat(seat), block) for seat in asked]


def test_whoever_brought_a_block_is_its_source_where_nobody_proposes_it() -> None:
    """What is proposed is asked of its leader, whoever passed it on."""
    _, machine = lone()
    other = content(MEMBERS, 0, "other")
    effects = hear(machine, proposal(MEMBERS, 0, other, [], round_=0), 2)
    assert [one.source for one in of(effects, ibft.Validate)] == [0]
    hear(machine, ibft.Decided(commit=commit(MEMBERS, [0, 1, 2], X), header=BLOCK.header), 1)
    effects = machine.handle(ibft.Received(0, ibft.Content(height=1, content=BLOCK), Seat(1)))
    assert [(one.source, one.reproposed) for one in of(effects, ibft.Validate)] == [(1, True)]


def test_an_observer_shows_nobody_the_proposal_it_heard() -> None:
    """IBFT-M5 is for those who vote."""
    another = vote(MEMBERS, VoteKind.PREPARE, 2, hash_of(content(MEMBERS, 0, "other")))
    offered = proposal(MEMBERS, 0, BLOCK, [], round_=0)
    shown = {}
    for seat in (ibft.NO_SEAT, Seat(3)):
        _, machine = lone(seat)
        hear(machine, offered, 0)
        shown[seat] = of(hear(machine, ibft.Ballot(vote=another), 2), ibft.SendTo)
    assert shown == {ibft.NO_SEAT: [], Seat(3): [ibft.SendTo(Seat(2), offered)]}


def test_what_forensics_keep_of_a_height_has_the_justifications_of_its_rounds() -> None:
    cluster = Cluster(4, puppets=(0,)).start()
    cluster.expire().pump()
    cluster.begin(2)
    (kept,) = cluster[2].asked(ibft.Keep)
    (why,) = kept.justifications
    assert sorted(one.seat for one in why.round_changes) == [1, 2, 3]
    calm = Cluster(4).start().pump()
    calm.begin(2)
    assert [one.justifications for one in calm[2].asked(ibft.Keep)] == [()]
