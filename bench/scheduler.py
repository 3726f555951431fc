"""What a placement costs: the index against the plain definition, on the same fleets, with equal answers.

python -m bench.scheduler [--nodes 100,1000] [--replicas 5000] [--json FILE]. Each placement is timed by itself, with
taking the replica in; every hundredth is computed by the definition too, and must be the same. `first` is the share of
placements that had to build the index of their workload; `fleet` what a block pays to begin, with all of them standing.
Times are of the processor, on one core.
"""

import gc
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from time import process_time
from typing import Any

from bench.kit.report import Report, parser, quantile

from metanode.docklock.scheduler import (
    Fleet,
    Newcomer,
    NodeView,
    Placed,
    Replica,
    Scheduler,
    Unplaced,
    place_plainly,
    preempt,
    why,
)
from metanode.primitives.codec import encode
from metanode.records.demand import Constraint, Demand, Spread, Taint, Toleration
from metanode.records.placement import Weights

SEED = sha256(b"seed").digest()
IMAGES = [sha256(b"image %d" % number).digest() for number in range(8)]
EVERY = 100
"""One placement in so many is computed by the definition as well."""


@dataclass(frozen=True)
class Load:
    """So many workloads of equal size. `asks`: little (cores and memory), much (everything but volumes and ports), host
    (one replica a node, even over nodes)."""

    name: str
    workloads: int
    asks: str


LOADS = (
    Load("one workload", 1, "little"),
    Load("50 workloads", 50, "little"),
    Load("50 workloads", 50, "much"),
    Load("1,000 workloads", 1_000, "much"),
    Load("each its own", 5_000, "little"),
    Load("each its own", 5_000, "much"),
    Load("even over nodes", 10, "host"),
)


def node(number: int, cpu: int = 32_000) -> NodeView:
    zone = "abc"[number % 3]
    labels = {
        "zone": zone,
        "region": ("eu", "us")[number % 2],
        "disk": ("ssd", "hdd")[number % 5 == 0],
        "host": f"h{number}",
    }
    name = f"node-{number}"
    return NodeView(
        name=name,
        identity=sha256(name.encode()).digest()[:20],
        architecture="x86_64",
        engines=("docker", "sandbox"),
        labels=tuple(sorted(labels.items())),
        taints=(Taint(key="gpu", value="", effect="no-schedule"),) if number % 10 == 0 else (),
        cpu_millicores=cpu,
        memory_kib=128 << 20,
        images=tuple(sorted(IMAGES[number % 4 : number % 4 + 3])),
        volumes=(),
        barred="cordoned" if number % 97 == 0 else "",
        leaving=False,
    )


def demand(load: Load, number: int) -> Demand:
    much, host = load.asks == "much", load.asks == "host"
    spread = (Spread(label="zone", skew_max=1),) if much else (Spread(label="host", skew_max=2),) if host else ()
    return Demand(
        image=IMAGES[number % 8] if much else b"",
        cpu_millicores=(250, 500, 1_000)[number % 3] + number % 7,
        memory_kib=(1 << 20) + 1_024 * (number % 11),
        architecture="x86_64" if much else "",
        engines=("sandbox",) if much else (),
        ports=(),
        volumes=(),
        constraints=(Constraint(label="disk", operator="==", values=("ssd",)),) if much else (),
        tolerations=(Toleration(key="gpu", value="", effect=""),) if number % 2 else (),
        spread=spread,
        affinity=(f"w-{number - 1}",) if much and number else (),
        anti_affinity=(f"w-{number + 1}",) if much else (),
        node_max=4 if much else 0,
        regions=("eu",) if much and number % 4 == 0 else (),
        data_class="internal",
        strategy=("", "binpack")[number % 2] if much else "",
        priority=0,
        preempts=False,
    )


