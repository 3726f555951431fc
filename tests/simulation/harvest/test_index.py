"""The list of harvested bugs is whole: every entry has its test, and every test names what the entry names."""

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "assurance.md"
ISSUE = re.compile(r"[\w.-]+/[\w.-]+#\d+")
ENTRIES = 39
"""So many there are. More are welcome; none may go."""
PROJECTS = re.compile(
    r"\b(besu|go-ibft|celo|klaytn|kaia|quorum#|malachite|anchor|comet|charon|plenum|hyperledger)", re.IGNORECASE
)


@dataclass(frozen=True)
class Entry:
    """One line of the table."""

    defect: str
    issues: tuple[str, ...]
    path: str
    test: str


def entries() -> list[Entry]:
    """The table of the section."""
    section = PAGE.read_text().split("## Harvested bugs")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "`tests/" in line]
    found = []
    for defect, seen, test in (row for row in rows if len(row) == 3):
        path, name = test.strip("`").split("::")
        found.append(Entry(defect, tuple(ISSUE.findall(seen)), path, name))
    return found


@cache
def docstrings(path: str) -> dict[str, str]:
    """The tests of a file and what they say."""
    tree = ast.parse((ROOT / path).read_text())
    return {
        one.name: " ".join((ast.get_docstring(one) or "").split())
        for one in ast.walk(tree)
        if isinstance(one, ast.FunctionDef)
    }


def test_every_entry_has_its_test() -> None:
    found = entries()
    assert len(found) >= ENTRIES
    assert len({entry.defect for entry in found}) == len(found)
    missing = [e for e in found if not (ROOT / e.path).exists() or e.test not in docstrings(e.path)]
    assert not missing, "\n".join(f"{e.defect}: no {e.path}::{e.test}" for e in missing)


def test_every_test_names_the_public_issue_and_no_project_without_one() -> None:
    for entry in entries():
        said = docstrings(entry.path)[entry.test]
        assert [issue for issue in entry.issues if issue not in said] == [], entry
        if not entry.issues:
            assert not PROJECTS.search(said + entry.defect), entry


def test_the_index_sees_a_missing_test(monkeypatch, tmp_path) -> None:
    page = tmp_path / "page.md"
    page.write_text("## Harvested bugs\n| a defect | besu-eth/besu#1 | `tests/unit/none.py::test_none` |\n## Next\n")
    monkeypatch.setitem(globals(), "PAGE", page)
    (only,) = entries()
    assert only == Entry("a defect", ("besu-eth/besu#1",), "tests/unit/none.py", "test_none")
    assert not (ROOT / only.path).exists()
