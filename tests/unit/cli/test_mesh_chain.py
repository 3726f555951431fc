"""MESH-4, MESH-8, MESH-9. What the mesh of an agent believes: proofs of nodes and callers; the rest only as a hint."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import pytest
from msgspec.structs import replace
from tests.unit.docklock.agent.desk import assignment
from tests.unit.docklock.cluster.town import terms
from tests.unit.records.cluster_calls import INVENTORY

from metanode.api.workloads import EndpointView, ServicePage, ServiceView
from metanode.cli.bpi import mesh_chain
from metanode.cli.bpi.mesh_chain import MeshChain
from metanode.docklock.cluster.state import (
    NO_SHARE,
    Cluster,
    Member,
    Revision,
    Workload,
    cluster_key,
    member_key,
    share_key,
    workload_key,
)
from metanode.docklock.mesh import MeshRefusal
from metanode.docklock.mesh.services import Node, Replica
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.cluster import ClusterSettings
from metanode.records.genesis import Genesis
from metanode.records.placement import Weights

Value = TypeVar("Value")
OWNER, OPERATOR = b"o" * 20, b"p" * 20
SETTINGS = ClusterSettings(
    operators=(OPERATOR,),
    executors=(),
    weights=Weights(),
    heartbeat_timeout_ms=5_000,
    quotas=(),
    images="any",
)


@dataclass
class Proven:
    """What a key holds under a header."""

    value: bytes | None

    @property
    def header(self) -> Any:
        return type("Header", (), {"height": 9})


@dataclass
class State:
    """The state that is proved, the page that is told; what was asked to be proved."""

    values: dict[bytes, bytes] = field(default_factory=dict)
    page: ServicePage = field(default_factory=lambda: ServicePage(items=(), next="", height=9))
    proved: list[bytes] = field(default_factory=list)

    def ask(self, question: Callable[[Any, Any], Value]) -> Value:
        return question(self, self)

    def prove(self, _module: str, key: bytes, _height: int = 0) -> Proven:
        self.proved.append(key)
        return Proven(self.values.get(key))

    @property
    def workload(self) -> Any:
        return type("Rooms", (), {"services": lambda *_: self.page})

    def has(self, *nodes: str) -> None:
        cluster = Cluster(owner=OWNER, settings=SETTINGS, nodes=nodes, workloads=(), due_ms=0)
        self.values[cluster_key("shop")] = encode(cluster)

    def member(self, node: str, standing: str = "in", mesh: str = "10.0.0.2:1") -> None:
        has = replace(INVENTORY, mesh=mesh, transport_key=node.encode().ljust(32))
        member = Member(account=bytes(20), standing=standing, mark="active", inventory=(has,), labels=(), taints=())
        self.values[member_key("shop", node)] = encode(member)


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> State:
    made = State()
    monkeypatch.setattr(mesh_chain, "Line", lambda *_: made)
    return made


@pytest.fixture
def chain(state: State) -> MeshChain:
    return MeshChain((), cast("Genesis", None), "shop", "one")  # no line is made of it


def told(node: str, mesh: str) -> EndpointView:
    return EndpointView(index=0, attempt=1, node=node, mesh=mesh, transport_key=node.encode().ljust(32).hex())


def view(*endpoints: EndpointView, ports: tuple[Any, ...] = ()) -> ServiceView:
    return ServiceView(
        workload="web", revision=2, balance="local-first", networks=("front",), ports=ports, endpoints=endpoints
    )


def test_nodes_are_those_that_were_let_in_and_not_this_one(state: State, chain: MeshChain):
    state.has("one", "three", "two")
    state.member("two")
    state.member("three", "joining")
    assert chain.nodes() == (Node("two", b"two".ljust(32), "10.0.0.2:1"),)
    state.member("three", "lost")
    assert [node.name for node in chain.nodes()] == ["two", "three"], "who was not let in is looked at again"
    state.has("one", "three")
    assert [node.name for node in chain.nodes()] == ["three"], "who is removed is gone at once"


def test_a_node_is_proved_anew_only_where_something_is_said_to_have_changed(state: State, chain: MeshChain):
    state.has("one", "two")
    state.member("two")
    chain.nodes()
    state.member("two", mesh="10.0.0.9:9")
    state.proved.clear()
    assert chain.nodes()[0].endpoint == "10.0.0.2:1"
    assert state.proved == [cluster_key("shop")]
    state.page = ServicePage(items=(view(told("two", "10.0.0.9:9")),), next="", height=9)
    chain.services()
    assert chain.nodes()[0].endpoint == "10.0.0.9:9", "the hint is proved before it is believed"


def test_services_are_told_with_revision_and_height(state: State, chain: MeshChain):
    ports = (
        {"name": "http", "container": 80, "published": 0, "protocol": "tcp"},
        {"name": "dns", "container": 53, "published": 0, "protocol": "udp"},
    )
    state.page = ServicePage(items=(view(told("two", ""), ports=ports),), next="", height=7)
    height, (web,) = chain.services()
    assert (height, web.name, web.revision, web.balance, web.networks) == (7, "web", 2, "local-first", ("front",))
    assert web.ports == (("http", 80),)
    assert web.replicas == (Replica(0, 1, "two"),)


@pytest.mark.parametrize("ports", [({"name": "http"},), ({"name": "a", "container": "80", "protocol": "tcp"},), (7,)])
def test_a_service_that_is_none_is_refused(state: State, chain: MeshChain, ports: tuple[Any, ...]):
    state.page = ServicePage(items=(view(ports=ports),), next="", height=7)
    with pytest.raises(Rejected) as refused:
        chain.services()
    assert refused.value.reason is MeshRefusal.MALFORMED


def test_pages_without_end_are_not_read(state: State, chain: MeshChain):
    state.page = ServicePage(items=(view(),) * 500, next="again", height=7)
    with pytest.raises(Rejected) as refused:
        chain.services()
    assert refused.value.reason is MeshRefusal.MALFORMED


def test_a_caller_stands_on_the_node_by_that_revision(state: State, chain: MeshChain):
    one = replace(assignment(), workload="caller", revision=2)
    revision = Revision(number=2, spec=bytes(32), terms=terms("caller", networks=("back", "front")))
    workload = Workload(
        owner=OWNER,
        phase="active",
        current=replace(revision, number=3),
        earlier=(revision,),
        numbers=3,
        replicas=1,
        peak=1,
        begun=0,
        applied_ms=0,
        update=(),
        dependents=(),
        due_ms=0,
    )
    state.values[workload_key("shop", "caller")] = encode(workload)
    for node in ("two", "three"):
        with pytest.raises(Rejected) as refused:
            chain.caller("caller", 2, node)
        assert refused.value.reason is MeshRefusal.NOT_PLACED
    state.values[share_key("shop", "two")] = encode(replace(NO_SHARE, assignments=(one,)))
    assert chain.caller("caller", 2, "two") == ("back", "front")
    state.proved.clear()
    assert chain.caller("caller", 2, "two") == ("back", "front")
    assert state.proved == [], "for a while it is remembered"
    for workload_name, number, node in (("caller", 3, "two"), ("caller", 2, "three"), ("other", 2, "two")):
        with pytest.raises(Rejected):
            chain.caller(workload_name, number, node)


def test_operators_and_the_owner_may_ask(state: State, chain: MeshChain):
    assert not chain.may_ask(OPERATOR), "nothing was proved yet"
    state.has("one")
    chain.nodes()
    assert chain.may_ask(OPERATOR)
    assert chain.may_ask(OWNER)
    assert not chain.may_ask(b"s" * 20)
