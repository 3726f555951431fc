"""Proofs of guilt from a live network to a stranger and back: found, shown, carried, checked, handed in, acted on; and
a fork is laid at the feet of those who made it."""

import shutil

from tests.journeys.forger import Forger
from tests.journeys.shell import Shell, network
from tests.journeys.town import until

from metanode.api.node import ValidatorPage
from metanode.client import Client
from metanode.client.verify import GenesisBasis, verify_evidence
from metanode.records.commit import COMMITS
from metanode.records.genesis import load_toml

FLIPS = 60


def seats(client: Client) -> list[str]:
    """Who signs the next block."""
    page: ValidatorPage = client.validator.list(client.node.status().height + 1)
    return [item.name for item in page.items]


def test_evidence_goes_from_a_node_to_a_stranger_and_back(tmp_path):
    """Validator-3's key signs two words for one step. Whoever holds them convicts it."""
    with network(tmp_path, "--parameter empty_block_period_ms=500 --validators 5") as bpi:
        assert bpi.data("evidence list")["items"] == []
        with Client(bpi.data("status")["url"]) as client:
            until(lambda: client.node.status().height >= 2, 20, "two blocks")
            forger = Forger.at(client, 2)
            liar = 3
            (tmp_path / "double.evidence").write_bytes(forger.file(forger.double(liar)))
            name = forger.validators[liar].name

            assert f"guilty    {name} (seat 3" in bpi.says("evidence verify double.evidence")
            taken = bpi.data("evidence submit double.evidence")
            assert taken["accused"] == [name]
            until(lambda: name not in seats(client), 20, "it is jailed")
            assert len(seats(client)) == 4

            (listed,) = bpi.data("evidence list")["items"]
            assert (listed["kind"], listed["accused"]) == ("conflicting-votes", [name])
            assert listed["digest"] == taken["digest"]
            assert listed["included_height"] > 2
            assert name in bpi.says("evidence list")
            shown = bpi.says(f"evidence show {listed['digest']} -o carried.evidence")
            assert f"accused   {name}: said two things" in shown
            assert shown.count("PREPARE") == 2
            assert bpi.data(f"evidence show {listed['digest']}")["height"] == 2
            bpi.refuses("evidence submit double.evidence", 5, "api.conflict")
            bpi.refuses(f"evidence show {'00' * 32}", 3, "api.not-found")
            bpi.refuses("evidence show 00", 2, "cli.usage")
        shutil.copy(tmp_path / ".bpi/validator-0/genesis.toml", tmp_path / "genesis.toml")
    _abroad(tmp_path, name)


def _abroad(tmp_path, name: str) -> None:
    """A stranger with a genesis and the file, and no network."""
    abroad = Shell(tmp_path / "abroad")
    abroad.folder.mkdir()
    for file in ("genesis.toml", "carried.evidence"):
        shutil.copy(tmp_path / file, abroad.folder)
    found = abroad.data("evidence verify carried.evidence --genesis genesis.toml")
    assert (found["valid"], [one["name"] for one in found["guilty"]], found["height"]) == (True, [name], 2)
    basis = GenesisBasis(load_toml((abroad.folder / "genesis.toml").read_text()))
    layers = abroad.refuses_flips(
        "carried.evidence", "evidence verify", lambda data: verify_evidence(data, basis), FLIPS, shown=15
    )
    assert {"forensics.encoding", "forensics.signature", "forensics.whole"} <= layers
    (abroad.folder / "words.evidence").write_bytes(b"guilty!")
    abroad.refuses("evidence verify words.evidence --genesis genesis.toml", 21, "forensics.encoding")
    abroad.refuses("evidence submit words.evidence", 2, "cli.file-not-readable")


def test_a_fork_names_those_who_made_it(tmp_path):
    """The network's own block of a height, and another that three of its four validators could have made: two of them
    signed both. Their keys are known here; what the fourth signed is real."""
    with network(tmp_path, "--parameter empty_block_period_ms=500") as bpi:
        with Client(bpi.data("status")["url"]) as client:
            until(lambda: client.node.status().height >= 3, 20, "three blocks")
            kept = bpi.data("evidence testimony 2 -o ours.testimony")
            assert (kept["height"], kept["complete"]) == (2, True)
            assert "it needed one round only" in bpi.says("evidence testimony 2 -o ours.testimony")
            forger = Forger.at(client, 2)
            made = COMMITS.decode(bytes.fromhex(client.block.headers(2, 1).items[0].commit))
            bpi.refuses("evidence testimony 100000", 3, "api.beyond-head")
        ours = (tmp_path / "ours.testimony").read_bytes()
        signers = [seat for seat in range(4) if made.validator_bitmap[0] >> seat & 1]
        innocent = signers[0]
        liars = [seat for seat in range(4) if seat != innocent]
        both = [seat for seat in liars if seat in signers]
        for name, transcript in (("bare", False), ("theirs", True)):
            (tmp_path / f"{name}.testimony").write_bytes(
                forger.other_side(ours, liars, made.round + 2, transcript=transcript)
            )
        bpi.refuses("forensics ours.testimony ours.testimony", 21, "forensics.no-fork")

        lacking = bpi.data("forensics ours.testimony bare.testimony", 30)
        assert (lacking["enough"], lacking["guilty"]) == (False, [])
        (gap,) = lacking["missing"]
        assert (gap["round"], gap["held_by"]) == (made.round + 2, [forger.validators[seat].name for seat in liars])
        assert "NOT ENOUGH" in bpi.says("forensics ours.testimony bare.testimony", 30)

        found = bpi.data("forensics ours.testimony theirs.testimony -o proofs")
        assert (found["enough"], found["needed"]) == (True, 2)
        assert [one["seat"] for one in found["guilty"]] == both
        assert len(both) >= 2
        assert innocent not in both
        assert "NAMED" in bpi.says("forensics ours.testimony theirs.testimony")
        for one in found["guilty"]:
            proof = bpi.data(f"evidence verify {one['file']}")
            assert [guilty["name"] for guilty in proof["guilty"]] == [one["name"]]
            assert proof["kind"] == "contradicted-commit"

        bpi.says(f"evidence submit {found['guilty'][0]['file']}")
        with Client(bpi.data("status")["url"]) as client:
            carried = until(
                lambda: [e for e in client.evidence.list().items if e.included_height], 20, "a block carries it"
            )
            assert carried[0].accused == (found["guilty"][0]["name"],)
