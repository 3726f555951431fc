"""A pretend node: the real agent's machine, a runtime, a clock of its own, and wires to the chain and to its peers."""

from collections.abc import Callable
from hashlib import sha256
from typing import Final, Protocol, assert_never

from metanode.docklock.agent import Agent
from metanode.docklock.agent.events import (
    Desired,
    Effect,
    Ended,
    Fetch,
    Fetched,
    Found,
    Heard,
    Inspect,
    Inspected,
    Probe,
    Probed,
    Ran,
    Record,
    Remove,
    Removed,
    Report,
    Reported,
    Run,
    Stop,
    Tick,
    Vanished,
    Wake,
)
from metanode.docklock.agent.judging import Question, container_of, judge
from metanode.docklock.cluster.state import read_cluster, read_share
from metanode.ledger.view import Readable
from metanode.primitives import ed25519
from metanode.records.address import address_of_key
from metanode.records.cluster import NO_RECEIPTS, RECEIPTS_MAX, ReceiptBatch
from metanode.records.cluster_calls import ClusterReport
from metanode.records.statement import InspectionAnswer, Statement, state
from metanode.records.workload import WorkloadSpec
from metanode.sim.docklock.chain import Block, Chain
from metanode.sim.docklock.clock import Time
from metanode.sim.docklock.runtime import Habits, Runtime
from metanode.sim.founding import Client

WIRE_MS: Final = (2, 25)
"""How long anything takes from machine to machine."""
GIVEN_UP_MS: Final = 2_500
"""A report of which nothing was heard for so long is said again."""
HTTP_WELL: Final = b"HTTP/1.0 200 OK\r\n\r\n"
"""What a container answers that is well."""


class Watching(Protocol):
    """Who is told what happens on a node."""

    def starts(self, node: "Node", effect: Run) -> None:
        """A container is about to start."""
        ...

    def runs(self, node: "Node", workload: str, index: int) -> None:
        """It runs."""
        ...

    def dies(self, node: "Node") -> None:
        """The node is about to be gone."""
        ...


class Surroundings(Protocol):
    """What a node stands in."""

    @property
    def clock(self) -> Time:
        """The world's."""
        ...

    @property
    def chain(self) -> Chain:
        """What it reports to."""
        ...

    @property
    def specs(self) -> dict[bytes, WorkloadSpec]:
        """Content that any agent has."""
        ...

    @property
    def state(self) -> Readable | None:
        """What everybody can read on the chain."""
        ...

    @property
    def nodes(self) -> "dict[str, Node]":
        """All, by name."""
        ...

    @property
    def oracle(self) -> Watching:
        """Who is told."""
        ...

    def reached(self, who: "Node", name: str) -> "Node | None":
        """A node as another one reaches it."""
        ...


