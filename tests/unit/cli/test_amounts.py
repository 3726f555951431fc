"""Amounts as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.amounts import read_amount, show_amount
from metanode.cli.failure import CliRefusal, Failure
from metanode.records.amount import AMOUNT_MAX


@pytest.mark.parametrize(
    ("text", "decimals", "units"),
    [("420", 2, 42_000), ("4.20", 2, 420), ("4.2", 2, 420), ("0.01", 2, 1), ("7", 0, 7), ("0", 2, 0), ("007", 0, 7)],
)
def test_an_amount_is_read_in_whole_coins(text: str, decimals: int, units: int) -> None:
    assert read_amount(text, decimals, "USD") == units


@pytest.mark.parametrize(
    ("text", "decimals"),
    [
        ("", 2), ("-1", 2), ("1.", 2), (".5", 2), ("1,5", 2), ("1e3", 2), (" 1", 2), ("1_000", 2), ("٣", 2),
        ("1.001", 2), ("0.5", 0), (str(AMOUNT_MAX + 1), 0), ("9" * 39, 38), ("1" * 40, 0),
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_what_to_write(text: str, decimals: int) -> None:
    with pytest.raises(Failure) as raised:
        read_amount(text, decimals, "USD")
    assert (raised.value.form.code, raised.value.form.exit) == (CliRefusal.BAD_AMOUNT, ExitStatus.USAGE)
    assert raised.value.form.fix


@given(st.integers(0, AMOUNT_MAX), st.integers(0, 38))
def test_what_is_shown_is_read_back(units: int, decimals: int) -> None:
    assert read_amount(show_amount(units, decimals), decimals, "X") == units
    assert show_amount(str(units), decimals) == show_amount(units, decimals)
