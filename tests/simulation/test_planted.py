"""Every storm and checker is proved by the faults it is for: planted in a scratch copy, each of them is noticed."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.architecture.test_rules import listed
from tests.simulation.planting import ROOT, Fault, copy_source, faults, play
from tests.simulation.soak import storms
from tests.simulation.test_councils import DRAWN

FAULTS = faults()
SCRATCH = [fault for fault in FAULTS if not fault.by_one_test]
"""Those that need a copy and a process of their own."""
KINDS = tomllib.loads(Path(__file__).with_name("kinds.toml").read_text())


def rules_of(*kinds: str) -> list[str]:
    return [f"{page}-{rule}" for page, found in KINDS.items() for kind in kinds for rule in found.get(kind, "").split()]


def test_every_rule_is_of_one_kind() -> None:
    assert {kind for found in KINDS.values() for kind in found} == {"safety", "liveness", "form"}
    assert sorted(rules_of("safety", "liveness", "form")) == sorted(listed())


@pytest.mark.parametrize("kind", ["safety", "liveness"])
def test_every_rule_of_safety_and_of_liveness_has_a_fault(kind: str) -> None:
    missing = sorted({*rules_of(kind)} - {fault.rule for fault in FAULTS})
    assert not missing, "no fault is planted for " + " ".join(missing)


def test_faults_that_one_test_notices() -> None:
    """All in one process: the tests are collected once, each fault lives in a forked child."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    ended = subprocess.run(
        [sys.executable, "-m", "tests.mutation.planted"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    print(ended.stdout.strip().splitlines()[-1])


@pytest.mark.parametrize("fault", SCRATCH, ids=[fault.name for fault in SCRATCH])
def test_a_planted_fault_is_noticed(fault: Fault, tmp_path) -> None:
    fault.plant(tmp_path)
    said = fault.noticed(tmp_path)
    shutil.rmtree(tmp_path / "src")
    assert said, f"{fault.rule}: {fault.says}; nobody noticed"
    print(said.strip().splitlines()[-1])


def test_a_copy_without_a_fault_is_well(tmp_path) -> None:
    copy_source(tmp_path)
    for storm in ("message_loss", "power_cuts"):
        ended = play(tmp_path, storm, 4, "0-1")
        assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout


def test_every_storm_has_a_fault_that_it_notices() -> None:
    assert sorted({fault.storm for fault in FAULTS} - {""}) == sorted(storms())


def test_what_notices_a_fault_is_played_without_it_too() -> None:
    """The same seeds are part of every run: it is the fault that breaks them."""
    for fault in FAULTS:
        if fault.storm:
            last = int(fault.seeds.split("-")[1])
            assert last < storms()[fault.storm].seeds[fault.count], fault.name
        if fault.council:
            assert int(fault.council.split("-")[1]) < DRAWN, fault.name
