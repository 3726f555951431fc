"""Placement by its definition: every node through every filter, every score, the greatest total, the smallest digest.

The index of `candidates.py` gives the same, faster; explanations and tests use this one.
"""

from collections import Counter

from metanode.docklock.scheduler.answers import Placed, Unplaced
from metanode.docklock.scheduler.filters import FILTERS, Question
from metanode.docklock.scheduler.fleet import Fleet, Place
from metanode.docklock.scheduler.scores import total
from metanode.docklock.scheduler.values import Newcomer, tie_digest
from metanode.records.placement import Reason


def turned_away(question: Question, place: Place) -> int:
    """The number of the first filter that a place does not pass; 0 where it passes all."""
    return next((rule for rule, passes in FILTERS.items() if not passes(question, [place])), 0)


def tie_of(question: Question, place: Place, seed: bytes) -> bytes:
    """PLACE-5. The digest that decides among equals."""
    return tie_digest(seed, question.newcomer.spec, question.replica.index, place.view.identity)


def place_plainly(fleet: Fleet, newcomer: Newcomer, seed: bytes) -> Placed | Unplaced:
    """PLACE-4. The node for a newcomer, or why there is none."""
    question = Question(fleet, newcomer)
    first = [(place, turned_away(question, place)) for place in fleet.places]
    ranked = [(-total(question, place), tie_of(question, place, seed), place) for place, rule in first if not rule]
    if ranked:
        score, _, best = min(ranked, key=lambda one: one[:2])
        return Placed(best.view.name, -score)
    return Unplaced(tuple(Reason(rule=r, nodes=n) for r, n in sorted(Counter(rule for _, rule in first).items())))
