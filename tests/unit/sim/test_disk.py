"""The pretend disk: what a power cut takes is the end of what was not synced, of store and log apart."""

from random import Random

import pytest

from metanode.sim.disk import SimArchive, SimDisk, SimRows


def filled() -> SimDisk:
    disk = SimDisk()
    disk.rows.write({b"a": b"1", b"b": b"1"})
    disk.archive.append(1, b"one")
    disk.checkpoint((b"kept",))
    disk.rows.write({b"a": b"2", b"b": None, b"c": b"2"})
    disk.rows.write({b"a": None})
    disk.archive.append(2, b"two")
    return disk


def test_rows_are_scanned_in_order() -> None:
    rows = SimRows()
    rows.write({b"pb": b"2", b"pa": b"1", b"q": b"3"})
    assert list(rows.scan(b"p")) == [(b"pa", b"1"), (b"pb", b"2")]
    assert list(rows.scan(b"p", b"pb")) == [(b"pb", b"2")]
    assert rows.get_many([b"q", b"x"]) == [b"3", None]


def test_lost_batches_leave_the_one_before() -> None:
    disk = filled()
    disk.rows.lose(1)
    assert disk.rows.values == {b"a": b"2", b"c": b"2"}
    disk.rows.lose(1)
    assert disk.rows.values == {b"a": b"1", b"b": b"1"}


def test_a_power_cut_spares_what_was_synced() -> None:
    ends = set()
    for seed in range(40):
        disk = filled()
        disk.cut_power(Random(seed))
        assert disk.journal == [b"kept"]
        assert disk.archive.blocks[1] == b"one"
        ends.add((tuple(sorted(disk.rows.values)), disk.archive.last))
    assert ends == {(rows, last) for rows in ((b"c",), (b"a", b"c"), (b"a", b"b")) for last in (1, 2)}


def test_the_log_takes_the_next_block_only() -> None:
    archive = SimArchive()
    archive.append(5, b"five")
    with pytest.raises(AssertionError, match="block 7 after 5"):
        archive.append(7, b"seven")
    assert (archive.first, archive.last, archive.block(5), archive.block(6)) == (5, 5, b"five", None)
