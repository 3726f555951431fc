"""What people read: asked, has, and the smallest change, word by word."""

import pytest
from tests.unit.docklock.scheduler.samples import BANNED, IMAGES, SEED, fleet, newcomer, node, replica

from metanode.docklock.scheduler import STANDING_MAX, Fleet, Newcomer, why
from metanode.docklock.scheduler.preemption import EXACT_MAX, VICTIMS_MAX
from metanode.docklock.scheduler.telling import TEXT_MAX, cut
from metanode.docklock.scheduler.waiting import POINT_MS, VAIN_MS
from metanode.records.demand import Constraint, Spread, Taint, Toleration
from metanode.records.placement import EXPLAINED_MAX

GPU = Taint(key="gpu", value="x", effect="no-schedule")
FIRE = Taint(key="fire", value="", effect="no-execute")
TOLERANT = (Toleration(key="", value="", effect="avoid"), Toleration(key="fire", value="", effect=""))
BOTH = (
    Constraint(label="disk", operator="exists", values=()),
    Constraint(label="zone", operator="in", values=("a", "b")),
)
EVEN = (Spread(label="host", skew_max=0), Spread(label="rack", skew_max=2), Spread(label="zone", skew_max=1))
ZONES = [node(name, labels={"zone": name, "rack": "r"}) for name in ("a", "b")]

