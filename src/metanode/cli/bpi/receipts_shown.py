"""What `bpi receipt` does with receipts of workloads: list, show and export what the agents have."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.node_receipts import Agents, Told, in_order, replica_words, wanted_by, write_folder
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.showing import instant
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session
from metanode.client.agent_receipts import Shown
from metanode.docklock.receipts import entry_facts, entry_name, sentence

POLL_S: Final = 0.25
"""How often it is asked whether the last entries are pinned."""


def list_of_workloads(
    session: Session, meant: tuple[str, str, str], cluster: str, signer: str, limit: int
) -> ExitStatus | None:
    """List what agents have written down of a workload, a container, or all of one node (`meant`, each may be empty).
    30 where entries that are pinned are with nobody who answers."""
    workload, container, node = meant
    wanted = wanted_by(workload, container, files=False)
    with connect(session) as client:
        agents = Agents.of(session, client, cluster, signer)
        told = agents.ask(wanted, node, limit)
    shown = list(in_order(told))[:limit]
    rows = [
        (
            str(entry_name(one.signed)),
            instant(one.signed.entry.time_ms),
            one.signed.entry.step,
            replica_words(one),
            one.signed.entry.code or "-",
            one.height or "not yet",
        )
        for one in shown
    ]
    items = [_facts(one) for one in shown]
    away = away_facts(told)

    def human() -> None:
        columns = ("receipt", "by the node's clock", "step", "replica", "code", "pinned in block")
        session.output.table(columns, rows, "no receipt of it")
        say_away(session, told)

    session.output.result("receipt.list.workload/1", {"items": items, "away": away}, human)
    return ExitStatus.DATA_UNAVAILABLE if _anything_lost(told) else None


def _facts(one: Shown) -> dict[str, Any]:
    return {"receipt": str(entry_name(one.signed)), "height": one.height, "entry": entry_facts(one.signed.entry)}


def away_facts(told: Sequence[Told]) -> list[dict[str, Any]]:
    """Nodes that told nothing: how many of their entries the chain has pinned, and other agents keep."""
    return [
        {"node": one.node, "why": one.away, "pinned": one.pinned, "copied": len(one.copied), "lost": one.lost}
        for one in told
        if one.away
    ]


def _anything_lost(told: Sequence[Told]) -> bool:
    return any(one.lost for one in told)


def say_away(session: Session, told: Sequence[Told]) -> None:
    """The same for people; and which entries were dropped."""
    for one in told:
        if one.away:
            kept = f"other agents keep {len(one.copied)} of its entries, the chain has pinned {one.pinned}"
            session.output.note(f"{one.node} does not answer; {kept} ({one.away})")
        elif one.kept_from:
            when = instant(one.dropped_ms)
            session.output.note(f"{one.node} has dropped its entries below {one.kept_from} at {when}")


def show_entry(session: Session, name: str, cluster: str, signer: str) -> None:
    """What one entry says, by its name. Nothing is proved by that: `export` writes what proves it."""
    with connect(session) as client:
        one = Agents.of(session, client, cluster, signer).one(name)
    entry = one.signed.entry

    def human() -> None:
        line = session.output.line
        line(f"receipt   {name} · {f'pinned in block {one.height}' if one.height else 'not pinned yet'}")
        line(f"says      {sentence(entry, instant(entry.time_ms))}")
        for detail, value in entry_facts(entry)["details"].items():
            line(f"          {detail} {value}")
        line(f"try:  bpi receipt export {name}")

    session.output.result("receipt.workload/1", _facts(one), human)


def export_entry(session: Session, name: str, cluster: str, signer: str) -> bytes:
    """The receipt file of one entry, by its name. Raises `Failure` where it is not pinned yet."""
    with connect(session) as client:
        one = Agents.of(session, client, cluster, signer).one(name)
    if not one.file:
        message = f"{name} is not pinned yet, so nothing proves it"
        fix = "again in a few seconds"
        raise Failure(CliRefusal.RECEIPT_NOT_HERE, ExitStatus.DATA_UNAVAILABLE, message, fix=fix, retryable=True)
    return one.file


def export_folder(
    session: Session,
    workload: str,
    folder: str,
    asked: tuple[str, str, float],
    form: str,
    make: Callable[[bytes], bytes],
) -> ExitStatus | None:
    """Write all receipts of a workload that are known now, from every agent that has any, once they are pinned.
    `asked`: cluster, who asks, how many seconds to wait for that. 30 where some cannot be had, or are not pinned."""
    cluster, signer, within_s = asked
    deadline = time.monotonic() + within_s
    with connect(session) as client:
        agents = Agents.of(session, client, cluster, signer)
        told = agents.ask(wanted_by(workload, "", files=True))
        known = _names(told, proved=False)
        while known - _names(told, proved=True) and time.monotonic() < deadline:
            time.sleep(POLL_S)
            told = agents.ask(wanted_by(workload, "", files=True))
        left = sorted(known - _names(told, proved=True))
        if not known:
            message = f"no agent that answers has a receipt of {workload}"
            fix = "bpi container list names workloads"
            raise Failure(CliRefusal.NOTHING_THERE, ExitStatus.NOT_FOUND, message, fix=fix)
        written = write_folder(agents, told, Path(folder), form, make)
    away = away_facts(told)
    facts = {"workload": workload, "folder": folder, **written, "nodes": _counts(told), "unpinned": left, "away": away}

    def human() -> None:
        for node, count in facts["nodes"].items():
            session.output.line(f"{node}  {count} receipts")
        say_away(session, told)
        for name in left:
            session.output.note(f"{name} is not pinned yet: not written")
        session.output.line(f"{folder}  {written['receipts']} receipts   try:  bpi receipt verify {folder}")

    session.output.result("receipt.export.folder/1", facts, human)
    return ExitStatus.DATA_UNAVAILABLE if left or _anything_lost(told) else None


def _names(told: Sequence[Told], *, proved: bool) -> set[str]:
    return {str(entry_name(one.signed)) for each in told for one in (each.proved if proved else each.shown)}


def _counts(told: Sequence[Told]) -> dict[str, int]:
    return {one.node: len(one.proved) for one in told if one.proved}
