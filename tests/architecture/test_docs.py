"""The pages made from the code are what the code says now, and no link leads nowhere."""

import re
import subprocess
import sys

from tests.architecture.source import ROOT, SOURCE


def test_the_reference_is_up_to_date_and_every_link_leads_somewhere() -> None:
    command = [sys.executable, str(ROOT / "tools" / "docs.py"), "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_code_says_how_a_command_ends_by_it_or_that_none_does() -> None:
    page = (ROOT / "docs" / "reference" / "codes.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z.-]+)` \| (.*?) \|", page, re.MULTILINE))
    assert len(rows) > 200
    assert [code for code, ends in rows.items() if not re.fullmatch(r"–|\d+( or \d+)*", ends)] == []
    assert rows["cli.not-ready"] == "20 or 70"
    assert rows["cli.interrupted"] == "130"
    assert rows["coin.insufficient"] == "80"
    assert rows["directory.locked"] == "5"
    assert rows["ibft.unjustified"] == "–", "one validator says it of another; no command ends by it"


def test_the_rooms_of_the_house_are_the_rooms_of_the_page() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    table = page[page.index("## Rooms") : page.index("## Furniture")]
    told: set[str] = set()
    for cell in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE):
        first, *others = re.findall(r"`([a-z_/]+)`", cell)
        told |= {first, *(f"{first.rpartition('/')[0]}/{other}" for other in others)}
    floors = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    rooms = {f"{path.parts[-3]}/{path.parts[-2]}" for path in SOURCE.glob("*/*/__init__.py")}
    split = {room for room in rooms if room.partition("/")[0] in ("chain", "ledger", "network", "docklock")}
    assert {room for room in told if not room.startswith("sim/")} == split | floors - {"chain", "network", "docklock"}
