"""How a cluster weighs its nodes, and why a replica came to stand where it does."""

from typing import Final

from metanode.primitives.codec import Decoder, Wire, encode
from metanode.primitives.digest import Tag, digest
from metanode.primitives.names import Hash
from metanode.records.demand import STRATEGIES, check_range, check_word

WEIGHT_MAX: Final = 100
"""Greatest weight of a score: a hundred to one settles any matter."""
EXPLAINED_MAX: Final = 1_024
"""Most nodes that an explanation shows one by one: as many as a cluster has."""
EXPLANATION_BYTES_MAX: Final = 16 << 20
"""Largest explanation: 1,024 nodes, fifteen filters and seven scores each, texts of at most 200 characters."""


class Weights(Wire):
    """PLACE-3. What counts how much when several nodes would do; 0: not at all.

    `strategy` binpack or spread for demands that name none; `fill` its weight. `balance`: cpu and memory used alike.
    `affinity`: beside the workloads asked for. `spread`: even over the labels asked for. `image`: the node has it.
    `stay`: where the replica stood before. `avoid`: against nodes with a taint `avoid` that is not tolerated.
    What people ask for by name counts more than what merely costs less.
    """

    strategy: str = "spread"
    fill: int = 2
    balance: int = 1
    affinity: int = 2
    spread: int = 4
    image: int = 1
    stay: int = 1
    avoid: int = 4


class Verdict(Wire):
    """What one filter says of one node: rule `PLACE-<rule>`, what was asked, what the node has, and where it does not
    pass the smallest change that would let it."""

    rule: int
    passes: bool
    asked: str
    has: str
    change: str


class Scored(Wire):
    """One score of a node in basis points, and its weight."""

    rule: int
    points: int
    weight: int


class NodeExplained(Wire):
    """One node: its verdicts, and where all pass its scores, their weighted sum and its digest for ties."""

    node: str
    verdicts: tuple[Verdict, ...]
    scores: tuple[Scored, ...]
    total: int
    tie: bytes


class Reason(Wire):
    """How many nodes a filter was the first to turn away."""

    rule: int
    nodes: int


class Explanation(Wire, tag="metanode.explanation.1"):
    """PLACE-37. Why a replica stands, or would stand, on `chosen` (empty: nowhere). `inputs`: digest of everything it
    was computed from. `nodes`: those that come closest first; `left_out`: how many are not shown."""

    workload: str
    index: int
    attempt: int
    spec: bytes
    seed: bytes
    weights: Weights
    inputs: bytes
    chosen: str
    reasons: tuple[Reason, ...]
    nodes: tuple[NodeExplained, ...]
    left_out: int


EXPLANATIONS: Final = Decoder[Explanation](Explanation, EXPLANATION_BYTES_MAX)


def check_weights(weights: Weights) -> None:
    """PLACE-3. A strategy, and weights within 0 … 100. Raises `Rejected` with a `DemandRefusal`."""
    check_word("the strategy of a cluster", weights.strategy, STRATEGIES[1:])
    for name in Weights.__struct_fields__[1:]:
        check_range(f"the weight {name}", getattr(weights, name), 0, WEIGHT_MAX)


def explanation_digest(explanation: Explanation) -> Hash:
    """PLACE-37. What whoever recomputes an explanation compares."""
    return digest(Tag.EXPLANATION, encode(explanation))
