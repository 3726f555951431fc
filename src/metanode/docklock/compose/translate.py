"""COMPOSE-15. A file's values into workload specifications, those first that others wait for."""

from typing import Final

import msgspec

from metanode.docklock.compose.environment import Outside
from metanode.docklock.compose.findings import ComposeRefusal, Notes
from metanode.docklock.compose.model import ComposeText, SecretSource, ServiceText
from metanode.docklock.compose.order import in_order
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.demand import Constraint, Demand, Spread
from metanode.records.workload import (
    SPEC_BYTES_MAX,
    TERMS_BYTES_MAX,
    Job,
    Restart,
    Terms,
    WorkloadSpec,
    check_spec,
)

CPU_MILLICORES: Final = 100
"""Cores where the file says nothing: a tenth."""
MEMORY_KIB: Final = 131_072
"""Memory where the file says nothing: 128 MiB."""
PIDS_MAX: Final = 256
"""Processes and threads where the file says nothing."""

_IMPORT: Final = "`bpi container images import FILE`, or write the digest: NAME@sha256:…"


class Workload(msgspec.Struct, frozen=True):
    """A specification with the number of its replicas, and the line of its service."""

    spec: WorkloadSpec
    replicas: int
    line: int


class Application(msgspec.Struct, frozen=True):
    """COMPOSE-15. What a file asks for: workloads in the order of their dependencies, and the secrets that must be
    there first. `cluster` is empty where the file does not name one."""

    name: str
    cluster: str
    workloads: tuple[Workload, ...]
    secrets: tuple[SecretSource, ...]


def _digest(service: ServiceText, notes: Notes, outside: Outside) -> bytes:
    """COMPOSE-7. The manifest's digest: as it is written, else as the resolver knows it; none for the node's /usr."""
    image = service.image
    if not image.reference:
        return bytes(32)  # no reference could be read: that was noted
    if image.is_host:
        return b""
    digest = image.digest or outside.image(image.reference)
    if digest is None:
        says = f"no image {image.reference[:80]!r} is known here"
        service.at("image").say(notes, ComposeRefusal.UNKNOWN_IMAGE, says, "an imported image, or a digest", _IMPORT)
        return bytes(32)
    return digest


def _constraints(service: ServiceText) -> tuple[Constraint, ...]:
    known: dict[str, Constraint] = {}
    for one in (*service.deploy.constraints, *service.settings.constraints):
        known[f"{one.label} {one.operator}"] = one
    return tuple(known[key] for key in sorted(known))


def _spread(service: ServiceText) -> tuple[Spread, ...]:
    known = {one.label: one for one in (*service.deploy.spread, *service.settings.spread)}
    return tuple(known[label] for label in sorted(known))


def _demand(service: ServiceText, notes: Notes, outside: Outside) -> Demand:
    resources, settings = service.deploy.resources, service.settings
    machines = {one for one in (service.deploy.architecture, settings.architecture) if one}
    if len(machines) > 1:
        at = service.at("x-metanode")
        at.say(notes, ComposeRefusal.CONTRADICTION, " and ".join(sorted(machines)), "one architecture", "take one out")
    return Demand(
        image=_digest(service, notes, outside),
        cpu_millicores=CPU_MILLICORES if resources.cpu_millicores is None else resources.cpu_millicores,
        memory_kib=MEMORY_KIB if resources.memory_kib is None else resources.memory_kib,
        architecture=min(machines, default=""),
        engines=settings.engines,
        ports=tuple(sorted({port.published for port in service.ports if port.published})),
        volumes=tuple(sorted({mount.volume for mount in service.files.mounts})),
        constraints=_constraints(service),
        tolerations=tuple(sorted(settings.tolerations, key=lambda one: f"{one.key} {one.value} {one.effect}")),
        spread=_spread(service),
        affinity=settings.affinity,
        anti_affinity=settings.anti_affinity,
        node_max=service.deploy.node_max,
        regions=settings.regions,
        data_class=settings.data_class,
        strategy=settings.strategy,
        priority=settings.priority,
        preempts=settings.preempts,
    )


def _restart(service: ServiceText, notes: Notes, *, is_job: bool) -> Restart:
    """COMPOSE-8. What is said; else a service is always started again, and a job is left to its retries."""
    said = service.deploy.restart
    if said is None:
        return Restart(condition="no" if is_job else "always", attempts_max=0, delay_ms=100, window_ms=0)
    if is_job and said.condition == "always":
        at = service.at("restart" if "restart" in service.keys else "deploy")
        fix = 'write `restart: "no"` or `restart: on-failure`'
        at.say(notes, ComposeRefusal.CONTRADICTION, "a job that is always started again", "no, on-failure", fix)
    return said


def _terms(service: ServiceText, notes: Notes, outside: Outside, *, is_job: bool) -> Terms:
    return Terms(
        workload=service.name,
        kind="job" if is_job else "service",
        demand=_demand(service, notes, outside),
        update=service.deploy.update,
        job=service.settings.job or Job(retries=0, deadline_ms=0),
        dependencies=service.dependencies,
        ports=service.ports,
        networks=service.networks,
        deterministic=service.settings.deterministic,
        balance=service.settings.balance,
    )


