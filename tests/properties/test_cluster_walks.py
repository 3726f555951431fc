"""Whatever is asked of a cluster, and whatever its nodes do: its books agree, nothing is given twice, and once all is
well again everything runs."""

from random import Random

import pytest
from tests.unit.docklock.cluster.town import Town, apply, terms

from metanode.docklock.cluster.state import (
    NO_USAGE,
    Usage,
    read_agenda,
    read_cluster,
    read_queue,
    read_replica,
    read_share,
    read_usage,
    read_workload,
)
from metanode.records.calls import Call
from metanode.records.cluster_calls import ClusterControl, ClusterMark, ClusterRollBack, ClusterScale
from metanode.records.workload import Port

PORT = Port(name="web", container=8_080, published=80, protocol="tcp")
WALKS, STEPS, NODES, NAMES = 24, 50, 4, ("ant", "bee", "cat", "dog")
FOUND = (25, 38, 116)
"""Walks that once ended with an update that never did: two instances of one kind, and no room for a third."""
HEALED_BLOCKS = 90
"""Blocks of a second in which everything runs again: the longest wait after failures here is 64 s."""


def drawn(random: Random, town: Town) -> tuple[str, Call]:
    """Something an operator might ask, sensible or not."""
    name, node = random.choice(NAMES), random.choice(town.names)
    match random.randrange(9):
        case 0 | 1:
            order = random.choice(("start-first", "stop-first"))
            update = {"order": order, "parallelism": random.randrange(1, 4), "failures_max_bp": 0}
            asked = {
                "cpu_millicores": random.choice((100, 500)),
                "priority": random.randrange(3) * 100,
                "preempts": random.random() < 0.5,
                "ports": (80,) if random.random() < 0.2 else (),
            }
            what = terms(name, demand=asked, update=update)
            if asked["ports"]:
                what = terms(name, demand=asked, update=update, ports=(PORT,))
            return "bob", apply(what, random.randrange(5), spec=bytes([random.randrange(1, 250)]))
        case 2 | 3:
            return "bob", ClusterScale(cluster="shop", workload=name, replicas=random.randrange(6))
        case 4:
            return "bob", ClusterRollBack(cluster="shop", workload=name)
        case 5 | 6:
            action = random.choice(("stop", "start", "restart", "delete"))
            return "bob", ClusterControl(cluster="shop", workload=name, action=action)
        case _:
            wanted = random.choice(("active", "active", "cordoned", "draining"))
            return "bob", ClusterMark(cluster="shop", node=node, mark=wanted)


def check_books(town: Town) -> None:
    """Every value of the state says the same as every other."""
    state = town.ledger
    cluster = read_cluster(state, "shop")
    assert cluster is not None
    instances: dict[tuple[str, int, int], tuple[str, bool]] = {}
    waiting: set[tuple[str, int, int]] = set()
    used: dict[bytes, Usage] = {}
    for name in cluster.workloads:
        workload = read_workload(state, "shop", name)
        assert workload is not None
        demand = workload.current.terms.demand
        before = used.get(workload.owner, NO_USAGE)
        used[workload.owner] = Usage(
            cpu_millicores=before.cpu_millicores + demand.cpu_millicores * workload.replicas,
            memory_kib=before.memory_kib + demand.memory_kib * workload.replicas,
            replicas=before.replicas + workload.replicas,
        )
        for index in range(workload.peak):
            replica = read_replica(state, "shop", name, index)
            assert len(replica.instances) <= 2
            assert len({one.attempt for one in replica.instances}) == len(replica.instances)
            for one in replica.instances:
                assert (one.state == "waiting") == (not one.node)
                if one.node:
                    instances[name, index, one.attempt] = (one.node, one.state != "stopping")
                else:
                    waiting.add((name, index, one.attempt))
    assigned = {
        (one.workload, one.index, one.attempt): (node, one.run)
        for node in cluster.nodes
        for one in read_share(state, "shop", node).assignments
    }
    assert assigned == instances
    assert {(one.workload, one.index, one.attempt) for one in read_queue(state, "shop").waiting} == waiting
    for account, usage in used.items():
        assert read_usage(state, "shop", account) == usage
    assert len(read_agenda(state).changed) <= len(NAMES)


def check_nodes(town: Town) -> None:
    """What is to run on a node fits it, and no port is given twice."""
    for node in town.names:
        running = [one for one in town.share(node).assignments if one.run]
        assert sum(one.cpu_millicores for one in running) <= 4_000
        ports = [port for one in running for port in one.ports]
        assert len(set(ports)) == len(ports)


@pytest.mark.parametrize("seed", [*range(WALKS), *FOUND])
def test_the_books_agree_and_everything_runs_in_the_end(seed: int) -> None:
    random, town = Random(f"cluster walk {seed}"), Town(nodes=NODES)
    for _ in range(STEPS):
        for _ in range(random.randrange(3)):
            sender, call = drawn(random, town)
            town.commit(town.with_work(sender, call), later_ms=50)
        if random.random() < 0.15:
            town.silent ^= {random.choice(town.names)}
        if random.random() < 0.2:
            town.broken ^= {(random.choice(NAMES), random.randrange(1, 6))}
        if random.random() < 0.1:
            town.asleep ^= {random.choice(town.names)}
        town.lives(later_ms=random.choice((300, 1_000, 3_000)))
        check_books(town)
        check_nodes(town)
    town.silent.clear()
    town.asleep.clear()
    town.broken.clear()
    for node in town.names:
        town.does("bob", ClusterMark(cluster="shop", node=node, mark="active"))
    town.lives(HEALED_BLOCKS)
    check_books(town)
    for name in NAMES:
        if town.phase(name) in ("", "stopped", "paused"):
            continue
        held, workload = town.where(name), town.workload(name)
        states = {(state, revision) for ((_, state, revision), *_) in held.values()}
        assert len(held) == workload.replicas, (name, held)
        if workload.current.terms.demand.ports:
            continue  # more replicas than nodes, or another workload, may want the same port
        assert (town.phase(name), states) == ("active", {("ready", workload.current.number)} if held else set()), name
