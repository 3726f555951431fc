"""`bpi transaction …`: what was asked of the chain, and what became of it."""

import json
import time
from typing import Any

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.completing import accounts, files
from metanode.cli.bpi.keys import Names
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.sending import How, Sending, choose_waiting, sending, submit, tell
from metanode.cli.bpi.showing import as_data, instant
from metanode.cli.bpi.trust import local_genesis
from metanode.cli.bpi.words import IDENTITY
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.files import read_bytes
from metanode.cli.session import Session, pass_session
from metanode.client.transactions import Glossary, describe, read_call
from metanode.primitives.refusal import Rejected
from metanode.records.calls import Call
from metanode.records.transaction import SIGNED_TRANSACTIONS, SignedTransaction, identity

TRANSACTION_FILE_BYTES_MAX = 1 << 20
"""A transaction is at most 64 KiB; as JSON it is somewhat more."""


@leaf()
@click.argument("file", shell_complete=files)
@click.option(
    "--cosigner",
    "cosigners",
    multiple=True,
    metavar="NAME",
    shell_complete=accounts,
    help="A further key, for shared accounts.",
)
@click.option(
    "--sender",
    default="",
    metavar="ACCOUNT",
    shell_complete=accounts,
    help="The account that acts, if not the signer's own.",
)
@sending
@pass_session
def send(session: Session, file: str, cosigners: tuple[str, ...], sender: str, how: How) -> ExitStatus | None:
    """Sign and send the calls of a file, all of them or none; or submit what is signed already.

    FILE (- for standard input) is a JSON list of calls, each with its type:
    [{"type": "coin.transfer", "coin": "USD", "to": "bpi1…", "amount": "420"}], amounts in smallest units;
    or the canonical bytes of a signed transaction, as they are or in hexadecimal.
    """
    data = read_bytes(file, TRANSACTION_FILE_BYTES_MAX)
    signed = _signed(data)
    if isinstance(signed, SignedTransaction):
        return _submit(session, signed, how)
    calls = _calls(file, data, signed)
    desk = Sending(session, how)
    for call in calls:
        coin = getattr(call, "coin", "")
        if coin and type(call).__name__ != "CoinDefine":
            desk.decimals(coin)
    extra = tuple(desk.names.signer(name) for name in cosigners)
    return desk.send(*calls, extra=extra, sender=desk.names.address(sender) if sender else b"")


def _signed(data: bytes) -> SignedTransaction | Rejected:
    """A signed transaction, as bytes or hexadecimal; else why it is none."""
    try:
        text = data.decode("ascii").strip()
        data = bytes.fromhex(text)
    except (UnicodeDecodeError, ValueError):
        pass
    try:
        return SIGNED_TRANSACTIONS.decode(data)
    except Rejected as rejected:
        return rejected


def _calls(file: str, data: bytes, unsigned: Rejected) -> tuple[Call, ...]:
    """The calls of a file that is no signed transaction. Raises `Failure`, which names both reasons."""
    try:
        found: Any = json.loads(data)
    except (ValueError, UnicodeDecodeError) as error:
        message = f"{file}: neither a signed transaction ({unsigned}) nor JSON ({error})"
        raise Failure(
            CliRefusal.FILE_NOT_READABLE, ExitStatus.USAGE, message, fix="see bpi transaction send --help"
        ) from None
    if not isinstance(found, list):
        found = [found]
    return tuple(read_call(one) for one in found)


def _submit(session: Session, signed: SignedTransaction, how: How) -> ExitStatus | None:
    until, timeout_s = choose_waiting(session, how.wait, how.timeout)
    with connect(session) as client:
        names = Names(session, local_genesis(session), client).by_address()
        sentence = describe(signed.transaction, Glossary(names))
        session.output.note(f"signed already: {sentence}")
        began = time.monotonic()
        submit(client, signed, timeout_s, began)
        return tell(session, client, identity(signed.transaction).hex(), until, timeout_s, began, sentence)


@leaf()
@click.argument("identity", type=IDENTITY)
@pass_session
def show(session: Session, identity: str) -> None:
    """Show what a transaction asks for, who signed it, and how far it has come."""
    with connect(session) as client:
        view = client.transaction.show(identity)
        status = client.transaction.get(identity)
    data = {**as_data(view), "state": status.state, "height": status.height, "receipt": status.receipt}
    data |= {"succeeded": status.succeeded, "code": status.code}

    def human() -> None:
        line = session.output.line
        line(view.sentence)
        line(f"identity  {view.identity}")
        line(f"sender    {view.sender} · lane {view.lane} · nonce {view.nonce}")
        line(f"signed    {', '.join(one.key[:16] + '…' for one in view.authorizations)}")
        line(f"expires   {instant(view.expires_ms)}")
        done = f" at height {status.height} · receipt {status.receipt}" if status.state == "final" else ""
        failed = f" · failed: {status.code}" if status.code else ""
        line(f"state     {status.state}{done}{failed}")

    session.output.result("transaction.show/1", data, human)


@leaf()
@click.argument("identity", type=IDENTITY)
@click.option("--until", type=click.Choice(["final", "included"]), default="final", show_default=True)
@click.option("--timeout", default="", metavar="SECONDS", help="Longest wait; 30 by default.")
@pass_session
def wait(session: Session, identity: str, until: str, timeout: str) -> ExitStatus | None:
    """Wait until a transaction is final, and say what became of it.

    Ends with 61 where the deadline passes first: the same command goes on waiting.
    """
    _, timeout_s = choose_waiting(session, "", timeout)
    with connect(session) as client:
        return tell(session, client, identity, until, timeout_s, time.monotonic())
