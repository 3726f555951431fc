"""`bpi receipt …`: the outcome of a transaction, and the file that proves it."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

import click

from metanode.api.exits import ExitStatus
from metanode.api.transactions import ReceiptView
from metanode.cli.bpi.completing import accounts, files
from metanode.cli.bpi.offline import Checked, check_file, genesis_option
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.showing import as_data, instant, short
from metanode.cli.bpi.words import RECEIPT, RECEIPT_OR_FILE, is_receipt_file
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session, pass_session

FORMATS: Final = ("file", "intoto", "dsse")
"""The receipt file itself, an in-toto statement of it, and that in a DSSE envelope."""


def _outcome(view: ReceiptView) -> str:
    return "succeeded" if view.succeeded else f"failed: {view.code}"


def event_words(event: dict[str, Any]) -> str:
    """An event for people: its type and fields."""
    return f"{event['type']} " + " ".join(f"{k}={v}" for k, v in event.items() if k != "type")


def _event_kinds(view: ReceiptView) -> str:
    """Which events, and how often: `coin.transferred, accounts.created x50`."""
    counts = Counter(str(event["type"]) for event in view.events)
    return ", ".join(kind if count == 1 else f"{kind} x{count}" for kind, count in counts.items())


@leaf()
@click.argument("receipt", type=RECEIPT)
@pass_session
def get(session: Session, receipt: str) -> None:
    """Show a receipt by its name (rcpt_…) or its transaction's identity."""
    with connect(session) as client:
        view = client.receipt.get(receipt)

    def human() -> None:
        line, origin = session.output.line, view.origin
        line(f"receipt   {view.receipt} · height {view.height} · index {view.index} · {_outcome(view)}")
        line(f"of        {origin.kind} {origin.identity or origin.module}")
        line(f"work      {view.work}")
        for event in view.events:
            line(f"event     {event_words(event)}")

    session.output.result("receipt/1", as_data(view), human)


