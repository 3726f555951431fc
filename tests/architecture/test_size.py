"""Page-sized: a smell detector. Docstrings, comments and blank lines are not counted."""

import ast
from pathlib import Path

import pytest
from tests.architecture.source import MODULES, ROOT, TEST_MODULES, code_lines, name, tree

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50
PUBLIC_METHODS_MAX = 12
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "base", "misc"}
FORBIDDEN_ENDINGS = ("Manager", "Service", "Mixin", "Helper", "Utils")


@pytest.mark.parametrize("module", [*MODULES, *TEST_MODULES], ids=name)
def test_no_file_outgrows_the_page(module: Path) -> None:
    assert len(code_lines(module)) <= FILE_LINES_MAX


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_no_function_or_class_does_too_much(module: Path) -> None:
    code = code_lines(module)
    too_long, too_broad = [], []
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = len(code & set(range(node.lineno, (node.end_lineno or node.lineno) + 1)))
            if lines > FUNCTION_LINES_MAX:
                too_long.append(f"{node.name}: {lines} lines")
        if isinstance(node, ast.ClassDef):
            public = [n.name for n in node.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")]
            if len(public) > PUBLIC_METHODS_MAX:
                too_broad.append(f"{node.name}: {len(public)} public methods")
    assert (too_long, too_broad) == ([], [])


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_names_say_something(module: Path) -> None:
    assert not FORBIDDEN_NAMES & {module.stem, module.parent.name}
    vague = [
        n.name for n in ast.walk(tree(module)) if isinstance(n, ast.ClassDef) and n.name.endswith(FORBIDDEN_ENDINGS)
    ]
    assert vague == []


def test_every_module_and_room_says_what_it_is() -> None:
    assert [name(m) for m in MODULES if not ast.get_docstring(tree(m))] == []


def test_every_room_has_its_door() -> None:
    folders = {m.parent for m in MODULES}
    assert sorted(str(f.relative_to(ROOT)) for f in folders if not (f / "__init__.py").is_file()) == []


def test_every_file_with_tests_is_collected() -> None:
    forgotten = [
        name(m)
        for m in TEST_MODULES
        if any(isinstance(n, ast.FunctionDef) and n.name.startswith("test_") for n in ast.walk(tree(m)))
        and not (m.name.startswith("test_") or (m.parent.name in {"journeys", "storms"} and "_" in m.stem))
    ]
    assert forgotten == []
