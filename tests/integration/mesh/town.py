"""Agents' meshes in one process, over real sockets: containers are programs in network namespaces of their own."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, cast

from msgspec.structs import replace
from tests.unit.docklock.agent.desk import SPEC, assignment
from tests.unit.docklock.cluster.town import terms

from metanode.docklock.mesh import MeshRefusal
from metanode.docklock.mesh.services import Node, Replica, Served
from metanode.host.agent.mesh.node_mesh import MeshSettings, NodeMesh
from metanode.host.runtimes.driver import ContainerState, Driver
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.states import LogMark, Phase
from metanode.primitives import ed25519
from metanode.primitives.refusal import Rejected
from metanode.records.workload import Port, WorkloadSpec

CHAIN: Final = sha256(b"a chain").digest()
CLUSTER: Final = "shop"
LIMIT_S: Final = 20.0
"""No step takes longer, also on busy cores."""
READY: Final = "ready"

SERVER: Final = """
import socket, sys, threading
name, port = sys.argv[1], int(sys.argv[2])
door = socket.create_server(("0.0.0.0", port), backlog=64)
print("ready", flush=True)
def serve(one):
    with one:
        while data := one.recv(65536):
            if data == b"who\\n":
                one.sendall(name.encode() + b"\\n")
            elif data.startswith(b"close"):
                return
            else:
                one.sendall(data)
        one.sendall(b"<end>")
while True:
    threading.Thread(target=serve, args=(door.accept()[0],), daemon=True).start()
"""
"""Says its name, else what it hears; says `<end>` when it has heard all."""


WEB_PROGRAM: Final = """
import socket
door = socket.create_server(("0.0.0.0", 8080))
while True:
    door.accept()[0].sendall(b"hello from web")
"""
CALLER_PROGRAM: Final = """
import socket, time
for _ in range(100):
    try:
        with socket.create_connection(("web.shop.mesh", 8080), timeout=5) as line:
            print(line.recv(99).decode())
            break
    except OSError:
        time.sleep(0.1)
"""
"""A program that calls before there is anybody tries again, as a program should."""


def port(number: int, published: int = 0, protocol: str = "tcp") -> Port:
    return Port(name=f"{protocol}-{number}", container=number, published=published, protocol=protocol)


def spec_of(workload: str, networks: tuple[str, ...], ports: tuple[Port, ...], **changes: Any) -> WorkloadSpec:
    published = tuple(sorted({one.published for one in ports if one.published}))
    usual = terms(workload, networks=networks, ports=ports)
    usual = replace(usual, demand=replace(usual.demand, ports=published))
    return replace(SPEC, terms=usual, **changes)


@dataclass
class Chain:
    """What is on chain, for all agents of a town."""

    members: dict[str, Node] = field(default_factory=dict)
    services: dict[str, Served] = field(default_factory=dict)
    standing: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    operators: set[bytes] = field(default_factory=set)
    height: int = 1

    def changed(self) -> None:
        self.height += 1


class View:
    """The chain as the mesh of one node sees it."""

    def __init__(self, chain: Chain, node: str) -> None:
        self.chain = chain
        self.node = node

    def wait(self, above: int) -> int:
        """Never long: a test has no blocks."""
        deadline = time.monotonic() + 0.2
        while self.chain.height <= above and time.monotonic() < deadline:
            time.sleep(0.005)
        return self.chain.height

    def nodes(self) -> tuple[Node, ...]:
        return tuple(one for name, one in sorted(self.chain.members.items()) if name != self.node)

    def services(self) -> tuple[int, tuple[Served, ...]]:
        return self.chain.height, tuple(self.chain.services.values())

    def caller(self, workload: str, revision: int, node: str) -> tuple[str, ...]:
        networks = self.chain.standing.get((workload, node))
        if networks is None or revision != 1:
            raise Rejected(MeshRefusal.NOT_PLACED, f"{workload} on {node}")
        return networks

    def may_ask(self, account: bytes) -> bool:
        return account in self.chain.operators


@dataclass
class Engine:
    """As much of a driver as the mesh asks: where a container's namespace is."""

    pids: dict[str, int] = field(default_factory=dict)

    async def inspect(self, name: str) -> ContainerState:
        if name not in self.pids:
            raise Rejected(RuntimeRefusal.UNKNOWN, name)
        return ContainerState(name, "sandbox", Phase.RUNNING, self.pids[name], 0, 0, None, LogMark(0, 0, 0, ""))


def begin(command: list[str]) -> "subprocess.Popen[str]":
    """A process; what it says is read by whoever began it."""
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


