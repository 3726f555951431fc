"""Pure floors: the same input gives the same output, on every machine, for ever. What import contracts cannot see."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.architecture.source import MODULES, PURE, name, tree

BANNED_CALLS = {"open", "print", "input", "hash", "id", "eval", "exec", "float", "vars", "globals", "breakpoint"}
ORDER_BLIND = {"sorted", "set", "frozenset", "sum", "min", "max", "any", "all", "len"}
"""Calls whose result does not depend on the order they read in."""
SET_MAKERS = {"set", "frozenset"}


def is_set(node: ast.expr) -> bool:
    """Whether an expression is, at sight, a set."""
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id=called)):
            return called in SET_MAKERS
        case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor(), right=right):
            return is_set(left) or is_set(right)
        case _:
            return False


def set_order_leaks(node: ast.AST, *, blind: bool = False) -> Iterator[str]:
    """Where the order of a set becomes visible; `blind` below a call that does not care."""
    match node:
        case ast.For(iter=source) if is_set(source):
            yield f"line {node.lineno}: a loop over a set; sort it"
        case ast.ListComp() | ast.GeneratorExp() | ast.DictComp():
            if not blind and any(is_set(g.iter) for g in node.generators):
                yield f"line {node.lineno}: a comprehension over a set; sort it"
        case ast.Call(func=ast.Name(id="list" | "tuple" | "iter" | "next" | "enumerate"), args=[first, *_]):
            if not blind and is_set(first):
                yield f"line {node.lineno}: a set put in order by chance; sort it"
        case ast.Call(func=ast.Attribute(attr="join"), args=[first]) if is_set(first):
            yield f"line {node.lineno}: a set joined by chance; sort it"
        case ast.Starred(value=starred) if is_set(starred) and not blind:
            yield f"line {node.lineno}: a set spread out by chance; sort it"
        case _:
            pass
    match node:
        case ast.Call(func=ast.Name(id=called), args=arguments) if called in ORDER_BLIND:
            for child in ast.iter_child_nodes(node):
                yield from set_order_leaks(child, blind=child in arguments)
        case ast.SetComp():
            for child in ast.iter_child_nodes(node):
                yield from set_order_leaks(child, blind=True)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from set_order_leaks(child)


def impurities(module: ast.Module) -> Iterator[str]:
    """Everything in a pure module that chance, time or the machine could change."""
    for node in ast.walk(module):
        match node:
            case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith() | ast.Global():
                yield f"line {node.lineno}: {type(node).__name__}"
            case ast.Call(func=ast.Name(id=called)) if called in BANNED_CALLS:
                yield f"line {node.lineno}: {called}()"
            case ast.Constant(value=float()):
                yield f"line {node.lineno}: a float"
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                yield f"line {node.lineno}: a division that makes a float"
            case _:
                pass
    yield from set_order_leaks(module)


@pytest.mark.parametrize("module", PURE, ids=name)
def test_core_is_pure(module: Path) -> None:
    assert list(impurities(tree(module))) == []


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_no_import_is_hidden(module: Path) -> None:
    assert [n.lineno for n in ast.walk(tree(module)) if isinstance(n, ast.Name) and n.id == "TYPE_CHECKING"] == []
    assert [n.lineno for n in ast.walk(tree(module)) if isinstance(n, ast.ImportFrom) and n.level] == []


@pytest.mark.parametrize(
    "planted",
    [
        "for x in {1, 2}: pass",
        "for x in set(y): pass",
        "for x in a | set(b): pass",
        "y = [x for x in {1}]",
        "y = list(frozenset(z))",
        "y = (*{1}, 2)",
        "y = ','.join({'a'})",
        "y = max(f(x for x in {1}))",
        "y = hash(x)",
        "y = 0.5",
        "y = a / b",
        "async def f(): pass",
        "def f():\n    global x",
        "open('x')",
    ],
)
def test_the_check_sees_a_planted_impurity(planted: str) -> None:
    assert list(impurities(ast.parse(planted))) != []


@pytest.mark.parametrize(
    "innocent", ["y = sorted({1, 2})", "y = any(x for x in {1})", "y = {x for x in {1}}", "y = a // b"]
)
def test_the_check_lets_the_innocent_pass(innocent: str) -> None:
    assert list(impurities(ast.parse(innocent))) == []
