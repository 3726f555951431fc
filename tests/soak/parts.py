"""What a long run is made of: each part spends a share of the time and tells what it found."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from tests.simulation.soak import plans, play

ROOT: Final = Path(__file__).resolve().parents[2]
SUITE_SECONDS_MAX: Final = 3600
"""A suite that takes longer than this hangs."""


@dataclass(frozen=True)
class Budget:
    """`ends`: on the monotonic clock. `first_seed`: of this round. `seeds`: of each storm. `jobs`: processes."""

    ends: float
    first_seed: int
    seeds: int
    jobs: int

    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self.ends

    def next_round(self) -> "Budget":
        """The seeds after these."""
        return replace(self, first_seed=self.first_seed + self.seeds)


@dataclass
class Share:
    """What one part did: how many things it played, of which so many messages were delivered, and what broke."""

    name: str
    played: int = 0
    steps: int = 0
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)

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


def storms(budget: Budget, share: Share) -> None:
    """Every storm, at every number of validators that it is for, with seeds of this round."""
    cases = [
        (plan.name, count, seed)
        for seed in range(budget.first_seed, budget.first_seed + budget.seeds)
        for plan in plans().values()
        for count in plan.seeds
    ]
    with ProcessPoolExecutor(budget.jobs) as pool:
        at_once = budget.jobs * 8
        for start in range(0, len(cases), at_once):
            if budget.over():
                return
            batch = cases[start : start + at_once]
            results = pool.map(play, *zip(*batch, strict=True))
            for (name, count, seed), (wrong, steps) in zip(batch, results, strict=True):
                share.played += 1
                share.steps += steps
                if wrong:
                    where = f"--storm {name} --count {count} --seeds {seed}-{seed}"
                    share.breaks(f"python -m tests.simulation.soak {where}", wrong)


def suite(*paths: str, jobs: bool = True) -> Callable[[Budget, Share], None]:
    """A part that runs tests: with another seed each round, so with other examples."""

    def part(budget: Budget, share: Share) -> None:
        words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths]
        if "hypothesis" in share.name:
            words.append(f"--hypothesis-seed={budget.first_seed}")
        if jobs:
            words += ["-n", str(budget.jobs)]
        environment = {**os.environ, "HYPOTHESIS_PROFILE": "soak", "METANODE_SEED": str(budget.first_seed)}
        environment.pop("CI", None)
        left = min(SUITE_SECONDS_MAX, budget.ends - time.monotonic())
        said, status = _run(words, environment, left)
        if status is None:
            print(f"{share.name}: cut off by the end of the time, not counted", flush=True)
            return
        share.played += _passed(said)
        if status:
            shown = " ".join(f"{name}={environment[name]}" for name in ("HYPOTHESIS_PROFILE", "METANODE_SEED"))
            share.breaks(f"{shown} {' '.join(['python', *words[1:]])}", said[-6000:])

    return part


def faults(budget: Budget, share: Share) -> None:
    """Fault schedules of this round's seeds against real validators, after the planted faults and those schedules that
    once found something."""
    command = [sys.executable, "-m", "tests.faults"]
    seeds = range(budget.first_seed, budget.first_seed + budget.seeds)
    runs = [["--planted"], ["--kept"], *(["--seed", str(seed)] for seed in seeds)]
    for words in runs:
        if budget.over():
            return
        said, status = _run(
            [*command, *words], dict(os.environ), min(SUITE_SECONDS_MAX, budget.ends - time.monotonic())
        )
        if status is None:
            print(f"{share.name}: cut off by the end of the time, not counted", flush=True)
            return
        share.played += said.count("played seed ")
        if status:
            share.breaks(" ".join(["python", *command[1:], *words]), said[-6000:])


def _run(words: Sequence[str], environment: dict[str, str], seconds: float) -> tuple[str, int | None]:
    """What it said and how it ended; None where the time was over first."""
    with subprocess.Popen(
        words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            said, _ = process.communicate(timeout=max(seconds, 1.0))
        except subprocess.TimeoutExpired:
            process.terminate()
            process.communicate()
            return "", None
        return said, process.returncode


def _passed(said: str) -> int:
    """How many tests the last line says passed."""
    words = said.strip().splitlines()[-1].replace(",", "").split() if said.strip() else []
    return int(words[words.index("passed") - 1]) if "passed" in words else 0


PARTS: Final[dict[str, Callable[[Budget, Share], None]]] = {
    "storms": storms,
    "hypothesis": suite("tests/properties", "tests/fuzz", draws=True),
    "documents": suite("tests/integration/test_http_documents.py", jobs=False),
    "planted": suite("tests/simulation/test_planted.py", "tests/simulation/test_fingerprints.py"),
    "power": suite("tests/integration/test_power_cut.py", jobs=False),
    "journeys": suite("tests/journeys", jobs=False),
    "faults": faults,
}
"""Every part by its name, in the order of a round."""
