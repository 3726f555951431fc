"""What a long run is made of: each part spends a share of the time and tells what it found."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from tests.simulation.councils import attempt
from tests.simulation.soak import play, storms
from tests.simulation.twins import GOALS, Campaign, catalogue, command, spaces_of
from tests.simulation.twins_progress import Doubtful, load

ROOT: Final = Path(__file__).resolve().parents[2]
SUITE_SECONDS_MAX: Final = 3600
"""A suite that takes longer than this hangs."""
COUNCILS: Final = 100
"""Councils for each seed of a storm: they are so much cheaper."""
MUTANTS: Final = 25
MUTATION_MINUTES: Final = 15
"""So many of each room a round, and not much longer than this."""
TWINS: Final = 50
"""Twins scenarios of each space for each seed of a storm."""
TWINS_PROGRESS: Final = ROOT / ".soak" / "twins"
"""Where the Twins campaign of this checkout stands, unless told otherwise."""
SAID_MAX: Final = 6_000
"""Characters shown of what a broken command said."""
AT_ONCE: Final = 8
"""Worlds a process is given before anybody looks at the clock."""


@dataclass(frozen=True)
class Budget:
    """`ends`: on the monotonic clock. `first_seed`: of this round. `seeds`: of each storm. `jobs`: processes. `twins`:
    where the Twins campaign stands."""

    ends: float
    first_seed: int
    seeds: int
    jobs: int
    twins: Path = TWINS_PROGRESS

    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self.ends

    def next_round(self) -> "Budget":
        """The seeds after these."""
        return replace(self, first_seed=self.first_seed + self.seeds)


@dataclass
class Share:
    """What one part did: how many things it played, of which so many messages were delivered, what broke, and
    what else it has to tell at the end."""

    name: str
    played: int = 0
    steps: int = 0
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count the time inside."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds += time.monotonic() - began

    def breaks(self, how_to_repeat: str, said: str) -> None:
        """Tell at once: a night's run may end early."""
        self.broken.append(how_to_repeat)
        print(f"BROKEN: {how_to_repeat}\n{said}", flush=True)


def seeded(
    cases: Callable[[range], Iterable[tuple[Any, ...]]],
    play: Callable[..., tuple[str, int]],
    again: str,
    times: int = 1,
) -> Callable[[Budget, Share], None]:
    """A part that plays pretend worlds, `times` this round's seeds. `cases`: what to play with some seeds; `play`: what
    went wrong and how many steps it took; `again`: the command that repeats a case."""

    def part(budget: Budget, share: Share) -> None:
        seeds = range(budget.first_seed * times, (budget.first_seed + budget.seeds) * times)
        waiting = list(cases(seeds))
        with ProcessPoolExecutor(budget.jobs) as pool:
            while waiting and not budget.over():
                batch, waiting = waiting[: budget.jobs * AT_ONCE], waiting[budget.jobs * AT_ONCE :]
                for case, (wrong, steps) in zip(batch, pool.map(play, *zip(*batch, strict=True)), strict=True):
                    share.played += 1
                    share.steps += steps
                    if wrong:
                        share.breaks(again.format(*case), wrong)

    return part


def storm_cases(seeds: range) -> Iterable[tuple[str, int, int]]:
    """Every storm, at every number of validators that it is for."""
    return ((plan.name, count, seed) for seed in seeds for plan in storms().values() for count in plan.seeds)


def council_cases(seeds: range) -> Iterable[tuple[int, int]]:
    """Each seed draws the number of its chairs, too."""
    return ((0, seed) for seed in seeds)


def suite(*paths: str, jobs: bool = True, draws: bool = False) -> Callable[[Budget, Share], None]:
    """A part that runs tests: with another seed each round. `draws`: Hypothesis draws, so it gets the seed, too."""

    def part(budget: Budget, share: Share) -> None:
        words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *paths]
        if draws:
            words.append(f"--hypothesis-seed={budget.first_seed}")
        if jobs:
            words += ["-n", str(budget.jobs)]
        environment = {**os.environ, "HYPOTHESIS_PROFILE": "soak", "METANODE_SEED": str(budget.first_seed)}
        environment.pop("CI", None)
        said, status = _run(budget, share, words, environment)
        share.played += _passed(said)
        if status:
            shown = " ".join(f"{name}={environment[name]}" for name in ("HYPOTHESIS_PROFILE", "METANODE_SEED"))
            _tell(share, words, said, shown)

    return part


