"""Amounts as people write them: in whole coins with a point, never in smallest units."""

import re

from metanode.api.exits import ExitStatus
from metanode.cli.failure import CliRefusal, Failure
from metanode.records.amount import AMOUNT_MAX


def read_amount(text: str, decimals: int, coin: str) -> int:
    """Smallest units of `4.20`. Raises `Failure` where it is no amount, or finer than the coin."""
    match = re.fullmatch(r"([0-9]{1,39})(?:\.([0-9]{1,39}))?", text)
    if match is None:
        message = f"{text!r} is no amount"
        raise Failure(CliRefusal.BAD_AMOUNT, ExitStatus.USAGE, message, fix="write 420 or 4.20: digits and one point")
    whole, part = match.group(1), match.group(2) or ""
    if len(part) > decimals:
        message = f"{text} {coin}: {coin} has {decimals} decimals"
        raise Failure(
            CliRefusal.BAD_AMOUNT, ExitStatus.USAGE, message, fix=f"at most {decimals} digits after the point"
        )
    units = int(whole + part.ljust(decimals, "0"))
    if units > AMOUNT_MAX:
        message = f"{text} {coin} is more than any amount"
        raise Failure(CliRefusal.BAD_AMOUNT, ExitStatus.USAGE, message, fix="write a smaller amount")
    return units


def show_amount(units: int | str, decimals: int) -> str:
    """`4.20` of 420 smallest units."""
    if not decimals:
        return str(units)
    whole, part = divmod(int(units), 10**decimals)
    return f"{whole}.{part:0{decimals}}"
