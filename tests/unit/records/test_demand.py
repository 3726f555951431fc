"""What one replica asks of a node: everything in its one form and within its bounds, or refused by name."""

from typing import Any

import pytest
from tests.unit.docklock.scheduler.samples import demand

from metanode.primitives.refusal import Rejected
from metanode.records.demand import (
    CPU_MILLICORES_MAX,
    LISTED_MAX,
    MEMORY_KIB_MAX,
    MEMORY_KIB_MIN,
    PORT_MAX,
    PRIORITY_MAX,
    Constraint,
    DemandRefusal,
    Spread,
    Taint,
    Toleration,
    check_demand,
    check_label,
    check_name,
    check_taint,
)

HIGHEST: dict[str, Any] = {
    "image": bytes(32),
    "cpu_millicores": CPU_MILLICORES_MAX,
    "memory_kib": MEMORY_KIB_MAX,
    "architecture": "aarch64",
    "engines": ("docker", "kubernetes", "oci", "sandbox"),
    "ports": (1, PORT_MAX),
    "volumes": ("a", "b" * 32),
    "constraints": (
        Constraint(label="a", operator="in", values=("x", "y")),
        Constraint(label="a", operator="not-in", values=("z",)),
        Constraint(label="b", operator="absent", values=()),
    ),
    "tolerations": (Toleration(key="", value="", effect=""), Toleration(key="gpu", value="x", effect="avoid")),
    "spread": (Spread(label="rack", skew_max=0), Spread(label="zone", skew_max=1_000)),
    "affinity": ("db",),
    "anti_affinity": ("db", "web"),
    "node_max": 1_000,
    "regions": ("eu-west", "us"),
    "data_class": "restricted",
    "strategy": "binpack",
    "priority": PRIORITY_MAX,
    "preempts": True,
}


def test_the_least_and_the_most_pass() -> None:
    check_demand(demand(cpu_millicores=1, memory_kib=MEMORY_KIB_MIN))
    check_demand(demand(**HIGHEST))


