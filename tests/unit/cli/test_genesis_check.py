"""`bpi genesis check`: a check mark that was earned."""

import io
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from tests.unit.cli.conftest import Bpi

from metanode.cli.failure import CliRefusal
from metanode.host.development import development_genesis
from metanode.primitives.bls import negate_key
from metanode.records.genesis import Genesis, GenesisRefusal, dump_toml, genesis_hash
from metanode.records.parameters import Parameters

GENESIS = development_genesis(4, 26600, "demo", Parameters(), 1_000)


def written(folder: Path, genesis: Genesis) -> str:
    (folder / "genesis.toml").write_text(dump_toml(genesis))
    return "genesis.toml"


def test_a_good_genesis_is_valid_and_says_what_was_checked(folder: Path, bpi: Bpi) -> None:
    file = written(folder, GENESIS)
    said = bpi("genesis", "check", file, "--json")
    assert said.data == {
        "schema": "bpi/genesis.check/1",
        "valid": True,
        "chain": genesis_hash(GENESIS).hex(),
        "name": "demo",
        "development": True,
        "rules_version": 1,
        "validators": [f"validator-{i}" for i in range(4)],
        "quorum": 3,
        "faults": 1,
        "coins": ["USD"],
        "accounts": [a.name for a in GENESIS.accounts],
    }
    people = bpi("genesis", "check", file)
    assert people.status == 0
    assert "4/4 possessions verified        VALID" in people.out
    assert "never for value" in people.out


def test_standard_input_is_a_file_too(folder: Path, bpi: Bpi, monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass
    class Stdin:
        buffer: io.BytesIO

    monkeypatch.setattr(sys, "stdin", Stdin(io.BytesIO(dump_toml(GENESIS).encode())))
    assert bpi("genesis", "check", "-").status == 0
    assert folder.is_dir()


def test_a_proof_of_another_key_is_refused(folder: Path, bpi: Bpi) -> None:
    first, second, *others = GENESIS.validators
    forged = msgspec.structs.replace(first, possession=second.possession)
    said = bpi(
        "genesis",
        "check",
        written(folder, msgspec.structs.replace(GENESIS, validators=(forged, second, *others))),
        "--json",
    )
    assert (said.status, said.error["code"]) == (50, GenesisRefusal.BAD_POSSESSION)
    assert "'validator-0'" in said.error["message"]


def test_a_key_and_its_negation_are_refused(folder: Path, bpi: Bpi) -> None:
    first, second, *others = GENESIS.validators
    negated = msgspec.structs.replace(second, bls_key=negate_key(first.bls_key))
    said = bpi(
        "genesis",
        "check",
        written(folder, msgspec.structs.replace(GENESIS, validators=(first, negated, *others))),
        "--json",
    )
    assert (said.status, said.error["code"]) == (50, GenesisRefusal.BAD_POSSESSION)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('name = "demo"', "name = ", GenesisRefusal.NOT_TOML),
        ('name = "demo"', 'name = "demo"\nsurprise = 1', GenesisRefusal.WRONG_SHAPE),
        ('fee_coin = "USD"', 'fee_coin = "EUR"', GenesisRefusal.UNKNOWN_COIN),
        ("rules_version = 1", "rules_version = 99", GenesisRefusal.UNKNOWN_RULES),
    ],
)
def test_a_wrong_genesis_names_what_is_wrong(old: str, new: str, reason: str, folder: Path, bpi: Bpi) -> None:
    text = dump_toml(GENESIS)
    assert old in text
    (folder / "genesis.toml").write_text(text.replace(old, new, 1))
    said = bpi("genesis", "check", "genesis.toml", "--json")
    assert (said.status, said.error["code"]) == (50, reason)
    assert said.error["rule"].startswith("GEN-")
    assert said.error["fix"]


def test_a_file_that_is_not_there(bpi: Bpi) -> None:
    said = bpi("genesis", "check", "nowhere.toml", "--json")
    assert (said.status, said.error["code"]) == (3, CliRefusal.FILE_NOT_FOUND)


def test_a_folder_and_a_picture_are_no_genesis(folder: Path, bpi: Bpi) -> None:
    (folder / "folder").mkdir()
    said = bpi("genesis", "check", "folder", "--json")
    assert (said.status, said.error["code"]) == (4, CliRefusal.FILE_NOT_READABLE)
    (folder / "picture").write_bytes(b"\x89PNG\xff")
    said = bpi("genesis", "check", "picture", "--json")
    assert (said.status, said.error["code"]) == (2, CliRefusal.FILE_NOT_READABLE)
