"""Whatever pretends to be a workload's receipt, its envelope or the log of a node: true, or refused with a reason."""

import json
import tempfile
from functools import cache
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect
from tests.fuzz.wire import values
from tests.unit.docklock.receipts.samples import (
    NODE_KEY,
    PAIRING,
    author,
    basis,
    file_of,
    happening,
    refusal,
    written,
)

from metanode.chain.light import LightRefusal
from metanode.docklock.receipts import (
    VerifiedEntry,
    WorkloadReceiptRefusal,
    seal,
    statement,
    verify_envelope,
    verify_statement,
    verify_workload_receipt,
)
from metanode.host.agent.receipt_log import ReceiptLog
from metanode.host.disk import Disk
from metanode.host.fault import Fault, FaultReason
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.workload_receipt import Entry, SignedEntry, WorkloadReceiptFile, check_entry

STEPS = ("pulled", "started", "killed", "refused")


@cache
def entries() -> tuple[SignedEntry, ...]:
    return tuple(written(*(happening(step, full=True) for step in STEPS)))


@cache
def honest() -> bytes:
    return encode(file_of(entries(), 2))


@cache
def envelope() -> bytes:
    payload = statement(honest(), verify_workload_receipt(honest(), basis(), PAIRING))
    return seal(payload, NODE_KEY.public_key, NODE_KEY.sign)


def generous(keys: object, message: bytes, aggregate: bytes) -> bool:
    """Whoever tampers is given every signature of validators: only what is hashed, and the node's key, protect here."""
    return True


def verdict(data: bytes) -> VerifiedEntry | str:
    try:
        return verify_workload_receipt(data, basis(), generous)
    except Rejected as rejected:
        assert isinstance(rejected.reason, WorkloadReceiptRefusal | LightRefusal)
        assert rejected.detail
        return rejected.reason


@given(data=st.binary(max_size=400))
def test_arbitrary_bytes(data: bytes) -> None:
    assert isinstance(verdict(data), str)


@settings(max_examples=60)
@given(file=values(inspect.type_info(WorkloadReceiptFile)))
def test_arbitrary_files(file: WorkloadReceiptFile) -> None:
    assert isinstance(verdict(encode(file)), str)


@settings(max_examples=100)
@given(entry=values(inspect.type_info(Entry)))
def test_arbitrary_entries(entry: Entry) -> None:
    try:
        check_entry(entry)
    except Rejected as rejected:
        assert rejected.detail


@settings(max_examples=150)
@given(data=st.data())
def test_true_files_with_damage(data: st.DataObject) -> None:
    """Cut, doubled, overwritten: what still verifies under the same header says the same."""
    whole = honest()
    start = data.draw(st.integers(0, len(whole) - 1))
    stop = data.draw(st.integers(start, min(len(whole), start + 40)))
    filling = data.draw(st.one_of(st.binary(max_size=40), st.just(whole[start:stop] * 2)))
    result, truth = verdict(whole[:start] + filling + whole[stop:]), verdict(whole)
    assert isinstance(truth, VerifiedEntry)
    if isinstance(result, VerifiedEntry):
        assert (result.signed, result.account, result.batch) == (truth.signed, truth.account, truth.batch)


@settings(max_examples=100)
@given(data=st.data())
def test_envelopes_with_damage(data: st.DataObject) -> None:
    whole = envelope()
    start = data.draw(st.integers(0, len(whole) - 1))
    stop = data.draw(st.integers(start, min(len(whole), start + 20)))
    wrong = whole[:start] + data.draw(st.binary(max_size=20)) + whole[stop:]
    try:
        found = verify_envelope(wrong, basis(), PAIRING)
    except Rejected as rejected:
        assert isinstance(rejected.reason, WorkloadReceiptRefusal | LightRefusal)
    else:
        assert found.entry.signed == entries()[2]
        assert found.keys == (NODE_KEY.public_key,)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60)
@given(value=JSON, data=st.binary(max_size=60))
def test_arbitrary_json_and_bytes_for_envelope_and_statement(value: object, data: bytes) -> None:
    for given_bytes in (json.dumps(value).encode(), data):
        assert refusal(verify_envelope, given_bytes, basis(), PAIRING) == WorkloadReceiptRefusal.ENVELOPE
        assert refusal(verify_statement, given_bytes, basis(), PAIRING) == WorkloadReceiptRefusal.STATEMENT


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_log_with_damage_is_a_fault_or_shorter_and_never_another(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = ReceiptLog(folder, Disk(), bytes, author(), NODE_KEY.sign)
        for step in STEPS:
            log.append([happening(step, full=True)])
        log.close()
        (path,) = folder.glob("*.receipts")
        whole = path.read_bytes()
        start = data.draw(st.integers(0, len(whole) - 1))
        stop = data.draw(st.integers(start, len(whole)))
        path.write_bytes(whole[:start] + data.draw(st.binary(max_size=60)) + whole[stop:])
        try:
            again = ReceiptLog(folder, Disk(), bytes, author(), NODE_KEY.sign)
        except Fault as fault:
            assert fault.reason is FaultReason.RECEIPTS_DAMAGED
            return
        assert again.read(0, 10) == entries()[: again.count]
        again.close()
