"""Why a replica stands where it does, or nowhere: everything that was looked at, as a value that can be checked."""

from collections import Counter

from msgspec.structs import replace

from metanode.docklock.scheduler.answers import Placed, Unplaced
from metanode.docklock.scheduler.filters import FILTERS, Question
from metanode.docklock.scheduler.fleet import Fleet, Place
from metanode.docklock.scheduler.plain import place_plainly
from metanode.docklock.scheduler.scores import SCORES, weight
from metanode.docklock.scheduler.telling import TELL, cut
from metanode.docklock.scheduler.values import Inputs, Newcomer, inputs_digest, tie_digest
from metanode.records.placement import EXPLAINED_MAX, Explanation, NodeExplained, Reason, Scored, Verdict


def inputs_of(fleet: Fleet, newcomer: Newcomer, seed: bytes) -> Inputs:
    """PLACE-6. Everything a placement is computed from, in its one form."""
    image = newcomer.replica.demand.image
    return Inputs(
        nodes=tuple(replace(place.view, volumes=tuple(sorted(place.volumes))) for place in fleet.places),
        standing=tuple(
            (place.view.name, replica)
            for place in fleet.places
            for replica in sorted(place.standing.values(), key=lambda one: one.name)
        ),
        weights=fleet.weights,
        image=fleet.image_rule(image) if image else "",
        newcomer=newcomer,
        seed=seed,
    )


def why(fleet: Fleet, newcomer: Newcomer, seed: bytes) -> Explanation:
    """PLACE-37. What every filter and score says, of every node, by the plain definition."""
    return why_of(inputs_of(fleet, newcomer, seed))


def why_of(inputs: Inputs) -> Explanation:
    """PLACE-37. The same, by who has nothing but the inputs."""
    fleet = Fleet(inputs.nodes, inputs.standing, inputs.weights, lambda _image: inputs.image)
    newcomer, seed = inputs.newcomer, inputs.seed
    question = Question(fleet, newcomer)
    shown = [(place, _node(question, place, seed)) for place in fleet.places]
    first = Counter(next((one.rule for one in node.verdicts if not one.passes), 0) for _, node in shown)
    shown.sort(key=lambda one: _nearness(question, seed, one[0], one[1]))
    match place_plainly(fleet, newcomer, seed):
        case Placed(node=chosen):
            pass
        case Unplaced():
            chosen = ""
    return Explanation(
        workload=newcomer.replica.workload,
        index=newcomer.replica.index,
        attempt=newcomer.replica.attempt,
        spec=newcomer.spec,
        seed=seed,
        weights=fleet.weights,
        inputs=inputs_digest(inputs),
        chosen=chosen,
        reasons=tuple(Reason(rule=rule, nodes=nodes) for rule, nodes in sorted(first.items()) if rule),
        nodes=tuple(node for _, node in shown[:EXPLAINED_MAX]),
        left_out=max(0, len(shown) - EXPLAINED_MAX),
    )


def _nearness(question: Question, seed: bytes, place: Place, node: NodeExplained) -> tuple[int, int, bytes, bytes]:
    against = sum(not one.passes for one in node.verdicts)
    identity = place.view.identity
    tie = node.tie or tie_digest(seed, question.newcomer.spec, question.replica.index, identity)
    return against, -node.total, tie, identity


def _node(question: Question, place: Place, seed: bytes) -> NodeExplained:
    verdicts = []
    for rule, passes in FILTERS.items():
        passed = bool(passes(question, [place]))
        asked, has, change = TELL[rule](question, place)
        verdicts.append(
            Verdict(rule=rule, passes=passed, asked=cut(asked), has=cut(has), change="" if passed else cut(change))
        )
    if not all(one.passes for one in verdicts):
        return NodeExplained(node=place.view.name, verdicts=tuple(verdicts), scores=(), total=0, tie=b"")
    scores = tuple(
        Scored(rule=rule, points=points(question, place), weight=weight(question.fleet.weights, name))
        for rule, (name, points) in SCORES.items()
    )
    return NodeExplained(
        node=place.view.name,
        verdicts=tuple(verdicts),
        scores=scores,
        total=sum(one.points * one.weight for one in scores),
        tie=tie_digest(seed, question.newcomer.spec, question.replica.index, place.view.identity),
    )
