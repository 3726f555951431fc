import shutil

import pytest
from tests.unit.host.directories import GENESIS, IDENTITY, SECRETS, salt

from metanode.host.backup import MANIFEST, Backup, _copy_blocks, back_up, check_backup, restore
from metanode.host.block_log import BlockLog
from metanode.host.data_directory import DataDirectory, Layout, create
from metanode.host.disk import Disk
from metanode.host.fault import Fault, FaultReason
from metanode.host.guard_file import GuardCondition, GuardFile
from metanode.host.journal import Journal, JournalWhole
from metanode.host.keys import DEVELOPMENT_PASSWORD, load_validator_keys, write_validator_keys
from metanode.host.settings import Settings, dump_settings, load_settings
from metanode.host.signer import open_signer
from metanode.host.store import Store


@pytest.fixture
def backup(tmp_path):
    """A directory that lived a little, and its backup, made while it is open."""
    layout = create(tmp_path / "data", GENESIS, IDENTITY, 5, Disk(), salt)
    layout.settings.write_text(dump_settings(Settings(name="north")))
    write_validator_keys(layout.keys, SECRETS, DEVELOPMENT_PASSWORD, salt, Disk())
    guard = GuardFile.open(layout.guard, IDENTITY, Disk())
    guard.store(b"signed before the backup")
    store, blocks = Store(layout.store), BlockLog(layout.blocks, Disk(), salt)
    for height in (1, 2, 3):
        blocks.append(height, b"block %d" % height)
        store.write({b"tip": b"%d" % height})
    made = back_up(layout, tmp_path / "backup", salt, Disk())
    assert made == Backup(files=made.files, bytes=made.bytes, last_block=3)
    assert made.files == check_backup(tmp_path / "backup")
    blocks.append(4, b"block 4")
    store.write({b"tip": b"4"})
    guard.store(b"signed after the backup")
    store.close()
    blocks.close()
    return tmp_path / "backup"


def reason(call):
    with pytest.raises(Fault) as caught:
        call()
    return caught.value.reason


def test_what_is_restored_is_what_was_backed_up(backup, tmp_path):
    owner = restore(backup, tmp_path / "new", salt, Disk())
    directory = DataDirectory(tmp_path / "new")
    layout = directory.layout
    assert (directory.owner, directory.genesis) == (owner, GENESIS)
    assert load_settings(layout.settings) == Settings(name="north")
    assert load_validator_keys(layout.keys, DEVELOPMENT_PASSWORD, development=True) == SECRETS
    store, blocks = Store(layout.store), BlockLog(layout.blocks, Disk(), salt)
    assert store.get(b"tip") == b"3"
    assert [blocks.block(height) for height in (1, 2, 3, 4)] == [b"block 1", b"block 2", b"block 3", None]
    store.close()
    blocks.close()
    assert Journal.open(layout.journal, Disk(), salt)[1] == JournalWhole(())
    directory.close()


def test_a_restored_validator_cannot_sign_twice_because_it_cannot_sign(backup, tmp_path):
    owner = restore(backup, tmp_path / "new", salt, Disk())
    signer = open_signer(Layout(tmp_path / "new"), owner, SECRETS, Disk())
    assert (signer.condition, signer.may_sign) == (GuardCondition.RESTORED, False)


def test_neither_guard_nor_journal_nor_lock_is_in_a_backup(backup):
    names = {path.relative_to(backup).parts[0] for path in backup.rglob("*")}
    assert names == {"FORMAT", "MANIFEST", "blocks", "genesis.toml", "keys", "node.toml", "store"}


def test_a_changed_missing_or_added_file_is_noticed(backup, tmp_path):
    store_file = next(path for path in sorted((backup / "store").iterdir()) if path.stat().st_size)
    data = store_file.read_bytes()
    store_file.write_bytes(bytes((data[0] ^ 1,)) + data[1:])
    assert reason(lambda: restore(backup, tmp_path / "new", salt, Disk())) is FaultReason.BACKUP_DAMAGED
    store_file.unlink()
    assert reason(lambda: check_backup(backup)) is FaultReason.BACKUP_DAMAGED
    store_file.write_bytes(data)
    check_backup(backup)
    (backup / "more").write_text("")
    assert reason(lambda: check_backup(backup)) is FaultReason.BACKUP_DAMAGED
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("text", ["x", "aa 1 ../../etc/passwd\n", "aa 1 /etc/passwd\n", "aa one FORMAT\n", "\xff"])
def test_a_manifest_of_nonsense_is_refused(backup, text):
    (backup / MANIFEST).write_bytes(text.encode("latin-1"))
    assert reason(lambda: check_backup(backup)) is FaultReason.BACKUP_DAMAGED


def test_a_folder_without_manifest_is_no_backup(backup):
    (backup / MANIFEST).unlink()
    assert reason(lambda: check_backup(backup)) is FaultReason.BACKUP_DAMAGED


def test_nothing_is_written_over(backup, tmp_path):
    assert reason(lambda: restore(backup, tmp_path / "data", salt, Disk())) is FaultReason.DIRECTORY_EXISTS
    layout = Layout(tmp_path / "data")
    assert reason(lambda: back_up(layout, backup, salt, Disk())) is FaultReason.DIRECTORY_EXISTS


def test_what_is_no_data_directory_is_not_backed_up(tmp_path):
    made = tmp_path / "backup"
    assert reason(lambda: back_up(Layout(tmp_path), made, salt, Disk())) is FaultReason.DIRECTORY_NOT_INITIALISED
    assert not made.exists()


def test_pruning_may_go_on_while_the_log_is_copied(tmp_path, backup, monkeypatch):
    """Segments are dropped oldest first: what was copied before one that is gone would leave a gap."""
    for number in (1, 5, 9):
        (tmp_path / f"{number:016d}.blocks").write_bytes(b"%d" % number)
    copyfile = shutil.copyfile

    def gone(source, target):
        if source.name.startswith("0000000000000005"):
            raise FileNotFoundError
        copyfile(source, target)

    monkeypatch.setattr("metanode.host.backup.shutil.copyfile", gone)
    _copy_blocks(tmp_path, tmp_path / "copy")
    assert [path.read_bytes() for path in (tmp_path / "copy").iterdir()] == [b"9"]
