"""`bpi demo tamper`."""

from typing import Any

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.offline import genesis_option
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.trust import trusted_genesis
from metanode.cli.bpi.words import RECEIPT
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session, pass_session
from metanode.records.receipt_file import RECEIPT_FILES, CommitStep, HeaderStep, ReceiptStep, TransactionStep

PARTS = ("transaction", "receipt", "header", "commit")
"""The parts of a receipt file in which a byte can be flipped."""


@leaf()
@click.argument("receipt", default="", type=RECEIPT)
@click.option("--part", type=click.Choice(PARTS), default="receipt", show_default=True)
@genesis_option()
@pass_session
def tamper(session: Session, receipt: str, part: str, genesis_file: str) -> ExitStatus:
    """Flip one byte of a receipt file and watch the check refuse it; ends with 21.

    The last receipt is taken where none is named. The node, its chain and your files stay as they are.
    """
    from metanode.client.verify import GenesisBasis, verify_receipt
    from metanode.primitives.refusal import Rejected

    trusted = trusted_genesis(session, genesis_file)
    with connect(session) as client:
        exported = client.receipt.export(receipt or _last(client))
    data, basis = bytes.fromhex(exported.file), GenesisBasis(trusted.genesis)
    verify_receipt(data, basis)
    at = _middle(data, part)
    changed = bytearray(data)
    changed[at] ^= 1
    try:
        verify_receipt(bytes(changed), basis)
    except Rejected as rejected:
        layer = str(rejected.reason).rpartition(".")[2]
        facts = {"receipt": exported.receipt, "part": part, "byte": at, "layer": layer, "code": str(rejected.reason)}
        facts |= {"detail": rejected.detail, "untouched_valid": True, "tampered_valid": False}

        def human() -> None:
            line, styled = session.output.line, session.output.styled
            line(f"{exported.receipt} as it is … {styled('VALID', 'good')}")
            line(f"one byte flipped in the {part} … {styled('INVALID', 'bad')} (layer: {layer})   exit 21")

        session.output.result("demo.tamper/1", facts, human)
        return ExitStatus.INVALID_PROOF
    message = f"byte {at} of {exported.receipt} was flipped and the check did not see it"
    raise Failure(CliRefusal.UNEXPECTED, ExitStatus.UNEXPECTED, message, fix="report this: it must never happen")


def _last(client: Any) -> str:
    """The last transaction's receipt."""
    before = 0
    while True:
        page = client.block.list(before, 500)
        for block in page.items:
            if block.transactions:
                return str(client.block.get(block.height).transactions[-1])
        before = page.next
        if not before:
            message = "the chain has no transaction yet"
            raise Failure(
                CliRefusal.NOTHING_THERE, ExitStatus.NOT_FOUND, message, fix="bpi coin transfer --to globex --amount 1"
            )


def _middle(data: bytes, part: str) -> int:
    """Where the middle of a part of a receipt file is. Raises `Failure` where the file has no such part."""
    for step in RECEIPT_FILES.decode(data).steps:
        match part, step:
            case "transaction", TransactionStep(signed=inside):
                return data.index(inside) + len(inside) // 2
            case "receipt", ReceiptStep(receipt=inside):
                return data.index(inside) + len(inside) // 2
            case "header", HeaderStep(header=inside):
                return data.index(inside) + len(inside) // 2
            case "commit", CommitStep(commit=commit):
                inside = commit.aggregate_signature
                return data.index(inside) + len(inside) // 2
            case _:
                pass
    message = f"the file has no {part}"
    raise Failure(CliRefusal.NOTHING_THERE, ExitStatus.NOT_FOUND, message, fix="choose another --part")
