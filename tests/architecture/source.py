"""The source tree as data, for the tests of its shape. Everything here parses; nothing imports what it reads."""

import ast
import io
import subprocess
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "metanode"
TESTS = ROOT / "tests"
OUTSIDE = frozenset({"host", "sim", "client", "cli"})
"""The floors that may touch the outside world; all others are pure."""

MODULES = sorted(SOURCE.rglob("*.py"))
PURE = [m for m in MODULES if m.relative_to(SOURCE).parts[0] not in OUTSIDE]
TEST_MODULES = sorted(TESTS.rglob("*.py"))


def name(module: Path) -> str:
    """A short name for a test id or a message."""
    return str(module.relative_to(SOURCE if module.is_relative_to(SOURCE) else ROOT))


@cache
def tree(module: Path) -> ast.Module:
    """The parsed module."""
    return ast.parse(module.read_text(), filename=str(module))


def docstrings(node: ast.AST) -> Iterator[ast.Expr]:
    """Every string that stands alone as a statement: docstrings of modules, classes, functions and attributes."""
    for child in ast.walk(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant) and isinstance(child.value.value, str):
            yield child


def docstring_text(node: ast.AST) -> str:
    """All docstrings of a module as one text."""
    return "\n".join(str(d.value.value) for d in docstrings(node) if isinstance(d.value, ast.Constant))


SILENT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


@cache
def code_lines(module: Path) -> frozenset[int]:
    """The numbers of the lines that are code: no blank lines, no comments, no docstrings."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(module.read_text()).readline):
        if token.type not in SILENT:
            lines.update(range(token.start[0], token.end[0] + 1))
    for docstring in docstrings(tree(module)):
        lines.difference_update(range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1))
    return frozenset(lines)


@cache
def classes() -> dict[str, tuple[Path, ast.ClassDef]]:
    """Every class of the house by its name; a name that two modules share is kept once a module."""
    found: dict[str, tuple[Path, ast.ClassDef]] = {}
    for module in MODULES:
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.ClassDef):
                found[f"{name(module)}:{node.name}" if node.name in found else node.name] = (module, node)
    return found


def descends(wanted: str) -> list[tuple[Path, ast.ClassDef]]:
    """Every class below the class called `wanted`, however deep."""
    family = {wanted}
    while True:
        heirs = {c.name for _, c in classes().values() if any(base_name(b) in family for b in c.bases)}
        if heirs <= family:
            break
        family |= heirs
    return [(m, c) for m, c in classes().values() if c.name in family and c.name != wanted]


def base_name(base: ast.expr) -> str:
    """The last word of a base class: `codec.Wire` and `Wire` and `Wire[T]` are `Wire`."""
    match base:
        case ast.Name(id=word) | ast.Attribute(attr=word):
            return word
        case ast.Subscript(value=inner):
            return base_name(inner)
        case _:
            return ""


def words(node: ast.AST) -> set[str]:
    """Every identifier in a tree: names, attributes, imported names."""
    found: set[str] = set()
    for child in ast.walk(node):
        match child:
            case ast.Name(id=word) | ast.Attribute(attr=word):
                found.add(word)
            case ast.alias(name=word):
                found.add(word)
            case ast.Constant(value=str() as text) if text.isidentifier():  # an annotation in quotes
                found.add(text)
            case _:
                pass
    return found


def committed_files() -> list[Path]:
    """What git knows in this checkout."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    return [ROOT / p for p in listing.decode().split("\0") if p and (ROOT / p).is_file()]