NAMES = tuple(f"w{number:02}" for number in range(LISTED_MAX + 1))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"image": bytes(31)}, DemandRefusal.BAD_DIGEST),
        ({"cpu_millicores": 0}, DemandRefusal.OUT_OF_RANGE),
        ({"cpu_millicores": CPU_MILLICORES_MAX + 1}, DemandRefusal.OUT_OF_RANGE),
        ({"memory_kib": MEMORY_KIB_MIN - 1}, DemandRefusal.OUT_OF_RANGE),
        ({"memory_kib": MEMORY_KIB_MAX + 1}, DemandRefusal.OUT_OF_RANGE),
        ({"architecture": "arm"}, DemandRefusal.UNKNOWN_WORD),
        ({"engines": ("podman",)}, DemandRefusal.UNKNOWN_WORD),
        ({"engines": ("sandbox", "docker")}, DemandRefusal.NOT_ASCENDING),
        ({"ports": (0,)}, DemandRefusal.OUT_OF_RANGE),
        ({"ports": (PORT_MAX + 1,)}, DemandRefusal.OUT_OF_RANGE),
        ({"ports": (80, 80)}, DemandRefusal.NOT_ASCENDING),
        ({"ports": tuple(range(1, LISTED_MAX + 2))}, DemandRefusal.TOO_MANY),
        ({"volumes": ("Data",)}, DemandRefusal.BAD_NAME),
        ({"volumes": ("b", "a")}, DemandRefusal.NOT_ASCENDING),
        ({"volumes": NAMES}, DemandRefusal.TOO_MANY),
        ({"affinity": ("a-",)}, DemandRefusal.BAD_NAME),
        ({"affinity": NAMES}, DemandRefusal.TOO_MANY),
        ({"anti_affinity": ("a", "a")}, DemandRefusal.NOT_ASCENDING),
        ({"anti_affinity": NAMES}, DemandRefusal.TOO_MANY),
        ({"regions": ("eu west",)}, DemandRefusal.BAD_LABEL),
        ({"regions": ("us", "eu")}, DemandRefusal.NOT_ASCENDING),
        ({"regions": NAMES}, DemandRefusal.TOO_MANY),
        ({"data_class": "secret"}, DemandRefusal.UNKNOWN_WORD),
        ({"strategy": "random"}, DemandRefusal.UNKNOWN_WORD),
        ({"priority": -1}, DemandRefusal.OUT_OF_RANGE),
        ({"priority": PRIORITY_MAX + 1}, DemandRefusal.OUT_OF_RANGE),
        ({"node_max": -1}, DemandRefusal.OUT_OF_RANGE),
        ({"node_max": 1_001}, DemandRefusal.OUT_OF_RANGE),
        ({"spread": (Spread(label="zone", skew_max=-1),)}, DemandRefusal.OUT_OF_RANGE),
        ({"spread": (Spread(label="zone", skew_max=1_001),)}, DemandRefusal.OUT_OF_RANGE),
        ({"spread": (Spread(label="-", skew_max=1),)}, DemandRefusal.BAD_LABEL),
        ({"spread": (Spread(label="a", skew_max=1), Spread(label="a", skew_max=2))}, DemandRefusal.NOT_ASCENDING),
        ({"spread": tuple(Spread(label=name, skew_max=0) for name in NAMES)}, DemandRefusal.TOO_MANY),
        ({"tolerations": (Toleration(key="*", value="", effect=""),)}, DemandRefusal.BAD_LABEL),
        ({"tolerations": (Toleration(key="", value="*", effect=""),)}, DemandRefusal.BAD_LABEL),
        ({"tolerations": (Toleration(key="", value="", effect="never"),)}, DemandRefusal.UNKNOWN_WORD),
        ({"tolerations": (Toleration(key="a", value="", effect=""),) * 2}, DemandRefusal.NOT_ASCENDING),
        ({"tolerations": tuple(Toleration(key=n, value="", effect="") for n in NAMES)}, DemandRefusal.TOO_MANY),
        ({"constraints": (Constraint(label="", operator="exists", values=()),)}, DemandRefusal.BAD_LABEL),
        ({"constraints": (Constraint(label="a", operator="~", values=()),)}, DemandRefusal.UNKNOWN_WORD),
        ({"constraints": (Constraint(label="a", operator="==", values=("x", "y")),)}, DemandRefusal.OUT_OF_RANGE),
        ({"constraints": (Constraint(label="a", operator="!=", values=()),)}, DemandRefusal.OUT_OF_RANGE),
        ({"constraints": (Constraint(label="a", operator="in", values=()),)}, DemandRefusal.OUT_OF_RANGE),
        ({"constraints": (Constraint(label="a", operator="in", values=NAMES),)}, DemandRefusal.OUT_OF_RANGE),
        ({"constraints": (Constraint(label="a", operator="exists", values=("x",)),)}, DemandRefusal.OUT_OF_RANGE),
        ({"constraints": (Constraint(label="a", operator="in", values=("y", "x")),)}, DemandRefusal.NOT_ASCENDING),
        ({"constraints": (Constraint(label="a", operator="in", values=("?",)),)}, DemandRefusal.BAD_LABEL),
        (
            {"constraints": tuple(Constraint(label=n, operator="exists", values=()) for n in NAMES)},
            DemandRefusal.TOO_MANY,
        ),
        ({"constraints": (Constraint(label="a", operator="exists", values=()),) * 2}, DemandRefusal.NOT_ASCENDING),
    ],
)
def test_anything_else_is_refused(changes: dict[str, Any], code: DemandRefusal) -> None:
    with pytest.raises(Rejected) as refused:
        check_demand(demand(**changes))
    assert refused.value.reason is code
    assert refused.value.detail


def test_names_and_labels() -> None:
    for name in ("a", "web", "db-2", "a" * 32):
        check_name("workload", name)
    for name in ("", "-a", "a-", "2a", "Web", "a.b", "a" * 33, "é", "a\n"):
        with pytest.raises(Rejected) as refused:
            check_name("workload", name)
        assert refused.value.reason is DemandRefusal.BAD_NAME
    for word in ("a", "9", "eu-west", "disk.ssd", "a/b_c", "A" * 63):
        check_label("a label", word)
    for word in ("", "-a", "a-", "a b", "A" * 64, "ä", "a\n"):
        with pytest.raises(Rejected) as refused:
            check_label("a label", word)
        assert refused.value.reason is DemandRefusal.BAD_LABEL


def test_taints() -> None:
    check_taint(Taint(key="gpu", value="", effect="no-execute"))
    check_taint(Taint(key="gpu", value="x", effect="avoid"))
    for taint, code in (
        (Taint(key="", value="", effect="avoid"), DemandRefusal.BAD_LABEL),
        (Taint(key="gpu", value=" ", effect="avoid"), DemandRefusal.BAD_LABEL),
        (Taint(key="gpu", value="", effect=""), DemandRefusal.UNKNOWN_WORD),
    ):
        with pytest.raises(Rejected) as refused:
            check_taint(taint)
        assert refused.value.reason is code
