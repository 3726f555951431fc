"""Governance: votes of operators, changes of the set within bounds, expiry, and what is refused."""

from collections.abc import Sequence

import pytest
from tests.unit.ledger.world import World, adding, address, key, make_genesis, possession, validator

from metanode.ledger.execution import STEP_WORK_MAX
from metanode.ledger.executor import Execution
from metanode.ledger.governance import GovernanceRefusal
from metanode.ledger.governance.state import PROPOSALS_PER_OPERATOR_MAX
from metanode.ledger.queries import (
    current_parameters,
    current_rules_version,
    current_validators,
    proposal_details,
    proposals_before,
    validators_by_hash,
)
from metanode.primitives.refusal import Refusal
from metanode.records.calls import (
    Action,
    AddValidator,
    GovernancePropose,
    GovernanceVote,
    RemoveValidator,
    RotateKeys,
    SetParameter,
    SetRulesVersion,
)
from metanode.records.genesis import GenesisRefusal
from metanode.records.parameters import ParameterRefusal, Parameters
from metanode.records.receipt import (
    Event,
    ParameterSet,
    ProposalClosed,
    Proposed,
    RulesVersionSet,
    SystemOrigin,
    ValidatorAdded,
    ValidatorRemoved,
    ValidatorRotated,
    Voted,
)

SLOWER = SetParameter(name="block_period_ms", value=500)


def propose(world: World, action: Action, operator: int = 0) -> Execution:
    return world.commit(world.transaction(f"operator-{operator}", GovernancePropose(action=action)))


def vote(world: World, proposal: int, operators: Sequence[int], *, approve: bool = True) -> Execution:
    call = GovernanceVote(proposal=proposal, approve=approve)
    return world.commit(*(world.transaction(f"operator-{operator}", call) for operator in operators))


def decide(world: World, action: Action) -> Execution:
    """Propose and vote until it passes; the block in which it was applied."""
    number = int.from_bytes(propose(world, action).receipts[0].results[0], "big")
    return vote(world, number, (1, 2))


def step_events(execution: Execution) -> tuple[Event, ...]:
    return tuple(
        event for receipt in execution.receipts if isinstance(receipt.origin, SystemOrigin) for event in receipt.events
    )


def rotation(name: str, new: str) -> RotateKeys:
    bls_key = b"\xa0" + key(f"{new} bls") + bytes(15)
    return RotateKeys(
        name=name,
        transport_key=key(f"{new} transport"),
        vote_key=key(f"{new} vote"),
        bls_key=bls_key,
        possession=possession(bls_key),
    )


def test_a_quorum_of_operators_changes_a_parameter_from_the_next_height() -> None:
    world = World()
    opened = propose(world, SLOWER)
    operator = address("operator-0")
    assert opened.receipts[0].events == (
        Proposed(proposal=1, proposer=operator),
        Voted(proposal=1, voter=operator, approve=True),
    )
    assert opened.receipts[0].results == ((1).to_bytes(8, "big"),)
    second = vote(world, 1, (1,))
    assert second.parameters.block_period_ms == 250
    third = vote(world, 1, (2,))
    assert third.receipts[0].events == (Voted(proposal=1, voter=address("operator-2"), approve=True),)
    assert step_events(third) == (
        ParameterSet(name="block_period_ms", value=500),
        ProposalClosed(proposal=1, outcome="applied"),
    )
    assert third.parameters == Parameters(block_period_ms=500)
    details = proposal_details(world.ledger, 1)
    assert details is not None
    assert (details.approving_seats, details.opposing_seats, details.quorum) == (3, 0, 3)
    assert details.proposal.outcome == "applied"


def test_more_against_than_a_quorum_leaves_closes_it() -> None:
    world = World()
    propose(world, SLOWER)
    vote(world, 1, (1,), approve=False)
    closed = vote(world, 1, (2,), approve=False)
    assert closed.receipts[0].events[-1] == ProposalClosed(proposal=1, outcome="rejected")
    assert vote(world, 1, (3,)).receipts[0].code == GovernanceRefusal.NOT_OPEN.value


def test_a_proposal_that_nobody_finishes_expires() -> None:
    world = World()
    propose(world, SLOWER)
    propose(world, SetParameter(name="memo_bytes_max", value=100), operator=1)
    assert step_events(world.commit(later_ms=604_798_000)) == ()
    late = world.commit(
        world.transaction("operator-1", GovernanceVote(proposal=1, approve=True), expires_ms=world.now_ms + 500_000),
        later_ms=1_000,
    )
    assert late.receipts[0].code == GovernanceRefusal.EXPIRED.value
    assert step_events(late) == (ProposalClosed(proposal=1, outcome="expired"),)
    assert step_events(world.commit(later_ms=1_000)) == (ProposalClosed(proposal=2, outcome="expired"),)
    assert [details.number for details in proposals_before(world.ledger, 0, 10)] == [2, 1]
    assert [details.number for details in proposals_before(world.ledger, 2, 10)] == [1]


