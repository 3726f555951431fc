"""Whether any entry is missing: what a node has said between its first and its last entry that somebody holds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from metanode.docklock.receipts.chain import Author, author_of, check_signature, check_together
from metanode.docklock.receipts.refusals import WorkloadReceiptRefusal
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.workload_receipt import (
    ENTRIES_FILES,
    ENTRIES_MAX,
    SIGNED_ENTRIES,
    EntriesFile,
    SignedEntry,
    check_entry,
)

ENTRIES_BEGIN: Final = encode("metanode.workload-entries.1")
"""What the bytes of such a file have after their first one."""


def entries_file(entries: Sequence[SignedEntry]) -> bytes:
    """WREC-23. Entries that follow one another, as a file."""
    assert len(entries) <= ENTRIES_MAX, "more go into the next file"
    return encode(EntriesFile(version=1, entries=tuple(encode(one) for one in entries)))


def is_entries_file(data: bytes) -> bool:
    """WREC-23. Whether a file says of itself that it holds entries beside receipts."""
    return data[1 : 1 + len(ENTRIES_BEGIN)] == ENTRIES_BEGIN


def read_entries(data: bytes) -> tuple[SignedEntry, ...]:
    """WREC-23. The entries of such a file, each well formed and signed. Raises `Rejected` with the layer that fails:
    `encoding`, `entry`, `signature`; whether they go together is `continuity`'s."""
    try:
        file = ENTRIES_FILES.decode(data)
    except Rejected as rejected:
        raise Rejected(WorkloadReceiptRefusal.ENCODING, str(rejected)) from None
    if file.version != 1:
        raise Rejected(WorkloadReceiptRefusal.ENCODING, f"version {file.version}, this program knows 1")
    if len(file.entries) > ENTRIES_MAX:
        raise Rejected(WorkloadReceiptRefusal.ENCODING, f"{len(file.entries)} entries, at most {ENTRIES_MAX}")
    entries = []
    for one in file.entries:
        try:
            signed = SIGNED_ENTRIES.decode(one)
            check_entry(signed.entry)
        except Rejected as rejected:
            raise Rejected(WorkloadReceiptRefusal.ENTRY, str(rejected)) from None
        check_signature(signed)
        entries.append(signed)
    return tuple(entries)


@dataclass(frozen=True, slots=True)
class Continuity:
    """WREC-23. What is known of one author's entries from `first` to `last`.

    `missing`: ranges that nobody holds, both ends counted. `loose`: how many are held but bound to nothing that the
    chain has pinned: no later entry that leads to a receipt. `receipts`: how many have a receipt of their own.
    """

    author: Author
    first: int
    last: int
    missing: tuple[tuple[int, int], ...]
    loose: int
    receipts: int

    @property
    def whole(self) -> bool:
        """Nothing is missing between the first and the last, and all of it is bound."""
        return not self.missing and not self.loose


def continuity(proved: Iterable[SignedEntry], beside: Iterable[SignedEntry] = ()) -> tuple[Continuity, ...]:
    """WREC-23. By author: `proved` have a receipt that holds, those `beside` are only signed. Bound is an entry that
    is proved, or whose next one is here, bound, and names it. Raises `Rejected` where entries contradict each other."""
    sure = list(proved)
    all_of_them = [*sure, *beside]
    check_together(all_of_them)
    held: dict[Author, set[int]] = {}
    for signed in all_of_them:
        held.setdefault(author_of(signed), set()).add(signed.entry.number)
    receipts: dict[Author, set[int]] = {}
    for signed in sure:
        receipts.setdefault(author_of(signed), set()).add(signed.entry.number)
    order = sorted(held, key=lambda one: (one.cluster, one.node, one.key, one.chain_id))
    return tuple(_of_author(author, held[author], receipts.get(author, set())) for author in order)


def _of_author(author: Author, held: set[int], receipts: set[int]) -> Continuity:
    numbers = sorted(held)
    missing = tuple((one + 1, other - 1) for one, other in pairwise(numbers) if other > one + 1)
    loose, bound_from = 0, -1
    for number in reversed(numbers):
        if number in receipts or bound_from == number + 1:
            bound_from = number
        else:
            loose += 1
    return Continuity(author, numbers[0], numbers[-1], missing, loose, len(receipts))
