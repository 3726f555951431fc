"""`bpi receipt verify` and `export` of what nodes say of workloads, without any node."""

import json
from pathlib import Path

import pytest
from tests.unit.chain.light.test_receipts import chain as other_chain
from tests.unit.chain.light.test_receipts import plain_file
from tests.unit.cli.conftest import Bpi
from tests.unit.docklock.receipts.samples import IMAGE, NODE_KEY, chain, file_of, happening, life, written

from metanode.docklock.receipts import WorkloadReceiptRefusal, entries_file, entry_name
from metanode.primitives.codec import encode
from metanode.records.address import address_of_key, show_address
from metanode.records.genesis import dump_toml

STARTED = 3
TRUST = ("--genesis", "genesis.toml")


@pytest.fixture
def files(folder: Path) -> Path:
    """The receipt file of a container's start, and the genesis of its chain."""
    (folder / "started.receipt").write_bytes(encode(file_of(life(), STARTED)))
    (folder / "genesis.toml").write_text(dump_toml(chain().genesis))
    return folder


def test_a_workloads_receipt_is_told_in_a_sentence(files: Path, bpi: Bpi) -> None:
    said = bpi("receipt", "verify", "started.receipt", *TRUST)
    assert said.status == 0, said.err
    assert (
        f"node-2 of shop started web.0 attempt 1 (revision 3) with image sha256:{IMAGE.hex()} under engine sandbox "
        "at 2023-11-14 22:14:20.125Z; pinned in block 1"
    ) in said.out
    assert "seccomp 0808" in said.out
    assert "final by 3 of 4 validators" in said.out
    assert "VALID" in said.out
    assert "envelope" not in said.out


def test_a_program_is_told_all_of_it(files: Path, bpi: Bpi) -> None:
    data = bpi("receipt", "verify", "started.receipt", *TRUST, "--json").data
    assert (data["schema"], data["valid"], data["form"]) == ("bpi/receipt.verify.workload/1", True, "file")
    assert (data["height"], data["signers"], data["seats"], data["envelope"]) == (1, 3, 4, [])
    assert data["entry"]["number"] == STARTED
    assert data["entry"]["details"]["memory-kib"] == 65_536
    assert data["account"] == show_address(address_of_key(NODE_KEY.public_key))
    assert (data["batch"]["first"], data["batch"]["count"]) == (0, len(life()))


@pytest.mark.parametrize("layer", ["encoding", "entry", "signature", "batch", "pinned", "inclusion"])
def test_a_flipped_byte_ends_with_21_and_the_layers_name(layer: str, files: Path, bpi: Bpi) -> None:
    file = file_of(life(), STARTED)
    data, signed = encode(file), life()[STARTED]
    of_chain = data.index(file.chain)
    place = {
        "encoding": 8,
        "entry": data.index(b"started"),
        "signature": data.index(signed.signature),
        "batch": data.index(file.path[0]),
        "pinned": data.index(file.batch.root, of_chain),
        "inclusion": data.index(b"coin.fee-paid", of_chain) + len("coin.fee-paid") + 5,
    }[layer]
    changed = bytearray(data)
    changed[place] ^= 1
    (files / "changed.receipt").write_bytes(changed)
    said = bpi("receipt", "verify", "changed.receipt", *TRUST, "--json")
    assert said.status == 21
    assert said.error["code"] == f"{'light' if layer in ('encoding', 'inclusion') else 'wreceipt'}.{layer}"
    people = bpi("receipt", "verify", "changed.receipt", *TRUST)
    assert f"INVALID (layer: {layer})" in people.err


