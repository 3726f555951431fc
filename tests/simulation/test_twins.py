"""Twins campaigns: a slice of every space is played in every run; a campaign counts, goes on, and doubts its file."""

import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from tests.simulation.twins import GOALS, SLICE, Campaign, catalogue, command, main, play, play_turns, spaces_of
from tests.simulation.twins_progress import NAMED_MAX, Doubtful, Tally, decode, encode, load, save

from metanode.sim.twins import Cut, Scenario, Space, Stage

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"4-2-2-0": 20, "4-1-3-1": 12}
TURNS = 8
SEEDS = Path(__file__).with_name("twins_seeds.txt")


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [(name, at, min(at + 40, turns)) for name, turns in SLICE.items() for at in range(0, turns, 40)],
)
def test_engine_and_oracle_agree_in_a_slice_of_the_scenarios(name: str, first: int, last: int) -> None:
    played = play_turns(spaces_of([name])[0], first, last, watched=True)
    assert not played.told, [f"{command(broken)}\n{said}" for broken, said in played.told]
    assert (played.tally.played, played.tally.broken) == (last - first, 0)
    assert played.tally.heights >= last - first


def test_what_once_broke_is_played_for_ever() -> None:
    for line in SEEDS.read_text().splitlines():
        name = line.partition("#")[0].strip()
        if name:
            play(name)


def test_the_slice_is_the_beginning_of_the_campaign() -> None:
    """So it is spread over each space like all of it (see the catalogue's tests)."""
    assert SLICE.keys() == GOALS.keys()
    assert all(turns <= (GOALS[name] or catalogue(spaces_of([name])[0]).count) for name, turns in SLICE.items())


# --- one scenario -----------------------------------------------------------------------------------------------------


def test_a_scenario_is_one_world() -> None:
    assert play("7-2-2-1-12345") == play("7-2-2-1-12345")
    assert play("7-2-2-1-12345").fingerprint != play("7-2-2-1-12346").fingerprint


def test_the_oracle_changes_nothing() -> None:
    assert play("4-2-2-1-4242") == play("4-2-2-1-4242", watched=False)


def staged(twins: tuple[int, ...], *cuts: Cut) -> Stage:
    """A scenario by hand, of four seats."""
    return Stage(Scenario(Space(4, len(cuts), 2, lone=True), 0, twins, cuts))


def test_both_twins_propose_and_the_seat_has_two_words() -> None:
    stage = staged((0,), Cut((0, 1, 0, 0, 1)))
    stage.perform()
    first, second = (chair.signed[0] for chair in stage.chairs[:2])
    assert (first.kind, first.height, first.round, first.seat) == (
        second.kind,
        second.height,
        second.round,
        second.seat,
    )
    assert first.header_hash != second.header_hash


def test_whoever_hears_a_quorum_decides_in_the_first_act() -> None:
    """0, 1 and one machine of 3 are a quorum; the others hear of it when all is healed."""
    stage = staged((3,), Cut((0, 0, 1, 0, 1)))
    outcome = stage.perform()
    assert (outcome.early, outcome.round) == (1, 0)
    assert {chair.log[1][0].hash for chair in stage.honest} == {stage.chairs[0].log[1][0].hash}


def test_one_machine_alone_may_decide_and_what_it_decided_is_carried_on() -> None:
    """Only seat 0 hears the COMMITs of round 0. The others change rounds, prepared, and must come to the same block."""
    stage = staged((3,), Cut((0, 0, 0, 0, 0), listener=0), Cut((0, 1, 1, 1, 1)))
    outcome = stage.perform()
    assert outcome.early == 1
    assert outcome.round == 1
    assert len({chair.log[1][0].hash for chair in stage.honest}) == 1


def test_no_set_without_a_quorum_decides() -> None:
    stage = staged((3,), Cut((0, 0, 1, 1, 1)), Cut((0, 0, 1, 1, 1)))
    stage.perform()
    assert all(chair.log[1][1].round >= 2 for chair in stage.honest)


# --- a campaign -------------------------------------------------------------------------------------------------------


def finish(goals: dict[str, int], path: Path | None = None, jobs: int = 1) -> list[Tally]:
    tallies = load(path, spaces_of(list(goals)))
    for stand, _ in Campaign(goals, path, jobs, turns=TURNS).run():
        tallies = stand
    return tallies


def counted(tallies: list[Tally]) -> list[Tally]:
    """Without the time, which is never the same."""
    return [replace(tally, milliseconds=0) for tally in tallies]


