"""One block, one placement: whatever the hash seed, whatever the Python."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from tests.unit.docklock.scheduler.fingerprint import fingerprint

import metanode

ROOT = Path(__file__).resolve().parents[4]
STANDIN = Path(__file__).with_name("standin")


@cache
def here() -> str:
    """By this process."""
    return fingerprint()


def printed(python: str, hash_seed: str, *path: Path) -> str:
    """By a fresh process."""
    folders = os.pathsep.join(map(str, (Path(metanode.__file__).parents[1], ROOT, *path)))
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": folders, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [python, "-m", "tests.unit.docklock.scheduler.fingerprint"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_every_hash_seed_gives_the_same_placements(hash_seed: str) -> None:
    assert printed(sys.executable, hash_seed) == here()


def answers(python: str, code: str) -> bool:
    ended = subprocess.run([python, "-c", code], capture_output=True, check=False, timeout=60)
    return ended.returncode == 0


def interpreter(version: str) -> str:
    """One that runs: on the path, or where version managers put them; empty if there is none."""
    folders = [
        *map(Path, os.environ.get("PATH", "").split(os.pathsep)),
        *sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin")),
        *sorted((Path.home() / ".local" / "share" / "uv" / "python").glob(f"cpython-{version}.*/bin")),
    ]
    major, minor = version.split(".")
    check = f"import sys; sys.exit(sys.version_info[:2] != ({major}, {minor}))"
    found = (str(folder / f"python{version}") for folder in folders if (folder / f"python{version}").is_file())
    return next((python for python in found if answers(python, check)), "")


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_every_python_gives_the_same_placements(version: str) -> None:
    """Those without msgspec get it in plain Python: the canonical bytes are computed a second time, too."""
    python = interpreter(version)
    if not python:
        pytest.skip(f"NOT COMPARED WITH PYTHON {version}: this machine has none")
    bare = () if answers(python, "import msgspec") else (STANDIN,)
    assert printed(python, "7", *bare) == here()
    print(f"Python {version}: equal, {'values in plain Python' if bare else 'with msgspec'}")
