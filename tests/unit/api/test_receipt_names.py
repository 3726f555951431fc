"""Names of receipts say where a receipt is and notice typing mistakes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metanode.api.errors import ApiRefusal
from metanode.api.receipt_names import INDEX_BITS, read_receipt_name, receipt_name
from metanode.primitives.refusal import Rejected


@given(st.integers(1, 2**63 - 1), st.integers(0, 2**INDEX_BITS - 1))
def test_a_name_is_read_back(height: int, index: int) -> None:
    assert read_receipt_name(receipt_name(height, index)) == (height, index)


def test_a_name_is_short_and_stays() -> None:
    assert receipt_name(9, 0) == "rcpt_90000M2Z"


@given(st.integers(1, 10**9), st.integers(0, 5000), st.data())
def test_another_character_is_noticed(height: int, index: int, data: st.DataObject) -> None:
    name = receipt_name(height, index)
    at = data.draw(st.integers(5, len(name) - 1))
    other = data.draw(st.sampled_from([c for c in "0123456789ABCDEFGHJKMNPQRSTVWXYZ" if c != name[at]]))
    try:
        place = read_receipt_name(name[:at] + other + name[at + 1 :])
    except Rejected as rejected:
        assert rejected.reason is ApiRefusal.INVALID_ARGUMENTS
    else:  # one in 32,768: then it is another name, well formed
        assert receipt_name(*place) == name[:at] + other + name[at + 1 :]


@given(st.text(max_size=40))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        place = read_receipt_name(text)
    except Rejected as rejected:
        assert rejected.reason is ApiRefusal.INVALID_ARGUMENTS
    else:
        assert receipt_name(*place) == text


@pytest.mark.parametrize("text", ["", "rcpt_", "rcpt_000", "rcpt_0000", "9", "rcpt_90000m2z", "rcpt_" + "Z" * 30])
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(Rejected):
        read_receipt_name(text)
