"""What a request costs through the mesh: directly, over the agent of one node, and over those of two.

    python -m bench.mesh [--rounds 5] [--requests 2000] [--json FILE]

A server and a client in network namespaces of their own, HTTP with keep-alive, an answer of 128 bytes. *Direct*: the
client stands in the server's namespace and connects to its port. *One node*: the client calls the service by its
address, the agent carries between two sockets. *Two nodes*: from one agent to another by BPCI over loopback, sealed and
signed. Each round plays the three in turn, one connection with one request after another for the latency, then 32
connections at once for the throughput; rows are medians of the rounds, ratios are of this run. *A core*: requests by
the processor time of the agent that is called first, whatever else the machine's cores do meanwhile; of two nodes, by
that of both agents together.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from typing import IO, Any, cast

import uvloop
from bench.kit.mesh_town import Chain, Engine, View, caller_of, server_of
from bench.kit.report import Report, parser, quantile

from metanode.docklock.mesh.services import Node, Replica, Served
from metanode.host.agent.mesh.node_mesh import MeshSettings, NodeMesh
from metanode.host.runtimes.driver import Driver
from metanode.primitives import ed25519

ADDED_GOAL_MS = 0.5
RATE_GOAL = 5_000
CONNECTIONS = 32
PORT = 8_080
CHAIN_ID = sha256(b"bench").digest()

SERVER = """
import asyncio, sys, uvloop
ANSWER = b"HTTP/1.1 200 OK\\r\\nContent-Length: 128\\r\\n\\r\\n" + bytes(128)
class Serve(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data): self.transport.write(ANSWER * data.count(b"\\r\\n\\r\\n"))
async def main():
    server = await asyncio.get_running_loop().create_server(Serve, "0.0.0.0", int(sys.argv[1]))
    print("ready", flush=True)
    await server.serve_forever()
uvloop.run(main())
"""
CLIENT = """
import json, select, socket, sys, time
REQUEST = b"GET / HTTP/1.1\\r\\nHost: web\\r\\n\\r\\n"
SIZE = len(b"HTTP/1.1 200 OK\\r\\nContent-Length: 128\\r\\n\\r\\n") + 128
def dial(where):
    made = socket.create_connection(where, timeout=20)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made
