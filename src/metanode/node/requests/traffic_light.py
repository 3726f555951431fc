"""The traffic light of one node: what it observed, judged; and what would mend it."""

from dataclasses import dataclass
from typing import Final

from metanode.api.node import Light
from metanode.records.parameters import Parameters

STILL_ROUNDS: Final = 4
"""Blocks stand still when so many rounds could have run out since one was due: bad luck rarely lasts longer."""
NAMES_SHOWN: Final = 3
"""Missing validators named in a reason; more are counted."""
ASK_WHY: Final = "bpi doctor stall tells why"
"""What would mend it depends on what several nodes know."""
FULL_PERCENT: Final = 90
"""A pool this full turns clients away soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """All that the light depends on. `missing`: names of validators that cannot be reached. `mute`: a validator that
    must not vote. `idle_ms`: since the last block, or since the start. `pool_percent`: of what may wait."""

    booted: bool
    development: bool
    height: int
    reachable: int
    total: int
    quorum: int
    missing: tuple[str, ...]
    syncing: bool
    height_of_peers: int
    mute: bool
    fault: str
    idle_ms: int
    still_ms: int
    pool_percent: int


def still_ms(parameters: Parameters) -> int:
    """How long after a block the next one must have come: the empty period, and then some rounds that double."""
    rounds = (parameters.round_timeout_ms << number for number in range(STILL_ROUNDS))
    return parameters.empty_block_period_ms + sum(min(one, parameters.round_timeout_max_ms) for one in rounds)


def further_faults(reachable: int, quorum: int) -> int:
    """How many reachable validators may still fail; -1 where there is no quorum already."""
    return max(reachable - quorum, -1)


def light(seen: Observed) -> Light:
    """Red first, then what somebody should look at, else green."""
    return _red(seen) or _yellow(seen) or Light(colour="green", reason=f"{_count(seen)}, final", fix="")


def _red(seen: Observed) -> Light | None:
    if not seen.booted:
        return Light(colour="red", reason="the node has not recovered yet", fix="wait until /ready says 200")
    if seen.reachable < seen.quorum:
        reason = f"{_count(seen)}, {seen.quorum} are needed: no block can become final"
        return Light(colour="red", reason=reason, fix=_bring_back(seen))
    if seen.idle_ms > seen.still_ms and not seen.syncing:
        reason = f"blocks stand still: none for {seen.idle_ms // 1000} s, at most {seen.still_ms // 1000} s are due"
        fix = _bring_back(seen) if seen.missing else ASK_WHY
        return Light(colour="red", reason=reason, fix=fix)
    return None


def _yellow(seen: Observed) -> Light | None:
    if seen.fault:
        return Light(colour="yellow", reason=f"{_count(seen)}, a fault is pretended: {seen.fault}", fix=_heal(seen))
    if seen.syncing:
        reason = f"catching up: height {seen.height} of {max(seen.height_of_peers, seen.height)}"
        return Light(colour="yellow", reason=reason, fix="wait until it has caught up")
    if seen.reachable < seen.total:
        further = further_faults(seen.reachable, seen.quorum)
        left = {0: "no further fault tolerated", 1: "1 further fault tolerated"}.get(
            further, f"{further} further faults tolerated"
        )
        return Light(colour="yellow", reason=f"{_count(seen)}, still final, {left}", fix=_bring_back(seen))
    if seen.mute:
        reason = f"{_count(seen)}, but this one does not vote: its journal or sign guard is not to be trusted yet"
        fix = "read its log: a damaged journal is left by starting it again, a lost guard by bpi node vouch"
        return Light(colour="yellow", reason=reason, fix=fix)
    if seen.pool_percent >= FULL_PERCENT:
        reason = f"{_count(seen)}, final, but {seen.pool_percent}% of the pool is full"
        return Light(colour="yellow", reason=reason, fix="submit less, or offer higher fees")
    return None


def _count(seen: Observed) -> str:
    return f"{seen.reachable}/{seen.total} validators"


def _bring_back(seen: Observed) -> str:
    """Who has to come back."""
    if seen.development:
        return _heal(seen)
    more = len(seen.missing) - NAMES_SHOWN
    names = ", ".join(seen.missing[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return f"start or reconnect {names}" if names else "check this node's network"


def _heal(seen: Observed) -> str:
    return "bpi testnet heal" if seen.development else "clear the fault"
