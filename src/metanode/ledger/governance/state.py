"""What is remembered of governing: parameters, rules, validators and their past, proposals, convictions."""

from functools import lru_cache
from typing import Final

from metanode.ledger.view import Readable, View
from metanode.primitives.codec import Decoder, Wire, encode
from metanode.records.calls import Action
from metanode.records.parameters import Parameters
from metanode.records.validators import VALIDATOR_LISTS, VALIDATORS_MAX, Validator, ValidatorList, ValidatorSet

PARAMETERS: Final = b"gp"
RULES: Final = b"gr"
VALIDATORS: Final = b"gv"
DOCKET: Final = b"gd"
PROPOSAL: Final = b"go"
CONVICTION: Final = b"gj"
PAST_SETS: Final = b"gx"
PAST_SET: Final = b"gh"

PROPOSALS_PER_OPERATOR_MAX: Final = 4
"""Open proposals of one operator: nobody fills the docket for the others."""
PROPOSALS_MAX: Final = PROPOSALS_PER_OPERATOR_MAX * VALIDATORS_MAX
"""Proposals that are open or wait to be applied, altogether."""
PAST_SETS_MAX: Final = 256
"""Replaced validator sets kept for evidence; the oldest goes when there are more."""


class RulesSchedule(Wire):
    """The version of the rules, and the one that is due from a height on (0 and 0 when none is)."""

    version: int
    next_version: int
    next_height: int


class Proposal(Wire):
    """LEDGER-V1. An action put to the vote: by whom, until when, and the operators who voted.

    `outcome` is empty while it is open, `approved` while it waits to be applied, in the end what `ProposalClosed` says.
    Closed ones stay: only operators make them, a few a proposal period.
    """

    proposer: bytes
    action: Action
    expires_ms: int
    approving: tuple[bytes, ...]
    opposing: tuple[bytes, ...]
    outcome: str


class OpenProposal(Wire):
    """A proposal that can be voted on: what is needed to find and to close it."""

    number: int
    proposer: bytes
    expires_ms: int


class Docket(Wire):
    """LEDGER-V1. `next_number` of proposals, gapless from 1; the `open` ones ascending; the `approved` ones that wait
    to be applied, in order of approval; `condemned`: vote keys of convicted seats that could not leave yet."""

    next_number: int
    open: tuple[OpenProposal, ...]
    approved: tuple[int, ...]
    condemned: tuple[bytes, ...]


class Conviction(Wire):
    """LEDGER-V6. What convicted a vote key, and when."""

    evidence: bytes
    height: int
    timestamp_ms: int


class PastSet(Wire):
    """A replaced validator set: its hash, and the header time at which it stopped signing."""

    validators_hash: bytes
    replaced_ms: int


class PastSets(Wire):
    """Replaced validator sets, oldest first."""

    sets: tuple[PastSet, ...]


_PARAMETERS: Final = Decoder[Parameters](Parameters, 4_096)
_RULES: Final = Decoder[RulesSchedule](RulesSchedule, 64)
_DOCKETS: Final = Decoder[Docket](Docket, 65_536)
_PROPOSALS: Final = Decoder[Proposal](Proposal, 65_536)
_CONVICTIONS: Final = Decoder[Conviction](Conviction, 256)
_PAST_SETS: Final = Decoder[PastSets](PastSets, 65_536)


@lru_cache(maxsize=4)
def _parameters(data: bytes) -> Parameters:
    return _PARAMETERS.decode(data)


@lru_cache(maxsize=8)
def _validators(data: bytes) -> ValidatorSet:
    """Decoded once a change, not once a block: the hash of the set is kept with it."""
    return ValidatorSet(VALIDATOR_LISTS.decode(data).validators)


def _due(state: Readable, key: bytes) -> bytes:
    data = state.get(key)
    assert data is not None, f"genesis writes {key!r} and nothing deletes it"
    return data


def read_parameters(state: Readable) -> Parameters:
    """The parameters of the next block."""
    return _parameters(_due(state, PARAMETERS))


def write_parameters(view: View, parameters: Parameters) -> None:
    """Replace the parameters."""
    view.put(PARAMETERS, encode(parameters))


def read_rules(state: Readable) -> RulesSchedule:
    """Which rules hold and which are due."""
    return _RULES.decode(_due(state, RULES))


def write_rules(view: View, rules: RulesSchedule) -> None:
    """Replace the schedule."""
    view.put(RULES, encode(rules))


def read_validators(state: Readable) -> ValidatorSet:
    """The set that signs the next height."""
    return _validators(_due(state, VALIDATORS))


def write_validators(view: View, validators: tuple[Validator, ...]) -> None:
    """Replace the set."""
    view.put(VALIDATORS, encode(ValidatorList(version=1, validators=validators)))


def read_docket(state: Readable) -> Docket:
    """The queues."""
    return _DOCKETS.decode(_due(state, DOCKET))


def write_docket(view: View, docket: Docket) -> None:
    """Replace the queues."""
    view.put(DOCKET, encode(docket))


def amend_docket(
    view: View,
    *,
    still_open: tuple[OpenProposal, ...] | None = None,
    approved: tuple[int, ...] | None = None,
    condemned: tuple[bytes, ...] | None = None,
) -> None:
    """Replace some of the queues."""
    docket = read_docket(view)
    amended = Docket(
        next_number=docket.next_number,
        open=docket.open if still_open is None else still_open,
        approved=docket.approved if approved is None else approved,
        condemned=docket.condemned if condemned is None else condemned,
    )
    write_docket(view, amended)


def read_proposal(state: Readable, number: int) -> Proposal | None:
    """A proposal by its number."""
    data = state.get(PROPOSAL + number.to_bytes(8, "big")) if 0 <= number < 1 << 64 else None
    return _PROPOSALS.decode(data) if data is not None else None


def write_proposal(view: View, number: int, proposal: Proposal) -> None:
    """Put or replace a proposal."""
    view.put(PROPOSAL + number.to_bytes(8, "big"), encode(proposal))


def close_proposal(view: View, number: int, outcome: str) -> Proposal:
    """Give a proposal its outcome; the proposal as it was."""
    proposal = read_proposal(view, number)
    assert proposal is not None, "the docket names proposals that exist"
    write_proposal(
        view,
        number,
        Proposal(
            proposer=proposal.proposer,
            action=proposal.action,
            expires_ms=proposal.expires_ms,
            approving=proposal.approving,
            opposing=proposal.opposing,
            outcome=outcome,
        ),
    )
    return proposal


def read_conviction(state: Readable, vote_key: bytes) -> Conviction | None:
    """What convicted this vote key, if anything did."""
    data = state.get(CONVICTION + vote_key)
    return _CONVICTIONS.decode(data) if data is not None else None


def write_conviction(view: View, vote_key: bytes, conviction: Conviction) -> None:
    """Remember a conviction for ever: the key never sits again."""
    view.put(CONVICTION + vote_key, encode(conviction))


def read_past_sets(state: Readable) -> tuple[PastSet, ...]:
    """The replaced sets still kept, oldest first."""
    return _PAST_SETS.decode(_due(state, PAST_SETS)).sets


def write_past_sets(view: View, sets: tuple[PastSet, ...]) -> None:
    """Replace the list of replaced sets."""
    view.put(PAST_SETS, encode(PastSets(sets=sets)))


def read_set_by_hash(state: Readable, validators_hash: bytes) -> ValidatorSet | None:
    """LEDGER-V6. The current or a kept past set with this hash."""
    current = read_validators(state)
    if current.hash == validators_hash:
        return current
    data = state.get(PAST_SET + validators_hash)
    return _validators(data) if data is not None else None
