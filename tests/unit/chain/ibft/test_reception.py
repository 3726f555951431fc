"""What is looked at, counts, is passed on or held against somebody: by whole effects (IBFT-M1 … M4, EVID-4, EVID-9)."""

from dataclasses import replace

import msgspec
from tests.unit.chain.ibft.cluster import of, state_of
from tests.unit.chain.ibft.counterfeit import (
    certificate,
    commit,
    content,
    signed,
    validators,
    vote,
)
from tests.unit.chain.ibft.test_attacks import hear
from tests.unit.chain.ibft.test_found_by_mutants import BLOCK, MEMBERS, X, asked_to_sign, lone
from tests.unit.chain.ibft.test_round_change import change, hash_of, proposal

from metanode.chain import ibft
from metanode.chain.evidence import JustificationRefusal
from metanode.chain.ibft import IbftRefusal
from metanode.chain.ibft.state import ROUNDS_AHEAD_MAX, ROUNDS_BEHIND_MAX
from metanode.primitives.names import NO_HASH, Height, Seat
from metanode.records.evidence import Amnesia, UnjustifiedProposal
from metanode.records.vote import VoteKind

OTHER = content(MEMBERS, 0, "other")


def received(machine: ibft.Ibft, message: ibft.Message, origin: int) -> list[ibft.Effect]:
    return machine.handle(ibft.Received(0, message, Seat(origin)))


def ballot(kind: VoteKind, seat: int, header_hash: bytes = X, round_: int = 0) -> ibft.Ballot:
    return ibft.Ballot(vote=vote(MEMBERS, kind, seat, header_hash, round_=round_))


def in_round_1() -> ibft.Ibft:
    """Seat 3 gave up round 0, and said so."""
    _, machine = lone()
    (asked,) = of(machine.handle(ibft.TimerFired(0, "ibft.round/1/0")), ibft.Sign)
    machine.handle(ibft.Signed(0, signed(asked.vote, MEMBERS)))
    return machine


def but_for_checks(effects: list[ibft.Effect]) -> list[ibft.Effect]:
    return [one for one in effects if not isinstance(one, ibft.CheckSignatures | ibft.CheckAggregates)]


def test_what_is_known_is_not_looked_at_again() -> None:
    """A ROUND-CHANGE, or one to a lower round than one that is known; also when its round was left meanwhile. A second
    certificate of what is decided, and a proposal of a round that was left."""
    _, machine = lone()
    hear(machine, change(MEMBERS, 1, 5), 1)
    for message in (change(MEMBERS, 1, 3), change(MEMBERS, 1, 5)):
        assert received(machine, message, 1) == []
    machine = in_round_1()
    assert received(machine, proposal(MEMBERS, 0, BLOCK, [], round_=0), 0) == []
    effects = [
        one for seat, round_ in ((1, 1), (2, 2), (0, 3)) for one in hear(machine, change(MEMBERS, seat, round_), seat)
    ]
    (asked,) = of(effects, ibft.Sign)
    machine.handle(ibft.Signed(0, signed(asked.vote, MEMBERS)))
    assert state_of(machine).round == 2
    assert received(machine, change(MEMBERS, 1, 1), 1) == []
    _, machine = lone()
    hear(machine, ibft.Decided(commit=commit(MEMBERS, [0, 1, 2], X), header=BLOCK.header), 0)
    assert received(machine, ibft.Decided(commit=commit(MEMBERS, [0, 1, 3], X), header=BLOCK.header), 1) == []


def test_a_third_word_of_one_step_is_not_looked_at() -> None:
    """The second has convicted its sender."""
    _, machine = lone()
    words = [ballot(VoteKind.PREPARE, 1, hash_of(content(MEMBERS, 0, name))) for name in ("a", "b", "c")]
    effects = [but_for_checks(hear(machine, word, 1)) for word in words]
    assert [[type(one) for one in found] for found in effects] == [[], [ibft.Accuse], []]
    assert received(machine, ballot(VoteKind.PREPARE, 1), 1) == []


