"""Answers that come when things have moved on: sums of shares, verdicts on blocks, blocks that were asked for."""

import pytest
from tests.unit.chain.ibft.cluster import Cluster, of, state_of
from tests.unit.chain.ibft.counterfeit import CHAIN, certificate, check_shares, commit, content, validators, vote
from tests.unit.chain.ibft.test_attacks import hear
from tests.unit.chain.ibft.test_found_by_mutants import ACCEPTED, BLOCK, HELD, MEMBERS, X, asked_to_sign, lone, resumed
from tests.unit.chain.ibft.test_round_change import change, hash_of, proposal

from metanode.chain import ibft
from metanode.chain.ibft import IbftRefusal
from metanode.primitives.names import NO_HASH, Height, Round, Seat
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


def six_rounds_after_its_block() -> ibft.Ibft:
    """Seat 3 heard BLOCK in round 0, and a block of another leader in each of the six rounds after it."""
    machine = ibft.Ibft(CHAIN)
    machine.handle(Cluster(4).begins(1, 3))
    hear(machine, proposal(MEMBERS, 0, BLOCK, [], round_=0), 0)
    for round_ in range(1, 7):
        changes = [change(MEMBERS, seat, round_).vote for seat in (0, 1, 2)]
        later = content(MEMBERS, round_ % 4, f"{round_}")
        hear(machine, proposal(MEMBERS, round_ % 4, later, changes, round_=round_), round_ % 4)
    return machine


def test_a_verdict_on_a_block_that_was_forgotten_meanwhile_says_nothing_of_it() -> None:
    """IBFT-M3. Should it come back, it is judged again."""
    machine = six_rounds_after_its_block()
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


def test_a_block_that_was_forgotten_while_its_time_was_judged_is_no_reason_to_stop() -> None:
    """IBFT-C1. It came too early for this clock; six rounds later a quorum has committed to it. It was asked for again,
    and is judged without its time."""
    machine = six_rounds_after_its_block()
    decided = ibft.Decided(commit=commit(MEMBERS, [0, 1, 2], X), header=BLOCK.header)
    assert len(of(hear(machine, decided, 1), ibft.SendTo)) == 1
    assert machine.handle(ibft.Validated(0, X, valid=False, refusal="block.too-early")) == []
    effects = machine.handle(ibft.Received(0, ibft.Content(height=1, content=BLOCK), Seat(0)))
    assert effects == [ibft.Validate(BLOCK, X, Height(1), Round(6), Seat(0), reproposed=True)]
    diverged = ibft.Diverged(Height(1), X, "block.wrong-results")
    assert machine.handle(ibft.Validated(0, X, valid=False, refusal="block.wrong-results")) == [diverged]


def test_false_sections_are_asked_for_of_everybody_but_who_brought_them() -> None:
    _, machine = lone()
    hear(machine, proposal(MEMBERS, 0, BLOCK, [], round_=0), 1)
    effects = machine.handle(ibft.Validated(0, X, valid=False, refusal="x", foreign=True))
    for _ in range(3):
        effects += machine.handle(ibft.TimerFired(0, "ibft.resend/1/0"))
    assert [one.seat for one in of(effects, ibft.SendTo)] == [0, 2, 0, 2]


def test_a_carried_block_with_false_sections_is_judged_without_its_time_when_it_comes_back() -> None:
    _, machine = lone()
    shown = certificate(MEMBERS, [0, 1, 2], X)
    carried = proposal(MEMBERS, 1, BLOCK, [change(MEMBERS, seat, 1, shown).vote for seat in (0, 1, 2)], (shown,))
    hear(machine, carried, 1)
    machine.handle(ibft.Validated(0, X, valid=False, refusal="x", foreign=True))
    effects = machine.handle(ibft.Received(0, ibft.Content(height=1, content=BLOCK), Seat(2)))
    assert [one.reproposed for one in of(effects, ibft.Validate)] == [True]


def test_a_proposal_that_was_being_checked_when_its_round_was_left_is_not_taken_up() -> None:
    _, machine = lone()
    (check,) = machine.handle(ibft.Received(0, proposal(MEMBERS, 0, BLOCK, [], round_=0), Seat(0)))
    assert isinstance(check, ibft.CheckSignatures)
    machine.handle(ibft.TimerFired(0, "ibft.round/1/0"))
    assert machine.handle(ibft.SignaturesChecked(0, check.token, (True,))) == []
    assert state_of(machine).candidate is None


def test_a_proposal_makes_the_time_of_its_round_run() -> None:
    """IBFT-V1. Also where this seat does not know yet that a block is due."""
    machine = ibft.Ibft(CHAIN)
    machine.handle(Cluster(4).begins(1, 3))
    effects = hear(machine, proposal(MEMBERS, 0, BLOCK, [], round_=0), 0)
    assert effects[1:] == [
        ibft.SetTimer("ibft.resend/1/0", 546),
        ibft.SetTimer("ibft.round/1/0", 1_000),
        ibft.Validate(BLOCK, X, Height(1), Round(0), Seat(0), reproposed=False),
    ]


