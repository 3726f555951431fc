"""Where the state keeps what can be proved: (module, key) for `LightClient.prove`, and how the value there is read."""

from typing import TypeAlias

from metanode.docklock.cluster import cluster_key, image_key, image_signed_key, member_key, share_key, workload_key
from metanode.ledger.accounts import account_key
from metanode.ledger.coin import balance_key, supply_key

StateKey: TypeAlias = tuple[str, bytes]
"""A module, and a key of it."""


def balance(address: bytes, coin: str) -> StateKey:
    """What an account holds of a coin. The value is an `amount`; an account that holds nothing has no value."""
    return "coin", balance_key(address, coin)


def supply(coin: str) -> StateKey:
    """How much of a coin there is: an `amount`."""
    return "coin", supply_key(coin)


def account(address: bytes) -> StateKey:
    """An account's nonces and keys. It has no value before the first payment to it."""
    return "accounts", account_key(address)


def amount(value: bytes | None) -> int:
    """A proved balance or supply in the smallest unit; nothing is 0."""
    return int.from_bytes(value or b"", "big")


def share(cluster: str, node: str) -> StateKey:
    """CLUSTER-7. Everything that a node is to do. No value: nothing, and nothing may run there."""
    return "cluster", share_key(cluster, node)


def cluster(name: str) -> StateKey:
    """CLUSTER-1. A cluster: its owner, settings, names of nodes and workloads. No value: there is none of this name."""
    return "cluster", cluster_key(name)


def member(cluster: str, node: str) -> StateKey:
    """CLUSTER-2. A node of a cluster: its account, standing, inventory. No value: there is none of this name."""
    return "cluster", member_key(cluster, node)


def workload(cluster: str, name: str) -> StateKey:
    """PLACE-2. A workload's record with its terms. No value: there is none of this name."""
    return "cluster", workload_key(cluster, name)


def image_admitted(cluster: str, image: bytes) -> StateKey:
    """CLUSTER-20. That an operator admitted an image. No value: nobody did."""
    return "cluster", image_key(cluster, image)


def image_signed(cluster: str, image: bytes) -> StateKey:
    """CLUSTER-23. Signatures of an image. No value: none were handed in."""
    return "cluster", image_signed_key(cluster, image)
