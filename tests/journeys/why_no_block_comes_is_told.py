"""A height that stands still, or took long, is explained by what validators signed: on the network, and abroad from
files with nothing but a genesis."""

import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.journeys.shell import Shell, network
from tests.journeys.town import until

from metanode.client import Client
from metanode.client.verify import GenesisBasis, hear_transcript
from metanode.records.genesis import load_toml

LIMIT_S = 40
FLIPS = 60


def stalled(bpi: Shell, cause: str, options: str = "", wanted: str = "cause") -> Any:
    """What is said once a height stands still for this cause, and this much is known of it; until then rounds may fail
    for others, and nodes may not have been in their round long enough to say whom they hear."""

    def ask() -> Any:
        said = bpi.run(f"doctor stall {options} --json")
        return said.data if said.status == 20 and said.data["cause"] == cause and said.data[wanted] else None

    return until(ask, LIMIT_S, f"it stands still: {cause}", pause_s=0.5)


def troubles(found: Any) -> dict[str, str]:
    return {one["name"]: one["trouble"] for one in found["seats"]}


def everybody_votes(bpi: Shell) -> bool:
    """GUARD-8. Who was started again asks the others before it votes: cut off before that it says nothing."""
    said = bpi.run("doctor stall --json")
    return said.status == 0 and len(said.data["asked"]) == 4 and not said.data["seats"]


def hard_height(client: Client, led_by: str) -> int:
    """A height that needed more than one round, because this validator led the first; 0 while there is none."""
    items = client.block.list(limit=20).items
    seats = {item.name: item.seat for item in client.validator.list().items}
    for item, below in pairwise(items):
        if item.round and (below.proposer + 1) % len(seats) == seats[led_by]:
            return item.height
    return 0


def test_why_no_block_comes(tmp_path):
    with network(tmp_path, "--parameter empty_block_period_ms=500") as bpi:
        well = bpi.data("doctor stall")
        assert (well["cause"], well["stands_still"], len(well["asked"])) == ("none", False, 4)
        assert "WELL" in bpi.says("doctor stall")
        bpi.refuses("doctor stall --height 100000", 3, "api.beyond-head")

        bpi.says("testnet kill validator-2")
        with Client(bpi.data("status")["url"]) as client:
            height = until(lambda: hard_height(client, "validator-2"), LIMIT_S, "its turn to lead came")
        past = bpi.data(f"doctor stall --height {height}")
        assert (past["cause"], past["blamed"], past["open"]) == ("dead-leader", ["validator-2"], False)
        assert past["rounds"][0]["why"] == "not-proposed"
        assert troubles(past) == {"validator-2": "silent"}
        assert f"height {height} became final" in bpi.says(f"doctor stall --height {height}")

        bpi.says("testnet kill validator-3")
        found = stalled(bpi, "no-quorum", "-o told")
        assert found["heard"] == ["validator-0", "validator-1"]
        assert troubles(found) == {"validator-2": "silent", "validator-3": "silent"}
        assert all(one["said_by"] == found["heard"] and not one["proved"] for one in found["seats"])
        assert set(found["silent"].values()) == {"client.unreachable"}
        said = bpi.says("doctor stall", 20)
        why = "3 of 4 validators are needed, heard 2: validator-0, validator-1; silent: validator-2, validator-3"
        assert f"{why} · next: bpi testnet heal" in said

        files = sorted(path.name for path in (tmp_path / "told").iterdir())
        assert files == [f"validator-{index}-{found['height']}.transcript" for index in (0, 1)]
        _abroad(tmp_path, files, found)

        bpi.says("testnet restart validator-2")
        until(lambda: bpi.run("status --json").data["height"] > found["height"], LIMIT_S, "blocks come again")
        over = bpi.data(f"doctor stall --height {found['height']}")
        assert (over["open"], over["round"] > 0, over["stands_still"]) == (False, True, False)

        bpi.says("testnet heal")
        until(lambda: everybody_votes(bpi), LIMIT_S, "nobody who came back only observes")
        bpi.says("testnet partition validator-0,validator-1 validator-2,validator-3")
        cut = stalled(bpi, "partition", wanted="sides")
        assert cut["sides"] == [["validator-0", "validator-1"], ["validator-2", "validator-3"]]
        assert set(troubles(cut).values()) == {"partitioned"}
        url = cut["asked"][0]["source"]
        one_side = bpi.data(f"doctor stall --url {url}", 20)
        assert (one_side["cause"], one_side["blamed"]) == ("no-quorum", ["validator-2", "validator-3"])
        bpi.says("testnet heal")
        until(lambda: bpi.run("doctor stall").status == 0, LIMIT_S, "nothing stands still")


def _abroad(tmp_path: Path, files: list[str], found: Any) -> None:
    """A stranger with a genesis and what nodes told: the same, and no flipped bit passes."""
    abroad = Shell(tmp_path / "abroad")
    abroad.folder.mkdir()
    shutil.copy(tmp_path / ".bpi/validator-0/genesis.toml", abroad.folder / "genesis.toml")
    for name in files:
        shutil.copy(tmp_path / "told" / name, abroad.folder)
    again = abroad.data(f"doctor stall {' '.join(files)} --genesis genesis.toml", 20)
    compared = ("height", "cause", "heard", "blamed", "rounds", "sentence")
    assert {key: again[key] for key in compared} == {key: found[key] for key in compared}
    basis = GenesisBasis(load_toml((abroad.folder / "genesis.toml").read_text()))
    layers = abroad.refuses_flips(files[0], "doctor stall", lambda data: hear_transcript(data, basis), FLIPS, shown=20)
    assert {"stall.encoding", "stall.word", "stall.certificate", "stall.whole"} <= layers
