"""Nodes, demands and whole clusters for tests of placement: by hand, and by chance from a seed."""

from dataclasses import dataclass, field
from hashlib import sha256
from random import Random

from metanode.docklock.scheduler import Fleet, Newcomer, NodeView, Replica
from metanode.records.demand import Constraint, Demand, Spread, Taint, Toleration
from metanode.records.placement import Weights

SEED = sha256(b"a block").digest()
SPEC = sha256(b"a specification").digest()
IMAGES = [sha256(b"image %d" % number).digest() for number in range(3)]
BANNED = IMAGES[2]
"""What the rule about images of these clusters refuses."""


def image_rule(image: bytes) -> str:
    return "not admitted" if image == BANNED else ""


def identity(name: str) -> bytes:
    return sha256(name.encode()).digest()[:20]


def node(name: str, **changes) -> NodeView:
    """4 cores and 8 GiB, unless told otherwise."""
    labels = changes.pop("labels", {})
    usual = {
        "identity": identity(name),
        "architecture": "x86_64",
        "engines": ("sandbox",),
        "labels": tuple(sorted(labels.items())),
        "taints": (),
        "cpu_millicores": 4_000,
        "memory_kib": 8 << 20,
        "images": (),
        "volumes": (),
        "barred": "",
        "leaving": False,
    }
    return NodeView(name=name, **{**usual, **changes})


def demand(**changes) -> Demand:
    """One core and 1 GiB, unless told otherwise."""
    usual = {
        "image": b"",
        "cpu_millicores": 1_000,
        "memory_kib": 1 << 20,
        "architecture": "",
        "engines": (),
        "ports": (),
        "volumes": (),
        "constraints": (),
        "tolerations": (),
        "spread": (),
        "affinity": (),
        "anti_affinity": (),
        "node_max": 0,
        "regions": (),
        "data_class": "internal",
        "strategy": "",
        "priority": 0,
        "preempts": False,
    }
    return Demand(**{**usual, **changes})


def replica(workload: str = "web", index: int = 0, attempt: int = 1, *, protected: bool = False, **changes) -> Replica:
    return Replica(workload=workload, index=index, attempt=attempt, demand=demand(**changes), protected=protected)


def newcomer(workload: str = "web", index: int = 0, attempt: int = 1, *, stood: str = "", refused=(), **changes):
    return Newcomer(
        replica=replica(workload, index, attempt, **changes), spec=SPEC, stood=stood, refused=tuple(refused)
    )


def fleet(*nodes: NodeView, standing=(), weights: Weights | None = None) -> Fleet:
    return Fleet(nodes, standing, weights or Weights(), image_rule)


WORKLOADS = ("api", "db", "web", "work")
VALUES = ("a", "b", "c")
EFFECTS = ("no-schedule", "no-execute", "avoid")
TAINTS = [(key, value, effect) for key in ("gpu", "old") for value in ("", "x") for effect in EFFECTS]
TOLERATIONS = [(key, value, effect) for key in ("", "gpu", "old") for value in ("", "x") for effect in ("", *EFFECTS)]
CLASSES = ("public", "internal", "confidential", "restricted")


@dataclass
class World:
    """A small cluster in which everything occurs, and a row of newcomers."""

    nodes: list[NodeView]
    standing: list[tuple[str, Replica]]
    weights: Weights
    newcomers: list[Newcomer]
    seed: bytes = SEED

    def fleet(self) -> Fleet:
        return Fleet(self.nodes, self.standing, self.weights, image_rule)


