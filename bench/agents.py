"""From a final decision to a running container, on real agents.

    python -m bench.agents [--engine sandbox,crun,runc] [--rounds 20] [--many 50] [--cycles 2]

Four validators, each with an agent, as processes on this machine. *First output*: one service at a time; from when an
observer of the public port heard that the block with its placement is final, until the first bytes that its program
wrote, by the time in its log. *Typed run*: `bpi container run` as a person types it, from the shell until it has said
RUNNING and ended; `docker run -d` of the same program beside it, where this machine has dockerd. *At once*: one file
whose five services have so many replicas; from before it is sent, and from its finality, until every container has
written. *Lost*: an agent and its containers are killed (-9); how much longer than the heartbeat timeout it takes until
all its replicas are ready elsewhere. *Cycles*: so often all of them are started and taken away again: memory of the
agents before and after (RSS), and what is left behind: processes, mounts, control groups.
"""

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.kit.dockerd import is_there, typed_runs
from bench.kit.network import BASE_PORT
from bench.kit.report import Report, parser, quantile

from metanode.api.cluster_methods import WORKLOAD_GET
from metanode.api.workloads import WorkloadGet
from metanode.cli.bpi.local_agents import CLUSTER, HEARTBEAT_MS, OWNER, local_agents
from metanode.cli.bpi.local_network import LocalNetwork
from metanode.cli.bpi.running import agents_of, hand_out, newest, read_application, replicas_of
from metanode.client import Client, ClientError
from metanode.client.agent import AgentClient
from metanode.client.transactions import Sender
from metanode.host.agent.engines import end_containers
from metanode.host.development import PASSWORD
from metanode.host.keys import load_account
from metanode.primitives import ed25519
from metanode.records.cluster_calls import ClusterApply, ClusterControl
from metanode.records.workload import WorkloadSpec, spec_digest

LIMIT_S = 60.0
SERVICES = 5
"""Of the file that asks for many containers at once."""
ALONE_CPUS, MANY_CPUS = "0.25", "0.025"
"""A node here has half a core to give: one container may take half of it, and so many find room, also on three nodes.
What is given less than its first milliseconds take is slowed down by the kernel, and is no measure of ours."""
SERVICE = """
  {name}:
    image: metanode.host/usr
    command: ["/usr/bin/sh", "-c", "echo up; exec sleep 100000"]
    stop_grace_period: 100ms
    deploy:
      replicas: {replicas}
      resources: {{limits: {{cpus: "{cpus}", memory: 8m}}}}
"""


