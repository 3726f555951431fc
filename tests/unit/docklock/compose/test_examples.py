"""COMPOSE-15. Three files as people write them, and all that they come to."""

import pytest
import yaml
from tests.unit.docklock.compose import golden
from tests.unit.docklock.compose.golden import EXAMPLES, NAMES, OUTCOMES

from metanode.docklock.compose.keys import SERVICE, SETTINGS, TOP
from metanode.primitives.codec import encode
from metanode.records.workload import WORKLOAD_SPECS, check_spec

EXAMPLE = pytest.mark.parametrize("name", NAMES)


@EXAMPLE
def test_an_example_comes_to_what_it_came_to(name: str) -> None:
    assert golden.outcome(name) == (OUTCOMES / f"{name}.json").read_text()


@EXAMPLE
def test_its_manifests_are_what_they_were(name: str) -> None:
    assert golden.manifests(name) == (OUTCOMES / f"{name}.kubernetes.yaml").read_text()


@EXAMPLE
def test_every_specification_passes_the_agreed_checks_and_survives_its_bytes(name: str) -> None:
    found = golden.read(name)
    assert found.errors == ()
    assert found.exit_status == 0
    assert found.application is not None
    for one in found.application.workloads:
        check_spec(one.spec)
        assert WORKLOAD_SPECS.decode(encode(one.spec)) == one.spec


@EXAMPLE
def test_those_who_are_waited_for_come_first(name: str) -> None:
    application = golden.read(name).application
    assert application is not None
    seen: set[str] = set()
    for one in application.workloads:
        assert {other.workload for other in one.spec.terms.dependencies} <= seen
        seen.add(one.spec.terms.workload)


def test_the_examples_are_all_there_are_and_use_nearly_every_supported_key() -> None:
    assert sorted(one.stem for one in EXAMPLES.glob("*.yaml")) == sorted(NAMES)
    top: set[str] = set()
    services: set[str] = set()
    settings: set[str] = set()
    for name in NAMES:
        file = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
        top |= file.keys()
        settings |= file["x-metanode"].keys()
        for service in file["services"].values():
            services |= service.keys()
            settings |= service.get("x-metanode", {}).keys()
    assert set(TOP) - top == set()
    assert set(SERVICE) - services == set()
    assert set(SETTINGS) - settings == set()
