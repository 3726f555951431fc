"""All mutants of a room before the tests of that room."""

import hashlib
import json
import os
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.mutation.mutants import ROOT, Mutant, statement_lines, text_of
from tests.mutation.rooms import Room
from tests.mutation.warm import Edit, Traced, Verdict, Warm, children, collect, run_cold

JUDGED: Final = Path(__file__).with_name("judged.toml")
COLD_SECONDS: Final = 300.0
"""Processor time of a child that imports everything itself."""


def judged() -> dict[str, str]:
    """Survivors that were looked at, and why nobody could notice them."""
    return {entry["mutant"]: entry["equivalent"] for entry in tomllib.loads(JUDGED.read_text()).get("survivor", [])}


def seconds_for(tests: Sequence[Traced]) -> float:
    """The processor time that a mutant may take: what the tests take, watched, three times, and a start."""
    return 3 * sum(test.seconds for test in tests) + 4


class Results:
    """What was found, in a file of one JSON object a line; nothing is kept without a file."""

    def __init__(self, path: Path | None, room: Room) -> None:
        self._path = path
        self._tests = tests_digest(room)
        self._found: dict[str, tuple[str, Verdict]] = {}
        if path is not None and path.exists():
            for line in path.read_text().splitlines():
                one = json.loads(line)
                self._found[one["mutant"]] = (one["source"], Verdict(one["by"], late=one["late"]))

    def known(self, mutant: Mutant) -> Verdict | None:
        """The verdict of an earlier run, where the source is the same, and the tests, too, if nobody noticed."""
        name, verdict = self._found.get(mutant.key, ("", Verdict()))
        source, _, tests = name.partition(" ")
        same = source == _digest(mutant.file) and (verdict.noticed or tests == self._tests)
        return verdict if same else None

    def keep(self, mutant: Mutant, verdict: Verdict) -> None:
        """Write it down at once."""
        source = f"{_digest(mutant.file)} {self._tests}"
        self._found[mutant.key] = (source, verdict)
        if self._path is not None:
            line = {"mutant": mutant.key, "source": source, "by": verdict.by, "late": verdict.late}
            with self._path.open("a") as file:
                file.write(json.dumps(line) + "\n")


def tests_digest(room: Room) -> str:
    """Of all the text of a room's tests."""
    paths = [
        path for test in room.tests for path in sorted([ROOT / test, *(ROOT / test).rglob("*.py")]) if path.is_file()
    ]
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:16]


def _digest(file: str) -> str:
    return hashlib.sha256(text_of(file)).hexdigest()[:16]


