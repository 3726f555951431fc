"""Leading a round: once, with the highest value that was prepared, and only while this seat has a word."""

from itertools import permutations

import pytest
from tests.unit.chain.ibft.cluster import Cluster, of, state_of
from tests.unit.chain.ibft.counterfeit import CHAIN, certificate, commit, content, signed, validators
from tests.unit.chain.ibft.test_attacks import hear
from tests.unit.chain.ibft.test_found_by_mutants import (
    ACCEPTED,
    BLOCK,
    HELD,
    LOCKED,
    MEMBERS,
    NOTHING,
    X,
    asked_to_sign,
    resumed,
)
from tests.unit.chain.ibft.test_round_change import change, hash_of

from metanode.chain import ibft
from metanode.chain.ibft import IbftRefusal
from metanode.chain.ibft.leading import _highest
from metanode.primitives.names import Hash, Height, Round, Seat
from metanode.records.transcript import TurnedDown
from metanode.records.vote import Justification, VoteKind

PROPOSED = ibft.Proposed(height=1, round=0, header_hash=X, justification=NOTHING)
LATER = content(MEMBERS, 1, "round 1")


def asked_to_build(effects: list[ibft.Effect]) -> list[int]:
    return [one.round for one in of(effects, ibft.Build)]


def none_of(effects: list[ibft.Effect], *kinds: type[ibft.Effect]) -> bool:
    return not any(isinstance(effect, kinds) for effect in effects)


@pytest.mark.parametrize(
    ("prepared", "highest"),
    [
        ({0: None, 1: None, 2: None}, 0),
        ({0: None, 1: None, 2: 0}, 2),
        ({0: 0, 1: None, 2: None}, 0),
        ({0: 3, 1: 1, 2: 2}, 0),
        ({0: 1, 1: 3, 2: 2}, 1),
        ({0: 1, 1: 2, 2: 3}, 2),
        ({0: None, 1: 2, 2: 2}, 1),
        ({0: 2, 1: 0, 2: 2}, 0),
    ],
)
def test_the_highest_prepared_round_is_carried_on(prepared: dict[int, int | None], highest: int) -> None:
    """IBFT-P5. In whatever order they came; of several that have it the first by seat."""
    shown = [
        change(MEMBERS, seat, 4, None if at is None else certificate(MEMBERS, [0, 1, 2], X, round_=at))
        for seat, at in prepared.items()
    ]
    assert {_highest(list(order)).vote.seat for order in permutations(shown)} == {highest}


def test_a_block_that_is_due_once_more_is_not_built_once_more() -> None:
    """In no higher round, nor where a decision or a proposal of before a stop is known."""
    settled = ibft.Settled(height=1, commit=commit(MEMBERS, [0, 1, 2], X))
    cases: dict[str, tuple[int, list[ibft.Record], list[int]]] = {
        "fresh": (0, [], [0]),
        "another leads": (1, [], []),
        "a later round": (1, [ibft.Moved(height=1, round=1, announced=True)], []),
        "settled": (0, [settled], []),
        "proposed and accepted": (0, [HELD, PROPOSED, ACCEPTED], []),
    }
    found = {}
    for name, (seat, records, _) in cases.items():
        machine, _ = resumed(Cluster(4), seat, *records)
        found[name] = asked_to_build(machine.handle(ibft.BlockDue(0)))
    assert found == {name: built for name, (_, _, built) in cases.items()}


def test_a_round_is_led_once() -> None:
    """A ROUND-CHANGE more than a quorum, while the block is built, judged, or was proposed before a stop."""
    cluster, machine = Cluster(7), ibft.Ibft(CHAIN)
    members = cluster.members
    machine.handle(cluster.begins(1, 1))
    machine.handle(ibft.BlockDue(0))
    effects = [effect for seat in (0, 2, 3, 4, 5) for effect in hear(machine, change(members, seat, 1), seat)]
    assert asked_to_build(effects) == [1]
    assert asked_to_build(hear(machine, change(members, 6, 1), 6)) == []
    block = content(members, 1)
    machine.handle(ibft.Built(0, Height(1), Round(1), block))
    own = next(one for one in of(effects, ibft.Sign) if one.vote.round == 1)
    effects = machine.handle(ibft.Signed(0, signed(own.vote, members)))
    assert none_of(effects, ibft.Build, ibft.Validate)


