import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metanode.host.fault import Fault, FaultReason
from metanode.host.store import Store, copy_store

ROWS = {b"a1": b"1", b"a2": b"2", b"b": b"", b"\xff\xff": b"z", b"\xff": b"y"}


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    yield store
    store.close()


def test_rows_are_written_read_and_deleted_in_one_batch(store):
    store.write(ROWS)
    assert [store.get(key) for key in (b"a1", b"b", b"a")] == [b"1", b"", None]
    assert store.get_many([b"b", b"nothing", b"a2", b"b"]) == [b"", None, b"2", b""]
    assert store.get_many([]) == []
    store.write({b"a1": None, b"a2": b"two", b"never": None})
    assert list(store.scan(b"a")) == [(b"a2", b"two")]


def test_a_scan_is_sorted_bounded_by_its_prefix_and_begins_where_told(store):
    store.write(ROWS)
    assert list(store.scan(b"")) == sorted(ROWS.items())
    assert list(store.scan(b"a")) == [(b"a1", b"1"), (b"a2", b"2")]
    assert list(store.scan(b"a", b"a2")) == [(b"a2", b"2")]
    assert list(store.scan(b"a", b"a1\0")) == [(b"a2", b"2")]
    assert list(store.scan(b"a", b"b")) == []
    assert list(store.scan(b"\xff")) == [(b"\xff", b"y"), (b"\xff\xff", b"z")]
    assert list(store.scan(b"c")) == []


def test_a_scan_sees_the_rows_of_its_beginning(store):
    store.write(ROWS)
    rows = store.scan(b"a")
    store.write({b"a0": b"late", b"a1": None, b"a3": b"late"})
    assert list(rows) == [(b"a1", b"1"), (b"a2", b"2")]


def test_rows_are_there_again_after_closing(tmp_path):
    store = Store(tmp_path / "store")
    store.write(ROWS)
    store.close()
    store.close()
    again = Store(tmp_path / "store")
    assert list(again.scan(b"")) == sorted(ROWS.items())
    again.close()


def test_a_copy_is_a_store_as_it_was_though_its_owner_goes_on(store, tmp_path):
    store.write(ROWS)
    copy_store(tmp_path / "store", tmp_path / "copy")
    store.write({b"a1": b"later"})
    copy = Store(tmp_path / "copy")
    assert list(copy.scan(b"")) == sorted(ROWS.items())
    copy.close()
    assert store.get(b"a1") == b"later"
    assert not (tmp_path / "copy.reading").exists()


def test_what_is_no_store_is_not_copied(tmp_path):
    with pytest.raises(Fault) as caught:
        copy_store(tmp_path / "nowhere", tmp_path / "copy")
    assert caught.value.reason is FaultReason.STORE_DAMAGED


def test_two_owners_are_refused(store, tmp_path):
    with pytest.raises(Fault) as caught:
        Store(tmp_path / "store")
    assert caught.value.reason is FaultReason.DIRECTORY_LOCKED


def big(path, rows=4_000):
    store = Store(path)
    store.write({b"s%08d" % n: b"%d" % n * 40 for n in range(rows)})
    store._rows.flush()
    store.close()
    (table,) = path.glob("*.sst")
    return table


def test_a_damaged_table_is_a_fault_at_reading_and_never_fewer_rows(tmp_path):
    table = big(tmp_path / "store")
    data = bytearray(table.read_bytes())
    data[len(data) // 2] ^= 0xFF
    table.write_bytes(data)
    store = Store(tmp_path / "store")
    with pytest.raises(Fault) as caught:
        list(store.scan(b"s"))
    assert caught.value.reason is FaultReason.STORE_DAMAGED
    assert str(tmp_path / "store") in caught.value.detail
    with pytest.raises(Fault) as caught:
        store.get_many([b"s%08d" % number for number in range(4_000)])
    assert caught.value.reason is FaultReason.STORE_DAMAGED
    store.close()


def test_a_store_that_does_not_open_says_what_to_do(tmp_path):
    table = big(tmp_path / "store")
    table.unlink()
    with pytest.raises(Fault) as caught:
        Store(tmp_path / "store")
    assert caught.value.reason is FaultReason.STORE_DAMAGED
    assert f"bpi node repair --data {tmp_path}" in caught.value.fix


def test_using_a_closed_store_is_a_bug(tmp_path):
    store = Store(tmp_path / "store")
    store.close()
    with pytest.raises(AssertionError):
        store.get(b"a")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(batches=st.lists(st.dictionaries(st.binary(max_size=4), st.none() | st.binary(max_size=8)), max_size=4))
def test_a_store_is_a_sorted_dictionary(store, batches):
    store.write(dict.fromkeys(key for key, _ in list(store.scan(b""))))
    model: dict[bytes, bytes] = {}
    for batch in batches:
        store.write(batch)
        model.update({k: v for k, v in batch.items() if v is not None})
        for key in [k for k, v in batch.items() if v is None]:
            model.pop(key, None)
    assert list(store.scan(b"")) == sorted(model.items())
    for prefix in (b"", b"\0", b"\xff", b"ab"):
        assert list(store.scan(prefix)) == sorted((k, v) for k, v in model.items() if k.startswith(prefix))


def test_a_full_disk_stays_the_cause_when_the_store_is_closed(tmp_path, monkeypatch):
    """Found by a fault schedule: the node ended with `store.damaged: Writer has previous error` and told its operator
    to repair a store that had only run out of space."""
    sentences = iter(["IO error: No space left on device", "IO error: Writer has previous error."])

    def refuse(*_):
        raise OSError(next(sentences))

    store = Store(tmp_path / "store")
    with monkeypatch.context() as ailing:
        ailing.setattr(
            store, "_rows", type("Rows", (), {"write": refuse, "flush_wal": refuse, "close": store._rows.close})
        )
        with pytest.raises(Fault) as caught:
            store.write(ROWS)
        with pytest.raises(Fault) as closing:
            store.close()
    assert caught.value.reason is closing.value.reason is FaultReason.DISK_FULL
