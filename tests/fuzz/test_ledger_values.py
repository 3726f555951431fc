"""Values of the state as arbitrary bytes: a value or `Rejected`. And arbitrary transactions: executed or refused."""

from contextlib import suppress
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.ledger.world import World, key, known

from metanode.docklock.cluster import state as cluster
from metanode.ledger.accounts.state import Account
from metanode.ledger.coin import CoinDefinition
from metanode.ledger.governance.state import Conviction, Docket, PastSets, Proposal, RulesSchedule
from metanode.primitives.codec import Decoder, encode
from metanode.primitives.refusal import Rejected
from metanode.records.calls import Call
from metanode.records.transaction import Transaction

KINDS = (
    Account,
    CoinDefinition,
    Conviction,
    Docket,
    PastSets,
    Proposal,
    RulesSchedule,
    cluster.Cluster,
    cluster.Member,
    cluster.Share,
    cluster.Workload,
    cluster.Replica,
    cluster.Queue,
    cluster.Usage,
    cluster.Agenda,
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_value_or_a_refusal(kind: type, data: bytes) -> None:
    with suppress(Rejected):
        assert encode(Decoder[Any](kind, 4_096).decode(data)) == data


TEXT = st.text(st.characters(codec="utf-8"), max_size=40) | st.sampled_from(("BPI", "root", "fee_min"))
ATOMS: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    bytes: st.binary(max_size=100) | st.sampled_from((b"\x01", bytes(20), bytes(32), key("alice"))),
    int: st.integers(-(1 << 63), (1 << 64) - 1) | st.integers(0, 3),
    bool: st.booleans(),
    tuple[bytes, ...]: st.lists(st.binary(max_size=33), max_size=4).map(tuple),
    tuple[str, ...]: st.lists(TEXT, max_size=4).map(tuple),
    tuple[int, ...]: st.lists(st.integers(-1, 1 << 64), max_size=4).map(tuple),
}


def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of the field types of a call, sensible or not."""
    if kind in ATOMS:
        return ATOMS[kind]
    if get_origin(kind) is tuple:
        return st.lists(any_of(get_args(kind)[0]), max_size=3).map(tuple)
    members = getattr(kind, "__args__", None)
    if members:
        return st.one_of(*(any_of(member) for member in members))
    return st.builds(
        kind, **{name: any_of(field) for name, field in get_type_hints(kind).items() if name in kind.__struct_fields__}
    )


CALLS = any_of(Call)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(("alice", "operator-0", "stranger")), st.lists(CALLS, min_size=1, max_size=3), st.binary(max_size=4)
)
def test_any_calls_end_in_a_receipt_or_a_refusal(sender: str, calls: list[Any], fee: bytes) -> None:
    transaction = WORLD.transaction(sender, *calls).signed.transaction
    fields = {name: getattr(transaction, name) for name in transaction.__struct_fields__}
    execution = WORLD.execute(known(Transaction(**{**fields, "fee": fee}), (key(sender),)))
    assert len(execution.transactions) + len(execution.refused_transactions) == 1
    assert len(execution.transactions) <= len(execution.receipts)


WORLD = World()
