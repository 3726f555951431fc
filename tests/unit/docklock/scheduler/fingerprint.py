"""Prints one digest of many placements, preemptions and explanations: it must be the same in every process."""

from hashlib import sha256

from tests.unit.docklock.scheduler.samples import world

from metanode.docklock.scheduler import Placed, Scheduler, preempt, why
from metanode.records.placement import explanation_digest

WORLDS = 60


def fingerprint() -> str:
    told = sha256()
    for number in range(WORLDS):
        found = world(number, most_nodes=9, most_standing=20, newcomers=8)
        scheduler = Scheduler(found.fleet(), found.seed)
        for who in found.newcomers:
            answer = scheduler.place(who)
            told.update(repr((who.replica.name, explanation_digest(why(scheduler.fleet, who, found.seed)))).encode())
            if isinstance(answer, Placed):
                told.update(repr((answer.node, answer.total)).encode())
                scheduler.fleet.take(answer.node, who.replica)
            else:
                told.update(repr([(reason.rule, reason.nodes) for reason in answer.reasons]).encode())
                made = preempt(scheduler.fleet, who)
                told.update(repr(made and (made.node, [victim.name for victim in made.victims])).encode())
    return told.hexdigest()


if __name__ == "__main__":
    print(fingerprint())
