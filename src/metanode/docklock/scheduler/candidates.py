"""An index over the nodes for one workload's demand: which pass, by score. Replicas of one workload share it.

What a node is decides once whether it is in the index. How good it is depends on what stands on it alone, but for the
spread and for what is of one replica only: so nodes are kept in groups of equal spread, by their score, and after a
change only the node that changed is looked at again. Where a newcomer is a special case for a node (it stood there, it
replaces what stands there, the node refused it) that node is judged by the plain definition.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Final

from metanode.docklock.scheduler.answers import Placed, Unplaced
from metanode.docklock.scheduler.filters import MOVING, STATIC, Question, untolerated
from metanode.docklock.scheduler.fleet import Fleet, Place
from metanode.docklock.scheduler.scores import SCORES, SPREAD_RULE, WHOLE, weight
from metanode.docklock.scheduler.values import Newcomer
from metanode.records.demand import Demand
from metanode.records.placement import Reason

SKEW_RULE: Final = 23
"""The filter that depends on other nodes."""


@dataclass(slots=True)
class Group:
    """Places that agree in the labels the workload is spread over, by score. `values`: of these labels, in order;
    `None` where they lack it. `tops`: the scores that occur, and perhaps some that no longer do, greatest first."""

    values: tuple[str | None, ...]
    members: dict[int, dict[int, None]] = field(default_factory=dict)
    tops: list[int] = field(default_factory=list)
    size: int = 0

    def fill(self, orders: Sequence[int], outcomes: Sequence[int]) -> dict[int, int]:
        """Places by their outcomes, into an empty group; gives how many each rule turns away."""
        away: dict[int, int] = {}
        members = self.members
        for order, outcome in zip(orders, outcomes, strict=True):
            if outcome < 0:
                away[-outcome] = away.get(-outcome, 0) + 1
            elif outcome in members:
                members[outcome][order] = None
            else:
                members[outcome] = {order: None}
        self.tops = [-score for score in members]
        heapify(self.tops)
        self.size = len(orders) - sum(away.values())
        return away

    def put(self, order: int, score: int) -> None:
        """A place that passes."""
        self.size += 1
        found = self.members.get(score)
        if found is None:
            self.members[score] = {order: None}
            heappush(self.tops, -score)
        else:
            found[order] = None

    def drop(self, order: int, score: int) -> None:
        """A place that no longer does, or is worth something else."""
        self.size -= 1
        del self.members[score][order]

    def top(self) -> int:
        """The greatest score; -1 where nobody passes."""
        while self.tops:
            score = -self.tops[0]
            if self.members[score]:
                return score
            heappop(self.tops)
            del self.members[score]
        return -1


class Candidates:
    """The index. `_outcomes`: by place its score without the spread, or less than 0 the rule that turns it away."""

    def __init__(self, question: Question, passing: Sequence[Place], away: dict[int, int]) -> None:
        fleet, demand = question.fleet, question.demand
        self._fleet: Final[Fleet] = fleet
        self._demand: Final[Demand] = demand
        self._workload: Final = question.replica.workload
        self._binpack: Final = (demand.strategy or fleet.weights.strategy) == "binpack"
        self._labels: Final = tuple(one.label for one in demand.spread)
        self._skews: Final = tuple(one.skew_max for one in demand.spread)
        self._spread_weight: Final = weight(fleet.weights, SCORES[SPREAD_RULE][0])
        self._away: Final = dict(away)
        self._groups: Final[list[Group]] = []
        self._group_of: Final[dict[int, Group]] = {}
        self._outcomes: Final[dict[int, int]] = {}
        self._siblings: Final[dict[int, int]] = {}
        self._counts: Final[tuple[dict[str, int], ...]] = tuple({} for _ in self._labels)
        self._open: Final[tuple[dict[str, None], ...]] = tuple({} for _ in self._labels)
        self._seen = len(fleet.changes)
        self._enter(passing)
        if self._labels:
            for order in fleet.counts(self._workload):
                self._recount(fleet.places[order])

    def _enter(self, passing: Sequence[Place]) -> None:
        """Every place at once: what `_put` does one by one."""
        grouped: dict[tuple[str | None, ...], list[Place]] = {(): list(passing)}
        if self._labels:
            grouped = {}
            for place in passing:
                found = place.labels.get
                grouped.setdefault(tuple([found(label) for label in self._labels]), []).append(place)
        for values, places in grouped.items():
            group = Group(values)
            self._groups.append(group)
            for value, is_open in zip(values, self._open, strict=True):
                if value is not None:
                    is_open[value] = None
            orders = [place.order for place in places]
            outcomes = self._judge(places)
            self._group_of.update(dict.fromkeys(orders, group))
            self._outcomes.update(zip(orders, outcomes, strict=True))
            for rule, times in group.fill(orders, outcomes).items():
                self._away[rule] = self._away.get(rule, 0) + times

    def choose(self, question: Question, seed: bytes) -> Placed | Unplaced:
        """PLACE-4. The node for a newcomer with this demand, or why there is none."""
        self._catch_up()
        replaced = self._fleet.replaced(question.replica)
        special = self._special(question.newcomer, replaced)
        lifted = {place.order: self._lift(place.order) for place in special}
        self._shift(replaced, -1)
        least = tuple(
            min((counts.get(value, 0) for value in is_open), default=0)
            for counts, is_open in zip(self._counts, self._open, strict=True)
        )
        best, tied, skewed = self._best_groups(least)
        reasons = {**self._away, SKEW_RULE: skewed}
        for place in special:
            rule, score = self._judge_alone(question, place, least)
            if rule:
                reasons[rule] = reasons.get(rule, 0) + 1
            elif score > best:
                best, tied = score, [place]
            elif score == best:
                tied.append(place)
        self._shift(replaced, 1)
        for order, outcome in lifted.items():
            self._put(order, outcome)
        if not tied:
            return Unplaced(tuple(Reason(rule=r, nodes=n) for r, n in sorted(reasons.items()) if n))
        return Placed(question.first_of(tied, seed).view.name, best)

    def _best_groups(self, least: Sequence[int]) -> tuple[int, list[Place], int]:
        """The greatest total of the index, the places that have it, and how many the skew turns away."""
        best, skewed = -1, 0
        found: list[dict[int, None]] = []
        for group in self._groups:
            if not group.size:
                continue
            points = self._spread_points(group, least)
            if points < 0:
                skewed += group.size
                continue
            top = group.top()
            if top + points > best:
                best, found = top + points, [group.members[top]]
            elif top + points == best:
                found.append(group.members[top])
        return best, [self._fleet.places[order] for members in found for order in members], skewed

    def _spread_points(self, group: Group, least: Sequence[int]) -> int:
        """PLACE-23, PLACE-28. The weighted score for the spread; less than 0 where one more would be too uneven."""
        points = 0
        for at, value in enumerate(group.values):
            skew_max = self._skews[at]
            if value is not None:
                above = self._counts[at].get(value, 0) - least[at]
                if skew_max and above >= skew_max:
                    return -1
                points += WHOLE // (1 + above)
            elif skew_max:
                return -1
        return points // len(group.values) * self._spread_weight if points else 0

    def _special(self, newcomer: Newcomer, replaced: Iterable[Place]) -> list[Place]:
        """The places in the index for which this newcomer is a special case, each once."""
        named = [
            self._fleet.by_name[name] for name in (newcomer.stood, *newcomer.refused) if name in self._fleet.by_name
        ]
        orders = dict.fromkeys(place.order for place in (*named, *replaced))
        return [self._fleet.places[order] for order in orders if order in self._outcomes]

    def _judge_alone(self, question: Question, place: Place, least: Sequence[int]) -> tuple[int, int]:
        """By the plain definition: the rule that turns a place away, or 0 and its total."""
        points = self._spread_points(self._group_of[place.order], least)
        for rule, passes in MOVING.items():
            if points < 0 if rule == SKEW_RULE else not passes(question, [place]):
                return rule, 0
        weights = self._fleet.weights
        for rule, (name, score) in SCORES.items():
            if rule != SPREAD_RULE:
                points += weight(weights, name) * score(question, place)
        return 0, points

    def _catch_up(self) -> None:
        """Look again at every place that changed."""
        changes = self._fleet.changes
        for order in dict.fromkeys(changes[self._seen :]):
            place = self._fleet.places[order]
            if order in self._outcomes:
                self._lift(order)
                self._put(order, self._judge((place,))[0])
            self._recount(place)
        self._seen = len(changes)

    def _recount(self, place: Place) -> None:
        """How many of the workload stand at this place's values."""
        now = place.workloads.get(self._workload, 0)
        more = now - self._siblings.get(place.order, 0)
        self._siblings[place.order] = now
        self._shift((place,), more)

    def _shift(self, places: Iterable[Place], more: int) -> None:
        for place in places:
            for label, counts in zip(self._labels, self._counts, strict=True):
                value = place.labels.get(label)
                if value is not None:
                    counts[value] = counts.get(value, 0) + more

    def _put(self, order: int, outcome: int) -> None:
        self._outcomes[order] = outcome
        if outcome < 0:
            self._away[-outcome] = self._away.get(-outcome, 0) + 1
        else:
            self._group_of[order].put(order, outcome)

    def _lift(self, order: int) -> int:
        """Take a place out of its group, or of those turned away; gives its outcome."""
        outcome = self._outcomes[order]
        if outcome < 0:
            self._away[-outcome] -= 1
        else:
            self._group_of[order].drop(order, outcome)
        return outcome

    def _judge(self, places: Iterable[Place]) -> list[int]:
        """PLACE-19 to 22, 25 to 27, 29 and 31 in one go, for a newcomer that is no special case: by place its score,
        or less than 0 the rule that turns it away."""
        demand, weights, workload = self._demand, self._fleet.weights, self._workload
        cpu_asked, memory_asked, node_max, image = (
            demand.cpu_millicores, demand.memory_kib, demand.node_max, demand.image,
        )  # fmt: skip
        ports, apart, wanted = demand.ports, demand.anti_affinity, demand.affinity
        fill, even, beside, fetched, clear = (
            weights.fill, weights.balance, weights.affinity, weights.image, weights.avoid,
        )  # fmt: skip
        binpack = self._binpack
        found: list[int] = []
        for place in places:
            cpu = place.cpu_used + cpu_asked
            memory = place.memory_used + memory_asked
            if cpu > place.cpu or memory > place.memory or len(place.standing) >= place.standing_max:
                found.append(-19)
                continue
            workloads = place.workloads
            siblings = workloads.get(workload, 0)
            if ports and not place.ports.keys().isdisjoint(ports):
                found.append(-20)
            elif (apart and not workloads.keys().isdisjoint(apart)) or workload in place.refuses:
                found.append(-21)
            elif node_max and siblings >= node_max:
                found.append(-22)
            else:
                cpu = cpu * WHOLE // place.cpu
                memory = memory * WHOLE // place.memory
                used = (cpu + memory) // 2
                points = fill * (used if binpack else (WHOLE - used + WHOLE // (1 + siblings)) // 2)
                points += even * (WHOLE - abs(cpu - memory))
                if wanted and not workloads.keys().isdisjoint(wanted):
                    points += beside * (sum(name in workloads for name in wanted) * WHOLE // len(wanted))
                if image in place.images:
                    points += fetched * WHOLE
                points += clear * (WHOLE // (1 + len(untolerated(demand, place.avoided))) if place.avoided else WHOLE)
                found.append(points)
        return found


def static_candidates(question: Question, places: Sequence[Place]) -> tuple[Sequence[Place], dict[int, int]]:
    """The places that pass filters 10 to 18, and how many each of these turned away first."""
    away: dict[int, int] = {}
    for rule, passes in STATIC.items():
        left = passes(question, places)
        away[rule] = len(places) - len(left)
        places = left
    return places, away
