"""Who looks at whom, whose word counts, how many must agree, and what follows from it."""

from collections import Counter
from itertools import product
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.docklock.cluster.town import SETTINGS, TIMEOUT_MS, Town, apply, terms
from tests.unit.ledger.world import address

from metanode.docklock.cluster.inspections import (
    INSPECTIONS_MAX,
    OF_A_NODE_MAX,
    PROBERS_MAX,
    threshold,
    verdict,
)
from metanode.docklock.cluster.state import Duty, Inspection, read_inspections, read_member
from metanode.primitives.refusal import Rejected
from metanode.records.cluster import (
    SIGHTINGS_MAX,
    SIGHTS,
    ClusterValueRefusal,
    Label,
    ReplicaReport,
    Said,
    Sighting,
    check_sightings,
)
from metanode.records.cluster_calls import ClusterMark
from metanode.records.cluster_events import NodeDoubted, ProbersDiffer, ReplicaChanged
from metanode.records.demand import DemandRefusal

LIAR = "node-1"


def running(nodes: int = 4, replicas: int = 4, **changes: Any) -> Town:
    """A town in which everything runs, and nobody has looked yet."""
    town = Town(nodes=nodes)
    town.does("bob", apply(terms(**changes), replicas))
    town.lives(2)
    town.events.clear()
    return town


def open_in(town: Town) -> tuple[Inspection, ...]:
    return read_inspections(town.ledger, "shop").open


def sighting(duty: Duty, sight: str = "unseen") -> Sighting:
    return Sighting(
        node=duty.node,
        workload=duty.workload,
        index=duty.index,
        attempt=duty.attempt,
        sight=sight,
        statement=bytes(32),
    )


def blind_to_the_liar(_prober: str, duty: Duty) -> str:
    return "unseen" if duty.node == LIAR else "seen"


def until_doubted(town: Town, blocks: int = 20) -> list[NodeDoubted]:
    for _ in range(blocks):
        town.lives()
        doubts = [event for event in town.events if isinstance(event, NodeDoubted)]
        if doubts:
            return doubts
    return []


@pytest.mark.parametrize(("others", "probers", "agree"), [(2, 2, 2), (3, 3, 2), (4, 4, 3), (5, 5, 3), (9, 5, 3)])
def test_so_many_look_and_so_many_must_agree(others: int, probers: int, agree: int) -> None:
    town = running(nodes=others + 1, replicas=others + 1)
    town.lives(6)
    begun = open_in(town)
    assert begun
    for one in begun:
        assert len(one.probers) == len(set(one.probers)) == probers
        assert one.duty.node not in one.probers
    assert threshold(probers) == agree


def test_with_one_other_node_nobody_is_inspected() -> None:
    town = running(nodes=2)
    town.lives(20)
    assert open_in(town) == ()


def test_a_prober_finds_its_duties_in_its_share_until_it_has_spoken() -> None:
    town = running()
    town.lives(6)
    for one in open_in(town):
        for name in town.names:
            assert (one.duty in town.share(name).duties) == (name in one.probers)
    duty = town.share(LIAR).duties[0]
    assert (duty.account, duty.api) == (address(duty.node), "127.0.0.1:26700")
    town.does(LIAR, town.report(LIAR, sightings=(sighting(duty, "seen"),)))
    assert duty not in town.share(LIAR).duties


def test_every_node_is_inspected_in_its_turn_and_probers_are_drawn_anew() -> None:
    town = running(nodes=20, replicas=40)
    looked: Counter[str] = Counter()
    parties = set()
    known: set[tuple[str, int]] = set()
    for _ in range(60):
        town.lives(later_ms=1_000)
        for one in open_in(town):
            if (one.duty.node, one.duty.since_ms) not in known:
                known.add((one.duty.node, one.duty.since_ms))
                looked[one.duty.node] += 1
                parties.add(one.probers)
    assert set(looked) == set(town.names)
    assert max(looked.values()) - min(looked.values()) <= 1
    assert len(parties) > len(looked)


