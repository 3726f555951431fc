"""Which numbered rules and which branches the pretend worlds walk through.

    python -m tests.soak.walked [--councils N] [--storms N] [--first-seed S] [--missing]

Plays councils and, of each storm, so many seeds at four validators, while coverage.py watches. A rule is *walked* when
code that cites it ran, and *whole* when no branch of any such code was left out. It is a map, not a goal: what no world
walks through is held by unit tests alone.
"""

import argparse
import ast
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from coverage import Coverage
from tests.architecture.source import ROOT
from tests.architecture.test_rules import CITED

SOURCE: Final = ROOT / "src" / "metanode"
ROOMS: Final = ("chain", "ledger", "network", "node")
"""The rooms that both worlds share; host has its own twin, and is not in them."""
PLAYERS: Final = ("councils", "storms")
Code: TypeAlias = ast.FunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Walk:
    """What ran of one piece of code. `exits`: of its branches, and how many of them were taken."""

    statements: int
    missing: int
    exits: int
    taken: int

    @property
    def ran(self) -> bool:
        """Whether any of it did."""
        return self.missing < self.statements

    @property
    def is_whole(self) -> bool:
        """Whether all of it did, every branch both ways."""
        return not self.missing and self.taken == self.exits

    def __add__(self, other: "Walk") -> "Walk":
        return Walk(
            self.statements + other.statements,
            self.missing + other.missing,
            self.exits + other.exits,
            self.taken + other.taken,
        )


NOTHING: Final = Walk(0, 0, 0, 0)


def watch(play: Callable[[], int]) -> tuple[Coverage, int]:
    """Play under coverage; what it saw, and how many worlds were played."""
    seen = Coverage(branch=True, data_file=None, source=[str(SOURCE / room) for room in ROOMS])
    seen.start()
    try:
        return seen, play()
    finally:
        seen.stop()


def worlds(councils: int, storms: int, first: int) -> Callable[[], int]:
    """What is played. Imported only then, so that what runs while it is imported is seen, too."""

    def play() -> int:
        from tests.simulation import councils as room
        from tests.simulation.soak import plans
        from tests.simulation.soak import play as storm

        cases = [(name, 4, seed) for name in plans() for seed in range(first, first + storms)]
        broken = [wrong for seed in range(first, first + councils) if (wrong := room.attempt(0, seed)[0])]
        broken += [wrong for case in cases if (wrong := storm(*case)[0])]
        if broken:
            sys.exit("\n".join(broken))
        return councils + len(cases)

    return play


def citing(path: Path) -> Iterator[tuple[str, Code]]:
    """Each rule that a function or class of this file cites, with it."""
    for code in ast.walk(ast.parse(path.read_text())):
        if isinstance(code, Code):
            for rule in dict.fromkeys(CITED.findall(ast.get_docstring(code) or "")):
                yield rule, code


def walk_of(seen: Coverage, path: Path) -> Callable[[int, int], Walk]:
    """How much ran between two lines of a file."""
    _, statements, _, missing, _ = seen.analysis2(str(path))
    branches = seen.branch_stats(str(path))

    def between(first: int, last: int) -> Walk:
        inside = [exits for line, exits in branches.items() if first <= line <= last]
        return Walk(
            sum(first <= line <= last for line in statements),
            sum(first <= line <= last for line in missing),
            sum(exits for exits, _ in inside),
            sum(taken for _, taken in inside),
        )

    return between


def report(seen: Coverage) -> tuple[dict[str, Walk], dict[str, list[Walk]]]:
    """By room, and by rule all code that cites it."""
    rooms: dict[str, Walk] = defaultdict(lambda: NOTHING)
    rules: dict[str, list[Walk]] = defaultdict(list)
    for path in sorted(path for room in ROOMS for path in (SOURCE / room).rglob("*.py")):
        between = walk_of(seen, path)
        parts = path.relative_to(SOURCE).parts
        rooms["/".join(parts[:2]) if len(parts) > 2 else parts[0]] += between(1, sys.maxsize)
        for rule, code in citing(path):
            # Past the line of its `def`, which runs when it is imported.
            rules[rule].append(between(code.body[0].lineno, code.end_lineno or code.lineno))
    return rooms, rules


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f}%" if whole else "-"


def main() -> int:
    """The command."""
    made = argparse.ArgumentParser(prog="python -m tests.soak.walked", description=__doc__)
    made.add_argument("--councils", type=int, default=100)
    made.add_argument("--storms", type=int, default=1, help="seeds of each storm")
    made.add_argument("--first-seed", type=int, default=0)
    made.add_argument("--missing", action="store_true", help="name the rules that no world walked through")
    options = made.parse_args()
    seen, played = watch(worlds(options.councils, options.storms, options.first_seed))
    rooms, rules = report(seen)
    print(f"{'room':<18}{'statements':>11}{'ran':>6}{'exits':>8}{'taken':>7}")
    for name, walk in sorted((name, walk) for name, walk in rooms.items() if walk.statements):
        ran = _share(walk.statements - walk.missing, walk.statements)
        print(f"{name:<18}{walk.statements:>11}{ran:>6}{walk.exits:>8}{_share(walk.taken, walk.exits):>7}")
    walked = [rule for rule, codes in rules.items() if any(code.ran for code in codes)]
    whole = [rule for rule in walked if all(code.is_whole for code in rules[rule])]
    if options.missing:
        print("not walked: " + " ".join(sorted(set(rules) - set(walked))))
    print(f"played {played} worlds: {len(walked)} of {len(rules)} rules walked, {len(whole)} whole in every branch")
    return 0


if __name__ == "__main__":
    sys.exit(main())
