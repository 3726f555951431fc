"""Whether a cluster lets this agent work there, and what a container uses: asked of the API server."""

from http import HTTPStatus
from typing import Final

from metanode.host.runtimes.driver import Capability, Enforcement, Enforces, Lacks, Works
from metanode.host.runtimes.kubernetes.access import Api, ApiFailure, Json, name_in
from metanode.host.runtimes.kubernetes.place import KubernetesPlace
from metanode.host.runtimes.kubernetes.pods import CONTAINER, pod_of
from metanode.host.runtimes.kubernetes.reading import ENGINE, Sight
from metanode.host.runtimes.plan import HOST_USR, ContainerPlan, Limits
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.primitives.refusal import Rejected

RIGHTS: Final = (
    ("pods", "", ("create", "delete", "get", "list", "patch", "watch")),
    ("pods", "log", ("get",)),
    ("pods", "exec", ("create", "get")),
    ("secrets", "", ("create", "delete")),
    ("persistentvolumeclaims", "", ("get",)),
)
"""Resource, subresource, verbs: what a Role must give the agent, and nothing else."""
NOTES: Final = (
    "the number of processes is held for all pods of a node alike (the kubelet's podPidsLimit), not for one",
    "open files are not limited: Kubernetes has no word for it",
    "a secret is in the API server's store: encrypt that (EncryptionConfiguration), or give none",
    "standard output and error come as one stream",
    "images were not tried: a node fetches them by digest, or has them",
)
"""KUBE-11. What cannot be held there, each with what changes it where something does."""


def trial(place: KubernetesPlace) -> Json:
    """A pod of the kind that will be made, which is only shown to the API server."""
    plan = ContainerPlan(
        id="probe.metanode.0.1",
        root=HOST_USR,
        image=f"metanode.invalid/probe@sha256:{'0' * 64}",
        command=("true",),
        limits=Limits(memory_bytes=64 << 20, cpu_millicores=100, pids=16),
    )
    return pod_of(place, plan)


def _missing(api: Api, place: KubernetesPlace) -> list[str]:
    """The rights that this agent has not, as `verb resource`."""
    missing = []
    for resource, part, verbs in RIGHTS:
        for verb in verbs:
            asked = {"namespace": place.namespace, "verb": verb, "group": "", "resource": resource, "subresource": part}
            body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
            review = {**body, "spec": {"resourceAttributes": asked}}
            answer = api.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", None, review)
            if not (answer.get("status") or {}).get("allowed"):
                missing.append(f"{verb} {resource}" + (f"/{part}" if part else ""))
    return missing


def _is_ready(node: Json) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or ()
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    return ready and not (node.get("spec") or {}).get("unschedulable")


def _nodes(api: Api, place: KubernetesPlace) -> tuple[str, str]:
    """What is to be noted of the cluster's nodes, and what is wrong with them; both may be empty."""
    try:
        nodes = api.ask("GET", "/api/v1/nodes", {"limit": 500}).get("items") or ()
    except ApiFailure as failure:
        return (
            f"whether a node is ready is not known: {failure.reason or failure.status} (a ClusterRole may list nodes)",
            "",
        )
    ready = [one["metadata"]["name"] for one in nodes if _is_ready(one)]
    if place.node and place.node not in ready:
        return "", f"node {place.node} is not there, not ready or cordoned; ready: {', '.join(ready[:10]) or 'none'}"
    return "", "" if ready else f"none of {len(nodes)} nodes is ready"


def probe(api: Api, place: KubernetesPlace) -> Capability:
    """KUBE-11. Version, rights, nodes; and the API server's own word on such a pod, which it does not keep."""
    try:
        version = str(api.ask("GET", "/version").get("gitVersion", ""))[:40]
        if missing := _missing(api, place):
            fix = "a Role and RoleBinding with them (docs/docklock.md shows one)"
            return Lacks(ENGINE, f"not allowed in namespace {place.namespace}: {', '.join(missing)}", fix)
        note, wrong = _nodes(api, place)
        if wrong:
            return Lacks(ENGINE, wrong, "kubectl get nodes; kubectl describe node says why")
        api.ask("POST", f"/api/v1/namespaces/{place.namespace}/pods", {"dryRun": "All"}, trial(place))
    except Rejected as refused:
        return Lacks(ENGINE, refused.detail, "kubectl version, with the same kubeconfig and context")
    except ApiFailure as failure:
        if failure.status == HTTPStatus.NOT_FOUND:
            return Lacks(ENGINE, failure.message, f"kubectl create namespace {place.namespace}")
        return Lacks(ENGINE, f"{failure.status} {failure.reason}: {failure.message}", "see what the API server says")
    enforces = Enforces(memory=Enforcement.WHOLE, cpu=Enforcement.WHOLE, pids=Enforcement.NOT)
    return Works(ENGINE, version.removeprefix("v"), enforces, (*NOTES, *((note,) if note else ())))


def usage(api: Api, place: KubernetesPlace, sight: Sight) -> tuple[int, int, int, int, int]:
    """KUBE-11. Memory now (twice: a peak is not told), processor time in ns, processes (0: not told), kills for want of
    memory. By the summary of the node's kubelet. Raises `Rejected`."""
    try:
        summary = api.ask("GET", f"/api/v1/nodes/{name_in(sight.node)}/proxy/stats/summary")
    except ApiFailure as failure:
        detail = f"the kubelet's summary: {failure.status} {failure.reason}: {failure.message}"[:300]
        raise Rejected(RuntimeRefusal.ENGINE_CANNOT, f"{detail}; a ClusterRole must allow get nodes/proxy") from None
    for pod in summary.get("pods") or ():
        named = pod.get("podRef") or {}
        if named.get("namespace") == place.namespace and named.get("uid") == sight.uid:
            for one in pod.get("containers") or ():
                if one.get("name") == CONTAINER:
                    memory, cpu = one.get("memory") or {}, one.get("cpu") or {}
                    used = int(memory.get("workingSetBytes", 0))
                    processes = int((pod.get("process_stats") or {}).get("process_count", 0))
                    oom = int(sight.exit is not None and sight.exit.oom)
                    return used, used, int(cpu.get("usageCoreNanoSeconds", 0)), processes, oom
    raise Rejected(RuntimeRefusal.ENGINE_CANNOT, f"the kubelet of {sight.node} does not count {sight.id} (yet)")
