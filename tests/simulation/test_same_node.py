"""The pretend world runs the node that real machines run, and the real guard."""

import ast
import inspect

from metanode.host import loop, run
from metanode.node.machine import Node
from metanode.sim import machine_room
from metanode.sim.founding import world
from metanode.sim.storm import Storm


def test_sim_and_host_run_the_same_node_class() -> None:
    made, _ = world(1, 4, Storm("calm"))
    made.start()
    made.run(100)
    assert {type(room.node) for room in made.rooms} == {Node}
    assert machine_room.MachineRoom.node_class is Node
    assert run.Node is Node  # type: ignore[attr-defined]
    assert "Node" in _calls(run)


def test_every_effect_of_the_node_is_carried_out_by_both() -> None:
    """`assert_never` proves it to mypy; this proves that both match over the same union."""
    assert "assert_never" in inspect.getsource(loop)
    assert "assert_never" in inspect.getsource(machine_room)


def _calls(module: object) -> set[str]:
    tree = ast.parse(inspect.getsource(module))  # type: ignore[arg-type]
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {called.id for called in calls if isinstance(called, ast.Name)}
