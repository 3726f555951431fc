"""Small faults made by rule: every place of a source file where an operator, a constant or a statement can be another.

A mutant is a replacement of one piece of text. It is named by its file, function and line, before and after, so that
its name survives whatever changes elsewhere in the file. Left out: annotations, decorators, docstrings, texts, what
stands in an `assert` (a bug that cannot happen) or after `raise` (only the whole `raise` goes), patterns of `match`.
"""

import ast
import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = ROOT / "src" / "metanode"

COMPARISONS: Final[dict[str, tuple[str, ...]]] = {
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "==": ("!=",),
    "!=": ("==",),
    "is not": ("is",),
    "is": ("is not",),
    "not in": ("in",),
    "in": ("not in",),
}
ARITHMETIC: Final[dict[str, str]] = {
    "+": "-", "-": "+", "*": "+", "//": "*", "%": "+", "<<": ">>", ">>": "<<", "&": "|", "|": "&", "^": "&", "**": "*",
}  # fmt: skip
TWINS: Final[dict[str, str]] = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True)
class Mutant:
    """`file` below src/metanode; `function`: the outermost one around it, empty where the line runs at import; `was`
    and `now`: its lines; `start` and `end`: bytes that become `text`; `same`: how many like it come before."""

    file: str
    function: str
    line: int
    was: str
    now: str
    start: int
    end: int
    text: bytes
    same: int = 0

    @property
    def key(self) -> str:
        """Its name."""
        again = f" #{self.same + 1}" if self.same else ""
        return f"{self.file} {self.function or '(import)'}: {self.was} => {self.now}{again}"

    def source(self) -> bytes:
        """The whole file with this fault in it."""
        whole = text_of(self.file)
        return whole[: self.start] + self.text + whole[self.end :]


@cache
def text_of(file: str) -> bytes:
    """As it was when it was first asked for: whoever edits it meanwhile moves every place."""
    return (SOURCE / file).read_bytes()


def mutants(file: str) -> list[Mutant]:
    """All of one file, in the order of their places."""
    found = _Finder(text_of(file), file).find()
    seen: Counter[str] = Counter()
    numbered = []
    for mutant in found:
        numbered.append(replace(mutant, same=seen[mutant.key]))
        seen[mutant.key] += 1
    return numbered


