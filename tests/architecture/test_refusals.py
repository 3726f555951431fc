"""Refusals: each says what was wrong, has a code of its own for ever, and is provoked by some test."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.architecture.source import TEST_MODULES, TESTS, descends, name, tree

CODE = re.compile(r"[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*")


def members(refusal: ast.ClassDef) -> Iterator[tuple[str, str, bool]]:
    """Each member: its name, its code, and whether a docstring follows it."""
    followers = [*refusal.body[1:], ast.Pass()]
    for statement, following in zip(refusal.body, followers, strict=True):
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=member)], value=ast.Constant(value=str() as code))
                | ast.AnnAssign(target=ast.Name(id=member), value=ast.Constant(value=str() as code))
            ):
                match following:
                    case ast.Expr(value=ast.Constant(value=str())):
                        yield member, code, True
                    case _:
                        yield member, code, False
            case _:
                pass


REFUSALS = descends("Refusal")


def test_there_are_refusals() -> None:
    assert len(REFUSALS) > 1


@pytest.mark.parametrize(("module", "refusal"), REFUSALS, ids=lambda x: name(x) if isinstance(x, Path) else x.name)
def test_every_refusal_says_what_was_wrong(module: Path, refusal: ast.ClassDef) -> None:
    assert ast.get_docstring(refusal)
    assert [m for m, _, documented in members(refusal) if not documented] == []
    assert [c for _, c, _ in members(refusal) if not CODE.fullmatch(c)] == []


def test_every_code_is_unique_in_the_house() -> None:
    codes = Counter(code for _, refusal in REFUSALS for _, code, _ in members(refusal))
    assert [code for code, times in codes.items() if times > 1] == []


def test_every_refusal_is_provoked_by_a_test() -> None:
    provoked = {
        f"{node.value.id}.{node.attr}"
        for module in TEST_MODULES
        if not module.is_relative_to(TESTS / "architecture")
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    unprovoked = [
        f"{refusal.name}.{member}"
        for _, refusal in REFUSALS
        for member, _, _ in members(refusal)
        if f"{refusal.name}.{member}" not in provoked
    ]
    assert not unprovoked, "mentioned in no test:\n" + "\n".join(unprovoked)
