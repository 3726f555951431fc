"""What placement is told: nodes, replicas, newcomers; and all of it in one value, for who computes it again."""

from hashlib import sha256
from typing import Final, TypeAlias

from metanode.primitives.codec import Decoder, Wire, encode
from metanode.primitives.digest import Tag, digest
from metanode.primitives.names import Hash
from metanode.records.demand import Demand, Taint
from metanode.records.placement import Weights

IDENTITY_BYTES: Final = 20
"""What names a node: its account."""
SEED_BYTES: Final = 32
"""What a block gives to break ties."""
INPUTS_BYTES_MAX: Final = 64 << 20
"""Largest inputs: 1,024 nodes with their images, 16,384 standing replicas of 3 KiB each."""

STANDING_MAX: Final = 256
"""Most replicas on a node, unless it says less: what a node is to do is one value of the state."""

Name: TypeAlias = tuple[str, int, int]
"""What names a replica: workload, index, attempt."""


class NodeView(Wire):
    """PLACE-6. What is known of one node. Labels ascending by key, `images` (digests) and `volumes` that it holds.

    `barred`: why nothing new comes here (cordoned, draining, lost …); empty: it may. `leaving`: what stands must go.
    `standing_max`: most replicas on it.
    """

    name: str
    identity: bytes
    architecture: str
    engines: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    taints: tuple[Taint, ...]
    cpu_millicores: int
    memory_kib: int
    images: tuple[bytes, ...]
    volumes: tuple[str, ...]
    barred: str
    leaving: bool
    standing_max: int = STANDING_MAX


class Replica(Wire):
    """One attempt to run one replica of a workload. `protected`: nobody may push it out, whatever his priority."""

    workload: str
    index: int
    attempt: int
    demand: Demand
    protected: bool = False

    @property
    def name(self) -> Name:
        """Workload, index, attempt."""
        return self.workload, self.index, self.attempt


class Newcomer(Wire):
    """A replica that needs a node. `spec`: digest of its specification. `stood`: the node where it stood before, empty
    for none. `refused`: names of nodes that refused to run it."""

    replica: Replica
    spec: bytes
    stood: str = ""
    refused: tuple[str, ...] = ()


class Inputs(Wire, tag="metanode.placement.1"):
    """PLACE-6. Everything that one placement was computed from: nodes by identity, standing replicas by node and name.
    `image`: why the cluster does not let the newcomer's image run, empty where it does."""

    nodes: tuple[NodeView, ...]
    standing: tuple[tuple[str, Replica], ...]
    weights: Weights
    image: str
    newcomer: Newcomer
    seed: bytes


ALL_INPUTS: Final = Decoder[Inputs](Inputs, INPUTS_BYTES_MAX)


def inputs_digest(inputs: Inputs) -> Hash:
    """PLACE-37. What an explanation says it was computed from."""
    return digest(Tag.PLACEMENT_INPUTS, encode(inputs))


def tie_prefix(seed: bytes, spec: bytes, index: int) -> bytes:
    """PLACE-5. What is hashed before the identity of a node."""
    return Tag.PLACEMENT_TIE.value + seed + spec + index.to_bytes(4, "big")


def tie_digest(seed: bytes, spec: bytes, index: int, identity: bytes) -> Hash:
    """PLACE-5. Of nodes with equal totals the smallest wins."""
    return Hash(sha256(tie_prefix(seed, spec, index) + identity).digest())
