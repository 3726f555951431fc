"""What goes wrong, when, and to whom: a value drawn from a seed, written in one line, and read back from it.

    v1 n=4 ms=18000 pause:2@1500-6200 kill:1,3@7000-8000 clock:0@300-9000+8000 loss:0@9500-12000+20

Times are milliseconds since the load began. What the number behind the times means, if there is one, is the kind's
matter. The text and the value are the same thing: whoever wants to shrink a schedule deletes words of it.
"""

import re
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from random import Random
from typing import Final

VERSION: Final = "v1"


class Kind(StrEnum):
    """The kinds of faults; `value` below is the number that belongs to it."""

    KILL = "kill"
    """SIGKILL at the beginning, started again at the end."""
    PAUSE = "pause"
    """SIGSTOP at the beginning, SIGCONT at the end."""
    CLOCK = "clock"
    """The wall clock steps by `value` ms, also backwards, and back at the end. The monotonic clock stays true."""
    FULL = "full"
    """Not one byte is free where the data directory is; at the end there is room again."""
    CUT = "cut"
    """Nothing passes between the targets and the others: with several targets, a partition."""
    DEAF = "deaf"
    """Nothing of the others reaches the targets; what these say is heard."""
    MUTE = "mute"
    """Nothing the targets say reaches the others; these are heard."""
    LOSS = "loss"
    """`value` per cent of the packets from and to the targets are lost."""
    DELAY = "delay"
    """Packets from and to the targets take up to `value` ms, each its own time: they overtake each other."""


class Organ(StrEnum):
    """What of a node a fault is about; two faults never meet in one organ of one node."""

    PROCESS = "process"
    WALL_CLOCK = "wall clock"
    DISK = "disk"
    NETWORK = "network"


ORGANS: Final = {
    Kind.KILL: Organ.PROCESS,
    Kind.PAUSE: Organ.PROCESS,
    Kind.CLOCK: Organ.WALL_CLOCK,
    Kind.FULL: Organ.DISK,
    **dict.fromkeys((Kind.CUT, Kind.DEAF, Kind.MUTE, Kind.LOSS, Kind.DELAY), Organ.NETWORK),
}
RECOVERY_MS: Final = 5_000
"""So long after its end a fault still counts: the node starts, catches up, finds its peers again. After a step of the
clock as long as the step besides: a node's time stands still until the wall clock has caught up."""
COUNTS: Final = (4, 4, 4, 5, 7)
SPAN_MS: Final = (1_000, 6_000)
"""How long a fault lasts."""
STEP_MS: Final = (500, 9_000)
"""How far a clock steps, either way; honest clocks stand at most 5 s apart (`drift_ms`)."""
EVERY_MS: Final = 2_000
"""One fault for so much of the schedule, on average."""
SHARE: Final = 3
"""So many faults hit the same node where few may be faulty at once: the others want their turn, too."""
TRIES: Final = 60
"""How often a place is looked for where a fault does not break the schedule's bound."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong."""

    kind: Kind
    targets: tuple[int, ...]
    begin_ms: int
    end_ms: int
    value: int = 0

    @property
    def organ(self) -> Organ:
        """What it is about."""
        return ORGANS[self.kind]

    @property
    def recovered_ms(self) -> int:
        """From when on nothing of it is left."""
        return self.end_ms + RECOVERY_MS + (abs(self.value) if self.kind is Kind.CLOCK else 0)

    def meets(self, other: "Fault") -> bool:
        """Whether both are at work in the same organ of the same node at the same time; links belong to both ends."""
        if self.end_ms <= other.begin_ms or other.end_ms <= self.begin_ms or self.organ is not other.organ:
            return False
        return self.organ is Organ.NETWORK or bool(set(self.targets) & set(other.targets))

    def encoded(self) -> str:
        """As a word of the line."""
        value = f"{self.value:+d}" if self.value else ""
        return f"{self.kind}:{','.join(map(str, self.targets))}@{self.begin_ms}-{self.end_ms}{value}"


