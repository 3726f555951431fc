"""Planted faults: a copy of the source, one line of it replaced, and the storm that has to notice."""

import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLANTED = Path(__file__).with_name("planted.toml")
NOTICED = ("metanode.sim.acts.Broken:", "metanode.sim.oracle.witness.Difference:", "AssertionError", "FAILED tests/")
"""How a fault may show: a checker speaks, or an assertion of the product or of the world stops everything."""


@dataclass(frozen=True)
class Fault:
    """One entry: of which rule, what is wrong then, where, which line (to the letter) becomes which, who notices: a
    storm, the oracle in councils of these seeds, the tests of a file, or one test by its name."""

    rule: str
    says: str
    file: str
    line: str
    planted: str
    storm: str = ""
    count: int = 0
    seeds: str = ""
    test: str = ""
    council: str = ""

    @property
    def name(self) -> str:
        """The rule and who notices."""
        return f"{self.rule}-{self.storm or (self.council and 'council') or Path(self.test).stem}"

    @property
    def by_one_test(self) -> bool:
        """Whether one test by its name notices it: then `tests/mutation/planted.py` plants it in a forked child."""
        return "::" in self.test

    def plant(self, scratch: Path) -> None:
        """Copy the source and spoil it."""
        copy_source(scratch)
        path = scratch / "src" / "metanode" / self.file
        lines = path.read_text().splitlines(keepends=True)
        places = [number for number, line in enumerate(lines) if line.strip() == self.line]
        assert len(places) == 1, f"{self.file} has {len(places)} lines: {self.line}"
        old = lines[places[0]]
        lines[places[0]] = old[: len(old) - len(old.lstrip())] + self.planted + "\n"
        path.write_text("".join(lines))

    def noticed(self, scratch: Path) -> str:
        """What the storm or test says of the copy; empty where it sees nothing."""
        if self.council:
            ended = _run(scratch, ["tests.simulation.councils", "--stop", "--seeds", self.council])
        else:
            ended = run_test(scratch, self.test) if self.test else play(scratch, self.storm, self.count, self.seeds)
        assert ended.returncode in {0, 1}, ended.stdout + ended.stderr
        if ended.returncode == 0:
            return ""
        assert any(word in ended.stdout for word in NOTICED), ended.stdout + ended.stderr
        return ended.stdout


def faults() -> list[Fault]:
    """All of planted.toml."""
    return [Fault(**entry) for entry in tomllib.loads(PLANTED.read_text())["fault"]]


def copy_source(scratch: Path) -> None:
    """What a storm needs, without anything else."""
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src" / "metanode", scratch / "src" / "metanode", ignore=skip)
    shutil.copytree(ROOT / "tests", scratch / "tests", ignore=skip)
    shutil.copy(ROOT / "pyproject.toml", scratch)


def play(scratch: Path, storm: str, count: int, seeds: str) -> subprocess.CompletedProcess[str]:
    """Play a storm in a copy, in a process of its own, up to the first seed that breaks."""
    words = ["tests.simulation.soak", "--stop", "--storm", storm, "--count", str(count), "--seeds", seeds]
    return _run(scratch, words)


def run_test(scratch: Path, test: str) -> subprocess.CompletedProcess[str]:
    """Run a test in a copy, up to the first that fails."""
    return _run(
        scratch, ["pytest", "-x", "-q", "-p", "no:cacheprovider", "--rootdir", str(scratch), str(scratch / test)]
    )


def run_module(scratch: Path, module: str) -> subprocess.CompletedProcess[str]:
    """Run a module of tests in a copy, in a process of its own."""
    return _run(scratch, [module])


def _run(scratch: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTHONPATH"] = f"{scratch / 'src'}{os.pathsep}{scratch}"
    command = [sys.executable, "-m", *words]
    return subprocess.run(
        command, cwd=scratch, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
