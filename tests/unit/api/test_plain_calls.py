"""Plain objects: what is shown is read back exactly, and nothing else is read."""

from typing import Any, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metanode.api.errors import ApiRefusal
from metanode.api.plain import ADDRESS_FIELDS, AMOUNT_FIELDS, plain
from metanode.api.plain_calls import read_call
from metanode.primitives.codec import Wire
from metanode.primitives.refusal import Rejected
from metanode.records.address import AddressRefusal, show_address
from metanode.records.amount import AmountRefusal, amount_bytes
from metanode.records.calls import Action, Call, CoinTransfer

TO = show_address(bytes(20))


def _values(kind: Any, name: str) -> st.SearchStrategy[Any]:
    if name in ADDRESS_FIELDS and kind is bytes:
        return st.binary(min_size=20, max_size=20)
    if name in ADDRESS_FIELDS and kind == tuple[bytes, ...]:
        return st.lists(st.binary(min_size=20, max_size=20), max_size=3).map(tuple)
    if name in AMOUNT_FIELDS:
        return st.integers(0, 2**128 - 1).map(amount_bytes)
    if name == "action" and kind is not str:
        return st.one_of([_records(action) for action in get_args(Action)])
    if get_origin(kind) is tuple and issubclass(get_args(kind)[0], Wire):
        return st.lists(_records(get_args(kind)[0]), max_size=2).map(tuple)
    if isinstance(kind, type) and issubclass(kind, Wire):
        return _records(kind)
    return {
        bytes: st.binary(max_size=96),
        int: st.integers(0, 2**63 - 1),
        bool: st.booleans(),
        str: st.text(max_size=20),
        tuple[bytes, ...]: st.lists(st.binary(max_size=32), max_size=3).map(tuple),
        tuple[str, ...]: st.lists(st.text(max_size=20), max_size=3).map(tuple),
        tuple[int, ...]: st.lists(st.integers(0, 2**63 - 1), max_size=3).map(tuple),
    }[kind]


def _records(kind: type[Wire]) -> st.SearchStrategy[Wire]:
    import msgspec

    fields = {field.name: _values(field.type, field.name) for field in msgspec.structs.fields(kind)}
    return st.builds(kind, **fields)


@given(st.one_of([_records(kind) for kind in get_args(Call)]))
def test_what_is_shown_is_read_back(call: Wire) -> None:
    assert read_call(plain(call)) == call


def test_a_transfer() -> None:
    shown = {"type": "coin.transfer", "coin": "USD", "to": TO, "amount": "420"}
    assert read_call(shown) == CoinTransfer(coin="USD", to=bytes(20), amount=b"\x01\xa4")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"type": "coin.steal"}, ApiRefusal.INVALID_ARGUMENTS),
        ({"more": 1}, ApiRefusal.INVALID_ARGUMENTS),
        ({"to": 7}, ApiRefusal.INVALID_ARGUMENTS),
        ({"coin": 7}, ApiRefusal.INVALID_ARGUMENTS),
        ({"to": TO[:-1] + "x"}, AddressRefusal.BAD_CHECKSUM),
        ({"amount": "-1"}, AmountRefusal.TOO_LARGE),
        ({"amount": str(2**128)}, AmountRefusal.TOO_LARGE),
        ({"amount": "4.20"}, AmountRefusal.TOO_LARGE),
        ({"amount": 420}, ApiRefusal.INVALID_ARGUMENTS),
    ],
)
def test_what_is_no_call(change: dict[str, Any], reason: object) -> None:
    shown = {"type": "coin.transfer", "coin": "USD", "to": TO, "amount": "420"}
    with pytest.raises(Rejected) as caught:
        read_call({**shown, **change})
    assert caught.value.reason is reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(JSON, st.sampled_from(["coin.transfer", "governance.propose", "accounts.set-policy"]), JSON)
def test_any_object_is_a_call_or_refused(value: Any, kind: str, field: Any) -> None:
    for tried in (value, {"type": kind, "coin": field, "to": field, "amount": field}, {"type": kind, "action": field}):
        with pytest.raises(Rejected):
            read_call(tried)