def test_each_replica_of_a_node_is_looked_at_before_any_is_again() -> None:
    town = running(nodes=3, replicas=12)
    town.sees = lambda _prober, _duty: "seen"
    looked: list[tuple[int, int]] = []
    while len(looked) < 8:
        town.lives()
        for one in open_in(town):
            key = (one.duty.index, one.duty.since_ms)
            if one.duty.node == LIAR and key not in looked:
                looked.append(key)
    mine = {one.index for one in town.share(LIAR).assignments}
    assert len(mine) == 4
    assert {index for index, _ in looked[:4]} == {index for index, _ in looked[4:]} == mine


def test_others_machines_are_preferred_and_no_owner_has_a_majority_that_could_be_avoided() -> None:
    town = Town(nodes=0)
    owners = {"a1": "ann", "a2": "ann", "a3": "ann", "a4": "ann", "b1": "ben", "b2": "ben", "c1": "cas", "d1": "dot"}
    for name, owner in owners.items():
        town.enter(name, labels=(Label(key="owner", value=owner),))
    town.does("bob", apply(terms(demand={"node_max": 1}), 8))
    town.lives(9)
    begun = {one.duty.node: one.probers for one in open_in(town)}
    assert set(begun) == set(owners)
    for node, probers in begun.items():
        met = Counter(owners[prober] for prober in probers)
        assert {owner for owner in owners.values() if owner != owners[node]} <= set(met)
        if owners[node] in ("ben", "cas", "dot"):
            assert met["ann"] < threshold(PROBERS_MAX)


def test_a_node_of_which_enough_probers_see_nothing_is_named_and_the_replica_moves() -> None:
    town = running()
    town.sees = blind_to_the_liar
    doubts = until_doubted(town)
    assert [event.node for event in doubts] == [LIAR]
    assert [(said.sight, said.prober == LIAR) for said in doubts[0].verdicts] == [("unseen", False)] * 3
    index = doubts[0].index
    assert any(isinstance(e, ReplicaChanged) and (e.index, e.state) == (index, "doubted") for e in town.events)
    assert town.node(LIAR) == "doubted"
    assert town.replica(index=index).refused == (LIAR,)
    town.lives(2)
    ((node, state, _),) = town.where()[index]
    assert (node != LIAR, state) == (True, "ready")


def test_a_doubted_node_takes_nothing_new_until_its_time_is_over_and_longer_each_time() -> None:
    town = running(replicas=1, demand={"cpu_millicores": 3_000})
    ((node, _, _),) = town.where()[0]
    town.sees = lambda _prober, duty: "unseen" if duty.node == node else "seen"
    assert until_doubted(town)
    began = town.now_ms
    town.sees = None
    town.does("bob", apply(terms("more", demand={"cpu_millicores": 3_000}), 3))
    while town.node(node) == "doubted":
        assert not any(one.workload == "more" for one in town.share(node).assignments)
        town.lives()
    assert 4 * TIMEOUT_MS <= town.now_ms - began <= 4 * TIMEOUT_MS + 2_000
    town.lives(2)
    assert any(one.workload == "more" for one in town.share(node).assignments)
    town.sees = lambda _prober, duty: "unseen" if duty.node == node else "seen"
    town.events.clear()
    assert until_doubted(town)
    member = read_member(town.ledger, "shop", node)
    assert member is not None
    assert member.doubt[0].times == 2
    assert member.doubt[0].until_ms - town.now_ms == 8 * TIMEOUT_MS
    town.does("bob", ClusterMark(cluster="shop", node=node, mark="active"))
    assert town.node(node) == "active", "its operators know better"


@pytest.mark.parametrize("nodes", [3, 4, 5, 6])
def test_fewer_liars_than_must_agree_move_nothing(nodes: int) -> None:
    town = running(nodes=nodes, replicas=nodes)
    liars = town.names[: threshold(min(nodes - 1, PROBERS_MAX)) - 1]
    town.sees = lambda prober, _duty: "unseen" if prober in liars else "seen"
    before = town.where()
    town.lives(40)
    assert town.where() == before
    assert town.said(NodeDoubted) == []


