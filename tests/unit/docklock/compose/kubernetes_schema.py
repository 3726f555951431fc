"""What Kubernetes takes, read from its API reference (1.29 and later): fields, types and the rules between them, for
the kinds that are made here. Unknown fields are errors, as with `kubectl --validate=strict`."""

import re
from collections.abc import Iterator
from typing import Any

NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
LABEL_KEY = re.compile(r"(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
LABEL_VALUE = re.compile(r"|[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
QUANTITY = re.compile(r"[0-9]+(?:m|Ki|Mi|Gi)?")
PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9](?:[a-z0-9-]{0,13}[a-z0-9])?")

LABELS = {"*": str}
EXPRESSION = {"key!": str, "operator!": ("In", "NotIn", "Exists", "DoesNotExist"), "values": [str]}
SELECTOR = {"matchLabels": LABELS, "matchExpressions": [EXPRESSION]}
POD_TERM = {"labelSelector": SELECTOR, "topologyKey!": str}
PROBE = {
    "exec": {"command!": [str]},
    "httpGet": {"path": str, "port!": int},
    "tcpSocket": {"port!": int},
    "periodSeconds": int,
    "timeoutSeconds": int,
    "failureThreshold": int,
}
CONTAINER = {
    "name!": str,
    "image!": str,
    "command": [str],
    "args": [str],
    "workingDir": str,
    "env": [{"name!": str, "value": str}],
    "ports": [{"name": str, "containerPort!": int, "hostPort": int, "protocol": ("TCP", "UDP")}],
    "resources": {"requests": LABELS, "limits": LABELS},
    "securityContext": {
        "allowPrivilegeEscalation": bool,
        "readOnlyRootFilesystem": bool,
        "runAsUser": int,
        "runAsGroup": int,
        "capabilities": {"add": [str], "drop": [str]},
    },
    "startupProbe": PROBE,
    "readinessProbe": PROBE,
    "livenessProbe": PROBE,
    "volumeMounts": [{"name!": str, "mountPath!": str, "subPath": str, "readOnly": bool}],
}
VOLUME = {
    "name!": str,
    "persistentVolumeClaim": {"claimName!": str},
    "emptyDir": {"medium": ("", "Memory")},
    "secret": {"secretName!": str, "items": [{"key!": str, "path!": str, "mode": int}]},
}
POD = {
    "restartPolicy": ("Always", "OnFailure", "Never"),
    "automountServiceAccountToken": bool,
    "enableServiceLinks": bool,
    "terminationGracePeriodSeconds": int,
    "securityContext": {"seccompProfile": {"type!": ("RuntimeDefault", "Unconfined")}},
    "hostname": str,
    "priorityClassName": str,
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms!": [{"matchExpressions": [EXPRESSION]}]
            }
        },
        "podAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight!": int, "podAffinityTerm!": POD_TERM}]
        },
        "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [POD_TERM]},
    },
    "tolerations": [
        {
            "key": str,
            "operator": ("Equal", "Exists"),
            "value": str,
            "effect": ("NoSchedule", "NoExecute", "PreferNoSchedule"),
        }
    ],
    "topologySpreadConstraints": [
        {
            "maxSkew!": int,
            "topologyKey!": str,
            "whenUnsatisfiable!": ("DoNotSchedule", "ScheduleAnyway"),
            "labelSelector": SELECTOR,
        }
    ],
    "containers!": [CONTAINER],
    "volumes": [VOLUME],
}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec!": POD}
PEER = {"podSelector": SELECTOR}
POLICY_PORT = {"protocol": ("TCP", "UDP"), "port": int}
SPECS: dict[str, Any] = {
    "apps/v1 Deployment": {
        "replicas": int,
        "selector!": SELECTOR,
        "strategy": {"type": ("RollingUpdate",), "rollingUpdate": {"maxSurge": int, "maxUnavailable": int}},
        "minReadySeconds": int,
        "template!": TEMPLATE,
    },
    "batch/v1 Job": {
        "completions": int,
        "parallelism": int,
        "completionMode": ("NonIndexed", "Indexed"),
        "backoffLimit": int,
        "backoffLimitPerIndex": int,
        "activeDeadlineSeconds": int,
        "template!": TEMPLATE,
    },
    "v1 Service": {
        "type": ("ClusterIP",),
        "selector": LABELS,
        "ports!": [{"name": str, "port!": int, "targetPort": int, "protocol": ("TCP", "UDP")}],
    },
    "v1 PersistentVolumeClaim": {
        "accessModes!": [("ReadWriteOnce", "ReadWriteMany")],
        "resources!": {"requests!": LABELS},
    },
    "networking.k8s.io/v1 NetworkPolicy": {
        "podSelector!": SELECTOR,
        "policyTypes": [("Ingress", "Egress")],
        "ingress": [{"from": [PEER], "ports": [POLICY_PORT]}],
        "egress": [{"to": [PEER], "ports": [POLICY_PORT]}],
    },
}
HEAD = {"apiVersion!": str, "kind!": str, "metadata!": {"name!": str, "labels": LABELS}}