def test_several_at_once_each_and_all_together(files: Path, bpi: Bpi) -> None:
    (files / "exited.receipt").write_bytes(encode(file_of(life(), 8)))
    names = ("started.receipt", "exited.receipt")
    said = bpi("receipt", "verify", *names, *TRUST)
    assert said.status == 0, said.err
    assert "node-2 of shop saw the end of web.0" in said.out
    assert "VALID  2 receipts, 2 of workloads, and no node contradicts itself" in said.out
    data = bpi("receipt", "verify", *names, *TRUST, "--json").data
    assert [(item["file"], item["form"], item["height"]) for item in data["items"]] == [(n, "file", 1) for n in names]
    lie = written(*(happening(time_ms=n) for n in range(6)))
    (files / "lie.receipt").write_bytes(encode(file_of(lie, STARTED)))
    assert bpi("receipt", "verify", "lie.receipt", *TRUST).status == 0, "by itself nobody sees it"
    said = bpi("receipt", "verify", *names, "lie.receipt", *TRUST, "--json")
    assert (said.status, said.error["code"]) == (21, WorkloadReceiptRefusal.CHAIN)
    assert "two entries number 3" in said.error["message"]
    (files / "broken.receipt").write_bytes(b"broken")
    said = bpi("receipt", "verify", *names, "broken.receipt", *TRUST, "--json")
    assert (said.status, said.error["code"]) == (21, "light.encoding")
    assert said.error["message"].startswith("broken.receipt")


def test_a_transactions_receipt_is_still_one(folder: Path, bpi: Bpi) -> None:
    (folder / "paid.receipt").write_bytes(encode(plain_file()))
    (folder / "other.toml").write_text(dump_toml(other_chain().genesis))
    data = bpi("receipt", "verify", "paid.receipt", "--genesis", "other.toml", "--json").data
    assert data["schema"] == "bpi/receipt.verify/1"


def test_an_in_toto_statement_is_written_and_checked(files: Path, bpi: Bpi) -> None:
    said = bpi("receipt", "export", "started.receipt", "--format", "intoto", *TRUST)
    assert said.status == 0, said.err
    assert "started.intoto.json" in said.out
    written = json.loads((files / "started.intoto.json").read_bytes())
    assert written["subject"][0] == {"name": "image", "digest": {"sha256": IMAGE.hex()}}
    data = bpi("receipt", "verify", "started.intoto.json", *TRUST, "--json").data
    assert (data["form"], data["envelope"]) == ("intoto", [])
    text = (files / "started.intoto.json").read_text().replace('"attempt":1', '"attempt":2')
    (files / "lied.json").write_text(text)
    said = bpi("receipt", "verify", "lied.json", *TRUST, "--json")
    assert (said.status, said.error["code"]) == (21, WorkloadReceiptRefusal.STATEMENT)


def test_an_envelope_says_whose_word_it_is(files: Path, bpi: Bpi) -> None:
    assert bpi("init").status == 0
    said = bpi("receipt", "export", "started.receipt", "--format", "dsse", "--account", "globex", *TRUST)
    assert said.status == 0, said.err
    assert "signed by globex, not by the node" in said.err
    shown = bpi("receipt", "verify", "started.dsse.json", *TRUST)
    assert shown.status == 0, shown.err
    assert "who is not the node" in shown.out
    data = bpi("receipt", "verify", "started.dsse.json", *TRUST, "--json").data
    assert data["form"] == "dsse"
    assert len(data["envelope"]) == 1
    assert data["envelope"][0] != data["account"]
    text = (files / "started.dsse.json").read_text()
    at = text.index('"sig":"') + 20
    (files / "changed.json").write_text(text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :])
    said = bpi("receipt", "verify", "changed.json", *TRUST, "--json")
    assert (said.status, said.error["code"]) == (21, WorkloadReceiptRefusal.ENVELOPE)
    said = bpi("receipt", "export", "started.receipt", "--format", "dsse", "--account", "nobody", *TRUST, "--json")
    assert (said.status, said.error["code"]) == (3, "cli.unknown-account")


def test_only_what_was_checked_is_told_to_others(files: Path, bpi: Bpi) -> None:
    data = bytearray((files / "started.receipt").read_bytes())
    data[-1] ^= 1
    (files / "forged.receipt").write_bytes(data)
    said = bpi("receipt", "export", "forged.receipt", "--format", "intoto", *TRUST, "--json")
    assert said.status == 21
    assert said.error["code"].startswith("light.")
    (files / "paid.receipt").write_bytes(encode(plain_file()))
    said = bpi("receipt", "export", "paid.receipt", "--format", "intoto", *TRUST, "--json")
    assert (said.status, said.error["code"]) == (2, "cli.usage")
    said = bpi("receipt", "export", "started.receipt", "--json")
    assert (said.status, said.error["code"]) == (2, "cli.usage")
    said = bpi("receipt", "export", "nothing.receipt", "--format", "intoto", *TRUST, "--json")
    assert (said.status, said.error["code"]) == (3, "cli.file-not-found")
    said = bpi("receipt", "export", "started.receipt", "--format", "intoto", "-o", "no/such/folder", *TRUST, "--json")
    assert (said.status, said.error["code"]) == (4, "cli.file-not-writable")