def twins(budget: Budget, share: Share) -> None:
    """The next Twins scenarios of each space, after those that the progress file counts: no night plays one again."""
    try:
        stood = load(budget.twins, spaces_of(list(GOALS)))
    except Doubtful as doubt:
        share.breaks(f"the progress of Twins: {doubt}", "nothing was played")
        return
    goals = {tally.space.name: tally.played + budget.seeds * TWINS for tally in stood}
    for tallies, played in Campaign(goals, budget.twins, budget.jobs, ends=budget.ends).run():
        stood = tallies
        share.played += played.tally.played
        share.steps += played.tally.messages
        for name, said in played.told:
            share.breaks(command(name), said)
    counted = (f"{t.space.name}: {t.played} of {catalogue(t.space).count}, {t.broken} broken" for t in stood)
    share.notes = [f"Twins scenarios so far, by space: {'; '.join(counted)}"]


def faults(budget: Budget, share: Share) -> None:
    """Fault schedules of this round's seeds against real validators; in the first round the planted faults come before
    them, and the schedules that once found something."""
    seeds = range(budget.first_seed, budget.first_seed + budget.seeds)
    first = [] if share.played else [["--planted"], ["--kept"]]
    runs = [*first, *(["--seed", str(seed)] for seed in seeds)]
    for words in runs:
        if budget.over():
            return
        said, status = _run(budget, share, ["-m", "tests.faults", *words])
        share.played += said.count("played seed ")
        if status:
            _tell(share, ["-m", "tests.faults", *words], said)


def walked(budget: Budget, share: Share) -> None:
    """Once: which rules and branches the pretend worlds walk through (`tests.soak.walked`)."""
    if share.notes:
        return
    words = ["-m", "tests.soak.walked", "--first-seed", str(budget.first_seed), "--missing"]
    said, status = _run(budget, share, words)
    share.notes = said.splitlines()
    if status:
        _tell(share, words, said)


def mutations(budget: Budget, share: Share) -> None:
    """Some mutants of each room, drawn by the seed of this round. One that survives is a test that is missing, or
    something to judge: told at the end, and no defect of the product."""
    words = ["-m", "tests.mutation", "--seed", str(budget.first_seed), "--sample", str(MUTANTS)]
    words += ["--jobs", str(budget.jobs), "--minutes", str(MUTATION_MINUTES)]
    said, status = _run(budget, share, words)
    lines = said.splitlines()
    share.played += sum(int(line.split()[1]) for line in lines if " mutants, " in line)
    share.notes += [line for line in lines if line.startswith(("SURVIVED", "JUDGED")) and line not in share.notes]
    if status not in {None, 0, 1} or (status == 1 and not share.notes):
        _tell(share, words, said)


def _run(
    budget: Budget, share: Share, words: Sequence[str], environment: Mapping[str, str] = os.environ
) -> tuple[str, int | None]:
    """What Python said with these words, and how it ended; nothing and None where the time was over first."""
    left = min(SUITE_SECONDS_MAX, budget.ends - time.monotonic())
    with subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=max(left, 1.0))
        except subprocess.TimeoutExpired:
            process.terminate()
            process.communicate()
            print(f"{share.name}: cut off by the end of the time, not counted", flush=True)
            return "", None
        return said, process.returncode


def _tell(share: Share, words: Sequence[str], said: str, setting: str = "") -> None:
    """It broke: the line that repeats it, and the end of what it said. `setting`: of the environment."""
    share.breaks(" ".join([*([setting] if setting else []), "python", *words]), said[-SAID_MAX:])


def _passed(said: str) -> int:
    """How many tests the last line says passed."""
    words = said.strip().splitlines()[-1].replace(",", "").split() if said.strip() else []
    return int(words[words.index("passed") - 1]) if "passed" in words else 0


PARTS: Final[dict[str, Callable[[Budget, Share], None]]] = {
    "storms": seeded(storm_cases, play, "python -m tests.simulation.soak --storm {0} --count {1} --seeds {2}-{2}"),
    "councils": seeded(council_cases, attempt, "python -m tests.simulation.councils --seeds {1}-{1}", times=COUNCILS),
    "twins": twins,
    "hypothesis": suite("tests/properties", "tests/fuzz", draws=True),
    "documents": suite("tests/integration/test_http_documents.py", jobs=False),
    "planted": suite("tests/simulation/test_planted.py", "tests/simulation/test_fingerprints.py"),
    "power": suite("tests/integration/test_power_cut.py", jobs=False),
    "journeys": suite("tests/journeys", jobs=False),
    "faults": faults,
    "walked": walked,
    "mutations": mutations,
}
"""Every part by its name, in the order of a round."""