def test_a_proposal_that_came_twice_at_once_is_taken_up_once() -> None:
    """Its leader's, and passed on by another, in one batch of checks; who prepared another block is shown one of it."""
    cluster, machine = lone()
    other = vote(MEMBERS, VoteKind.PREPARE, 2, hash_of(content(MEMBERS, 1, "other")), round_=1)
    (out,) = of(machine.handle(ibft.Received(0, ibft.Ballot(vote=other), Seat(2))), ibft.CheckSignatures)
    changes = [change(MEMBERS, seat, 1).vote for seat in (0, 1, 2)]
    offered = proposal(MEMBERS, 1, content(MEMBERS, 1), changes)
    for seat in (1, 0):
        assert machine.handle(ibft.Received(0, offered, Seat(seat))) == []
    (check,) = of(machine.handle(ibft.SignaturesChecked(0, out.token, (True,))), ibft.CheckSignatures)
    effects = machine.handle(ibft.SignaturesChecked(0, check.token, (True,) * len(check.items)))
    assert of(effects, ibft.SendTo) == [ibft.SendTo(Seat(2), offered)]
    (kept,) = of(machine.handle(cluster.begins(2, 3)), ibft.Keep)
    assert kept.justifications == (offered.justification,)


def test_two_proposals_after_a_stop_leave_what_was_accepted_before_it() -> None:
    """The leader shows another first, then the one of before: the second word of a round counts for nothing."""
    machine, _ = resumed(Cluster(4), 1, HELD, ACCEPTED)
    other = content(MEMBERS, 0, "other")
    effects = [one for block in (other, BLOCK) for one in hear(machine, proposal(MEMBERS, 0, block, [], round_=0), 0)]
    assert len(of(effects, ibft.Accuse)) == 1
    assert of(effects, ibft.Validate) == []
    assert (state_of(machine).candidate, state_of(machine).accepted) == (None, X)


def test_the_second_commit_of_a_seat_counts_for_nothing() -> None:
    """It committed to another block, then to this one: its share would make a quorum."""
    machine = accepted(MEMBERS, BLOCK)
    all_heard(machine, ballots(MEMBERS, VoteKind.COMMIT, [2], hash_of(content(MEMBERS, 0, "other"))))
    assert of(all_heard(machine, ballots(MEMBERS, VoteKind.COMMIT, [0, 1, 2])), ibft.CheckShares) == []


def test_only_a_prepare_of_the_round_for_another_block_is_shown_the_proposal() -> None:
    """IBFT-M5."""
    machine = accepted(MEMBERS, BLOCK)
    other = hash_of(content(MEMBERS, 0, "other"))
    cases = [(VoteKind.COMMIT, 0, False), (VoteKind.PREPARE, 1, False), (VoteKind.PREPARE, 0, True)]
    for kind, round_, shown in cases:
        word = ibft.Ballot(vote=vote(MEMBERS, kind, 2, other, round_=round_))
        assert len(of(hear(machine, word, 2), ibft.SendTo)) == shown


def test_a_block_accepted_after_its_prepares_is_committed_to_at_once() -> None:
    """IBFT-R2. This seat's own PREPARE is not needed for the quorum; judged valid once more, nothing follows."""
    _, machine = lone()
    hear(machine, proposal(MEMBERS, 0, BLOCK, [], round_=0), 0)
    all_heard(machine, ballots(MEMBERS, VoteKind.PREPARE, [0, 1, 2]))
    effects = machine.handle(ibft.Validated(0, X, valid=True))
    assert asked_to_sign(effects) == [(VoteKind.PREPARE, 0), (VoteKind.COMMIT, 0)]
    assert machine.handle(ibft.Validated(0, X, valid=True)) == []


def test_nothing_and_another_block_than_the_accepted_one_are_never_prepared() -> None:
    """IBFT-R2. A quorum of more liars than the protocol bears prepares zeros, or shows another block's certificate."""
    _, machine = lone()
    assert asked_to_sign(all_heard(machine, ballots(MEMBERS, VoteKind.PREPARE, [0, 1, 2], NO_HASH))) == []
    machine = accepted(MEMBERS, BLOCK)
    other = certificate(MEMBERS, [0, 1, 2], hash_of(content(MEMBERS, 0, "other")))
    assert asked_to_sign(hear(machine, ibft.Prepared(certificate=other), 0)) == []
    assert state_of(machine).prepared is None


