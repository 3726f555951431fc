"""From an empty folder to a payment, and its receipt to a stranger who has nothing but the genesis file."""

import shutil

from tests.journeys.shell import Shell
from tests.journeys.town import free_base

from metanode.client.verify import GenesisBasis, verify_receipt
from metanode.records.genesis import load_toml

FLIPS = 50


def test_a_receipt_is_exported_carried_and_believed_and_no_flipped_byte_is(tmp_path):
    home, abroad = Shell(tmp_path / "home"), Shell(tmp_path / "abroad")
    home.folder.mkdir()
    abroad.folder.mkdir()
    home.says(f"init --port-base {free_base()}")
    try:
        assert "READY" in home.says("up")
        paid = home.data("coin transfer --to globex --amount 420")
        assert "VALID" in home.says("verify")
        home.says(f"receipt export {paid['receipt']} -o paid.receipt")
    finally:
        home.says("down")
    shutil.copy(home.folder / "paid.receipt", abroad.folder)
    shutil.copy(home.folder / ".bpi/validator-0/genesis.toml", abroad.folder)

    shown = abroad.says("receipt verify paid.receipt --genesis genesis.toml")
    assert "asked     acme transfers 420.00 USD to globex" in shown
    assert "VALID" in shown
    found = abroad.data("receipt verify paid.receipt --genesis genesis.toml")
    assert (found["height"], found["succeeded"], found["seats"]) == (paid["height"], True, 4)
    assert found["verify_ms"] < 1_000

    basis = GenesisBasis(load_toml((abroad.folder / "genesis.toml").read_text()))
    layers = abroad.refuses_flips(
        "paid.receipt", "receipt verify", lambda data: verify_receipt(data, basis), FLIPS, shown=10
    )
    assert {"light.transaction", "light.inclusion", "light.commit"} <= layers

    other = Shell(tmp_path / "other")
    other.folder.mkdir()
    other.says("init")
    shutil.copy(abroad.folder / "paid.receipt", other.folder)
    other.refuses("receipt verify paid.receipt", 21, "light.basis")