def test_whoever_says_otherwise_is_named_beside_those_who_agree() -> None:
    town = running(replicas=4)
    town.sees = lambda prober, _duty: "unseen" if prober == "node-2" else "seen"
    town.lives(10)
    differ = town.said(ProbersDiffer)
    assert differ
    for event in differ:
        assert [said.prober for said in event.verdicts if said.sight != "seen"] == ["node-2"]


def test_a_word_counts_of_who_was_named_and_once() -> None:
    town = running(nodes=7, replicas=7)
    town.lives(6)
    one = next(found for found in open_in(town) if found.duty.node == LIAR)
    stranger = next(name for name in town.names if name not in (*one.probers, LIAR))
    for name in (stranger, LIAR, one.probers[0], one.probers[0]):
        town.does(name, town.report(name, sightings=(sighting(one.duty),)))
    told = next(found for found in open_in(town) if found.duty == one.duty)
    assert [said.prober for said in told.verdicts] == [one.probers[0]]
    other = replace(one.duty, attempt=one.duty.attempt + 1)
    town.does(one.probers[1], town.report(one.probers[1], sightings=(sighting(other),)))
    told = next(found for found in open_in(town) if found.duty == one.duty)
    assert len(told.verdicts) == 1


def test_what_is_said_when_the_time_is_over_counts_no_more() -> None:
    town = running()
    town.lives(6)
    one = next(found for found in open_in(town) if found.duty.node == LIAR)
    late = [town.with_work(name, town.report(name, sightings=(sighting(one.duty),))) for name in one.probers]
    town.commit(*late, town.with_work(LIAR, town.report(LIAR)), later_ms=one.until_ms - town.now_ms)
    assert town.node(LIAR) == "active"
    assert one not in open_in(town)


def test_a_node_that_does_not_report_is_lost_and_not_doubted() -> None:
    """Nobody sees what ran on a machine that is gone; that is no lie."""
    town = running()
    town.lives(6)
    one = next(found for found in open_in(town) if found.duty.node == LIAR)
    town.silent.add(LIAR)
    for name in one.probers:
        town.does(name, town.report(name, sightings=(sighting(one.duty),)))
    town.lives(6)
    assert (town.node(LIAR), town.said(NodeDoubted)) == ("lost", [])


def test_a_node_that_takes_back_its_word_before_it_is_asked_again_is_not_doubted() -> None:
    town = running()
    town.lives(6)
    one = next(found for found in open_in(town) if found.duty.node == LIAR)
    for name in one.probers:
        town.does(name, town.report(name, sightings=(sighting(one.duty),)))
    starts = ReplicaReport(workload="web", index=one.duty.index, attempt=one.duty.attempt, state="starting", code=0)
    town.does(LIAR, town.report(LIAR, starts))
    assert (town.node(LIAR), town.said(NodeDoubted)) == ("active", [])
    assert town.where()[one.duty.index] == [(LIAR, "placed", 1)]
    assert town.replica(index=one.duty.index).failures == 0


def test_a_node_that_is_seen_well_afterwards_is_forgiven() -> None:
    town = running()
    town.sees = blind_to_the_liar
    assert until_doubted(town)
    town.sees = lambda _prober, _duty: "seen"
    while town.node(LIAR) == "doubted":
        town.lives()
    town.does("bob", apply(terms("more"), 8))
    town.lives(60)
    member = read_member(town.ledger, "shop", LIAR)
    assert member is not None
    assert (town.node(LIAR), member.doubt) == ("active", ())


def test_silence_of_probers_changes_nothing() -> None:
    town = running()
    before = town.where()
    town.lives(40)
    assert (town.where(), town.said(NodeDoubted)) == (before, [])


def test_a_replica_that_its_node_gave_up_meanwhile_is_no_lie() -> None:
    """It ended, or is not ready any more: the node has said so itself."""
    town = running()
    town.lives(6)
    one = next(found for found in open_in(town) if found.duty.node == LIAR)
    town.unwell.add(("web", 1))
    town.does(LIAR, town.report(LIAR, *town.answers(LIAR)))
    for name in one.probers:
        town.does(name, town.report(name, sightings=(sighting(one.duty),)))
    assert (town.node(LIAR), town.said(NodeDoubted)) == ("active", [])


