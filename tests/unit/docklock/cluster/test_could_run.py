"""SECRET-7. Who could run what a secret is for: nobody else is sealed to."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.docklock.scheduler.samples import demand
from tests.unit.host.agent.vault import SEED, member

from metanode.docklock.cluster import could_run
from metanode.records.cluster import Label
from metanode.records.demand import Constraint, Taint

NODES = {f"node-{number}": member(bytes([number]) * 32) for number in range(1, 5)}


def nodes(**changes: Any) -> dict[str, Any]:
    """Four nodes, of which the second is otherwise."""
    return {**NODES, "node-2": replace(NODES["node-2"], **changes)}


def test_every_node_that_takes_replicas_could() -> None:
    assert could_run(NODES, "web", demand(architecture="")) == ("node-1", "node-2", "node-3", "node-4")
    assert could_run({}, "web", demand()) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"mark": "cordoned"},
        {"mark": "draining"},
        {"standing": "lost"},
        {"standing": "joining"},
        {"inventory": ()},
        {"taints": (Taint(key="own", value="", effect="no-schedule"),)},
        {"labels": (Label(key="data-class", value="public"),)},
        {"inventory": (replace(NODES["node-2"].inventory[0], engines=("docker",)),)},
    ],
)
def test_a_node_that_could_not_is_not_among_them(changes: dict[str, Any]) -> None:
    asked = demand(architecture="", engines=("sandbox",), data_class="internal")
    assert could_run(nodes(**changes), "web", asked) == ("node-1", "node-3", "node-4")


def test_constraints_and_regions_and_volumes_decide_too() -> None:
    zoned = nodes(labels=(Label(key="region", value="eu"), Label(key="zone", value="a")))
    assert could_run(zoned, "web", demand(architecture="", regions=("eu",))) == ("node-2",)
    only = Constraint(label="zone", operator="==", values=("a",))
    assert could_run(zoned, "web", demand(architecture="", constraints=(only,))) == ("node-2",)
    holding = nodes(inventory=(replace(NODES["node-2"].inventory[0], volumes=("data",)),))
    assert could_run(holding, "web", demand(architecture="", volumes=("data",))) == ("node-2",)
    assert member(SEED).account == SEED[:20]
