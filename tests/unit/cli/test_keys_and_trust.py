"""Whom this side believes, and which key signs for whom."""

from pathlib import Path

import pytest
from tests.unit.cli.conftest import Bpi

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.keys import Names
from metanode.cli.bpi.trust import (
    TrustedGenesis,
    basis_facts,
    basis_words,
    check_chain,
    local_genesis,
    trusted_genesis,
)
from metanode.cli.bpi.validator_file import read_validator, validator_text
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session
from metanode.client import Client
from metanode.host.development import development_genesis, development_validator
from metanode.primitives.refusal import Rejected
from metanode.records.address import AddressRefusal, show_address
from metanode.records.genesis import GenesisRefusal, dump_toml
from metanode.records.parameters import Parameters

GENESIS = development_genesis(4, 26600, "demo", Parameters(), 1_000)
NOBODY = Client("http://127.0.0.1:9")
"""Nobody listens on the port for discarding: a test that asked a node would fail."""


@pytest.fixture
def session(folder: Path) -> Session:
    """Of a person in an empty folder."""
    assert not (folder / ".bpi").exists()
    return Session()


def test_nothing_is_trusted_that_nobody_gave(session: Session) -> None:
    assert local_genesis(session) is None
    with pytest.raises(Failure) as raised:
        trusted_genesis(session, "")
    assert (raised.value.form.code, raised.value.form.exit) == (CliRefusal.NO_GENESIS, ExitStatus.NOT_FOUND)


def test_the_named_genesis_comes_before_the_local_one(session: Session, folder: Path) -> None:
    (folder / ".bpi").mkdir()
    (folder / ".bpi/genesis.toml").write_text(dump_toml(GENESIS))
    other = development_genesis(1, 26600, "other", Parameters(), 1_000)
    (folder / "other.toml").write_text(dump_toml(other))
    assert trusted_genesis(session, "").genesis == GENESIS
    assert trusted_genesis(session, "other.toml").genesis == other
    (folder / ".bpi/genesis.toml").write_text("nonsense")
    with pytest.raises(Rejected) as rejected:
        trusted_genesis(session, "")
    assert rejected.value.reason is GenesisRefusal.NOT_TOML


def test_a_node_of_another_chain_is_not_spoken_to() -> None:
    trusted = TrustedGenesis(GENESIS, Path("genesis.toml"))
    check_chain(trusted, trusted.chain_id.hex())
    check_chain(None, "00" * 32)
    with pytest.raises(Failure) as raised:
        check_chain(trusted, "00" * 32)
    assert (raised.value.form.code, raised.value.form.exit) == (CliRefusal.OTHER_CHAIN, ExitStatus.CONFLICT)


def test_how_old_the_basis_is_is_said_and_more_where_it_is_too_old() -> None:
    trusted = TrustedGenesis(GENESIS, Path("genesis.toml"))
    period = GENESIS.parameters.trusting_period_ms
    young = basis_facts(trusted, GENESIS.started_ms + period)
    assert (young["age_ms"], young["recent"], young["hash"]) == (period, True, trusted.chain_id.hex())
    assert basis_words(trusted, young) == [f"{trusted.words} · checked by this process, not by the node"]
    old = basis_facts(trusted, GENESIS.started_ms + period + 1)
    assert old["recent"] is False
    assert "validators who left since then" in basis_words(trusted, old)[1]


def test_names_are_those_of_the_trusted_genesis_and_of_own_keys(session: Session, bpi: Bpi) -> None:
    bpi("init", "--validators", "1")
    bpi("account", "create", "alice")
    names = Names(session, TrustedGenesis(GENESIS, Path()), NOBODY)
    acme = names.address("acme")
    assert (names.address(show_address(acme)), names.by_address()[acme]) == (acme, "acme")
    assert names.by_address()[names.address("alice")] == "alice"
    assert (names.default, names.default_address()) == ("acme", acme)
    signer = names.signer()
    assert (signer.name, signer.address, signer.is_development) == ("acme", acme, True)
    with pytest.raises(Rejected) as rejected:
        names.address(show_address(acme)[:-1] + "q")
    assert rejected.value.reason is AddressRefusal.BAD_CHECKSUM
    for ask, near in ((names.address, "acne"), (names.signer, "acne")):
        with pytest.raises(Failure) as raised:
            ask(near)
        assert (raised.value.form.code, raised.value.form.exit) == (CliRefusal.UNKNOWN_ACCOUNT, ExitStatus.NOT_FOUND)
        assert "acme" in raised.value.form.fix


def test_the_only_key_here_signs_where_nobody_is_named(
    session: Session, bpi: Bpi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METANODE_KEY_PASSWORD", "secret")
    made = bpi("account", "create", "shop", "--json").data
    assert made["development"] is False
    names = Names(session, TrustedGenesis(GENESIS, Path()), NOBODY)
    assert (names.default, show_address(names.signer().address)) == ("shop", made["address"])
    monkeypatch.setenv("METANODE_KEY_PASSWORD", "wrong")
    assert bpi("coin", "show", "--node", "http://127.0.0.1:9").status == 60
    listed = bpi("account", "list", "--node", "http://127.0.0.1:9", "--json")
    assert listed.data["items"] == [{"name": "shop", "address": made["address"], "amount": None, "development": False}]


def test_a_validator_file_is_read_back_and_its_proof_checked(tmp_path: Path) -> None:
    validator = development_validator("validator-7", "127.0.0.1:1")
    path = tmp_path / "validator.toml"
    path.write_text(validator_text(validator))
    assert read_validator(str(path)) == validator
    other = development_validator("validator-8", "127.0.0.1:1")
    path.write_text(validator_text(validator).replace(validator.possession.hex(), other.possession.hex()))
    with pytest.raises(Rejected) as rejected:
        read_validator(str(path))
    assert rejected.value.reason is GenesisRefusal.BAD_POSSESSION
    for text in ("nonsense", 'name = "x"\n', validator_text(validator).replace(validator.vote_key.hex(), "xyz")):
        path.write_text(text)
        with pytest.raises(Failure) as raised:
            read_validator(str(path))
        assert raised.value.form.code == CliRefusal.FILE_NOT_READABLE
