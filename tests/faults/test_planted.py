"""Faults planted in a copy of the node: the lines they replace are there, and `make soak` plays each."""

import ast

import pytest
from tests.faults.planted import PLANTED
from tests.faults.play import PROMISES
from tests.faults.schedule import decode


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.name)
def test_the_lines_are_there_and_what_is_planted_is_a_program(plant, tmp_path):
    source = plant.plant(tmp_path)
    for file, _, _ in plant.lines:
        ast.parse((source / "metanode" / file).read_text())
    assert set(plant.noticed_by) <= set(PROMISES)
    assert decode(plant.schedule).faults
