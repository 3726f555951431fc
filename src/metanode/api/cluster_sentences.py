"""What a call to the module `cluster` asks for, as the end of a sentence."""

from collections.abc import Callable
from typing import assert_never

from metanode.records.cluster import ClusterSettings
from metanode.records.cluster_calls import (
    ClusterAdmit,
    ClusterAdmitImage,
    ClusterApply,
    ClusterCall,
    ClusterConfigure,
    ClusterControl,
    ClusterCreate,
    ClusterJoin,
    ClusterMark,
    ClusterReport,
    ClusterRollBack,
    ClusterScale,
    ClusterSignImage,
)
from metanode.records.workload import Terms

_MARKED = {
    "active": "lets {node} take replicas",
    "cordoned": "lets {node} take no new replicas",
    "draining": "moves everything away from {node}",
    "removed": "removes {node}",
}
_DONE = {"stop": "stops", "start": "starts", "restart": "restarts", "delete": "deletes"}


def _image(image: bytes) -> str:
    return f"image sha256:{image.hex()}" if image else "the node's own /usr"


def _terms(terms: Terms, replicas: int, spec: bytes) -> str:
    demand = terms.demand
    wants = f"{demand.cpu_millicores} millicores and {demand.memory_kib} KiB each"
    return (
        f"{terms.kind} {terms.workload}: {replicas} replicas of {_image(demand.image)}, {wants}, priority "
        f"{demand.priority}, by specification sha256:{spec.hex()}"
    )


def _settings(settings: ClusterSettings, who: Callable[[bytes], str]) -> str:
    operators = ", ".join(who(account) for account in settings.operators) or "the owner alone"
    executors = ", ".join(who(account) for account in settings.executors) or "nobody else"
    quotas = "; ".join(
        f"{who(quota.account)} at most {quota.cpu_millicores} millicores, {quota.memory_kib} KiB, {quota.replicas} "
        "replicas"
        for quota in settings.quotas
    )
    policy = settings.policy
    signed = f" signed by {policy.threshold} of {len(policy.keys)} keys" if policy.keys else ""
    signed += f" out of {len(policy.digests)}" if policy.digests else ""
    return (
        f"operated by {operators}, commands in containers by {executors}, {settings.images} images{signed}, "
        f"{settings.weights.strategy} placement, nodes lost after {settings.heartbeat_timeout_ms} ms"
        f"{', quotas: ' + quotas if quotas else ''}"
    )


def cluster_sentence(call: ClusterCall, who: Callable[[bytes], str]) -> str:
    """What one call asks for, with the sender as its unspoken subject: "scales web in shop to 6 replicas"."""
    match call:
        case ClusterCreate(cluster=cluster, settings=settings):
            return f"creates the cluster {cluster}, {_settings(settings, who)}"
        case ClusterConfigure(cluster=cluster, settings=settings):
            return f"sets up the cluster {cluster} anew: {_settings(settings, who)}"
        case ClusterJoin(cluster=cluster, node=node, inventory=has):
            return (
                f"joins the cluster {cluster} as {node} with {has.cpu_millicores} millicores, {has.memory_kib} KiB and "
                f"{', '.join(has.engines) or 'no engine'} on {has.architecture}"
            )
        case ClusterAdmit(cluster=cluster, node=node, account=account, labels=labels, taints=taints):
            shown = ", ".join(f"{label.key}={label.value}" for label in labels) or "no labels"
            kept_away = ", ".join(f"{taint.key}={taint.value}:{taint.effect}" for taint in taints)
            return (
                f"admits {who(account)} to the cluster {cluster} as {node}, with {shown}"
                f"{' and the taints ' + kept_away if kept_away else ''}"
            )
        case ClusterMark(cluster=cluster, node=node, mark=mark):
            return f"{_MARKED.get(mark, 'marks {node} as ' + mark[:40]).format(node=node)} in the cluster {cluster}"
        case ClusterAdmitImage(cluster=cluster, image=image, admitted=admitted):
            return f"{'admits' if admitted else 'withdraws'} {_image(image)} in the cluster {cluster}"
        case ClusterSignImage(cluster=cluster, image=image, signatures=signatures):
            return f"hands in {len(signatures)} signatures of {_image(image)} to the cluster {cluster}"
        case ClusterApply(cluster=cluster, spec=spec, terms=terms, replicas=replicas):
            return f"runs in the cluster {cluster} the {_terms(terms, replicas, spec)}"
        case ClusterScale(cluster=cluster, workload=workload, replicas=replicas):
            return f"scales {workload} in the cluster {cluster} to {replicas} replicas"
        case ClusterRollBack(cluster=cluster, workload=workload):
            return f"leads {workload} in the cluster {cluster} back to the revision before"
        case ClusterControl(cluster=cluster, workload=workload, action=action):
            return f"{_DONE.get(action, 'asks ' + action[:40] + ' of')} {workload} in the cluster {cluster}"
        case ClusterReport(cluster=cluster, node=node, sequence=sequence, replicas=replicas_, receipts=receipts):
            looked = f", looked at {len(call.sightings)} elsewhere" if call.sightings else ""
            return (
                f"reports number {sequence} of {node} in the cluster {cluster}: {len(replicas_)} replicas changed, "
                f"{receipts.count} receipts{looked}"
            )
        case _:
            assert_never(call)