class Heard(threading.Thread):
    """When each block was heard to be final, by an observer of a public port."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._changed = threading.Condition()
        self.at: dict[int, float] = {}

    def run(self) -> None:
        """Until the network is gone."""
        try:
            with Client(self._url) as client:
                for event in client.events(kinds=("block",), patience_s=LIMIT_S):
                    with self._changed:
                        self.at.setdefault(int(event.id.partition(":")[0]), time.time())
                        self._changed.notify_all()
        except ClientError:
            pass

    def of(self, height: int) -> float:
        """When a height was final; waits for it."""
        with self._changed:
            assert self._changed.wait_for(lambda: height in self.at, LIMIT_S), f"no block {height}"
            return self.at[height]


@dataclass(frozen=True, slots=True)
class Town:
    """A running network with agents, and the account that owns their cluster."""

    folder: Path
    network: LocalNetwork
    client: Client
    sender: Sender
    key: ed25519.SigningKey
    heard: Heard
    agents: dict[str, str]

    def specs(self, services: str) -> list[tuple[WorkloadSpec, int]]:
        """What a Compose file with these services asks for."""
        path = self.folder / "compose.yaml"
        path.write_text(f"name: bench\nservices:\n{services}")
        understood = read_application(str(path))
        assert understood.application is not None, [one.sentence for one in understood.errors]
        return [(one.spec, one.replicas) for one in understood.application.workloads]

    def apply(self, specs: list[tuple[WorkloadSpec, int]]) -> int:
        """Hand the specifications out, and apply them: the height at which that is final."""
        hand_out(self.agents, CLUSTER, self.key, [spec for spec, _ in specs])
        calls = [
            ClusterApply(cluster=CLUSTER, spec=spec_digest(spec), terms=spec.terms, replicas=replicas)
            for spec, replicas in specs
        ]
        status = self.sender.send(*calls)
        assert not status.code, status
        return status.height

    def spoke(self, workload: str, replicas: int) -> list[float]:
        """When each container of a workload wrote its first bytes, by its log; waits for them."""
        found: dict[int, float] = {}
        until = time.monotonic() + LIMIT_S
        while len(found) < replicas:
            assert time.monotonic() < until, f"{workload}: {len(found)} of {replicas}"
            for replica in replicas_of(self.client, CLUSTER, workload):
                one = newest(replica)
                if replica.index in found or one is None or one.node not in self.agents or one.state != "ready":
                    continue
                agent = AgentClient(self.agents[one.node], CLUSTER, self.key)
                for line in agent.logs(f"{CLUSTER}.{workload}.{replica.index}.{one.attempt}"):
                    found[replica.index] = line.time_ns / 1e9
                    break
            time.sleep(0.01)
        return list(found.values())

    def ready(self, workload: str) -> dict[int, str]:
        """The nodes on which replicas of a workload are ready, by index."""
        found = ((one.index, newest(one)) for one in replicas_of(self.client, CLUSTER, workload))
        return {index: one.node for index, one in found if one is not None and one.state == "ready"}

    def delete(self, names: list[str]) -> None:
        """Take workloads away, and wait until nothing of them is left."""
        self.sender.send(*(ClusterControl(cluster=CLUSTER, workload=name, action="delete") for name in names))
        until = time.monotonic() + LIMIT_S
        while any(self.is_there(name) for name in names):
            assert time.monotonic() < until, f"{names} do not end"
            time.sleep(0.02)

    def is_there(self, workload: str) -> bool:
        """Whether the chain still knows a workload: it does until nothing of it is left on any node."""
        try:
            self.client.call(WORKLOAD_GET, WorkloadGet(cluster=CLUSTER, workload=workload))
        except ClientError:
            return False
        return True


def bpi(folder: Path, line: str) -> Any:
    """A command as a person types it, with its answer for programs."""
    done = subprocess.run(
        [sys.executable, "-m", "metanode.cli.bpi.main", *shlex.split(line), "--json"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def running_town(engine: str) -> Iterator[Town]:
    """A network by `bpi up`, and `bpi down` after."""
    with tempfile.TemporaryDirectory(prefix="bench-agents-") as name:
        folder = Path(name)
        bpi(folder, f"up --port-base {BASE_PORT} --engine {engine}")
        try:
            network = LocalNetwork(folder / ".bpi")
            seed = load_account(network.accounts, OWNER, PASSWORD)
            with Client(network.nodes[0].url) as client:
                heard = Heard(network.nodes[0].url)
                heard.start()
                agents = agents_of(client, CLUSTER)
                yield Town(folder, network, client, Sender(client, seed), ed25519.SigningKey(seed), heard, agents)
        finally:
            bpi(folder, "down")


def first_outputs(town: Town, rounds: int) -> list[float]:
    """Milliseconds from finality to the first output, one service after the other."""
    took = []
    for number in range(-2, rounds):
        name = f"one-{number + 2}"
        height = town.apply(town.specs(SERVICE.format(name=name, replicas=1, cpus=ALONE_CPUS)))
        (spoke,) = town.spoke(name, 1)
        if number >= 0:  # the first two warm up
            took.append((spoke - town.heard.of(height)) * 1e3)
        town.delete([name])
    return took


def parts_of(many: int) -> dict[str, int]:
    """So many replicas as services of one file."""
    return {f"many-{number}": len(range(number, many, SERVICES)) for number in range(SERVICES)}


def all_at_once(town: Town, many: int) -> tuple[float, float]:
    """Seconds from before one file with so many replicas is sent, and from its finality, until every one has written;
    they run on."""
    parts = parts_of(many)
    specs = town.specs(
        "".join(SERVICE.format(name=name, replicas=replicas, cpus=MANY_CPUS) for name, replicas in parts.items())
    )
    began = time.time()
    height = town.apply(specs)
    last = max(max(town.spoke(name, replicas)) for name, replicas in parts.items())
    return last - began, last - town.heard.of(height)


def memory_mib(pid: int) -> float:
    """Resident memory of a process."""
    fields = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in fields if line.startswith("VmRSS")).split()[1]) / 1024


def lost(town: Town, many: int) -> float:
    """Seconds beyond the heartbeat timeout until what a killed node ran is ready elsewhere."""
    victim = local_agents(town.network)[-1]
    began = time.monotonic()
    os.kill(victim.process, signal.SIGKILL)
    end_containers(victim.folder)
    until = began + HEARTBEAT_MS / 1e3 + LIMIT_S
    for name, replicas in parts_of(many).items():
        while len(nodes := town.ready(name)) < replicas or victim.name in nodes.values():
            assert time.monotonic() < until, f"{name}: {nodes}"
            time.sleep(0.02)
    return time.monotonic() - began - HEARTBEAT_MS / 1e3


def cycles(town: Town, many: int, times: int) -> tuple[float, int]:
    """Start and take away so many, so often: MiB by which the largest agent has grown since the first time, and how
    much more there is of processes, mounts and control groups than before."""
    town.delete(list(parts_of(many)))
    agents = [one for one in local_agents(town.network) if one.process]
    before, things = [memory_mib(one.process) for one in agents], left_behind(town)
    for _ in range(times):
        all_at_once(town, many)
        town.delete(list(parts_of(many)))
    grown = [memory_mib(one.process) - was for one, was in zip(agents, before, strict=True)]
    return max(grown), left_behind(town) - things


def left_behind(town: Town) -> int:
    """Mounts, control groups and processes of the network's folder, counted."""
    mounts = Path("/proc/self/mountinfo").read_text().count(str(town.folder))
    groups = sum(1 for path in Path("/sys/fs/cgroup").rglob("*many-*") if path.is_dir())
    processes = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            processes += str(town.folder).encode() in path.read_bytes() or b"echo up; exec sleep" in path.read_bytes()
    return mounts + groups + processes


