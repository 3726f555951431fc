"""From a Compose file to running containers: specifications to agents, calls to the chain, and what was observed."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from metanode.api.cluster import ClusterNodes
from metanode.api.cluster_methods import CLUSTER_NODES, WORKLOAD_GET, WORKLOAD_REPLICAS
from metanode.api.exits import ExitStatus
from metanode.api.workloads import InstanceView, ReplicaView, WorkloadGet, WorkloadReplicas
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.files import read_text
from metanode.client import Client, ClientError
from metanode.client.agent import AgentClient
from metanode.docklock.compose import Application, Finding, Outside, Understood, any_image, understand
from metanode.primitives import ed25519
from metanode.primitives.codec import encode
from metanode.records.workload import WorkloadSpec

POLL_S: Final = 0.02
"""How often the chain is asked what has become of something."""
PAGE: Final = 500
"""Nodes or replicas asked for at once."""
WELL: Final = ("ready",)
"""States of a replica that runs and is well."""


Resolver = Callable[[str], bytes | None]
"""The digest of the manifest that a reference means; nothing where it is not known."""


def read_application(path: str, image: Resolver = any_image) -> Understood:
    """What a Compose file asks for, with everything that was found in it; files it names lie beside it. `image` says
    what a tag means; without it any will do, for what places nothing."""
    folder = Path(path).resolve().parent

    def beside(name: str) -> str | None:
        found = folder / name
        return read_text(str(found)) if found.is_file() else None

    return understand(read_text(path), Outside(dict(os.environ), beside, image))


def wanted(path: str, understood: Understood) -> Application:
    """The application of a file. Raises `Failure` with the first error where there is any."""
    if understood.application is not None:
        return understood.application
    errors = understood.errors
    first: Finding = errors[0]
    more = f" (and {len(errors) - 1} more: bpi container lint {path})" if len(errors) > 1 else ""
    raise Failure(
        first.code, ExitStatus.CONFIGURATION, f"{path}:{first.sentence}{more}", fix=f"bpi container lint {path}"
    )


def agents_of(client: Client, cluster: str) -> dict[str, str]:
    """Where the agents of a cluster answer, by node; only those that are heard."""
    page = client.call(CLUSTER_NODES, ClusterNodes(cluster=cluster, limit=PAGE))
    return {line.node: line.api for line in page.items if line.api and line.state not in ("lost", "invited", "joining")}


def hand_out(agents: dict[str, str], cluster: str, key: ed25519.SigningKey, specs: Sequence[WorkloadSpec]) -> int:
    """Put specifications to every agent that answers. Returns how many have all of them; raises `Failure` if none."""
    have, said = 0, []
    for node, endpoint in agents.items():
        agent = AgentClient(endpoint, cluster, key)
        try:
            for spec in specs:
                agent.put(encode(spec))
        except ClientError as error:
            said.append(f"{node}: {error.form.message}")
        else:
            have += 1
    if not have:
        why = "; ".join(said[:3]) or f"the cluster {cluster} has no node that answers"
        raise Failure(CliRefusal.NOT_READY, ExitStatus.RUNTIME, f"no agent took it: {why}", fix="bpi node list")
    return have


def replicas_of(client: Client, cluster: str, workload: str) -> tuple[ReplicaView, ...]:
    """The replicas of a workload as the chain knows them."""
    return client.call(WORKLOAD_REPLICAS, WorkloadReplicas(cluster=cluster, workload=workload, limit=PAGE)).items


def newest(replica: ReplicaView) -> InstanceView | None:
    """The latest attempt of a replica."""
    return max(replica.instances, key=lambda one: one.attempt, default=None)


def await_running(client: Client, cluster: str, workload: str, timeout_s: float) -> dict[str, Any]:
    """Return once every replica of the present revision is well, or has run to its end: what was observed. Raises
    `Failure` at the deadline or where it failed, with the state of what lacks."""
    until = time.monotonic() + timeout_s
    while True:
        view = client.call(WORKLOAD_GET, WorkloadGet(cluster=cluster, workload=workload))
        replicas = replicas_of(client, cluster, workload)
        found = [newest(replica) for replica in replicas]
        done = sum(replica.done for replica in replicas)
        seen = [one for one in found if one is not None and one.revision == view.current.revision]
        well = [one for one in seen if one.state in WELL]
        facts = {
            "workload": workload,
            "phase": view.phase,
            "revision": view.current.revision,
            "replicas": view.replicas,
            "running": len(well),
            "nodes": sorted({one.node for one in well}),
        }
        if view.phase == "completed" or (view.phase == "active" and len(well) + done >= view.replicas):
            return facts
        if view.phase == "failed" or time.monotonic() > until:
            states = ", ".join(sorted({one.state for one in seen})) or "nothing was placed"
            message = f"{workload} is {view.phase}: {len(well)} of {view.replicas} replicas run ({states})"
            fix = f"bpi container why {workload} --cluster {cluster}"
            raise Failure(CliRefusal.NOT_READY, ExitStatus.RUNTIME, message, fix=fix, retryable=True)
        time.sleep(POLL_S)


@dataclass(frozen=True, slots=True)
class Running:
    """A replica's latest attempt that is on a node: `web.2`, and the container's whole name."""

    label: str
    node: str
    name: str
    workload: str
    index: int
    attempt: int


def containers_of(client: Client, cluster: str, named: str, *, some: bool = False) -> list[Running]:
    """The containers of `web` (all its replicas that are on a node), of `web.2`, or of a whole name. Raises `Failure`
    where there is none, unless `some` may be missing."""
    parts = named.split(".")
    if len(parts) == 4:
        parts = parts[1:]
    workload, index = parts[0], int(parts[1]) if len(parts) > 1 and parts[1].isdecimal() else None
    found = []
    for replica in replicas_of(client, cluster, workload):
        one = newest(replica)
        if one is not None and one.node and index in (None, replica.index):
            label = f"{workload}.{replica.index}"
            name = f"{cluster}.{label}.{one.attempt}"
            found.append(Running(label, one.node, name, workload, replica.index, one.attempt))
    if not found and not some:
        message = f"nothing of {named} is on a node of {cluster}"
        raise Failure(CliRefusal.NOTHING_THERE, ExitStatus.NOT_FOUND, message, fix=f"bpi container show {workload}")
    return found


def container_of(client: Client, cluster: str, named: str) -> tuple[str, str]:
    """The node and the name of a container: of `web` its first replica that is on a node. Raises `Failure`."""
    first = containers_of(client, cluster, named)[0]
    return first.node, first.name
