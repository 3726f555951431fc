"""Nodes that lie, each in its own way. The chain knows nothing of it."""

from msgspec.structs import replace

from metanode.docklock.agent.events import Effect, Inspect, Inspected, Probe, Probed, Ran, Report, Run
from metanode.docklock.agent.inspecting import LOOKS, NO_STATEMENT
from metanode.docklock.agent.judging import Question
from metanode.docklock.cluster.state import read_cluster, read_inspections, read_share
from metanode.records.cluster import ReplicaReport, Sighting
from metanode.records.cluster_calls import ClusterReport
from metanode.records.statement import InspectionAnswer
from metanode.sim.docklock.node import Node, Surroundings, stated


class Boaster(Node):
    """Claims that it runs what it does not: starts nothing, and says that all is well. Asked by a prober it says
    nothing, or signs that all is well, with nothing to show for it."""

    signs = False
    boasts = True

    def __init__(self, fleet: Surroundings, name: str, cpu_millicores: int, memory_kib: int) -> None:
        super().__init__(fleet, name, cpu_millicores, memory_kib)
        self.claimed: dict[str, bool] = {}

    def run(self, effect: Run) -> None:
        """Start nothing, and say that it runs."""
        self._later(self._wire(), lambda: self._claim(effect.name))

    def _claim(self, name: str) -> None:
        self.claimed[name] = True
        self.tell(Ran(self.now_ms, name, ""))

    def _carry(self, effect: Effect) -> None:
        """To a health check of something claimed it says itself that all is well."""
        if isinstance(effect, Probe) and effect.name in self.claimed:
            self._later(2, lambda: self.tell(Probed(self.now_ms, effect.name, well=True)))
        else:
            super()._carry(effect)

    def answer(self, name: str, asked: Question) -> InspectionAnswer | None:
        """Nothing that answers as the service does."""
        if name not in self.claimed:
            return super().answer(name, asked)
        return stated(self, name, asked, runs=True, well=True, head=b"") if self.signs else None


class Braggart(Boaster):
    """Claims capacity that it has not: offers eight times as much, runs what fits, and claims the rest."""

    def __init__(self, fleet: Surroundings, name: str, cpu_millicores: int, memory_kib: int) -> None:
        super().__init__(fleet, name, cpu_millicores, memory_kib)
        self.took: dict[str, int] = {}

    @property
    def offered(self) -> tuple[int, int]:
        """What it says."""
        return 8 * self.cpu_millicores, 8 * self.memory_kib

    def run(self, effect: Run) -> None:
        """What fits, in earnest."""
        self.took[effect.name] = effect.assignment.cpu_millicores
        if sum(self.took.values()) <= self.cpu_millicores:
            Node.run(self, effect)
        else:
            super().run(effect)


class Meddler(Node):
    """Says of others' replicas that they failed, of inspections that are not its own that nothing was seen, pins what
    another has pinned, and reports in another's name."""

    codes: tuple[str, ...] = ()

    def report_of(self, effect: Report) -> ClusterReport:
        """What is its own, with all that is not."""
        honest = super().report_of(effect)
        other = next(node for node in self.fleet.nodes.values() if node is not self)
        state = self.fleet.state
        if state is None:
            return honest
        cluster = read_cluster(state, "shop")
        names = cluster.nodes if cluster is not None else ()
        foreign = [one for name in names if name != self.name for one in read_share(state, "shop", name).assignments]
        states = ("failed", "stopped", "refused", "exited", "ready")
        random = self.clock.random
        meddled = [
            ReplicaReport(
                workload=one.workload, index=one.index, attempt=one.attempt, state=random.choice(states), code=1
            )
            for one in foreign[:64]
        ]
        sightings = [
            Sighting(
                node=one.duty.node,
                workload=one.duty.workload,
                index=one.duty.index,
                attempt=one.duty.attempt,
                sight="unseen",
                statement=NO_STATEMENT,
            )
            for one in read_inspections(state, "shop").open
            if self.name not in one.probers
        ]
        self._forge(replace(honest, node=other.name, sequence=1 << 40, sightings=()))
        theirs = read_share(state, "shop", other.name).pinned
        stolen = replace(honest.receipts, root=theirs.root) if theirs.count and honest.receipts.count else None
        return replace(
            honest,
            replicas=(*honest.replicas, *meddled),
            sightings=(*honest.sightings, *sightings),
            receipts=stolen or honest.receipts,
        )

    def _forge(self, call: ClusterReport) -> None:
        """In the name of another node, under its own key; sometimes with the other's next receipts."""
        self.fleet.chain.submit(self.client, call, lambda _height, code: self._learn(code))

    def _learn(self, code: str) -> None:
        self.codes = (*self.codes, code)


class Slanderer(Node):
    """A lying prober: says at once that nothing is there, and looks nowhere."""

    def inspect(self, effect: Inspect) -> None:
        """As often as its machine wants it."""
        for _ in range(LOOKS):
            self.tell(Inspected(self.now_ms, effect.duty, "unseen", NO_STATEMENT))


class Accomplice(Node):
    """A lying prober who saw everything, wherever it looked."""

    def _sees(self, node: str, sight: str, statement: bytes) -> tuple[str, bytes]:
        """All well."""
        del node, sight
        return "seen", statement
