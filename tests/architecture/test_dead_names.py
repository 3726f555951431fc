"""Nothing lies about unused: every name a module defines for others is used by the product, not by tests alone."""

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.architecture.source import MODULES, ROOT, SOURCE, name, tree

SHOWN = {"merkle", "client"}
"""Rooms whose names are for whoever imports them: the SDK, and the proofs of transparency logs (RFC 9162)."""
KEPT = {
    "host/http_settings.py:token_digest": "what the settings hold of a token; operators take sha256sum, tests this",
    "host/settings.py:settings_page": "docs/settings.md is made of it",
    "primitives/bls_derivation.py:derive_path": "EIP-2334 whole, as its official vectors are",
    "primitives/machine.py:Machine": "the shape of every component, as a type",
    "primitives/sealing.py:AEAD_TAG_BYTES": "a width of the wire, for who writes another implementation",
    "primitives/sealing.py:COUNTER_MAX": "the limit that a session never comes near",
}
"""Used by no module, and kept: each with its reason."""
OUTSIDE = [path for folder in ("bench", "examples", "tools") for path in sorted((ROOT / folder).rglob("*.py"))]


def defined(module: ast.Module) -> Iterator[str]:
    """The public functions, classes and constants at the top of a module."""
    for statement in module.body:
        match statement:
            case ast.FunctionDef(name=word) | ast.AsyncFunctionDef(name=word) | ast.ClassDef(name=word):
                yield word
            case ast.AnnAssign(target=ast.Name(id=word)) | ast.Assign(targets=[ast.Name(id=word)]):
                yield word
            case _:
                pass


@cache
def uses(module: ast.Module) -> Counter[str]:
    """How often each name is used: read, called, imported, or named in a quoted annotation."""
    found: Counter[str] = Counter()
    for node in ast.walk(module):
        match node:
            case ast.Name(id=word, ctx=ast.Load()) | ast.Attribute(attr=word):
                found[word] += 1
            case ast.Constant(value=str() as text) if text.isidentifier():
                found[text] += 1
            case _:
                pass
    return found


def unused(modules: list[tuple[str, ast.Module]], others: list[ast.Module]) -> list[str]:
    """`module:name` of what no module of these, and none of the others, uses; an import alone is no use."""
    used: Counter[str] = Counter()
    for _, module in modules:
        used.update(uses(module))
        used.subtract(exported(module))
    for module in others:
        used.update(uses(module))
    return [
        f"{where}:{word}"
        for where, module in modules
        for word in defined(module)
        if not word.startswith("_") and used[word] <= 0
    ]


def exported(module: ast.Module) -> Counter[str]:
    """The names in `__all__`: to hand on is not to use."""
    for statement in module.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List(elts=parts)):
                return Counter(str(part.value) for part in parts if isinstance(part, ast.Constant))
            case _:
                pass
    return Counter()


def is_shown(module: Path) -> bool:
    """Whether a module's names are for others: the SDK, commands that a table names, storms that tests make."""
    parts = module.relative_to(SOURCE).with_suffix("").parts
    return bool(SHOWN & set(parts)) or parts[0] == "sim" or parts[:3] == ("cli", "bpi", "commands")


def test_every_name_is_used() -> None:
    modules = [(name(module), tree(module)) for module in MODULES]
    shown = {name(module) for module in MODULES if is_shown(module)}
    dead = [one for one in unused(modules, [tree(path) for path in OUTSIDE]) if one.partition(":")[0] not in shown]
    dead = [one for one in dead if one not in KEPT]
    assert not dead, "used by nobody:\n" + "\n".join(dead)


def test_a_dead_name_would_be_found() -> None:
    one = ast.parse('def a():\n    return b\nb = 1\nC: int = 2\n__all__ = ["C", "a"]\n')
    other = ast.parse("from one import C, a\n")
    assert unused([("one", one), ("other", other)], []) == ["one:a", "one:C"]
    assert unused([("one", one)], [ast.parse("a(C)")]) == []
