"""What a node says it is and has, told to the chain until the chain has it, and again when it has changed."""

import logging
import os
import time
from dataclasses import dataclass
from typing import Final

from metanode.host.agent.chain import ChainPort, ChainUnreachable
from metanode.host.agent.engines import AgentRefusal
from metanode.host.agent.secrets import opening_keys
from metanode.primitives import ed25519
from metanode.primitives.refusal import Rejected
from metanode.records.cluster import IMAGES_SHOWN_MAX, Inventory
from metanode.records.cluster_calls import ClusterJoin

AGAIN_S: Final = 0.2
"""Between two tries to reach the chain."""
KERNEL_MAX: Final = 64
"""Longest version of a kernel that is told."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine has."""

    cpu_millicores: int
    memory_kib: int
    architecture: str
    kernel: str


def this_machine() -> Machine:
    """Cores, memory, type and kernel of the machine this runs on."""
    name = os.uname()
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    cores = len(os.sched_getaffinity(0))
    return Machine(cores * 1_000, pages * size // 1_024, name.machine, name.release[:KERNEL_MAX])


def sealing_key(seed: bytes) -> bytes:
    """The public key for secrets, of keys that are derived from the node's seed and used for nothing else."""
    return opening_keys(seed).public


def inventory_of(
    seed: bytes,
    endpoint: str,
    offered: tuple[int, int],
    engine: str,
    images: tuple[bytes, ...],
    volumes: tuple[str, ...],
) -> Inventory:
    """CLUSTER-2. What a node says of itself. `offered`: millicores and KiB that may be placed here."""
    machine = this_machine()
    return Inventory(
        architecture=machine.architecture,
        kernel=machine.kernel,
        cpu_millicores=offered[0],
        memory_kib=offered[1],
        engines=(engine,),
        api=endpoint,
        mesh="",
        transport_key=ed25519.public_key(seed),
        sealing_key=sealing_key(seed),
        images=tuple(sorted(images))[:IMAGES_SHOWN_MAX],
        volumes=tuple(sorted(volumes))[:IMAGES_SHOWN_MAX],
    )


def join(chain: ChainPort, cluster: str, node: str, inventory: Inventory) -> None:
    """CLUSTER-2. Tell the chain, however long that takes. Raises `Rejected` where the chain refuses the node."""
    log = logging.getLogger("metanode.agent")
    while True:
        try:
            outcome = chain.submit(ClusterJoin(cluster=cluster, node=node, inventory=inventory))
        except ChainUnreachable as error:
            log.warning("the chain is out of reach: not joined yet", extra={"why": str(error)})
            time.sleep(AGAIN_S)
            continue
        if outcome.code:
            raise Rejected(AgentRefusal.NOT_LET_IN, f"the chain refuses {node} of {cluster}: {outcome.code}")
        return
