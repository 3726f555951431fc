"""The pretend world runs the node that real machines run, and the real guard."""

import ast
import inspect
from typing import get_args

import pytest

from metanode.host import loop, run
from metanode.node.effects import Effect
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


EFFECTS = {effect.__name__ for effect in get_args(Effect)}


@pytest.mark.parametrize(("floor", "idle"), [(loop, set()), (machine_room, {"SetFault"})], ids=["host", "sim"])
def test_every_effect_of_the_node_is_carried_out_by_both(floor: object, idle: set[str]) -> None:
    """By name: a case of a `match`, or an `isinstance`. An effect that one floor forgot, or carries out with `pass`
    alone, would be a promise that only the other keeps. A storm pretends its faults itself (`SetFault`)."""
    carried_out = matched(ast.parse(inspect.getsource(floor)))  # type: ignore[arg-type]
    assert len(EFFECTS) > 15
    assert EFFECTS - carried_out == idle


def test_an_effect_that_is_forgotten_would_be_noticed() -> None:
    source = inspect.getsource(loop)
    for effect, line in (("WriteStore", "case WriteStore(height, rows):"), ("Journal", "isinstance(effect, Journal)")):
        assert line in source
        forgotten = source.replace(line, "case never():" if line.endswith(":") else "bool(effect)")
        assert EFFECTS - matched(ast.parse(forgotten)) == {effect}
    idle = source.replace("devices.disk.write_store(height, rows)", "pass")
    assert EFFECTS - matched(ast.parse(idle)) == {"WriteStore"}


def matched(tree: ast.Module) -> set[str]:
    """The classes that some case with a body, or some `isinstance`, is about."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.match_case(pattern=pattern, guard=guard, body=body) if guard or not idles(body):
                found |= {last_word(part.cls) for part in ast.walk(pattern) if isinstance(part, ast.MatchClass)}
            case ast.Call(func=ast.Name(id="isinstance"), args=[_, kinds]):
                found |= {last_word(part) for part in ast.walk(kinds)}
            case _:
                pass
    return found


def idles(body: list[ast.stmt]) -> bool:
    """Whether nothing is done."""
    return all(isinstance(statement, ast.Pass) for statement in body)


def last_word(node: ast.AST) -> str:
    """`Journal` of `Journal` and of `out.Journal`."""
    match node:
        case ast.Name(id=word) | ast.Attribute(attr=word):
            return word
        case _:
            return ""


def _calls(module: object) -> set[str]:
    tree = ast.parse(inspect.getsource(module))  # type: ignore[arg-type]
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {called.id for called in calls if isinstance(called, ast.Name)}
