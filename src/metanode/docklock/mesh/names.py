"""MESH-1. What services are called in a container, and which address of its loopback stands for each."""

from collections.abc import Iterable
from typing import Final

from metanode.primitives.digest import Tag, digest

FIRST: Final = 127 << 24 | 64 << 16
"""127.64.0.0: the first address of the mesh, and the network of a /10."""
BITS: Final = 22
"""Bits of an address that a name chooses."""
SUFFIX: Final = "mesh"
"""The last label of a service's longest name."""


def address_of(number: int) -> str:
    """An IPv4 address as people write it."""
    return ".".join(str(number >> shift & 0xFF) for shift in (24, 16, 8, 0))


def addresses(cluster: str, names: Iterable[str]) -> dict[str, str]:
    """MESH-1. The address of each name, the same wherever the same names are given."""
    found: dict[str, str] = {}
    taken: set[int] = set()
    for name in sorted(set(names)):
        attempt = 0
        while (number := _number(cluster, name, attempt)) in taken:
            attempt += 1
        taken.add(number)
        found[name] = address_of(number)
    return found


def _number(cluster: str, name: str, attempt: int) -> int:
    said = digest(Tag.MESH_ADDRESS, cluster.encode(), b"\0", name.encode(), b"\0", bytes((attempt & 0xFF,)))
    return FIRST | int.from_bytes(said[:4]) >> 32 - BITS


def service_of(name: str, cluster: str) -> str:
    """MESH-1. The service that a name in lower case means, empty where it has the form of none."""
    labels = name.split(".")
    if labels[1:] in ([], [cluster], [cluster, SUFFIX]):
        return labels[0]
    return ""


def cluster_id(cluster: str) -> bytes:
    """MESH-8. What a cluster is called in the sessions of its agents: 16 bytes."""
    return digest(Tag.MESH_ADDRESS, b"cluster", b"\0", cluster.encode())[:16]
