"""Entries of a node, one after another, and in batches: nothing can be changed, left out or put in."""

import pytest
from msgspec.structs import replace
from tests.unit.docklock.receipts.samples import NODE_KEY, OTHER_KEY, author, happening, life, refusal, written

from metanode.docklock.receipts import (
    NO_ENTRIES,
    Happening,
    WorkloadReceiptRefusal,
    after,
    author_of,
    batch_of,
    check_in_batch,
    check_link,
    check_signature,
    check_together,
    contradicts,
    details,
    follow,
    path_in,
    write_entry,
)
from metanode.primitives.digest import Tag
from metanode.primitives.merkle import counted_root, inclusion_proof, verify_inclusion
from metanode.primitives.names import NO_HASH
from metanode.primitives.refusal import Rejected
from metanode.records.cluster import NO_RECEIPTS, RECEIPTS_MAX, ReceiptBatch
from metanode.records.workload_receipt import EntryRefusal, SignedEntry, detail, entry_digest, signed_digest


def resigned(signed: SignedEntry, **changes: object) -> SignedEntry:
    """Another entry, signed by the node itself: it may lie, but not without a trace."""
    entry = replace(signed.entry, **changes)
    return replace(signed, entry=entry, signature=NODE_KEY.sign(entry_digest(entry)))


def test_entries_are_numbered_from_nought_and_each_names_the_one_before() -> None:
    entries = life()
    assert [one.entry.number for one in entries] == list(range(len(entries)))
    assert entries[0].entry.previous == NO_HASH
    assert [one.entry.previous for one in entries[1:]] == [signed_digest(one) for one in entries[:-1]]
    assert follow(author(), NO_ENTRIES, entries) == after(entries[-1])
    assert {author_of(one) for one in entries} == {author()}


def test_a_chain_can_be_followed_from_the_middle() -> None:
    entries = life()
    assert follow(author(), after(entries[4]), entries[5:]) == after(entries[-1])


def test_an_entry_that_says_too_little_is_not_written() -> None:
    wrong = happening("killed", details=())
    assert refusal(write_entry, author(), NO_ENTRIES, wrong, NODE_KEY.sign) == EntryRefusal.MISSING


def test_what_happened_without_a_workload_needs_no_more_words() -> None:
    bare = Happening(time_ms=1, height=0, step="refused", code="demand.bad-name")
    entry = write_entry(author(), NO_ENTRIES, bare, NODE_KEY.sign).entry
    assert (entry.workload, entry.index, entry.attempt, entry.revision, entry.spec) == ("", 0, 0, 0, b"")


def test_an_entry_that_says_nothing_is_not_followed_though_it_is_signed() -> None:
    wrong = resigned(life()[0], step="vanished")
    assert refusal(follow, author(), NO_ENTRIES, [wrong]) == EntryRefusal.UNKNOWN_STEP


@pytest.mark.parametrize("number", range(len(life())))
def test_whichever_entry_is_changed_left_out_or_put_in_is_seen(number: int) -> None:
    entries = list(life())
    changed = resigned(entries[number], time_ms=1)
    for wrong in (
        [*entries[:number], changed, *entries[number + 1 :]],
        [*entries[:number], *entries[number + 1 :]],
        [*entries[:number], entries[number], *entries[number:]],
    ):
        try:
            end = follow(author(), NO_ENTRIES, wrong)
        except Rejected as rejected:
            assert rejected.reason == WorkloadReceiptRefusal.CHAIN
        else:
            assert end != after(entries[-1]), "the last one: whoever knows the end sees it"
    unsigned = replace(entries[number], entry=changed.entry)
    found = [*entries[:number], unsigned]
    assert refusal(follow, author(), NO_ENTRIES, found) == WorkloadReceiptRefusal.SIGNATURE


def test_an_entry_of_somebody_else_is_not_next() -> None:
    first, second = written(happening(), happening("stopped"))
    assert check_link(author(), after(first), second) == after(second)
    for other in (author(node="node-3"), author(cluster="yard"), author(chain_id=bytes(32)), author(OTHER_KEY)):
        assert refusal(check_link, other, after(first), second) == WorkloadReceiptRefusal.CHAIN
    assert refusal(check_link, author(), NO_ENTRIES, second) == WorkloadReceiptRefusal.CHAIN
    assert refusal(check_link, author(), replace_tip(first), second) == WorkloadReceiptRefusal.CHAIN
    skipped = resigned(second, number=5)
    assert refusal(check_link, author(), after(first), skipped) == WorkloadReceiptRefusal.CHAIN, (
        "a node that leaves out"
    )


def replace_tip(signed: SignedEntry):
    return after(resigned(signed, time_ms=2))


