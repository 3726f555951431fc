"""Every leaf command is run in some journey against a live network, and does what it was asked there."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.architecture.source import TESTS, tree

from metanode.cli.bpi.table import COMMANDS

JOURNEYS = sorted((TESTS / "journeys").rglob("*.py"))
DOES = frozenset({"says", "data", "run", "begins"})
"""Methods of a `Shell` that run a command; `refuses` does not count: what is turned away was not used."""
FOUNDS = frozenset({"network", "town"})
"""Calls that start one."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def line_of(call: ast.Call) -> str:
    """The beginning of the line a shell is given, up to what is not written there; empty where it is a variable."""
    match call.args:
        case [ast.Constant(value=str() as text), *_]:
            return text
        case [ast.JoinedStr(values=[ast.Constant(value=str() as text), *_]), *_]:
            return text
        case _:
            return ""


def shell_lines(node: ast.AST) -> Iterator[tuple[str, str]]:
    """(name of the shell, beginning of the line) of every command that a piece of a journey runs."""
    for call in ast.walk(node):
        match call:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=shell), attr=method)) if method in DOES:
                yield shell, line_of(call)
            case _:
                pass


def has_network(function: ast.AST) -> bool:
    """Whether this function starts a network: by a helper, or by the command itself."""
    calls = (node for node in ast.walk(function) if isinstance(node, ast.Call))
    helped = any(isinstance(call.func, ast.Name) and call.func.id in FOUNDS for call in calls)
    return helped or any(command_of(line) in ("up", "node run") for _, line in shell_lines(function))


def parameters(function: Function) -> set[str]:
    """The fixtures a function asks for."""
    return {argument.arg for argument in function.args.args}


def run_live(module: ast.Module) -> Iterator[str]:
    """The beginnings of the lines that a journey runs while a network is up.

    In a test that starts one itself, every shell counts that is no fixture; else those fixtures that stand on one.
    """
    functions = {node.name: node for node in ast.walk(module) if isinstance(node, Function)}
    live: set[str] = set()
    while found := {
        name for name, f in functions.items() if name not in live and (has_network(f) or parameters(f) & live)
    }:
        live |= found
    for function in functions.values():
        fixtures = parameters(function) & set(functions)
        own = has_network(function)
        for shell, line in shell_lines(function):
            if shell in live or (own and shell not in fixtures):
                yield line


def command_of(line: str) -> str:
    """The leaf command at the beginning of a line, empty where there is none."""
    words = line.split()
    return next((name for n in (3, 2, 1) if (name := " ".join(words[:n])) in COMMANDS), "")


def used(modules: list[ast.Module]) -> set[str]:
    """The leaf commands these journeys run."""
    return {command_of(line) for module in modules for line in run_live(module)}


def test_every_command_is_used_against_a_live_network() -> None:
    unused = sorted(set(COMMANDS) - used([tree(journey) for journey in JOURNEYS]))
    assert not unused, "commands that no journey runs against a live network: " + ", ".join(unused)


@pytest.mark.parametrize(
    "journey",
    [
        'def test_it(tmp_path):\n    with network(tmp_path) as bpi:\n        assert "version: bpi status"\n',
        'def test_it(tmp_path):\n    with network(tmp_path) as bpi:\n        bpi.refuses("status", 3, "x")\n',
        'def test_it(tmp_path):\n    bpi = Shell(tmp_path)\n    bpi.says("status")\n',
        'def test_it(tmp_path):\n    """bpi status"""\n    with town(tmp_path):\n        bpi.says("statuses")\n',
        '@pytest.fixture\ndef bpi():\n    yield Shell()\ndef test_it(bpi):\n    bpi.says("status")\n',
        (
            "def test_it(tmp_path, stranger):\n    with network(tmp_path):\n        stranger.says('status')\n"
            "def stranger():\n    return Shell()\n"
        ),
    ],
)
def test_a_mention_is_no_use(journey: str) -> None:
    assert "status" not in used([ast.parse(journey)])


@pytest.mark.parametrize(
    "journey",
    [
        'def test_it(tmp_path):\n    with network(tmp_path) as bpi:\n        bpi.says(f"status --node {url}")\n',
        'def bpi():\n    with network() as shell:\n        yield shell\ndef test_it(bpi):\n    bpi.data("status")\n',
        'def test_it():\n    home = Shell()\n    home.says("up")\n    home.run("status")\n',
        (
            "def built():\n    with town() as t:\n        yield t\n"
            'def home(built):\n    return Shell()\ndef test_it(home):\n    home.says("status")\n'
        ),
    ],
)
def test_a_command_that_was_run_is_used(journey: str) -> None:
    assert "status" in used([ast.parse(journey)])


def test_there_are_journeys() -> None:
    assert all(isinstance(path, Path) for path in JOURNEYS)
    assert len(JOURNEYS) > 10
