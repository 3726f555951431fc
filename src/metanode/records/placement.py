"""How a cluster weighs one node against another: small whole numbers, parameters of the cluster."""

from typing import Final

from metanode.primitives.codec import Wire
from metanode.records.demand import check_range, check_word

WEIGHT_MAX: Final = 100
"""Greatest weight: scores stay small whole numbers."""


class Weights(Wire):
    """PLACE-3. What counts how much when several nodes would do; 0: not at all.

    `strategy` binpack or spread for demands that name none; `fill` its weight. `balance`: cpu and memory used alike.
    `affinity`: beside the workloads asked for. `spread`: even over the labels asked for. `image`: the node has it.
    `stay`: where the replica stood before. `avoid`: against nodes with a taint `avoid` that is not tolerated.
    """

    strategy: str = "spread"
    fill: int = 1
    balance: int = 1
    affinity: int = 1
    spread: int = 2
    image: int = 1
    stay: int = 1
    avoid: int = 2


def check_weights(weights: Weights) -> None:
    """PLACE-3. A strategy, and weights within 0 … 100. Raises `Rejected` with a `DemandRefusal`."""
    check_word("the strategy of a cluster", weights.strategy, ("binpack", "spread"))
    for name in Weights.__struct_fields__[1:]:
        check_range(f"the weight {name}", getattr(weights, name), 0, WEIGHT_MAX)
