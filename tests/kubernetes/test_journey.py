"""An agent whose engine is a cluster: a Compose file is applied, placed by the committee, run as pods, and ended."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.containers_run_by_consent import state, until
from tests.journeys.shell import Shell
from tests.journeys.town import free_base
from tests.kubernetes.__main__ import PROGRAMS
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.stage import NAMESPACE

from metanode.host.agent.engines import end_containers

if not os.environ.get(PROGRAMS):
    pytest.skip("KUBERNETES NOT TRIED BY AN AGENT HERE: make test-kubernetes does", allow_module_level=True)

pytestmark = [pytest.mark.live, pytest.mark.root]
FILE = """
name: shop
services:
  web:
    image: {image}
    user: "1000:1000"
    command: ["sh", "-c", "{program}"]
    deploy: {{replicas: 2, resources: {{limits: {{cpus: "0.1", memory: 32m}}}}}}
    healthcheck: {{test: ["CMD", "ls", "/tmp/index.html"], interval: 1s, timeout: 5s}}
    x-metanode: {{engines: [kubernetes]}}
  once:
    image: {image}
    command: ["sh", "-c", "echo done; exit 0"]
    deploy: {{resources: {{limits: {{cpus: "0.1", memory: 32m}}}}}}
    x-metanode: {{engines: [kubernetes], job: {{retries: 0}}}}
"""


PROGRAM = "trap 'exit 3' TERM; echo hello; id -u; echo well > /tmp/index.html; while :; do sleep 0.2; done"


def pods(cluster: Cluster) -> dict[str, Any]:
    found = cluster.ask("GET", f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]
    return {one["metadata"]["name"]: one for one in found}


def steps(bpi: Shell, workload: str) -> list[str]:
    return [item["entry"]["step"] for item in bpi.data(f"receipt list --workload {workload}")["items"]]


def ends(bpi: Shell, workload: str) -> set[int]:
    """Replicas that ended as asked. A kubelet in haste tells no code: that is 137, taken for an end by force."""
    entries = [item["entry"] for item in bpi.data(f"receipt list --workload {workload}")["items"]]
    return {entry["index"] for entry in entries if entry["step"] in ("stopped", "killed")}


def begin(bpi: Shell) -> "subprocess.Popen[bytes]":
    process = bpi.begins("node agent run --data pods")
    until(lambda: state(bpi, "node-k") in ("joining", "active"), "the agent has joined")
    return process


def lived(bpi: Shell, cluster: Cluster) -> None:
    """The life of two workloads, and an agent that is killed in it."""
    (url,) = [node["url"] for node in bpi.data("up")["nodes"]]
    options = f"--engine kubernetes --engine-option kubeconfig={cluster.kubeconfig('agent')} --engine-option pull=never"
    made = bpi.data(
        f"node agent init --cluster main --name node-k --chain {url} --to pods {options} "
        f"--listen 127.0.0.1:{free_base()} --cpus 1 --memory-mib 512"
    )
    process = begin(bpi)
    try:
        bpi.says(f"node admit node-k {made['account']}")
        until(lambda: state(bpi, "node-k") == "active", "let in")
        bpi.says(f"container images import {cluster.folder / 'image.tar'}")
        (bpi.folder / "shop.yaml").write_text(FILE.format(image=cluster.image, program=PROGRAM))
        bpi.says("container apply shop.yaml")
        until(lambda: "healthy" in steps(bpi, "web"), "it was seen to be well")
        until(lambda: "exited" in steps(bpi, "once"), "the job has ended")
        assert {"main.web.0.1", "main.web.1.1"} <= set(pods(cluster))
        assert bpi.says("container logs web.0").split() == ["hello", "1000"]
        assert bpi.run("container exec web.0 sh -c 'exit 7'").status == 7
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        before = {name: one["metadata"]["uid"] for name, one in pods(cluster).items() if "web" in name}
        process = begin(bpi)
        until(lambda: bpi.run("container exec web.1 sh -c 'exit 8'").status == 8, "the next agent adopts what runs")
        assert {name: one["metadata"]["uid"] for name, one in pods(cluster).items() if "web" in name} == before
        bpi.says("container stop web --observe")
        until(lambda: ends(bpi, "web") == {0, 1}, "both were stopped")
        until(lambda: not any("web" in name for name in pods(cluster)), "and its pods are gone")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        end_containers(bpi.folder / "pods")
    assert pods(cluster) == {}


def test_an_agent_runs_its_share_as_pods(cluster: Cluster, tmp_path: Path) -> None:
    bpi = Shell(tmp_path)
    bpi.says(f"up --validators 1 --port-base {free_base()}")
    try:
        lived(bpi, cluster)
    finally:
        bpi.run("down")
