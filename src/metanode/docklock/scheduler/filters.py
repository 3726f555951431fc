"""Who may stand where: the filters of placement, one function a numbered rule, by the plain definition.

A filter takes the places that are left and gives back those that pass. `telling.py` says the same in words.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeAlias

from metanode.docklock.scheduler.fleet import REGION_LABEL, Fleet, Place
from metanode.docklock.scheduler.values import Newcomer, Replica, tie_prefix
from metanode.records.demand import DATA_CLASSES, Constraint, Demand, Taint, Toleration

Places: TypeAlias = Sequence[Place]


@dataclass(slots=True)
class Domains:
    """PLACE-23. Of one spread: replicas of the workload at each value of its label, and at the value with fewest."""

    counts: dict[str, int]
    least: int


class Question:
    """A newcomer before a fleet. What filters and scores ask of more than one place is found out once."""

    __slots__ = ("_domains", "demand", "existing", "fleet", "image", "newcomer", "replica")

    def __init__(self, fleet: Fleet, newcomer: Newcomer) -> None:
        self.fleet: Final = fleet
        self.newcomer: Final = newcomer
        self.replica: Final[Replica] = newcomer.replica
        self.demand: Final[Demand] = newcomer.replica.demand
        self.image: Final = fleet.image_rule(self.demand.image) if self.demand.image else ""
        self.existing: Final = tuple(volume for volume in self.demand.volumes if fleet.held(volume))
        self._domains: tuple[Domains, ...] | None = None

    def first_of(self, places: Sequence[Place], seed: bytes) -> Place:
        """PLACE-5. Of places that are equally good, at least one, the one with the smallest tie digest."""
        if len(places) == 1:
            return places[0]
        before = tie_prefix(seed, self.newcomer.spec, self.replica.index)
        return min(places, key=lambda place: sha256(before + place.view.identity).digest())

    def others(self, place: Place) -> list[Replica]:
        """PLACE-7. What stands there and is not replaced by the newcomer."""
        mine = self.replica.workload, self.replica.index
        return [one for one in place.standing.values() if (one.workload, one.index) != mine]

    def siblings(self, place: Place) -> int:
        """Replicas of the same workload that stand there and are not replaced."""
        return sum(one.workload == self.replica.workload for one in self.others(place))

    def domains(self) -> tuple[Domains, ...]:
        """PLACE-23. For each spread of the demand."""
        if self._domains is None:
            open_to_it = static_pass(self, self.fleet.places)
            self._domains = tuple(self._domain(spread.label, open_to_it) for spread in self.demand.spread)
        return self._domains

    def _domain(self, label: str, open_to_it: Iterable[Place]) -> Domains:
        counts: dict[str, int] = {}
        for place in self.fleet.places:
            value = place.labels.get(label)
            if value is not None:
                counts[value] = counts.get(value, 0) + self.siblings(place)
        return Domains(counts, min((counts[p.labels[label]] for p in open_to_it if label in p.labels), default=0))


def tolerates(tolerations: Iterable[Toleration], taint: Taint) -> bool:
    """PLACE-11. Whether a taint is put up with."""
    return any(
        one.key in ("", taint.key) and one.value in ("", taint.value) and one.effect in ("", taint.effect)
        for one in tolerations
    )


def untolerated(demand: Demand, taints: Iterable[Taint]) -> tuple[Taint, ...]:
    """Those of the taints that the demand does not put up with."""
    return tuple(taint for taint in taints if not tolerates(demand.tolerations, taint))


def holds(constraint: Constraint, places: Places) -> Places:
    """PLACE-14. The places whose label compares as asked."""
    label, values = constraint.label, constraint.values
    match constraint.operator:
        case "==" | "in":
            return [place for place in places if place.labels.get(label) in values]
        case "!=" | "not-in":
            return [place for place in places if place.labels.get(label) not in values]
        case "exists":
            return [place for place in places if label in place.labels]
        case _:
            return [place for place in places if label not in place.labels]


def takes_replicas(_question: Question, places: Places) -> Places:
    """PLACE-10. Not barred."""
    return [place for place in places if not place.view.barred]


def taints_tolerated(question: Question, places: Places) -> Places:
    """PLACE-11. Every taint that keeps replicas away is tolerated."""
    return [place for place in places if not (place.repelling and untolerated(question.demand, place.repelling))]


def right_architecture(question: Question, places: Places) -> Places:
    """PLACE-12. The machine type asked for."""
    wanted = question.demand.architecture
    return [place for place in places if place.view.architecture == wanted] if wanted else places


def right_engine(question: Question, places: Places) -> Places:
    """PLACE-13. An engine asked for, or any at all."""
    wanted = question.demand.engines
    if not wanted:
        return [place for place in places if place.engines]
    return [place for place in places if not place.engines.isdisjoint(wanted)]


def constraints_hold(question: Question, places: Places) -> Places:
    """PLACE-14. Every constraint on labels."""
    for constraint in question.demand.constraints:
        places = holds(constraint, places)
    return places


def right_region(question: Question, places: Places) -> Places:
    """PLACE-15. In one of the regions asked for."""
    wanted = question.demand.regions
    return [place for place in places if place.labels.get(REGION_LABEL) in wanted] if wanted else places


def right_class(question: Question, places: Places) -> Places:
    """PLACE-16. May hold data of this class."""
    wanted = DATA_CLASSES.index(question.demand.data_class)
    return [place for place in places if place.data_class >= wanted]


def image_allowed(question: Question, places: Places) -> Places:
    """PLACE-17. The cluster lets the image run."""
    return [] if question.image else places


def holds_volumes(question: Question, places: Places) -> Places:
    """PLACE-18. Holds every volume that exists."""
    if not question.existing:
        return places
    return [place for place in places if place.volumes.issuperset(question.existing)]


def has_room(question: Question, places: Places) -> Places:
    """PLACE-19. Cores, memory, and one more replica."""
    cpu, memory = question.demand.cpu_millicores, question.demand.memory_kib
    return [
        place
        for place in places
        if place.cpu_used + cpu <= place.cpu
        and place.memory_used + memory <= place.memory
        and len(place.standing) < place.standing_max
    ]


def ports_free(question: Question, places: Places) -> Places:
    """PLACE-20. Nobody has the ports."""
    wanted = question.demand.ports
    return [place for place in places if not any(port in place.ports for port in wanted)] if wanted else places


def refuses(one: Replica, other: Replica) -> bool:
    """PLACE-21. Whether one of two does not stand beside the other."""
    return other.workload in one.demand.anti_affinity or one.workload in other.demand.anti_affinity


def nobody_refuses(question: Question, places: Places) -> Places:
    """PLACE-21. Neither does the newcomer refuse anybody there, nor the other way round."""
    return [place for place in places if not any(refuses(question.replica, other) for other in question.others(place))]


def below_node_max(question: Question, places: Places) -> Places:
    """PLACE-22. Not too many of the workload there."""
    most = question.demand.node_max
    return [place for place in places if question.siblings(place) < most] if most else places


def within_skew(question: Question, places: Places) -> Places:
    """PLACE-23. Not too uneven over the values of labels."""
    for spread, domain in zip(question.demand.spread, question.domains(), strict=True):
        if spread.skew_max:
            places = [
                place
                for place in places
                if spread.label in place.labels
                and domain.counts[place.labels[spread.label]] + 1 - domain.least <= spread.skew_max
            ]
    return places


def not_refused(question: Question, places: Places) -> Places:
    """PLACE-24. The node did not refuse this replica."""
    refused = question.newcomer.refused
    return [place for place in places if place.view.name not in refused] if refused else places


Filter: TypeAlias = Callable[[Question, Places], Places]

STATIC: Final[dict[int, Filter]] = {
    10: takes_replicas,
    11: taints_tolerated,
    12: right_architecture,
    13: right_engine,
    14: constraints_hold,
    15: right_region,
    16: right_class,
    17: image_allowed,
    18: holds_volumes,
}
"""What a place is, by the number of the rule. It does not change within a block, but for volumes."""
MOVING: Final[dict[int, Filter]] = {
    19: has_room,
    20: ports_free,
    21: nobody_refuses,
    22: below_node_max,
    23: within_skew,
    24: not_refused,
}
"""What depends on what stands where, and on the replica."""
FILTERS: Final[dict[int, Filter]] = {**STATIC, **MOVING}
"""PLACE-4. All, in the order in which they are tried."""


def static_pass(question: Question, places: Places) -> Places:
    """The places that pass the filters on what a place is."""
    for passes in STATIC.values():
        places = passes(question, places)
    return places
