"""The import contracts cover the whole house, and see what is planted against them."""

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.architecture.source import OUTSIDE, ROOT, SOURCE

PLANTED = {
    "floor": ("metanode/primitives/planted.py", "import metanode.records\n"),
    "time": ("metanode/records/planted.py", "import time\n"),
    "asyncio through a lower floor": ("metanode/primitives/planted.py", "import asyncio\n"),
    "an unlisted floor": ("metanode/extras/__init__.py", '"""Nobody listed me."""\n'),
    "hidden in a function": ("metanode/primitives/planted.py", "def f() -> None:\n    import metanode.records\n"),
    "a command that dials by itself": ("metanode/cli/bpi/planted.py", "import http.client\n"),
    "a command that speaks to peers": ("metanode/cli/bpi/planted.py", "import metanode.network.bpci\n"),
    "a command hidden in a function": ("metanode/cli/bpi/planted.py", "def f() -> None:\n    import socket\n"),
    "circle": ("metanode/records/planted.py", "import metanode.records.planted_too\n"),
}


def lint_imports(source: Path, where: Path) -> subprocess.CompletedProcess[str]:
    command = (
        "import sys; sys.path[:0] = [sys.argv.pop(1)]; from importlinter.cli import lint_imports_command as c; c()"
    )
    return subprocess.run(
        [sys.executable, "-c", command, str(source), "--no-cache", "--config", str(ROOT / ".importlinter")],
        cwd=where, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_every_pure_floor_is_forbidden_the_world() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    forbidden = contracts["importlinter:contract:pure"]["source_modules"].split()
    floors = {p.parent.name for p in SOURCE.glob("*/__init__.py")}
    assert set(forbidden) == {f"metanode.{f}" for f in floors - OUTSIDE}


@pytest.mark.parametrize("planted", PLANTED)
def test_the_contracts_see_what_is_planted(planted: str, tmp_path: Path) -> None:
    shutil.copytree(SOURCE, tmp_path / "metanode", ignore=shutil.ignore_patterns("__pycache__"))
    file, text = PLANTED[planted]
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    if planted == "circle":
        (tmp_path / "metanode/records/planted_too.py").write_text("import metanode.records.planted\n")
    result = lint_imports(tmp_path, tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "planted" in result.stdout or "extras" in result.stdout


def test_the_house_keeps_its_contracts(tmp_path: Path) -> None:
    result = lint_imports(SOURCE.parent, tmp_path)
    assert result.returncode == 0, result.stdout
