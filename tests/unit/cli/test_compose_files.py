"""COMPOSE-13. Files that a Compose file names are looked for from its own folder, and outside of it as in Compose."""

from pathlib import Path

import pytest

from metanode.cli.bpi.running import read_application
from metanode.docklock.compose import ComposeRefusal

FILE = """
services:
  web:
    image: metanode.host/usr
    command: [/usr/bin/true]
    env_file: {env_file}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Compose file below, env files beside it, above it and elsewhere; the command runs somewhere else."""
    here = tmp_path / "project" / "deploy"
    here.mkdir(parents=True)
    (here / "own.env").write_text("A=own\n")
    (tmp_path / "project" / "common.env").write_text("A=common\n")
    (tmp_path / "absolute.env").write_text("A=absolute\n")
    monkeypatch.chdir(tmp_path)
    return here


@pytest.mark.parametrize(
    ("named", "value"),
    [("own.env", "own"), ("./own.env", "own"), ("../common.env", "common"), ("../../absolute.env", "absolute")],
)
def test_an_env_file_is_found_from_where_the_compose_file_is(folder: Path, named: str, value: str) -> None:
    (folder / "compose.yaml").write_text(FILE.format(env_file=named))
    found = read_application(str(folder / "compose.yaml")).application
    assert found is not None
    assert [(one.name, one.value) for one in found.workloads[0].spec.environment] == [("A", value)]


def test_an_absolute_one_too_and_one_that_is_not_there_is_said(folder: Path, tmp_path: Path) -> None:
    (folder / "compose.yaml").write_text(FILE.format(env_file=tmp_path / "absolute.env"))
    assert read_application(str(folder / "compose.yaml")).application is not None
    (folder / "compose.yaml").write_text(FILE.format(env_file="../none.env"))
    (error,) = read_application(str(folder / "compose.yaml")).errors
    assert (error.code, error.line) == (ComposeRefusal.MISSING_FILE, 6)