@dataclass
class Chance:
    """Everything that is drawn."""

    random: Random
    demands: dict[str, Demand] = field(default_factory=dict)

    def some(self, choices, most: int = 2, rarely: int = 3):
        """A few of these, ascending; mostly none."""
        if self.random.randrange(rarely):
            return ()
        return tuple(sorted(self.random.sample(choices, self.random.randint(1, min(most, len(choices))))))

    def node(self, number: int) -> NodeView:
        draw = self.random
        labels = {"zone": draw.choice(VALUES)} if draw.randrange(6) else {}
        if draw.randrange(3):
            labels["rack"] = draw.choice(VALUES)
        if not draw.randrange(3):
            labels["region"] = draw.choice(("eu", "us"))
        if not draw.randrange(3):
            labels["data-class"] = draw.choice((*CLASSES, *CLASSES[1:], "secret"))
        taints = self.some(TAINTS, 2, 5)
        return node(
            f"n{number}",
            labels=labels,
            taints=tuple(Taint(key=k, value=v, effect=e) for k, v, e in taints),
            architecture=draw.choice((*["x86_64"] * 7, "aarch64")),
            engines=draw.choice((*[("sandbox",)] * 8, *[("docker", "sandbox")] * 4, ("oci",), ())),
            cpu_millicores=draw.choice((1_000, 2_000, 4_001, 8_000)),
            memory_kib=draw.choice((3_000, 4_096, 8_192, 12_000)),
            images=self.some(IMAGES, 2, 2),
            volumes=self.some(("data", "logs"), 2, 6),
            standing_max=draw.choice((1, 3, 256, 256, 256)),
            barred="" if draw.randrange(12) else draw.choice(("cordoned", "lost")),
        )

    def demand(self) -> Demand:
        draw = self.random
        spread = self.some(("rack", "zone"), 2, 3)
        return demand(
            image=draw.choice((*[b""] * 9, *IMAGES[:2] * 4, BANNED)),
            cpu_millicores=draw.choice((100, 333, 500, 1_000)),
            memory_kib=draw.choice((1_024, 1_500, 2_048)),
            architecture=draw.choice((*[""] * 8, "x86_64", "x86_64", "aarch64")),
            engines=self.some(("docker", "oci", "sandbox"), 2, 8),
            ports=self.some((80, 443), 2, 4),
            volumes=self.some(("data", "logs", "new"), 2, 6),
            constraints=self.constraints(),
            tolerations=tuple(
                Toleration(key=k, value=v, effect=e)
                for k, v, e in self.some(TOLERATIONS, 2, 2)
            ),
            spread=tuple(Spread(label=label, skew_max=draw.choice((0, 0, 1, 2))) for label in spread),
            affinity=self.some(WORKLOADS, 2, 3),
            anti_affinity=self.some(WORKLOADS, 1, 6),
            node_max=draw.choice((0, 0, 0, 1, 2)),
            regions=self.some(("eu", "us"), 2, 12),
            data_class=draw.choice((*["public"] * 6, *["internal"] * 6, "confidential")),
            strategy=draw.choice(("", "", "binpack", "spread")),
            priority=draw.choice((0, 0, 1, 5, 9)),
            preempts=bool(draw.randrange(2)),
        )  # fmt: skip

    def constraints(self):
        if self.random.randrange(6):
            return ()
        label = self.random.choice(("zone", "rack"))
        operator = self.random.choice(("==", "!=", "in", "not-in", "exists", "absent"))
        values = {"==": ("a",), "!=": ("a",), "in": ("a", "b"), "not-in": ("a", "b")}.get(operator, ())
        return (Constraint(label=label, operator=operator, values=values),)

    def replica(self, index: int, attempt: int) -> Replica:
        """Of a workload whose demand is drawn once, or rarely again: another revision."""
        workload = self.random.choice(WORKLOADS)
        if workload not in self.demands or not self.random.randrange(6):
            self.demands[workload] = self.demand()
        return Replica(
            workload=workload, index=index, attempt=attempt, demand=self.demands[workload],
            protected=not self.random.randrange(8),
        )  # fmt: skip


def world(number: int, most_nodes: int = 6, most_standing: int = 10, newcomers: int = 4) -> World:
    """A small cluster by chance; the same for the same number."""
    chance = Chance(Random(number))
    draw = chance.random
    nodes = [chance.node(at) for at in range(draw.randint(1, most_nodes))]
    standing = [
        (draw.choice(nodes).name, chance.replica(draw.randrange(4), at)) for at in range(draw.randint(0, most_standing))
    ]
    drawn = {name: draw.choice((0, 1, 2, 7)) for name in Weights.__struct_fields__[1:]}
    weights = Weights(strategy=draw.choice(("binpack", "spread")), **drawn) if draw.randrange(2) else Weights()
    names = [one.name for one in nodes]
    row = [
        Newcomer(
            replica=chance.replica(draw.randrange(6), 100 + at),
            spec=sha256(b"spec %d" % draw.randrange(2)).digest(),
            stood=draw.choice(("", "", "gone", *names)),
            refused=chance.some(names, 2, 4),
        )
        for at in range(newcomers)
    ]
    return World(nodes, standing, weights, row, sha256(b"seed %d" % number).digest())