def commands(town: Town, rounds: int) -> list[float]:
    """Seconds of `bpi container run` of one service, as a person types it."""
    took = []
    for number in range(rounds):
        name = f"typed-{number}"
        (town.folder / "typed.yaml").write_text(
            f"name: b\nservices:\n{SERVICE.format(name=name, replicas=1, cpus=ALONE_CPUS)}"
        )
        began = time.monotonic()
        bpi(town.folder, "container run typed.yaml")
        took.append(time.monotonic() - began)
        town.delete([name])
    return took


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--engine", default="sandbox,crun,runc")
    options.add_argument("--rounds", type=int, default=20)
    options.add_argument("--many", type=int, default=50)
    options.add_argument("--cycles", type=int, default=2)
    arguments = options.parse_args()
    report = Report("agents", arguments.json)
    rows: list[dict[str, Any]] = []
    for engine in arguments.engine.split(","):
        with running_town(engine) as town:
            idle = [memory_mib(one.process) for one in local_agents(town.network)]
            took = first_outputs(town, arguments.rounds)
            typed = commands(town, max(3, arguments.rounds // 4))
            whole, after = all_at_once(town, arguments.many)
            full = [memory_mib(one.process) for one in local_agents(town.network)]
            beyond = lost(town, arguments.many)
            grown, left = cycles(town, arguments.many, arguments.cycles)
            rows.append(
                {
                    "engine": engine,
                    "first output p50 ms": quantile(took, 0.5),
                    "p95 ms": quantile(took, 0.95),
                    "typed run p50 s": median(typed),
                    f"{arguments.many} at once s": whole,
                    "after finality s": after,
                    "agent idle MiB": max(idle),
                    "agent full MiB": max(full),
                    "lost: beyond timeout s": beyond,
                    f"{arguments.cycles * arguments.many} cycles: grown MiB": grown,
                    "left behind": left,
                }
            )
    if is_there():
        beside = median(typed_runs(max(3, arguments.rounds // 4)))
        for row in rows:
            row["times docker run"] = row["typed run p50 s"] / beside
        rows.append({"engine": "docker run -d", "typed run p50 s": beside, "times docker run": 1.0})
    else:
        report.remark("docker run was not measured: no dockerd here (apt-get install docker.io)")
    report.table("From finality to a running container", rows)
    report.finish()


if __name__ == "__main__":
    main()