def test_what_was_proposed_before_a_stop_is_not_proposed_anew() -> None:
    held, x = ibft.Held(height=1, content=LATER), hash_of(LATER)
    changes = [change(MEMBERS, seat, 1) for seat in (0, 2, 3)]
    why = Justification(round_changes=tuple(one.vote for one in changes), certificates=())
    proposed = ibft.Proposed(height=1, round=1, header_hash=x, justification=why)
    accepted = ibft.Accepted(height=1, round=1, header_hash=x)
    machine, _ = resumed(Cluster(4), 1, held, proposed, accepted)
    for one in changes:
        assert none_of(hear(machine, one, one.vote.seat), ibft.Build, ibft.Validate)
    assert sorted(state_of(machine).changes[1]) == [0, 2, 3]


def test_who_is_bound_by_a_decision_leads_no_round() -> None:
    """Its block is not here yet; others, who do not know of it, change rounds, and this seat would lead the next."""
    settled = ibft.Settled(height=1, commit=commit(MEMBERS, [0, 1, 2], X))
    machine, _ = resumed(Cluster(4), 1, settled)
    for seat in (0, 2, 3):
        effects = hear(machine, change(MEMBERS, seat, 1), seat)
        assert none_of(effects, ibft.Build, ibft.Sign)
    assert (state_of(machine).round, state_of(machine).lead) == (1, None)


@pytest.mark.parametrize(("prepared", "shown"), [((), [0, 2, 3, 4, 5]), ((6,), [0, 2, 3, 4, 6])])
def test_a_justification_has_a_quorum_with_the_highest_in_it(prepared: tuple[int, ...], shown: list[int]) -> None:
    """More are there: who takes its seat in the middle of a height has heard them all."""
    cluster, machine = Cluster(7), ibft.Ibft(CHAIN)
    members, block = cluster.members, content(validators(7), 0)
    machine.handle(cluster.begins(1, -1))
    machine.handle(ibft.BlockDue(0))
    proof = certificate(members, [0, 2, 3, 4, 5], hash_of(block))
    for seat in (0, 2, 3, 4, 5, 6):
        hear(machine, change(members, seat, 1, proof if seat in prepared else None), seat)
    machine.handle(ibft.Seated(0, Seat(1)))
    lead = state_of(machine).lead
    assert lead is not None
    assert [vote.seat for vote in lead.justification.round_changes] == shown
    assert lead.justification.certificates == ((proof,) if prepared else ())


def test_a_prepared_value_that_is_here_is_proposed_again_at_once() -> None:
    """It was judged before, and is not judged again."""
    machine, _ = resumed(Cluster(4), 1, HELD, ACCEPTED, LOCKED)
    machine.handle(ibft.Validated(0, X, valid=True))
    proof = LOCKED.certificate
    effects = [one for seat in (0, 2, 3) for one in hear(machine, change(MEMBERS, seat, 1, proof), seat)]
    assert none_of(effects, ibft.Build, ibft.Validate)
    assert asked_to_sign(effects) == [(VoteKind.ROUND_CHANGE, 1), (VoteKind.PROPOSAL, 1)]
    why = Justification(
        round_changes=tuple(change(MEMBERS, seat, 1, proof).vote for seat in (0, 2, 3)), certificates=(proof,)
    )
    again = ibft.Proposed(height=1, round=1, header_hash=X, justification=why)
    assert [one.record for one in of(effects, ibft.Journal)] == [
        ibft.Moved(height=1, round=1, announced=True),
        again,
    ]


def leader(seat: int = 0) -> ibft.Ibft:
    """It was asked for a block of round 0."""
    machine = ibft.Ibft(CHAIN)
    machine.handle(Cluster(4).begins(1, seat))
    machine.handle(ibft.BlockDue(0))
    return machine


def test_a_block_that_nobody_asked_for_or_that_comes_after_the_decision_is_dropped() -> None:
    assert leader(3).handle(ibft.Built(0, Height(1), Round(0), BLOCK)) == []
    machine = leader()
    other = content(MEMBERS, 0, "other")
    told = ibft.Decided(commit=commit(MEMBERS, [1, 2, 3], hash_of(other)), header=other.header)
    hear(machine, told, 1)
    machine.handle(ibft.Received(0, ibft.Content(height=1, content=other), Seat(1)))
    assert len(of(machine.handle(ibft.Validated(0, hash_of(other), valid=True)), ibft.Decide)) == 1
    assert machine.handle(ibft.Built(0, Height(1), Round(0), BLOCK)) == []


