"""Which refusals and faults the tests provoke, as opposed to merely mention.

A member is provoked where a test demands it: in the condition of an `assert`, inside `raises(…)`, handed to a helper
that asserts or raises by itself, or in a table (of `parametrize`, of a loop, of a named constant) whose column is then
demanded in one of these ways. What a test plants itself (`ApiError(X, …)` as the answer of a pretended node) or only
looks up (`explain(X)`) is a mention.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

PLANTING = frozenset(
    {"ApiError", "ErrorForm", "Failure", "Fault", "Outcome", "Rejected", "failure", "explain", "error_form", "form_of"}
)
"""Calls that make or explain a refusal. As the other side of a comparison they demand one, except the last ones."""
LOOKED_UP = frozenset({"explain", "error_form", "fault_status", "form_of", "failure"})


def called(call: ast.Call) -> str:
    """The last word of what is called: `pytest.raises(…)` calls `raises`."""
    match call.func:
        case ast.Name(id=word) | ast.Attribute(attr=word):
            return word
        case _:
            return ""


def demands(function: ast.AST) -> bool:
    """Whether a function asserts or expects to be refused, by itself."""
    return any(
        isinstance(node, ast.Assert) or (isinstance(node, ast.Call) and called(node) == "raises")
        for node in ast.walk(function)
    )


def asserting(modules: Iterable[ast.Module]) -> frozenset[str]:
    """The names of helpers that assert or expect to be refused: what is handed to them is demanded."""
    return frozenset(
        node.name
        for module in modules
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and demands(node)
    )


@dataclass(slots=True)
class Walker:
    """One module. `helpers`: names of functions that assert; `tables`: names of tables that are demanded."""

    module: ast.Module
    helpers: frozenset[str]
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)
    known: dict[ast.AST, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.parents = {child: node for node in ast.walk(self.module) for child in ast.iter_child_nodes(node)}

    def ancestors(self, node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
        """(ancestor, its child on the way), from the node outwards."""
        while (above := self.parents.get(node)) is not None:
            yield above, node
            node = above

    def is_demanded(self, node: ast.AST) -> bool:
        """Whether an expression is demanded where it stands; a variable made of itself is no reason."""
        if node not in self.known:
            self.known[node] = False
            self.known[node] = self._is_demanded(node)
        return self.known[node]

    def _is_demanded(self, node: ast.AST) -> bool:
        planted = False
        for above, child in self.ancestors(node):
            match above:
                case ast.Call() if child is not above.func:
                    word = called(above)
                    if word in LOOKED_UP:
                        return False
                    planted = planted or word in PLANTING
                    if not planted and (word == "raises" or word in self.helpers):
                        return True
                    if word == "parametrize":
                        return self.is_column_demanded(node, above)
                case ast.Assert(test=test) if child is test:
                    return True
                case ast.For(iter=table) if child is table:
                    return not planted and demands(above)
                case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                    return not planted and self.is_name_demanded(name, above)
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    return False
                case _:
                    pass
        return False

    def is_name_demanded(self, name: str, assignment: ast.AST) -> bool:
        """Whether some use of a variable is demanded, in the function or module where it is assigned."""
        scope = next(
            (a for a, _ in self.ancestors(assignment) if isinstance(a, ast.FunctionDef | ast.Module)), self.module
        )
        return any(
            isinstance(use, ast.Name) and use.id == name and isinstance(use.ctx, ast.Load) and self.is_demanded(use)
            for use in ast.walk(scope)
        )

    def is_column_demanded(self, node: ast.AST, call: ast.Call) -> bool:
        """Whether a test demands the parameter that a table gives this member to."""
        function = next((a for a, _ in self.ancestors(call) if isinstance(a, ast.FunctionDef)), None)
        if function is None:  # EACH = pytest.mark.parametrize(…), used by several
            return True
        names = self.columns(call)
        row = next((a for a, _ in self.ancestors(node) if isinstance(a, ast.Tuple)), None)
        column = self.place_in(row, node) if row is not None and len(row.elts) == len(names) else None
        wanted = names if column is None else names[column : column + 1]
        uses = [
            use
            for use in ast.walk(function)
            if isinstance(use, ast.Name) and use.id in wanted and isinstance(use.ctx, ast.Load)
        ]
        if any(self.is_planted(use) for use in uses):
            return False
        return any(self.is_demanded(use) for use in uses)

    def is_planted(self, use: ast.AST) -> bool:
        """Whether the test hands it to a pretended node instead of being told it."""
        for above, child in self.ancestors(use):
            match above:
                case ast.Assert():
                    return False
                case ast.Call() if child is not above.func and called(above) in PLANTING:
                    return not any(isinstance(a, ast.Assert) for a, _ in self.ancestors(above))
                case _:
                    pass
        return False

    def place_in(self, row: ast.Tuple, node: ast.AST) -> int | None:
        """Which element of a row holds a node."""
        inside = {node, *(a for a, _ in self.ancestors(node))}
        return next((place for place, element in enumerate(row.elts) if element in inside), None)

    @staticmethod
    def columns(call: ast.Call) -> list[str]:
        """The names of the parameters of a table."""
        match call.args[0]:
            case ast.Constant(value=str() as text):
                return [name.strip() for name in text.split(",")]
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                return [str(part.value) for part in parts if isinstance(part, ast.Constant)]
            case _:
                return []


def provoked(modules: Iterable[ast.Module]) -> set[str]:
    """Every `Enum.MEMBER` that some module demands."""
    modules = list(modules)
    helpers = asserting(modules) - PLANTING
    found: set[str] = set()
    for module in modules:
        walker = Walker(module, helpers)
        for node in ast.walk(module):
            match node:
                case ast.Attribute(value=ast.Name(id=kind), attr=member) if member.isupper():
                    if f"{kind}.{member}" not in found and walker.is_demanded(node):
                        found.add(f"{kind}.{member}")
                case _:
                    pass
    return found