def one(where, count):
    "microseconds of each request, one after another"
    took = []
    with dial(where) as line:
        for _ in range(count):
            began = time.perf_counter_ns()
            line.sendall(REQUEST)
            left = SIZE
            while left:
                left -= len(line.recv(left))
            took.append((time.perf_counter_ns() - began) / 1e3)
    return took[count // 10:]
def many(where, count, at_once):
    "requests a second, each connection one after another"
    lines = {}
    waiting = select.epoll()
    for _ in range(at_once):
        line = dial(where)
        lines[line.fileno()] = [line, SIZE]
        waiting.register(line, select.EPOLLIN)
    began, done = time.perf_counter(), 0
    for line, _ in lines.values():
        line.sendall(REQUEST)
    while done < count:
        for number, _ in waiting.poll():
            entry = lines[number]
            entry[1] -= len(entry[0].recv(65536))
            if not entry[1]:
                entry[1], done = SIZE, done + 1
                entry[0].sendall(REQUEST)
    return done / (time.perf_counter() - began)
what, host, port, count, at_once = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
print(json.dumps(one((host, port), count) if what == "one" else many((host, port), count, at_once)))
"""


def within(pid: int, program: str, *arguments: object) -> list[str]:
    """A Python program in the network namespace of a process."""
    return ["nsenter", f"--net=/proc/{pid}/ns/net", sys.executable, "-c", program, *map(str, arguments)]


def begin(stack: ExitStack, command: list[str]) -> int:
    """A process that says that it is ready; it ends with the stack."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    stack.callback(process.wait)
    stack.callback(process.kill)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    return process.pid


def begin_agent(stack: ExitStack, server: int) -> tuple[IO[str], IO[str]]:
    """The second agent, in a process of its own; how it is asked and what it says."""
    other = subprocess.Popen(
        [sys.executable, "-m", "bench.mesh", "--agent-of", str(server)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    stack.callback(other.wait)
    stack.callback(other.kill)
    assert other.stdin is not None
    assert other.stdout is not None
    return other.stdin, other.stdout


def learned(mesh: NodeMesh, height: int) -> None:
    """Return when an agent has heard of a height."""
    while mesh.routes()["height"] < height:
        time.sleep(0.01)


@dataclass
class Place:
    """Where a row is measured: the client's namespace, what it connects to, whose processor time counts."""

    name: str
    pid: int
    host: str
    cpu: Callable[[], float]
    took: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    cores: list[float] = field(default_factory=list)


async def ask(place: Place, what: str, count: int) -> Any:
    """What the client says of it."""
    command = within(place.pid, CLIENT, what, place.host, PORT, count, CONNECTIONS)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(out)


def mesh_of(chain: Chain, node: str, engine: Engine) -> tuple[NodeMesh, ed25519.SigningKey]:
    """An agent's mesh, and the key of its node."""
    key = ed25519.SigningKey(sha256(node.encode()).digest())
    view = View(chain, node)
    settings = MeshSettings(CHAIN_ID, "bench", node, "127.0.0.1", 0, "", "127.0.0.1")
    return NodeMesh(settings, key, cast("Driver", engine), view, view.wait), key


async def other_agent(server: int) -> None:
    """The second node: an agent of its own process, with the server; says its endpoint, then its processor time for
    each line it hears."""
    chain, engine = Chain(), Engine({"bench.web.0.1": server})
    mesh, _ = mesh_of(chain, "two", engine)
    print(await mesh.open(), flush=True)
    first = ed25519.SigningKey(sha256(b"one").digest()).public_key
    chain.members["one"] = Node("one", first, "127.0.0.1:1")
    chain.standing["caller", "one"] = ("net",)
    chain.changed()
    task = asyncio.create_task(mesh.run())
    await mesh.knows("bench.web.0.1", *server_of("web", PORT))
    while await asyncio.to_thread(sys.stdin.readline):
        print(time.process_time(), flush=True)
    task.cancel()
    await mesh.close()


async def first_agent(chain: Chain, names: dict[str, int]) -> tuple[NodeMesh, "asyncio.Task[None]"]:
    """The first node: the caller, and a server of its own."""
    mesh, _ = mesh_of(chain, "one", Engine(names))
    await mesh.open()
    task = asyncio.create_task(mesh.run())
    await mesh.knows("bench.near.0.1", *server_of("near", PORT))
    await mesh.knows("bench.caller.0.1", *caller_of("caller"))
    return mesh, task


def service(name: str, node: str) -> Served:
    """A service with one replica."""
    return Served(name, 1, "round-robin", ("net",), (("http", PORT),), (Replica(0, 1, node),))


async def measure(report: Report, rounds: int, requests: int) -> None:
    """All three, round by round."""
    with ExitStack() as stack:
        sleeps = "import time; print('ready', flush=True); time.sleep(10000)"
        near, far = (begin(stack, ["unshare", "--net", sys.executable, "-c", SERVER, str(PORT)]) for _ in range(2))
        client = begin(stack, ["unshare", "--net", sys.executable, "-c", sleeps])
        asked, said = begin_agent(stack, far)
        chain = Chain()
        second = ed25519.SigningKey(sha256(b"two").digest()).public_key
        chain.members["two"] = Node("two", second, (await asyncio.to_thread(said.readline)).strip())
        chain.services = {"near": service("near", "one"), "web": service("web", "two")}
        chain.changed()
        mesh, task = await first_agent(chain, {"bench.near.0.1": near, "bench.caller.0.1": client})
        await asyncio.to_thread(learned, mesh, chain.height)

        def both() -> float:
            asked.write("now\n")
            asked.flush()
            return time.process_time() + float(said.readline())

        at = {route["name"]: route["address"] for one in mesh.routes()["containers"] for route in one["routes"]}
        places = (
            Place("direct", near, "127.0.0.1", lambda: 0.0),
            Place("one node", client, at["near"], time.process_time),
            Place("two nodes", client, at["web"], both),
        )
        for _ in range(rounds):
            for place in places:
                place.took.append(quantile(await ask(place, "one", requests), 0.5) / 1_000)
                before = place.cpu()
                place.rates.append(await ask(place, "many", requests * 8))
                used = place.cpu() - before
                if used:
                    place.cores.append(requests * 8 / used)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await mesh.close()
    show(report, places)


def show(report: Report, places: tuple[Place, ...]) -> None:
    """The table."""
    direct = quantile(places[0].took, 0.5)
    rows = []
    for place in places:
        p50, rate = quantile(place.took, 0.5), quantile(place.rates, 0.5)
        row: dict[str, Any] = {
            "way": place.name,
            "p50 ms": p50,
            "added p50 ms": p50 - direct,
            "ratio": p50 / direct,
            "requests/s": rate,
        }
        if place.cores:
            row |= {"a core": quantile(place.cores, 0.5), "goal ms": ADDED_GOAL_MS, "goal a core": RATE_GOAL}
        rows.append(row)
    report.table(f"A request, and {CONNECTIONS} connections at once", rows)


def main() -> None:
    """Run it."""
    arguments = parser(__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--requests", type=int, default=2_000)
    arguments.add_argument("--agent-of", type=int, default=0, help="the second agent, by itself")
    options = arguments.parse_args()
    if options.agent_of:
        uvloop.run(other_agent(options.agent_of))
        return
    if os.geteuid() != 0:
        raise SystemExit("bench.mesh makes network namespaces: run it as root")
    report = Report("mesh", options.json)
    uvloop.run(measure(report, options.rounds, options.requests))
    report.finish()


if __name__ == "__main__":
    main()
