"""A command line whose files, environment and folder are the test's own."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from metanode.cli.bpi.main import main


@dataclass(frozen=True)
class Said:
    """What one run of `bpi` said and how it ended."""

    status: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        return json.loads(self.err)["error"]


Bpi = Callable[..., Said]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory; no configuration of whoever runs the tests is seen."""
    for name in ("NODE", "DATA", "ACCOUNT", "COIN", "TOKEN_FILE", "WAIT", "TIMEOUT", "COLOR"):
        monkeypatch.delenv(f"BPI_{name}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    here = tmp_path / "project" / "deeper"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def bpi(folder: Path, capsys: pytest.CaptureFixture[str]) -> Bpi:
    """Runs `bpi` in this process, in `folder`."""
    assert folder.is_dir()

    def run(*arguments: str) -> Said:
        status = main(arguments)
        captured = capsys.readouterr()
        return Said(status, captured.out, captured.err)

    return run
