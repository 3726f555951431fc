"""The oracle judges the engine, so it uses nothing of it but the messages, events and effects at its door."""

import ast

from tests.architecture.source import SOURCE

ROOM = SOURCE / "sim" / "oracle"
FORBIDDEN = ("metanode.chain.ibft.", "metanode.chain.bls", "metanode.primitives.bitmap", "metanode.chain.evidence.")
JUDGING = {"leader", "first_leader", "check_justification", "check_certificate", "check_round_change_vote", "quorum"}


def imported() -> list[tuple[str, str]]:
    found = []
    for path in sorted(ROOM.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                found += [(str(node.module), alias.name) for alias in node.names]
            elif isinstance(node, ast.Import):
                found += [(alias.name, "") for alias in node.names]
    return found


def test_nothing_of_the_engine_is_imported_but_its_door() -> None:
    assert [
        name for name in imported() if f"{name[0]}.".startswith(FORBIDDEN[0]) and name[0] != "metanode.chain.ibft"
    ] == []
    assert [name for name in imported() if name[0].startswith(FORBIDDEN[1:])] == []


def test_no_rule_is_borrowed() -> None:
    """What decides comes from the oracle's own rooms."""
    borrowed = [name for name in imported() if name[1] in JUDGING and not name[0].startswith("metanode.sim.oracle")]
    assert borrowed == []


def test_no_arithmetic_of_a_set_is_used() -> None:
    """`ValidatorSet` knows its quorum by the engine's formula."""
    used = []
    for path in sorted(ROOM.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in {"quorum", "faults"}:
                owner = node.value
                if not (isinstance(owner, ast.Name) and owner.id in {"known", "self"}):
                    used.append((path.name, node.lineno))
    assert used == []
