"""Planted faults that one unit test notices: the tests are collected once, each fault lives in a forked child.

python -m tests.mutation.planted [FILE]

FILE: other entries than those of tests/simulation/planted.toml. First every named test is run without a fault. Prints
each fault that its test does not notice; exit status 1 if any.
"""

import ast
import os
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter

import pytest
from tests.mutation.mutants import ROOT, SOURCE
from tests.mutation.warm import Edit, Warm, children, collect

PLANTED = ROOT / "tests" / "simulation" / "planted.toml"
SECONDS = 60.0
"""Of processor time, for one test."""


def entries(path: Path) -> list[Mapping[str, str]]:
    """Faults whose test is one by name."""
    return [entry for entry in tomllib.loads(path.read_text())["fault"] if "::" in entry.get("test", "")]


def planted(entry: Mapping[str, str]) -> Edit:
    """The source with its one line replaced. Raises `AssertionError` where that is not there once, in a function."""
    source = (SOURCE / entry["file"]).read_text()
    lines = source.splitlines(keepends=True)
    places = [number for number, line in enumerate(lines) if line.strip() == entry["line"]]
    assert len(places) == 1, f"{entry['file']} has {len(places)} lines: {entry['line']}"
    function = _around(ast.parse(source).body, places[0] + 1, ())
    assert function, f"{entry['file']}, not in a function: {entry['line']}"
    old = lines[places[0]]
    lines[places[0]] = old[: len(old) - len(old.lstrip())] + entry["planted"] + "\n"
    return Edit(entry["file"], function, "".join(lines).encode())


def _around(body: Sequence[ast.stmt], line: int, scope: tuple[str, ...]) -> str:
    """The outermost function in which this line stands; empty where there is none."""
    for node in body:
        if node.lineno <= line <= (node.end_lineno or 0):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                return ".".join((*scope, node.name))
            if isinstance(node, ast.ClassDef):
                return _around(node.body, line, (*scope, node.name))
    return ""


def unnoticed(found: Sequence[Mapping[str, str]], jobs: int) -> list[str]:
    """What is wrong: tests that fail without a fault, and faults that no test notices."""
    wrong: list[str] = []
    edits = [planted(entry) for entry in found]

    def job(warm: Warm) -> None:
        chosen = {entry["test"]: _named(warm.items, entry["test"]) for entry in found}
        wrong.extend(f"no such test: {test}" for test, items in chosen.items() if not items)
        works = _works(warm, found, edits, chosen)
        for what, by, late in children(works, jobs):
            if isinstance(what, str):
                wrong.extend([f"fails as it is: {by or what}"] if by or late else [])
            elif not by and not late:
                wrong.append(f"{what['rule']}: {what['says']}; {what['test']} did not notice")

    collect(sorted({entry["test"].split("::")[0] for entry in found}), job, set())
    return wrong


def _named(items: Sequence[pytest.Item], test: str) -> list[pytest.Item]:
    return [item for item in items if item.nodeid == test or item.nodeid.startswith(f"{test}[")]


def _works(
    warm: Warm,
    found: Sequence[Mapping[str, str]],
    edits: Sequence[Edit],
    chosen: Mapping[str, list[pytest.Item]],
) -> Iterator[tuple[Mapping[str, str] | str, Callable[[], str], float]]:
    for test, items in chosen.items():
        yield test, partial(warm.run, items), SECONDS
    for entry, edit in zip(found, edits, strict=True):

        def work(edit: Edit = edit, items: Sequence[pytest.Item] = chosen[entry["test"]]) -> str:
            warm.bodies.change(edit)
            return warm.run(items)

        yield entry, work, SECONDS


def main() -> int:
    """The command."""
    os.environ["HYPOTHESIS_PROFILE"] = "ci"
    began = perf_counter()
    found = entries(Path(sys.argv[1]) if len(sys.argv) > 1 else PLANTED)
    wrong = unnoticed(found, 1)
    for line in wrong:
        print(line)
    print(f"{len(found)} faults, {len(wrong)} wrong, {perf_counter() - began:.1f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
