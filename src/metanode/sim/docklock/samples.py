"""Workloads of the pretend cluster."""

from typing import Final

from msgspec.structs import replace

from metanode.records.demand import Demand
from metanode.records.workload import HealthCheck, Job, Port, Restart, Terms, Update, WorkloadSpec

DEMAND: Final = Demand(
    image=b"",
    cpu_millicores=500,
    memory_kib=65_536,
    architecture="",
    engines=(),
    ports=(),
    volumes=(),
    constraints=(),
    tolerations=(),
    spread=(),
    affinity=(),
    anti_affinity=(),
    node_max=0,
    regions=(),
    data_class="public",
    strategy="",
    priority=100,
    preempts=False,
)
"""Half a core."""
UPDATE: Final = Update(
    parallelism=1, order="stop-first", delay_ms=0, monitor_ms=0, failures_max_bp=0, on_failure="rollback"
)
CHECK: Final = HealthCheck(
    probe="http", command=(), port=80, path="/", interval_ms=200, timeout_ms=100, retries=3, start_period_ms=2_000
)


def service(
    name: str,
    cpu_millicores: int = 500,
    *,
    priority: int = 100,
    preempts: bool = False,
    update: Update = UPDATE,
    version: str = "1",
    node_max: int = 0,
    ports: tuple[int, ...] = (),
) -> WorkloadSpec:
    """A web service with a health check; `version` tells its revisions apart."""
    demand = replace(
        DEMAND, cpu_millicores=cpu_millicores, priority=priority, preempts=preempts, node_max=node_max, ports=ports
    )
    terms = Terms(
        workload=name,
        kind="service",
        demand=demand,
        update=update,
        job=Job(retries=0, deadline_ms=0),
        dependencies=(),
        ports=tuple(Port(name=f"p{port}", container=port, published=port, protocol="tcp") for port in ports),
        networks=("default",),
        deterministic=False,
    )
    return WorkloadSpec(
        terms=terms,
        image="metanode.host/usr",
        command=("/usr/bin/serve", version),
        arguments=(),
        environment=(),
        working_directory="",
        user="",
        hostname="",
        read_only=True,
        temporary=(),
        capabilities=(),
        mounts=(),
        secrets=(),
        pids_max=64,
        stop_signal="SIGTERM",
        stop_grace_ms=300,
        log_bytes_max=65_536,
        log_files_max=2,
        health=(CHECK,),
        restart=Restart(condition="always", attempts_max=0, delay_ms=100, window_ms=0),
        egress=(),
        agreement=b"",
    )


def job(name: str, cpu_millicores: int = 500, *, retries: int = 3, priority: int = 100) -> WorkloadSpec:
    """A job without a health check."""
    usual = service(name, cpu_millicores, priority=priority)
    terms = replace(usual.terms, kind="job", job=Job(retries=retries, deadline_ms=0))
    return replace(usual, terms=terms, health=(), restart=replace(usual.restart, condition="no"))