def wrong_shape(value: Any, schema: Any, path: str) -> Iterator[str]:
    """Unknown, missing and mistyped fields."""
    match schema:
        case {"*": inner}:
            if not isinstance(value, dict):
                yield f"{path}: no map"
                return
            for key, one in value.items():
                yield from wrong_shape(one, inner, f"{path}.{key}")
        case dict():
            if not isinstance(value, dict):
                yield f"{path}: no object"
                return
            known = {key.rstrip("!"): inner for key, inner in schema.items()}
            yield from (f"{path}.{key}: missing" for key in schema if key.endswith("!") and key[:-1] not in value)
            for key, one in value.items():
                if key in known:
                    yield from wrong_shape(one, known[key], f"{path}.{key}")
                else:
                    yield f"{path}.{key}: unknown"
        case list():
            if not isinstance(value, list):
                yield f"{path}: no list"
                return
            for at, one in enumerate(value):
                yield from wrong_shape(one, schema[0], f"{path}[{at}]")
        case tuple():
            if value not in schema:
                yield f"{path}: {value!r} is none of {schema}"
        case _:
            if type(value) is not schema:
                yield f"{path}: {value!r} is no {schema.__name__}"


def wrong_labels(value: Any, path: str) -> Iterator[str]:
    """Keys and values of labels, wherever they stand."""
    match value:
        case dict():
            for key, one in value.items():
                if key in ("labels", "matchLabels") or (key == "selector" and "matchLabels" not in one):
                    for label, text in one.items():
                        if not LABEL_KEY.fullmatch(label) or not LABEL_VALUE.fullmatch(text):
                            yield f"{path}.{key}: {label}={text}"
                elif key == "matchExpressions":
                    yield from (f"{path}: {e}" for e in one if not _is_expression(e))
                yield from wrong_labels(one, f"{path}.{key}")
        case list():
            for at, one in enumerate(value):
                yield from wrong_labels(one, f"{path}[{at}]")
        case _:
            pass


def _is_expression(one: dict[str, Any]) -> bool:
    values = one.get("values", [])
    good = LABEL_KEY.fullmatch(one["key"]) and all(LABEL_VALUE.fullmatch(value) for value in values)
    return bool(good) and bool(values) == (one["operator"] in ("In", "NotIn"))


def wrong_pod(kind: str, template: dict[str, Any], path: str) -> Iterator[str]:
    """What holds between the parts of a pod."""
    pod = template["spec"]
    if (pod["restartPolicy"] == "Always") != (kind == "Deployment"):
        yield f"{path}: {pod['restartPolicy']} in a {kind}"
    volumes = [one["name"] for one in pod.get("volumes", [])]
    for one in pod.get("volumes", []):
        if len(one) != 2 or not NAME.fullmatch(one["name"]):
            yield f"{path}: volume {one}"
    if len(set(volumes)) < len(volumes):
        yield f"{path}: a volume twice"
    for toleration in pod.get("tolerations", []):
        if toleration["operator"] == "Equal" and not toleration.get("key"):
            yield f"{path}: {toleration}"
    for container in pod["containers"]:
        mounts = container.get("volumeMounts", [])
        paths = [one["mountPath"] for one in mounts]
        if not {one["name"] for one in mounts} <= set(volumes) or len(set(paths)) < len(paths):
            yield f"{path}: mounts {mounts}"
        for amounts in container["resources"].values():
            yield from (f"{path}: {amount}" for amount in amounts.values() if not QUANTITY.fullmatch(amount))
        ports = container.get("ports", [])
        yield from (f"{path}: port {one}" for one in ports if not PORT_NAME.fullmatch(one["name"]))
        if len({one["name"] for one in ports}) < len(ports):
            yield f"{path}: the name of a port twice"
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            found = container.get(probe)
            if found is not None:
                if len({"exec", "httpGet", "tcpSocket"} & found.keys()) != 1:
                    yield f"{path}: {probe} {found}"
                numbers = (found["periodSeconds"], found["timeoutSeconds"], found["failureThreshold"])
                if min(numbers) < 1:
                    yield f"{path}: {probe} {numbers}"


def wrong(manifest: dict[str, Any]) -> list[str]:
    """Everything that Kubernetes would refuse of a manifest."""
    head = {key: value for key, value in manifest.items() if key in ("apiVersion", "kind", "metadata")}
    rest = {key: value for key, value in manifest.items() if key not in head}
    found = list(wrong_shape(head, HEAD, "manifest"))
    kind = f"{manifest.get('apiVersion')} {manifest.get('kind')}"
    if not NAME.fullmatch(manifest["metadata"]["name"]):
        found.append(f"name {manifest['metadata']['name']}")
    if kind == "scheduling.k8s.io/v1 PriorityClass":
        schema = {"value!": int, "preemptionPolicy": ("PreemptLowerPriority", "Never"), "globalDefault": bool}
        return found + list(wrong_shape(rest, schema, kind))
    found += list(wrong_shape(rest, {"spec!": SPECS[kind]}, kind))
    if found:
        return found
    spec = manifest["spec"]
    found += list(wrong_labels(manifest, kind))
    if "template" in spec:
        found += list(wrong_pod(manifest["kind"], spec["template"], kind))
    if manifest["kind"] == "Deployment":
        if not spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items():
            found.append("the selector does not fit the template")
        if not any(spec["strategy"]["rollingUpdate"].values()):
            found.append("maxSurge and maxUnavailable are both 0")
    indexed = spec.get("completionMode") == "Indexed" and spec["template"]["spec"]["restartPolicy"] == "Never"
    if manifest["kind"] == "Job" and "backoffLimitPerIndex" in spec and not indexed:
        found.append("backoffLimitPerIndex is for indexed jobs that never restart")
    if manifest["kind"] == "Service":
        names = [one["name"] for one in spec["ports"]]
        found += [f"port {name}" for name in names if not PORT_NAME.fullmatch(name)]
        if len(set(names)) < len(names):
            found.append("the name of a port twice")
    return found
