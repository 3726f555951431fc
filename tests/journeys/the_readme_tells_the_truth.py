"""Every command the README shows, run in its order by a stranger in an empty folder."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.journeys.town import free_base

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
EXPECTED = {"bpi demo tamper": 21}
"""What does not end with 0, and must not."""
SAYS = {
    "bpi verify": "VALID",
    "bpi demo tamper": "INVALID",
    "bpi coin transfer": "FINAL",
    "bpi testnet heal": "4/4",
    "bpi up": "READY",
    "bpi container run": "RUNNING  web · 3 of 3",
    "bpi container logs": "hello",
    "bpi container verify": "holds",
    "bpi mesh call": "Directory listing for /",
    "bpi receipt list --workload": "started",
}
"""What must stand in the answer."""


def commands() -> list[list[str]]:
    """The lines after `$` in each of the README's console blocks."""
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    return [[line[2:] for line in block.splitlines() if line.startswith("$ ")] for block in blocks]


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """One command line, as typed."""
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "NO_COLOR": "1"}
    arguments = [str(BIN / "bpi"), *shlex.split(command)[1:]]
    return subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=90, check=False
    )


def test_every_command_of_the_readme_does_what_it_says(tmp_path: Path) -> None:
    shown, _ = commands()
    assert shown[0] == "bpi status"
    assert shown[-1] == "bpi down"
    up = run(f"bpi up --port-base {free_base()}", tmp_path)
    try:
        assert up.returncode == 0, up.stderr
        assert "READY" in up.stdout
        lights = []
        for command in shown[:-1]:
            answer = run(command, tmp_path)
            assert answer.returncode == EXPECTED.get(command, 0), f"{command}\n{answer.stdout}\n{answer.stderr}"
            for start, word in SAYS.items():
                assert not command.startswith(start) or word in answer.stdout, f"{command}\n{answer.stdout}"
            if command == "bpi status":
                lights.append(answer.stdout.split()[0])
        assert lights == ["GREEN", "YELLOW"]
    finally:
        assert run(shown[-1], tmp_path).returncode == 0


def test_so_does_every_command_about_containers(tmp_path: Path) -> None:
    _, shown = commands()
    init, folder = shown[0], tmp_path / "shop"
    assert (init, shown[1]) == ("bpi init shop --template compose", "cd shop")
    assert run(f"{init} --port-base {free_base()}", tmp_path).returncode == 0
    try:
        for command in shown[2:-1]:
            answer = run(command, folder)
            assert answer.returncode == 0, f"{command}\n{answer.stdout}\n{answer.stderr}"
            for start, word in SAYS.items():
                assert not command.startswith(start) or word in answer.stdout, f"{command}\n{answer.stdout}"
    finally:
        assert run(shown[-1], folder).returncode == 0
