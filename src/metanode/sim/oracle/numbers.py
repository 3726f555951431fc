"""The arithmetic of the rules, each number from its definition and not from the formula that the engine uses."""

from functools import cache

from metanode.records.validators import ValidatorSet


@cache
def quorum(count: int) -> int:
    """BLS-Q1. The least number of seats that is no less than two thirds of all."""
    return next(seats for seats in range(count + 1) if 3 * seats >= 2 * count)


@cache
def liars(count: int) -> int:
    """BLS-Q2. The most seats that are fewer than a third of all."""
    return max(seats for seats in range(count) if 3 * seats < count)


def first_leader(before: ValidatorSet, proposer: int, members: ValidatorSet) -> int:
    """IBFT-P1. Who leads round 0: the seat after that of the last proposer; where he has left, the first of those after
    him in the old order who is still there; at height 1 seat 0."""
    if proposer < 0:
        return 0
    now = [validator.vote_key for validator in members.validators]
    old = [validator.vote_key for validator in before.validators]
    if old[proposer] in now:
        return (now.index(old[proposer]) + 1) % len(now)
    after = old[proposer + 1 :] + old[:proposer]
    return next((now.index(key) for key in after if key in now), 0)


def timeout_ms(base_ms: int, maximum_ms: int, round_: int) -> int:
    """IBFT-V6. Twice as long from round to round, and never longer than the maximum."""
    delay = base_ms
    while round_ > 0 and delay < maximum_ms:
        delay, round_ = 2 * delay, round_ - 1
    return min(delay, maximum_ms)


def again_ms(timeout: int, seat: int, count: int) -> int:
    """IBFT-V4. The slow timer: half the round's timeout within 0.1 s and 5 s, later by up to an eighth by seat."""
    half = min(max(timeout // 2, 100), 5_000)
    return half + half * max(seat, 0) // (8 * count)


def seats_of(bitmap: bytes, count: int) -> tuple[int, ...]:
    """BLS-B5. The seats of a bitmap, lowest bit first; none at all where it is not one of so many seats."""
    bits = int.from_bytes(bitmap, "little")
    if len(bitmap) != (count + 7) // 8 or bits >= 1 << count:
        return ()
    return tuple(seat for seat in range(count) if bits & 1 << seat)
