"""A cluster from its first hour to its last, by commands alone: nodes, workloads, what waits and why, what is lost."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.journeys.pretend_agents import PretendAgent, living
from tests.journeys.shell import Shell, network
from tests.journeys.town import until
from tests.unit.records.cluster_calls import TERMS

from metanode.api.plain import plain
from metanode.client import Client
from metanode.client.state_keys import share, workload
from metanode.client.verify import GenesisBasis, LightClient, fetch_genesis
from metanode.docklock.cluster.state import SHARES, WORKLOADS
from metanode.records.cluster_calls import ClusterApply

NODES = ("node-1", "node-2", "node-3")


@dataclass
class Shop:
    """A shell beside a network with the cluster `shop`, and the agents of its nodes."""

    bpi: Shell
    agents: dict[str, PretendAgent]

    def applies(self, name: str, replicas: int, spec: int = 1, **demand: Any) -> Any:
        """Apply a workload by a transaction of its own, as `bpi container apply` would from a file."""
        call = plain(ClusterApply(cluster="shop", spec=bytes([spec]) * 32, terms=TERMS, replicas=replicas))
        call["terms"]["workload"] = name
        call["terms"]["demand"].update(demand)
        (self.bpi.folder / "apply.json").write_text(json.dumps(call))
        return self.bpi.data("transaction send apply.json")


@pytest.fixture(scope="module")
def bpi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with network(tmp_path_factory.mktemp("cluster"), "--parameter empty_block_period_ms=500") as shell:
        yield shell


@pytest.fixture(scope="module")
def shop(bpi: Shell) -> Iterator[Shop]:
    """Three nodes that live, and web with two replicas."""
    bpi.refuses("node list", 3, "cli.no-cluster")
    assert bpi.says(
        "cluster create shop --operator globex --quota globex=8,8192,20 --heartbeat-timeout 5000"
    ).startswith("FINAL")
    url = bpi.data("status")["url"]
    agents = {name: PretendAgent(url, "shop", name) for name in NODES}
    for agent in agents.values():
        agent.join()
    assert bpi.says(f"node admit node-1 {agents['node-1'].account} --label zone=a").startswith("FINAL")
    assert bpi.data("node admit node-2 --label zone=b")["succeeded"], "the account that joined"
    assert bpi.data("node admit node-3 --taint gpu=yes:no-schedule")["succeeded"]
    with living(list(agents.values())):
        yield Shop(bpi, agents)


def test_a_cluster_is_created_shown_listed_and_configured(bpi, shop):
    bpi.refuses("cluster create shop", 5, "cluster.exists")
    bpi.refuses("cluster create Shop", 50, "demand.bad-name")
    assert "shop" in bpi.says("cluster list")
    (line,) = bpi.data("cluster list")["items"]
    assert (line["cluster"], line["nodes"]) == ("shop", 3)
    shown = bpi.says("cluster show")
    assert "operators  globex\n" in shown
    assert "of 8 cores" in shown
    assert bpi.data("cluster show shop")["settings"]["heartbeat_timeout_ms"] == 5_000
    assert bpi.says("cluster configure --executor globex --weight fill=3").startswith("FINAL")
    settings = bpi.data("cluster show")["settings"]
    assert (len(settings["operators"]), len(settings["executors"]), settings["weights"]["fill"]) == (1, 1, 3)
    assert bpi.data("cluster configure shop --executor none --strategy binpack")["succeeded"]
    settings = bpi.data("cluster show")["settings"]
    assert (settings["executors"], settings["weights"]["strategy"]) == ([], "binpack")
    assert bpi.data("cluster configure --strategy spread")["succeeded"]
    bpi.refuses("cluster configure --account globex --images any", 4, "cluster.not-the-owner")


def test_images_are_admitted_and_withdrawn(bpi, shop):
    image = "ab" * 32
    assert bpi.data("cluster configure --images listed")["succeeded"]
    refused = shop.bpi.run(f"transaction send {applied(shop, image)}")
    assert (refused.status, "[cluster.image-not-admitted]" in refused.err) == (10, True)
    assert bpi.says(f"cluster admit-image sha256:{image}").startswith("FINAL")
    assert f"sha256:{image}" in bpi.says("cluster images")
    assert bpi.data("cluster images")["items"] == [image]
    assert bpi.data(f"cluster admit-image {image} --withdraw")["succeeded"]
    assert bpi.data("cluster images")["items"] == []
    assert bpi.data("cluster configure --images any")["succeeded"]


def applied(shop: Shop, image: str) -> str:
    """A file that applies a workload of this image."""
    call = plain(ClusterApply(cluster="shop", spec=bytes(32), terms=TERMS, replicas=1))
    call["terms"]["demand"]["image"] = image
    (shop.bpi.folder / "image.json").write_text(json.dumps(call))
    return "image.json"


def test_nodes_are_listed_shown_and_marked(bpi, shop):
    until(lambda: {one["state"] for one in bpi.data("node list")["items"]} == {"active"}, 20, "all are heard")
    assert "node-2  active" in bpi.says("node list")
    shown = bpi.says("node show node-1")
    assert "labels    zone=a" in shown
    assert "4 of 4 free" in shown
    assert bpi.data("node show node-3")["taints"] == [{"key": "gpu", "value": "yes", "effect": "no-schedule"}]
    bpi.refuses("node show node-9", 3, "api.not-found")
    assert bpi.says("node cordon node-1").startswith("FINAL")
    assert bpi.data("node show node-1")["state"] == "cordoned"
    assert bpi.data("node uncordon node-1")["succeeded"]
    bpi.refuses("node cordon node-9 --account globex", 3, "cluster.unknown-node")
    bpi.refuses("node cordon node-1 --account operator-validator-0", 4, "cluster.not-an-operator")
    assert bpi.data("node admit node-2 --label none")["succeeded"]
    assert bpi.data("node show node-2")["labels"] == {}


def test_a_workload_runs_is_scaled_stopped_started_restarted_and_led_back(bpi, shop):
    assert shop.applies("web", 2)["succeeded"]
    assert "ACTIVE   web · revision 1 · 2 of 2 replicas ready" in bpi.says("container wait web")
    assert "web" in bpi.says("container list")
    (line,) = bpi.data("container list")["items"]
    assert (line["workload"], line["phase"], line["ready"]) == ("web", "active", 2)
    shown = bpi.says("container show web")
    assert "2 of 2 replicas ready" in shown
    assert {one["instances"][0]["node"] for one in bpi.data("container show web")["items"]} <= {"node-1", "node-2"}

    said = bpi.says("container scale web 4 --observe")
    assert said.startswith("FINAL")
    assert "PLACED   web.3 on node-" in said
    assert "READY    web.3 on node-" in said
    assert said.endswith("ACTIVE   web · revision 1 · 4 of 4 replicas ready\n")
    seen = bpi.data("container scale web 2 --observe")
    assert (seen["ready"], seen["replicas"]) == (2, 2)
    bpi.refuses("container scale nothing 2", 3, "cluster.unknown-workload")
    assert bpi.data("container restart web --observe")["revision"] == 2
    assert shop.applies("web", 2, spec=2)["succeeded"]
    until(lambda: bpi.data("container show web")["phase"] == "active", 30, "the second specification runs")
    assert bpi.data("container rollback web --observe")["phase"] == "active"
    assert bpi.data("container show web")["current"]["spec"] == "01" * 32
    assert "STOPPED  web" in bpi.says("container stop web --observe")
    bpi.refuses("container stop web", 5, "cluster.workload-phase")
    assert bpi.data("container start web --observe")["ready"] == 2
    bpi.refuses("container rollback web", 5, "cluster.nothing-earlier")
    late = bpi.refuses("container wait nothing-here --within 1", 3, "api.not-found")
    assert late["message"].startswith("no workload")


def test_services_are_what_can_be_called(bpi, shop):
    until(lambda: bpi.data("container show web")["ready"] == 2, 30, "web is ready")
    assert "http 8080/tcp" in bpi.says("mesh services")
    (service,) = bpi.data("mesh services --network default")["items"]
    assert [one["mesh"] for one in service["endpoints"]] == ["127.0.0.1:26701"] * 2
    assert bpi.data("mesh services --network elsewhere")["items"] == []


def test_what_waits_is_explained_and_a_deadline_is_one(bpi, shop):
    assert shop.applies("wide", 1, cpu_millicores=5_000)["succeeded"]
    late = bpi.refuses("container wait wide --within 1", 61, "client.deadline")
    assert late["fix"] == "bpi container wait wide --cluster shop"
    said = bpi.says("container why wide")
    assert "waits for a node" in said
    assert "no node can take it" in said
    assert "fix:  " in said
    explained = bpi.data("container why wide 0 --nodes 1")
    assert (explained["chosen"], explained["left_out"]) == ("", 2)
    checked = bpi.data("container why web --check -o why.inputs")
    assert (checked["node"].startswith("node-"), checked["checked"] > 0) == (True, True)
    assert (bpi.folder / "why.inputs").stat().st_size > 100
    assert bpi.data("cluster show")["waiting"] == 1
    assert "wide.0" in bpi.says("container list --waiting")
    assert bpi.data("container scale wide 5000")["succeeded"], "however many wait, blocks go on"
    assert bpi.data("container rm wide --observe")["phase"] == "gone"


def test_more_than_the_quota_is_refused(bpi, shop):
    call = plain(ClusterApply(cluster="shop", spec=bytes(32), terms=TERMS, replicas=21))
    call["terms"]["workload"] = "batch"
    (bpi.folder / "many.json").write_text(json.dumps(call))
    refused = bpi.run("transaction send many.json --account globex")
    assert (refused.status, "[cluster.quota]" in refused.err) == (80, True)


def test_a_replica_that_cannot_start_is_told(bpi, shop):
    for agent in shop.agents.values():
        agent.broken.add("sick")
    assert shop.applies("sick", 1)["succeeded"]
    until(lambda: "FAILED   sick.0" in bpi.says("container events sick"), 30, "it failed, and its receipt is there")
    assert bpi.says("container rm sick --observe").endswith("GONE     sick\n")


def test_a_drained_node_is_left_and_a_silent_one_is_lost(bpi, shop):
    assert bpi.says("node drain node-1").startswith("FINAL")
    until(lambda: bpi.data("node show node-1")["assignments"] == [], 30, "everything has moved away")
    assert bpi.data("node uncordon node-1")["succeeded"]
    shop.agents["node-2"].silent.set()
    until(lambda: bpi.data("node show node-2")["state"] == "lost", 30, "nobody hears node-2")
    until(lambda: bpi.data("container show web")["ready"] == 2, 30, "web runs elsewhere")
    nodes = {one["instances"][0]["node"] for one in bpi.data("container show web")["items"]}
    assert nodes == {"node-1"}
    shop.agents["node-2"].silent.clear()
    until(lambda: bpi.data("node show node-2")["state"] == "active", 30, "it is back")
    assert bpi.data("node drain node-3")["succeeded"]


def test_events_tell_all_of_it_with_their_receipts(bpi, shop):
    told = bpi.data("container events web")["items"]
    kinds = {one["type"] for one in told}
    assert {"cluster.workload-changed", "cluster.replica-placed", "cluster.replica-changed"} <= kinds
    placed = next(one for one in told if one["type"] == "cluster.replica-placed")
    assert bpi.says(f"receipt get {placed['receipt']}").startswith(f"receipt   {placed['receipt']}")
    assert "NODE     node-2 is lost" in bpi.says("container events")
    following = bpi.begins("container events web -f --first 1 --json")
    try:
        log = bpi.folder / "begun.log"
        until(lambda: "cluster.replica-placed" in log.read_text(), 20, "it follows")
    finally:
        following.terminate()
        assert following.wait(10) == 143


def test_a_light_client_believes_no_node_about_a_share(bpi, shop):
    with Client(bpi.data("status")["url"]) as client:
        chain_id = bytes.fromhex(client.node.status().chain_id)
        light = LightClient(client, GenesisBasis(fetch_genesis(client, chain_id)))
        proven = light.prove(*share("shop", "node-1"))
        assert proven.value is not None
        assignments = SHARES.decode(proven.value).assignments
        assert {one.workload for one in assignments} == {"web"}
        terms = light.prove(*workload("shop", "web")).value
        assert terms is not None
        assert WORKLOADS.decode(terms).current.terms.workload == "web"
        assert light.prove(*share("shop", "nobody")).value is None


def test_the_last_hour_a_node_is_removed(bpi, shop):
    assert bpi.says("node remove node-3").startswith("FINAL")
    bpi.refuses("node show node-3", 3, "api.not-found")
    assert bpi.data("container stop web --observe")["phase"] == "stopped"
    assert bpi.data("container rm web --observe")["phase"] == "gone"
    assert bpi.data("container list")["items"] == []
    assert "VALID" in bpi.says("verify")
