"""Words of a command line that name things of a chain, checked before a node is asked."""

import re
from pathlib import Path
from typing import Any

import click

from metanode.api.receipt_names import read_receipt_name
from metanode.docklock.receipts.names import is_entry_name
from metanode.primitives.refusal import Rejected


def _identity(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None


class IdentityText(click.ParamType[str]):
    """The identity of a transaction."""

    name = "identity"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text, or a usage error that says how it looks."""
        if not _identity(str(value)):
            self.fail(f"{value!r} is no identity: 64 hexadecimal digits, as bpi printed them", param, ctx)
        return str(value)


class ReceiptText(click.ParamType[str]):
    """The name of a receipt, or the identity of its transaction, or the name of a workload's (`node-2.41.K7QF`)."""

    name = "receipt"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text, or a usage error that says what is wrong with it: a name has a checksum."""
        text = str(value)
        if text and not _identity(text) and not is_entry_name(text):
            try:
                read_receipt_name(text)
            except Rejected as rejected:
                self.fail(rejected.detail, param, ctx)
        return text


def is_receipt_file(text: str) -> bool:
    """Whether a file is meant: it is there, or is named as receipt files are."""
    return text.endswith(".receipt") or Path(text).is_file()


class ReceiptOrFileText(ReceiptText):
    """The name of a receipt, the identity of its transaction, or a receipt file."""

    name = "receipt"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text; a file before a name."""
        return str(value) if is_receipt_file(str(value)) else super().convert(value, param, ctx)


IDENTITY = IdentityText()
"""For `click.argument`."""
RECEIPT = ReceiptText()
"""For `click.argument`."""
RECEIPT_OR_FILE = ReceiptOrFileText()
"""For `click.argument`."""