# --- a folder ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def whole(files: Path) -> Path:
    """Two receipts of a node, and all that it has said between, in a folder beside the genesis."""
    here = files / "web"
    here.mkdir()
    for number in (STARTED, 8):
        (here / f"{entry_name(life()[number])}.receipt").write_bytes(encode(file_of(life(), number)))
    (here / f"{entry_name(life()[STARTED])}.entries").write_bytes(entries_file(life()[STARTED:9]))
    return here


def test_a_folder_is_checked_and_said_to_be_whole(whole: Path, bpi: Bpi) -> None:
    said = bpi("receipt", "verify", "web", *TRUST)
    assert said.status == 0, said.err
    assert "node-2 of shop: entries 3 to 8: whole, none is missing; 2 with their receipts" in said.out
    assert "VALID  2 receipts" in said.out
    data = bpi("receipt", "verify", "web", *TRUST, "--json").data
    assert [(one["first"], one["last"], one["whole"]) for one in data["chains"]] == [(3, 8, True)]
    assert [item["receipt"] for item in data["items"]] == sorted(str(entry_name(life()[n])) for n in (STARTED, 8))


def test_what_is_missing_between_is_named(whole: Path, bpi: Bpi) -> None:
    (entries,) = whole.glob("*.entries")
    entries.write_bytes(entries_file([*life()[STARTED:5], life()[6]]))
    said = bpi("receipt", "verify", "web", *TRUST)
    assert said.status == 0, said.err
    assert "entries 3 to 8: not here: 5, 7; 2 lead to no receipt; 2 with their receipts" in said.out
    entries.unlink()
    data = bpi("receipt", "verify", "web", *TRUST, "--json").data
    assert [(one["whole"], one["missing"]) for one in data["chains"]] == [(False, [[4, 7]])]


def test_a_folder_of_lies_is_refused_with_file_and_layer(whole: Path, bpi: Bpi) -> None:
    (entries,) = whole.glob("*.entries")
    lie = written(*(happening(time_ms=n) for n in range(9)))
    entries.write_bytes(entries_file(lie[STARTED:9]))
    said = bpi("receipt", "verify", "web", *TRUST, "--json")
    assert (said.status, said.error["code"]) == (21, WorkloadReceiptRefusal.CHAIN)
    changed = bytearray(entries_file(life()[STARTED:9]))
    changed[-1] ^= 1
    entries.write_bytes(changed)
    said = bpi("receipt", "verify", "web", *TRUST, "--json")
    assert (said.status, said.error["code"]) == (21, WorkloadReceiptRefusal.SIGNATURE)
    assert said.error["message"].startswith(f"web/{entries.name}: INVALID (layer: signature)")


def test_a_folder_without_receipts_has_nothing_to_check(files: Path, bpi: Bpi) -> None:
    (files / "empty").mkdir()
    said = bpi("receipt", "verify", "empty", *TRUST, "--json")
    assert (said.status, said.error["code"]) == (3, "cli.nothing-there")


@pytest.mark.parametrize(
    "line",
    [
        ("export",),
        ("export", "--workload", "web"),
        ("export", "--to", "web"),
        ("export", "rcpt_20000N49", "--workload", "web", "--to", "there"),
        ("list", "--container", "web"),
        ("list", "--container", "web.x"),
        ("list", "--workload", "db", "--container", "web.1"),
        ("get", "node-2.41.K7Q"),
    ],
)
def test_what_is_asked_must_make_sense(files: Path, bpi: Bpi, line: tuple[str, ...]) -> None:
    said = bpi("receipt", *line, "--json")
    assert (said.status, said.error["code"]) == (2, "cli.usage")
