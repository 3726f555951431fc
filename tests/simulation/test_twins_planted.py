"""Faults planted in a copy, each noticed by one Twins scenario of every run; and forks, seen without the oracle."""

import shutil
import tomllib
from pathlib import Path

import pytest
from tests.simulation.planting import NOTICED, Fault, _run
from tests.simulation.twins import SLICE, catalogue, play, play_turns, spaces_of

from metanode.chain.guard.guard import Guard
from metanode.chain.ibft import leading, moves, reception
from metanode.chain.ibft.messages import RoundChange
from metanode.chain.ibft.state import HeightState
from metanode.primitives.names import Round

HERE = Path(__file__).parent
PLANTED = [
    (Fault(**{name: word for name, word in entry.items() if name != "scenario"}), entry["scenario"])
    for entry in tomllib.loads((HERE / "twins_planted.toml").read_text())["fault"]
]


@pytest.mark.parametrize(("fault", "scenario"), PLANTED, ids=[f"{fault.rule}-{where}" for fault, where in PLANTED])
def test_a_planted_fault_is_noticed_by_a_scenario(fault: Fault, scenario: str, tmp_path) -> None:
    fault.plant(tmp_path)
    ended = _run(tmp_path, ["tests.simulation.twins", "--scenario", scenario])
    shutil.rmtree(tmp_path / "src")
    assert ended.returncode == 1, f"{fault.rule}: {fault.says}; {scenario} did not notice\n{ended.stderr}"
    assert any(word in ended.stdout for word in NOTICED), ended.stdout + ended.stderr


def test_what_notices_a_fault_is_played_without_it_too() -> None:
    kept = [line.partition("#")[0].strip() for line in (HERE / "twins_seeds.txt").read_text().splitlines()]
    played = {
        f"{name}-{catalogue(spaces_of([name])[0]).nth(turn)}" for name, turns in SLICE.items() for turn in range(turns)
    }
    assert {scenario for _, scenario in PLANTED} <= played | set(kept)


def forks(name: str, turns: int) -> int:
    """How many of the first scenarios of a space fork, judged by agreement alone."""
    told = play_turns(spaces_of([name])[0], 0, turns, watched=False).told
    return sum("FORK" in said or "two certificates of one height" in said for _, said in told)


def test_without_the_lock_scenarios_fork_and_it_takes_one_that_hears_alone(monkeypatch) -> None:
    """IBFT-P7, GUARD-3. Neither engine nor guard remembers what was committed, and no oracle watches. Where all of a
    set hear COMMITs, as in the paper, whoever could fork has decided and is silent."""
    enter = moves.enter

    def forgetful(state: HeightState, round_: Round, *, announced: bool) -> None:
        enter(state, round_, announced=announced)
        state.prepared = None

    monkeypatch.setattr(moves, "enter", forgetful)
    assert (forks("4-2-2-1", 40), forks("4-3-2-0", 40)) == (0, 0), "the guard alone is wall enough"
    monkeypatch.setattr(Guard, "_check_commit", lambda self, vote: None)
    assert forks("4-2-2-1", 40) >= 5
    assert forks("5-2-2-1", 40) >= 1
    assert forks("4-3-2-0", 40) == 0
    with pytest.raises(AssertionError, match=r"scenario 4-2-2-1-7638 .*FORK: machines 0 and 1 differ at height 1"):
        play("4-2-2-1-7638", watched=False)


def test_without_justifications_scenarios_fork(monkeypatch) -> None:
    """IBFT-P4, P5. Leaders begin afresh whatever was prepared, nobody looks at why they may, and no oracle watches."""

    def afresh(changes: list[RoundChange]) -> RoundChange:
        first = min(changes, key=lambda change: change.vote.seat)
        return RoundChange(vote=first.vote, certificates=())

    monkeypatch.setattr(leading, "_highest", afresh)
    assert forks("4-2-2-1", 40) == 0, "what others check is wall enough"
    monkeypatch.setattr(reception, "check_justification", lambda vote, why, members: None)
    assert forks("4-2-2-1", 40) >= 5
