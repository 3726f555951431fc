"""A node of a cluster with a key, its entries, and a small real chain that pins them."""

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from typing import Any

import pytest
from tests.unit.chain.samples import Chain, transaction

from metanode.chain.light import GenesisBasis, receipt_file
from metanode.docklock.receipts import (
    NO_ENTRIES,
    Author,
    Happening,
    after,
    batch_of,
    details,
    workload_receipt_file,
    write_entry,
)
from metanode.primitives import bls, ed25519
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.address import address_of_key
from metanode.records.cluster import ReceiptBatch
from metanode.records.cluster_events import ReceiptsPinned
from metanode.records.receipt import Event
from metanode.records.workload_receipt import STEPS, SignedEntry, WorkloadReceiptFile

PAIRING = bls.fast_aggregate_verify
NODE_KEY = ed25519.SigningKey(sha256(b"node-2").digest())
OTHER_KEY = ed25519.SigningKey(sha256(b"node-3").digest())
IMAGE, SPEC = sha256(b"an image").digest(), sha256(b"a specification").digest()
NOW_MS = 1_700_000_060_125

VALUES: dict[str, Any] = {
    "bytes": 12_345,
    "caller": address_of_key(OTHER_KEY.public_key),
    "change": "ask an operator for the role",
    "command": sha256(b"ls").digest(),
    "commitment": bytes([11] * 32),
    "cpu-millicores": 500,
    "delay-ms": 200,
    "expected": bytes([1] * 32),
    "input": bytes([2] * 32),
    "key": bytes([12] * 32),
    "limit": "16 MiB",
    "log": bytes([3] * 32),
    "log-bytes": 99,
    "memory-kib": 65_536,
    "of": bytes([4] * 32),
    "output": bytes([5] * 32),
    "pids-max": 64,
    "policy": bytes([6] * 32),
    "probe": "http",
    "reason": "out of memory",
    "restarts": 1,
    "rootfs": bytes([7] * 32),
    "rule": "PLACE-2",
    "seccomp": bytes([8] * 32),
    "secret": "db-password",
    "secret-version": 3,
    "signal": "SIGTERM",
    "signer": bytes([9] * 32),
    "source": "registry.example/web",
    "times": 12,
    "to": "node-3",
    "witness": bytes([10] * 32),
}
"""A value that fits, for each detail."""
CODES = {"exit": "137", "exit?": "137", "refusal": "demand.bad-name", "refusal?": "replay.differs", "none": ""}


@cache
def chain() -> Chain:
    """Blocks without receipts of workloads: only the chain's identity is needed."""
    return Chain()


def author(key: ed25519.SigningKey = NODE_KEY, **changes: Any) -> Author:
    usual = {"chain_id": chain().chain_id, "cluster": "shop", "node": "node-2", "key": key.public_key}
    return Author(**{**usual, **changes})


def happening(step: str = "started", *, full: bool = False, **changes: Any) -> Happening:
    """A step of `web.0`, with what it must say; `full`: with all that it may."""
    form = STEPS[step]
    told = {name: VALUES[name] for name in (*form.must, *(form.may if full else ()))}
    usual: dict[str, Any] = {
        "time_ms": NOW_MS,
        "height": 0,
        "step": step,
        "workload": "web",
        "attempt": 1,
        "revision": 3,
        "spec": SPEC,
        "image": IMAGE,
        "engine": "sandbox",
        "code": CODES[form.code],
        "details": details(**{name.replace("-", "_"): value for name, value in told.items()}),
    }
    return Happening(**{**usual, **changes})


def written(*happenings: Happening, by: Author | None = None, key: ed25519.SigningKey = NODE_KEY) -> list[SignedEntry]:
    """Entries one after another, signed by the node."""
    tip, entries = NO_ENTRIES, []
    for one in happenings:
        entries.append(write_entry(by or author(key), tip, one, key.sign))
        tip = after(entries[-1])
    return entries


@cache
def life() -> tuple[SignedEntry, ...]:
    """One entry of every step, with all that it may say."""
    return tuple(written(*(happening(step, full=True) for step in STEPS)))


def pinned(batch: ReceiptBatch, **changes: Any) -> ReceiptsPinned:
    usual = {
        "cluster": "shop",
        "node": "node-2",
        "account": address_of_key(NODE_KEY.public_key),
        "first": batch.first,
        "count": batch.count,
        "root": batch.root,
    }
    return ReceiptsPinned(**{**usual, **changes})


@cache
def chain_file(*events: Event, empty_blocks: int = 0) -> bytes:
    """The receipt file of a transaction that had these events, after so many empty blocks."""
    made = Chain()
    for _ in range(empty_blocks):
        made.grow()
    made.grow([transaction(made.chain_id)], events=events)
    height = empty_blocks + 1
    file = receipt_file(
        made.chain_id,
        transaction=[made.blocks[height - 1].body.transactions[0]],
        receipt=made.receipt_step(height, 0),
        header=made.header(height),
        commit=[made.commit(height)],
    )
    return encode(file)


def file_of(entries: Sequence[SignedEntry], number: int, **changes: Any) -> WorkloadReceiptFile:
    """The file of an entry, its batch pinned in block 1."""
    return workload_receipt_file(entries, number, chain_file(pinned(batch_of(entries), **changes)))


def basis() -> GenesisBasis:
    return GenesisBasis(chain().genesis)


def refusal(do: Any, *arguments: Any, **named: Any) -> str:
    """The code with which it is refused; and it says why."""
    with pytest.raises(Rejected) as rejected:
        do(*arguments, **named)
    assert rejected.value.detail
    return rejected.value.reason
