"""`bpi evidence …`: proofs that a validator broke the rules, and what nodes keep to make more of them."""

from pathlib import Path

import click

from metanode.api.exits import ExitStatus
from metanode.api.node import EvidenceView
from metanode.cli.bpi.guilt import MEANINGS, shown_words, write_file
from metanode.cli.bpi.offline import check_file, genesis_option
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.showing import as_data, short
from metanode.cli.bpi.words import IDENTITY
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.files import read_bytes
from metanode.cli.session import Session, pass_session


@leaf(name="list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@pass_session
def list_(session: Session, limit: int) -> None:
    """List proofs of guilt: those that wait for a block first, then those that blocks carried, the latest first."""
    cursor = ""
    items: list[EvidenceView] = []
    with connect(session) as client:
        while len(items) < limit:
            page = client.evidence.list(cursor, min(500, limit - len(items)))
            items += page.items
            cursor = page.next
            if not cursor:
                break
    rows = [
        (view.digest, view.kind, view.height, ", ".join(view.accused), view.included_height or "waits")
        for view in items
    ]
    columns = ("evidence", "kind", "height", "accused", "block")
    data = {"items": [as_data(view) for view in items], "more": bool(cursor)}
    session.output.result("evidence.list/1", data, lambda: session.output.table(columns, rows))


@leaf()
@click.argument("digest", type=IDENTITY)
@click.option("-o", "--output", "target", default="", metavar="FILE", help="Write the proof to a file, too.")
@pass_session
def show(session: Session, digest: str, target: str) -> None:
    """Show a proof of guilt: who did what, where; and write it to a file that convicts without a server."""
    from metanode.records.evidence import EVIDENCE
    from metanode.records.evidence_file import EVIDENCE_FILES

    with connect(session) as client:
        view = client.evidence.export(digest)
    data = bytes.fromhex(view.file)
    shown = shown_words(EVIDENCE.decode(EVIDENCE_FILES.decode(data).evidence))
    if target:
        write_file(Path(target), data)
    facts = as_data(view) | {"shows": list(shown), "bytes": len(data), "written": target}

    def human() -> None:
        line = session.output.line
        line(f"evidence  {view.digest}")
        line(f"accused   {', '.join(view.accused)}: {MEANINGS[view.kind]}")
        for words in shown:
            line(f"shows     {words}")
        if target:
            line(f"{target}  {len(data)} bytes   try:  bpi evidence verify {target}")

    session.output.result("evidence/1", facts, human)


@leaf()
@click.argument("file")
@genesis_option()
@pass_session
def verify(session: Session, file: str, genesis_file: str) -> None:
    """Check a proof of guilt here, with nothing but a genesis; no node is asked.

    From the chain over the changes of its validator set to what the accused signed. A file that does not hold ends with
    21 and says which layer.
    """
    from metanode.client.verify import verify_evidence
    from metanode.records.evidence import evidence_digest, evidence_height

    checked = check_file(session, file, genesis_file, verify_evidence)
    proven = checked.proven
    evidence, kind = proven.evidence, str(proven.evidence.__struct_config__.tag)
    guilty = [proven.validators[seat] for seat in proven.seats]
    facts = {
        "valid": True,
        "chain": proven.chain_id.hex(),
        "evidence": evidence_digest(evidence).hex(),
        "kind": kind,
        "height": evidence_height(evidence),
        "guilty": [
            {"seat": seat, "name": one.name, "vote_key": one.vote_key.hex()}
            for seat, one in zip(proven.seats, guilty, strict=True)
        ],
        "shows": list(shown_words(evidence)),
        "set_changes": proven.set_changes,
        "verify_ms": checked.took_ms,
    }

    def human() -> None:
        line = session.output.line
        for seat, one in zip(proven.seats, guilty, strict=True):
            line(f"guilty    {one.name} (seat {seat}, vote key {short(one.vote_key.hex(), 16)}): {MEANINGS[kind]}")
        for words in shown_words(evidence):
            line(f"shows     {words}")
        line(f"{session.output.styled('VALID', 'good')}  height {evidence_height(evidence)} · {checked.took_ms:.1f} ms")

    session.output.result("evidence.verify/1", facts, human)


@leaf()
@click.argument("file")
@pass_session
def submit(session: Session, file: str) -> None:
    """Hand a proof of guilt to a node: if it holds, a block carries it, and who is guilty leaves the set."""
    from metanode.primitives.refusal import Rejected
    from metanode.records.evidence_file import EVIDENCE_FILES

    try:
        encoded = EVIDENCE_FILES.decode(read_bytes(file)).evidence
    except Rejected as rejected:
        message = f"{file}: no evidence file: {rejected.detail}"
        fix = "bpi evidence show DIGEST -o FILE or bpi forensics writes one"
        raise Failure(CliRefusal.FILE_NOT_READABLE, ExitStatus.USAGE, message, fix=fix) from None
    with connect(session) as client:
        taken = client.evidence.submit(encoded)
    words = f"taken: {taken.digest} against {', '.join(taken.accused)}   try:  bpi evidence list"
    session.output.result("evidence.submit/1", as_data(taken), lambda: session.output.line(words))


@leaf()
@click.argument("height", type=click.IntRange(0), default=0)
@click.option("-o", "--output", "target", default="", metavar="FILE", help="NODE-HEIGHT.testimony by default.")
@pass_session
def testimony(session: Session, height: int, target: str) -> None:
    """Write what a node kept of a height: its header and certificate, votes and justifications, for bpi forensics."""
    with connect(session) as client:
        name = client.node.status().node
        view = client.evidence.testimony(height)
    data = bytes.fromhex(view.file)
    path = Path(target or f"{name}-{view.height}.testimony")
    write_file(path, data)
    facts = {key: value for key, value in as_data(view).items() if key != "file"} | {
        "node": name,
        "file": str(path),
        "bytes": len(data),
    }

    def human() -> None:
        kept = f"{view.votes} votes and {view.justifications} justifications kept"
        line = session.output.line
        line(f"{path}  {len(data)} bytes · height {view.height}, round {view.round} · {short(view.hash, 16)} · {kept}")
        if not view.votes:
            line("it needed one round only: nothing else is kept of it")
        if not view.complete:
            line("more is kept than a file takes: these are the earliest rounds")

    session.output.result("evidence.testimony/1", facts, human)
