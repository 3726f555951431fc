"""Names of entries: `node-2.41.K7QF` says whose and which one, and does not fit another one in its place."""

import re
from dataclasses import dataclass
from typing import Final

from metanode.docklock.receipts.refusals import WorkloadReceiptRefusal
from metanode.primitives.refusal import Rejected
from metanode.records.workload_receipt import SignedEntry, signed_digest

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CHARACTERS: Final = 4
_NAME: Final = re.compile(r"([a-z][a-z0-9-]{0,31})\.(0|[1-9][0-9]{0,18})\.([0-9A-HJKMNP-TV-Z]{4})", re.ASCII)


@dataclass(frozen=True, slots=True)
class EntryName:
    """WREC-18. A node, the number of its entry, and four characters of the entry's digest."""

    node: str
    number: int
    check: str

    def __str__(self) -> str:
        return f"{self.node}.{self.number}.{self.check}"


def entry_name(signed: SignedEntry) -> EntryName:
    """WREC-18. The name of a signed entry: its first 20 bits of digest in Crockford's base 32."""
    bits = int.from_bytes(signed_digest(signed)[:3], "big") >> 4
    check = "".join(_ALPHABET[bits >> 5 * i & 31] for i in reversed(range(_CHARACTERS)))
    return EntryName(signed.entry.node, signed.entry.number, check)


def is_entry_name(text: str) -> bool:
    """Whether a text looks like such a name; names of transactions' receipts never do."""
    return _NAME.fullmatch(text) is not None


def read_entry_name(text: str) -> EntryName:
    """WREC-18. A name as somebody wrote it. Raises `Rejected`."""
    found = _NAME.fullmatch(text)
    if found is None:
        raise Rejected(WorkloadReceiptRefusal.NAME, f"{text[:80]!r} is no name of an entry: like node-2.41.K7QF")
    return EntryName(found[1], int(found[2]), found[3])


def check_name_of(name: EntryName, signed: SignedEntry) -> None:
    """WREC-18. The entry is the one that is named. Raises `Rejected`."""
    if entry_name(signed) != name:
        raise Rejected(WorkloadReceiptRefusal.NAME, f"{name} was asked for, entry {entry_name(signed)} is there")
