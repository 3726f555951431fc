"""A node's entries, one after another: written, and followed by whoever has them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from metanode.docklock.receipts.refusals import WorkloadReceiptRefusal
from metanode.primitives import ed25519
from metanode.primitives.names import NO_HASH, Hash
from metanode.primitives.refusal import Rejected
from metanode.records.workload_receipt import (
    Detail,
    DetailValue,
    Entry,
    SignedEntry,
    check_entry,
    detail,
    entry_digest,
    shortened,
    signed_digest,
)

Sign: TypeAlias = Callable[[bytes], bytes]
"""The Ed25519 signature of the author's key over these bytes."""


@dataclass(frozen=True, slots=True)
class Author:
    """WREC-5. Who writes one chain of entries: a node of a cluster of a chain, and the key of its account."""

    chain_id: bytes
    cluster: str
    node: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Tip:
    """WREC-5. Where a chain of entries goes on: the number of the next one, and the digest that it must name."""

    number: int
    previous: Hash


NO_ENTRIES: Final = Tip(0, NO_HASH)
"""Before the first entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """What a node has done, before it is numbered and signed; the parts are those of an `Entry`."""

    time_ms: int
    height: int
    step: str
    workload: str = ""
    index: int = 0
    attempt: int = 0
    revision: int = 0
    spec: bytes = b""
    image: bytes = b""
    engine: str = ""
    decision: bytes = b""
    code: str = ""
    details: tuple[Detail, ...] = ()


def details(**values: DetailValue) -> tuple[Detail, ...]:
    """WREC-4. Details in their one order, texts as short as they must be; `log_bytes` is the detail `log-bytes`."""
    named = {name.replace("_", "-"): value for name, value in values.items()}
    return tuple(
        detail(name, shortened(value) if isinstance(value, str) else value) for name, value in sorted(named.items())
    )


def write_entry(author: Author, tip: Tip, happening: Happening, sign: Sign) -> SignedEntry:
    """WREC-2, WREC-5. The next entry. Raises `Rejected` where it would say too little or too much."""
    entry = Entry(
        version=1,
        chain_id=author.chain_id,
        cluster=author.cluster,
        node=author.node,
        number=tip.number,
        previous=tip.previous,
        time_ms=happening.time_ms,
        height=happening.height,
        step=happening.step,
        workload=happening.workload,
        index=happening.index,
        attempt=happening.attempt,
        revision=happening.revision,
        spec=happening.spec,
        image=happening.image,
        engine=happening.engine,
        decision=happening.decision,
        code=happening.code,
        details=happening.details,
    )
    check_entry(entry)
    return SignedEntry(entry=entry, key=author.key, signature=sign(entry_digest(entry)))


def author_of(signed: SignedEntry) -> Author:
    """WREC-5. Who an entry says has written it."""
    return Author(signed.entry.chain_id, signed.entry.cluster, signed.entry.node, signed.key)


def after(signed: SignedEntry) -> Tip:
    """WREC-5. Where the chain goes on behind an entry."""
    return Tip(signed.entry.number + 1, signed_digest(signed))


def check_link(author: Author, tip: Tip, signed: SignedEntry) -> Tip:
    """WREC-5. The entry is this author's and the next one; where the chain goes on. Raises `Rejected`."""
    entry = signed.entry
    if author_of(signed) != author:
        raise Rejected(WorkloadReceiptRefusal.CHAIN, f"entry {entry.number} is of {entry.node} of {entry.cluster}")
    if entry.number != tip.number:
        raise Rejected(WorkloadReceiptRefusal.CHAIN, f"entry {entry.number}, {tip.number} is next")
    if entry.previous != tip.previous:
        raise Rejected(WorkloadReceiptRefusal.CHAIN, f"entry {entry.number} names another one before it")
    return after(signed)


def check_signature(signed: SignedEntry) -> None:
    """WREC-2. The key beside the entry has signed it. Raises `Rejected`."""
    if not ed25519.verify(signed.key, entry_digest(signed.entry), signed.signature):
        detail = f"entry {signed.entry.number} is not signed by {signed.key.hex()[:16]}…"
        raise Rejected(WorkloadReceiptRefusal.SIGNATURE, detail)


def follow(author: Author, tip: Tip, entries: Iterable[SignedEntry]) -> Tip:
    """WREC-5. Entries one after another, each well formed, linked and signed; where the chain goes on. Raises
    `Rejected`."""
    for signed in entries:
        check_entry(signed.entry)
        tip = check_link(author, tip, signed)
        check_signature(signed)
    return tip


def contradicts(one: SignedEntry, other: SignedEntry) -> bool:
    """WREC-6. Whether two entries convict their author: both signed by it, of the same number, and not the same. An
    honest node has one entry a number; anybody can show that one has not."""
    if author_of(one) != author_of(other) or one.entry.number != other.entry.number or one.entry == other.entry:
        return False
    return all(ed25519.verify(each.key, entry_digest(each.entry), each.signature) for each in (one, other))


def check_together(entries: Iterable[SignedEntry]) -> None:
    """WREC-5, WREC-6. Entries whose signatures were checked, from wherever they come: each author has one a number, and
    of two that are neighbours the later one names the earlier one. Raises `Rejected`."""
    known: dict[tuple[Author, int], SignedEntry] = {}
    for signed in entries:
        entry = signed.entry
        if contradicts(known.setdefault((author_of(signed), entry.number), signed), signed):
            detail = f"{entry.node} of {entry.cluster} has signed two entries number {entry.number}: that convicts it"
            raise Rejected(WorkloadReceiptRefusal.CHAIN, detail)
    for (author, number), signed in known.items():
        before = known.get((author, number - 1))
        if before is not None:
            check_link(author, after(before), signed)
