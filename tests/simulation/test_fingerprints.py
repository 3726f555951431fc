"""One seed, one order of events: whatever the hash seed of the interpreter, and however often it is played."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.simulation.fingerprint import WORLDS
from tests.simulation.soak import storms

import metanode

ROOT = Path(__file__).resolve().parents[2]


def fingerprints(hash_seed: str) -> str:
    """Of a fresh process."""
    source = Path(metanode.__file__).parents[1]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": f"{source}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "tests.simulation.fingerprint"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_three_hash_seeds_give_equal_fingerprints() -> None:
    first, *others = (fingerprints(seed) for seed in ("0", "1", "4242"))
    assert len(first.splitlines()) == len(WORLDS)
    assert others == [first, first]


@pytest.mark.parametrize("name", ["message_loss", "nodes_lost"])
def test_another_seed_is_another_world(name: str) -> None:
    plan = storms()[name]
    first, again, other = (plan.play(4, seed).fingerprint for seed in (0, 0, 1))
    assert first == again
    assert first != other
