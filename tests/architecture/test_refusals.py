"""Refusals: each says what was wrong, has a code of its own for ever, and is provoked by some test."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.architecture.provoked import provoked
from tests.architecture.source import TEST_MODULES, TESTS, classes, descends, name, tree

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
FAULTS = [(module, kind) for module, kind in classes().values() if kind.name == "FaultReason"]


def test_there_are_refusals() -> None:
    assert len(REFUSALS) > 1
    assert len(FAULTS) == 1


@pytest.mark.parametrize(("module", "refusal"), REFUSALS, ids=lambda x: name(x) if isinstance(x, Path) else x.name)
def test_every_refusal_says_what_was_wrong(module: Path, refusal: ast.ClassDef) -> None:
    assert ast.get_docstring(refusal)
    assert [m for m, _, documented in members(refusal) if not documented] == []
    assert [c for _, c, _ in members(refusal) if not CODE.fullmatch(c)] == []


def test_every_code_is_unique_in_the_house() -> None:
    codes = Counter(code for _, refusal in REFUSALS for _, code, _ in members(refusal))
    assert [code for code, times in codes.items() if times > 1] == []


def test_every_refusal_and_fault_is_provoked_by_a_test() -> None:
    modules = [tree(module) for module in TEST_MODULES if not module.is_relative_to(TESTS / "architecture")]
    demanded = provoked(modules)
    unprovoked = [
        f"{refusal.name}.{member}"
        for _, refusal in (*REFUSALS, *FAULTS)
        for member, _, _ in members(refusal)
        if f"{refusal.name}.{member}" not in demanded
    ]
    assert not unprovoked, "demanded by no test:\n" + "\n".join(unprovoked)


@pytest.mark.parametrize(
    "test",
    [
        "def test_it():\n    assert explain(R.X).exit == 2\n",
        "def test_it(node):\n    node.answers = ApiError(R.X)\n    assert ask(node).status == 404\n",
        (
            '@mark.parametrize(("code", "status"), [(R.X, 404)])\ndef test_it(node, code, status):\n'
            "    node.answers = ApiError(code)\n    assert ask(node).status == status\n"
        ),
        "EXPLAINED = {R.X: 2}\ndef test_it():\n    assert True\n",
        "def test_it():\n    raise Rejected(R.X)\n",
        "def test_it():\n    assert found, R.X\n",
        "def test_it():\n    given = R.X\n    do(given)\n",
    ],
)
def test_a_mention_is_no_provocation(test: str) -> None:
    assert provoked([ast.parse(test)]) == set()


@pytest.mark.parametrize(
    "test",
    [
        "def test_it():\n    assert caught.value.reason is R.X\n",
        "def test_it():\n    assert ask() == ApiError(R.X, 'detail')\n",
        "def test_it():\n    with pytest.raises(Rejected, match=R.X):\n        do()\n",
        "def refuses(code):\n    assert did() == code\ndef test_it():\n    refuses(R.X)\n",
        "def test_it():\n    expected = R.X\n    assert did() == expected\n",
        '@mark.parametrize(("data", "code"), [(b"", R.X)])\ndef test_it(data, code):\n    assert did(data) == code\n',
        (
            "TABLE = {'a': R.X}\n@mark.parametrize(('name', 'code'), TABLE.items())\ndef test_it(name, code):\n"
            "    assert did(name) == code\n"
        ),
        "def test_it():\n    for data, code in ((b'', R.X),):\n        assert did(data) == code\n",
    ],
)
def test_what_a_test_demands_is_provoked(test: str) -> None:
    assert provoked([ast.parse(test)]) == {"R.X"}
