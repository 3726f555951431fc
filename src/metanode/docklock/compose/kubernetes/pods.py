"""COMPOSE-17. A replica as a pod of Kubernetes."""

from typing import Any, Final

from metanode.docklock.compose.kubernetes.affinity import NAME_LABEL, Tell, affinity, spread, tolerations
from metanode.docklock.compose.model import HOST_IMAGE
from metanode.docklock.compose.services import LOG_BYTES_MAX, LOG_FILES_MAX
from metanode.docklock.compose.translate import PIDS_MAX
from metanode.records.workload import HealthCheck, Port, WorkloadSpec

NETWORK_LABEL: Final = "metanode.network/"
"""Prefix of the labels that say in which networks a pod is."""
SECRET_KEY: Final = "value"  # noqa: S105 - the name of an entry, no secret
"""The entry of a Secret that holds the bytes."""
PORT_NAME_CHARACTERS_MAX: Final = 15
"""Longest name of a port in Kubernetes."""


def seconds(milliseconds: int) -> int:
    """Whole seconds, rounded up: Kubernetes counts in no smaller ones."""
    return -(-milliseconds // 1_000)


def labels(spec: WorkloadSpec) -> dict[str, str]:
    """The labels of a pod: its workload, and its networks."""
    made = {NAME_LABEL: spec.terms.workload}
    made.update({f"{NETWORK_LABEL}{network}": "true" for network in spec.terms.networks})
    return made


def port_name(port: Port, tell: Tell) -> str:
    """The name of a port, short enough."""
    if len(port.name) <= PORT_NAME_CHARACTERS_MAX and "--" not in port.name:
        return port.name
    short = f"{port.protocol}-{port.container}"
    tell(f"the name {port.name!r} of a port: at most 15 characters and no --", f"it is called {short}")
    return short


def literal(word: str) -> str:
    """The word as it is after Kubernetes has replaced `$(NAME)` and made one dollar of two."""
    return word.replace("$", "$$") if "$(" in word or "$$" in word else word


def _image(spec: WorkloadSpec, tell: Tell) -> str:
    if spec.image == HOST_IMAGE:
        tell("the node's own /usr: a pod needs an image", "name an image that holds what it runs")
    elif any(spec.terms.demand.image) and "@" not in spec.image:
        return f"{spec.image}@sha256:{spec.terms.demand.image.hex()}"
    return spec.image


def _probe(check: HealthCheck, threshold: int) -> dict[str, Any]:
    match check.probe:
        case "command":
            how: dict[str, Any] = {"exec": {"command": list(check.command)}}
        case "http":
            how = {"httpGet": {"path": check.path, "port": check.port}}
        case _:
            how = {"tcpSocket": {"port": check.port}}
    times = {
        "periodSeconds": max(1, seconds(check.interval_ms)),
        "timeoutSeconds": max(1, seconds(check.timeout_ms)),
        "failureThreshold": threshold,
    }
    return {**how, **times}


def _probes(spec: WorkloadSpec, tell: Tell) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for check in spec.health:
        if check.interval_ms % 1_000 or check.timeout_ms % 1_000:
            tell("parts of a second in the health check", "they are rounded up")
        if check.start_period_ms:
            waited = -(-check.start_period_ms // check.interval_ms)
            made["startupProbe"] = _probe(check, waited + check.retries)
        if spec.terms.kind == "service":
            made["readinessProbe"] = _probe(check, check.retries)
        made["livenessProbe"] = _probe(check, check.retries)
    return made


def _security(spec: WorkloadSpec, tell: Tell) -> dict[str, Any]:
    made: dict[str, Any] = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": spec.read_only,
        "capabilities": {"drop": ["ALL"]},
    }
    if spec.capabilities:
        made["capabilities"]["add"] = list(spec.capabilities)
    user, _, group = spec.user.partition(":")
    for key, word in (("runAsUser", user), ("runAsGroup", group)):
        if word.isdecimal():
            made[key] = int(word)
        elif word:
            tell(f"the user or group {word!r}: Kubernetes takes numbers alone", "write `user: uid:gid`")
    return made


def _mounts(spec: WorkloadSpec) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """`volumeMounts` of the container, `volumes` of the pod."""
    volumes: list[dict[str, Any]] = [
        {"name": f"volume-{volume}", "persistentVolumeClaim": {"claimName": volume}}
        for volume in spec.terms.demand.volumes
    ]
    mounts: list[dict[str, Any]] = [
        {"name": f"volume-{mount.volume}", "mountPath": mount.target, "readOnly": mount.read_only}
        for mount in spec.mounts
    ]
    for number, one in enumerate(spec.temporary):
        memory = {"medium": "Memory", **({"sizeLimit": f"{one.size_kib}Ki"} if one.size_kib else {})}
        volumes.append({"name": f"tmpfs-{number}", "emptyDir": memory})
        mounts.append({"name": f"tmpfs-{number}", "mountPath": one.target})
    for number, secret in enumerate(spec.secrets):
        file = secret.target.rpartition("/")[2]
        item = {"key": SECRET_KEY, "path": file, "mode": secret.mode}
        volumes.append({"name": f"secret-{number}", "secret": {"secretName": secret.secret, "items": [item]}})
        mounts.append({"name": f"secret-{number}", "mountPath": secret.target, "subPath": file, "readOnly": True})
    return mounts, volumes


def _container(spec: WorkloadSpec, tell: Tell) -> dict[str, Any]:
    demand = spec.terms.demand
    amounts = {"cpu": f"{demand.cpu_millicores}m", "memory": f"{demand.memory_kib}Ki"}
    made: dict[str, Any] = {"name": spec.terms.workload, "image": _image(spec, tell)}
    if spec.command:
        made["command"] = [literal(word) for word in spec.command]
    if spec.arguments:
        made["args"] = [literal(word) for word in spec.arguments]
    if spec.working_directory:
        made["workingDir"] = spec.working_directory
    if spec.environment:
        made["env"] = [{"name": one.name, "value": literal(one.value)} for one in spec.environment]
    ports: list[dict[str, Any]] = []
    for port in spec.terms.ports:
        entry = {"name": port_name(port, tell), "containerPort": port.container, "protocol": port.protocol.upper()}
        ports.append({**entry, "hostPort": port.published} if port.published else entry)
    if ports:
        made["ports"] = ports
    made["resources"] = {"requests": amounts, "limits": dict(amounts)}
    made["securityContext"] = _security(spec, tell)
    made.update(_probes(spec, tell))
    mounts, _ = _mounts(spec)
    if mounts:
        made["volumeMounts"] = mounts
    return made


def _untold(spec: WorkloadSpec, tell: Tell) -> None:
    """What a pod has no word for."""
    demand = spec.terms.demand
    for one in spec.terms.dependencies:
        tell(f"that it waits until {one.workload} is {one.condition}", "let it try again until it finds it")
    if spec.terms.deterministic:
        tell("deterministic", "run it under Metanode where that matters")
    if demand.engines:
        tell(f"the engines {', '.join(demand.engines)}", "name a runtimeClassName of your cluster")
    if demand.strategy:
        tell(f"the strategy {demand.strategy}", "it is the scheduler's, for all pods")
    if spec.pids_max != PIDS_MAX:
        tell(f"at most {spec.pids_max} processes", "set podPidsLimit of the kubelets")
    if (spec.log_bytes_max, spec.log_files_max) != (LOG_BYTES_MAX, LOG_FILES_MAX):
        tell("the bounds of the kept output", "set containerLogMaxSize and containerLogMaxFiles of the kubelets")
    if spec.stop_signal != "SIGTERM":
        tell(f"the signal {spec.stop_signal}", "set STOPSIGNAL in the image")
    if spec.egress:
        tell(f"destinations by name: {', '.join(spec.egress)}", "allow their addresses in a NetworkPolicy")
    if spec.agreement:
        tell(f"the agreement {spec.agreement.hex()[:16]}…", "nothing in Kubernetes holds to it")
    for secret in spec.secrets:
        tell(f"the secret {secret.secret} itself", f"create a Secret of this name with the entry {SECRET_KEY}")


def pod(spec: WorkloadSpec, restart: str, tell: Tell) -> dict[str, Any]:
    """`template` of a Deployment or a Job."""
    workload, demand = spec.terms.workload, spec.terms.demand
    _untold(spec, tell)
    made: dict[str, Any] = {
        "restartPolicy": restart,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": seconds(spec.stop_grace_ms),
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
    }
    if spec.hostname:
        made["hostname"] = spec.hostname
    if demand.priority or demand.preempts:
        made["priorityClassName"] = priority_class(spec)
    where = {
        "affinity": affinity(workload, demand, tell),
        "tolerations": tolerations(demand, tell),
        "topologySpreadConstraints": spread(workload, demand, tell),
    }
    made |= {key: value for key, value in where.items() if value}
    made["containers"] = [_container(spec, tell)]
    _, volumes = _mounts(spec)
    if volumes:
        made["volumes"] = volumes
    return {"metadata": {"labels": labels(spec)}, "spec": made}


def priority_class(spec: WorkloadSpec) -> str:
    """The name of the PriorityClass of a workload."""
    demand = spec.terms.demand
    return f"metanode-{demand.priority}{'-preempts' if demand.preempts else ''}"
