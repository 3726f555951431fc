"""Content by its digest: whole, checked, bounded, kept while it is used, and nothing left over."""

import multiprocessing
import os
import signal
import threading
from itertools import count
from pathlib import Path

import pytest
from tests.unit.docklock.images.refusing import refuses
from tests.unit.host.disks import Killed, KilledDisk, LossyDisk
from tests.unit.host.images.made import blob_store

from metanode.docklock.images.digests import digest_of
from metanode.host import blobs
from metanode.host.blobs import BlobRefusal, BlobStore, Stored
from metanode.host.disk import Disk
from metanode.host.fault import Fault, FaultReason
from metanode.host.pins import PINS_MAX, Pins
from metanode.primitives.refusal import Rejected

A, B = digest_of(b"a"), digest_of(b"b")


def put(store: BlobStore, data: bytes, **more):
    return store.put([data], 1 << 20, **more)


def names(store: BlobStore) -> set[str]:
    return {stored.digest.hex for stored in store.list()}


def nothing_kept(_: frozenset[str]):
    return frozenset()


def test_what_is_put_is_there(tmp_path):
    store = blob_store(tmp_path)
    assert put(store, b"a", expected=A) == Stored(A, 1)
    assert (store.has(A), store.size(A), store.read(A), store.used()) == (True, 1, b"a", 1)
    with store.open(A) as file:
        assert file.read() == b"a"
    store.check(A)
    assert put(store, b"a") == Stored(A, 1), "again does no harm"
    again = blob_store(tmp_path)
    assert names(again) == {A.hex}
    assert not any(again.leases.staging.iterdir())


def test_other_bytes_than_were_said_are_not_stored(tmp_path):
    store = blob_store(tmp_path)
    refuses(BlobRefusal.WRONG_DIGEST, put, store, b"b", expected=A)
    refuses(BlobRefusal.TOO_LARGE, store.put, [b"xx", b"xx"], 3)
    refuses(BlobRefusal.TOO_LARGE, store.put, [bytes(100)], 3)
    assert not names(store)
    assert not any(store.leases.staging.iterdir())


def test_what_is_not_there_is_refused(tmp_path):
    store = blob_store(tmp_path)
    for ask in (store.open, store.size, store.read, store.check):
        refuses(BlobRefusal.MISSING, ask, A)
    put(store, b"a" * 10)
    refuses(BlobRefusal.TOO_LARGE, store.read, digest_of(b"a" * 10), 9)


def test_the_quota_is_of_all_blobs_together(tmp_path):
    store = blob_store(tmp_path, quota=10)
    put(store, b"1234567")
    assert "11 bytes" in refuses(BlobRefusal.QUOTA, put, store, b"abcd")
    put(store, b"1234567")  # what is there takes no more room
    put(store, b"abc")
    refuses(BlobRefusal.QUOTA, store.begin, 1)


def test_two_writers_cannot_both_have_the_last_place(tmp_path):
    store = blob_store(tmp_path, quota=10)
    with store.begin(10) as one, store.begin(10) as other:
        one.write(b"123456")
        other.write(b"abcdef")
        one.commit()
        refuses(BlobRefusal.QUOTA, other.commit)
    assert names(store) == {digest_of(b"123456").hex}


def test_there_are_only_so_many(tmp_path, monkeypatch):
    monkeypatch.setattr(blobs, "BLOBS_MAX", 2)
    store = blob_store(tmp_path)
    put(store, b"a")
    put(store, b"b")
    refuses(BlobRefusal.QUOTA, put, store, b"c")


def test_a_disk_that_changes_content_is_told(tmp_path):
    store = blob_store(tmp_path)
    put(store, b"a")
    path = store.folder / "blobs" / "sha256" / A.hex
    path.write_bytes(b"x")
    for ask in (store.read, store.check):
        with pytest.raises(Fault) as damaged:
            ask(A)
        assert damaged.value.reason is FaultReason.BLOB_DAMAGED
        assert str(path) in damaged.value.fix
    put(store, b"a")
    assert store.read(A) == b"a", "what is put again is whole again"


@pytest.mark.parametrize("torn", [0, 500])
def test_killed_at_any_step_a_blob_is_whole_or_not_there(tmp_path, torn):
    found = []
    for calls in count():
        folder = tmp_path / str(calls)
        store = blob_store(folder)
        store.disk = store.leases.disk = KilledDisk(calls, torn)
        try:
            put(store, b"a" * 1000)
            is_whole = True
        except Killed:
            is_whole = False
        again = blob_store(folder)
        for stored in again.list():
            again.check(stored.digest)
        found.append(len(names(again)))
        assert not any(again.leases.staging.iterdir())
        if is_whole:
            break
    assert found == [0, 0, 0, 0, 1, 1], "create, write, sync, rename, sync of the folder, whole"


def test_what_was_acknowledged_survives_a_power_cut(tmp_path):
    store = blob_store(tmp_path)
    disk = LossyDisk(store.folder / "blobs" / "sha256")
    store.disk = store.leases.disk = disk
    put(store, b"a" * 1000)
    put(store, b"b" * 1000)
    with store.begin(10) as writing:
        writing.write(b"half")
        disk.lose_power()
    again = blob_store(tmp_path)
    assert {again.read(stored.digest) for stored in again.list()} == {b"a" * 1000, b"b" * 1000}


