"""Who leads a round, and how long it may take."""

from typing import Final

from metanode.primitives.names import Round, Seat
from metanode.records.validators import ValidatorSet

DOUBLINGS_MAX: Final = 32
"""A timeout is doubled at most so often; the cap is reached long before."""


def first_leader(previous_validators: ValidatorSet, previous_proposer: Seat, validators: ValidatorSet) -> Seat:
    """IBFT-P1. The leader of round 0: the seat after the previous proposer's, whatever became of the set.

    Where the previous proposer has left, the first of those after it in the old order who is still there leads.
    """
    if previous_proposer < 0:
        return Seat(0)
    seats, before = validators.seats_by_vote_key, len(previous_validators)
    proposer = previous_validators[previous_proposer].vote_key
    if proposer in seats:
        return Seat((seats[proposer] + 1) % len(validators))
    for step in range(1, before):
        key = previous_validators[(previous_proposer + step) % before].vote_key
        if key in seats:
            return seats[key]
    return Seat(0)


def leader(first: Seat, seats: int, round_: int) -> Seat:
    """IBFT-P1. In n rounds one after another every seat leads once."""
    return Seat((first + round_) % seats)


def round_timeout_ms(base_ms: int, maximum_ms: int, round_: int) -> int:
    """IBFT-V6. Doubles from round to round up to the maximum, in integers."""
    return min(base_ms << min(round_, DOUBLINGS_MAX), maximum_ms)


def highest_supported(rounds: list[int], faults: int) -> Round:
    """IBFT-V2. The highest round that f+1 of these (the highest of each seat) reach: one honest seat is there."""
    return Round(sorted(rounds, reverse=True)[faults])
