"""Whatever bytes pretend to be a receipt file: verified, or refused by a layer with a name."""

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect
from tests.fuzz.wire import values
from tests.unit.chain.light.test_receipts import chain, genesis_basis, history_file, plain_file

from metanode.chain.light import LightRefusal, Verified, verify_receipt_bytes
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.receipt_file import ReceiptFile, Step


@cache
def files() -> list[bytes]:
    return [encode(plain_file()), encode(plain_file(8, 0)), encode(history_file(9, certified=True))]


def pairing(keys: object, message: bytes, aggregate: bytes) -> bool:
    """Whoever tampers is given every signature: only what is hashed protects here."""
    return True


def verdict(data: bytes) -> Verified | LightRefusal:
    try:
        return verify_receipt_bytes(data, genesis_basis(), pairing)
    except Rejected as rejected:
        assert isinstance(rejected.reason, LightRefusal)
        assert rejected.detail
        return rejected.reason


@given(data=st.binary(max_size=400))
def test_arbitrary_bytes(data: bytes) -> None:
    assert isinstance(verdict(data), LightRefusal)


@settings(max_examples=50)
@given(steps=st.lists(values(inspect.type_info(Step)), max_size=6))
def test_arbitrary_steps(steps: list[object]) -> None:
    file = ReceiptFile(version=1, chain_id=chain().chain_id, steps=tuple(steps))  # type: ignore[arg-type]
    assert isinstance(verdict(encode(file)), LightRefusal)


@settings(max_examples=150)
@given(which=st.integers(0, 2), data=st.data())
def test_true_files_with_damage(which: int, data: st.DataObject) -> None:
    """Cut, doubled, overwritten: even with all signatures given away, the outcome shown is the true one."""
    honest = files()[which]
    start = data.draw(st.integers(0, len(honest) - 1))
    stop = data.draw(st.integers(start, min(len(honest), start + 40)))
    filling = data.draw(st.one_of(st.binary(max_size=40), st.just(honest[start:stop] * 2)))
    result = verdict(honest[:start] + filling + honest[stop:])
    truth = verdict(honest)
    assert isinstance(truth, Verified)
    if isinstance(result, Verified) and result.header_hash == truth.header_hash:
        assert (result.receipt, result.transaction) == (truth.receipt, truth.transaction)
