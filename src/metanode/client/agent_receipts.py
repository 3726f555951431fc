"""Receipts of workloads as agents show them: pages of signed entries, with the file that proves each."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import msgspec

from metanode.api.errors import ApiRefusal
from metanode.client.agent import AgentClient
from metanode.client.failures import failure
from metanode.docklock.receipts import read_copy, workload_receipt_file
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.workload_receipt import SIGNED_ENTRIES, SignedEntry

PAGE: Final = 128
"""Entries asked for at once."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries: about a workload (empty: all), one of its replicas, one attempt of that (-1: any); from a number
    on. `files`: with the receipt files that prove them."""

    workload: str = ""
    index: int = -1
    attempt: int = -1
    first: int = 0
    files: bool = False

    def wants(self, signed: SignedEntry) -> bool:
        """Whether an entry is meant."""
        entry = signed.entry
        about = (self.workload, entry.index if self.index >= 0 else -1, entry.attempt if self.attempt >= 0 else -1)
        return not self.workload or (entry.workload, self.index, self.attempt) == about

    def query(self, first: int, limit: int) -> str:
        """The words behind the question mark."""
        named = {"first": first, "limit": limit, "workload": self.workload, "files": int(self.files)}
        if self.index >= 0:
            named["index"] = self.index
        if self.attempt >= 0:
            named["attempt"] = self.attempt
        return urlencode(named)


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry as an agent shows it: nothing is verified yet. `height`: of the block that pinned its batch, 0 for not
    yet. `file`: its receipt file; empty where it is not pinned yet, or was not asked for."""

    signed: SignedEntry
    height: int
    file: bytes


class _Item(msgspec.Struct, frozen=True):
    signed: str
    height: int
    file: str


class Page(msgspec.Struct, frozen=True):
    """What an agent has: `count` entries, those below `kept_from` dropped at `dropped_ms`, those below `pinned` with
    their proof. `next`: where the following page begins, -1 at the end."""

    node: str
    key: str
    count: int
    kept_from: int
    dropped_ms: int
    pinned: int
    next: int
    items: tuple[_Item, ...]

    def shown(self) -> tuple[Shown, ...]:
        """The entries. Raises `ClientError` where they are none."""
        try:
            return tuple(
                Shown(SIGNED_ENTRIES.decode(base64.b64decode(one.signed)), one.height, base64.b64decode(one.file))
                for one in self.items
            )
        except (Rejected, ValueError) as error:
            raise failure(ApiRefusal.BAD_ANSWER, f"receipts of {self.node}: {error}") from None


def receipts_page(agent: AgentClient, wanted: Wanted, first: int, limit: int = PAGE) -> Page:
    """One page. Raises `ClientError`."""
    data = agent.ask("GET", f"/v1/receipts?{wanted.query(first, limit)}")
    try:
        return msgspec.json.decode(data, type=Page)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise failure(ApiRefusal.BAD_ANSWER, f"receipts: {error}") from None


def every_receipt(agent: AgentClient, wanted: Wanted) -> Iterator[Page]:
    """Page after page. Raises `ClientError`."""
    first = wanted.first
    while first >= 0:
        page = receipts_page(agent, wanted, first)
        yield page
        if 0 <= page.next <= first:
            raise failure(ApiRefusal.BAD_ANSWER, f"receipts of {page.node} go back to {page.next}")
        first = page.next


class KeptOf(msgspec.Struct, frozen=True):
    """Of a node, by its account's address in hexadecimal: the numbers with which the batches begin that are kept."""

    node: str
    account: str
    first: tuple[int, ...]


def copies_kept(agent: AgentClient) -> list[KeptOf]:
    """WREC-25. What an agent keeps of other nodes' receipts. Raises `ClientError`."""
    data = agent.ask("GET", "/v1/receipts/copies")
    try:
        return msgspec.json.decode(data, type=list[KeptOf])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise failure(ApiRefusal.BAD_ANSWER, f"copies of receipts: {error}") from None


def copied_batch(agent: AgentClient, kept: KeptOf, first: int) -> list[Shown]:
    """WREC-25. All entries of a batch that is kept, each with its receipt file. Raises `ClientError`."""
    data = agent.ask("GET", f"/v1/receipts/copies/{kept.node}/{kept.account}/{first}")
    try:
        pinned, entries = read_copy(data)
    except Rejected as rejected:
        raise failure(ApiRefusal.BAD_ANSWER, f"a copy of receipts of {kept.node}: {rejected}") from None
    numbers = [one.entry.number for one in entries]
    if numbers != list(range(pinned.batch.first, pinned.batch.first + pinned.batch.count)):
        raise failure(ApiRefusal.BAD_ANSWER, f"a copy of receipts of {kept.node} that has gaps")
    return [
        Shown(one, pinned.height, encode(workload_receipt_file(entries, one.entry.number, pinned.chain)))
        for one in entries
    ]
