"""What `make bench` and `make soak` start does start, and a long run tells what broke with a line that repeats it."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.soak.parts import ROOT, Budget, Share, suite

BENCHES = sorted(path.stem for path in (ROOT / "bench").glob("*.py"))


@pytest.mark.parametrize("module", [*(f"bench.{name}" for name in BENCHES), "tests.soak", "tests.simulation.soak"])
def test_it_says_how_it_is_used(module: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "usage:" in ended.stdout


@pytest.mark.parametrize("target", ["bench", "soak", "up", "test", "check"])
def test_make_starts_modules_that_exist(target: str) -> None:
    ended = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True)
    words = ended.stdout.split()
    modules = [words[at + 1] for at, word in enumerate(words) if word == "-m" and words[at + 1].startswith("tests.")]
    assert all((ROOT / module.replace(".", "/")).exists() for module in modules)
    assert modules == (["tests.soak"] if target == "soak" else [])


def played(tmp_path: Path, body: str) -> Share:
    (tmp_path / "test_one.py").write_text(body)
    share = Share("one")
    suite("--rootdir", str(tmp_path), "-c", "/dev/null", str(tmp_path), jobs=False)(
        Budget(float("inf"), 7, 1, 1), share
    )
    return share


def test_a_long_run_counts_what_passed(tmp_path) -> None:
    share = played(tmp_path, "def test_a(): pass\ndef test_b(): pass\n")
    assert (share.played, share.broken) == (2, [])


def test_a_long_run_tells_what_broke_and_how_to_repeat_it(tmp_path, capsys) -> None:
    share = played(tmp_path, "def test_a(): pass\ndef test_b(): assert False, 'a leak in the roof'\n")
    assert share.played == 1
    (repeat,) = share.broken
    assert repeat.startswith("HYPOTHESIS_PROFILE=soak METANODE_SEED=7 python -m pytest")
    assert "a leak in the roof" in capsys.readouterr().out


def test_a_long_run_ends_with_its_time(tmp_path) -> None:
    (tmp_path / "test_one.py").write_text("import time\ndef test_a(): time.sleep(60)\n")
    share = Share("one")
    suite("-c", "/dev/null", str(tmp_path), jobs=False)(Budget(0.0, 7, 1, 1), share)
    assert (share.played, share.broken) == (0, [])
