"""The nodes of a cluster and what stands on them, counted as it comes and goes."""

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias, TypeVar

from metanode.docklock.scheduler.values import IDENTITY_BYTES, Name, NodeView, Replica
from metanode.records.demand import DATA_CLASSES
from metanode.records.placement import Weights

Key = TypeVar("Key", int, str)
ImageRule: TypeAlias = Callable[[bytes], str]
"""Why an image may not run in this cluster; empty where it may."""

CLASS_LABEL: Final = "data-class"
"""The label that says up to which class of data a node may hold."""
REGION_LABEL: Final = "region"
"""The label that says where a node is."""
USUAL_CLASS: Final = DATA_CLASSES.index("internal")
"""What a node without the label takes."""


class Place:
    """One node: what it is, and what is taken of it. `order`: its position among identities."""

    __slots__ = (
        "avoided",
        "cpu",
        "cpu_used",
        "data_class",
        "engines",
        "images",
        "labels",
        "memory",
        "memory_used",
        "order",
        "ports",
        "refuses",
        "repelling",
        "standing",
        "standing_max",
        "view",
        "volumes",
        "workloads",
    )

    def __init__(self, view: NodeView, order: int) -> None:
        assert len(view.identity) == IDENTITY_BYTES
        self.view: Final = view
        self.order: Final = order
        self.cpu: Final = view.cpu_millicores
        self.memory: Final = view.memory_kib
        self.standing_max: Final = view.standing_max
        self.labels: Final = dict(view.labels)
        self.engines: Final = frozenset(view.engines)
        self.images: Final = frozenset(view.images)
        self.repelling: Final = tuple(taint for taint in view.taints if taint.effect != "avoid")
        self.avoided: Final = tuple(taint for taint in view.taints if taint.effect == "avoid")
        word = self.labels.get(CLASS_LABEL)
        known = word is None or word in DATA_CLASSES
        self.data_class: Final = USUAL_CLASS if word is None else DATA_CLASSES.index(word) if known else 0
        self.volumes: Final = set(view.volumes)
        self.cpu_used = 0
        self.memory_used = 0
        self.standing: Final[dict[Name, Replica]] = {}
        self.ports: Final[dict[int, int]] = {}
        self.workloads: Final[dict[str, int]] = {}
        self.refuses: Final[dict[str, int]] = {}

    def add(self, replica: Replica, sign: int) -> None:
        """Count a replica in (1) or out (-1)."""
        demand = replica.demand
        if sign > 0:
            assert replica.name not in self.standing, f"{replica.name} stands on {self.view.name} already"
            self.standing[replica.name] = replica
        else:
            del self.standing[replica.name]
        self.cpu_used += sign * demand.cpu_millicores
        self.memory_used += sign * demand.memory_kib
        _count(self.workloads, replica.workload, sign)
        for port in demand.ports:
            _count(self.ports, port, sign)
        for name in demand.anti_affinity:
            _count(self.refuses, name, sign)


def _count(counts: dict[Key, int], key: Key, sign: int) -> None:
    left = counts.get(key, 0) + sign
    if left:
        counts[key] = left
    else:
        del counts[key]


class Fleet:
    """PLACE-6. Built once a block; whoever was placed is taken in, and stands for all that come after it.

    `changes`: the order of each place that was changed, in turn, so that indices can catch up. `image_rule`: the
    cluster's rule about images.
    """

    def __init__(
        self,
        views: Iterable[NodeView],
        standing: Iterable[tuple[str, Replica]],
        weights: Weights,
        image_rule: ImageRule,
    ) -> None:
        ordered = sorted(views, key=lambda view: view.identity)
        self.places: Final = tuple(Place(view, order) for order, view in enumerate(ordered))
        self.by_name: Final = {place.view.name: place for place in self.places}
        assert len({view.identity for view in ordered}) == len(self.by_name) == len(ordered), "a node stands here twice"
        self.weights: Final = weights
        self.image_rule: Final = image_rule
        self.changes: Final[list[int]] = []
        self._holders: Final[dict[str, int]] = {}
        self._stands: Final[dict[tuple[str, int], list[int]]] = {}
        self._workloads: Final[dict[str, dict[int, int]]] = {}
        for view in ordered:
            for volume in view.volumes:
                _count(self._holders, volume, 1)
        for node, replica in standing:
            self.take(node, replica)

    def take(self, node: str, replica: Replica) -> None:
        """PLACE-18. A replica stands on a node from now on, which holds its volumes."""
        place = self.by_name[node]
        self._add(place, replica, 1)
        for volume in replica.demand.volumes:
            if volume not in place.volumes:
                place.volumes.add(volume)
                _count(self._holders, volume, 1)

    def release(self, node: str, replica: Replica) -> None:
        """A replica is gone from a node; its volumes stay."""
        self._add(self.by_name[node], replica, -1)

    def held(self, volume: str) -> int:
        """How many nodes hold a volume."""
        return self._holders.get(volume, 0)

    def replaced(self, replica: Replica) -> list[Place]:
        """PLACE-7. The nodes, once a replica, on which something of the same workload and index stands."""
        return [self.places[order] for order in self._stands.get((replica.workload, replica.index), ())]

    def counts(self, workload: str) -> dict[int, int]:
        """How many replicas of a workload stand on which place."""
        return self._workloads.get(workload, {})

    def _add(self, place: Place, replica: Replica, sign: int) -> None:
        place.add(replica, sign)
        key = replica.workload, replica.index
        stands = self._stands.setdefault(key, [])
        if sign > 0:
            stands.append(place.order)
        else:
            stands.remove(place.order)
            if not stands:
                del self._stands[key]
        _count(self._workloads.setdefault(replica.workload, {}), place.order, sign)
        self.changes.append(place.order)
