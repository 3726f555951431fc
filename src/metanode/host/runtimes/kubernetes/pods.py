"""A plan as a Pod, and its secrets as a Secret: what is sent to the API server. Pure."""

import base64
import hashlib
import json
import re
from pathlib import PurePosixPath
from typing import Any, Final

from metanode.docklock.compose.kubernetes.pods import literal, seconds
from metanode.host.runtimes.kubernetes.place import KubernetesPlace, Pull
from metanode.host.runtimes.plan import ContainerPlan, Secret, within
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim.plans import plan_message
from metanode.primitives.refusal import Rejected

Json = dict[str, Any]

PREFIX: Final = "metanode/"
"""Of every label, annotation and finalizer that is ours."""
AGENT: Final = PREFIX + "agent"
"""Label: which agent it belongs to."""
PLAN: Final = PREFIX + "plan"
"""Annotation: the digest of its plan. The label of the same name has the first 32 digits."""
ID: Final = PREFIX + "id"
"""Annotation: the id of the container, as it is."""
MARK: Final = PREFIX + "kept"
"""Finalizer: the API server keeps the pod, and how it ended, until its agent has seen it."""
CONTAINER: Final = "main"
"""The one container of a pod."""
SCRATCH: Final = "64Mi"
"""RUN-11. Of `/tmp`, and of `/dev/shm`: in memory."""
NAME_CHARACTERS_MAX: Final = 200
"""A pod's name may have 253; a Secret's is longer by a word, and the node's files by an id."""
SUBDOMAIN: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
"""How Kubernetes writes names of pods."""


def pod_name(name: str) -> str:
    """KUBE-2. The name of the pod of a container: its id; where no pod may be called so, what is left of it and a
    digest."""
    if SUBDOMAIN.fullmatch(name) and len(name) <= NAME_CHARACTERS_MAX:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    readable = re.sub(r"[^a-z0-9]+", "-", name)[:100].strip("-")
    return f"{readable}-{digest}"


def secret_name(name: str) -> str:
    """The name of the Secret of a container."""
    return f"{pod_name(name)}.secrets"


def plan_digest(plan: ContainerPlan) -> str:
    """KUBE-2. SHA-256 of the plan as JSON without its secrets: those are guessable by their digest."""
    message = plan_message(plan, secrets=False) | {"image": plan.image}
    message["secrets"] = [[one.target, one.mode] for one in plan.secrets]
    return hashlib.sha256(json.dumps(message, sort_keys=True).encode()).hexdigest()


def check_plan(plan: ContainerPlan) -> None:
    """KUBE-3. What Kubernetes has no word for is refused, not left out. Raises `Rejected`."""
    if not plan.image:
        raise Rejected(
            RuntimeRefusal.NO_IMAGE,
            "a pod is made of an image by its digest (NAME@sha256:…), not of a folder of this node",
        )
    if plan.cage is not None:
        raise Rejected(RuntimeRefusal.NO_CAGE, "kubernetes: a deterministic job needs the sandbox")
    if plan.stop_signal != "TERM":
        raise Rejected(
            RuntimeRefusal.ENGINE_CANNOT,
            f"stop signal {plan.stop_signal}: a pod is asked to stop by the signal of its image; leave stop_signal out",
        )
    for mount in plan.mounts:
        if not SUBDOMAIN.fullmatch(claim_of(mount.source)):
            raise Rejected(RuntimeRefusal.VOLUME_MISSING, f"no claim can be called {claim_of(mount.source)[:80]!r}")


def claim_of(source: str) -> str:
    """KUBE-5. A named volume is the PersistentVolumeClaim of its name."""
    return PurePosixPath(source).name


def _metadata(place: KubernetesPlace, plan: ContainerPlan, name: str) -> Json:
    digest = plan_digest(plan)
    return {
        "name": name,
        "namespace": place.namespace,
        "labels": {"app.kubernetes.io/managed-by": "metanode", AGENT: place.agent, PLAN: digest[:32]},
        "annotations": {ID: plan.id, PLAN: digest},
    }


def _folders(secrets: tuple[Secret, ...]) -> tuple[str, ...]:
    """The folders that hold secrets, without those that are in another."""
    every = sorted({secret.folder for secret in secrets})
    return tuple(one for one in every if not within(one, tuple(other for other in every if other != one)))