def test_of_two_certificates_that_wait_together_the_first_is_kept_and_none_of_a_round_that_was_left() -> None:
    for left in (False, True):
        _, machine = lone()
        first = ibft.Prepared(certificate=certificate(MEMBERS, [0, 1, 2], X))
        second = ibft.Prepared(certificate=certificate(MEMBERS, [0, 1, 3], X))
        ahead = ibft.Ballot(vote=vote(MEMBERS, VoteKind.PREPARE, 0, X, round_=3))
        (out,) = of(machine.handle(ibft.Received(0, ahead, Seat(0))), ibft.CheckSignatures)
        for message in (first, second):
            assert machine.handle(ibft.Received(0, message, Seat(0))) == []
        (check,) = of(machine.handle(ibft.SignaturesChecked(0, out.token, (True,))), ibft.CheckSignatures)
        if left:
            machine.handle(ibft.TimerFired(0, "ibft.round/1/0"))
        machine.handle(ibft.SignaturesChecked(0, check.token, (True,) * len(check.items)))
        assert state_of(machine).shown == (None if left else first.certificate)


def test_a_sum_of_a_round_that_was_left_does_not_prepare_the_same_block_in_the_next() -> None:
    block = content(MANY, 0)
    machine = accepted(MANY, block)
    asked = request(all_heard(machine, ballots(MANY, VoteKind.PREPARE, list(range(12)), hash_of(block))))
    shown = certificate(MANY, list(range(12)), hash_of(block))
    changes = [change(MANY, seat, 1, shown).vote for seat in range(12)]
    effects = hear(machine, proposal(MANY, 1, block, changes, (shown,)), 1)
    assert asked_to_sign(effects) == [(VoteKind.PREPARE, 1)]
    assert machine.handle(answer(asked)) == []


def test_shares_of_a_seat_that_gave_a_bad_one_are_left_out_where_others_are_enough() -> None:
    """BLS-B6. Its COMMIT of round 0 had a bad share; in round 1 there are thirteen PREPAREs, of which twelve are
    enough."""
    block, later = content(MANY, 0), content(MANY, 1)
    machine = accepted(MANY, block)
    bad = ibft.Ballot(vote=vote(MANY, VoteKind.COMMIT, 0, hash_of(block), seal=bytes(96)))
    asked = request(all_heard(machine, [bad, *ballots(MANY, VoteKind.COMMIT, list(range(1, 12)), hash_of(block))]))
    assert len(of(machine.handle(answer(asked)), ibft.Blame)) == 1
    words = [vote(MANY, VoteKind.PREPARE, seat, hash_of(later), round_=1) for seat in range(13)]
    all_heard(machine, [ibft.Ballot(vote=word) for word in words])
    changes = [change(MANY, seat, 1).vote for seat in range(12)]
    hear(machine, proposal(MANY, 1, later, changes), 1)
    asked = request(machine.handle(ibft.Validated(0, hash_of(later), valid=True)))
    assert asked.keys == tuple(MANY.bls_keys[1:13])


def test_the_first_certificate_of_a_height_is_the_one_that_decides() -> None:
    """The sum of this seat's own comes while the block is still missing."""
    _, machine = lone()
    asked = request(all_heard(machine, ballots(MEMBERS, VoteKind.COMMIT, [0, 1, 2])))
    first = commit(MEMBERS, [0, 1, 3], X)
    hear(machine, ibft.Decided(commit=first, header=BLOCK.header), 0)
    assert machine.handle(answer(asked)) == []
    machine.handle(ibft.Received(0, ibft.Content(height=1, content=BLOCK), Seat(1)))
    assert [one.commit for one in of(machine.handle(ibft.Validated(0, X, valid=True)), ibft.Decide)] == [first]


def test_after_a_decision_that_others_told_no_shares_are_summed_unasked() -> None:
    machine = accepted(MEMBERS, BLOCK)
    hear(machine, ibft.Decided(commit=commit(MEMBERS, [0, 1, 2], X), header=BLOCK.header), 0)
    assert of(all_heard(machine, ballots(MEMBERS, VoteKind.COMMIT, [0, 1, 2])), ibft.CheckShares) == []


def test_a_vote_that_came_twice_at_once_counts_once() -> None:
    """Its sender's, and passed on by another, in one batch of checks."""
    machine = accepted(MEMBERS, BLOCK)
    (out,) = of(
        machine.handle(ibft.Received(0, ballots(MEMBERS, VoteKind.PREPARE, [0])[0], Seat(0))), ibft.CheckSignatures
    )
    (other,) = ballots(MEMBERS, VoteKind.PREPARE, [2], hash_of(content(MEMBERS, 0, "other")))
    for seat in (2, 1):
        assert machine.handle(ibft.Received(0, other, Seat(seat))) == []
    (check,) = of(machine.handle(ibft.SignaturesChecked(0, out.token, (True,))), ibft.CheckSignatures)
    shown = of(machine.handle(ibft.SignaturesChecked(0, check.token, (True,))), ibft.SendTo)
    assert [one.seat for one in shown] == [2]
