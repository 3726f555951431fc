"""Parameters: what must be equal everywhere. They are in genesis, hashed, and changed by a vote of Q validators."""

from typing import Final

from metanode.primitives.codec import Wire
from metanode.primitives.refusal import Refusal, Rejected

WORK_PER_MS: Final = 300
"""GEN-2. Units of work that a block may hold for each millisecond of `round_timeout_ms`. A unit takes a validator up to
1 µs, once where the block is made and once where it is judged: this leaves room for validators half as fast."""


class ParameterRefusal(Refusal):
    """Why a parameter cannot have a value."""

    UNKNOWN = "parameter.unknown"
    """There is no parameter of this name."""
    OUT_OF_RANGE = "parameter.out-of-range"
    """Outside the range in which the protocol is known to work."""


class Parameters(Wire):
    """Durations in milliseconds of header time, sizes in bytes, work in units."""

    block_period_ms: int = 250
    empty_block_period_ms: int = 5_000
    drift_ms: int = 5_000
    round_timeout_ms: int = 800
    round_timeout_max_ms: int = 30_000
    all_to_all_max: int = 16
    block_bytes_max: int = 4 << 20
    block_transactions_max: int = 4_000
    block_work_max: int = 240_000
    transaction_bytes_max: int = 16_384
    transaction_calls_max: int = 64
    transaction_work_max: int = 100_000
    memo_bytes_max: int = 256
    lanes_max: int = 16
    expiry_max_ms: int = 600_000
    fee_min: int = 0
    history_blocks: int = 64
    evidence_period_ms: int = 86_400_000
    trusting_period_ms: int = 43_200_000
    validators_min: int = 1
    proposal_period_ms: int = 604_800_000
    placements_per_block: int = 128


REASONS: Final[dict[str, tuple[int, int, str]]] = {
    "block_period_ms": (0, 60_000, "fewer, fuller blocks cost less; 0 proposes as soon as something waits"),
    "empty_block_period_ms": (100, 3_600_000, "an idle chain still shows that it lives"),
    "drift_ms": (10, 60_000, "how far clocks of honest validators may stand apart"),
    "round_timeout_ms": (50, 60_000, "longer than a block takes, short enough that a dead leader costs about a second"),
    "round_timeout_max_ms": (1_000, 600_000, "ten times the worst round trip: doubling stops here"),
    "all_to_all_max": (1, 256, "in larger sets votes go by way of the leader: 5n messages a block instead of 2n²"),
    "block_bytes_max": (65_536, 7 << 20, "what a slow link carries within a round"),
    "block_transactions_max": (1, 16_384, "what a proposal may list"),
    "block_work_max": (1_000, 18_000_000, "what a slow validator makes and judges within a round"),
    "transaction_bytes_max": (1_024, 65_536, "one transaction may not crowd out all others"),
    "transaction_calls_max": (1, 1_024, "one signature, many operations, but not a whole block of them"),
    "transaction_work_max": (1_000, 1 << 40, "no transaction fills more than a part of a block"),
    "memo_bytes_max": (0, 4_096, "a reference, not a document"),
    "lanes_max": (1, 16, "proposals wait side by side; state an account stays bounded"),
    "expiry_max_ms": (1_000, 86_400_000, "the pool and replay protection need only look so far"),
    "fee_min": (0, 1 << 62, "0 in development; above it, flooding costs money"),
    "history_blocks": (1, 4_096, "how long a client may take to ask for a proof at a height it saw"),
    "evidence_period_ms": (60_000, 1 << 42, "how long a liar can be convicted; longer than the trusting period"),
    "trusting_period_ms": (30_000, 1 << 42, "how old a trusted header may be for a light client"),
    "validators_min": (1, 256, "jailing and leaving never go below it"),
    "placements_per_block": (1, 4_096, "placing takes up to a millisecond each: a block stays short, the rest waits"),
    "proposal_period_ms": (1_000, 1 << 42, "a vote that nobody finishes is closed"),
}
"""GEN-2. Of every parameter: its least and greatest value, and why it exists."""

assert set(REASONS) == set(Parameters.__struct_fields__), "every parameter has a range and a reason"


def check_parameters(parameters: Parameters) -> None:
    """GEN-2. Every value within its range, and the pairs that depend on each other in order. Raises `Rejected`."""
    for name, (least, greatest, _) in REASONS.items():
        value = getattr(parameters, name)
        if not least <= value <= greatest:
            raise Rejected(ParameterRefusal.OUT_OF_RANGE, f"{name} = {value}, must be {least} … {greatest}")
    if parameters.trusting_period_ms >= parameters.evidence_period_ms:
        raise Rejected(ParameterRefusal.OUT_OF_RANGE, "trusting_period_ms must be below evidence_period_ms")
    work_max = WORK_PER_MS * parameters.round_timeout_ms
    if parameters.block_work_max > work_max:
        detail = f"block_work_max = {parameters.block_work_max}, at most {work_max}: {WORK_PER_MS} × round_timeout_ms"
        raise Rejected(ParameterRefusal.OUT_OF_RANGE, detail)
    if parameters.round_timeout_ms > parameters.round_timeout_max_ms:
        raise Rejected(ParameterRefusal.OUT_OF_RANGE, "round_timeout_ms must not be above round_timeout_max_ms")


def with_parameter(parameters: Parameters, name: str, value: int) -> Parameters:
    """GEN-2. The same parameters with one changed and everything checked again. Raises `Rejected`."""
    if name not in REASONS:
        raise Rejected(ParameterRefusal.UNKNOWN, f"no parameter named {name!r}")
    values = {n: getattr(parameters, n) for n in Parameters.__struct_fields__}
    changed = Parameters(**{**values, name: value})
    check_parameters(changed)
    return changed