def test_a_block_is_proposed_once_it_is_valid_and_once() -> None:
    machine = leader()
    judged = ibft.Validate(BLOCK, X, Height(1), Round(0), Seat(0), reproposed=False)
    assert machine.handle(ibft.Built(0, Height(1), Round(0), BLOCK)) == [judged]
    effects = machine.handle(ibft.Validated(0, X, valid=True))
    assert [one.record for one in of(effects, ibft.Journal)] == [HELD, PROPOSED]
    assert asked_to_sign(effects) == [(VoteKind.PROPOSAL, 0)]
    assert machine.handle(ibft.Validated(0, X, valid=True)) == []


def test_the_same_block_built_again_four_rounds_later_is_proposed_at_once() -> None:
    """It was valid then; nobody prepared it."""
    machine = leader()
    machine.handle(ibft.Built(0, Height(1), Round(0), BLOCK))
    machine.handle(ibft.Validated(0, X, valid=True))
    effects = [one for seat in (1, 2, 3) for one in hear(machine, change(MEMBERS, seat, 4), seat)]
    assert asked_to_build(effects) == [4]
    effects = machine.handle(ibft.Built(0, Height(1), Round(4), BLOCK))
    assert asked_to_sign(effects) == [(VoteKind.PROPOSAL, 4)]


def test_an_own_block_found_invalid_is_noted_and_makes_room_for_another() -> None:
    machine = leader()
    machine.handle(ibft.Built(0, Height(1), Round(0), BLOCK))
    assert machine.handle(ibft.Validated(0, Hash(b"\1" * 32), valid=False, refusal="bad")) == []
    blamed = ibft.Blame(Seat(0), IbftRefusal.UNFIT_BLOCK, "bad")
    assert machine.handle(ibft.Validated(0, X, valid=False, refusal="bad")) == [blamed]
    account = machine.account
    assert account is not None
    assert account.notes.turned_down == (TurnedDown(seat=0, round=0, header_hash=X, refusal="bad"),)
    other = content(MEMBERS, 0, "other")
    assert len(of(machine.handle(ibft.Built(0, Height(1), Round(0), other)), ibft.Validate)) == 1


def carrying() -> tuple[ibft.Ibft, list[ibft.Effect]]:
    """Seat 1 leads round 1, where it has to carry on a block that it does not hold."""
    machine = leader(1)
    proof = LOCKED.certificate
    return machine, [one for seat in (0, 2, 3) for one in hear(machine, change(MEMBERS, seat, 1, proof), seat)]


def test_a_carried_block_that_came_when_asked_for_is_judged_without_its_time() -> None:
    """IBFT-P5. Where it is found invalid others may still have a better one: it is nobody's fault yet."""
    machine, effects = carrying()
    wanted = ibft.Wanted(height=1, header_hash=X)
    assert of(effects, ibft.SendTo) == [ibft.SendTo(Seat(0), wanted)]
    effects = machine.handle(ibft.Received(0, ibft.Content(height=1, content=BLOCK), Seat(2)))
    assert effects == [ibft.Validate(BLOCK, X, Height(1), Round(1), Seat(2), reproposed=True)]
    assert machine.handle(ibft.Validated(0, X, valid=False, refusal="bad")) == [ibft.SendTo(Seat(0), wanted)]
    machine, _ = carrying()
    machine.handle(ibft.Received(0, ibft.Content(height=1, content=BLOCK), Seat(2)))
    assert asked_to_sign(machine.handle(ibft.Validated(0, X, valid=True))) == [(VoteKind.PROPOSAL, 1)]


def test_an_own_block_with_false_sections_is_judged_by_its_time_when_it_comes_back() -> None:
    machine = leader()
    machine.handle(ibft.Built(0, Height(1), Round(0), BLOCK))
    effects = machine.handle(ibft.Validated(0, X, valid=False, refusal="bad", foreign=True))
    assert of(effects, ibft.SendTo) == [ibft.SendTo(Seat(1), ibft.Wanted(height=1, header_hash=X))]
    effects = machine.handle(ibft.Received(0, ibft.Content(height=1, content=BLOCK), Seat(1)))
    assert [one.reproposed for one in of(effects, ibft.Validate)] == [False]