def test_prepares_of_a_certificate_that_a_justification_left_out_are_learnt_as_far_as_votes_are_kept() -> None:
    """IBFT-P5, M3. Seat 0 prepared in round 0 and seat 1 later: the justification shows the later certificate alone."""
    for round_, learnt in ((2, [0, 1, 2]), (2 + ROUNDS_BEHIND_MAX, [])):
        _, machine = lone()
        early = certificate(MEMBERS, [0, 1, 2], X)
        later = certificate(MEMBERS, [0, 1, 2], X, round_=round_ - 1)
        changes = [change(MEMBERS, 0, round_, early), change(MEMBERS, 1, round_, later), change(MEMBERS, 2, round_)]
        leads = round_ % 4
        hear(machine, proposal(MEMBERS, leads, BLOCK, [one.vote for one in changes], (later,), round_=round_), leads)
        assert state_of(machine).round == round_
        for news in (bool(learnt), False):
            assert bool(hear(machine, changes[0], 0)) is news
        assert sorted(state_of(machine).votes.get((VoteKind.PREPARE, 0), {})) == learnt


def test_prepares_are_learnt_within_the_rounds_for_which_votes_are_kept() -> None:
    """IBFT-M3. 64 rounds back and 16 ahead, whoever shows them."""
    cases = [
        (ROUNDS_BEHIND_MAX, 0, True),
        (ROUNDS_BEHIND_MAX + 1, 0, False),
        (0, ROUNDS_AHEAD_MAX, True),
        (0, ROUNDS_AHEAD_MAX + 1, False),
    ]
    for here, shown, kept in cases:
        _, machine = lone()
        for seat in (1, 2) if here else ():
            hear(machine, change(MEMBERS, seat, here), seat)
        assert state_of(machine).round == here
        proof = certificate(MEMBERS, [0, 1, 2], X, round_=shown)
        hear(machine, change(MEMBERS, 0, max(here, shown) + 1, proof), 0)
        assert ((VoteKind.PREPARE, shown) in state_of(machine).votes) is kept


def test_an_unjustified_proposal_accuses_its_leader_once_and_a_false_one_who_brought_it() -> None:
    _, machine = lone()
    bad = proposal(MEMBERS, 1, content(MEMBERS, 1), [])
    effects = but_for_checks(hear(machine, bad, 2))
    accused = UnjustifiedProposal(validators_hash=MEMBERS.hash, proposal=bad.vote, justification=bad.justification)
    blamed, accuse = effects
    assert isinstance(blamed, ibft.Blame)
    assert (blamed.seat, blamed.refusal) == (1, JustificationRefusal.UNJUSTIFIED)
    assert accuse == ibft.Accuse(accused)
    assert received(machine, bad, 2) == []
    for false, refusal in (
        (proposal(MEMBERS, 1, content(MEMBERS, 1), [], round_=0), IbftRefusal.NOT_THE_LEADER),
        (proposal(MEMBERS, 0, content(MEMBERS, 1), [], round_=0), IbftRefusal.WRONG_HEADER),
    ):
        (blame,) = received(machine, false, 2)
        assert isinstance(blame, ibft.Blame)
        assert (blame.seat, blame.refusal) == (2, refusal)


def test_certificates_of_two_rounds_for_two_headers_are_an_alarm_and_accuse_nobody_by_themselves() -> None:
    """EVID-6. Only two of one round convict those who are in both."""
    for round_, accused in ((0, 1), (1, 0)):
        _, machine = lone()
        hear(machine, ibft.Decided(commit=commit(MEMBERS, [0, 1, 2], X), header=BLOCK.header), 0)
        second = commit(MEMBERS, [0, 1, 2], hash_of(OTHER), round_=round_)
        effects = but_for_checks(hear(machine, ibft.Decided(commit=second, header=OTHER.header), 1))
        assert [type(one) for one in effects] == [ibft.Accuse] * accused + [ibft.Diverged]
        assert effects[-1] == ibft.Diverged(Height(1), hash_of(OTHER), "two certificates of one height")


def test_a_round_change_of_a_justification_is_held_against_a_commit_in_either_order() -> None:
    """EVID-4. It came with a proposal only."""
    changes = [change(MEMBERS, seat, 1).vote for seat in (0, 1, 2)]
    offered = proposal(MEMBERS, 1, content(MEMBERS, 1), changes)
    word = ballot(VoteKind.COMMIT, 2)
    forgets = Amnesia(validators_hash=MEMBERS.hash, commit=word.vote, round_change=changes[2])
    messages: list[tuple[ibft.Message, int]] = [(word, 2), (offered, 1)]
    for order in (messages, messages[::-1]):
        _, machine = lone()
        effects = [one for message, origin in order for one in hear(machine, message, origin)]
        assert of(effects, ibft.Accuse) == [ibft.Accuse(forgets)]