def test_a_validator_joins_and_signs_from_the_next_height() -> None:
    world = World()
    execution = decide(world, adding(4))
    assert step_events(execution) == (
        ValidatorAdded(name="validator-4"),
        ProposalClosed(proposal=1, outcome="applied"),
    )
    assert execution.validators.validators == tuple(validator(number) for number in range(5))


def test_a_validator_leaves_and_the_seats_close_up() -> None:
    world = World()
    execution = decide(world, RemoveValidator(name="validator-1"))
    assert step_events(execution)[0] == ValidatorRemoved(name="validator-1")
    assert [seat.name for seat in execution.validators.validators] == ["validator-0", "validator-2", "validator-3"]


def test_a_seat_gets_other_keys_and_keeps_its_place() -> None:
    world = World()
    execution = decide(world, rotation("validator-1", "fresh"))
    assert step_events(execution)[0] == ValidatorRotated(name="validator-1")
    seat = execution.validators[1]
    assert (seat.name, seat.vote_key, seat.operator) == ("validator-1", key("fresh vote"), address("operator-1"))


def test_rules_change_at_their_height() -> None:
    world = World()
    height = world.ledger.tip[0] + 5
    execution = decide(world, SetRulesVersion(version=2, height=height))
    assert step_events(execution)[0] == RulesVersionSet(version=2, height=height)
    versions = [execution.rules_version]
    while world.ledger.tip[0] < height:
        versions.append(world.commit().rules_version)
    # the n-th block says which version the header after it carries: that of `height` is the first with version 2
    assert versions == [1, 1, 2, 2]
    assert world.ledger.tip[0] == height


def test_what_holds_now_and_what_held_before() -> None:
    world = World()
    before = current_validators(world.ledger)
    execution = decide(world, adding(4))
    assert current_validators(world.ledger) == execution.validators
    assert current_parameters(world.ledger) == execution.parameters == Parameters()
    assert current_rules_version(world.ledger) == 1
    assert validators_by_hash(world.ledger, before.hash) == before
    assert validators_by_hash(world.ledger, execution.validators.hash) == execution.validators
    assert validators_by_hash(world.ledger, bytes(32)) is None
    assert validators_by_hash(world.ledger, b"") is None


def test_changes_of_one_block_stay_below_a_third() -> None:
    world = World(make_genesis(7))
    for number, action in enumerate((adding(7), adding(8), adding(9)), 1):
        propose(world, action, number)
    for proposal in (1, 2, 3):
        others = [operator for operator in range(7) if operator != proposal][:3]
        vote(world, proposal, others)
    last = [
        world.transaction(f"operator-{operator}", GovernanceVote(proposal=proposal, approve=True))
        for proposal, operator in ((1, 5), (2, 6), (3, 4))
    ]
    execution = world.commit(*last)
    assert len(execution.validators) == 9, "two of seven: below a third"
    assert step_events(execution)[-1] == ProposalClosed(proposal=2, outcome="applied")
    after = world.commit()
    assert step_events(after) == (ValidatorAdded(name="validator-9"), ProposalClosed(proposal=3, outcome="applied"))
    assert len(after.validators) == 10


def test_what_has_become_impossible_is_void() -> None:
    world = World()
    propose(world, adding(4), 0)
    propose(world, adding(4), 1)
    vote(world, 1, (1, 2))
    execution = vote(world, 2, (0, 2, 3))
    assert step_events(execution) == (
        ProposalClosed(proposal=2, outcome=f"void {GovernanceRefusal.NAME_IN_USE.value}"),
    )
    assert len(execution.validators) == 5


def test_an_operator_of_several_seats_speaks_for_all_of_them() -> None:
    world = World()
    more = adding(4)
    fields = {name: getattr(more, name) for name in more.__struct_fields__}
    decide(world, AddValidator(**{**fields, "operator": address("operator-0")}))
    opened = propose(world, SLOWER, 0)
    number = int.from_bytes(opened.receipts[0].results[0], "big")
    details = proposal_details(world.ledger, number)
    assert details is not None
    assert (details.approving_seats, details.quorum) == (2, 4)


def bad_addition(**changes: object) -> AddValidator:
    more = adding(4)
    fields = {name: getattr(more, name) for name in more.__struct_fields__}
    return AddValidator(**{**fields, **changes})


def negated(bls_key: bytes) -> bytes:
    return bytes([bls_key[0] ^ 0x20]) + bls_key[1:]


