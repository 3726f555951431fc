"""What must hold of any pretend cluster, whatever its weather: looked at after every block, and at every start."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from metanode.docklock.agent.events import Run
from metanode.docklock.cluster.lifecycle import RUNNING
from metanode.docklock.cluster.state import (
    Cluster,
    Replica,
    Workload,
    read_cluster,
    read_inspections,
    read_member,
    read_queue,
    read_replica,
    read_share,
    read_workload,
)
from metanode.ledger.view import Readable
from metanode.records.cluster_events import NodeChanged, NodeDoubted, ReceiptsPinned, ReplicaChanged, ReplicaPlaced
from metanode.sim.docklock.chain import Block
from metanode.sim.docklock.node import Node, Surroundings

STRAY_MS: Final = 2_000
"""What the share of a node that hears the chain names no more, or names to be stopped, has ended after so long: a few
blocks, two wires, its grace."""
LOST_MS: Final = 1_000
"""What ran on a lost node runs elsewhere so long after the timeout, where there is room."""


def container(one: object) -> str:
    """The name of an assignment's container."""
    return f"shop.{one.workload}.{one.index}.{one.attempt}"  # type: ignore[attr-defined]


class Oracle:
    """Looks with eyes of its own: at the state, and at what truly runs. `wrong`: all that did not hold.

    `prompt`: whether there is room, so that what a dead node ran is due elsewhere. `lost`: nodes that the chain lost.
    `doubts`: nodes that the chain named, and when. `moved_ms`: after how long what ran on a node that died ran again.
    """

    def __init__(self, fleet: Surroundings) -> None:
        self._fleet: Final = fleet
        self.wrong: list[str] = []
        self.prompt = False
        self.lost: list[str] = []
        self.doubts: dict[str, int] = {}
        self.moved_ms: list[int] = []
        self._strays: dict[tuple[str, str], int] = {}
        self._settled: dict[str, int] = {}
        self._priorities: dict[tuple[str, int, int], int] = {}
        self._down: dict[tuple[str, int], int] = {}
        self._accounts: dict[str, bytes] = {}

    @property
    def _honest(self) -> list[Node]:
        """Those that run what they say; what they say of others is another matter."""
        return [node for node in self._fleet.nodes.values() if not node.boasts]

    def _say(self, what: str) -> None:
        if len(self.wrong) < 20:
            self.wrong.append(f"after {self._fleet.clock.age_ms} ms: {what}")

    # --- as it happens ----------------------------------------------------------------------------------------------

    def starts(self, node: Node, effect: Run) -> None:
        """AGENT-1. Whatever starts was named by the last share that reached the node; AGENT-4: and there is room."""
        if not node.share.get(effect.name, False):
            self._say(f"{node.name} starts {effect.name}, which the share it knows does not name")
        if node.runtime.runs(effect.name):
            self._say(f"{node.name} starts {effect.name}, which runs there already")
        running = [one.assignment for one in node.runtime.containers.values() if one.name != effect.name]
        cpu = sum(one.cpu_millicores for one in running) + effect.assignment.cpu_millicores
        if cpu > node.offered[0]:
            self._say(f"{node.name} starts {effect.name}: {cpu} of {node.offered[0]} millicores")
        ports = Counter(port for one in (*running, effect.assignment) for port in one.ports)
        if any(times > 1 for times in ports.values()):
            self._say(f"{node.name} starts {effect.name} on a port that is taken")

    def dies(self, node: Node) -> None:
        """A node is about to die: what runs on it must run elsewhere soon."""
        if not self.prompt:
            return
        for one in node.runtime.containers.values():
            if one.running and one.assignment.run and node.share.get(one.name, False):
                self._down[one.assignment.workload, one.assignment.index] = self._fleet.clock.now_ms

    def runs(self, node: Node, workload: str, index: int) -> None:
        """A container runs."""
        began = self._down.pop((workload, index), None)
        if began is not None and not node.boasts:
            self.moved_ms.append(self._fleet.clock.now_ms - began)

    # --- after every block ------------------------------------------------------------------------------------------

    def look(self, block: Block) -> None:
        """All of it."""
        cluster = read_cluster(block.state, "shop")
        if cluster is None:
            return
        self._events(block)
        workloads = {name: found for name in cluster.workloads if (found := read_workload(block.state, "shop", name))}
        replicas = {
            (name, index): read_replica(block.state, "shop", name, index)
            for name, workload in workloads.items()
            for index in range(workload.peak)
        }
        for said in self._books(block.state, cluster, replicas):
            self._say(said)
        for said in self._limits(block.state, cluster, workloads, replicas):
            self._say(said)
        self._strange(block.state)
        for said in self._due(cluster):
            self._say(said)

    def _events(self, block: Block) -> None:
        """CLUSTER-18. Only lower ones are pushed out; CLUSTER-9: a batch is its node's own; PROBE-7: who is named."""
        victims: dict[str, list[int]] = {}
        for event in block.events:
            match event:
                case ReplicaChanged(state="preempted"):
                    priority = self._priorities.get((event.workload, event.index, event.attempt))
                    if priority is not None:
                        victims.setdefault(event.node, []).append(priority)
                case ReplicaPlaced():
                    workload = read_workload(block.state, "shop", event.workload)
                    pushed = victims.pop(event.node, [])
                    mine = workload.current.terms.demand.priority if workload is not None else 0
                    if pushed and max(pushed) >= mine:
                        self._say(f"{event.workload} of priority {mine} pushes out one of {max(pushed)}")
                case ReceiptsPinned():
                    if event.account != self._fleet.nodes[event.node].client.address:
                        self._say(f"receipts of {event.node} are pinned for somebody else")
                case NodeChanged(state="lost"):
                    self.lost.append(event.node)
                case NodeDoubted():
                    self.doubts.setdefault(event.node, self._fleet.clock.age_ms)
                case _:
                    pass
        for node in self._fleet.nodes:
            for one in read_share(block.state, "shop", node).assignments:
                self._priorities[one.workload, one.index, one.attempt] = one.priority

    def _books(self, state: Readable, cluster: Cluster, replicas: dict[tuple[str, int], Replica]) -> Iterator[str]:
        """CLUSTER-7, CLUSTER-11, CLUSTER-17. Shares, replicas and the queue say the same; duties are of inspections."""
        instances = {
            (workload, index, one.attempt): (one.node, one.state != "stopping")
            for (workload, index), replica in replicas.items()
            for one in replica.instances
            if one.node
        }
        waiting = {
            (workload, index, one.attempt)
            for (workload, index), replica in replicas.items()
            for one in replica.instances
            if not one.node
        }
        assigned = {
            (one.workload, one.index, one.attempt): (node, one.run)
            for node in cluster.nodes
            for one in read_share(state, "shop", node).assignments
        }
        if assigned != instances:
            yield f"shares and replicas differ: {sorted(assigned.items() ^ instances.items())[:4]}"
        queued = {(one.workload, one.index, one.attempt) for one in read_queue(state, "shop").waiting}
        if queued != waiting:
            yield f"the queue and the replicas differ: {sorted(queued ^ waiting)[:4]}"
        begun = read_inspections(state, "shop").open
        for node in cluster.nodes:
            due = [one.duty for one in begun if node in one.probers and not any(s.prober == node for s in one.verdicts)]
            if list(read_share(state, "shop", node).duties) != due:
                yield f"{node} has other duties than there are inspections"
            if any(one.duty.node == node for one in begun if node in one.probers):
                yield f"{node} is to look at itself"

    def _limits(
        self,
        state: Readable,
        cluster: Cluster,
        workloads: dict[str, Workload],
        replicas: dict[tuple[str, int], Replica],
    ) -> Iterator[str]:
        """PLACE-19, PLACE-20, CLUSTER-12. Never more than a node has; never more attempts of a replica than there may
        be; never more receipts pinned than were written."""
        for node in cluster.nodes:
            member, share = read_member(state, "shop", node), read_share(state, "shop", node)
            mine = self._fleet.nodes[node]
            self._accounts[node] = mine.client.address
            if member is not None and member.inventory:
                running = [one for one in share.assignments if one.run]
                if sum(one.cpu_millicores for one in running) > member.inventory[0].cpu_millicores:
                    yield f"{node} is given more than it has"
                ports = [port for one in running for port in one.ports]
                if len(set(ports)) < len(ports):
                    yield f"{node} is given a port twice"
            if not mine.boasts and share.receipts > len(mine.steps):
                yield f"{share.receipts} receipts of {node} are pinned, it wrote {len(mine.steps)}"
        for (name, index), replica in replicas.items():
            here = [one for one in replica.instances if one.state in (*RUNNING, "waiting")]
            most = 1 if workloads[name].current.terms.update.order == "stop-first" else 2
            if len(here) > most:
                yield f"{name}.{index} is wanted {len(here)} times"

    def _strange(self, state: Readable) -> None:
        """CLUSTER-7, AGENT-1. On nodes that hear the chain nothing runs for long that their share does not name, or
        names to be stopped; and no attempt runs twice."""
        now_ms = self._fleet.clock.now_ms
        living: Counter[str] = Counter()
        for node in self._honest:
            if not node.alive or not node.linked:
                self._settled[node.name] = now_ms
            wanted = {container(one): one.run for one in read_share(state, "shop", node.name).assignments}
            running = [one for one in node.runtime.containers.values() if one.running]
            cpu = sum(one.assignment.cpu_millicores for one in running)
            if cpu > node.cpu_millicores:
                self._say(f"{cpu} millicores run on {node.name}, which has {node.cpu_millicores}")
            here = {(node.name, one.name) for one in running}
            for key in [key for key in self._strays if key[0] == node.name and key not in here]:
                del self._strays[key]
            for one in running:
                key = (node.name, one.name)
                if wanted.get(one.name, False):
                    self._strays.pop(key, None)
                    living[one.name] += 1
                    continue
                since_ms = max(self._strays.setdefault(key, now_ms), self._settled.get(node.name, 0))
                if now_ms - since_ms > STRAY_MS:
                    self._say(f"{one.name} still runs on {node.name}, {now_ms - since_ms} ms after it was to end")
        if any(times > 1 for times in living.values()):
            self._say(f"one attempt runs twice: {[name for name, times in living.items() if times > 1]}")

    def _due(self, cluster: Cluster) -> Iterator[str]:
        """CLUSTER-10. What ran on a node that died runs elsewhere within the timeout and a second."""
        bound_ms = cluster.settings.heartbeat_timeout_ms + LOST_MS
        for (workload, index), since_ms in list(self._down.items()):
            late_ms = self._fleet.clock.now_ms - since_ms
            if late_ms > bound_ms:
                del self._down[workload, index]
                yield f"{workload}.{index} does not run elsewhere {late_ms} ms after its node died"

    # --- in the end -------------------------------------------------------------------------------------------------

    def unfinished(self, state: Readable) -> Iterator[str]:
        """What is desired runs, well, once, on honest nodes; nothing else does; every step is pinned."""
        cluster = read_cluster(state, "shop")
        assert cluster is not None, "the cluster is founded before anything is asked"
        truth = {
            one.name: node for node in self._fleet.nodes.values() if node.alive
            for one in node.runtime.containers.values() if node.runtime.is_well(one.name)
        }  # fmt: skip
        due: set[str] = set()
        for name in cluster.workloads:
            workload = read_workload(state, "shop", name)
            if workload is None or workload.phase not in ("active", "updating", "completed", "stopped"):
                yield f"{name} is {workload.phase if workload is not None else 'gone'}"
                continue
            if workload.phase == "updating":
                yield f"{name} is still being updated"
            if workload.current.terms.kind == "job" and workload.phase != "completed":
                yield f"{name} is not done"
            for index in range(workload.replicas if workload.phase in ("active", "updating") else 0):
                replica = read_replica(state, "shop", name, index)
                if replica.done:
                    continue
                names = [f"shop.{name}.{index}.{one.attempt}" for one in replica.instances]
                due.update(names)
                ready = [one for one in replica.instances if one.state == "ready"]
                if len(ready) != 1 or len(replica.instances) != 1 or names[0] not in truth:
                    yield f"{name}.{index} does not run well: {replica.instances}, {[n in truth for n in names]}"
        strange = sorted(set(truth) - due)
        if strange:
            yield f"{strange[:4]} run, and should not"
        for node in self._honest:
            share = read_share(state, "shop", node.name)
            if node.alive and share.receipts != len(node.steps):
                yield f"{node.name} wrote {len(node.steps)} receipts, {share.receipts} are pinned"