def test_prepares_learnt_from_a_certificate_prepare_this_seat_too() -> None:
    """IBFT-P5. A ROUND-CHANGE shows the quorum for what this seat accepted in this round."""
    _, machine = lone()
    hear(machine, proposal(MEMBERS, 0, BLOCK, [], round_=0), 0)
    machine.handle(ibft.Validated(0, X, valid=True))
    shown = certificate(MEMBERS, [0, 1, 2], X)
    assert asked_to_sign(hear(machine, change(MEMBERS, 1, 1, shown), 1)) == [(VoteKind.COMMIT, 0)]
    assert state_of(machine).prepared == shown


def test_a_round_change_that_was_being_checked_at_the_decision_accuses_only_who_denies_its_commit() -> None:
    """EVID-9. Seat 2 is not among those who committed."""
    for seat, accused in ((1, 1), (2, 0)):
        _, machine = lone()
        hear(machine, proposal(MEMBERS, 0, BLOCK, [], round_=0), 0)
        hear(machine, ibft.Decided(commit=commit(MEMBERS, [0, 1, 3], X), header=BLOCK.header), 0)
        (check,) = received(machine, change(MEMBERS, seat, 1), seat)
        assert isinstance(check, ibft.CheckSignatures)
        assert len(of(machine.handle(ibft.Validated(0, X, valid=True)), ibft.Decide)) == 1
        effects = machine.handle(ibft.SignaturesChecked(0, check.token, (True,)))
        assert [type(one) for one in effects] == [ibft.Accuse] * accused


def test_only_first_words_of_rounds_at_hand_are_passed_on() -> None:
    """IBFT-M4. Not a COMMIT of the round before, which still counts, nor a second word of a seat."""
    machine = in_round_1()
    cases: list[tuple[ibft.Ballot, bool]] = [
        (ballot(VoteKind.PREPARE, 0, round_=1), True),
        (ballot(VoteKind.PREPARE, 0, hash_of(OTHER), round_=1), False),
        (ballot(VoteKind.COMMIT, 0), False),
        (ballot(VoteKind.COMMIT, 1, round_=1), True),
        (ballot(VoteKind.PREPARE, 2), False),
    ]
    passed = [of(hear(machine, word, word.vote.seat), ibft.Relay) for word, _ in cases]
    assert passed == [[ibft.Relay(Seat(word.vote.seat), word)] if on else [] for word, on in cases]


def test_of_a_height_that_others_decided_no_decision_is_looked_at() -> None:
    cluster, machine = lone()
    machine.handle(cluster.begins(2, 3))
    assert received(machine, ibft.Decided(commit=commit(MEMBERS, [0, 1, 2], X), header=BLOCK.header), 1) == []


def test_late_commits_of_a_height_that_others_decided_start_no_timer() -> None:
    """Seat 3 waited in round 1 for a quorum and knew the certificate, but not the block; then it came by sync."""
    cluster, machine = lone()
    machine.handle(ibft.TimerFired(0, "ibft.round/1/0"))
    hear(machine, ibft.Decided(commit=commit(MEMBERS, [0, 1, 3], X, round_=1), header=BLOCK.header), 0)
    assert state_of(machine).round_timer == ""
    machine.handle(cluster.begins(2, 3))
    for seat in (0, 1):
        assert but_for_checks(hear(machine, ballot(VoteKind.COMMIT, seat, round_=1), seat)) == []


def test_a_word_of_nobody_is_noted_nowhere() -> None:
    """It waited for its height, at whose begin another set has the links."""
    cluster, machine = lone()
    nobody = msgspec.structs.replace(vote(MEMBERS, VoteKind.PREPARE, 1, NO_HASH, height=2), seat=-1, round=-1)
    assert received(machine, ibft.Ballot(vote=nobody), 1) == []
    begins = replace(cluster.begins(2, 3), validators=validators(5))
    (blame,) = machine.handle(begins)
    assert isinstance(blame, ibft.Blame)
    assert blame.seat == ibft.NO_SEAT
    account = machine.account
    assert account is not None
    assert account.notes.late == ()
