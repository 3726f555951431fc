"""Names of entries, and whether any is missing between the first and the last that somebody holds."""

import pytest
from msgspec.structs import replace
from tests.unit.docklock.receipts.samples import NODE_KEY, OTHER_KEY, author, happening, refusal, written

from metanode.docklock.receipts import (
    WorkloadReceiptRefusal,
    check_name_of,
    continuity,
    entries_file,
    entry_name,
    is_entries_file,
    is_entry_name,
    is_workload_receipt,
    read_entries,
    read_entry_name,
)
from metanode.primitives.codec import encode
from metanode.records.workload_receipt import ENTRIES_MAX, EntriesFile, SignedEntry, entry_digest


def row(count: int) -> list[SignedEntry]:
    """So many entries of one node, no two the same."""
    return written(*(happening(time_ms=n + 1) for n in range(count)))


# --- names ------------------------------------------------------------------------------------------------------------


def test_a_name_says_whose_entry_it_is_and_which() -> None:
    signed = row(42)[41]
    name = entry_name(signed)
    assert str(name).startswith("node-2.41.")
    assert read_entry_name(str(name)) == name
    assert is_entry_name(str(name))
    check_name_of(name, signed)


def test_a_name_fits_no_other_entry_in_its_place() -> None:
    one, other = row(3)[2], written(*(happening(time_ms=n + 9) for n in range(3)))[2]
    assert entry_name(one) != entry_name(other)
    assert refusal(check_name_of, entry_name(one), other) == WorkloadReceiptRefusal.NAME
    assert refusal(check_name_of, entry_name(one), row(3)[1]) == WorkloadReceiptRefusal.NAME


@pytest.mark.parametrize(
    "text",
    ["", "node-2", "node-2.41", "node-2.41.K7Q", "node-2.41.K7QI", "node-2.041.K7QF", "../x.1.K7QF", "rcpt_20000N49",
     "Node.1.K7QF", "node-2.41.K7QF\n", "n.99999999999999999999.K7QF"],
)  # fmt: skip
def test_what_is_no_name(text: str) -> None:
    assert not is_entry_name(text)
    assert refusal(read_entry_name, text) == WorkloadReceiptRefusal.NAME


# --- entries beside receipts ------------------------------------------------------------------------------------------


def test_entries_are_read_as_they_were_written() -> None:
    entries = row(5)
    data = entries_file(entries)
    assert read_entries(data) == tuple(entries)
    assert data == entries_file(row(5)), "the same entries give the same bytes"
    assert is_entries_file(data)
    assert not is_workload_receipt(data)
    assert not is_entries_file(b"")


def test_a_file_of_entries_names_the_layer_that_fails() -> None:
    entries = row(3)
    data = entries_file(entries)
    for wrong in (b"", data[:-1], data + b"\0", encode(EntriesFile(version=2, entries=()))):
        assert refusal(read_entries, wrong) == WorkloadReceiptRefusal.ENCODING
    unknown = replace(entries[1], entry=replace(entries[1].entry, step="vanished"))
    for signed in (b"\x90", encode(unknown)):
        file = EntriesFile(version=1, entries=(encode(entries[0]), signed))
        assert refusal(read_entries, encode(file)) == WorkloadReceiptRefusal.ENTRY
    foreign = replace(entries[1], signature=OTHER_KEY.sign(entry_digest(entries[1].entry)))
    assert refusal(read_entries, entries_file([entries[0], foreign])) == WorkloadReceiptRefusal.SIGNATURE


def test_a_file_of_entries_is_bounded() -> None:
    one = encode(row(1)[0])
    many = EntriesFile(version=1, entries=(one + bytes(4_096 - len(one)),) * (ENTRIES_MAX + 1))
    assert refusal(read_entries, encode(many)) == WorkloadReceiptRefusal.ENCODING


def test_whatever_byte_of_the_entries_is_flipped_is_refused() -> None:
    """Every byte, one bit each: by the file alone, or beside the receipt that the last entry leads to."""
    entries = row(3)
    data, layers = entries_file(entries), set()
    for at in range(len(data)):
        wrong = data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
        layers.add(refusal(lambda changed: continuity(entries[-1:], read_entries(changed)), wrong))
    assert layers == {
        WorkloadReceiptRefusal.ENCODING,
        WorkloadReceiptRefusal.ENTRY,
        WorkloadReceiptRefusal.SIGNATURE,
    }


# --- whether anything is missing --------------------------------------------------------------------------------------


def test_entries_that_lead_to_a_receipt_are_whole() -> None:
    entries = row(8)
    (found,) = continuity([entries[2], entries[6]], entries[2:7])
    assert found.whole
    assert (found.author, found.first, found.last, found.receipts) == (author(), 2, 6, 2)
    (alone,) = continuity(entries)
    assert (alone.whole, alone.first, alone.last, alone.receipts) == (True, 0, 7, 8)


@pytest.mark.parametrize("left_out", range(1, 7))
def test_whichever_entry_is_left_out_is_missed(left_out: int) -> None:
    entries = row(8)
    held = [one for one in entries if one.entry.number != left_out]
    (found,) = continuity([entries[0], entries[7]], held)
    assert not found.whole
    assert found.missing == ((left_out, left_out),)
    assert found.loose == left_out - 1, "what stands before the gap leads to no receipt but the first"


def test_a_gap_has_both_its_ends() -> None:
    entries = row(12)
    (found,) = continuity([entries[0], entries[4], entries[11]])
    assert found.missing == ((1, 3), (5, 10))
    assert (found.loose, found.receipts) == (0, 3)


def test_what_leads_to_no_receipt_is_only_somebodys_word() -> None:
    """Signed entries behind the last receipt: the chain has not pinned them, and another row could stand there."""
    entries = row(6)
    (found,) = continuity([entries[3]], entries)
    assert (found.loose, found.missing, found.whole) == (2, (), False)
    (nothing,) = continuity([], entries)
    assert (nothing.loose, nothing.receipts) == (6, 0)


def test_another_row_beside_receipts_convicts_the_node() -> None:
    entries, lie = row(6), written(*(happening(time_ms=n + 9) for n in range(6)))
    assert refusal(continuity, [entries[3]], lie) == WorkloadReceiptRefusal.CHAIN
    assert refusal(continuity, [entries[3]], lie[:3]) == WorkloadReceiptRefusal.CHAIN, "the next one names another"
    assert refusal(continuity, entries[3:4], [*entries[:3], lie[4]]) == WorkloadReceiptRefusal.CHAIN


def test_authors_are_told_apart() -> None:
    other = written(*(happening(time_ms=n) for n in range(3)), by=author(OTHER_KEY), key=OTHER_KEY)
    mine = written(*(happening(time_ms=n) for n in range(4)), by=author(node="node-1"), key=NODE_KEY)
    found = continuity([*other, *mine])
    assert [(one.author.node, one.last, one.whole) for one in found] == [("node-1", 3, True), ("node-2", 2, True)]