class _Finder:
    """Walks one tree."""

    def __init__(self, source: bytes, file: str) -> None:
        self.source, self.file = source, file
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.found: list[Mutant] = []
        self.function = ""
        self.scope: list[str] = []
        self.returns_bool = False

    def find(self) -> list[Mutant]:
        self._body(ast.parse(self.source).body)
        whole = sorted(self.found, key=lambda mutant: (mutant.start, mutant.end, mutant.text))
        unlike = [mutant for mutant in whole if mutant.text != self.source[mutant.start : mutant.end]]
        return list(dict.fromkeys(unlike))

    def _at(self, line: int, column: int) -> int:
        return self.starts[line - 1] + column

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._at(node.lineno, node.col_offset), self._at(node.end_lineno, node.end_col_offset)

    def _add(self, start: int, end: int, text: str) -> None:
        line = self.source.count(b"\n", 0, start)
        first = self.starts[line]
        last = self.source.find(b"\n", end)
        last = len(self.source) if last < 0 else last
        was = " ".join(self.source[first:last].decode().split())
        now = " ".join((self.source[first:start] + text.encode() + self.source[end:last]).decode().split())
        self.found.append(Mutant(self.file, self.function, line + 1, was, now, start, end, text.encode()))

    def _replace(self, node: ast.expr | ast.stmt, text: str) -> None:
        self._add(*self._span(node), text)

    def _body(self, body: list[ast.stmt]) -> None:
        for statement in body:
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._define(node)
            case ast.ClassDef():
                self.scope.append(node.name)
                self._body(node.body)
                self.scope.pop()
            case ast.Assert() | ast.Import() | ast.ImportFrom() | ast.Pass() | ast.Global() | ast.Nonlocal():
                pass
            case ast.Raise():
                self._replace(node, "pass")
            case ast.Break() | ast.Continue():
                self._replace(node, "continue" if isinstance(node, ast.Break) else "break")
            case ast.Return():
                self._return(node)
            case ast.Expr():
                if not isinstance(node.value, ast.Constant):
                    if self.function:
                        self._replace(node, "pass")
                    self._visit(node.value)
            case ast.AnnAssign():
                if node.value is not None:
                    self._visit(node.value)
            case _:
                self._compound(node)

    def _define(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self._visit(default)
        outer, kind = self.function, self.returns_bool
        self.function = outer or ".".join((*self.scope, node.name))
        self.returns_bool = isinstance(node.returns, ast.Name) and node.returns.id == "bool"
        self._body(node.body)
        self.function, self.returns_bool = outer, kind

    def _return(self, node: ast.Return) -> None:
        if node.value is None:
            self._replace(node, "pass")
            return
        if self.returns_bool:
            start, end = self._span(node.value)
            self._add(start, end, f"not ({self.source[start:end].decode()})")
        elif not (isinstance(node.value, ast.Constant) and node.value.value is None):
            self._replace(node.value, "None")
        self._visit(node.value)

    def _compound(self, node: ast.stmt) -> None:
        match node:
            case ast.If():
                self._condition(node.test)
            case ast.While():
                self._replace(node.test, "False")
            case ast.AugAssign() | ast.Delete():
                self._replace(node, "pass")
            case ast.Assign(targets=targets) if not all(isinstance(target, ast.Name) for target in targets):
                if self.function and not any(isinstance(target, ast.Tuple) for target in targets):
                    self._replace(node, "pass")
            case _:
                pass
        if isinstance(node, ast.AugAssign):
            self._between(self._span(node.target)[1], self._span(node.value)[0], ARITHMETIC)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt):
                self._statement(child)
            elif isinstance(child, ast.expr):
                self._visit(child)
            elif isinstance(child, ast.ExceptHandler):
                self._body(child.body)
            elif isinstance(child, ast.match_case):
                if child.guard is not None:
                    self._condition(child.guard)
                    self._visit(child.guard)
                self._body(child.body)
            elif isinstance(child, ast.withitem):
                self._visit(child.context_expr)

    def _condition(self, node: ast.expr) -> None:
        for text in ("True", "False"):
            self._replace(node, text)

    def _visit(self, node: ast.AST) -> None:
        match node:
            case ast.JoinedStr():
                return
            case ast.Constant():
                self._constant(node)
                return
            case ast.Compare():
                ends = (node.left, *node.comparators)
                for left, right in pairwise(ends):
                    self._between(self._span(left)[1], self._span(right)[0], COMPARISONS)
            case ast.BinOp():
                self._between(self._span(node.left)[1], self._span(node.right)[0], ARITHMETIC)
            case ast.BoolOp():
                self._boolean(node)
            case ast.UnaryOp(op=ast.Not()):
                start, _ = self._span(node)
                self._add(start, start + len("not"), "")
            case ast.IfExp():
                self._condition(node.test)
            case ast.comprehension():
                for test in node.ifs:
                    self._replace(test, "True")
            case ast.Call(func=ast.Name(id=name)) if name in TWINS:
                self._replace(node.func, TWINS[name])
            case _:
                pass
        for child in ast.iter_child_nodes(node):
            self._visit(child)

    def _constant(self, node: ast.Constant) -> None:
        match node.value:
            case bool(value):
                self._replace(node, str(not value))
            case int(value):
                for other in (value + 1, value - 1) if value == 1 else (value + 1,):
                    self._replace(node, str(other))
            case bytes(value) if value:
                self._replace(node, repr(bytes([value[0] ^ 1]) + value[1:]))
            case _:
                pass

    def _boolean(self, node: ast.BoolOp) -> None:
        word, other, empty = ("and", "or", "True") if isinstance(node.op, ast.And) else ("or", "and", "False")
        for operand in node.values:
            self._replace(operand, empty)
        for left, right in pairwise(node.values):
            self._between(self._span(left)[1], self._span(right)[0], {word: other})

    def _between(self, start: int, end: int, table: dict[str, tuple[str, ...]] | dict[str, str]) -> None:
        """Replace the operator that stands between two operands."""
        gap = self.source[start:end].decode()
        for operator in sorted(table, key=len, reverse=True):
            if found := re.search(rf"(?<!\w){re.escape(operator)}(?!\w)", gap):
                others = table[operator]
                for text in (others,) if isinstance(others, str) else others:
                    self._add(
                        start + len(gap[: found.start()].encode()), start + len(gap[: found.end()].encode()), text
                    )
                return


def statement_lines(file: str, line: int) -> range:
    """The lines of the smallest statement around a line: an interpreter may give any of them for its place."""
    best = range(line, line + 1)
    width = None
    for node in ast.walk(ast.parse(text_of(file))):
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            assert node.end_lineno is not None
            spanned = node.end_lineno - node.lineno
            if node.lineno <= line <= node.end_lineno and (width is None or spanned < width):
                best, width = range(node.lineno, node.end_lineno + 1), spanned
    return best
