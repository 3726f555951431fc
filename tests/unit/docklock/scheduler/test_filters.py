"""Each filter by itself: one node that passes, one that does not, and what would change it."""

from typing import Any

import pytest
from tests.unit.docklock.scheduler.samples import BANNED, IMAGES, SEED, fleet, newcomer, node, replica

from metanode.docklock.scheduler import Fleet, Newcomer, Placed, Scheduler, Unplaced, place_plainly, why
from metanode.records.demand import Constraint, Spread, Taint, Toleration
from metanode.records.placement import Reason, Weights


def verdict(found: Fleet, who: Newcomer, rule: int, name: str):
    """What the explanation says of one filter and one node."""
    (shown,) = [one for one in why(found, who, SEED).nodes if one.node == name]
    return shown.verdicts[rule - 10]


def refuses(rule: int, found: Fleet, who: Newcomer, change: str) -> None:
    """Nobody passes, and this rule is the one that turns the first node away, by index and definition."""
    answer = Scheduler(found, SEED).place(who)
    assert answer == place_plainly(found, who, SEED)
    assert isinstance(answer, Unplaced)
    assert answer.reasons[0].rule == rule
    told = verdict(found, who, rule, found.places[0].view.name)
    assert not told.passes
    assert told.rule == rule
    assert change in told.change


def takes(found: Fleet, who: Newcomer, name: str = "a") -> None:
    answer = Scheduler(found, SEED).place(who)
    assert answer == place_plainly(found, who, SEED)
    assert isinstance(answer, Placed)
    assert answer.node == name
    assert all(one.passes and not one.change for one in why(found, who, SEED).nodes[0].verdicts)


@pytest.mark.parametrize("state", ["cordoned", "draining", "lost"])
def test_a_barred_node_takes_nothing(state: str) -> None:
    refuses(10, fleet(node("a", barred=state)), newcomer(), f"it is {state}")
    takes(fleet(node("a"), node("b", barred=state)), newcomer())


HARD = [Taint(key="gpu", value="x", effect=effect) for effect in ("no-schedule", "no-execute")]


@pytest.mark.parametrize("taint", HARD)
def test_a_taint_keeps_away_who_does_not_tolerate_it(taint: Taint) -> None:
    tainted = fleet(node("a", taints=(taint,)))
    refuses(11, tainted, newcomer(), f"tolerate gpu=x:{taint.effect}")
    for key, value, effect in (("", "", ""), ("gpu", "", ""), ("", "x", ""), ("gpu", "x", taint.effect)):
        takes(tainted, newcomer(tolerations=(Toleration(key=key, value=value, effect=effect),)))
    for key, value, effect in (("cpu", "", ""), ("gpu", "y", ""), ("gpu", "x", "avoid")):
        refuses(11, tainted, newcomer(tolerations=(Toleration(key=key, value=value, effect=effect),)), "tolerate gpu=x")


def test_a_taint_to_avoid_keeps_nobody_away() -> None:
    takes(fleet(node("a", taints=(Taint(key="old", value="", effect="avoid"),))), newcomer())


def test_the_architecture() -> None:
    refuses(12, fleet(node("a", architecture="aarch64")), newcomer(architecture="x86_64"), "ask for aarch64")
    takes(fleet(node("a", architecture="aarch64")), newcomer())


def test_the_engine() -> None:
    refuses(13, fleet(node("a")), newcomer(engines=("docker", "oci")), "allow the engine sandbox")
    refuses(13, fleet(node("a", engines=())), newcomer(), "needs an engine")
    takes(fleet(node("a", engines=("docker", "sandbox"))), newcomer(engines=("docker", "oci")))


@pytest.mark.parametrize(
    ("operator", "values", "passing", "failing", "change"),
    [
        ("==", ("a",), {"zone": "a"}, {"zone": "b"}, "label a zone=a"),
        ("==", ("a",), {"zone": "a"}, {}, "label a zone=a"),
        ("!=", ("a",), {"zone": "b"}, {"zone": "a"}, "take zone off a"),
        ("!=", ("a",), {}, {"zone": "a"}, "take zone off a"),
        ("in", ("a", "b"), {"zone": "b"}, {"zone": "c"}, "label a zone=a"),
        ("not-in", ("a", "b"), {}, {"zone": "b"}, "take zone off a"),
        ("exists", (), {"zone": "c"}, {}, "label a with zone"),
        ("absent", (), {}, {"zone": "c"}, "take zone off a"),
    ],
)
def test_constraints(operator, values, passing, failing, change) -> None:
    asked = newcomer(constraints=(Constraint(label="zone", operator=operator, values=values),))
    takes(fleet(node("a", labels=passing)), asked)
    refuses(14, fleet(node("a", labels=failing)), asked, change)