def writer(folder: Path, number: int, ready) -> None:
    """Writes half a blob and waits to be killed, or writes whole ones."""
    store = BlobStore(folder, Disk(), lambda size: number.to_bytes(size, "big"))
    with store.begin(1 << 20) as writing, store.leases.lease(str(A)):
        writing.write(b"half")
        ready.set()
        signal.pause()


def test_what_a_killed_writer_left_is_swept_and_its_lease_is_over(tmp_path):
    store = blob_store(tmp_path)
    put(store, b"a")
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=writer, args=(store.folder, 77, ready), daemon=True)
    process.start()
    assert ready.wait(60)
    assert store.leases.sweep() == 0, "what is being written stays"
    assert store.collect(nothing_kept).blobs == 0, "what is used stays"
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    assert store.leases.sweep() == 2
    assert not any(store.leases.staging.iterdir())
    assert store.collect(nothing_kept).blobs == 1


def test_many_writers_of_the_same_content_all_succeed(tmp_path):
    store = blob_store(tmp_path)
    failed: list[Exception] = []

    def write() -> None:
        try:
            for number in range(20):
                put(store, bytes([number]) * 5000)
        except (Rejected, Fault) as error:
            failed.append(error)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    assert len(names(store)) == 20


def test_a_collection_keeps_what_is_named_and_what_is_held(tmp_path):
    store = blob_store(tmp_path)
    for data in (b"a", b"b", b"c"):
        put(store, data)
    with store.leases.lease(str(A)) as lease:
        lease.hold(str(B))
        assert store.collect(lambda held: frozenset({A} if str(A) in held else ())).blobs == 1
        assert names(store) == {A.hex, B.hex}
    collected = store.collect(nothing_kept)
    assert (collected.blobs, collected.bytes) == (2, 2)
    assert not names(store)


def test_a_lease_is_given_up_name_by_name_and_does_not_grow_by_repeating(tmp_path):
    store = blob_store(tmp_path)
    put(store, b"a")
    put(store, b"b")
    with store.leases.lease() as lease:
        for _ in range(100):
            lease.hold(str(A), str(B), str(A))
        (path,) = (store.folder / "leases").iterdir()
        assert path.read_text() == f"{A}\n{B}\n"
        lease.release(str(A), "root")
        assert path.read_text() == f"{B}\n"
        assert store.collect(nothing_kept).blobs == 1
        lease.hold(str(A))
        assert path.read_text() == f"{B}\n{A}\n"
        assert names(store) == {B.hex}


def test_threads_that_share_a_lease_lose_no_name(tmp_path):
    store = blob_store(tmp_path)
    with store.leases.lease() as lease:
        held = [[f"{thread}-{number}" for number in range(100)] for thread in range(4)]

        def hold(mine: list[str]) -> None:
            for name in mine:
                lease.hold(name)

        threads = [threading.Thread(target=hold, args=(mine,)) for mine in held]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        with store.leases.alone():
            assert store.leases.held() == {name for mine in held for name in mine}


def test_what_is_held_from_before_it_is_there_is_never_collected(tmp_path):
    store, other = blob_store(tmp_path), blob_store(tmp_path)
    for _ in range(20):
        with other.leases.lease() as lease:
            other.put([b"a"], 10, A, lease)
            store.collect(nothing_kept)
            assert other.read(A) == b"a"
        store.collect(nothing_kept)
        assert not store.has(A)


def test_an_open_blob_can_be_read_to_its_end_after_it_was_collected(tmp_path):
    store = blob_store(tmp_path)
    put(store, b"a" * 100)
    with store.open(digest_of(b"a" * 100)) as file:
        assert store.collect(nothing_kept).blobs == 1
        assert file.read() == b"a" * 100


def test_pins_last(tmp_path):
    store = blob_store(tmp_path)
    pins = Pins(store)
    refuses(BlobRefusal.MISSING, pins.add, A, "nothing")
    put(store, b"a")
    put(store, b"b")
    pins.add(A, "a specification")
    pins.add(B, "another")
    pins.add(B, "x" * 1000)
    pins.remove(digest_of(b"none"))
    again = Pins(blob_store(tmp_path))
    assert again.all() == {A: "a specification", B: "x" * 128}
    assert store.collect(lambda _: frozenset(again.all())).blobs == 0
    again.remove(B)
    assert list(pins.all()) == [A]
    (store.folder / "pins.json").write_bytes(b"{")
    with pytest.raises(Fault) as damaged:
        pins.all()
    assert damaged.value.reason is FaultReason.BLOB_DAMAGED


def test_there_are_only_so_many_pins(tmp_path, monkeypatch):
    store = blob_store(tmp_path)
    put(store, b"a")
    put(store, b"b")
    assert PINS_MAX == 65_536
    monkeypatch.setattr("metanode.host.pins.PINS_MAX", 1)
    Pins(store).add(A, "")
    Pins(store).add(A, "again")
    refuses(BlobRefusal.QUOTA, Pins(store).add, B, "")
