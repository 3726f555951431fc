"""What the mesh of an agent stands on, without a chain and without a runtime: for measuring it alone."""

import time
from dataclasses import dataclass, field

from metanode.docklock.cluster.state import Assignment
from metanode.docklock.mesh.refusals import MeshRefusal
from metanode.docklock.mesh.services import Node, Served
from metanode.host.runtimes.driver import ContainerState
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.states import LogMark, Phase
from metanode.primitives.refusal import Rejected
from metanode.records.demand import Demand
from metanode.records.workload import Job, Port, Restart, Terms, Update, WorkloadSpec


@dataclass
class Chain:
    """Other nodes, services, and which workload stands where with which networks."""

    members: dict[str, Node] = field(default_factory=dict)
    services: dict[str, Served] = field(default_factory=dict)
    standing: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    height: int = 1

    def changed(self) -> None:
        """There is a new head."""
        self.height += 1


class View:
    """Implements `MeshPort` for one node."""

    def __init__(self, chain: Chain, node: str) -> None:
        self._chain = chain
        self._node = node

    def wait(self, above: int) -> int:
        """The head, in any case after half a second."""
        deadline = time.monotonic() + 0.5
        while self._chain.height <= above and time.monotonic() < deadline:
            time.sleep(0.05)
        return self._chain.height

    def nodes(self) -> tuple[Node, ...]:
        """The others."""
        return tuple(one for name, one in sorted(self._chain.members.items()) if name != self._node)

    def services(self) -> tuple[int, tuple[Served, ...]]:
        """What can be called."""
        return self._chain.height, tuple(self._chain.services.values())

    def caller(self, workload: str, revision: int, node: str) -> tuple[str, ...]:
        """Its networks."""
        if (workload, node) not in self._chain.standing or revision != 1:
            raise Rejected(MeshRefusal.NOT_PLACED, workload)
        return self._chain.standing[workload, node]

    def may_ask(self, account: bytes) -> bool:
        """Nobody."""
        return not account


@dataclass
class Engine:
    """As much of a driver as the mesh asks: the process whose namespace is a container's."""

    pids: dict[str, int]

    async def inspect(self, name: str) -> ContainerState:
        """It runs."""
        if name not in self.pids:
            raise Rejected(RuntimeRefusal.UNKNOWN, name)
        return ContainerState(name, "sandbox", Phase.RUNNING, self.pids[name], 0, 0, None, LogMark(0, 0, 0, ""))


def _of(workload: str, ports: tuple[Port, ...]) -> tuple[Assignment, WorkloadSpec]:
    demand = Demand(
        image=b"", cpu_millicores=100, memory_kib=65_536, architecture="", engines=(), ports=(), volumes=(),
        constraints=(), tolerations=(), spread=(), affinity=(), anti_affinity=(), node_max=0, regions=(),
        data_class="public", strategy="", priority=0, preempts=False,
    )  # fmt: skip
    update = Update(
        parallelism=1, order="stop-first", delay_ms=0, monitor_ms=0, failures_max_bp=0, on_failure="pause"
    )  # fmt: skip
    terms = Terms(
        workload=workload, kind="service", demand=demand, update=update, job=Job(retries=0, deadline_ms=0),
        dependencies=(), ports=ports, networks=("net",), deterministic=False,
    )  # fmt: skip
    spec = WorkloadSpec(
        terms=terms, image="metanode.host/usr", command=("true",), arguments=(), environment=(), working_directory="",
        user="", hostname="", read_only=True, temporary=(), capabilities=(), mounts=(), secrets=(), pids_max=64,
        stop_signal="SIGTERM", stop_grace_ms=1_000, log_bytes_max=65_536, log_files_max=2, health=(),
        restart=Restart(condition="no", attempts_max=0, delay_ms=0, window_ms=0), egress=(), agreement=b"",
    )  # fmt: skip
    one = Assignment(
        workload=workload, index=0, attempt=1, revision=1, spec=bytes(32), terms=bytes(32), run=True,
        cpu_millicores=100, memory_kib=65_536, ports=(), priority=0,
    )  # fmt: skip
    return one, spec


def server_of(workload: str, port: int) -> tuple[Assignment, WorkloadSpec]:
    """A service with one port."""
    return _of(workload, (Port(name="http", container=port, published=0, protocol="tcp"),))


def caller_of(workload: str) -> tuple[Assignment, WorkloadSpec]:
    """Who only calls."""
    return _of(workload, ())
