"""Receipts of workloads, for all values: chains and batches of every length, and whatever is done to one entry."""

from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.docklock.receipts.samples import NODE_KEY, author, happening, written

from metanode.docklock.receipts import (
    NO_ENTRIES,
    Tip,
    after,
    batch_of,
    check_in_batch,
    contradicts,
    follow,
    path_in,
)
from metanode.primitives.refusal import Rejected
from metanode.records.workload_receipt import (
    DETAILS,
    STEPS,
    Entry,
    SignedEntry,
    check_entry,
    detail,
    entry_digest,
    shortened,
)

MOST = 24


@cache
def entries(count: int = MOST) -> tuple[SignedEntry, ...]:
    steps = list(STEPS)
    return tuple(written(*(happening(steps[n % len(steps)], time_ms=n) for n in range(count))))


VALUE = st.one_of(
    st.integers(0, 1 << 62),
    st.text(max_size=40),
    st.binary(max_size=40),
    st.sampled_from([bytes(32), b"\x01" * 32, bytes(20), b"", "", "0", "137", "demand.bad-name", "web", 0]),
)


def changed(entry: Entry, name: str, value: Any) -> Entry | None:
    """The entry with one field of the same type put in its place; None where it is of another type, or the same."""
    old = getattr(entry, name)
    if name == "details":
        told = tuple(one for one in entry.details[1:]) or (detail("reason", "x"),)
        return replace(entry, details=told)
    return replace(entry, **{name: value}) if type(value) is type(old) and value != old else None


def end_of(found: list[SignedEntry]) -> Tip | None:
    """Where a chain leads; None where it does not hold."""
    try:
        return follow(author(), NO_ENTRIES, found)
    except Rejected:
        return None


@given(at=st.integers(0, MOST - 1), name=st.sampled_from(Entry.__struct_fields__), value=VALUE, resign=st.booleans())
@settings(max_examples=400)
def test_whatever_is_changed_in_whichever_entry_is_seen(at: int, name: str, value: Any, resign: bool) -> None:
    """Even by the node itself, with its own key: whoever knows where its chain has led sees it."""
    true = entries()
    entry = changed(true[at].entry, name, value)
    if entry is None:
        return
    signature = NODE_KEY.sign(entry_digest(entry)) if resign else true[at].signature
    forged = replace(true[at], entry=entry, signature=signature)
    end = end_of([*true[:at], forged, *true[at + 1 :]])
    assert end != after(true[-1])
    if not resign:
        assert end is None
    batch, path = batch_of(true), path_in(true, at)
    try:
        check_in_batch(forged, batch, path)
    except Rejected:
        pass
    else:
        raise AssertionError("another entry is in the batch")
    if resign and name not in ("chain_id", "cluster", "node", "number"):
        assert contradicts(true[at], forged)


@given(data=st.data())
def test_a_chain_is_one_order_of_all_its_entries(data: st.DataObject) -> None:
    true = list(entries())
    kept = data.draw(st.permutations(true)) if data.draw(st.booleans()) else true
    kept = kept[: data.draw(st.integers(0, MOST))]
    expected = after(kept[-1]) if kept else NO_ENTRIES
    assert end_of(kept) == (expected if kept == true[: len(kept)] else None)


def test_every_entry_of_every_batch_leads_to_its_root_and_to_no_other() -> None:
    true = entries()
    for count in range(1, MOST + 1):
        some = true[MOST - count :]
        batch = batch_of(some)
        assert (batch.first, batch.count) == (MOST - count, count)
        for signed in some:
            check_in_batch(signed, batch, path_in(some, signed.entry.number))
    roots = [batch_of(true[a:b]).root for a in range(MOST) for b in range(a + 1, MOST + 1)]
    assert len(set(roots)) == len(roots)


@given(text=st.text(max_size=400))
def test_any_text_fits_into_a_detail_when_it_is_shortened(text: str) -> None:
    killed = next(one.entry for one in entries() if one.entry.step == "killed")
    told = shortened(text)
    if told:
        check_entry(replace(killed, details=(detail("reason", told),)))
    assert told == text or len(text.encode()) > 256 or not text.isprintable()


@given(step=st.sampled_from(sorted(STEPS)), names=st.sets(st.sampled_from(sorted(DETAILS))), value=VALUE)
def test_an_entry_is_good_or_refused(step: str, names: set[str], value: Any) -> None:
    entry = next(one.entry for one in entries() if one.entry.step == step)
    told = tuple(detail(name, value) for name in sorted(names))
    try:
        check_entry(replace(entry, details=told))
    except Rejected as rejected:
        assert rejected.detail
    else:
        assert {*STEPS[step].must} <= names <= {*STEPS[step].must, *STEPS[step].may}