def test_a_signature_is_of_this_key_over_this_entry() -> None:
    (signed,) = written(happening())
    check_signature(signed)
    for wrong in (
        replace(signed, key=OTHER_KEY.public_key),
        replace(signed, signature=OTHER_KEY.sign(entry_digest(signed.entry))),
        replace(signed, signature=signed.signature[:-1]),
        replace(signed, signature=b""),
        replace(signed, key=b""),
        replace(signed, entry=replace(signed.entry, height=5)),
    ):
        assert refusal(check_signature, wrong) == WorkloadReceiptRefusal.SIGNATURE


def test_two_entries_of_one_number_convict_the_node() -> None:
    first, second = written(happening(), happening("stopped"))
    other = resigned(second, code="1")
    assert contradicts(second, other)
    assert contradicts(other, second)
    assert not contradicts(second, second)
    assert not contradicts(first, second)
    assert not contradicts(second, replace(other, signature=second.signature)), "anybody could make this one up"
    assert not contradicts(replace(second, signature=bytes(64)), other)
    stranger = written(happening("moved"), key=OTHER_KEY)[0]
    assert not contradicts(first, stranger)


def test_entries_from_anywhere_go_together_or_convict() -> None:
    entries = life()
    check_together([])
    check_together([entries[7], entries[2], entries[3], entries[2]])
    stranger = written(happening("moved"), key=OTHER_KEY)[0]
    check_together([*entries, stranger, *entries])
    other = resigned(entries[3], time_ms=1)
    for wrong in ([entries[3], other], [other, entries[7], entries[3]], [entries[2], other, entries[4]]):
        assert refusal(check_together, wrong) == WorkloadReceiptRefusal.CHAIN
    check_together([other, entries[2]])
    moved = resigned(entries[3], previous=bytes([7] * 32))
    assert refusal(check_together, [moved, entries[2]]) == WorkloadReceiptRefusal.CHAIN, (
        "neighbours that are not linked"
    )
    check_together([moved, entries[1]])


def test_details_stand_in_their_one_order() -> None:
    assert [one.name for one in details(reason="r", log_bytes=1, log=bytes(32))] == ["log", "log-bytes", "reason"]
    (told,) = details(reason="two\nlines " + "x" * 900)
    assert told == detail("reason", "two?lines " + "x" * 243 + "…")


# --- batches ----------------------------------------------------------------------------------------------------------


def test_every_entry_of_a_batch_is_in_it_at_its_own_place() -> None:
    entries = life()
    for first, stop in ((0, 1), (0, len(entries)), (3, 8), (7, 14)):
        some = entries[first:stop]
        batch = batch_of(some)
        assert (batch.first, batch.count) == (first, stop - first)
        for signed in some:
            check_in_batch(signed, batch, path_in(some, signed.entry.number))
        for other in set(range(len(entries))) - set(range(first, stop)):
            path = path_in(some, first)
            assert refusal(check_in_batch, entries[other], batch, path) == WorkloadReceiptRefusal.BATCH


def test_a_path_is_of_one_entry_one_place_and_one_count() -> None:
    some = life()[2:9]
    batch, signed = batch_of(some), some[3]
    path = path_in(some, signed.entry.number)
    for wrong, wrong_batch, wrong_path in (
        (resigned(signed, time_ms=1), batch, path),
        (replace(signed, signature=bytes(64)), batch, path),
        (signed, replace(batch, first=batch.first + 1), path),
        (signed, replace(batch, count=batch.count + 1), path),
        (signed, replace(batch, count=batch.count - 1), path),
        (signed, replace(batch, count=0), path),
        (signed, replace(batch, count=RECEIPTS_MAX + 1), path),
        (signed, replace(batch, root=bytes(32)), path),
        (signed, batch, path[:-1]),
        (signed, batch, (*path, bytes(32))),
        (signed, batch, (b"short", *path[1:])),
    ):
        assert refusal(check_in_batch, wrong, wrong_batch, wrong_path) == WorkloadReceiptRefusal.BATCH


def test_a_batch_has_a_greatest_number_of_entries() -> None:
    """A tree of one more is no batch, even where somebody pinned its root."""
    many = written(*(happening(time_ms=n) for n in range(RECEIPTS_MAX + 1)))
    whole = batch_of(many[:-1])
    check_in_batch(many[700], whole, path_in(many[:-1], 700))
    leaves = [signed_digest(one) for one in many]
    larger = ReceiptBatch(first=0, count=len(many), root=counted_root(Tag.WORKLOAD_BATCH, leaves))
    path = inclusion_proof(leaves, 700)
    assert verify_inclusion(Tag.WORKLOAD_BATCH, leaves[700], 700, len(many), path, larger.root)
    assert refusal(check_in_batch, many[700], larger, path) == WorkloadReceiptRefusal.BATCH


def test_no_entries_are_no_batch() -> None:
    assert batch_of(()) == NO_RECEIPTS
    nothing = ReceiptBatch(first=0, count=0, root=NO_HASH)
    assert refusal(check_in_batch, life()[0], nothing, ()) == WorkloadReceiptRefusal.BATCH