def test_a_campaign_that_is_stopped_goes_on_where_it_stood(tmp_path) -> None:
    whole = finish(SMALL)
    path = tmp_path / "progress"
    for _ in zip(range(2), Campaign(SMALL, path, turns=TURNS).run(), strict=False):
        pass  # after two batches the command is gone
    assert load(path, spaces_of(list(SMALL)))[0].played == 2 * TURNS
    assert counted(finish(SMALL, path)) == counted(whole)
    assert [tally.played for tally in whole] == list(SMALL.values())
    assert list(Campaign(SMALL, path, turns=TURNS).run()) == []


def test_shards_count_what_one_process_counts(tmp_path) -> None:
    assert counted(finish(SMALL, tmp_path / "progress", jobs=2)) == counted(finish(SMALL))


def test_a_space_ends_with_its_last_scenario() -> None:
    known = catalogue(Space(4, 1, 2, lone=False))
    assert [tally.played for tally in finish({"4-1-2-0": 1_000})] == [known.count]


def test_a_campaign_that_is_killed_loses_and_repeats_nothing(tmp_path) -> None:
    """kill -9 after the file has moved: it is whole, and what follows comes to the same numbers."""
    path = tmp_path / "progress"
    words = [
        sys.executable,
        "-m",
        "tests.simulation.twins",
        "--space",
        "4-2-2-0",
        "--scenarios",
        "64",
        "--progress",
        str(path),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTHONPATH"] = f"{ROOT / 'src'}{os.pathsep}{ROOT}"
    with subprocess.Popen(words, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and not path.exists():
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
    stood = load(path, spaces_of(["4-2-2-0"]))
    assert stood[0].played in {32, 64}
    assert counted(stood) == counted(finish({"4-2-2-0": stood[0].played}))
    assert counted(finish({"4-2-2-0": 70}, path)) == counted(finish({"4-2-2-0": 70}))


# --- its file ---------------------------------------------------------------------------------------------------------

TALLIES = [
    Tally(Space(4, 2, 2, lone=True), 64, 128, 60, 3, 20_000, 1_500, 1, ["4-2-2-1-7"]),
    Tally(Space(4, 1, 3, lone=True)),
]
SPACES = [tally.space for tally in TALLIES]


def test_a_file_is_read_as_it_was_written(tmp_path) -> None:
    path = tmp_path / "deep" / "progress"
    save(path, TALLIES)
    assert [asdict(tally) for tally in load(path, SPACES)] == [asdict(tally) for tally in TALLIES]
    assert sorted(one.name for one in path.parent.iterdir()) == ["progress"]


def test_every_changed_byte_of_a_file_is_noticed() -> None:
    data = encode(TALLIES)
    for at in range(len(data)):
        for other in (data[at] ^ 1, 0x20, 0x0A):
            hurt = data[:at] + bytes([other]) + data[at + 1 :]
            if hurt != data:
                with pytest.raises(Doubtful):
                    decode(hurt, SPACES)


@pytest.mark.parametrize("cut", [0, 1, 40, 64, 65, 100])
def test_a_file_that_is_cut_off_is_noticed(cut: int) -> None:
    data = encode(TALLIES)
    for hurt in (data[: len(data) - 1 - cut], data + data[:cut] + b"\n"):
        with pytest.raises(Doubtful):
            decode(hurt, SPACES)


def test_a_file_of_another_campaign_is_refused(tmp_path, capsys, monkeypatch) -> None:
    path = tmp_path / "progress"
    save(path, TALLIES)
    for others in (SPACES[:1], SPACES[::-1], [*SPACES, Space(5, 1, 2, lone=True)], []):
        with pytest.raises(Doubtful, match=r"progress: .*; move it away"):
            load(path, others)
    monkeypatch.setattr(sys, "argv", ["twins", "--space", "4-1-2-0", "--progress", str(path)])
    assert main() == 2
    assert "a campaign of 4-2-2-1, not of 4-1-2-0" in capsys.readouterr().out


def test_a_file_stays_small_whatever_breaks() -> None:
    tally = Tally(Space(7, 3, 2, lone=True))
    for index in range(5_000):
        tally.break_on(f"7-3-2-1-{index}")
    assert (tally.broken, len(tally.named)) == (5_000, NAMED_MAX)
    assert len(encode([tally])) < 2_000


# --- its command ------------------------------------------------------------------------------------------------------


def test_the_command_counts_and_repeats_one_scenario(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["twins", "--space", "4-2-2-0", "--scenarios", "10"])
    assert main() == 0
    assert "played 10 of 360 canonical scenarios of 1024 in all" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", command("4-2-2-0-7").split()[2:])
    assert main() == 0
    assert capsys.readouterr().out.startswith("4-2-2-0-7: round 0: ")