def test_what_its_own_node_calls_unwell_is_said_and_nobody_is_doubted() -> None:
    town = running()
    town.sees = lambda _prober, duty: "unwell" if duty.node == LIAR else "seen"
    before = town.where()
    town.lives(8)
    assert town.where() == before, "what is ready is for its node to say"
    assert {event.node for event in town.events if isinstance(event, ProbersDiffer)} == {LIAR}
    assert (town.node(LIAR), town.said(NodeDoubted)) == ("active", [])


def test_of_a_node_that_was_doubted_more_is_looked_at() -> None:
    town = running(nodes=4, replicas=16)
    town.sees = blind_to_the_liar
    blocks = 0
    while town.share(LIAR).assignments:
        town.lives()
        blocks += 1
        assert len([one for one in open_in(town) if one.duty.node == LIAR]) <= OF_A_NODE_MAX
        assert blocks < 40, "four replicas: one, two, and the rest"
    assert len(open_in(town)) <= INSPECTIONS_MAX


def said(*sights: str) -> tuple[Said, ...]:
    return tuple(Said(prober=f"p{at}", sight=sight, statement=bytes(32)) for at, sight in enumerate(sights))


@pytest.mark.parametrize("probers", range(2, 6))
def test_a_verdict_is_never_taken_back_whatever_is_said_later(probers: int) -> None:
    """In all orders of all words: once decided it stays, both sides never win, and nobody decides alone."""
    duty = Duty(
        node="n", account=bytes(20), api="", workload="w", index=0, attempt=1, revision=1, spec=bytes(32), since_ms=0
    )  # fmt: skip
    names = tuple(f"p{at}" for at in range(probers))
    blank = Inspection(duty=duty, probers=names, until_ms=1, verdicts=())
    for words in product(SIGHTS, repeat=probers):
        decided = ""
        for heard in range(probers + 1):
            found = verdict(replace(blank, verdicts=said(*words[:heard])))
            assert not (decided and found not in (decided, "nothing")), words
            decided = decided or found
            if found == "unseen":
                assert words[:heard].count("unseen") >= threshold(probers) >= 2
        assert decided


def test_sightings_are_within_bounds_and_each_attempt_once() -> None:
    duty = Duty(
        node="n", account=bytes(20), api="", workload="w", index=0, attempt=1, revision=1, spec=bytes(32), since_ms=0
    )
    for wrong, code in (
        (tuple(sighting(replace(duty, index=at)) for at in range(SIGHTINGS_MAX + 1)), DemandRefusal.TOO_MANY),
        ((sighting(duty), sighting(duty, "seen")), ClusterValueRefusal.BAD_COUNT),
        ((sighting(duty, "guessed"),), DemandRefusal.UNKNOWN_WORD),
        ((replace(sighting(duty), statement=b"short"),), DemandRefusal.BAD_DIGEST),
    ):
        with pytest.raises(Rejected) as rejected:
            check_sightings(wrong)
        assert rejected.value.reason == code


def test_a_removed_node_and_one_that_is_lost_leave_no_duties_behind() -> None:
    town = running(nodes=5, replicas=5)
    town.lives(6)
    town.does("bob", ClusterMark(cluster="shop", node=LIAR, mark="removed"))
    town.names.remove(LIAR)
    town.silent.add("node-2")
    town.lives(12)
    assert town.share(LIAR).duties == ()
    assert [key for key, _ in town.ledger.scan(b"kn") if key.endswith(b"node-1")] == []
    for name in town.names:
        known = {one.duty for one in open_in(town) if name in one.probers}
        assert set(town.share(name).duties) <= known


def test_settings_of_an_hour_make_rounds_of_an_hour() -> None:
    town = Town(nodes=4, settings=replace(SETTINGS, heartbeat_timeout_ms=3_600_000))
    town.does("bob", apply(terms(), 4))
    town.lives(20)
    assert open_in(town) == ()
    town.lives(80, later_ms=50_000)
    assert open_in(town)