CASES: list[tuple[int, Fleet, Newcomer, str, str, str]] = [
    (10, fleet(node("a")), newcomer(), "a node that takes replicas", "it does", ""),
    (
        10, fleet(node("a", barred="lost")), newcomer(), "a node that takes replicas", "lost",
        "a must take replicas again: it is lost",
    ),
    (
        11, fleet(node("a", taints=(FIRE, GPU))),
        newcomer(tolerations=TOLERANT),
        "tolerates *:avoid, fire:*", "fire:no-execute, gpu=x:no-schedule", "tolerate gpu=x:no-schedule",
    ),
    (11, fleet(node("a")), newcomer(), "tolerates nothing", "no taints", ""),
    (
        12, fleet(node("a", architecture="aarch64")), newcomer(architecture="x86_64"), "x86_64", "aarch64",
        "ask for aarch64, or for any architecture",
    ),
    (12, fleet(node("a")), newcomer(), "any", "x86_64", ""),
    (
        13, fleet(node("a", engines=("docker", "oci"))), newcomer(engines=("kubernetes", "sandbox")),
        "kubernetes, sandbox", "docker, oci", "allow the engine docker",
    ),
    (13, fleet(node("a", engines=())), newcomer(), "any", "none", "the node needs an engine"),
    (
        14, fleet(node("a", labels={"disk": "ssd"})), newcomer(constraints=BOTH), "disk exists, zone in a,b",
        "disk=ssd", "label a zone=a",
    ),
    (14, fleet(node("a")), newcomer(constraints=BOTH[:1]), "disk exists", "no such labels", "label a with disk"),
    (
        14, fleet(node("a")), newcomer(constraints=BOTH), "disk exists, zone in a,b", "no such labels",
        "label a with disk; label a zone=a",
    ),
    (14, fleet(node("a")), newcomer(), "nothing", "no such labels", ""),
    (
        15, fleet(node("a", labels={"region": "us"})), newcomer(regions=("eu", "eu-west")), "eu, eu-west", "us",
        "allow the region us",
    ),
    (15, fleet(node("a")), newcomer(regions=("eu",)), "eu", "no region", "label a region=…"),
    (15, fleet(node("a")), newcomer(), "any", "no region", ""),
    (
        16, fleet(node("a")), newcomer(data_class="restricted"), "restricted", "up to internal",
        "label a data-class=restricted, or lower the class to internal",
    ),
    (17, fleet(node("a")), newcomer(), "no image", "allowed", ""),
    (17, fleet(node("a")), newcomer(image=IMAGES[0]), f"image {IMAGES[0].hex()[:16]}", "allowed", ""),
    (
        17, fleet(node("a")), newcomer(image=BANNED), f"image {BANNED.hex()[:16]}", "not admitted", "not admitted",
    ),
    (18, fleet(node("a")), newcomer(volumes=("data",)), "data", "none; new: data", ""),
    (
        18, fleet(node("a"), node("b", volumes=("v1", "v2", "v3", "v4"))), newcomer(volumes=("v1", "v2", "v3", "v4")),
        "v1, v2, v3, v4", "none; new: none", "v1 is on b; v2 is on b; v3 is on b: use it there, or remove it",
    ),
    (
        19, fleet(node("a", cpu_millicores=500)), newcomer(memory_kib=9 << 20), "1000 millicores, 9437184 KiB",
        "free: 500 millicores, 8388608 KiB", "ask for 500 millicores and 1048576 KiB less, or free as much",
    ),
    (
        19, fleet(node("a", cpu_millicores=1_000)), newcomer(memory_kib=9 << 20), "1000 millicores, 9437184 KiB",
        "free: 1000 millicores, 8388608 KiB", "ask for 1048576 KiB less, or free as much",
    ),
    (
        19, fleet(node("a", cpu_millicores=999)), newcomer(memory_kib=8 << 20), "1000 millicores, 8388608 KiB",
        "free: 999 millicores, 8388608 KiB", "ask for 1 millicores less, or free as much",
    ),
    (
        19, fleet(node("a", standing_max=1), standing=[("a", replica("db"))]), newcomer(),
        "1000 millicores, 1048576 KiB", "free: 3000 millicores, 7340032 KiB; 1 replicas",
        "free a place: it has as many replicas as it may",
    ),
    (
        20, fleet(node("a"), standing=[("a", replica("db", 2, ports=(80, 443))), ("a", replica("api"))]),
        newcomer(ports=(80, 8_080)), "80, 8080", "taken: 80 by db.2.1", "ask for other ports",
    ),
    (20, fleet(node("a")), newcomer(), "none", "taken: none", ""),
    (
        21, fleet(node("a"), standing=[("a", replica("db", 2, 7)), ("a", replica("api"))]),
        newcomer(anti_affinity=("db",)), "not beside db", "db.2.7", "move db.2.7, or let them stand together",
    ),
    (21, fleet(node("a")), newcomer(), "not beside whoever refuses it", "nobody of these", ""),
    (
        22, fleet(node("a"), standing=[("a", replica(index=1))]), newcomer(node_max=1), "at most 1", "1 stand there",
        "raise node_max to 2",
    ),
    (22, fleet(node("a"), standing=[("a", replica(index=1))]), newcomer(), "any number", "1 stand there", ""),
    (
        23, fleet(*ZONES, standing=[("a", replica(index=1)), ("a", replica(index=2)), ("b", replica(index=3))]),
        newcomer(spread=EVEN), "rack: at most 2 apart, zone: at most 1 apart",
        "rack=r: 3, fewest 3, zone=a: 2, fewest 1", "raise skew_max of zone to 2",
    ),
    (
        23, fleet(node("a", labels={"zone": "a"})), newcomer(spread=EVEN),
        "rack: at most 2 apart, zone: at most 1 apart", "no label rack, zone=a: 0, fewest 0", "label a with rack",
    ),
    (23, fleet(node("a")), newcomer(spread=EVEN[:1]), "nothing", "–", ""),
    (24, fleet(node("a")), newcomer(refused=("a",)), "a node that did not refuse it", "refused it", "let a run it"),
    (24, fleet(node("a")), newcomer(refused=("b",)), "a node that did not refuse it", "did not", ""),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "found", "who", "asked", "has", "change"), CASES)
def test_what_is_told(rule: int, found: Fleet, who: Newcomer, asked: str, has: str, change: str) -> None:
    (told,) = [one.verdicts[rule - 10] for one in why(found, who, SEED).nodes if one.node == "a"]
    assert (told.rule, told.asked, told.has, told.change) == (rule, asked, has, change)
    assert told.passes == (not change)


def test_a_long_text_is_cut() -> None:
    assert cut("x" * TEXT_MAX) == "x" * TEXT_MAX
    assert cut("x" * (TEXT_MAX + 1)) == "x" * (TEXT_MAX - 1) + "…"


def test_the_numbers_are_those_of_the_page() -> None:
    assert (STANDING_MAX, EXACT_MAX, VICTIMS_MAX, POINT_MS, VAIN_MS) == (256, 12, 32, 1_000, 1_000)
    assert (EXPLAINED_MAX, TEXT_MAX) == (1_024, 200)