def _command(service: ServiceText, notes: Notes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """COMPOSE-6. What replaces the image's entrypoint, and what its arguments."""
    process, is_host = service.process, service.image.is_host
    entrypoint, arguments = process.entrypoint or (), process.command or ()
    if not entrypoint and (process.entrypoint is not None or is_host):
        entrypoint, arguments = arguments, ()  # no entrypoint of an image: the command stands alone
        if not entrypoint:
            at = service.at("image" if process.entrypoint is None else "entrypoint")
            says = "the node's own /usr runs nothing by itself" if is_host else "no entrypoint, and no command"
            fix = "write `command: [PROGRAM, …]`"
            at.say(notes, ComposeRefusal.NO_COMMAND, says, "command or entrypoint", fix)
    elif process.command == () and not entrypoint:
        reason = "words: the image's own arguments cannot be taken away without its entrypoint"
        fix = "take it out, or write `entrypoint` too"
        service.at("command").say(notes, ComposeRefusal.UNSUPPORTED_VALUE, "an empty command", reason, fix)
    return entrypoint, arguments


def _spec(service: ServiceText, notes: Notes, outside: Outside, *, is_job: bool) -> WorkloadSpec:
    process, files, pids = service.process, service.files, service.deploy.resources.pids_max
    entrypoint, arguments = _command(service, notes)
    return WorkloadSpec(
        terms=_terms(service, notes, outside, is_job=is_job),
        image=service.image.reference,
        command=entrypoint,
        arguments=arguments,
        environment=process.environment,
        working_directory=process.working_directory,
        user=process.user,
        hostname=process.hostname,
        read_only=files.read_only,
        temporary=files.temporary,
        capabilities=process.capabilities,
        mounts=files.mounts,
        secrets=files.secrets,
        pids_max=PIDS_MAX if pids is None else pids,
        stop_signal=process.stop_signal,
        stop_grace_ms=process.stop_grace_ms,
        log_bytes_max=process.log_bytes_max,
        log_files_max=process.log_files_max,
        health=() if process.health is None else (process.health,),
        restart=_restart(service, notes, is_job=is_job),
        egress=service.settings.egress,
        agreement=service.settings.agreement,
        inputs=service.settings.inputs,
        outputs=service.settings.outputs,
    )


def _reachable(service: ServiceText, others: dict[str, ServiceText], jobs: set[str], notes: Notes) -> None:
    """COMPOSE-14. A condition that the other one can never reach would be waited for without end."""
    for one in service.dependencies:
        at = service.at("depends_on")
        if one.condition == "healthy" and others[one.workload].process.health is None:
            says = f"{one.workload} has no health check, so it is never healthy"
            fix = f"give {one.workload} a healthcheck, or wait for service_started"
            at.say(notes, ComposeRefusal.NEVER_REACHED, says, "service_started", fix)
        if one.condition == "completed" and one.workload not in jobs:
            says = f"{one.workload} is restarted when it ends, so it is never completed"
            fix = f'write `restart: "no"` for {one.workload}'
            at.say(notes, ComposeRefusal.NEVER_REACHED, says, "service_started, service_healthy", fix)


def _check(service: ServiceText, spec: WorkloadSpec, notes: Notes) -> None:
    """COMPOSE-15. What only the whole specification can tell; after other errors it would say the same again."""
    if notes.errors:
        return
    try:
        check_spec(spec)
    except Rejected as rejected:
        service.spot.say(notes, rejected.reason, rejected.detail)
    sizes = ((len(encode(spec)), SPEC_BYTES_MAX, "specification"), (len(encode(spec.terms)), TERMS_BYTES_MAX, "terms"))
    for size, most, what in sizes:
        if size > most:
            fix = "put long texts into the image or a volume"
            service.spot.say(notes, ComposeRefusal.TOO_LARGE, f"{what} of {size} bytes", f"at most {most}", fix)


def jobs_of(text: ComposeText) -> set[str]:
    """COMPOSE-8. The services that run to their end: those that say so, and those whose end another waits for, unless
    they say that they are always restarted."""
    awaited = {
        one.workload for service in text.services for one in service.dependencies if one.condition == "completed"
    }
    return {
        one.name
        for one in text.services
        if one.deploy.is_job
        or one.settings.job is not None
        or (one.name in awaited and (one.deploy.restart is None or one.deploy.restart.condition != "always"))
    }


def translate(text: ComposeText, notes: Notes, outside: Outside) -> Application:
    """COMPOSE-15. The application that a file without errors asks for; what is found wrong now is noted. There must be
    no circle of dependencies."""
    jobs = jobs_of(text)
    others = {one.name: one for one in text.services}
    made: list[Workload] = []
    for name in in_order(text.waits):
        service = others[name]
        _reachable(service, others, jobs, notes)
        spec = _spec(service, notes, outside, is_job=name in jobs)
        _check(service, spec, notes)
        made.append(Workload(spec, service.deploy.replicas, service.spot.place.line))
    used = {secret.secret for one in made for secret in one.spec.secrets}
    sources = {one.name: one for one in text.declared.secrets.values() if one.name in used}
    return Application(text.name, text.cluster, tuple(made), tuple(sources[name] for name in sorted(sources)))
