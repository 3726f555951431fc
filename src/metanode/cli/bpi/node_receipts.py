"""Receipts of workloads that are with the agents of a cluster: asked of all of them, listed, written to a folder."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.clusters import chosen_cluster, every
from metanode.cli.bpi.keys import Names
from metanode.cli.bpi.showing import instant
from metanode.cli.bpi.trust import local_genesis
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session
from metanode.client import Client, ClientError
from metanode.client.agent import AgentClient
from metanode.client.agent_receipts import (
    Shown,
    Wanted,
    copied_batch,
    copies_kept,
    every_receipt,
    receipts_page,
)
from metanode.client.failures import Unreachable
from metanode.docklock.receipts import check_name_of, entries_file, entry_name, read_entry_name
from metanode.primitives import ed25519
from metanode.primitives.refusal import Rejected
from metanode.records.workload_receipt import ENTRIES_MAX, SignedEntry, check_entry

REMOVED: Final = "it is no part of the cluster any more"
"""Why a node tells nothing that others keep receipts of."""
NODES_MAX: Final = 10_000
"""Most nodes of a cluster that are asked."""


@dataclass(slots=True)
class Told:
    """What is known of one node's entries: those that were asked for, in their order; `away`: why it told nothing.

    `pinned`: how many entries of the node the chain has pinned. Entries below `kept_from` were dropped there at
    `dropped_ms`. `copied`: all that other agents keep of a node that is away, by number, by whatever is asked.
    """

    node: str
    pinned: int
    shown: list[Shown] = field(default_factory=list)
    away: str = ""
    kept_from: int = 0
    dropped_ms: int = 0
    copied: dict[int, Shown] = field(default_factory=dict)

    @property
    def proved(self) -> list[Shown]:
        """Those that come with a receipt file."""
        return [one for one in self.shown if one.file]

    @property
    def lost(self) -> int:
        """How many entries are pinned, and nobody who answers has them."""
        return max(0, self.pinned - len(self.copied)) if self.away else 0


@dataclass(frozen=True, slots=True)
class Agents:
    """Who is asked, and by whom."""

    client: Client
    cluster: str
    key: ed25519.SigningKey

    @classmethod
    def of(cls, session: Session, client: Client, cluster: str, signer: str) -> "Agents":
        """Those of a cluster, asked by an account of this folder. Raises `Failure`."""
        name = chosen_cluster(client, cluster)
        return cls(client, name, Names(session, local_genesis(session), client).signer(signer).key)

    def ask(self, wanted: Wanted, only: str = "", most: int = 0) -> list[Told]:
        """Every agent of the cluster, or the only one; at most so many entries of each (0: all). Raises `Failure` where
        the only one does not answer, or there is none."""
        lines = list(every(lambda cursor, limit: self.client.cluster.nodes(self.cluster, cursor, limit), NODES_MAX))
        told = [self._told(line.node, line.api, wanted, most) for line in lines if only in ("", line.node)]
        away = {one.node for one in told if one.away}
        if wanted.files or away:
            answering = [line.api for line in lines if line.api and line.node not in away]
            told += add_copies(self, answering, told, wanted, only)
        if only and not told:
            message = f"{self.cluster} has no node {only}"
            raise Failure(CliRefusal.UNKNOWN_NODE, ExitStatus.NOT_FOUND, message, fix="bpi node list")
        if only and told[0].away and not told[0].copied:
            fix = "ask again when it is back; what was exported before proves itself"
            raise Failure(CliRefusal.RECEIPT_NOT_HERE, ExitStatus.DATA_UNAVAILABLE, f"{only}: {told[0].away}", fix=fix)
        return told

    def between(self, told: Told, first: int, last: int) -> Iterator[SignedEntry]:
        """All entries of a node from one number to another, whatever they are about. Raises `ClientError`."""
        if told.copied:
            yield from (one.signed for number, one in sorted(told.copied.items()) if first <= number <= last)
            return
        for page in every_receipt(self._agent(told.node), Wanted(first=first)):
            for one in page.shown():
                if one.signed.entry.number > last:
                    return
                yield one.signed

    def one(self, name: str) -> Shown:
        """The entry of a name. Raises `Failure`, `Rejected` where there is another one in its place, `ClientError`."""
        named = read_entry_name(name)
        try:
            page = receipts_page(self._agent(named.node), Wanted(files=True), named.number, 1)
        except Unreachable:
            copied = self.ask(Wanted(files=True), named.node)[0].copied.get(named.number)
            if copied is None:
                raise
            check_name_of(named, copied.signed)
            return copied
        if page.kept_from > named.number:
            dropped = f"{name} was dropped at {instant(page.dropped_ms)}"
            message = f"{named.node} keeps entries from {page.kept_from} on; {dropped}"
            fix = "the chain still has the root it is under: whoever has exported it can prove it"
            raise Failure(CliRefusal.RECEIPT_NOT_HERE, ExitStatus.DATA_UNAVAILABLE, message, fix=fix)
        shown = [one for one in page.shown() if one.signed.entry.number == named.number]
        if not shown:
            message = f"{named.node} has written {page.count} entries, none number {named.number}"
            fix = f"bpi receipt list --by {named.node}"
            raise Failure(CliRefusal.NOTHING_THERE, ExitStatus.NOT_FOUND, message, fix=fix)
        check_name_of(named, shown[0].signed)
        return shown[0]

    def _agent(self, node: str) -> AgentClient:
        view = self.client.cluster.node(self.cluster, node)
        if not view.api:
            message = f"nobody knows where the agent of {node} answers"
            raise Failure(CliRefusal.RECEIPT_NOT_HERE, ExitStatus.DATA_UNAVAILABLE, message, fix="bpi node list")
        return AgentClient(view.api, self.cluster, self.key)

    def _told(self, node: str, endpoint: str, wanted: Wanted, most: int) -> Told:
        told = Told(node, self.client.cluster.node(self.cluster, node).receipts)
        if not endpoint:
            told.away = "it has not joined yet"
            return told
        try:
            for page in every_receipt(AgentClient(endpoint, self.cluster, self.key), wanted):
                told.kept_from, told.dropped_ms = page.kept_from, page.dropped_ms
                told.shown += [one for one in page.shown() if _is_from(one, self.cluster, node)]
                if most and len(told.shown) >= most:
                    break
        except ClientError as error:
            told.shown, told.away = [], error.form.message
        return told


def add_copies(agents: Agents, endpoints: Sequence[str], told: Sequence[Told], wanted: Wanted, only: str) -> list[Told]:
    """WREC-25. What agents that answer keep of nodes that are away: added to what these told, which was nothing; and
    beside it what is kept of nodes that are no part of the cluster any more. Copies that do not hold are left out."""
    members = {one.node: one for one in told}
    found: dict[tuple[str, str], Told] = {}
    for endpoint in endpoints:
        agent = AgentClient(endpoint, agents.cluster, agents.key)
        with suppress(ClientError):
            for kept in copies_kept(agent):
                member = members.get(kept.node)
                if (member is not None and not member.away) or only not in ("", kept.node):
                    continue
                into = found.setdefault((kept.node, kept.account), member or Told(kept.node, 0, away=REMOVED))
                for first in kept.first:
                    if first not in into.copied:
                        batch = copied_batch(agent, kept, first)
                        good = (one for one in batch if _is_from(one, agents.cluster, kept.node))
                        into.copied |= {one.signed.entry.number: one for one in good}
    for into in found.values():
        into.shown = [one for _, one in sorted(into.copied.items()) if wanted.wants(one.signed)]
    return [one for one in found.values() if one.node not in members]


def _is_from(one: Shown, cluster: str, node: str) -> bool:
    """Whether an entry is well formed and of whom it should be: its names become names of files. Raises `Failure`."""
    entry = one.signed.entry
    try:
        check_entry(entry)
    except Rejected as rejected:
        message = f"{node}: {rejected.detail}"
        raise Failure(rejected.reason, ExitStatus.INVALID_PROOF, message, fix="ask it again") from None
    return (entry.cluster, entry.node) == (cluster, node)


def wanted_by(workload: str, container: str, *, files: bool) -> Wanted:
    """Which entries are meant: of a workload, or of a container: `web.2`, `web.2.1`, or its whole name."""
    if not container:
        return Wanted(workload=workload, files=files)
    parts = container.split(".")
    if len(parts) == 4:
        parts = parts[1:]
    numbers = [int(text) if text.isdecimal() else -1 for text in parts[1:]]
    if len(parts) not in (2, 3) or -1 in numbers or workload not in ("", parts[0]):
        message = f"{container!r} is no container: web.2, web.2.1, or shop.web.2.1"
        raise Failure(CliRefusal.USAGE, ExitStatus.USAGE, message, fix="bpi container show WORKLOAD names them")
    return Wanted(parts[0], numbers[0], numbers[1] if len(numbers) == 2 else -1, files=files)


def in_order(told: Sequence[Told]) -> Iterator[Shown]:
    """By the block that pinned them, then by node and number; what is not pinned yet comes last."""
    found = [one for each in told for one in each.shown]
    return iter(sorted(found, key=lambda s: (s.height or 1 << 62, s.signed.entry.node, s.signed.entry.number)))


def replica_words(shown: Shown) -> str:
    """`web.0.1`: workload, index, attempt; a dash for what is about none."""
    entry = shown.signed.entry
    return f"{entry.workload}.{entry.index}.{entry.attempt}" if entry.workload else "-"


def write_folder(
    agents: Agents, told: Sequence[Told], folder: Path, form: str, make: Callable[[bytes], bytes]
) -> dict[str, Any]:
    """WREC-23. One file a receipt, `make` puts it into its form; and beside them, of every node, all that it has said
    from the first to the last of them. What was written. Raises `Failure`, `ClientError`."""
    ending = "receipt" if form == "file" else f"{form}.json"
    receipts, beside = 0, 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for each in told:
            for one in each.proved:
                (folder / f"{entry_name(one.signed)}.{ending}").write_bytes(make(one.file))
                receipts += 1
            beside += _write_between(agents, each, folder) if each.proved else 0
    except OSError as error:
        message = f"{folder}: {error.strerror}"
        raise Failure(CliRefusal.FILE_NOT_WRITABLE, ExitStatus.NOT_ALLOWED, message, fix="--to names another") from None
    return {"receipts": receipts, "entries": beside}


def _write_between(agents: Agents, told: Told, folder: Path) -> int:
    numbers = [one.signed.entry.number for one in told.proved]
    entries, count = agents.between(told, numbers[0], numbers[-1]), 0
    while part := list(islice(entries, ENTRIES_MAX)):
        (folder / f"{entry_name(part[0])}.entries").write_bytes(entries_file(part))
        count += len(part)
    return count
