import itertools

import pytest
from tests.unit.host.disks import Killed, KilledDisk, LossyDisk

from metanode.host.disk import Disk
from metanode.host.fault import Fault, FaultReason
from metanode.host.guard_file import RECORD_BYTES_MAX, SLOT_BYTES, GuardCondition, GuardFile, guard_identity

OURS = guard_identity(b"c" * 32, b"v" * 32, b"b" * 48)
THEIRS = guard_identity(b"c" * 32, b"v" * 32, b"B" * 48)


@pytest.fixture
def path(tmp_path):
    GuardFile.create(tmp_path / "guard", OURS, Disk())
    return tmp_path / "guard"


def found(path):
    guard = GuardFile.open(path, OURS, Disk())
    guard.close()
    return guard.condition, guard.record


def test_a_new_guard_holds_and_has_allowed_nothing(path):
    assert found(path) == (GuardCondition.HELD, b"")


def test_the_last_record_is_found_again(path):
    guard = GuardFile.open(path, OURS, Disk())
    for record in (b"one", b"two" * 100, b"", b"x" * RECORD_BYTES_MAX):
        before = guard.generation
        guard.store(record)
        assert (guard.record, guard.generation) == (record, before + 1)
        assert found(path) == (GuardCondition.HELD, record)


def test_a_slot_torn_at_any_byte_falls_back_to_the_other(path):
    guard = GuardFile.open(path, OURS, Disk())
    for record in (b"old", b"released", b"new and never released"):
        before = path.read_bytes()
        guard.store(record)
    after = path.read_bytes()
    offset = next(i for i in range(len(after)) if before[i] != after[i]) // SLOT_BYTES * SLOT_BYTES
    for torn in range(120):
        path.write_bytes(before[:offset] + after[offset : offset + torn] + before[offset + torn :])
        condition, record = found(path)
        if condition is GuardCondition.HELD:
            assert record == (b"new and never released" if after == path.read_bytes() else b"released")
        else:
            assert (condition, record) == (GuardCondition.FELL_BACK, b"released")
    path.write_bytes(before[:offset] + bytes(SLOT_BYTES) + before[offset + SLOT_BYTES :])
    assert found(path) == (GuardCondition.FELL_BACK, b"released")
    again = GuardFile.open(path, OURS, Disk())
    again.store(b"goes on")
    assert found(path) == (GuardCondition.HELD, b"goes on")


def test_any_flipped_byte_of_a_slot_is_noticed(path):
    guard = GuardFile.open(path, OURS, Disk())
    guard.store(b"first")
    guard.store(b"second")
    data = path.read_bytes()
    used = 56 + len(b"second") + 32
    for start, offset in itertools.product((0, SLOT_BYTES), range(used)):
        broken = bytearray(data)
        broken[start + offset] ^= 1
        path.write_bytes(broken)
        condition, record = found(path)
        assert (condition is GuardCondition.FELL_BACK and record in (b"first", b"second")) or record == b"second"


def test_killed_at_every_call_what_was_released_is_never_forgotten(tmp_path):
    for calls, torn in itertools.product(range(8), (0, 30, 70, SLOT_BYTES)):
        path = tmp_path / f"{calls}-{torn}"
        GuardFile.create(path, OURS, Disk())
        released = b""
        disk = KilledDisk(calls, torn)
        try:
            guard = GuardFile.open(path, OURS, disk)
            for record in (b"a", b"b", b"c", b"d"):
                guard.store(record)
                released = record
        except Killed:
            pass
        condition, record = found(path)
        assert condition in (GuardCondition.HELD, GuardCondition.FELL_BACK)
        assert record >= released, (calls, torn)


@pytest.mark.parametrize("calls", range(12))
def test_power_lost_at_any_call_never_rolls_the_guard_back(tmp_path, calls):
    """A state renamed into place came back as the old one after a power cut: cometbft/cometbft#6031."""

    class Dying(LossyDisk, KilledDisk):
        def __init__(self):
            KilledDisk.__init__(self)
            LossyDisk.__init__(self, tmp_path)

    disk, path, released = Dying(), tmp_path / "guard", b""
    GuardFile.create(path, OURS, disk)
    disk.calls, disk.done = calls, 0
    try:
        guard = GuardFile.open(path, OURS, disk)
        for record in (b"a", b"b", b"c", b"d"):
            guard.store(record)
            released = record
    except Killed:
        pass
    disk.lose_power()
    condition, record = found(path)
    assert condition in (GuardCondition.HELD, GuardCondition.FELL_BACK)
    assert record >= released


def test_both_slots_bad_sign_nothing_until_somebody_vouches(path):
    path.write_bytes(b"\0" * 2 * SLOT_BYTES)
    guard = GuardFile.open(path, OURS, Disk())
    assert guard.condition is GuardCondition.DAMAGED
    with pytest.raises(Fault) as caught:
        guard.store(b"x")
    assert caught.value.reason is FaultReason.GUARD_UNUSABLE
    guard.vouch(b"floor")
    guard.store(b"above")
    assert found(path) == (GuardCondition.HELD, b"above")
    assert path.with_name("guard.damaged").read_bytes() == b"\0" * 2 * SLOT_BYTES


def test_a_missing_guard_is_a_wiped_disk_until_somebody_vouches(path):
    path.unlink()
    guard = GuardFile.open(path, OURS, Disk())
    assert (guard.condition, guard.may_store) == (GuardCondition.MISSING, False)
    with pytest.raises(Fault, match="guard is missing"):
        guard.store(b"x")
    assert not path.exists()
    guard.vouch(b"floor")
    assert found(path) == (GuardCondition.HELD, b"floor")


def test_a_restored_guard_signs_nothing_until_somebody_vouches(tmp_path):
    path = tmp_path / "guard"
    GuardFile.create_restored(path, OURS, Disk())
    guard = GuardFile.open(path, OURS, Disk())
    assert guard.condition is GuardCondition.RESTORED
    with pytest.raises(Fault, match="guard is restored"):
        guard.store(b"x")
    guard.vouch(b"floor")
    assert found(path) == (GuardCondition.HELD, b"floor")


def test_a_guard_is_not_made_twice_and_not_taken_from_others(path):
    with pytest.raises(Fault) as caught:
        GuardFile.create(path, OURS, Disk())
    assert caught.value.reason is FaultReason.DIRECTORY_EXISTS
    with pytest.raises(Fault) as caught:
        GuardFile.open(path, THEIRS, Disk())
    assert caught.value.reason is FaultReason.DIRECTORY_OTHER_CHAIN


def test_after_a_failed_sync_nothing_is_stored(path):
    class Failing(Disk):
        def sync(self, file):
            raise Fault(FaultReason.DISK_FAILED, "syncing", "look")

    guard = GuardFile.open(path, OURS, Failing())
    with pytest.raises(Fault, match=r"disk\.failed"):
        guard.store(b"x")
    assert guard.record == b""
    with pytest.raises(Fault, match=r"guard\.unusable"):
        guard.store(b"y")