REFUSED: list[tuple[Refusal, Action]] = [
    (ParameterRefusal.UNKNOWN, SetParameter(name="nonsense", value=1)),
    (ParameterRefusal.OUT_OF_RANGE, SetParameter(name="lanes_max", value=17)),
    (ParameterRefusal.OUT_OF_RANGE, SetParameter(name="round_timeout_ms", value=-1)),
    (GovernanceRefusal.UNKNOWN_VALIDATOR, RemoveValidator(name="nobody")),
    (GovernanceRefusal.UNKNOWN_VALIDATOR, rotation("nobody", "fresh")),
    (GovernanceRefusal.NAME_IN_USE, bad_addition(name="validator-0")),
    (GovernanceRefusal.KEY_IN_USE, bad_addition(vote_key=validator(0).vote_key)),
    (GovernanceRefusal.KEY_IN_USE, bad_addition(transport_key=validator(0).transport_key)),
    (GovernanceRefusal.KEY_IN_USE, bad_addition(bls_key=validator(0).bls_key)),
    (GovernanceRefusal.KEY_IN_USE, bad_addition(bls_key=negated(validator(0).bls_key))),
    (GovernanceRefusal.KEY_IN_USE, rotation("validator-1", "validator-0")),
    (GovernanceRefusal.BAD_POSSESSION, bad_addition(possession=bytes(96))),
    (GenesisRefusal.WRONG_WIDTH, bad_addition(bls_key=b"")),
    (GenesisRefusal.WRONG_WIDTH, bad_addition(operator=bytes(21))),
    (GenesisRefusal.WRONG_SHAPE, bad_addition(name="")),
    (GenesisRefusal.WRONG_SHAPE, bad_addition(addresses=("a:1",) * 5)),
    (GovernanceRefusal.BAD_RULES_VERSION, SetRulesVersion(version=1, height=100)),
    (GovernanceRefusal.BAD_RULES_VERSION, SetRulesVersion(version=65_536, height=100)),
    (GovernanceRefusal.BAD_RULES_VERSION, SetRulesVersion(version=2, height=2)),
    (GovernanceRefusal.BAD_RULES_VERSION, SetRulesVersion(version=2, height=-5)),
]


@pytest.mark.parametrize(("reason", "action"), REFUSED)
def test_what_could_not_be_applied_is_not_put_to_the_vote(reason: Refusal, action: Action) -> None:
    world = World()
    execution = propose(world, action)
    assert execution.receipts[0].code == reason.value
    assert execution.receipts[0].events == ()
    assert len(execution.writes) == 1, "the nonce"


def test_the_smallest_and_the_largest_set() -> None:
    world = World(make_genesis(4, Parameters(validators_min=4)))
    refused = propose(world, RemoveValidator(name="validator-1"))
    assert refused.receipts[0].code == GovernanceRefusal.SET_TOO_SMALL.value
    alone = World(make_genesis(1))
    refused = propose(alone, RemoveValidator(name="validator-0"))
    assert refused.receipts[0].code == GovernanceRefusal.SET_TOO_SMALL.value
    full = World(make_genesis(256))
    refused = propose(full, adding(256))
    assert refused.receipts[0].code == GovernanceRefusal.SET_FULL.value


def test_who_may_propose_and_vote_and_how_often() -> None:
    world = World()
    stranger = world.commit(world.transaction("alice", GovernancePropose(action=SLOWER)))
    assert stranger.receipts[0].code == GovernanceRefusal.NOT_AN_OPERATOR.value
    propose(world, SLOWER)
    stranger = world.commit(world.transaction("alice", GovernanceVote(proposal=1, approve=True)))
    assert stranger.receipts[0].code == GovernanceRefusal.NOT_AN_OPERATOR.value
    assert vote(world, 1, (0,)).receipts[0].code == GovernanceRefusal.VOTED_ALREADY.value
    for number in (0, 2, -1, 1 << 62):
        assert vote(world, number, (1,)).receipts[0].code == GovernanceRefusal.NOT_OPEN.value
    for _ in range(PROPOSALS_PER_OPERATOR_MAX - 1):
        assert propose(world, SLOWER).receipts[0].code == ""
    assert propose(world, SLOWER).receipts[0].code == GovernanceRefusal.TOO_MANY_PROPOSALS.value
    assert propose(world, SLOWER, 1).receipts[0].code == ""


def test_a_proof_of_possession_is_paid_for_before_it_is_checked() -> None:
    world = World()
    call = GovernancePropose(action=bad_addition(possession=bytes(96)))
    poor = world.commit(world.transaction("operator-0", call, work_limit=3_000))
    assert (poor.receipts[0].code, poor.receipts[0].work) == ("work.limit-reached", 3_000)
    rich = world.commit(world.transaction("operator-0", call, work_limit=4_000))
    assert rich.receipts[0].code == GovernanceRefusal.BAD_POSSESSION.value
    assert rich.receipts[0].work == 50 + 60 + 300 + 3_000
    assert rich.receipts[0].work < STEP_WORK_MAX