def row_of(load: Load, replicas: int) -> Iterator[Newcomer]:
    for number in range(load.workloads):
        spec = sha256(b"spec %d" % number).digest()
        asked = demand(load, number)
        for index in range(replicas // load.workloads):
            yield Newcomer(replica=Replica(workload=f"w-{number}", index=index, attempt=1, demand=asked), spec=spec)


def fleet(nodes: int) -> Fleet:
    return Fleet([node(number) for number in range(nodes)], (), Weights(), lambda _image: "")


def placing(nodes: int, replicas: int, load: Load) -> dict[str, Any]:
    found = fleet(nodes)
    scheduler = Scheduler(found, SEED)
    spent: list[float] = []
    plainly: list[float] = []
    unplaced = 0
    gc.collect()
    gc.freeze()
    for number, newcomer in enumerate(row_of(load, replicas)):
        expected: Placed | Unplaced | None = None
        if number % EVERY == EVERY // 2:
            began = process_time()
            expected = place_plainly(found, newcomer, SEED)
            plainly.append(process_time() - began)
        began = process_time()
        answer = scheduler.place(newcomer)
        if isinstance(answer, Placed):
            found.take(answer.node, newcomer.replica)
        spent.append(process_time() - began)
        unplaced += isinstance(answer, Unplaced)
        assert expected is None or expected == answer
    standing = [(place.view.name, one) for place in found.places for one in place.standing.values()]
    began = process_time()
    Fleet([place.view for place in found.places], standing, found.weights, found.image_rule)
    built = process_time() - began
    gc.unfreeze()
    mean = sum(spent) / len(spent)
    return {
        "nodes": nodes,
        "replicas": len(spent),
        "load": load.name,
        "asks": load.asks,
        "unplaced": unplaced,
        "first": load.workloads / len(spent),
        "mean ms": mean * 1e3,
        "p50 ms": quantile(spent, 0.5) * 1e3,
        "p95 ms": quantile(spent, 0.95) * 1e3,
        "max ms": max(spent) * 1e3,
        "by definition ms": sum(plainly) / len(plainly) * 1e3,
        "ratio": sum(plainly) / len(plainly) / mean,
        "fleet ms": built * 1e3,
    }


def crowded(nodes: int, each: int) -> Fleet:
    """Every node full of replicas of many priorities."""
    views = [node(number, 1_000 * each) for number in range(nodes)]
    asked = demand(LOADS[0], 2)
    standing = []
    for number, view in enumerate(views):
        for at in range(each):
            one = Replica(
                workload=f"w-{(number * 7 + at) % 50}", index=number, attempt=at,
                demand=Demand(**{
                    **{name: getattr(asked, name) for name in Demand.__struct_fields__},
                    "cpu_millicores": 1_000 - (number * 31 + at * 17) % 200,
                    "priority": (number * 13 + at * 5) % 9,
                }),
            )  # fmt: skip
            standing.append((view.name, one))
    return Fleet(views, standing, Weights(), lambda _image: "")


def rooms(nodes: int, each: int, cores: int) -> dict[str, Any]:
    """Preemption and explanation on a full fleet."""
    found = crowded(nodes, each)
    asked = demand(LOADS[0], 0)
    spent, told = [], []
    victims = 0
    for index in range(10):
        changed = {"cpu_millicores": cores * 1_000, "priority": 100, "preempts": True}
        strong = Demand(**{**{name: getattr(asked, name) for name in Demand.__struct_fields__}, **changed})
        newcomer = Newcomer(replica=Replica(workload="strong", index=index, attempt=1, demand=strong), spec=SEED)
        began = process_time()
        answer = preempt(found, newcomer)
        spent.append(process_time() - began)
        assert answer is not None
        victims += len(answer.victims)
        if index == 0:
            began = process_time()
            explanation = why(found, newcomer, SEED)
            told.append(process_time() - began)
        for victim in answer.victims:
            found.release(answer.node, victim)
        found.take(answer.node, newcomer.replica)
    return {
        "nodes": nodes,
        "replicas": nodes * each,
        "asked cores": cores,
        "victims": victims / 10,
        "preempt ms": sum(spent) / len(spent) * 1e3,
        "max ms": max(spent) * 1e3,
        "why ms": told[0] * 1e3,
        "explanation KiB": len(encode(explanation)) / 1024,
    }


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--nodes", default="100,1000", help="sizes of the fleet")
    arguments.add_argument("--replicas", type=int, default=5_000, help="newcomers")
    options = arguments.parse_args()
    report = Report("scheduler", options.json)
    sizes = [int(text) for text in options.nodes.split(",")]
    rows = [placing(nodes, options.replicas, load) for nodes in sizes for load in LOADS]
    report.table("newcomers placed one after the other", rows)
    made = [rooms(nodes, each, cores) for nodes in sizes for each, cores in ((5, 2), (10, 2), (10, 6), (40, 16))]
    report.table("room made on full fleets", made)
    report.finish()


if __name__ == "__main__":
    main()
