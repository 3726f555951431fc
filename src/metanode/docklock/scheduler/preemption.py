"""Making room: which standing replicas of lower priority leave for a newcomer that found no node."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, TypeAlias

from metanode.docklock.scheduler.answers import Preempted
from metanode.docklock.scheduler.filters import MOVING, Places, Question, refuses, static_pass
from metanode.docklock.scheduler.fleet import Fleet, Place
from metanode.docklock.scheduler.values import Name, Newcomer, Replica

EXACT_MAX: Final = 12
"""PLACE-33. Most possible victims of a node among which every set is weighed: 4,096 sets."""
VICTIMS_MAX: Final = 32
"""PLACE-34. Most victims of one newcomer."""
UNMOVED: Final = (22, 23, 24)
"""Filters that victims do not change: they are of other workloads."""

Measure: TypeAlias = tuple[int, int, tuple[Name, ...]]
"""PLACE-33. Sets are compared by the sum of their priorities, their number, their names."""


@dataclass(frozen=True, slots=True)
class Room:
    """What a node lacks once those are gone that must go, `forced`; `free` could go too, by name."""

    place: Place
    forced: tuple[Replica, ...]
    free: tuple[Replica, ...]
    cpu: int
    memory: int
    number: int

    def least(self) -> tuple[int, int]:
        """No set has a smaller sum and number: as if the cheapest were as large as the largest."""
        ahead = Ahead(self.free)
        more = ahead.fewest(self.cpu, self.memory, self.number)
        return _sum(self.forced) + ahead.cheapest[more], len(self.forced) + more

    def lacks(self, gone: Iterable[Replica]) -> bool:
        """Whether it is still too little when those are gone as well."""
        cpu, memory, number = self.cpu, self.memory, self.number
        for one in gone:
            cpu -= one.demand.cpu_millicores
            memory -= one.demand.memory_kib
            number -= 1
        return cpu > 0 or memory > 0 or number > 0


def _sum(replicas: Iterable[Replica]) -> int:
    return sum(one.demand.priority for one in replicas)


class Ahead:
    """What some possible victims could give at most: all together, each, and by number at least at which cost."""

    __slots__ = ("_largest", "_widest", "cheapest", "cpu", "memory")

    def __init__(self, free: Sequence[Replica]) -> None:
        self.cpu: Final = sum(one.demand.cpu_millicores for one in free)
        self.memory: Final = sum(one.demand.memory_kib for one in free)
        self._largest: Final = max((one.demand.cpu_millicores for one in free), default=1)
        self._widest: Final = max((one.demand.memory_kib for one in free), default=1)
        self.cheapest: Final = (0, *accumulate(sorted(one.demand.priority for one in free)))

    def fewest(self, cpu: int, memory: int, number: int) -> int:
        """At least so many must go to free this much, which all of them do."""
        return max(0, number, -(-cpu // self._largest), -(-memory // self._widest))


def measure(victims: Iterable[Replica]) -> Measure:
    """PLACE-33. What makes one set of victims less than another."""
    named = sorted(one.name for one in victims)
    return _sum(victims), len(named), tuple(named)


def preempt(fleet: Fleet, newcomer: Newcomer) -> Preempted | None:
    """PLACE-32. For a newcomer that found no node: the node where least is lost, and who must leave it. `None` where
    nothing that may leave would help."""
    question = Question(fleet, newcomer)
    if not question.demand.preempts:
        return None
    places: Places = static_pass(question, fleet.places)
    for rule in UNMOVED:
        places = MOVING[rule](question, places)
    rooms = [room for place in places if (room := _room(question, place)) is not None]
    bounded = sorted(((room.least(), room.place.order, room) for room in rooms), key=lambda one: one[:2])
    best: tuple[Measure, Place, tuple[Replica, ...]] | None = None
    for least, _, room in bounded:
        if best is not None and least > best[0][:2]:
            break
        victims = _victims(room, best[0][:2] if best is not None else None)
        if victims is not None and len(victims) <= VICTIMS_MAX:
            found = measure(victims)
            if best is None or found < best[0]:
                best = found, room.place, victims
    if best is None:
        return None
    return Preempted(best[1].view.name, tuple(sorted(best[2], key=lambda one: one.name)))


def _room(question: Question, place: Place) -> Room | None:
    """PLACE-32. What would have to go from a node; `None` where that is not enough, or not possible."""
    demand = question.demand
    cpu = place.cpu_used + demand.cpu_millicores - place.cpu
    memory = place.memory_used + demand.memory_kib - place.memory
    number = len(place.standing) + 1 - place.standing_max
    others = {one.name for one in question.others(place)} if place.refuses or demand.anti_affinity else ()
    forced, free = [], []
    for one in place.standing.values():
        must = any(port in one.demand.ports for port in demand.ports) or (
            one.name in others and refuses(question.replica, one)
        )
        may = one.demand.priority < demand.priority and one.workload != question.replica.workload and not one.protected
        if must and not may:
            return None
        if must:
            forced.append(one)
            cpu -= one.demand.cpu_millicores
            memory -= one.demand.memory_kib
            number -= 1
        elif may:
            free.append(one)
    free.sort(key=lambda one: one.name)
    room = Room(place, tuple(forced), tuple(free), cpu, memory, number)
    return None if room.lacks(free) or len(forced) > VICTIMS_MAX else room


def _victims(room: Room, worst: tuple[int, int] | None) -> tuple[Replica, ...] | None:
    """PLACE-33. The victims of one node; `None` where they would be more than `worst`, or where nobody need go."""
    if not room.lacks(()):
        return room.forced
    if len(room.free) > EXACT_MAX:
        return room.forced + _in_order(room)
    found = _Search(room, worst).best
    return room.forced + found if found is not None else None


def _in_order(room: Room) -> tuple[Replica, ...]:
    """PLACE-33. By ascending priority, the largest first, until it is enough; who is not needed stays."""
    gone: list[Replica] = []
    for one in sorted(
        room.free,
        key=lambda one: (one.demand.priority, -one.demand.cpu_millicores, -one.demand.memory_kib, one.name),
    ):
        if not room.lacks(gone):
            break
        gone.append(one)
    for one in tuple(reversed(gone)):
        kept = [other for other in gone if other is not one]
        if not room.lacks(kept):
            gone = kept
    return tuple(gone)


class _Search:
    """Of all sets of possible victims the least, by branch and bound: sets with an earlier name first, so that the
    first of equal sum and number is the least by names."""

    def __init__(self, room: Room, worst: tuple[int, int] | None) -> None:
        self._free: Final = room.free
        self._ahead: Final = [Ahead(room.free[at:]) for at in range(len(room.free) + 1)]
        self._already: Final = _sum(room.forced), len(room.forced)
        self._worst: Final = worst
        self._cost: tuple[int, int] | None = None
        self.best: tuple[Replica, ...] | None = None
        self._look(0, (), (0, 0), (room.cpu, room.memory, room.number))

    def _look(self, at: int, gone: tuple[Replica, ...], cost: tuple[int, int], lack: tuple[int, int, int]) -> None:
        """From the possible victim `at` on: `lack` is still missing."""
        cpu, memory, number = lack
        if cpu <= 0 and memory <= 0 and number <= 0:
            if self._is_better(*cost):
                self._cost, self.best = cost, gone
            return
        ahead = self._ahead[at]
        if cpu > ahead.cpu or memory > ahead.memory or at + number > len(self._free):
            return
        more = ahead.fewest(cpu, memory, number)
        if not self._is_better(cost[0] + ahead.cheapest[more], cost[1] + more):
            return
        one = self._free[at].demand
        taken = cost[0] + one.priority, cost[1] + 1
        left = cpu - one.cpu_millicores, memory - one.memory_kib, number - 1
        self._look(at + 1, (*gone, self._free[at]), taken, left)
        self._look(at + 1, gone, cost, lack)

    def _is_better(self, priorities: int, number: int) -> bool:
        """Whether a set that costs at least this could be the one that is looked for."""
        cost = priorities, number
        if self._cost is not None:
            return cost < self._cost
        whole = priorities + self._already[0], number + self._already[1]
        return self._worst is None or whole <= self._worst
