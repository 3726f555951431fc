"""The runner itself: which faults it makes, that they get in, and that it tells noticed from unnoticed ones."""

import ast
import subprocess
import sys

import pytest
from tests.mutation import trial
from tests.mutation.mutants import ROOT, Mutant, mutants
from tests.mutation.rooms import ROOMS, Room
from tests.mutation.trial import Results, judged
from tests.mutation.warm import Verdict

ALL = {name: room.mutants() for name, room in ROOMS.items()}


def test_every_mutant_is_python_and_has_a_name_of_its_own() -> None:
    names = [mutant.key for found in ALL.values() for mutant in found]
    assert len(set(names)) == len(names) > 3_000
    for found in ALL.values():
        for mutant in found[::7]:
            ast.parse(mutant.source())
            assert mutant.was != mutant.now


def test_the_kinds_of_faults() -> None:
    said = {mutant.key.split(" ", 1)[1] for mutant in mutants("primitives/bitmap.py")}
    assert "quorum: return -(-2 * seat_count // 3) => return -(-2 * seat_count // 4)" in said
    assert "encode: return bytes(bitmap) => return None" in said
    assert "decode: if len(bitmap) != -(-seat_count // 8): => if False:" in said
    assert "encode: bitmap[seat >> 3] |= 1 << (seat & 7) => pass" in said
    assert [one for one in said if "EXCESS_BITS" in one and one.endswith("=> pass")]
    assert not [one for one in said if "assert" in one]


@pytest.mark.parametrize("room", ROOMS.values(), ids=ROOMS)
def test_the_tests_of_a_room_are_there(room: Room) -> None:
    assert [test for test in room.tests if not (ROOT / test).exists()] == []
    assert room.files()


def test_who_was_judged_is_a_mutant() -> None:
    """A line that has changed is judged anew."""
    names = {mutant.key for found in ALL.values() for mutant in found}
    assert sorted(set(judged()) - names) == []
    assert all(why.strip() for why in judged().values())


def test_results_are_kept_until_source_or_tests_change(tmp_path, monkeypatch) -> None:
    room, path = ROOMS["bls"], tmp_path / "results"
    first, second = ALL["bls"][:2]
    results = Results(path, room)
    results.keep(first, Verdict("a test"))
    results.keep(second, Verdict())
    again = Results(path, room)
    assert (again.known(first), again.known(second)) == (Verdict("a test"), Verdict())
    monkeypatch.setattr(trial, "tests_digest", lambda _: "others")
    again = Results(path, room)
    assert (again.known(first), again.known(second)) == (Verdict("a test"), None)


def test_a_fault_is_noticed_and_one_that_changes_nothing_is_not() -> None:
    """In a process of its own, on the smallest file there is; one mutant runs at import, the others in functions."""
    match, tests = "bitmap.py", "tests/unit/primitives/test_bitmap.py"
    words = ["-m", "tests.mutation", "--room", "primitives", "--match", match, "--tests", tests, "--sample", "6"]
    ended = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    assert "primitives: 6 of 6 mutants, 6 killed, 0 timed out, 0 survived" in ended.stdout


def chosen() -> list[Mutant]:
    return [mutant for mutant in ALL["primitives"] if not mutant.function]


def test_some_faults_run_at_import() -> None:
    assert any("SIZE_MAX" in mutant.was for mutant in chosen())