class Agent:
    """One agent's mesh, and its containers."""

    def __init__(self, chain: Chain, node: str) -> None:
        self.chain = chain
        self.node = node
        self.key = ed25519.SigningKey(sha256(node.encode()).digest())
        self.engine = Engine()
        self.said: list[tuple[str, str]] = []
        self.processes: dict[str, subprocess.Popen[str]] = {}
        view = View(chain, node)
        settings = MeshSettings(CHAIN, CLUSTER, node, "127.0.0.1", 0, "", "127.0.0.1")
        self.mesh = NodeMesh(settings, self.key, cast("Driver", self.engine), view, view.wait)
        self.mesh.write_down = lambda error, name: self.said.append((str(error.reason), name))
        self.task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        endpoint = await self.mesh.open()
        self.chain.members[self.node] = Node(self.node, self.key.public_key, endpoint)
        self.chain.changed()
        self.task = asyncio.create_task(self.mesh.run())

    async def close(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        await self.mesh.close()
        for name in self.processes:
            self.kill(name)

    async def runs(self, spec: WorkloadSpec, index: int = 0, *, serves: int = 0, ready: bool = True) -> str:
        """A container of this node: a server at a port, or one that only sleeps."""
        workload = spec.terms.workload
        name = f"{CLUSTER}.{workload}.{index}.1"
        program = [sys.executable, "-c", SERVER, f"{workload}.{index}", str(serves)]
        sleeps = ["sh", "-c", "echo ready; exec sleep 1000"]
        process = begin(["unshare", "--net", *(program if serves else sleeps)])
        assert process.stdout is not None
        assert (await asyncio.to_thread(process.stdout.readline)).strip() == READY
        self.processes[name] = process
        self.engine.pids[name] = process.pid
        one = replace(assignment(index), workload=workload)
        await self.mesh.knows(name, one, spec)
        self.chain.standing[workload, self.node] = spec.terms.networks
        if ready:
            self.is_ready(spec, index)
        return name

    async def runs_already(self, *specs: WorkloadSpec) -> None:
        """Containers that an earlier agent started."""
        for spec in specs:
            name = f"{CLUSTER}.{spec.terms.workload}.0.1"
            await self.mesh.knows(name, replace(assignment(), workload=spec.terms.workload), spec)

    def is_ready(self, spec: WorkloadSpec, index: int) -> None:
        """The chain hears that a replica is ready."""
        workload = spec.terms.workload
        known = self.chain.services.get(workload)
        replicas = () if known is None else known.replicas
        ports = tuple((one.name, one.container) for one in spec.terms.ports if one.protocol == "tcp")
        if ports:
            self.chain.services[workload] = Served(
                workload,
                1,
                spec.terms.balance,
                spec.terms.networks,
                ports,
                tuple(sorted((*replicas, Replica(index, 1, self.node)))),
            )
        self.chain.changed()

    def kill(self, name: str) -> None:
        """The container ends; its node has not said so yet."""
        process = self.processes[name]
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()

    async def inside(self, name: str, program: str, *arguments: str) -> Any:
        """What a Python program prints as JSON in a container's namespace, with the agent's own resolver."""
        command = ["nsenter", f"--net=/proc/{self.engine.pids[name]}/ns/net", sys.executable, "-c", CLIENT + program]
        process = await asyncio.create_subprocess_exec(
            *command, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(LIMIT_S):
            out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return json.loads(out)


CLIENT: Final = """
import json, random, socket, struct, sys, time

def ask(name, kind=1, tcp=False):
    "code and address that the resolver of this namespace gives"
    query = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0)
    query += b"".join(bytes((len(one),)) + one.encode() for one in name.split("."))
    query += b"\\0" + struct.pack(">HH", kind, 1)
    if tcp:
        with socket.create_connection(("127.0.0.53", 53), timeout=5) as asked:
            asked.sendall(len(query).to_bytes(2) + query)
            size = int.from_bytes(asked.recv(2))
            said = asked.recv(size)
    else:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
            asked.settimeout(5)
            asked.sendto(query, ("127.0.0.53", 53))
            said = asked.recv(512)
    count = int.from_bytes(said[6:8])
    return [said[3] & 15, socket.inet_ntoa(said[-4:]) if count else ""]

def call(name, port, data=b"who\\n", end=False):
    "what comes back, or why nothing does"
    address = ask(name)[1]
    try:
        with socket.create_connection((address, port), timeout=8) as one:
            one.sendall(data)
            if end:
                one.shutdown(socket.SHUT_WR)
            said = b""
            while piece := one.recv(65536):
                said += piece
                if not end and len(said) >= min(len(data), 4):
                    break
            return said.decode()
    except OSError as error:
        return type(error).__name__

def show(value):
    print(json.dumps(value))

"""


async def until(true: Callable[[], Any], what: str) -> Any:
    """What is not true after so long does not become so."""
    deadline = asyncio.get_running_loop().time() + LIMIT_S
    while not (found := true()):
        assert asyncio.get_running_loop().time() < deadline, what
        await asyncio.sleep(0.01)
    return found


@asynccontextmanager
async def town(*nodes: str) -> AsyncIterator[list[Agent]]:
    """Agents that know each other."""
    chain = Chain()
    agents = [Agent(chain, node) for node in nodes]
    try:
        for one in agents:
            await one.open()
        yield agents
    finally:
        for one in agents:
            await one.close()


async def settled(*agents: Agent) -> None:
    """All of them have learned what is on chain."""
    chain = agents[0].chain
    for one in agents:
        await until(lambda one=one: one.mesh.routes()["height"] >= chain.height, "it learns")  # type: ignore[misc]
