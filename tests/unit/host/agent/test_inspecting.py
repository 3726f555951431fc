"""Two agents: one looks at the other's container over HTTP, the other answers and signs."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.requests import Request
from tests.unit.docklock.agent.desk import CHECK, spec
from tests.unit.docklock.agent.test_inspecting import duty as usual_duty

from metanode.docklock.agent.events import Inspect, Inspected
from metanode.docklock.agent.inspecting import NO_STATEMENT
from metanode.docklock.agent.judging import container_of
from metanode.docklock.cluster.state import Duty
from metanode.host.agent.chain import ChainUnreachable
from metanode.host.agent.inspecting import Answerer, Inspector
from metanode.host.http_server import EmbeddedServer
from metanode.host.runtimes.driver import ContainerState
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.states import LogMark, Phase
from metanode.primitives import ed25519
from metanode.primitives.refusal import Rejected
from metanode.records.address import address_of_key
from metanode.records.agent_request import Asker, RequestRefusal, asker_of
from metanode.records.workload import WorkloadSpec

NODE, PROBER = ed25519.SigningKey(b"n" * 32), ed25519.SigningKey(b"p" * 32)
NOW_MS = 1_700_000_000_000


class Engine:
    """A driver that knows one container, reached at an address of this host."""

    def __init__(self, phase: Phase | None = Phase.RUNNING) -> None:
        self.phase = phase

    async def inspect(self, name: str) -> ContainerState:
        if self.phase is None:
            raise Rejected(RuntimeRefusal.UNKNOWN, name)
        mark = LogMark(0, 0, 0, "")
        return ContainerState(name, "docker", self.phase, 0, 0, 0, None, mark, address="127.0.0.1")


class Knows:
    """Content and chain of a prober that has the specification, or cannot get it."""

    def __init__(self, what: WorkloadSpec | None, *, reaches: bool = True) -> None:
        self.what, self.reaches, self.asked = what, reaches, 0

    def terms(self, workload: str, revision: int) -> object:
        self.asked += 1
        if not self.reaches:
            raise ChainUnreachable("nobody answers")
        return workload, revision

    def spec(self, pinned: bytes, terms: object) -> WorkloadSpec | None:
        assert (pinned, terms) == (b"s" * 32, ("web", 1))
        return self.what


def asking(request: Request, body: bytes, *, role: str) -> Asker:
    assert role == "nodes"
    path = f"{request.url.path}?{request.url.query}"
    return asker_of(request.headers.get("authorization", ""), "shop", request.method, path, body, NOW_MS)


@contextmanager
def service(answer: bytes) -> Iterator[int]:
    """Something that answers each connection so, at a port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4_096)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def looked(
    runs: WorkloadSpec | None,
    knows: Knows,
    engine: Engine | None = None,
    key: ed25519.SigningKey = NODE,
    times: int = 1,
    **changes: Any,
) -> Inspected:
    """What a prober finds of a container on a node that answers under this key."""

    async def play() -> Inspected:
        driver: Any = engine or Engine()
        wanted = container_of("shop", usual_duty())
        answerer = Answerer("shop", key, driver, lambda name: runs if name == wanted else None, lambda: NOW_MS)
        pages = Starlette(routes=answerer.routes(asking))
        server = EmbeddedServer(uvicorn.Config(pages, host="127.0.0.1", port=0, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve())
        await server.began.wait()
        port = server.servers[0].sockets[0].getsockname()[1]
        asked: Duty = replace(usual_duty(account=address_of_key(NODE.public_key), api=f"127.0.0.1:{port}"), **changes)
        chain: Any = knows
        inspector = Inspector("shop", PROBER, chain, chain, bytes, lambda: NOW_MS)
        found = [await inspector.look(Inspect(asked)) for _ in range(times)]
        server.should_exit = True
        await serving
        assert found[0].duty == asked
        return found[-1]

    return asyncio.run(play())


def web(port: int) -> WorkloadSpec:
    return spec(health=(replace(CHECK, probe="http", path="/", port=port, timeout_ms=5_000),))


def test_a_service_that_answers_is_seen_and_its_nodes_word_is_pinned() -> None:
    with service(b"HTTP/1.0 200 OK\r\n\r\nhello") as port:
        found = looked(web(port), Knows(web(port)))
    assert found.sight == "seen"
    assert found.statement != NO_STATEMENT


def test_the_specification_is_asked_for_once() -> None:
    knows = Knows(spec())
    assert looked(spec(), knows, times=3).sight == "seen"
    assert knows.asked == 1


@pytest.mark.parametrize("answer", [b"HTTP/1.0 503 No\r\n\r\n", b"nonsense"])
def test_a_service_that_is_not_well_by_its_own_node_is_unwell(answer: bytes) -> None:
    with service(answer) as port:
        found = looked(web(port), Knows(web(port)))
    assert (found.sight, found.statement != NO_STATEMENT) == ("unwell", True)


def test_a_service_that_does_not_listen_is_unwell() -> None:
    with service(b"") as port:
        pass
    assert looked(web(port), Knows(web(port))).sight == "unwell"


@pytest.mark.parametrize("engine", [Engine(None), Engine(Phase.EXITED)])
def test_what_does_not_run_is_unwell_by_a_signed_word(engine: Engine) -> None:
    found = looked(spec(), Knows(spec()), engine)
    assert (found.sight, found.statement != NO_STATEMENT) == ("unwell", True)


def test_a_node_that_says_well_by_another_check_than_the_pinned_one_is_not_believed() -> None:
    """The liar's own copy has no health check; the prober's has."""
    found = looked(spec(), Knows(web(80)))
    assert (found.sight, found.statement != NO_STATEMENT) == ("unseen", True)


def test_whoever_answers_under_another_key_has_not_answered() -> None:
    found = looked(spec(), Knows(spec()), key=ed25519.SigningKey(b"x" * 32))
    assert (found.sight, found.statement) == ("unseen", NO_STATEMENT)


def test_where_nobody_listens_nothing_is_seen() -> None:
    with service(b"") as port:
        pass
    assert looked(spec(), Knows(spec()), api=f"127.0.0.1:{port}").sight == "unseen"
    assert looked(spec(), Knows(spec()), api="").sight == "unseen"


@pytest.mark.parametrize("knows", [Knows(None), Knows(spec(), reaches=False)])
def test_without_the_specification_the_statement_alone_is_judged(knows: Knows) -> None:
    assert looked(spec(), knows).sight == "seen"


def test_a_nonce_is_32_bytes_and_the_asker_signs() -> None:
    async def play() -> None:
        driver: Any = Engine()
        answerer = Answerer("shop", NODE, driver, lambda _: None, lambda: NOW_MS)
        (route,) = answerer.routes(lambda *_, role: Asker(address_of_key(PROBER.public_key), role.encode()))
        for query in (b"", b"nonce=zz", b"nonce=0011"):
            scope: dict[str, Any] = {
                "type": "http", "method": "GET", "path": "/v1/inspections/x", "query_string": query, "headers": [],
                "path_params": {"name": "x"},
            }  # fmt: skip
            with pytest.raises(Rejected) as rejected:
                await route.endpoint(Request(scope))
            assert rejected.value.reason is RequestRefusal.NOT_SIGNED

    asyncio.run(play())
