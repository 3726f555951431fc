"""Journal and sign guard of a stopped validator are hurt: it votes again where nothing it said can be forgotten."""

import os
from collections.abc import Iterator

import pytest
from tests.journeys.patient import Ward, flip, newest, ward
from tests.journeys.town import until

from metanode.host.guard_file import SLOT_BYTES


@pytest.fixture(scope="module")
def sick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    with ward(tmp_path_factory.mktemp("promise")) as built:
        yield built


def observes(sick: Ward) -> str:
    """It follows, has everything, and does not vote; what would mend it."""
    sick.await_everything()
    status = sick.patient.status
    genesis = sick.folder / "genesis.toml"
    told = sick.shell.run(f"doctor stall --url {sick.patient.url} --genesis {genesis} --json").data["seats"]
    found = [(one["detail"], one["said_by"]) for one in told if one["trouble"] == "observing"]
    assert found == [("its journal or sign guard is not to be trusted", [sick.patient.name])]
    return until(lambda: lit.fix if "does not vote" in (lit := status().light).reason else "", 20, "it does not vote")


def test_the_torn_end_of_the_journal_is_cut_and_it_votes(sick):
    sick.stop(kill=True)
    journal = newest(sick.folder / "journal", "*.journal")
    os.truncate(journal, journal.stat().st_size - 7)
    assert "journal_cut" in {line["what"] for line in sick.start()}
    sick.await_health()


def test_a_damaged_journal_costs_one_life_of_silence(sick):
    """DISK-6."""
    sick.stop()
    journal = newest(sick.folder / "journal", "*.journal")
    flip(journal, journal.stat().st_size // 2)
    (line,) = [line for line in sick.start() if line["what"] == "journal_damaged"]
    assert "started again" in line["fix"]
    observes(sick)
    sick.stop()
    assert list((sick.folder / "journal").glob("*.damaged"))
    sick.start()
    sick.await_health()


def test_one_slot_of_the_guard_is_enough_and_none_is_silence_until_somebody_vouches(sick):
    """DISK-17, DISK-20."""
    sick.stop()
    flip(sick.folder / "guard", 60)
    sick.start()
    sick.await_health()
    sick.stop()
    for slot in (0, SLOT_BYTES):
        flip(sick.folder / "guard", slot + 60)
    (line,) = [line for line in sick.start() if line["what"] == "guard_unusable"]
    assert f"bpi node vouch --data {sick.folder}" in line["fix"]
    assert "bpi node vouch" in observes(sick)
    sick.stop()
    sick.listener.forget_generation(sick.patient)
    assert "vouched" in sick.shell.says(f"node vouch --data {sick.folder} --node {sick.nodes[1].url}")
    sick.start()
    sick.await_health()
    sick.check_its_vote_is_needed_and_given()
