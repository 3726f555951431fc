"""Where an engine is that is reached by a socket, and what placement calls it."""

from pathlib import Path

import pytest

from metanode.host.agent.engines import ENGINES, KUBERNETES, SOCKETS, driver_name, socket_of
from metanode.records.demand import ENGINES as DRIVERS


def test_a_socket_is_the_given_one_else_the_variables_else_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for engine, (variable, usual) in SOCKETS.items():
        monkeypatch.delenv(variable, raising=False)
        assert socket_of(engine, "") == Path(usual)
        monkeypatch.setenv(variable, "unix:///elsewhere/s.sock")
        assert socket_of(engine, "") == Path("/elsewhere/s.sock")
        assert socket_of(engine, "/given") == Path("/given")


def test_every_engine_has_a_name_that_placement_knows() -> None:
    assert {driver_name(engine) for engine in ENGINES} <= set(DRIVERS)
    assert (driver_name("podman"), driver_name("runc")) == ("docker", "oci")


def test_a_cluster_is_used_only_where_it_is_asked_for() -> None:
    assert KUBERNETES not in ENGINES
    assert driver_name(KUBERNETES) == "kubernetes"