def _secret_volumes(plan: ContainerPlan) -> tuple[list[Json], list[Json]]:
    """KUBE-4. `volumeMounts` and `volumes` of its secrets: the kubelet puts them in memory. With a group of the pod its
    files are the group's to read."""
    mounts: list[Json] = []
    volumes: list[Json] = []
    for number, folder in enumerate(_folders(plan.secrets)):
        items = [
            {"key": f"s{index}", "path": secret.target[len(folder) + 1 :], "mode": secret.mode | 0o040}
            for index, secret in enumerate(plan.secrets)
            if within(secret.folder, (folder,))
        ]
        source = {"secretName": secret_name(plan.id), "defaultMode": 0o440, "items": items}
        volumes.append({"name": f"secrets-{number}", "secret": source})
        mounts.append({"name": f"secrets-{number}", "mountPath": folder, "readOnly": True})
    return mounts, volumes


def _volumes(plan: ContainerPlan) -> tuple[list[Json], list[Json]]:
    mounts, volumes = _secret_volumes(plan)
    taken = {*(mount.target for mount in plan.mounts), *(one.target for one in plan.temporary)}
    memory = [(one.target, str(one.size_bytes)) for one in plan.temporary]
    memory += [(path, SCRATCH) for path in ("/tmp", "/dev/shm") if path not in taken]  # noqa: S108 - of the container
    for number, (path, size) in enumerate(memory):
        volumes.append({"name": f"memory-{number}", "emptyDir": {"medium": "Memory", "sizeLimit": size}})
        mounts.append({"name": f"memory-{number}", "mountPath": path})
    claims: dict[str, str] = {}
    for mount in plan.mounts:
        claim = claim_of(mount.source)
        if claim not in claims:
            claims[claim] = f"volume-{len(claims)}"
            volumes.append({"name": claims[claim], "persistentVolumeClaim": {"claimName": claim}})
        mounts.append({"name": claims[claim], "mountPath": mount.target, "readOnly": mount.read_only})
    return mounts, volumes


def _container(place: KubernetesPlace, plan: ContainerPlan, mounts: list[Json]) -> Json:
    most = {"memory": str(plan.limits.memory_bytes), "cpu": f"{plan.limits.cpu_millicores}m"}
    capabilities: Json = {"drop": ["ALL"]}
    if plan.kept:
        capabilities["add"] = [str(kept) for kept in plan.kept]
    return {
        "name": CONTAINER,
        "image": plan.image,
        "imagePullPolicy": "Never" if place.pull is Pull.NEVER else "IfNotPresent",
        "command": [literal(word) for word in plan.command],
        "workingDir": plan.workdir,
        "env": [{"name": name, "value": literal(value)} for name, value in sorted(plan.variables.items())],
        "resources": {"limits": most, "requests": most},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "privileged": False,
            "readOnlyRootFilesystem": plan.read_only_root,
            "capabilities": capabilities,
        },
        "volumeMounts": mounts,
        "terminationMessagePolicy": "File",
    }


def pod_of(place: KubernetesPlace, plan: ContainerPlan) -> Json:
    """KUBE-2, KUBE-3. The pod of one attempt: it runs once, with no more than the plan lets it have."""
    mounts, volumes = _volumes(plan)
    metadata = _metadata(place, plan, pod_name(plan.id))
    metadata["finalizers"] = [MARK]
    spec: Json = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "hostname": plan.hostname,
        "terminationGracePeriodSeconds": max(1, seconds(plan.stop_grace_ms)),
        "securityContext": {
            "runAsUser": plan.uid,
            "runAsGroup": plan.gid,
            "fsGroup": plan.gid,
            "runAsNonRoot": plan.uid != 0,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(place, plan, mounts)],
        "volumes": volumes,
    }
    if place.node:
        term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [place.node]}]}
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
        spec["affinity"] = {"nodeAffinity": required}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def secret_of(place: KubernetesPlace, plan: ContainerPlan, pod: str) -> Json:
    """KUBE-4. Its secrets, as one object that lives as long as the pod of this uid."""
    owner = {"apiVersion": "v1", "kind": "Pod", "name": pod_name(plan.id), "uid": pod}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "immutable": True,
        "metadata": {**_metadata(place, plan, secret_name(plan.id)), "ownerReferences": [owner]},
        "data": {f"s{index}": base64.b64encode(one.data).decode() for index, one in enumerate(plan.secrets)},
    }
