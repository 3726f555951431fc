"""What commands about clusters make of a node's answers, without a node: the cluster that is meant, and observing."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from msgspec.structs import replace
from tests.unit.records.cluster_calls import OPERATOR, SETTINGS, TERMS

from metanode.api.blocks import EventItem, EventPage
from metanode.api.cluster import ClusterLine, ClusterPage
from metanode.api.errors import ApiRefusal
from metanode.api.exits import ExitStatus
from metanode.api.workloads import InputsView, RevisionView, WorkloadView
from metanode.cli.bpi import observing
from metanode.cli.bpi.clusters import chosen_cluster, cores, every, memory
from metanode.cli.bpi.commands.cluster import FRESH, _chosen
from metanode.cli.bpi.commands.container import check_explanation
from metanode.cli.bpi.observing import Reader, Told, Watch, settled_words
from metanode.cli.failure import CliRefusal, Failure
from metanode.client.failures import failure
from metanode.docklock.scheduler import Fleet, Inputs, Newcomer, NodeView, Replica, inputs_of, why_of
from metanode.primitives.codec import encode
from metanode.records.address import show_address
from metanode.records.image_policy import ImagePolicy
from metanode.records.placement import Weights, explanation_digest

OWNER = show_address(OPERATOR)


def pages(*names: str) -> Any:
    lines = tuple(ClusterLine(cluster=name, owner=OWNER, nodes=0, workloads=0) for name in names)
    return SimpleNamespace(cluster=SimpleNamespace(list=lambda **_: ClusterPage(items=lines, next="", height=1)))


def test_the_only_cluster_is_meant_where_none_is_named() -> None:
    assert chosen_cluster(pages("shop"), "") == "shop"
    assert chosen_cluster(pages("shop", "bank"), "bank") == "bank"


@pytest.mark.parametrize(("names", "words"), [((), "no cluster"), (("bank", "shop"), "several: bank, shop")])
def test_otherwise_one_must_be_named(names: tuple[str, ...], words: str) -> None:
    with pytest.raises(Failure) as caught:
        chosen_cluster(pages(*names), "")
    assert (caught.value.form.code, caught.value.form.exit) == (CliRefusal.NO_CLUSTER, ExitStatus.NOT_FOUND)
    assert words in caught.value.form.message


def test_lists_are_read_page_by_page_up_to_a_number() -> None:
    asked = []

    def ask(cursor: str, limit: int) -> Any:
        asked.append((cursor, limit))
        first = int(cursor or 0)
        return SimpleNamespace(items=tuple(range(first, first + min(limit, 400))), next=str(first + 400))

    assert len(list(every(ask, 900))) == 900
    assert asked == [("", 500), ("400", 500), ("800", 100)]


def test_amounts_for_people() -> None:
    assert [cores(one) for one in (4_000, 1_500, 20)] == ["4", "1.5", "0.02"]
    assert [memory(one) for one in (1 << 20, 3_670_016, 65_536)] == ["1G", "3.5G", "64M"]


def options(**given: Any) -> dict[str, Any]:
    nothing = {"operators": (), "executors": (), "strategy": None, "weights": (), "heartbeat_timeout": None}
    images = {"images": None, "image_keys": (), "image_signatures": None, "image_only": ()}
    return {**nothing, **images, "quotas": (), **given}


def test_settings_that_are_not_named_stay() -> None:
    names: Any = SimpleNamespace(address=lambda text: text.encode().ljust(20, b"."))
    assert _chosen(names, SETTINGS, options()) == SETTINGS
    assert _chosen(names, SETTINGS, options(quotas=("none",), operators=("none",))) == replace(
        SETTINGS, quotas=(), operators=()
    )
    assert _chosen(names, SETTINGS, options(image_keys=("none",))).policy == ImagePolicy()
    assert _chosen(names, FRESH, options(image_only=("ab" * 32,))).policy == ImagePolicy(digests=(b"\xab" * 32,))
    chosen = _chosen(names, FRESH, options(operators=("zoe", "bob"), weights=("fill=7",), quotas=("bob=1.5,64,3",)))
    assert [one[:3] for one in chosen.operators] == [b"bob", b"zoe"], "ascending, as it is signed"
    assert chosen.weights.fill == 7
    assert (chosen.quotas[0].cpu_millicores, chosen.quotas[0].memory_kib, chosen.quotas[0].replicas) == (
        1_500,
        65_536,
        3,
    )
    for wrong in ({"quotas": ("bob=1",)}, {"weights": ("luck=1",)}, {"weights": ("fill=x",)}, {"quotas": ("bob",)}):
        with pytest.raises(click.BadParameter):
            _chosen(names, FRESH, options(**wrong))


def view(phase: str, **changes: Any) -> WorkloadView:
    current = RevisionView(revision=changes.pop("revision", 2), spec="00" * 32, terms={})
    usual: dict[str, Any] = {
        "cluster": "shop",
        "workload": "web",
        "owner": OWNER,
        "kind": "service",
        "phase": phase,
        "current": current,
        "earlier": (),
        "replicas": 2,
        "placed": 2,
        "ready": 2,
        "renewed": 2,
        "done": 0,
        "applied_ms": 0,
        "update": (),
        "dependents": (),
        "height": 5,
    }
    return WorkloadView(**{**usual, **changes})


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"cluster.{kind}", "cluster": "shop", "workload": "web", **fields}


PLACED = event("replica-placed", index=0, attempt=1, revision=2, node="node-2")


class Node:
    """A node that shows these views of web one after the other, and has these events."""

    def __init__(self, views: list[Any], events: tuple[dict[str, Any], ...] = (PLACED,)) -> None:
        self.views = views
        self.events = events
        self.workload = SimpleNamespace(get=self._get)

    def _get(self, _cluster: str, _workload: str) -> WorkloadView:
        shown = self.views.pop(0) if len(self.views) > 1 else self.views[0]
        if isinstance(shown, Exception):
            raise shown
        assert isinstance(shown, WorkloadView)
        return shown

    def call(self, _method: Any, asked: Any) -> EventPage:
        items: tuple[EventItem, ...] = ()
        if asked.after in ("", "2:999999999"):
            data = {"height": 3, "index": 1, "events": list(self.events)}
            items = (EventItem(id="3:2", kind="receipt", data=data),)
        return EventPage(items=items, next="5:999999999", last=5)


def watch(node: Any, **how: Any) -> Watch:
    return Watch(node, "shop", "web", **how)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "POLL_S", 0.0)


def test_steps_are_said_until_all_replicas_run_what_was_asked() -> None:
    said: list[Told] = []
    node = Node([view("updating", renewed=0), view("active", renewed=1), view("active")])
    seen = watch(node, revision=2).until_settled(3, 60.0, said.append)
    assert [one.sentence() for one in said] == [f"PLACED   web.0 on node-2 by block 3 · receipt {said[0].receipt}"]
    assert said[0].receipt.startswith("rcpt_")
    assert (seen["phase"], seen["ready"], seen["observed"]) == ("active", 2, [said[0].as_data()])
    assert settled_words(seen) == "ACTIVE   web · revision 2 · 2 of 2 replicas ready"


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (view("paused", ready=1), "web is paused: 1 of 2 replicas are ready"),
        (view("failed", ready=0), "web is failed: 0 of 2"),
        (view("active", revision=1), "led back to revision 1, 2 was asked for"),
    ],
)
def test_what_did_not_become_what_was_asked_fails(last: WorkloadView, words: str) -> None:
    with pytest.raises(Failure) as caught:
        watch(Node([view("updating"), last]), revision=2).until_settled(3, 60.0, lambda _: None)
    assert (caught.value.form.code, caught.value.form.exit) == (CliRefusal.NOT_SETTLED, ExitStatus.RUNTIME)
    assert words in caught.value.form.message


def test_a_deadline_is_no_outcome() -> None:
    with pytest.raises(Failure) as caught:
        watch(Node([view("active", renewed=1, ready=1)])).until_settled(3, 0.0, lambda _: None)
    assert (caught.value.form.code, caught.value.form.exit) == (ApiRefusal.DEADLINE, ExitStatus.OUTCOME_UNKNOWN)
    assert caught.value.form.message == "web is active, 1 of 2 replicas ready after 0 s: it may still settle"


def test_what_is_deleted_is_gone_in_the_end() -> None:
    gone = failure(ApiRefusal.NOT_FOUND, "no workload 'web'")
    seen = watch(Node([view("deleting"), gone]), gone=True).until_settled(3, 60.0, lambda _: None)
    assert (seen["phase"], settled_words(seen)) == ("gone", "GONE     web")
    with pytest.raises(type(gone)):
        watch(Node([gone])).until_settled(3, 60.0, lambda _: None)


def test_a_job_that_is_done_and_what_is_stopped_are_settled() -> None:
    job = view("active", kind="job", renewed=1, done=1)
    assert watch(Node([job])).until_settled(3, 60.0, lambda _: None)["phase"] == "active"
    assert watch(Node([view("stopped", ready=0)])).until_settled(3, 60.0, lambda _: None)["phase"] == "stopped"


def test_only_what_is_meant_is_read() -> None:
    others = (
        event("replica-placed", index=1, attempt=1, revision=1, node="node-1") | {"workload": "worker"},
        event("node-changed", node="node-1", state="lost") | {"cluster": "bank"},
        {"type": "coin.transferred", "coin": "USD"},
        {"type": "cluster.node-changed", "cluster": "shop", "node": "node-1", "state": "lost"},
    )
    node: Any = Node([view("active")], (*others, PLACED))
    assert [one.event for one in Reader.since(node, "shop", "web", 3).read()] == [PLACED]
    assert [one.event for one in Reader.since(node, "shop", "", 1).read()] == [others[0], others[3], PLACED]


def inputs(node: str) -> Inputs:
    """One node that takes one replica."""
    view = NodeView(
        name=node,
        identity=OPERATOR,
        architecture="x86_64",
        engines=("sandbox",),
        labels=(),
        taints=(),
        cpu_millicores=4_000,
        memory_kib=1 << 20,
        images=(),
        volumes=(),
        barred="",
        leaving=False,
    )
    newcomer = Newcomer(
        replica=Replica(workload="web", index=0, attempt=1, demand=TERMS.demand), spec=bytes(32), stood="", refused=()
    )
    return inputs_of(Fleet([view], [], Weights(), lambda _: ""), newcomer, bytes(32))


def test_an_explanation_is_computed_again_and_its_inputs_are_kept(tmp_path: Path) -> None:
    encoded = encode(inputs("node-1"))
    digest = explanation_digest(why_of(inputs("node-1"))).hex()
    given = InputsView(inputs=encoded.hex(), digest=digest, height=9)
    assert check_explanation(given, str(tmp_path / "why")) == 9
    assert (tmp_path / "why").read_bytes() == encoded


def test_a_node_that_explains_otherwise_than_its_inputs_is_not_believed() -> None:
    digest = explanation_digest(why_of(inputs("node-2"))).hex()
    with pytest.raises(Failure) as caught:
        check_explanation(InputsView(inputs=encode(inputs("node-1")).hex(), digest=digest, height=9), "")
    assert (caught.value.form.code, caught.value.form.exit) == (
        CliRefusal.OTHER_EXPLANATION,
        ExitStatus.INVALID_PROOF,
    )


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            event("replica-waits", index=3, attempt=1, reason="PLACE-11"),
            "WAITS    web.3 for a node: most lack PLACE-11",
        ),
        (
            event("replica-changed", index=0, attempt=1, node="node-1", state="exited", code=3),
            "EXITED   web.0 on node-1 with 3",
        ),
        (
            event("replica-changed", index=0, attempt=1, node="node-1", state="ready", code=0),
            "READY    web.0 on node-1 by",
        ),
        (event("workload-changed", phase="updating", revision=4, spec=""), "WORKLOAD web is updating, revision 4"),
        (event("node-changed", node="node-1", state="lost"), "NODE     node-1 is lost"),
        (event("receipts-pinned", node="node-1", first=4, count=3, root=""), "RECEIPTS node-1 pins 4 to 6"),
        (event("image-admitted", image="ab", admitted=False), "IMAGE    sha256:ab is withdrawn"),
        (event("configured"), "CLUSTER  shop is configured"),
    ],
)
def test_every_event_is_one_line(told: dict[str, Any], words: str) -> None:
    assert Told(3, "rcpt_X", told).sentence().startswith(words)
    assert Told(3, "rcpt_X", told).sentence().endswith("by block 3 · receipt rcpt_X")
