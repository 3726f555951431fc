"""COMPOSE-17. Workloads as manifests of Kubernetes: what it has no word for is said in comments and in the answer."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import yaml

from metanode.docklock.compose.findings import ComposeAdvice, Finding
from metanode.docklock.compose.kubernetes.affinity import NAME_LABEL, Tell
from metanode.docklock.compose.kubernetes.pods import NETWORK_LABEL, pod, port_name, priority_class, seconds
from metanode.docklock.compose.translate import Application, Workload

CLAIM: Final = "1Gi"
"""Size of a claim: a Compose file does not say how large a volume is."""


class Converted(msgspec.Struct, frozen=True):
    """COMPOSE-17. The manifests as YAML, and what they do not say."""

    text: str
    findings: tuple[Finding, ...]


class _Pages:
    """Manifests one after another, each below the comments about it."""

    def __init__(self) -> None:
        self.parts: Final[list[str]] = []
        self.findings: Final[list[Finding]] = []

    def add(self, manifest: dict[str, Any], untold: list[str]) -> None:
        """A manifest, and what is to be known of it."""
        comments = "".join(f"# Not expressed: {' '.join(line.split())}\n" for line in untold)
        separate = msgspec.json.decode(msgspec.json.encode(manifest))  # nothing shared, so no anchors are written
        text = yaml.safe_dump(separate, sort_keys=False, allow_unicode=False, width=120)
        self.parts.append(f"{comments}{text}")


def _head(api: str, kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "labels": {NAME_LABEL: name}}}


def _deployment(workload: Workload, tell: Tell) -> dict[str, Any]:
    spec, update = workload.spec, workload.spec.terms.update
    at_once = min(update.parallelism, workload.replicas)
    surge, missing = (at_once, 0) if update.order == "start-first" else (0, at_once)
    if update.delay_ms:
        tell(
            f"a pause of {update.delay_ms} ms between two groups of an update", "Kubernetes goes on when pods are ready"
        )
    if update.failures_max_bp:
        tell(f"that {update.failures_max_bp} of 10,000 replicas may fail in an update", "none may")
    if update.on_failure != "pause":
        tell(f"{update.on_failure} when an update fails", "it stops; `kubectl rollout undo` takes it back")
    if spec.restart.condition != "always" or spec.restart.attempts_max:
        tell("the restart condition: a Deployment always restarts", "make it a job, or accept it")
    name = spec.terms.workload
    return {
        **_head("apps/v1", "Deployment", name),
        "spec": {
            "replicas": workload.replicas,
            "selector": {"matchLabels": {NAME_LABEL: name}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": missing}},
            "minReadySeconds": seconds(update.monitor_ms),
            "template": pod(spec, "Always", tell),
        },
    }


def _job(workload: Workload, tell: Tell) -> dict[str, Any]:
    spec, replicas = workload.spec, workload.replicas
    retries, deadline = spec.terms.job.retries, spec.terms.job.deadline_ms
    never = spec.restart.condition == "no"
    made: dict[str, Any] = {"completions": replicas, "parallelism": replicas}
    if replicas > 1 and never:
        made |= {"completionMode": "Indexed", "backoffLimitPerIndex": retries}
    else:
        made["backoffLimit"] = retries * replicas
    if replicas > 1 and not never:
        tell(f"{retries} retries of each replica", "all share theirs")
    if spec.restart.attempts_max:
        tell(f"at most {spec.restart.attempts_max} restarts on the node", "backoffLimit counts them too")
    if deadline:
        made["activeDeadlineSeconds"] = seconds(deadline)
    made["template"] = pod(spec, "Never" if never else "OnFailure", tell)
    return {**_head("batch/v1", "Job", spec.terms.workload), "spec": made}


def _service(workload: Workload) -> dict[str, Any]:
    terms = workload.spec.terms
    ports = [
        {"name": port_name(port, lambda _what, _fix: None), "port": port.container, "targetPort": port.container,
         "protocol": port.protocol.upper()}
        for port in terms.ports
    ]  # fmt: skip
    spec = {"type": "ClusterIP", "selector": {NAME_LABEL: terms.workload}, "ports": ports}
    return {**_head("v1", "Service", terms.workload), "spec": spec}


def _policy(name: str, selector: dict[str, str], ingress: list[Any], egress: list[Any]) -> dict[str, Any]:
    spec = {
        "podSelector": {"matchLabels": selector},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": ingress,
        "egress": egress,
    }
    return {**_head("networking.k8s.io/v1", "NetworkPolicy", name), "spec": spec}


def _policies(application: Application) -> list[dict[str, Any]]:
    """Those who share a network reach each other and a name server, and nothing else; published ports are open."""
    names = sorted({network for one in application.workloads for network in one.spec.terms.networks})
    dns = {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}
    made: list[dict[str, Any]] = []
    for name in names:
        selector = {f"{NETWORK_LABEL}{name}": "true"}
        peers = [{"podSelector": {"matchLabels": selector}}]
        made.append(_policy(f"network-{name}", selector, [{"from": peers}], [{"to": peers}, dns]))
    for one in application.workloads:
        terms = one.spec.terms
        selector = {NAME_LABEL: terms.workload}
        ports = [{"protocol": p.protocol.upper(), "port": p.container} for p in terms.ports if p.published]
        if ports or not terms.networks:
            made.append(_policy(f"service-{terms.workload}", selector, [{"ports": ports}] if ports else [], []))
    return made


def _claims(application: Application) -> list[dict[str, Any]]:
    names = sorted({volume for one in application.workloads for volume in one.spec.terms.demand.volumes})
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": CLAIM}}}
    return [{**_head("v1", "PersistentVolumeClaim", name), "spec": spec} for name in names]


def _priorities(application: Application) -> list[dict[str, Any]]:
    made: dict[str, dict[str, Any]] = {}
    for one in application.workloads:
        demand = one.spec.terms.demand
        if demand.priority or demand.preempts:
            name = priority_class(one.spec)
            policy = "PreemptLowerPriority" if demand.preempts else "Never"
            rest = {"value": demand.priority, "preemptionPolicy": policy, "globalDefault": False}
            made[name] = {**_head("scheduling.k8s.io/v1", "PriorityClass", name), **rest}
    return [made[name] for name in sorted(made)]


def _teller(workload: Workload, untold: list[str], pages: _Pages) -> Callable[[str, str], None]:
    def tell(what: str, fix: str) -> None:
        untold.append(f"{what}; {fix}")
        path = f"services.{workload.spec.terms.workload}"
        pages.findings.append(Finding(ComposeAdvice.NOT_CONVERTED, workload.line, 1, path, what, "", fix))

    return tell


def convert(application: Application) -> Converted:
    """COMPOSE-17. The manifests of an application, and what they do not say."""
    pages = _Pages()
    for manifest in _priorities(application):
        pages.add(manifest, [])
    for manifest in _claims(application):
        pages.add(manifest, [f"the size of a volume is not in the file: {CLAIM} is asked for"])
    for one in application.workloads:
        untold: list[str] = []
        tell = _teller(one, untold, pages)
        manifest = _job(one, tell) if one.spec.terms.kind == "job" else _deployment(one, tell)
        pages.add(manifest, untold)
        if one.spec.terms.ports:
            pages.add(_service(one), [])
    for manifest in _policies(application):
        pages.add(manifest, [])
    for name in sorted({volume for one in application.workloads for volume in one.spec.terms.demand.volumes}):
        first = next(one for one in application.workloads if name in one.spec.terms.demand.volumes)
        says, fix = f"how large the volume {name} is", f"{CLAIM} is asked for: correct it"
        path = f"services.{first.spec.terms.workload}.volumes"
        pages.findings.append(Finding(ComposeAdvice.NOT_CONVERTED, first.line, 1, path, says, "", fix))
    return Converted("---\n".join(pages.parts), tuple(pages.findings))