def test_every_constraint_must_hold() -> None:
    both = (
        Constraint(label="disk", operator="==", values=("ssd",)),
        Constraint(label="zone", operator="==", values=("a",)),
    )
    refuses(14, fleet(node("a", labels={"zone": "a"})), newcomer(constraints=both), "label a disk=ssd")
    refuses(14, fleet(node("a", labels={"disk": "ssd"})), newcomer(constraints=both), "label a zone=a")


def test_the_region() -> None:
    refuses(15, fleet(node("a", labels={"region": "us"})), newcomer(regions=("eu",)), "allow the region us")
    refuses(15, fleet(node("a")), newcomer(regions=("eu",)), "label a region=")
    takes(fleet(node("a", labels={"region": "us"})), newcomer(regions=("eu", "us")))


@pytest.mark.parametrize(
    ("label", "most"), [(None, 1), ("public", 0), ("internal", 1), ("confidential", 2), ("restricted", 3), ("none", 0)]
)
def test_a_node_takes_data_up_to_its_class(label: str | None, most: int) -> None:
    found = fleet(node("a", labels={"data-class": label} if label else {}))
    for number, asked in enumerate(("public", "internal", "confidential", "restricted")):
        if number <= most:
            takes(found, newcomer(data_class=asked))
        else:
            refuses(16, found, newcomer(data_class=asked), f"label a data-class={asked}")


def test_an_image_that_the_cluster_does_not_let_run() -> None:
    refuses(17, fleet(node("a", images=(BANNED,))), newcomer(image=BANNED), "not admitted")
    takes(fleet(node("a")), newcomer(image=IMAGES[0]))
    assert verdict(fleet(node("a")), newcomer(image=IMAGES[0]), 17, "a").asked == f"image {IMAGES[0].hex()[:16]}"


def test_no_image_is_none_to_judge() -> None:
    takes(Fleet([node("a")], (), Weights(), lambda _image: "nothing may run"), newcomer())


def test_a_volume_is_where_its_data_is_whatever_that_node_does() -> None:
    data = newcomer(volumes=("data",))
    takes(fleet(node("a", volumes=("data",)), node("b")), data)
    lost = fleet(node("a"), node("b", volumes=("data",), barred="lost"))
    answer = Scheduler(lost, SEED).place(data)
    assert answer == place_plainly(lost, data, SEED)
    assert answer == Unplaced((Reason(rule=10, nodes=1), Reason(rule=18, nodes=1)))
    assert "data is on b" in verdict(lost, data, 18, "a").change
    assert verdict(lost, data, 18, "a").has == "none; new: none"


def test_a_volume_that_nobody_holds_is_created_once() -> None:
    found = fleet(*(node(name) for name in "abcdef"))
    scheduler = Scheduler(found, SEED)
    first = scheduler.place(newcomer(volumes=("data",)))
    assert isinstance(first, Placed)
    found.take(first.node, newcomer(volumes=("data",)).replica)
    for index in (1, 2, 3):
        again = scheduler.place(newcomer(index=index, volumes=("data",)))
        assert isinstance(again, Placed)
        assert again.node == first.node, "the next that names it follows the data"
        found.take(again.node, replica(index=index, volumes=("data",)))
    full = scheduler.place(newcomer(index=4, volumes=("data",)))
    assert full == Unplaced((Reason(rule=18, nodes=5), Reason(rule=19, nodes=1)))


def test_a_volume_of_who_stands_there_counts_before_its_node_tells_of_it() -> None:
    found = fleet(node("a"), node("b"), standing=[("b", replica("db", volumes=("data",)))])
    takes(found, newcomer(volumes=("data",)), "b")


def test_two_volumes_on_different_nodes_cannot_be_used_together() -> None:
    found = fleet(node("a", volumes=("data",)), node("b", volumes=("logs",)))
    refuses(18, found, newcomer(volumes=("data", "logs")), " is on ")
    told = verdict(found, newcomer(volumes=("data", "logs", "new")), 18, "a")
    assert (told.asked, told.has) == ("data, logs, new", "data; new: new")
    assert told.change == "logs is on b: use it there, or remove it"


@pytest.mark.parametrize("kind", ["cpu_millicores", "memory_kib"])
def test_a_node_is_filled_to_the_last_bit_and_no_further(kind: str) -> None:
    rest = {"cpu_millicores": 3_000, "memory_kib": 7 << 20}[kind]
    enough: dict[str, Any] = {kind: rest}
    more: dict[str, Any] = {kind: rest + 1}
    standing = [("a", replica("db"))]
    takes(fleet(node("a"), standing=standing), newcomer(**enough))
    unit = "1 millicores" if kind == "cpu_millicores" else "1 KiB"
    refuses(19, fleet(node("a"), standing=standing), newcomer(**more), f"ask for {unit} less")


