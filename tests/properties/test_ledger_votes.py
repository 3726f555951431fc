"""Governance under arbitrary votes, evidence and time: the set stays within its bounds whatever happens."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.ledger.test_conviction import a_vote
from tests.unit.ledger.world import World, adding, address, make_genesis

from metanode.ledger.governance.conviction import changes_max
from metanode.ledger.governance.state import read_docket, read_past_sets, read_proposal, read_validators
from metanode.primitives.bitmap import faults
from metanode.records.calls import Action, GovernancePropose, GovernanceVote, RemoveValidator, SetParameter
from metanode.records.evidence import ConflictingVotes
from metanode.records.parameters import Parameters

ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.integers(0, 12).map(adding),
    st.integers(0, 12).map(lambda number: RemoveValidator(name=f"validator-{number}")),
    st.integers(1, 9).map(lambda value: SetParameter(name="validators_min", value=value)),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("propose"), st.integers(0, 12), ACTIONS),
        st.tuples(st.just("vote"), st.integers(1, 12), st.booleans()),
        st.tuples(st.just("evidence"), st.integers(0, 12), st.none()),
        st.tuples(st.just("wait"), st.integers(1, 40), st.none()),
    ),
    max_size=14,
)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 8), st.integers(1, 4), STEPS)
def test_the_set_stays_within_its_bounds(seats: int, least: int, steps: list[tuple[str, int, object]]) -> None:
    parameters = Parameters(
        validators_min=least, proposal_period_ms=10_000, evidence_period_ms=60_000, trusting_period_ms=30_000
    )
    world = World(make_genesis(seats, parameters))
    for kind, number, detail in steps:
        before = read_validators(world.ledger)
        least_before = world.execute().parameters.validators_min
        match kind:
            case "propose":
                call = GovernancePropose(action=detail)  # type: ignore[arg-type]
                execution = world.commit(world.transaction(f"operator-{number}", call))
            case "vote":
                votes = GovernanceVote(proposal=number, approve=bool(detail))
                execution = world.commit(*(world.transaction(f"operator-{who}", votes) for who in range(13)))
            case "evidence":
                proof = ConflictingVotes(
                    validators_hash=before.hash, first=a_vote(number), second=a_vote(number, content=b"\x02")
                )
                execution = world.commit(evidence=(proof,))
            case _:
                execution = world.commit(later_ms=number * 1_000)
        after = execution.validators
        kept = [seat for seat in after.validators if seat in before.validators]
        removed, added = len(before) - len(kept), len(after) - len(kept)
        assert removed + added <= changes_max(len(before)) == max(1, faults(len(before)))
        if removed > added:
            assert len(after) >= min(least_before, execution.parameters.validators_min)
        assert len({seat.vote_key for seat in after.validators}) == len(after)
        docket = read_docket(world.ledger)
        assert [entry.number for entry in docket.open] == sorted(entry.number for entry in docket.open)
        for entry in docket.open:
            proposal = read_proposal(world.ledger, entry.number)
            assert proposal is not None
            assert proposal.outcome == ""
        kept_sets = {past.validators_hash for past in read_past_sets(world.ledger)}
        stored = {key[2:] for key, _ in world.ledger.scan(b"gh")}
        assert stored == kept_sets
        assert address("nobody") not in {seat.operator for seat in after.validators}
