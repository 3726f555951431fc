"""The Twins part of the long run goes on where the last one stopped, and says so."""

import pytest
from tests.simulation.twins_progress import encode, load
from tests.soak import parts
from tests.soak.parts import PARTS, TWINS_PROGRESS, Budget, Share

from metanode.sim.twins import Space

SPACE = Space(4, 1, 3, lone=True)


@pytest.fixture
def budget(tmp_path, monkeypatch) -> Budget:
    monkeypatch.setattr(parts, "GOALS", {SPACE.name: 0})
    monkeypatch.setattr(parts, "TWINS", 4)
    return Budget(float("inf"), first_seed=0, seeds=2, jobs=1, twins=tmp_path / "twins")


def test_each_round_goes_on_where_the_last_one_stood(budget: Budget) -> None:
    share = Share("twins")
    PARTS["twins"](budget, share)
    PARTS["twins"](budget.next_round(), share)
    assert (share.played, share.broken) == (16, [])
    (tally,) = load(budget.twins, [SPACE])
    assert (tally.played, tally.messages) == (16, share.steps)
    assert share.notes == ["Twins scenarios so far, by space: 4-1-3-1: 16 of 144, 0 broken"]


def test_a_file_in_doubt_is_told_and_nothing_is_played(budget: Budget) -> None:
    budget.twins.write_bytes(encode([])[:-3])
    share = Share("twins")
    PARTS["twins"](budget, share)
    assert share.played == 0
    assert len(share.broken) == 1
    assert "move it away" in share.broken[0]


def test_progress_stands_in_a_folder_that_git_does_not_see() -> None:
    ignored = (parts.ROOT / ".gitignore").read_text().splitlines()
    assert f"{TWINS_PROGRESS.parent.relative_to(parts.ROOT)}/" in ignored