@leaf(name="list")
@click.option(
    "--account",
    "of_account",
    default="",
    metavar="ACCOUNT",
    shell_complete=accounts,
    help="Only receipts that touch it.",
)
@click.option("--first", type=click.IntRange(1), default=1, help="From this height.")
@click.option("--last", type=click.IntRange(0), default=0, help="Up to this height; 0 is the head.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@pass_session
def list_(session: Session, of_account: str, first: int, last: int, limit: int) -> None:
    """List receipts, the earliest first."""
    from itertools import islice

    from metanode.cli.bpi.keys import Names
    from metanode.cli.bpi.trust import local_genesis
    from metanode.records.address import show_address

    with connect(session) as client:
        if of_account:
            names = Names(session, local_genesis(session), client)
            of_account = show_address(names.address(of_account))
        items = list(islice(client.receipt.all(of_account, first, last), limit))
    rows = [(v.receipt, v.height, v.index, _outcome(v), _event_kinds(v)) for v in items]

    def human() -> None:
        session.output.table(("receipt", "height", "index", "outcome", "events"), rows, "no receipt there")
        if len(items) == limit:
            session.output.note(f"the first {limit}; more: --first {items[-1].height}, or a larger --limit")

    session.output.result("receipt.list/1", {"items": [as_data(view) for view in items]}, human)


@leaf()
@click.argument("receipt", type=RECEIPT_OR_FILE, shell_complete=files)
@click.option(
    "-o", "--output", "target", default="", metavar="FILE", help="NAME.receipt by default; - for standard output."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="file",
    show_default=True,
    help="intoto and dsse: of a workload's receipt FILE.",
)
@click.option("--account", default="", metavar="NAME", shell_complete=accounts, help="Who signs the DSSE envelope.")
@genesis_option("What a workload's receipt is checked by first; the local one by default.")
@pass_session
def export(session: Session, receipt: str, target: str, form: str, account: str, genesis_file: str) -> None:
    """Write the file that proves a receipt without a server.

    With another format: a workload's receipt FILE, checked here, as an in-toto statement for other tools, or that in a
    DSSE envelope. The receipt file is inside either, and bpi receipt verify checks both.
    """
    if form != "file":
        _convert(session, receipt, target, form, account, genesis_file)
        return
    if is_receipt_file(receipt):
        message = f"{receipt} is a receipt file already"
        raise Failure(
            CliRefusal.USAGE, ExitStatus.USAGE, message, fix="--format intoto or dsse tells it to other tools"
        )
    with connect(session) as client:
        view = client.receipt.export(receipt)
    data = bytes.fromhex(view.file)
    path = _write(data, target, f"{view.receipt}.receipt")
    if path is None:
        return
    facts = {"receipt": view.receipt, "height": view.height, "file": str(path), "bytes": len(data)}
    words = f"{path}  {len(data)} bytes · height {view.height}   try:  bpi receipt verify {path}"
    session.output.result("receipt.export/1", facts, lambda: session.output.line(words))


def _convert(session: Session, file: str, target: str, form: str, account: str, genesis_file: str) -> None:
    from metanode.cli.bpi.workload_receipts import converted

    data = converted(session, file, form, genesis_file, account)
    path = _write(data, target, f"{Path(file).stem}.{form}.json")
    if path is None:
        return
    facts = {"form": form, "of": file, "file": str(path), "bytes": len(data)}
    words = f"{path}  {len(data)} bytes · {form}   try:  bpi receipt verify {path}"
    session.output.result("receipt.export.workload/1", facts, lambda: session.output.line(words))


def _write(data: bytes, target: str, usual: str) -> Path | None:
    """Where it was written; None for standard output. Raises `Failure`."""
    if target == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return None
    path = Path(target or usual)
    try:
        path.write_bytes(data)
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise Failure(
            CliRefusal.FILE_NOT_WRITABLE, ExitStatus.NOT_ALLOWED, message, fix="-o names another file"
        ) from None
    return path


@leaf()
@click.argument("file", nargs=-1, required=True, shell_complete=files)
@genesis_option()
@pass_session
def verify(session: Session, file: tuple[str, ...], genesis_file: str) -> None:
    """Check a receipt file here, with nothing but a genesis; no node is asked.

    From the transaction over its receipt, the header and its certificate to the validators that genesis leads to. A
    file that does not hold ends with 21 and says which layer. A workload's receipt (a file, an in-toto statement, a
    DSSE envelope) is checked from the node's entry over its batch down to the same. Of several, also whether a node
    contradicts itself.
    """
    from metanode.cli.bpi.workload_receipts import show_attested, show_many
    from metanode.client.verify import Attested, verify_any_receipt

    if len(file) > 1:
        show_many(session, file, genesis_file)
        return
    checked = check_file(session, file[0], genesis_file, verify_any_receipt)
    if isinstance(checked.proven, Attested):
        show_attested(session, Checked(checked.trusted, checked.proven, checked.took_ms))
    else:
        _show_outcome(session, checked)


def _show_outcome(session: Session, checked: Checked[Any]) -> None:
    """What a transaction's receipt proved."""
    from metanode.client.transactions import Glossary, describe
    from metanode.records.receipt import TransactionOrigin

    verified = checked.proven
    receipt = verified.receipt
    names = {account.address: account.name for account in checked.trusted.genesis.accounts}
    decimals = {coin.coin: coin.decimals for coin in checked.trusted.genesis.coins}
    glossary = Glossary(names, decimals.get, checked.trusted.genesis.fee_coin)
    sentences = [describe(one.transaction, glossary) for one in verified.transaction]
    origin = receipt.origin
    facts = {
        "valid": True,
        "chain": verified.chain_id.hex(),
        "height": verified.height,
        "final_height": verified.final_height,
        "header": verified.header_hash.hex(),
        "timestamp_ms": verified.timestamp_ms,
        "succeeded": not receipt.code,
        "code": receipt.code,
        "transaction": origin.identity.hex() if isinstance(origin, TransactionOrigin) else "",
        "sentence": sentences[0] if sentences else "",
        "signers": verified.signers,
        "seats": verified.seats,
        "set_changes": verified.set_changes,
        "verify_ms": checked.took_ms,
    }

    def human() -> None:
        line = session.output.line
        for sentence in sentences:
            line(f"asked     {sentence}")
        line(
            f"outcome   {'failed: ' + receipt.code if receipt.code else 'succeeded'} · {instant(verified.timestamp_ms)}"
        )
        by = f"final by {verified.signers} of {verified.seats} validators"
        line(f"header    {short(verified.header_hash.hex(), 16)} · {by}")
        line(f"{session.output.styled('VALID', 'good')}  height {verified.height} · {checked.took_ms:.1f} ms")

    session.output.result("receipt.verify/1", facts, human)