class Trial:
    """One room's."""

    def __init__(self, room: Room, jobs: int, ends: float, results: Results, *, verbose: bool) -> None:
        self._room, self._jobs, self._ends, self._results, self._verbose = room, jobs, ends, results, verbose
        self.verdicts: dict[str, Verdict] = {}

    def hold(self, chosen: Sequence[Mutant]) -> None:
        """Try them all, as long as there is time. What a warm child cannot judge, a cold one does."""
        for mutant in chosen:
            if (verdict := self._results.known(mutant)) is not None:
                self.verdicts[mutant.key] = verdict
        rest = [mutant for mutant in chosen if mutant.key not in self.verdicts]
        inside = [mutant for mutant in rest if mutant.function]
        again: list[Mutant] = []
        if inside:
            again = self._warm(inside)
        self._all(self._cold_works([*again, *(mutant for mutant in rest if not mutant.function)]))

    def tell(self, name: str, chosen: Sequence[Mutant], known: Mapping[str, str], seconds: float) -> int:
        """Print the sums and what is new; how much of that there is."""
        tried = [mutant for mutant in chosen if mutant.key in self.verdicts]
        survived = [mutant for mutant in tried if not self.verdicts[mutant.key].noticed]
        late = sum(self.verdicts[mutant.key].late for mutant in tried)
        new = [mutant for mutant in survived if mutant.key not in known]
        stale = [mutant for mutant in tried if mutant.key in known and self.verdicts[mutant.key].noticed]
        for mutant in new:
            print(f"SURVIVED: {mutant.key}    (line {mutant.line})")
        for mutant in stale:
            print(f"JUDGED, BUT NOTICED: {mutant.key}: {self.verdicts[mutant.key].by or 'too slow'}")
        killed = len(tried) - len(survived) - late
        print(
            f"{name}: {len(tried)} of {len(chosen)} mutants, {killed} killed, {late} timed out, "
            f"{len(survived)} survived ({len(survived) - len(new)} judged, {len(new)} new), {seconds:.0f} s",
            flush=True,
        )
        return len(new) + len(stale)

    def _warm(self, inside: Sequence[Mutant]) -> list[Mutant]:
        """In a child of its own, so that nothing of the product is imported here. Those that survived, but whose lines
        run while tests are collected, too."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            self._warm_child(inside, writer)
        os.close(writer)
        by_key = {mutant.key: mutant for mutant in inside}
        again, complete = [], False
        with os.fdopen(reader) as lines:
            for line in lines:
                one = json.loads(line)
                if "mutant" not in one:
                    complete = True
                elif one["again"]:
                    again.append(by_key[one["mutant"]])
                else:
                    self._found(by_key[one["mutant"]], Verdict(one["by"], late=one["late"]))
        os.waitpid(pid, 0)
        if not complete:
            raise AssertionError(f"the tests of {self._room.folder} could not be run")
        return again

    def _warm_child(self, inside: Sequence[Mutant], writer: int) -> None:
        """Never returns."""
        said = os.fdopen(writer, "w", buffering=1)

        def job(warm: Warm) -> None:
            traced = warm.trace({mutant.file for mutant in inside})
            for mutant, by, late in children(self._warm_works(warm, traced, inside), self._jobs):
                lines = warm.at_import.get(mutant.file, ())
                cold = not by and not late and any(line in lines for line in statement_lines(mutant.file, mutant.line))
                said.write(json.dumps({"mutant": mutant.key, "by": by, "late": late, "again": cold}) + "\n")
            said.write(json.dumps({"complete": True}) + "\n")

        status = 1
        try:
            collect(self._room.tests, job, {mutant.file for mutant in inside})
            status = 0
        finally:
            said.close()
            os._exit(status)

    def _warm_works(
        self, warm: Warm, traced: Mapping[str, Traced], inside: Sequence[Mutant]
    ) -> Iterator[tuple[Mutant, Callable[[], str], float]]:
        for mutant in inside:
            if time.monotonic() >= self._ends:
                return
            lines = statement_lines(mutant.file, mutant.line)
            reach = [item for item in warm.items if traced[item.nodeid].reaches(mutant.file, lines)]
            reach.sort(key=lambda item: traced[item.nodeid].seconds)
            edit = Edit(mutant.file, mutant.function, mutant.source())

            def work(edit: Edit = edit, reach: Sequence[Any] = reach) -> str:
                warm.bodies.change(edit)
                return warm.run(reach)

            yield mutant, work, seconds_for([traced[item.nodeid] for item in reach])

    def _cold_works(self, rest: Sequence[Mutant]) -> Iterator[tuple[Mutant, Callable[[], str], float]]:
        for mutant in rest:
            if time.monotonic() >= self._ends:
                return
            edit = Edit(mutant.file, mutant.function, mutant.source())
            yield mutant, partial(run_cold, edit, self._room.tests), COLD_SECONDS

    def _all(self, works: Iterator[tuple[Mutant, Callable[[], str], float]]) -> None:
        for mutant, by, late in children(works, self._jobs):
            self._found(mutant, Verdict(by, late=late))

    def _found(self, mutant: Mutant, verdict: Verdict) -> None:
        self.verdicts[mutant.key] = verdict
        self._results.keep(mutant, verdict)
        if self._verbose:
            print(f"{verdict.by or ('too slow' if verdict.late else 'SURVIVED')}: {mutant.key}", flush=True)
