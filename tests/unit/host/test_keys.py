import itertools

import pytest

from metanode.host.disk import Disk
from metanode.host.fault import Fault, FaultReason
from metanode.host.keys import (
    DEVELOPMENT_PASSWORD,
    create_account,
    development_secrets,
    find_password,
    fresh_secrets,
    list_accounts,
    load_account,
    load_validator_keys,
    write_validator_keys,
)
from metanode.primitives import bls, ed25519

SECRETS = development_secrets("validator-1")


def counting():
    numbers = itertools.count(1)
    return lambda count: next(numbers).to_bytes(count, "big")


def refused(call):
    with pytest.raises(Fault) as caught:
        call()
    return caught.value


@pytest.fixture
def folder(tmp_path):
    write_validator_keys(tmp_path / "keys", SECRETS, DEVELOPMENT_PASSWORD, counting(), Disk())
    return tmp_path / "keys"


def test_development_keys_follow_from_the_name_and_differ_in_everything():
    other = development_secrets("validator-2")
    made = [SECRETS.transport, SECRETS.vote, SECRETS.bls, other.transport, other.vote, other.bls]
    assert len({*made}) == 6
    assert development_secrets("validator-1") == SECRETS


def test_secrets_are_not_printed():
    assert "0x" not in repr(SECRETS)
    assert repr(SECRETS) == "ValidatorSecrets(is_development=True)"


def test_the_public_side_belongs_to_the_secrets():
    public = SECRETS.public
    assert public.transport_key == ed25519.public_key(SECRETS.transport)
    assert public.vote_key == ed25519.public_key(SECRETS.vote)
    assert bls.verify_possession(public.bls_key, public.possession)


def test_real_keys_survive_the_disk_under_a_password(tmp_path):
    secrets = fresh_secrets(counting())
    write_validator_keys(tmp_path / "keys", secrets, "long and secret", counting(), Disk())
    assert load_validator_keys(tmp_path / "keys", "long and secret", development=False) == secrets
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}
    assert refused(lambda: load_validator_keys(tmp_path / "keys", "wrong", development=False)).reason is (
        FaultReason.KEY_WRONG_PASSWORD
    )


def test_development_keys_open_on_a_development_chain_alone(folder):
    assert load_validator_keys(folder, DEVELOPMENT_PASSWORD, development=True) == SECRETS
    fault = refused(lambda: load_validator_keys(folder, DEVELOPMENT_PASSWORD, development=False))
    assert fault.reason is FaultReason.KEY_DEVELOPMENT_ONLY


def test_keys_are_never_written_over(folder):
    (folder / "transport.json").unlink()
    before = (folder / "bls.json").read_bytes()
    fault = refused(lambda: write_validator_keys(folder, SECRETS, "x", counting(), Disk()))
    assert fault.reason is FaultReason.KEY_EXISTS
    assert (folder / "bls.json").read_bytes() == before


def test_a_key_file_open_to_others_damaged_or_missing_is_refused(folder):
    (folder / "vote.json").chmod(0o640)
    fault = refused(lambda: load_validator_keys(folder, DEVELOPMENT_PASSWORD, development=True))
    assert (fault.reason, fault.fix) == (FaultReason.KEY_FILE_UNREADABLE, f"chmod 600 {folder / 'vote.json'}")
    (folder / "vote.json").chmod(0o600)
    (folder / "vote.json").write_text("{}")
    fault = refused(lambda: load_validator_keys(folder, DEVELOPMENT_PASSWORD, development=True))
    assert fault.reason is FaultReason.KEY_FILE_UNREADABLE
    (folder / "vote.json").unlink()
    fault = refused(lambda: load_validator_keys(folder, DEVELOPMENT_PASSWORD, development=True))
    assert (fault.reason, "backup" in fault.fix) == (FaultReason.KEY_UNKNOWN, True)


def test_the_password_comes_from_file_or_environment(tmp_path):
    path = tmp_path / "password"
    path.write_bytes("pässword \r\n".encode())
    assert find_password(str(path), {}) == "pässword "
    assert find_password("", {"METANODE_KEY_PASSWORD_FILE": str(path), "METANODE_KEY_PASSWORD": "no"}) == "pässword "
    assert find_password("", {"METANODE_KEY_PASSWORD": "yes"}) == "yes"
    assert refused(lambda: find_password("", {})).reason is FaultReason.KEY_PASSWORD_MISSING
    assert refused(lambda: find_password(str(tmp_path / "no"), {})).reason is FaultReason.DISK_MISSING
    path.write_bytes(b"\xff")
    assert refused(lambda: find_password(str(path), {})).reason is FaultReason.KEY_FILE_UNREADABLE


def test_accounts_are_made_listed_and_opened(tmp_path):
    folder = tmp_path / "accounts"
    assert list_accounts(folder) == ()
    create_account(folder, "globex", bytes(32), "secret", counting(), Disk())
    create_account(folder, "acme", b"\1" * 32, "secret", counting(), Disk(), is_development=True)
    found = list_accounts(folder)
    assert [(a.name, a.file.label) for a in found] == [("acme", "DEVELOPMENT ONLY: acme"), ("globex", "globex")]
    assert [a.file.public_key for a in found] == [ed25519.public_key(b"\1" * 32), ed25519.public_key(bytes(32))]
    assert load_account(folder, "globex", "secret") == bytes(32)
    assert load_account(folder, "acme", "secret") == b"\1" * 32
    assert refused(lambda: load_account(folder, "acme", "guess")).reason is FaultReason.KEY_WRONG_PASSWORD
    fault = refused(lambda: load_account(folder, "initech", "secret"))
    assert (fault.reason, fault.fix) == (FaultReason.KEY_UNKNOWN, "name one of: acme, globex")
    again = refused(lambda: create_account(folder, "acme", bytes(32), "secret", counting(), Disk()))
    assert again.reason is FaultReason.KEY_EXISTS
    (folder / "junk.json").write_text("[]")
    (folder / "junk.json").chmod(0o600)
    assert refused(lambda: list_accounts(folder)).reason is FaultReason.KEY_FILE_UNREADABLE


@pytest.mark.parametrize("name", ["", "../up", "A", ".hidden", "a" * 64, "a b"])
def test_a_name_is_no_path(tmp_path, name):
    assert refused(lambda: load_account(tmp_path, name, "x")).reason is FaultReason.KEY_UNKNOWN
