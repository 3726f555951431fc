"""COMPOSE-17. Where a pod may run, in the words of Kubernetes: what of a demand is about nodes."""

import re
from collections.abc import Callable
from typing import Any, Final

from metanode.records.demand import DATA_CLASSES, Constraint, Demand

NAME_LABEL: Final = "app.kubernetes.io/name"
"""The label by which pods of a workload are known."""
HOST_LABEL: Final = "kubernetes.io/hostname"
"""The label that tells nodes apart."""
REGION_LABEL: Final = "topology.kubernetes.io/region"
"""What Kubernetes calls the label `region`."""

Tell = Callable[[str, str], None]
"""Says that something cannot be expressed: what, and what to do instead."""

_KEY: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
_VALUE: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
_OPERATORS: Final = {
    "==": "In", "!=": "NotIn", "in": "In", "not-in": "NotIn", "exists": "Exists", "absent": "DoesNotExist",
}  # fmt: skip
_EFFECTS: Final = {"no-schedule": "NoSchedule", "no-execute": "NoExecute", "avoid": "PreferNoSchedule"}
_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


def _expression(key: str, operator: str, values: tuple[str, ...]) -> dict[str, Any]:
    made: dict[str, Any] = {"key": key, "operator": operator}
    if values:
        made["values"] = list(values)
    return made


def _constraint(one: Constraint, tell: Tell) -> list[dict[str, Any]]:
    if not _KEY.fullmatch(one.label) or not all(_VALUE.fullmatch(value) for value in one.values):
        tell(f"the constraint on {one.label!r}: no label of Kubernetes is written so", "rename the label or its values")
        return []
    return [_expression(one.label, _OPERATORS[one.operator], one.values)]


def _data_class(demand: Demand) -> list[dict[str, Any]]:
    """A node takes data up to the class in its label; one that says nothing takes `internal`."""
    level = DATA_CLASSES.index(demand.data_class)
    if level <= DATA_CLASSES.index("internal"):
        below = DATA_CLASSES[:level]
        return [_expression("data-class", "NotIn", below)] if below else []
    return [_expression("data-class", "In", DATA_CLASSES[level:])]


def _beside(names: tuple[str, ...]) -> dict[str, Any]:
    selector = {"matchExpressions": [_expression(NAME_LABEL, "In", names)]}
    return {"labelSelector": selector, "topologyKey": HOST_LABEL}


def affinity(workload: str, demand: Demand, tell: Tell) -> dict[str, Any]:
    """`affinity` of a pod; empty where it may run anywhere."""
    wanted = [found for one in demand.constraints for found in _constraint(one, tell)]
    if demand.architecture:
        wanted.append(_expression("kubernetes.io/arch", "In", (_MACHINES[demand.architecture],)))
    if demand.regions:
        wanted.append(_expression(REGION_LABEL, "In", demand.regions))
    wanted += _data_class(demand)
    apart = [*demand.anti_affinity]
    if demand.node_max == 1:
        apart.append(workload)
    elif demand.node_max > 1:
        tell(f"at most {demand.node_max} replicas on one node", "Kubernetes knows one, or any number")
    made: dict[str, Any] = {}
    if wanted:
        terms = {"nodeSelectorTerms": [{"matchExpressions": wanted}]}
        made["nodeAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": terms}
    if demand.affinity:
        preferred = [{"weight": 100, "podAffinityTerm": _beside(demand.affinity)}]
        made["podAffinity"] = {"preferredDuringSchedulingIgnoredDuringExecution": preferred}
    if apart:
        names = tuple(sorted(apart))
        made["podAntiAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": [_beside(names)]}
    return made


def tolerations(demand: Demand, tell: Tell) -> list[dict[str, Any]]:
    """`tolerations` of a pod."""
    made: list[dict[str, Any]] = []
    for one in demand.tolerations:
        if one.value and not one.key:
            tell(f"a toleration of the value {one.value} of any key", "name the key")
            continue
        entry: dict[str, Any] = {"key": one.key} if one.key else {}
        entry["operator"] = "Equal" if one.value else "Exists"
        if one.value:
            entry["value"] = one.value
        if one.effect:
            entry["effect"] = _EFFECTS[one.effect]
        made.append(entry)
    return made


def spread(workload: str, demand: Demand, tell: Tell) -> list[dict[str, Any]]:
    """`topologySpreadConstraints` of a pod."""
    made: list[dict[str, Any]] = []
    for one in demand.spread:
        if not _KEY.fullmatch(one.label):
            tell(f"the spread over {one.label!r}: no label of Kubernetes is written so", "rename the label")
            continue
        made.append(
            {
                "maxSkew": max(1, one.skew_max),
                "topologyKey": REGION_LABEL if one.label == "region" else one.label,
                "whenUnsatisfiable": "DoNotSchedule" if one.skew_max else "ScheduleAnyway",
                "labelSelector": {"matchLabels": {NAME_LABEL: workload}},
            }
        )
    return made
