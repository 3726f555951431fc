"""`bpi receipt …`: the outcome of a transaction, and the file that proves it."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

import click

from metanode.api.exits import ExitStatus
from metanode.api.transactions import ReceiptView
from metanode.cli.bpi.clusters import cluster_option
from metanode.cli.bpi.completing import accounts, files
from metanode.cli.bpi.offline import Checked, check_file, genesis_option
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.showing import as_data, instant, short
from metanode.cli.bpi.words import RECEIPT, RECEIPT_OR_FILE, is_receipt_file
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session, pass_session
from metanode.docklock.receipts.names import is_entry_name

FORMATS: Final = ("file", "intoto", "dsse")
"""The receipt file itself, an in-toto statement of it, and that in a DSSE envelope."""


signer_option: Final = click.option(
    "--signer", default="", metavar="NAME", shell_complete=accounts, help="Who asks the agents of a cluster."
)


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
@cluster_option
@signer_option
@pass_session
def get(session: Session, receipt: str, cluster: str, signer: str) -> None:
    """Show a receipt by its name (rcpt_…), its transaction's identity, or a workload's name (node-2.41.K7QF)."""
    if is_entry_name(receipt):
        from metanode.cli.bpi.receipts_shown import show_entry

        show_entry(session, receipt, cluster, signer)
        return
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
@click.option("--workload", default="", metavar="WORKLOAD", help="What nodes did with a workload, instead.")
@click.option("--container", default="", metavar="CONTAINER", help="The same of web.2, or of one attempt: web.2.1.")
@click.option("--by", default="", metavar="NODE", help="What this node did.")
@cluster_option
@signer_option
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@pass_session
def list_(  # noqa: PLR0913, PLR0917 - one argument an option
    session: Session,
    of_account: str,
    first: int,
    last: int,
    workload: str,
    container: str,
    by: str,
    cluster: str,
    signer: str,
    limit: int,
) -> ExitStatus | None:
    """List receipts, the earliest first; with --workload, --container or --by what nodes did."""
    if workload or container or by:
        from metanode.cli.bpi.receipts_shown import list_of_workloads

        return list_of_workloads(session, (workload, container, by), cluster, signer, limit)
    _list(session, of_account, first, last, limit)
    return None


def _list(session: Session, of_account: str, first: int, last: int, limit: int) -> None:
    """Receipts of transactions."""
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
@click.argument("receipt", type=RECEIPT_OR_FILE, default="", shell_complete=files)
@click.option("--workload", default="", metavar="WORKLOAD", help="All receipts of a workload, to a folder.")
@click.option("--to", "folder", default="", metavar="FOLDER", help="With --workload: where they are written.")
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
@cluster_option
@signer_option
@click.option("--within", type=click.FloatRange(0, 3_600), default=30.0, show_default=True, metavar="SECONDS",
              help="With --workload: how long to wait until the chain has pinned the last of them.")  # fmt: skip
@pass_session
def export(  # noqa: PLR0913, PLR0917 - one argument an option
    session: Session,
    receipt: str,
    workload: str,
    folder: str,
    target: str,
    form: str,
    account: str,
    genesis_file: str,
    cluster: str,
    signer: str,
    within: float,
) -> ExitStatus | None:
    """Write the file that proves a receipt without a server, or all those of a workload to a folder.

    With another format: a workload's receipt FILE, checked here, as an in-toto statement for other tools, or that in a
    DSSE envelope. The receipt file is inside either, and bpi receipt verify checks both.
    """
    if bool(workload) == bool(receipt) or bool(workload) != bool(folder):
        message = "name a receipt, or --workload and the folder --to which its receipts are written"
        fix = "bpi receipt export --workload WORKLOAD --to FOLDER"
        raise Failure(CliRefusal.USAGE, ExitStatus.USAGE, message, fix=fix)
    if workload:
        return _export_folder(session, workload, folder, (cluster, signer, within), (form, genesis_file, account))
    if is_entry_name(receipt) and not is_receipt_file(receipt):
        _export_entry(session, receipt, target, (cluster, signer), (form, genesis_file, account))
    elif form != "file":
        _convert(session, receipt, target, form, account, genesis_file)
    else:
        _export(session, receipt, target)
    return None


def _export_folder(
    session: Session, workload: str, folder: str, asked: tuple[str, str, float], made: tuple[str, str, str]
) -> ExitStatus | None:
    """All receipts of a workload. `made`: the form, the genesis they are checked by for that, who signs it."""
    from metanode.cli.bpi.receipts_shown import export_folder
    from metanode.cli.bpi.workload_receipts import maker

    return export_folder(session, workload, folder, asked, made[0], maker(session, *made))


def _export_entry(session: Session, name: str, target: str, asked: tuple[str, str], made: tuple[str, str, str]) -> None:
    """One receipt of a workload, by its name."""
    from metanode.cli.bpi.receipts_shown import export_entry
    from metanode.cli.bpi.workload_receipts import maker

    form = made[0]
    data = maker(session, *made)(export_entry(session, name, *asked))
    path = _write(data, target, f"{name}.{'receipt' if form == 'file' else form + '.json'}")
    if path is None:
        return
    facts = {"receipt": name, "form": form, "file": str(path), "bytes": len(data)}
    words = f"{path}  {len(data)} bytes   try:  bpi receipt verify {path}"
    session.output.result("receipt.export.entry/1", facts, lambda: session.output.line(words))


def _export(session: Session, receipt: str, target: str) -> None:
    """The receipt of a transaction."""
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
@click.argument("file", metavar="FILE|FOLDER...", nargs=-1, required=True, shell_complete=files)
@genesis_option()
@pass_session
def verify(session: Session, file: tuple[str, ...], genesis_file: str) -> None:
    """Check a receipt file here, with nothing but a genesis; no node is asked.

    From the transaction over its receipt, the header and its certificate to the validators that genesis leads to. A
    file that does not hold ends with 21 and says which layer. A workload's receipt (a file, an in-toto statement, a
    DSSE envelope) is checked from the node's entry over its batch down to the same. Of several, also whether a node
    contradicts itself, and whether any of its entries is missing between the first and the last.
    """
    from metanode.cli.bpi.workload_receipts import ENTRIES, show_attested, show_many
    from metanode.client.verify import Attested, verify_any_receipt

    if len(file) > 1 or Path(file[0]).is_dir() or file[0].endswith(ENTRIES):
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
