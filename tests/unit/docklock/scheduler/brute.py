"""A second scheduler, written from docs/protocol/placement.md alone: slow, obvious, and built otherwise.

It keeps nothing but two lists, nodes and pairs of (node, replica), and asks them again for every question. A node's
objections are a set of rule numbers; preemption tries every set of standing replicas of every node.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import chain, combinations

from metanode.docklock.scheduler import Newcomer, NodeView, Replica
from metanode.records.placement import Weights

CLASSES = ["public", "internal", "confidential", "restricted"]
Standing = Sequence[tuple[str, Replica]]


class Brute:
    def __init__(self, nodes: Sequence[NodeView], standing: Standing, weights: Weights, banned: bytes) -> None:
        self.nodes = sorted(nodes, key=lambda node: node.identity)
        self.standing = list(standing)
        self.weights = weights
        self.banned = banned
        self.volumes = {(node.name, volume) for node in nodes for volume in node.volumes}
        self.note_volumes()

    def note_volumes(self) -> None:
        self.volumes |= {(node, volume) for node, one in self.standing for volume in one.demand.volumes}

    def add(self, node: str, replica: Replica) -> None:
        self.standing.append((node, replica))
        self.note_volumes()

    def objections(self, node: NodeView, who: Newcomer, standing: Standing) -> set[int]:
        """The numbers of all filters that the node does not pass."""
        found = self.nature(node, who)
        asked = who.replica.demand
        there = [one for name, one in standing if name == node.name]
        others = [one for one in there if not self.same(one, who)]
        if sum(one.demand.cpu_millicores for one in there) + asked.cpu_millicores > node.cpu_millicores:
            found.add(19)
        if sum(one.demand.memory_kib for one in there) + asked.memory_kib > node.memory_kib:
            found.add(19)
        if len(there) >= node.standing_max:
            found.add(19)
        if set(asked.ports) & set(chain.from_iterable(one.demand.ports for one in there)):
            found.add(20)
        for other in others:
            if other.workload in asked.anti_affinity or who.replica.workload in other.demand.anti_affinity:
                found.add(21)
        if asked.node_max and len([one for one in others if one.workload == who.replica.workload]) >= asked.node_max:
            found.add(22)
        for spread in asked.spread:
            if spread.skew_max > 0:
                mine = dict(node.labels).get(spread.label)
                if mine is None or 1 + self.above(mine, spread.label, who, standing) > spread.skew_max:
                    found.add(23)
        if node.name in who.refused:
            found.add(24)
        return found

    def nature(self, node: NodeView, who: Newcomer) -> set[int]:
        """Those of the filters 10 to 18."""
        asked = who.replica.demand
        labels = dict(node.labels)
        hard = [taint for taint in node.taints if taint.effect in ("no-schedule", "no-execute")]
        capable = CLASSES.index(labels["data-class"]) if labels.get("data-class") in CLASSES else 0
        if "data-class" not in labels:
            capable = 1
        somewhere = {volume for _, volume in self.volumes}
        fails = {
            10: node.barred != "",
            11: any(not self.tolerated(taint, who) for taint in hard),
            12: asked.architecture not in ("", node.architecture),
            13: not (set(node.engines) & set(asked.engines) if asked.engines else node.engines),
            14: not all(self.compares(one, labels) for one in asked.constraints),
            15: bool(asked.regions) and labels.get("region") not in asked.regions,
            16: CLASSES.index(asked.data_class) > capable,
            17: bool(asked.image) and asked.image == self.banned,
            18: any(volume in somewhere and (node.name, volume) not in self.volumes for volume in asked.volumes),
        }
        return {rule for rule, failed in fails.items() if failed}

    @staticmethod
    def same(one: Replica, who: Newcomer) -> bool:
        return one.workload == who.replica.workload and one.index == who.replica.index

    @staticmethod
    def tolerated(taint, who: Newcomer) -> bool:
        for one in who.replica.demand.tolerations:
            right_taint = (not one.key or one.key == taint.key) and (not one.value or one.value == taint.value)
            if right_taint and (not one.effect or one.effect == taint.effect):
                return True
        return False

    @staticmethod
    def compares(one, labels: dict[str, str]) -> bool:
        there = one.label in labels
        listed = there and labels[one.label] in one.values
        return {"==": listed, "in": listed, "!=": not listed, "not-in": not listed, "exists": there}.get(
            one.operator, not there
        )

    def above(self, value: str, label: str, who: Newcomer, standing: Standing) -> int:
        """How many more of the workload are at this value than at the one that has fewest."""

        def at(wanted: str) -> int:
            homes = {node.name for node in self.nodes if (label, wanted) in node.labels}
            mine = [one for home, one in standing if home in homes and one.workload == who.replica.workload]
            return len([one for one in mine if not self.same(one, who)])

        open_values = {v for node in self.nodes if not self.nature(node, who) for k, v in node.labels if k == label}
        return at(value) - min([at(one) for one in open_values], default=0)

    def points(self, node: NodeView, who: Newcomer) -> dict[str, int]:
        asked = who.replica.demand
        there = [one for name, one in self.standing if name == node.name]
        others = [one for one in there if not self.same(one, who)]
        siblings = len([one for one in others if one.workload == who.replica.workload])
        cpu = 10_000 * sum(one.demand.cpu_millicores for one in [*there, who.replica]) // node.cpu_millicores
        memory = 10_000 * sum(one.demand.memory_kib for one in [*there, who.replica]) // node.memory_kib
        used = (cpu + memory) // 2
        packed = used if (asked.strategy or self.weights.strategy) == "binpack" else None
        neighbours = {one.workload for one in others} & set(asked.affinity)
        even = [
            10_000 // (1 + self.above(dict(node.labels)[one.label], one.label, who, self.standing))
            if one.label in dict(node.labels) else 0
            for one in asked.spread
        ]  # fmt: skip
        soft = [taint for taint in node.taints if taint.effect == "avoid" and not self.tolerated(taint, who)]
        return {
            "fill": (10_000 - used + 10_000 // (1 + siblings)) // 2 if packed is None else packed,
            "balance": 10_000 - abs(cpu - memory),
            "affinity": 10_000 * len(neighbours) // len(asked.affinity) if asked.affinity else 0,
            "spread": sum(even) // len(even) if even else 0,
            "image": 10_000 if asked.image in node.images else 0,
            "stay": 10_000 if who.stood == node.name else 0,
            "avoid": 10_000 // (1 + len(soft)),
        }

    def total(self, node: NodeView, who: Newcomer) -> int:
        return sum(points * getattr(self.weights, name) for name, points in self.points(node, who).items())

    def place(self, who: Newcomer, seed: bytes) -> tuple[str, int] | dict[int, int]:
        """The node and its total, or how many nodes each filter was the first to turn away."""
        first: dict[int, int] = {}
        winners: list[tuple[int, bytes, str]] = []
        for node in self.nodes:
            found = self.objections(node, who, self.standing)
            if found:
                first[min(found)] = first.get(min(found), 0) + 1
            else:
                data = b"metanode.plctie1" + seed + who.spec + who.replica.index.to_bytes(4, "big") + node.identity
                winners.append((self.total(node, who), sha256(data).digest(), node.name))
        if not winners:
            return first
        most = max(total for total, _, _ in winners)
        return min((tie, name) for total, tie, name in winners if total == most)[1], most

    def preempt(self, who: Newcomer) -> tuple[str, list[tuple[str, int, int]]] | None:
        """The node and its victims; only for nodes with at most twelve possible victims."""
        if not who.replica.demand.preempts:
            return None
        found: list[tuple[int, int, list[tuple[str, int, int]], str]] = []
        for node in self.nodes:
            for gone in self.sets(node, who):
                left = [(name, one) for name, one in self.standing if one not in gone]
                if not self.objections(node, who, left):
                    names = sorted((one.workload, one.index, one.attempt) for one in gone)
                    found.append((sum(one.demand.priority for one in gone), len(names), names, node.name))
        if not found:
            return None
        _, _, names, home = min(found)
        return home, names

    def sets(self, node: NodeView, who: Newcomer) -> Iterable[tuple[Replica, ...]]:
        possible = [
            one
            for name, one in self.standing
            if name == node.name
            and one.demand.priority < who.replica.demand.priority
            and one.workload != who.replica.workload
            and not one.protected
        ]
        return chain.from_iterable(combinations(possible, size) for size in range(1, len(possible) + 1))
