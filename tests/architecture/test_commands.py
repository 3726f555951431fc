"""Every leaf command is used in some journey against a live network."""

import ast
import re
from collections.abc import Iterator

from tests.architecture.source import TESTS, tree

from metanode.cli.bpi.table import COMMANDS


def spoken(node: ast.AST) -> Iterator[str]:
    """Every string of a test, and the strings that stand side by side in a call, list or tuple, as one line."""
    for child in ast.walk(node):
        match child:
            case ast.Constant(value=str() as text):
                yield text
            case ast.Call(args=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts):
                yield " ".join(
                    p.value if isinstance(p, ast.Constant) and isinstance(p.value, str) else "…" for p in parts
                )
            case _:
                pass


def test_every_command_is_used_against_a_live_network() -> None:
    journeys = sorted((TESTS / "journeys").rglob("*.py"))
    lines = [line for journey in journeys for line in spoken(tree(journey))]
    unused = [c for c in COMMANDS if not any(re.search(rf"(?:^|\s){re.escape(c)}(?:\s|$)", line) for line in lines)]
    assert not unused, "commands that no journey uses: " + ", ".join(unused)
