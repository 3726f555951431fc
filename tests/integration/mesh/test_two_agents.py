"""Two agents in one process, containers in namespaces: calls, names, what is refused, what is cut."""

import asyncio
import base64
import logging
import os
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from errno import ECONNRESET
from pathlib import Path

import msgspec
import pytest
import uvloop
from tests.integration.mesh.town import Agent, port, settled, spec_of, town, until

from metanode.docklock.mesh import MeshRefusal, frames
from metanode.docklock.mesh.frames import Kind
from metanode.host.agent.mesh import foothold
from metanode.host.agent.mesh.asking import PATH
from metanode.host.agent.mesh.inside import inside
from metanode.primitives import ed25519
from metanode.primitives.refusal import Rejected
from metanode.records.address import address_of_key
from metanode.records.agent_request import authorization

pytestmark = [pytest.mark.live, pytest.mark.root]

WEB = spec_of("web", ("front",), (port(8_080),))
CALLER = spec_of("caller", ("front",), (), egress=("localhost:22", "nowhere.invalid:443"))
VAULT = spec_of("vault", ("back",), (port(8_080),))
OPERATOR = ed25519.SigningKey(b"o" * 32)


class Said(logging.Handler):
    """The codes of what a logger says meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.codes: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.codes += [record.code] if hasattr(record, "code") else []

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        logging.getLogger(name).addHandler(self)
        try:
            yield
        finally:
            logging.getLogger(name).removeHandler(self)


def plays(*nodes: str) -> Callable[[Callable[..., Awaitable[None]]], Callable[[], None]]:
    """A test that is played by agents of these names."""

    def wrap(play: Callable[..., Awaitable[None]]) -> Callable[[], None]:
        async def run() -> None:
            async with town(*nodes) as agents:
                await play(*agents)

        def test() -> None:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as the agent itself
                runner.run(run())

        test.__name__ = play.__name__
        return test

    return wrap


@plays("one", "two")
async def test_a_service_is_called_by_its_name_here_and_on_another_node(one: Agent, two: Agent):
    await one.runs(WEB, 0, serves=8_080)
    await two.runs(WEB, 1, serves=8_080)
    caller = await one.runs(CALLER, serves=8_080)
    await settled(one, two)
    said = await one.inside(caller, "show([call('web', 8080) for _ in range(6)])")
    assert sorted(said) == ["web.0\n"] * 3 + ["web.1\n"] * 3, "in turn, though the caller has this port itself"
    big = "x = random.Random(1).randbytes(3 << 20)\nimport hashlib\n"
    echoed = "y = bytearray()\ns = socket.create_connection((ask('web')[1], 8080))\nimport threading\n"
    echoed += "threading.Thread(target=lambda: (s.sendall(x), s.shutdown(1))).start()\n"
    echoed += "while p := s.recv(65536): y += p\nshow(bytes(y) == x + b'<end>')"
    for _ in range(2):  # once here, once by the session, far beyond a window
        assert await one.inside(caller, big + echoed)
    rows = {(row["service"], row["node"]): row for row in one.mesh.routes()["counters"]}
    await until(lambda: rows_open(one) == 0, "all flows are over")
    assert {key[1] for key in rows if key[0] == "web"} == {"one", "two"}
    rows = {(row["service"], row["node"]): row for row in one.mesh.routes()["counters"]}
    assert rows["web", "two"]["opened"] == rows["web", "one"]["opened"] == 4
    assert rows["web", "two"]["sent"] == 3 * 4 + (3 << 20)
    assert rows["web", "two"]["received"] == 3 * len("web.1\n<end>") + (3 << 20) + len("<end>")


def rows_open(agent: Agent) -> int:
    return sum(row["open"] for row in agent.mesh.routes()["counters"])


@plays("one")
async def test_names_are_answered_by_udp_and_tcp(one: Agent):
    await one.runs(WEB, serves=8_080)
    await one.runs(VAULT, serves=8_080)
    caller = await one.runs(CALLER)
    await settled(one)
    names = ("web", "WEB.shop", "web.shop.mesh", "vault", "nobody", "web.other", "localhost")
    program = f"show([ask(n) for n in {names}])"
    (web, upper, long, vault, nobody, other, outside) = await one.inside(caller, program)
    assert web == upper == long
    assert web[0] == 0
    assert web[1].startswith("127.")
    assert 64 <= int(web[1].split(".")[1]) < 128
    assert (vault, nobody, other) == ([5, ""], [3, ""], [3, ""])
    assert outside[0] == 0
    assert outside[1] != web[1]
    assert await one.inside(caller, "show([ask('web', tcp=True), ask('web', kind=28)])") == [web, [0, ""]]


@plays("one")
async def test_what_was_not_declared_is_refused_and_written_down(one: Agent):
    await one.runs(VAULT, serves=8_080)
    caller = await one.runs(CALLER)
    await settled(one)
    assert one.mesh.routes()["containers"][0]["steered"], "this kernel can"
    program = "show([ask('vault'), ask('vault'), call('nobody', 1)])"
    assert (await one.inside(caller, program))[:2] == [[5, ""], [5, ""]]
    dialled = "def dial(a, p):\n try: return socket.create_connection((a, p), timeout=5).recv(1).decode()\n"
    dialled += " except OSError as e: return e.errno\n"
    assert await one.inside(caller, dialled + "show(dial('127.100.1.1', 80))") == ECONNRESET
    assert one.said == [
        (MeshRefusal.NOT_DECLARED, caller),
        (MeshRefusal.NOT_DECLARED, caller),
    ], "once a minute a target"
    refusals = one.mesh.routes()["refusals"]
    assert [(each["target"], each["rule"]) for each in refusals] == [("vault", "MESH-3"), ("127.100.1.1", "MESH-3")]
    assert refusals[0]["fix"] == "add back to the networks of caller"


@plays("one")
async def test_without_a_ready_replica_a_call_is_refused_at_once(one: Agent):
    await one.runs(WEB, serves=8_080, ready=False)
    one.is_ready(WEB, 7)  # says the chain; here it never was
    caller = await one.runs(CALLER)
    await settled(one)
    began = time.monotonic()
    assert await one.inside(caller, "show(call('web', 8080))") == "ConnectionResetError"
    assert time.monotonic() - began < 4
    assert await one.inside(caller, "show(call('web', 9999))") == "ConnectionResetError", "no such port"


@plays("one", "two")
async def test_a_replica_that_was_killed_is_passed_over(one: Agent, two: Agent):
    await one.runs(WEB, 0, serves=8_080)
    dead = await two.runs(WEB, 1, serves=8_080)
    caller = await one.runs(CALLER)
    await settled(one, two)
    two.kill(dead)  # nobody has told the chain
    assert await one.inside(caller, "show([call('web', 8080) for _ in range(4)])") == ["web.0\n"] * 4
    two.mesh.gone(dead)
    assert await one.inside(caller, "show([call('web', 8080) for _ in range(4)])") == ["web.0\n"] * 4


@plays("one", "two")
async def test_a_session_that_is_cut_resets_its_flows_and_another_follows(one: Agent, two: Agent):
    await two.runs(WEB, serves=8_080)
    caller = await one.runs(CALLER)
    await settled(one, two)
    held = "s = socket.create_connection((ask('web')[1], 8080)); s.sendall(b'who\\n'); first = s.recv(99).decode()\n"
    held += "open(sys.argv[1], 'w').close()\ntry: more = s.recv(1).decode()\nexcept OSError as e: more = e.errno\n"
    with tempfile.TemporaryDirectory() as folder:
        mark = Path(folder, "mark")
        running = asyncio.create_task(one.inside(caller, held + "show([first, more, call('web', 8080)])", str(mark)))
        await until(mark.exists, "the flow carries")
        for link in list(two.mesh._sessions._carrier._links.values()):
            link.transport.abort()  # type: ignore[union-attr]
        assert await running == ["web.0\n", ECONNRESET, "web.0\n"]
    await until(lambda: rows_open(one) == rows_open(two) == 0, "both know that it is over")


@plays("one", "two", "three")
async def test_a_node_that_is_no_member_any_more_is_cut(one: Agent, two: Agent, three: Agent):
    await two.runs(WEB, serves=8_080)
    caller = await one.runs(CALLER)
    await settled(one, two, three)
    assert await one.inside(caller, "show(call('web', 8080))") == "web.0\n"
    del one.chain.members["one"]
    one.chain.changed()
    await settled(two)
    assert await one.inside(caller, "show(call('web', 8080))") == "ConnectionResetError"


@plays("one", "two")
async def test_a_node_calls_only_for_what_stands_on_it_and_shares_a_network(one: Agent, two: Agent):
    await two.runs(WEB, serves=8_080)
    caller = await one.runs(CALLER)
    await settled(one, two)
    del one.chain.standing["caller", "one"]
    assert await one.inside(caller, "show(call('web', 8080))") == "ConnectionResetError", "it does not stand there"
    one.chain.standing["caller", "one"] = ("back",)
    assert await one.inside(caller, "show(call('web', 8080))") == "ConnectionResetError", "by its terms on chain"
    one.chain.standing["caller", "one"] = ("back", "front")
    assert await one.inside(caller, "show(call('web', 8080))") == "web.0\n"


@plays("one")
async def test_what_a_chain_node_says_of_networks_opens_nothing(one: Agent):
    await one.runs(VAULT, serves=8_080)
    caller = await one.runs(CALLER)
    one.chain.services["vault"] = replace(one.chain.services["vault"], networks=("front",))
    one.chain.changed()
    await settled(one)
    assert (await one.inside(caller, "show(ask('vault'))"))[0] == 0, "the lie is told"
    assert await one.inside(caller, "show(call('vault', 8080))") == "ConnectionResetError"


@plays("one")
async def test_a_destination_outside_never_leads_to_the_node_itself(one: Agent):
    caller = await one.runs(CALLER)
    await settled(one)
    program = "show([call('localhost', 22), call('nowhere.invalid', 443), call('localhost', 23)])"
    assert await one.inside(caller, program) == ["ConnectionResetError"] * 3
    assert [one for one, _ in one.said] == [MeshRefusal.NOT_DECLARED], "of the three only the last was not declared"


@plays("one", "two")
async def test_an_operator_calls_a_service_and_hears_who_answered(one: Agent, two: Agent):
    await two.runs(WEB, serves=8_080)
    await settled(one, two)
    body = msgspec.json.encode({"service": "web", "data": base64.b64encode(b"who\n").decode(), "end": True})

    def signed(what: bytes = body) -> str:
        return authorization("shop", "POST", PATH, what, time.time_ns() // 1_000_000, OPERATOR)

    with pytest.raises(Rejected) as refused:
        await one.mesh.call(signed(), body)
    assert refused.value.reason is MeshRefusal.NOT_PLACED, "the other node looks for itself"
    one.chain.operators.add(bytes(address_of_key(OPERATOR.public_key)))
    given = await one.mesh.call(signed(), body)
    assert (given.node, given.index, given.port, given.answer.data) == ("two", 0, 8_080, b"web.0\n<end>")
    with pytest.raises(Rejected) as refused:
        await one.mesh.call(signed(b"another"), body)
    assert refused.value.reason is MeshRefusal.NOT_PLACED
    unknown = msgspec.json.encode({"service": "nobody"})
    with pytest.raises(Rejected) as refused:
        await one.mesh.call(signed(unknown), unknown)
    assert refused.value.reason is MeshRefusal.UNKNOWN_SERVICE
    with pytest.raises(Rejected) as refused:
        await one.mesh.call(signed(b"{}"), b"{}")
    assert refused.value.reason is MeshRefusal.MALFORMED


@plays("one")
async def test_a_published_port_leads_to_the_replica_of_this_node(one: Agent):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = probe.getsockname()[1]
    await one.runs(spec_of("web", ("front",), (port(8_080, published=free),)), serves=8_080)
    reader, writer = await asyncio.open_connection("127.0.0.1", free)
    writer.write(b"who\n")
    assert await reader.readline() == b"web.0\n"
    writer.write_eof()
    assert await reader.read() == b"<end>"
    writer.close()


@plays("one")
async def test_a_published_port_that_is_taken_is_said(one: Agent):
    said = Said()
    with socket.create_server(("127.0.0.1", 0)) as holder, said.of("metanode.agent"):
        await one.runs(spec_of("web", (), (port(8_080, published=holder.getsockname()[1]),)), serves=8_080)
    assert said.codes == [MeshRefusal.PORT_TAKEN]


@plays("one")
async def test_without_steering_there_is_a_socket_a_place_and_no_container_meets_itself(one: Agent):
    def cannot(*_: object) -> int:
        raise OSError(1, "Operation not permitted", "bpf")

    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(foothold, "steer", cannot)
        await one.runs(WEB, serves=8_080)
        caller = await one.runs(CALLER)
        same = await one.runs(spec_of("same", ("front",), (port(8_080),)), serves=8_080)
    await settled(one)
    assert [each["steered"] for each in one.mesh.routes()["containers"]] == [False] * 3
    await until(lambda: one.mesh._feet._feet[caller].hold.places, "it listens")
    assert await one.inside(caller, "show([call('web', 8080), ask('web')[0]])") == ["web.0\n", 0]
    await until(lambda: one.mesh._feet._feet[same].hold.taken, "it declares that port itself")
    assert await one.inside(same, "show(ask('web'))") == [5, ""]


@plays("one")
async def test_a_container_of_an_earlier_agent_gets_its_sockets_again(one: Agent):
    await one.runs(WEB, serves=8_080)
    caller = await one.runs(CALLER)
    await settled(one)
    again = Agent(one.chain, "one")
    again.engine.pids.update(one.engine.pids)
    one.mesh._feet.close()
    await again.open()
    try:
        await again.runs_already(WEB, CALLER)
        await settled(again)
        assert await again.inside(caller, "show(call('web', 8080))") == "web.0\n"
    finally:
        await again.close()


@plays("one", "two")
async def test_a_peer_that_breaks_a_rule_loses_its_session(one: Agent, two: Agent):
    await two.runs(WEB, serves=8_080)
    caller = await one.runs(CALLER)
    await settled(one, two)
    assert await one.inside(caller, "show(call('web', 8080))") == "web.0\n"
    peer = two.key.public_key
    assert one.mesh._sessions.is_up(peer)
    one.mesh._sessions.say(peer, frames.write(Kind.DATA, 1, b"", ours=True))
    await until(lambda: not one.mesh._sessions.is_up(peer), "cut")
    assert await one.inside(caller, "show(call('web', 8080))") == "ConnectionResetError", "and turned away for a while"


def test_who_may_not_enter_says_so():
    with pytest.raises(OSError, match="setns"):
        inside(os.open("/dev/null", os.O_RDONLY), list)
