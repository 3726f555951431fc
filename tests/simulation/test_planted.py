"""Every storm and checker is proved by the faults it is for: planted in a scratch copy, each of them is noticed."""

import shutil

import pytest
from tests.simulation.planting import Fault, copy_source, faults, play
from tests.simulation.soak import plans
from tests.simulation.test_councils import DRAWN

FAULTS = faults()


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
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
    assert sorted({fault.storm for fault in FAULTS} - {""}) == sorted(plans())


def test_what_notices_a_fault_is_played_without_it_too() -> None:
    """The same seeds are part of every run: it is the fault that breaks them."""
    for fault in FAULTS:
        if fault.storm:
            last = int(fault.seeds.split("-")[1])
            assert last < plans()[fault.storm].seeds[fault.count], fault.name
        if fault.council:
            assert int(fault.council.split("-")[1]) < DRAWN, fault.name