@dataclass(frozen=True)
class Schedule:
    """All that goes wrong in one run of `count` validators, in the order of its beginning."""

    count: int
    span_ms: int
    faults: tuple[Fault, ...]

    @property
    def bearable(self) -> int:
        """f: how many may be faulty while progress is demanded."""
        return (self.count - 1) // 3

    def faulty(self, now_ms: int) -> frozenset[int]:
        """Whom something ails at this moment, or has ailed until just now."""
        return frozenset(
            target for fault in self.faults if fault.begin_ms <= now_ms < fault.recovered_ms for target in fault.targets
        )

    def demanded(self) -> list[tuple[int, int]]:
        """The times, from and to, in which never more than f are faulty: there progress may be demanded."""
        edges = {0, self.span_ms, *(f.begin_ms for f in self.faults), *(f.recovered_ms for f in self.faults)}
        marks = sorted(mark for mark in edges if 0 <= mark <= self.span_ms)
        found: list[tuple[int, int]] = []
        for begin, end in pairwise(marks):
            if len(self.faulty(begin)) > self.bearable:
                continue
            if found and found[-1][1] == begin:
                found[-1] = found[-1][0], end
            else:
                found.append((begin, end))
        return found

    def encoded(self) -> str:
        """The line that `decode` reads."""
        return " ".join([VERSION, f"n={self.count}", f"ms={self.span_ms}", *(fault.encoded() for fault in self.faults)])

    def table(self) -> str:
        """For people."""
        lines = [f"{'begin s':>8}{'end s':>8}  {'fault':<7}{'value':>7}  validators"]
        for fault in self.faults:
            targets = ", ".join(map(str, fault.targets))
            value = f"{fault.value:+d}" if fault.value else ""
            lines.append(
                f"{fault.begin_ms / 1000:>8.1f}{fault.end_ms / 1000:>8.1f}  {fault.kind:<7}{value:>7}  {targets}"
            )
        windows = ", ".join(f"{begin / 1000:.1f}–{end / 1000:.1f} s" for begin, end in self.demanded()) or "never"
        lines.append(f"{self.count} validators, {self.span_ms / 1000:g} s, at most {self.bearable} faulty: {windows}")
        return "\n".join(lines)


_WORD: Final = re.compile(r"([a-z]+):(\d+(?:,\d+)*)@(\d+)-(\d+)([+-]\d+)?")


def decode(line: str) -> Schedule:
    """The schedule of a line. Raises `ValueError` where it is none."""
    version, count, span, *words = line.split()
    if version != VERSION or not count.startswith("n=") or not span.startswith("ms="):
        raise ValueError(f"not a schedule: {line!r}")
    faults = []
    for word in words:
        found = _WORD.fullmatch(word)
        if found is None:
            raise ValueError(f"not a fault: {word!r}")
        kind, targets, begin, end, value = found.groups()
        chosen = tuple(int(target) for target in targets.split(","))
        faults.append(Fault(Kind(kind), chosen, int(begin), int(end), int(value or 0)))
    schedule = Schedule(int(count[2:]), int(span[3:]), tuple(faults))
    for fault in faults:
        if not 0 <= fault.begin_ms < fault.end_ms or max(fault.targets) >= schedule.count:
            raise ValueError(f"not within this run: {fault.encoded()}")
    return schedule


def draw(seed: int, count: int = 0, span_ms: int = 0) -> Schedule:
    """The schedule of a seed: always the same one. `count`, `span_ms` 0: drawn, too. Two of three schedules never have
    more than f faulty at once, so that progress is demanded all the time; the others may hurt everybody."""
    chance = Random(seed)
    drawn = chance.choice(COUNTS), chance.choice((15_000, 25_000, 40_000))
    count, span_ms = count or drawn[0], span_ms or drawn[1]
    is_bearable = chance.random() < 2 / 3
    faults: list[Fault] = []
    for _ in range(max(2, span_ms // EVERY_MS)):
        for _ in range(TRIES):
            fault = _draw_fault(chance, count, span_ms, is_bearable=is_bearable)
            if any(fault.meets(other) for other in faults):
                continue
            if is_bearable and not _is_borne(Schedule(count, span_ms, (*faults, fault))):
                continue
            faults.append(fault)
            break
    return Schedule(count, span_ms, tuple(sorted(faults, key=lambda fault: (fault.begin_ms, fault.encoded()))))


def _is_borne(schedule: Schedule) -> bool:
    """Progress may be demanded all the time, and no node has more than its share."""
    hits = Counter(target for fault in schedule.faults for target in fault.targets)
    return schedule.demanded() == [(0, schedule.span_ms)] and max(hits.values()) <= SHARE


def _draw_fault(chance: Random, count: int, span_ms: int, *, is_bearable: bool) -> Fault:
    kind = chance.choice(list(Kind))
    begin = chance.randrange(0, span_ms - SPAN_MS[0])
    end = min(span_ms, begin + chance.randrange(*SPAN_MS))
    if kind is Kind.KILL:
        end = min(end, begin + chance.choice((50, 500, 3_000)))
    limit = (count - 1) // 3 if is_bearable else chance.choice((1, count // 2, count))
    targets = tuple(sorted(chance.sample(range(count), chance.randint(1, limit))))
    match kind:
        case Kind.CLOCK:
            value = chance.choice((1, -1)) * chance.randrange(*STEP_MS)
        case Kind.LOSS:
            value = chance.choice((5, 20, 50))
        case Kind.DELAY:
            value = chance.choice((20, 100, 300))
        case _:
            value = 0
    return Fault(kind, targets, begin, end, value)
