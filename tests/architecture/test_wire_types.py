"""Every wire type is fuzzed: it is, or is part of, something that a test in tests/fuzz feeds with arbitrary bytes."""

import ast
from pathlib import Path

from tests.architecture.source import MODULES, TESTS, descends, tree, words

READERS = ("decode", "read", "load", "open", "parse")
"""How the functions begin that turn bytes into wire types: a fuzz test that calls one covers what it names."""


def targets(statement: ast.stmt) -> list[str]:
    """The names that a module-level statement defines."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=target)]) | ast.AnnAssign(target=ast.Name(id=target)):
            return [target]
        case ast.FunctionDef(name=called) if called.lstrip("_").startswith(READERS):
            return [called]
        case _:
            return []


def part_of() -> dict[str, set[str]]:
    """From each name to the names it is made of: a struct's fields, an alias's members, a decoder's type."""
    wire = {c.name for _, c in descends("Wire")}
    graph: dict[str, set[str]] = {}
    for module in MODULES:
        for statement in tree(module).body:
            if isinstance(statement, ast.ClassDef) and statement.name in wire:
                fields = [n for n in statement.body if isinstance(n, ast.AnnAssign)]
                graph.setdefault(statement.name, set()).update(*(words(f.annotation) for f in fields))
            for target in targets(statement):
                graph.setdefault(target, set()).update(words(statement) - {target})
    return graph


def covered(seeds: set[str]) -> set[str]:
    """Everything that is part of what the seeds name."""
    graph, found, waiting = part_of(), set[str](), set(seeds)
    while waiting:
        word = waiting.pop()
        found.add(word)
        waiting |= graph.get(word, set()) - found
    return found


def fuzz_modules() -> list[Path]:
    return sorted((TESTS / "fuzz").rglob("*.py"))


def test_every_wire_type_is_fuzzed() -> None:
    seeds = set[str]().union(*(words(tree(m)) for m in fuzz_modules()))
    wire = {c.name: m.name for m, c in descends("Wire")}
    bare = [f"{where}: {kind}" for kind, where in wire.items() if kind not in covered(seeds)]
    assert not bare, "wire types that no fuzz test reaches:\n" + "\n".join(bare)


def test_the_walk_is_not_blind() -> None:
    assert "Genesis" not in covered({"Transaction"})
    assert {"Genesis", "GenesisAccount", "GenesisBalance", "Validator"} <= covered({"GENESES"})