def test_no_more_replicas_than_may_stand_on_a_node() -> None:
    refuses(19, fleet(node("a", standing_max=1), standing=[("a", replica("db"))]), newcomer(), "as many replicas")
    takes(fleet(node("a", standing_max=2), standing=[("a", replica("db"))]), newcomer())


def test_a_port_of_the_node_is_had_once() -> None:
    standing = [("a", replica("db", ports=(80, 443)))]
    refuses(20, fleet(node("a"), standing=standing), newcomer(ports=(443,)), "other ports")
    assert verdict(fleet(node("a"), standing=standing), newcomer(ports=(443,)), 20, "a").has == "taken: 443 by db.0.1"
    takes(fleet(node("a"), standing=standing), newcomer(ports=(8080,)))
    half = fleet(node("a"), standing=[("a", replica("db", ports=(80,)))])
    refuses(20, half, newcomer(ports=(80, 443)), "other ports")


def test_who_refuses_whom_does_not_matter() -> None:
    refuses(21, fleet(node("a"), standing=[("a", replica("db"))]), newcomer(anti_affinity=("db",)), "move db.0.1")
    standing = [("a", replica("db", anti_affinity=("web",)))]
    refuses(21, fleet(node("a"), standing=standing), newcomer(), "move db.0.1")
    takes(fleet(node("a"), standing=[("a", replica("db"))]), newcomer(anti_affinity=("work",)))


def test_who_refuses_itself_stands_alone() -> None:
    alone: dict[str, Any] = {"anti_affinity": ("web",)}
    found = fleet(node("a"), standing=[("a", replica(index=1, **alone))])
    refuses(21, found, newcomer(index=2, **alone), "move web.1.1")
    takes(found, newcomer(index=1, attempt=2, **alone))


def test_at_most_so_many_on_a_node() -> None:
    found = fleet(node("a"), standing=[("a", replica(index=1)), ("a", replica(index=2))])
    refuses(22, found, newcomer(index=3, node_max=2), "raise node_max to 3")
    takes(found, newcomer(index=3, node_max=3))
    takes(found, newcomer(index=2, attempt=2, node_max=2))


ZONES = [node(name, labels={"zone": zone}) for name, zone in (("a", "x"), ("b", "y"))]
EVEN: dict[str, Any] = {"spread": (Spread(label="zone", skew_max=1),)}


def test_no_value_has_more_than_its_skew_above_the_fewest() -> None:
    standing = [("a", replica(index=1))]
    takes(fleet(*ZONES, standing=standing), newcomer(index=2, **EVEN), "b")
    full = replica("db", cpu_millicores=4_000)
    refuses_in = fleet(*ZONES, standing=[*standing, ("b", full)])
    answer = Scheduler(refuses_in, SEED).place(newcomer(index=2, **EVEN))
    assert answer == place_plainly(refuses_in, newcomer(index=2, **EVEN), SEED)
    assert answer == Unplaced((Reason(rule=19, nodes=1), Reason(rule=23, nodes=1)))
    assert verdict(refuses_in, newcomer(index=2, **EVEN), 23, "a").change == "raise skew_max of zone to 2"


def test_a_zone_that_is_lost_holds_nobody_up() -> None:
    lost = node("b", labels={"zone": "y"}, barred="lost")
    takes(fleet(ZONES[0], lost, standing=[("a", replica(index=1))]), newcomer(index=2, **EVEN))


def test_a_node_without_the_label_is_in_no_zone() -> None:
    refuses(23, fleet(node("a")), newcomer(**EVEN), "label a with zone")
    assert verdict(fleet(node("a")), newcomer(**EVEN), 23, "a").has == "no label zone"
    takes(fleet(node("a")), newcomer(spread=(Spread(label="zone", skew_max=0),)))


def test_who_is_replaced_counts_no_more_for_the_skew() -> None:
    standing = [("a", replica(index=1)), ("b", replica("db", cpu_millicores=4_000))]
    takes(fleet(*ZONES, standing=standing), newcomer(index=1, attempt=2, **EVEN))


def test_who_is_replaced_still_has_its_cores_and_ports() -> None:
    full: dict[str, Any] = {"cpu_millicores": 4_000}
    refuses(
        19, fleet(node("a"), standing=[("a", replica(**full))]), newcomer(attempt=2, **full), "4000 millicores less"
    )
    ports: dict[str, Any] = {"ports": (80,)}
    refuses(20, fleet(node("a"), standing=[("a", replica(**ports))]), newcomer(attempt=2, **ports), "other ports")


def test_a_node_that_refused_a_replica_is_not_asked_again() -> None:
    refuses(24, fleet(node("a")), newcomer(refused=("a",)), "let a run it")
    takes(fleet(node("a"), node("b")), newcomer(refused=("b", "gone")))