class Node:
    """One node of a fleet. `skew_ms`: how far its clock is ahead of the world's. `boasts`: it claims what does not
    run."""

    boasts = False

    def __init__(self, fleet: Surroundings, name: str, cpu_millicores: int, memory_kib: int) -> None:
        self.fleet: Final = fleet
        self.clock: Final = fleet.clock
        self.name: Final = name
        self.key: Final = ed25519.SigningKey(sha256(b"node " + name.encode()).digest())
        self.client: Final = Client(self.key.public_key, address_of_key(self.key.public_key))
        self.cpu_millicores: Final = cpu_millicores
        self.memory_kib: Final = memory_kib
        self.runtime: Final = Runtime(self.clock, Habits(), self._container_ended)
        self.skew_ms = 0
        self.agent: Agent | None = None
        self.linked = True
        self.reachable = True
        self.life = 0
        self.height = 0
        self.share: dict[str, bool] = {}
        self.steps: list[Record] = []
        self.ended: dict[str, bool] = {}
        self.pinned = 0
        self._sequence = 0
        self._alarm = 0
        self._report = 0
        fleet.chain.listeners.append(self._hear)

    # --- what can befall it -----------------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether its agent runs."""
        return self.agent is not None

    @property
    def offered(self) -> tuple[int, int]:
        """Millicores and KiB that it tells the chain."""
        return self.cpu_millicores, self.memory_kib

    def boot(self) -> None:
        """Its agent starts, and finds what an earlier one left."""
        if self.agent is not None:
            return
        self.life += 1
        self.height = 0
        self.agent = Agent("shop", *self.offered)
        found = tuple((one.name, one.running, one.code) for one in self.runtime.containers.values())
        self.tell(Found(self.now_ms, found))

    def kill_agent(self) -> None:
        """Kill -9 of the agent: what runs, runs on."""
        self.agent = None
        self.life += 1

    def die(self) -> None:
        """The machine is gone, with all that ran on it."""
        self.fleet.oracle.dies(self)
        self.kill_agent()
        self.runtime.lose()

    def lose_runtime(self) -> None:
        """The runtime is gone with its containers; it is there again at once, and the agent sees what is left."""
        self.runtime.lose()
        self.tell(Vanished(self.now_ms, ()))

    @property
    def now_ms(self) -> int:
        """Its own clock."""
        return self.clock.now_ms + self.skew_ms

    # --- the machine ------------------------------------------------------------------------------------------------

    def tell(self, event: Heard) -> None:
        """One event to the machine; its effects are carried out at once."""
        if self.agent is None:
            return
        for effect in self.agent.handle(event):
            self._carry(effect)

    def _later(self, delay_ms: int, action: Callable[[], None]) -> None:
        """Unless the agent dies before."""
        life = self.life

        def act() -> None:
            if life == self.life and self.agent is not None:
                action()

        self.clock.at(delay_ms, act)

    def _wire(self) -> int:
        return self.clock.random.randint(*WIRE_MS)

    def _carry(self, effect: Effect) -> None:
        match effect:
            case Fetch():
                self._later(self._wire(), lambda: self._fetched(effect))
            case Run():
                self.run(effect)
            case Stop():
                self.runtime.stop(effect.name, effect.grace_ms)
            case Remove():
                self.runtime.remove(effect.name)
                self._later(1, lambda: self.tell(Removed(self.now_ms, effect.name)))
            case Probe():
                self._later(2, lambda: self.tell(Probed(self.now_ms, effect.name, self.runtime.is_well(effect.name))))
            case Inspect():
                self.inspect(effect)
            case Report():
                self._say(effect)
            case Record():
                self.clock.record(f"{self.name} {effect.step} {effect.name} {effect.code}")
                self.steps.append(effect)
            case Wake():
                self._wake(effect.at_ms)
            case _:
                assert_never(effect)

    def _wake(self, at_ms: int) -> None:
        self._alarm += 1
        alarm = self._alarm

        def ring() -> None:
            if alarm == self._alarm:
                self.tell(Tick(self.now_ms))

        self._later(max(1, at_ms - self.now_ms), ring)

    def _fetched(self, effect: Fetch) -> None:
        spec = self.fleet.specs.get(effect.assignment.spec)
        code = "" if spec is not None else "agent.content-missing"
        self.tell(Fetched(self.now_ms, effect.name, spec, code, final=spec is not None))

    def run(self, effect: Run) -> None:
        """Start a container; liars have ways of their own."""
        self.fleet.oracle.starts(self, effect)
        life = self.life

        def ran(code: str) -> None:
            if not code:
                self.fleet.oracle.runs(self, effect.assignment.workload, effect.assignment.index)
            if life == self.life:
                self.tell(Ran(self.now_ms, effect.name, code))

        self.runtime.start(effect, ran)

    def _container_ended(self, name: str, code: int, out_of_memory: bool) -> None:  # noqa: FBT001
        self.ended[name] = True
        self.tell(Ended(self.now_ms, name, code, out_of_memory))

    # --- the chain --------------------------------------------------------------------------------------------------

    def _hear(self, block: Block) -> None:
        """AGENT-1. A new head reaches it, where a wire does."""
        if self.agent is None or not self.linked:
            return
        share = read_share(block.state, "shop", self.name)
        cluster = read_cluster(block.state, "shop")
        if cluster is None:
            return
        timeout_ms = cluster.settings.heartbeat_timeout_ms

        def desired() -> None:
            if not self.linked or block.height <= self.height:
                return
            self.height = block.height
            self._sequence = max(self._sequence, share.sequence)
            self.pinned = max(self.pinned, share.receipts)
            self.share = {f"shop.{one.workload}.{one.index}.{one.attempt}": one.run for one in share.assignments}
            self.tell(Desired(self.now_ms, block.height, share.assignments, timeout_ms, share.duties))

        self._later(self._wire(), desired)

    def report_of(self, effect: Report) -> ClusterReport:
        """What it says to the chain."""
        return ClusterReport(
            cluster="shop",
            node=self.name,
            sequence=self._sequence,
            replicas=effect.replicas,
            receipts=self._batch(),
            sightings=effect.sightings,
        )

    def _batch(self) -> ReceiptBatch:
        """The receipts that are to be pinned next."""
        due = self.steps[self.pinned : self.pinned + RECEIPTS_MAX]
        if not due:
            return NO_RECEIPTS
        root = sha256(repr((self.name, due)).encode()).digest()
        return ReceiptBatch(first=self.pinned, count=len(due), root=root)

    def _say(self, effect: Report) -> None:
        self._report += 1
        self._sequence += 1
        number, call = self._report, self.report_of(effect)

        def over(*, final: bool) -> None:
            if number == self._report:
                self._report += 1
                self.tell(Reported(self.now_ms, final=final))

        def answered(code: str) -> None:
            if self.linked and not code:
                self.pinned = max(self.pinned, call.receipts.first + call.receipts.count)
            if self.linked:
                over(final=not code)

        def send() -> None:
            if self.linked:
                self.fleet.chain.submit(
                    self.client, call, lambda _height, code: self._later(self._wire(), lambda: answered(code))
                )

        self._later(self._wire(), send)
        self._later(GIVEN_UP_MS, lambda: over(final=False))

    # --- each other -------------------------------------------------------------------------------------------------

    def inspect(self, effect: Inspect) -> None:
        """PROBE-9. Ask the other node, and judge what it says."""
        duty = effect.duty
        nonce = self.clock.random.getrandbits(256).to_bytes(32, "big")
        asked = Question("shop", self.client.address, nonce)
        spec = self.fleet.specs[duty.spec]

        def asks() -> None:
            other = self.fleet.reached(self, duty.node)
            got = other.answer(container_of("shop", duty), asked) if other is not None else None
            check = spec.health[0] if spec.health else None
            sight, statement = self._sees(duty.node, *judge(duty, asked, check, got))
            self._later(self._wire(), lambda: self.tell(Inspected(self.now_ms, duty, sight, statement)))

        self._later(self._wire(), asks)

    def _sees(self, node: str, sight: str, statement: bytes) -> tuple[str, bytes]:
        """What it says that it saw; whoever lies, lies here."""
        del node
        return sight, statement

    def answer(self, name: str, asked: Question) -> InspectionAnswer | None:
        """What it answers whoever looks at a container of it."""
        runs, well = self.runtime.runs(name), self.runtime.is_well(name)
        return stated(self, name, asked, runs=runs, well=well, head=HTTP_WELL if well else b"")


def stated(node: Node, name: str, asked: Question, *, runs: bool, well: bool, head: bytes) -> InspectionAnswer:
    """A statement under a node's key."""
    statement = Statement(
        cluster=asked.cluster,
        container=name,
        asker=asked.asker,
        nonce=asked.nonce,
        time_ms=node.now_ms,
        runs=runs,
        well=well,
        answer=sha256(head).digest(),
    )
    return state(statement, head, node.key)
