"""Nothing that a specification says is lost on the way to a container: every field changes the plan, or is acted on by
the part of the agent that the table names."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields, replace
from tests.architecture.source import ROOT
from tests.unit.docklock.agent.desk import SPEC
from tests.unit.docklock.cluster.town import terms

from metanode.docklock.images.configs import Run
from metanode.host.agent.planning import NO_IMAGE, Unpacked, plan_of
from metanode.host.agent.secrets import READABLE
from metanode.host.runtimes.plan import Mount as PlanMount
from metanode.host.runtimes.plan import Secret
from metanode.host.runtimes.plan import Temporary as PlanTemporary
from metanode.primitives.refusal import Rejected
from metanode.records.workload import (
    CAPABILITIES,
    GRACE_MS_MAX,
    LOG_FILES_MAX,
    PIDS_MAX,
    SIGNALS,
    Mount,
    Port,
    SecretFile,
    Temporary,
    Terms,
    Variable,
    WorkloadSpec,
    check_spec,
)

IMAGE = Unpacked("/image", Run(entrypoint=("/entry",), command=("image",), folder="/srv", user="7:7"))
VOLUMES = Path("/volumes")
BASE = replace(SPEC, terms=terms(demand={"memory_kib": 65_536}), command=(), read_only=False)
PLANNED: dict[str, Any] = {
    "command": ("/other",),
    "arguments": ("other",),
    "environment": (Variable(name="A", value="1"),),
    "working_directory": "/other",
    "user": "8:9",
    "hostname": "other",
    "read_only": True,
    "temporary": (Temporary(target="/scratch", size_kib=64),),
    "capabilities": CAPABILITIES,
    "mounts": (Mount(volume="data", target="/data", read_only=True),),
    "pids_max": 65,
    "stop_signal": "SIGINT",
    "stop_grace_ms": 1,
    "log_bytes_max": 8_192,
    "log_files_max": 5,
}
"""Another value of each field that the plan shows."""
ELSEWHERE = {
    "terms": "host/agent/planning.py",
    "image": "cli/bpi/commands/container_run.py",
    "secrets": "host/agent/secrets.py",
    "health": "docklock/agent/machine.py",
    "restart": "docklock/agent/rules.py",
    "egress": "host/agent/mesh/",
    "inputs": "host/agent/witnessed.py",
    "outputs": "host/agent/witnessed.py",
    "agreement": "docklock/compose/",  # pinned by the digest of the specification, and so far nothing more
}
"""Fields that are acted on elsewhere, and the file or folder that does."""
OF_TERMS: dict[str, str] = {
    "workload": "docklock/cluster/",
    "kind": "docklock/cluster/",
    "demand": "docklock/cluster/",
    "update": "docklock/cluster/",
    "job": "docklock/cluster/",
    "dependencies": "docklock/cluster/",
    "ports": "docklock/mesh/",
    "networks": "docklock/mesh/",
    "deterministic": "host/agent/",
    "balance": "docklock/mesh/",
}


def planned(spec: WorkloadSpec) -> Any:
    return plan_of("main.web.0.1", 0, spec, IMAGE, VOLUMES, ())


@pytest.mark.parametrize("field", [one.name for one in fields(WorkloadSpec)])
def test_every_field_of_a_specification_has_an_effect(field):
    if field in PLANNED:
        assert planned(replace(BASE, **{field: PLANNED[field]})) != planned(BASE)
    else:
        assert acts(ELSEWHERE[field], field)


@pytest.mark.parametrize("field", [one.name for one in fields(Terms)])
def test_every_field_of_its_terms_has_an_effect(field):
    assert acts(OF_TERMS[field], field)


def acts(where: str, field: str) -> bool:
    """Whether something there reads a field of this name."""
    path = ROOT / "src" / "metanode" / where
    files = [path] if path.is_file() else sorted(path.rglob("*.py"))
    return any(f".{field}" in one.read_text() for one in files)


def test_what_is_said_is_what_the_plan_has():
    plan = planned(replace(BASE, **PLANNED))
    assert plan.command == ("/other", "other")
    assert dict(plan.env) == {"METANODE_WORKLOAD": "web", "METANODE_REPLICA": "0", "A": "1"}
    assert (plan.workdir, plan.uid, plan.gid, plan.hostname, plan.read_only_root) == ("/other", 8, 9, "other", True)
    assert plan.temporary == (PlanTemporary("/scratch", 64 << 10),)
    assert plan.mounts == (PlanMount("/volumes/data", "/data", True),)
    assert (plan.limits.memory_bytes, plan.limits.cpu_millicores, plan.limits.pids) == (64 << 20, 500, 65)
    assert (plan.stop_signal, plan.stop_grace_ms, plan.log.file_bytes, plan.log.files) == ("INT", 1, 8_192, 5)
    assert planned(BASE).hostname == "web", "its own name where none is said"


def test_a_tmpfs_without_a_size_holds_at_most_the_containers_memory():
    plan = planned(replace(BASE, temporary=(Temporary(target="/tmp", size_kib=0),)))
    assert plan.temporary == (PlanTemporary("/tmp", 64 << 20),)


PATHS = st.sampled_from(
    [
        "/a",
        "/a/b",
        "/b",
        "/data",
        "/run",
        "/run/secrets",
        "/tmp",
        "/etc",
        "/etc/x",
        "/proc/x",
        "/usr/share/x",
        "/dev/shm",
    ]
)


@given(
    mounts=st.lists(PATHS, max_size=3, unique=True),
    temporary=st.lists(PATHS, max_size=3, unique=True),
    secrets=st.lists(st.tuples(PATHS, st.sampled_from(["x", "y", "x/z"])), max_size=3, unique=True),
    mode=st.sampled_from([0o400, 0o444, 0o644, 0o777]),
    numbers=st.tuples(st.integers(1, PIDS_MAX), st.integers(0, GRACE_MS_MAX), st.integers(1, LOG_FILES_MAX)),
    signal=st.sampled_from(SIGNALS),
)
def test_what_passes_as_a_specification_is_a_plan(mounts, temporary, secrets, mode, numbers, signal):
    """What is wrong with a file is said by lint with its line, not by a node that refuses."""
    files = tuple(
        SecretFile(secret="s", version=1, commitment=bytes(32), target=f"{folder}/{name}", mode=mode)
        for folder, name in sorted(set(secrets), key="/".join)
    )
    spec = replace(
        BASE,
        terms=terms(demand={"memory_kib": 65_536, "volumes": ("data",) if mounts else ()}),
        command=("/x",),
        mounts=tuple(Mount(volume="data", target=target, read_only=False) for target in sorted(mounts)),
        temporary=tuple(Temporary(target=target, size_kib=1) for target in sorted(temporary)),
        secrets=files,
        pids_max=numbers[0],
        stop_grace_ms=numbers[1],
        log_files_max=numbers[2],
        stop_signal=signal,
    )
    try:
        check_spec(spec)
    except Rejected:
        return
    given_to_it = tuple(Secret(one.target, b"", one.mode & READABLE) for one in spec.secrets)
    plan = plan_of("main.web.0.1", 0, spec, NO_IMAGE, VOLUMES, given_to_it)
    assert len(plan.secrets) == len(files)


def test_a_published_port_is_the_demands():
    """It is a port of the node from placement on (PLACE-20), and held by the agent until it is free (AGENT-4)."""
    port = Port(name="http", container=80, published=8080, protocol="tcp")
    check_spec(replace(BASE, terms=terms(demand={"ports": (8080,)}, ports=(port,)), command=("/x",)))
