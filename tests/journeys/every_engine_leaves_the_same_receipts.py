"""One Compose file by three engines: what the agents write down differs in the engine, the chain and times alone."""

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from tests.integration.runtimes.served import Service
from tests.integration.runtimes.stand import SERVED, require, wait_for_nothing
from tests.journeys.containers_run_by_consent import until
from tests.journeys.layout import BUSYBOX, make_layout
from tests.journeys.shell import Shell
from tests.journeys.town import free_base

SHOP = """
name: shop
services:
  web:
    image: busy@{digest}
    command: ["/bin/sh", "-c", "{program}"]
    environment: {{GREETING: hello}}
    volumes: ["shelf:/data"]
    user: "1000:1000"
    healthcheck:
      test: ["CMD", "/bin/sh", "-c", "test -f /data/file || exit 1"]
      interval: 500ms
      retries: 3
    deploy: {{resources: {{limits: {{cpus: "0.2", memory: 64m}}}}}}
  once:
    image: metanode.host/usr
    command: ["/bin/sh", "-c", "sleep 2; exit 0"]
    deploy: {{mode: replicated-job, resources: {{limits: {{cpus: "0.2", memory: 64m}}}}}}
volumes: {{shelf: }}
"""
PROGRAM = "trap 'exit 3' TERM; echo $$GREETING; id -u; id -g; echo kept > /data/file; while :; do sleep 1; done"
ENGINES = ("sandbox", "crun", "docker")
APART = ("chain_id", "decision", "engine", "height", "number", "previous", "time_ms")
"""Fields of an entry that are of its chain, its moment, its place in its node's order, and its engine."""


@pytest.fixture(scope="module")
def told() -> dict[str, dict[str, Any]]:
    """What each engine's agent wrote down and its containers said, by the engine."""
    if not BUSYBOX.is_file():
        assert not os.environ.get("CI"), "the CI installs busybox-static"
        pytest.skip("there is no /bin/busybox to make an image of: apt-get install busybox-static")
    found = {}
    for engine in ENGINES:
        require(engine)
        with tempfile.TemporaryDirectory(prefix="mnse-") as folder:
            found[engine] = played(engine, Path(folder))
    return found


def played(engine: str, folder: Path) -> dict[str, Any]:
    """A network of one validator and its agent; the file is applied, looked at, and ended."""
    service = Service(engine, folder / "engine")
    (folder / "home").mkdir()
    shell = Shell(folder / "home")
    if engine in SERVED:
        service.begin()
        shell.environment |= {"DOCKER_HOST": f"unix://{service.socket}", "CONTAINER_HOST": f"unix://{service.socket}"}
    try:
        return lived(shell, engine)
    finally:
        shell.run("down")
        if engine in SERVED:
            service.end()
            wait_for_nothing(service.processes)


def lived(bpi: Shell, engine: str) -> dict[str, Any]:
    """The life of the two workloads."""
    assert f"containers by {engine}" in bpi.says(f"up --validators 1 --engine {engine} --port-base {free_base()}")
    digest = make_layout(bpi.folder / "layout")
    bpi.says("container images import layout")
    (bpi.folder / "shop.yaml").write_text(SHOP.format(digest=digest, program=PROGRAM))
    bpi.says("container apply shop.yaml")
    until(lambda: "healthy" in steps(bpi, "web"), "it was seen to be well")
    assert bpi.run("container exec web.0 /bin/sh -c 'exit 7'").status == 7
    until(lambda: "exited" in steps(bpi, "once"), "the job has ended")
    said = bpi.says("container logs web.0")
    bpi.says("container stop web --observe")
    until(lambda: "stopped" in steps(bpi, "web"), "it was stopped")
    return {"said": said, "entries": {name: entries(bpi, name) for name in ("web", "once")}}


def steps(bpi: Shell, workload: str) -> list[str]:
    return [one["step"] for one in entries(bpi, workload)]


def entries(bpi: Shell, workload: str) -> list[dict[str, Any]]:
    return [item["entry"] for item in bpi.data(f"receipt list --workload {workload}")["items"]]


def without(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry without these, and without the detail that names another entry."""
    details = {name: value for name, value in entry["details"].items() if name != "of"}
    return {name: value for name, value in entry.items() if name not in APART} | {"details": details}


def test_what_the_containers_say_is_the_same(told: dict[str, dict[str, Any]]) -> None:
    said = {engine: one["said"] for engine, one in told.items()}
    assert said == dict.fromkeys(ENGINES, "hello\n1000\n1000\n")


@pytest.mark.parametrize("workload", ["web", "once"])
def test_what_is_written_down_is_the_same_but_for_engine_chain_and_time(
    told: dict[str, dict[str, Any]], workload: str
) -> None:
    expected = [without(entry) for entry in told["sandbox"]["entries"][workload]]
    steps = [entry["step"] for entry in expected]
    assert steps[:2] == ["verified", "created"]
    assert steps[-1] == {"web": "stopped", "once": "exited"}[workload]
    for engine, one in told.items():
        assert [without(entry) for entry in one["entries"][workload]] == expected, engine


def test_each_entry_names_the_engine_that_did_it(told: dict[str, dict[str, Any]]) -> None:
    names = {"sandbox": "sandbox", "crun": "oci", "docker": "docker"}
    for engine, one in told.items():
        found = {entry["engine"] for name in ("web", "once") for entry in one["entries"][name]} - {""}
        assert found == {names[engine]}, engine
