"""Clusters: settings and counts, nodes and shares, workloads, who waits and why, what can be called."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.docklock.cluster.town import NO_RECEIPTS, SETTINGS, apply, inventory, terms
from tests.unit.ledger.world import START_MS, address
from tests.unit.node.requests.test_proofs import holds
from tests.unit.node.requests.world import Chain

from metanode.api.cluster import (
    ClusterGet,
    ClusterImages,
    ClusterLine,
    ClusterList,
    ClusterNode,
    ClusterNodes,
    ClusterShare,
    ClusterTerms,
    QuotaView,
)
from metanode.api.errors import ApiError, ApiRefusal
from metanode.api.workloads import (
    EndpointView,
    InstanceView,
    PlacementInputs,
    PlacementQueue,
    PlacementWhy,
    ServiceList,
    WaitingView,
    WorkloadGet,
    WorkloadList,
    WorkloadReplicas,
)
from metanode.docklock import queries
from metanode.docklock.cluster import share_key, workload_key
from metanode.docklock.cluster.state import read_replica, read_share
from metanode.docklock.cluster.views import fleet_of, newcomer_of
from metanode.docklock.scheduler import ALL_INPUTS, why, why_of
from metanode.node.requests import workloads
from metanode.records.address import show_address
from metanode.records.cluster import Label, Quota, ReplicaReport
from metanode.records.cluster_calls import (
    ClusterAdmit,
    ClusterAdmitImage,
    ClusterCreate,
    ClusterJoin,
    ClusterMark,
    ClusterReport,
)
from metanode.records.placement import explanation_digest
from metanode.records.workload import Port

ALICE, BOB = show_address(address("alice")), show_address(address("bob"))
NODES = ("node-1", "node-2")
HTTP = Port(name="http", container=8_080, published=0, protocol="tcp")


class Shop(Chain):
    """A chain with the cluster `shop` of alice; its nodes do what a test says."""

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.sequence = 0
        self.does("alice", ClusterCreate(cluster="shop", settings=replace(SETTINGS, **settings)))
        for name in NODES:
            self.does(name, ClusterJoin(cluster="shop", node=name, inventory=inventory(mesh=f"{name}:26701")))
            zone = (Label(key="zone", value=name[-1]),)
            self.does("alice", ClusterAdmit(cluster="shop", node=name, account=address(name), labels=zone, taints=()))

    def does(self, sender: str, *calls: Any) -> None:
        done = self.final(self.transaction(sender, *calls))
        assert [receipt.code for receipt in done.execution.receipts if receipt.code] == []

    def lives(self, *well: str) -> None:
        """Each node reports; whatever stands on those named is ready from now on."""
        for name in NODES:
            self.sequence += 1
            said = tuple(
                ReplicaReport(workload=one.workload, index=one.index, attempt=one.attempt, state="ready", code=0)
                for one in read_share(self.desk.ledger, "shop", name).assignments
                if name in well
            )
            self.does(
                name,
                ClusterReport(cluster="shop", node=name, sequence=self.sequence, replicas=said, receipts=NO_RECEIPTS),
            )

    def refuses(self, method: str, asked: Any) -> str:
        answered = self.ask(method, asked)
        assert isinstance(answered, ApiError)
        return f"{answered.code}: {answered.detail}"


@pytest.fixture(scope="module")
def shop() -> Shop:
    """Two ready replicas of web, one of wide that nobody can take, none of worker."""
    chain = Shop(quotas=(Quota(account=address("bob"), cpu_millicores=9_000, memory_kib=1 << 30, replicas=9),))
    chain.does("bob", apply(terms(ports=(HTTP,), demand={"node_max": 1}), 2))
    chain.lives(*NODES)
    chain.does("alice", apply(terms("wide", demand={"cpu_millicores": 4_001})))
    chain.does("alice", apply(terms("worker", networks=("back",)), 0))
    images = [ClusterAdmitImage(cluster="shop", image=one, admitted=True) for one in (b"\7" * 32, b"\5" * 32)]
    chain.does("alice", *images)
    chain.lives(*NODES)
    return chain


def test_clusters_are_listed_in_pages(shop: Shop) -> None:
    page = shop.ask("cluster.list", ClusterList())
    assert page.items == (ClusterLine(cluster="shop", owner=ALICE, nodes=2, workloads=3),)
    assert (page.next, page.height) == ("", shop.desk.tip.height)
    assert shop.ask("cluster.list", ClusterList(cursor="shop")).items == ()
    assert Chain().ask("cluster.list", ClusterList()).items == ()


def test_a_cluster_shows_settings_counts_and_what_its_quotas_leave(shop: Shop) -> None:
    view = shop.ask("cluster.get", ClusterGet(cluster="shop"))
    assert (view.owner, view.nodes, view.workloads, view.waiting) == (ALICE, {"active": 2}, {"active": 3}, 1)
    assert view.settings["operators"] == [BOB]
    assert view.quotas == (
        QuotaView(
            account=BOB,
            cpu_millicores=9_000,
            memory_kib=1 << 30,
            replicas=9,
            used_cpu_millicores=1_000,
            used_memory_kib=131_072,
            used_replicas=2,
        ),
    )


def test_nodes_show_what_is_free_on_them(shop: Shop) -> None:
    page = shop.ask("cluster.nodes", ClusterNodes(cluster="shop", limit=1))
    (line,) = page.items
    assert (line.node, line.state, line.account, page.next) == (
        "node-1",
        "active",
        show_address(address("node-1")),
        "node-1",
    )
    assert (line.cpu_millicores, line.free_cpu_millicores, line.replicas) == (4_000, 3_500, 1)
    rest = shop.ask("cluster.nodes", ClusterNodes(cluster="shop", cursor=page.next))
    assert ([one.node for one in rest.items], rest.next) == (["node-2"], "")


def test_a_node_shows_its_share(shop: Shop) -> None:
    view = shop.ask("cluster.node", ClusterNode(cluster="shop", node="node-2"))
    assert (view.state, view.mark, view.labels, view.reports) == ("active", "active", {"zone": "2"}, 4)
    assert (view.engines, view.mesh, view.free_memory_kib) == (("sandbox",), "node-2:26701", (4 << 20) - 65_536)
    (assignment,) = view.assignments
    assert (assignment.workload, assignment.run, assignment.revision) == ("web", True, 1)
    assert view.heard_ms > START_MS


def test_a_node_that_only_was_admitted_has_nothing_yet() -> None:
    chain = Shop()
    chain.does("alice", ClusterAdmit(cluster="shop", node="new", account=address("new"), labels=(), taints=()))
    view = chain.ask("cluster.node", ClusterNode(cluster="shop", node="new"))
    assert (view.state, view.cpu_millicores, view.engines, view.assignments) == ("invited", 0, (), ())


def test_admitted_images_come_in_pages(shop: Shop) -> None:
    page = shop.ask("cluster.images", ClusterImages(cluster="shop", limit=1))
    assert (page.items, page.next) == (("05" * 32,), "05" * 32)
    assert shop.ask("cluster.images", ClusterImages(cluster="shop", cursor=page.next)).items == ("07" * 32,)
    assert ApiRefusal.INVALID_ARGUMENTS in shop.refuses("cluster.images", ClusterImages(cluster="shop", cursor="web"))


def test_a_share_is_proved_and_so_is_its_absence(shop: Shop) -> None:
    proof = shop.ask("cluster.share", ClusterShare(cluster="shop", node="node-1"))
    assert (proof.module, bytes.fromhex(proof.key), proof.present) == ("cluster", share_key("shop", "node-1"), True)
    assert holds(proof)
    absent = shop.ask("cluster.share", ClusterShare(cluster="shop", node="nobody"))
    assert (absent.present, holds(absent)) == (False, True)


def test_terms_are_proved_at_every_height_that_is_kept(shop: Shop) -> None:
    proof = shop.ask("cluster.terms", ClusterTerms(cluster="shop", workload="web"))
    assert (bytes.fromhex(proof.key), proof.present) == (workload_key("shop", "web"), True)
    assert holds(proof)
    before = shop.ask("cluster.terms", ClusterTerms(cluster="shop", workload="web", height=1))
    assert (before.height, before.present, holds(before)) == (1, False, True)


def test_workloads_are_listed_with_how_many_are_ready(shop: Shop) -> None:
    page = shop.ask("workload.list", WorkloadList(cluster="shop"))
    assert [(one.workload, one.phase, one.replicas, one.placed, one.ready) for one in page.items] == [
        ("web", "active", 2, 2, 2),
        ("wide", "active", 1, 0, 0),
        ("worker", "active", 0, 0, 0),
    ]
    first = shop.ask("workload.list", WorkloadList(cluster="shop", limit=1))
    assert first.next == "web"
    assert [one.workload for one in shop.ask("workload.list", WorkloadList(cluster="shop", cursor="web")).items] == [
        "wide",
        "worker",
    ]


def test_a_page_of_workloads_ends_before_too_many_replicas_are_read(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "REPLICAS_READ_MAX", 2)
    page = shop.ask("workload.list", WorkloadList(cluster="shop"))
    assert ([one.workload for one in page.items], page.next) == (["web"], "web")


def test_a_workload_shows_its_terms_and_replicas(shop: Shop) -> None:
    view = shop.ask("workload.get", WorkloadGet(cluster="shop", workload="web"))
    assert (view.owner, view.phase, view.current.revision, view.ready, view.renewed) == (BOB, "active", 1, 2, 2)
    assert view.current.terms["demand"]["cpu_millicores"] == 500
    assert (view.earlier, view.update) == ((), ())
    page = shop.ask("workload.replicas", WorkloadReplicas(cluster="shop", workload="web", limit=1))
    (replica,) = page.items
    (instance,) = replica.instances
    since_ms = instance.since_ms
    assert instance == InstanceView(attempt=1, revision=1, node=instance.node, state="ready", code=0, since_ms=since_ms)
    assert (replica.index, replica.done, page.next) == (0, False, "1")
    rest = shop.ask("workload.replicas", WorkloadReplicas(cluster="shop", workload="web", cursor="1"))
    assert {instance.node, rest.items[0].instances[0].node} == set(NODES)


def test_who_waits_is_told_in_turn(shop: Shop) -> None:
    page = shop.ask("placement.queue", PlacementQueue(cluster="shop"))
    (one,) = page.items
    assert one == WaitingView(
        workload="wide", index=0, attempt=1, priority=100, since_ms=one.since_ms, vain=one.vain, tried=True
    )
    assert (page.waiting, page.next, one.vain > 0) == (1, "", True)
    assert shop.ask("placement.queue", PlacementQueue(cluster="shop", cursor="1")).items == ()


def test_why_a_replica_waits(shop: Shop) -> None:
    view = shop.ask("placement.why", PlacementWhy(cluster="shop", workload="wide", index=0))
    assert (view.state, view.node, view.chosen) == ("waiting", "", "")
    (reason,) = view.reasons
    assert reason["nodes"] == 2
    against = [one for one in view.nodes[0]["verdicts"] if not one["passes"]]
    assert [one["rule"] for one in against] == [reason["rule"]]
    assert "4001" in against[0]["asked"]
    assert against[0]["change"], "the smallest change that would let it"
    assert view.seed == shop.desk.tip.hash.hex()
    short = shop.ask("placement.why", PlacementWhy(cluster="shop", workload="wide", index=0, limit=1))
    assert (len(short.nodes), short.left_out, short.digest) == (1, 1, view.digest)


def test_why_a_replica_stands_where_it_does_leaves_itself_out(shop: Shop) -> None:
    view = shop.ask("placement.why", PlacementWhy(cluster="shop", workload="web", index=0))
    assert (view.state, view.chosen) == ("ready", view.node), "with one a node there is only its own place"
    cluster = queries.cluster_of(shop.desk.ledger, "shop")
    assert cluster is not None
    fleet = fleet_of(shop.desk.ledger, "shop", cluster, without=("web", 0, 1))
    instance = queries.latest_of(read_replica(shop.desk.ledger, "shop", "web", 0))
    assert instance is not None
    newcomer = newcomer_of(shop.desk.ledger, "shop", "web", 0, instance)
    assert newcomer is not None
    assert why(fleet, newcomer, shop.desk.tip.hash).inputs.hex() == view.inputs


def test_whoever_has_the_inputs_computes_the_same_explanation(shop: Shop) -> None:
    for name in ("web", "wide"):
        view = shop.ask("placement.why", PlacementWhy(cluster="shop", workload=name, index=0))
        given = shop.ask("placement.inputs", PlacementInputs(cluster="shop", workload=name, index=0))
        computed = why_of(ALL_INPUTS.decode(bytes.fromhex(given.inputs)))
        assert explanation_digest(computed).hex() == given.digest == view.digest
        assert computed.chosen == view.chosen


def test_inputs_that_are_too_large_are_not_shown(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workloads, "INPUTS_SHOWN_MAX", 100)
    refused = shop.refuses("placement.inputs", PlacementInputs(cluster="shop", workload="web", index=0))
    assert refused.startswith(ApiRefusal.CONFLICT)
    assert "at most 100 are shown" in refused


def test_services_name_the_ready_and_where_their_nodes_answer() -> None:
    chain = Shop()
    chain.does("bob", apply(terms(ports=(HTTP,), demand={"node_max": 1}), 2))
    chain.does("alice", apply(terms("worker", networks=("back",)), 1))
    chain.lives("node-2")
    (service,) = chain.ask("service.list", ServiceList(cluster="shop")).items
    (endpoint,) = service.endpoints
    key = inventory().transport_key.hex()
    assert endpoint == EndpointView(
        index=endpoint.index, attempt=1, node="node-2", mesh="node-2:26701", transport_key=key
    )
    assert (service.workload, service.networks, service.ports[0]["container"]) == ("web", ("default",), 8_080)
    assert chain.ask("service.list", ServiceList(cluster="shop", network="back")).items == ()
    chain.lives("node-1")
    (service,) = chain.ask("service.list", ServiceList(cluster="shop", network="default")).items
    assert {one.node for one in service.endpoints} == set(NODES)


def test_services_come_in_pages() -> None:
    chain = Shop()
    for name in ("a", "b", "c"):
        chain.does("bob", apply(terms(name, ports=(HTTP,)), 1))
    page = chain.ask("service.list", ServiceList(cluster="shop", limit=2))
    assert ([one.workload for one in page.items], page.next) == (["a", "b"], "b")
    assert [one.workload for one in chain.ask("service.list", ServiceList(cluster="shop", cursor="b")).items] == ["c"]


def test_a_lost_node_is_told(shop: Shop) -> None:
    chain = Shop()
    chain.does("alice", ClusterMark(cluster="shop", node="node-1", mark="draining"))
    for _ in range(6):
        chain.final()
    view = chain.ask("cluster.get", ClusterGet(cluster="shop"))
    assert view.nodes == {"lost": 2}
    assert shop.ask("cluster.get", ClusterGet(cluster="shop")).nodes == {"active": 2}


@pytest.mark.parametrize(
    ("method", "asked", "detail"),
    [
        ("cluster.get", ClusterGet(cluster="nowhere"), "no cluster 'nowhere': shop"),
        ("cluster.get", ClusterGet(cluster="No Name"), "no cluster 'No Name'"),
        ("cluster.nodes", ClusterNodes(cluster="nowhere"), "no cluster 'nowhere'"),
        ("cluster.node", ClusterNode(cluster="nowhere", node="node-1"), "no cluster 'nowhere'"),
        ("cluster.node", ClusterNode(cluster="shop", node="node-9"), "no node 'node-9' in shop"),
        ("cluster.images", ClusterImages(cluster="nowhere"), "no cluster 'nowhere'"),
        ("cluster.share", ClusterShare(cluster="\u00e4", node="node-1"), "no cluster"),
        ("cluster.terms", ClusterTerms(cluster="shop", workload="UP"), "no workload 'UP'"),
        ("workload.get", WorkloadGet(cluster="shop", workload="nothing"), "no workload 'nothing' in shop: web, wide"),
        ("workload.list", WorkloadList(cluster="nowhere"), "no cluster 'nowhere'"),
        ("workload.replicas", WorkloadReplicas(cluster="shop", workload="nothing"), "no workload 'nothing'"),
        ("placement.why", PlacementWhy(cluster="shop", workload="worker", index=0), "nothing of worker number 0"),
        ("placement.why", PlacementWhy(cluster="shop", workload="nothing", index=0), "no workload 'nothing'"),
        ("placement.inputs", PlacementInputs(cluster="shop", workload="worker", index=0), "nothing of worker number 0"),
        ("placement.queue", PlacementQueue(cluster="nowhere"), "no cluster 'nowhere'"),
        ("service.list", ServiceList(cluster="nowhere"), "no cluster 'nowhere'"),
    ],
)
def test_what_is_not_there(shop: Shop, method: str, asked: Any, detail: str) -> None:
    refused = shop.refuses(method, asked)
    assert refused.startswith(f"{ApiRefusal.NOT_FOUND}: {detail}")
