"""Which of the places that would do is best: the scores of placement, one function a numbered rule, plainly."""

from collections.abc import Callable
from typing import Final, TypeAlias

from metanode.docklock.scheduler.filters import Question, untolerated
from metanode.docklock.scheduler.fleet import Place
from metanode.records.placement import Weights

WHOLE: Final = 10_000
"""Basis points of everything: the best score."""


def shares(question: Question, place: Place) -> tuple[int, int]:
    """The used shares of cores and memory with the newcomer, in basis points."""
    cpu = (place.cpu_used + question.demand.cpu_millicores) * WHOLE // place.cpu
    return cpu, (place.memory_used + question.demand.memory_kib) * WHOLE // place.memory


def fill(question: Question, place: Place) -> int:
    """PLACE-25. Full nodes for binpack; empty ones, and few of the same workload, for spread."""
    used = sum(shares(question, place)) // 2
    if (question.demand.strategy or question.fleet.weights.strategy) == "binpack":
        return used
    return (WHOLE - used + WHOLE // (1 + question.siblings(place))) // 2


def balance(question: Question, place: Place) -> int:
    """PLACE-26. Cores and memory used alike."""
    cpu, memory = shares(question, place)
    return WHOLE - abs(cpu - memory)


def affinity(question: Question, place: Place) -> int:
    """PLACE-27. Beside those it wants to stand beside."""
    wanted = question.demand.affinity
    if not wanted:
        return 0
    there = {other.workload for other in question.others(place)}
    return sum(name in there for name in wanted) * WHOLE // len(wanted)


def spread(question: Question, place: Place) -> int:
    """PLACE-28. Where few of the workload are, by each label that it is to be even over."""
    wanted = question.demand.spread
    if not wanted:
        return 0
    points = 0
    for one, domain in zip(wanted, question.domains(), strict=True):
        if one.label in place.labels:
            points += WHOLE // (1 + domain.counts[place.labels[one.label]] - domain.least)
    return points // len(wanted)


def image(question: Question, place: Place) -> int:
    """PLACE-29. Nothing to fetch."""
    return WHOLE if question.demand.image in place.images else 0


def stay(question: Question, place: Place) -> int:
    """PLACE-30. Where it stood before."""
    return WHOLE if place.view.name == question.newcomer.stood else 0


def avoid(question: Question, place: Place) -> int:
    """PLACE-31. Fewer reasons to stay away."""
    return WHOLE // (1 + len(untolerated(question.demand, place.avoided)))


Score: TypeAlias = Callable[[Question, Place], int]

SCORES: Final[dict[int, tuple[str, Score]]] = {
    25: ("fill", fill),
    26: ("balance", balance),
    27: ("affinity", affinity),
    28: ("spread", spread),
    29: ("image", image),
    30: ("stay", stay),
    31: ("avoid", avoid),
}
"""By the number of the rule: whose weight, and how many points."""
SPREAD_RULE: Final = 28
"""The one score that depends on other nodes."""


def weight(weights: Weights, name: str) -> int:
    """PLACE-3. How much a score counts."""
    found: int = getattr(weights, name)
    return found


def total(question: Question, place: Place) -> int:
    """PLACE-4. The weighted sum."""
    weights = question.fleet.weights
    return sum(weight(weights, name) * points(question, place) for name, points in SCORES.values())
