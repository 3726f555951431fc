"""What each filter says of a node, in words: what was asked, what it has, the smallest change that would let it."""

from collections.abc import Callable
from typing import Final, TypeAlias

from metanode.docklock.scheduler.filters import Question, holds, refuses, untolerated
from metanode.docklock.scheduler.fleet import CLASS_LABEL, REGION_LABEL, Place
from metanode.docklock.scheduler.values import Replica
from metanode.records.demand import DATA_CLASSES, Constraint, Taint, Toleration

TEXT_MAX: Final = 200
"""Longest text of an explanation, in characters; a longer one is cut."""

Told: TypeAlias = tuple[str, str, str]
"""What was asked, what the node has, what would change it (said where the node does not pass)."""


def taint_text(taint: Taint | Toleration) -> str:
    """`key=value:effect`, with `*` for any."""
    value = f"={taint.value}" if taint.value else ""
    return f"{taint.key or '*'}{value}:{taint.effect or '*'}"


def _listed(words: tuple[str, ...] | list[str], none: str) -> str:
    return ", ".join(words) or none


def _named(replica: Replica) -> str:
    return f"{replica.workload}.{replica.index}.{replica.attempt}"


def _takes_replicas(_question: Question, place: Place) -> Told:
    state = place.view.barred
    return (
        "a node that takes replicas",
        state or "it does",
        f"{place.view.name} must take replicas again: it is {state}",
    )


def _taints(question: Question, place: Place) -> Told:
    asked = _listed([taint_text(one) for one in question.demand.tolerations], "nothing")
    has = _listed([taint_text(one) for one in place.repelling], "no taints")
    lacking = [taint_text(one) for one in untolerated(question.demand, place.repelling)]
    return f"tolerates {asked}", has, f"tolerate {_listed(lacking, '')}"


def _architecture(question: Question, place: Place) -> Told:
    has = place.view.architecture
    return question.demand.architecture or "any", has, f"ask for {has}, or for any architecture"


def _engine(question: Question, place: Place) -> Told:
    has = _listed(place.view.engines, "none")
    change = f"allow the engine {place.view.engines[0]}" if place.view.engines else "the node needs an engine"
    return _listed(question.demand.engines, "any"), has, change


def _constraint_text(constraint: Constraint) -> str:
    return " ".join((constraint.label, constraint.operator, ",".join(constraint.values))).strip()


def _fix(constraint: Constraint, node: str) -> str:
    match constraint.operator:
        case "==" | "in":
            return f"label {node} {constraint.label}={constraint.values[0]}"
        case "exists":
            return f"label {node} with {constraint.label}"
        case _:
            return f"take {constraint.label} off {node}"


def _constraints(question: Question, place: Place) -> Told:
    asked = question.demand.constraints
    has = [f"{one.label}={place.labels[one.label]}" for one in asked if one.label in place.labels]
    fixes = [_fix(one, place.view.name) for one in asked if not holds(one, [place])]
    return (
        _listed([_constraint_text(one) for one in asked], "nothing"),
        _listed(has, "no such labels"),
        "; ".join(fixes),
    )


def _region(question: Question, place: Place) -> Told:
    has = place.labels.get(REGION_LABEL)
    change = f"allow the region {has}" if has else f"label {place.view.name} {REGION_LABEL}=…"
    return _listed(question.demand.regions, "any"), has or "no region", change


def _class(question: Question, place: Place) -> Told:
    asked, has = question.demand.data_class, DATA_CLASSES[place.data_class]
    return asked, f"up to {has}", f"label {place.view.name} {CLASS_LABEL}={asked}, or lower the class to {has}"


def _image(question: Question, _place: Place) -> Told:
    image = question.demand.image.hex()[:16]
    return f"image {image}" if image else "no image", question.image or "allowed", question.image


def _volumes(question: Question, place: Place) -> Told:
    missing = [volume for volume in question.existing if volume not in place.volumes]
    has = [volume for volume in question.existing if volume in place.volumes]
    new = [volume for volume in question.demand.volumes if volume not in question.existing]
    where = [
        f"{volume} is on {next(one.view.name for one in question.fleet.places if volume in one.volumes)}"
        for volume in missing[:3]
    ]
    told = f"{_listed(has, 'none')}; new: {_listed(new, 'none')}"
    return _listed(question.demand.volumes, "none"), told, f"{'; '.join(where)}: use it there, or remove it"


def _room(question: Question, place: Place) -> Told:
    demand = question.demand
    cpu, memory = place.cpu - place.cpu_used, place.memory - place.memory_used
    short = []
    if demand.cpu_millicores > cpu:
        short.append(f"{demand.cpu_millicores - cpu} millicores")
    if demand.memory_kib > memory:
        short.append(f"{demand.memory_kib - memory} KiB")
    asked = f"{demand.cpu_millicores} millicores, {demand.memory_kib} KiB"
    has = f"free: {cpu} millicores, {memory} KiB"
    if len(place.standing) >= place.standing_max:
        return asked, f"{has}; {len(place.standing)} replicas", "free a place: it has as many replicas as it may"
    return asked, has, f"ask for {' and '.join(short)} less, or free as much"


def _ports(question: Question, place: Place) -> Told:
    wanted = question.demand.ports
    taken = [
        f"{port} by {_named(one)}"
        for port in wanted
        for one in sorted(place.standing.values(), key=lambda one: one.name)
        if port in one.demand.ports
    ]
    return _listed([str(port) for port in wanted], "none"), f"taken: {_listed(taken, 'none')}", "ask for other ports"


def _apart(question: Question, place: Place) -> Told:
    wanted = question.demand.anti_affinity
    disliked = sorted(one.name for one in question.others(place) if refuses(question.replica, one))
    named = [f"{workload}.{index}.{attempt}" for workload, index, attempt in disliked]
    asked = f"not beside {_listed(wanted, 'whoever refuses it')}"
    return asked, _listed(named, "nobody of these"), f"move {_listed(named, '')}, or let them stand together"


def _node_max(question: Question, place: Place) -> Told:
    most, has = question.demand.node_max, question.siblings(place)
    return f"at most {most}" if most else "any number", f"{has} stand there", f"raise node_max to {has + 1}"


def _skew(question: Question, place: Place) -> Told:
    asked, has, changes = [], [], []
    for spread, domain in zip(question.demand.spread, question.domains(), strict=True):
        if not spread.skew_max:
            continue
        asked.append(f"{spread.label}: at most {spread.skew_max} apart")
        value = place.labels.get(spread.label)
        if value is None:
            has.append(f"no label {spread.label}")
            changes.append(f"label {place.view.name} with {spread.label}")
            continue
        apart = domain.counts[value] + 1 - domain.least
        has.append(f"{spread.label}={value}: {domain.counts[value]}, fewest {domain.least}")
        if apart > spread.skew_max:
            changes.append(f"raise skew_max of {spread.label} to {apart}")
    return _listed(asked, "nothing"), _listed(has, "–"), "; ".join(changes)


def _refused(question: Question, place: Place) -> Told:
    refused = place.view.name in question.newcomer.refused
    return "a node that did not refuse it", "refused it" if refused else "did not", f"let {place.view.name} run it"


TELL: Final[dict[int, Callable[[Question, Place], Told]]] = {
    10: _takes_replicas,
    11: _taints,
    12: _architecture,
    13: _engine,
    14: _constraints,
    15: _region,
    16: _class,
    17: _image,
    18: _volumes,
    19: _room,
    20: _ports,
    21: _apart,
    22: _node_max,
    23: _skew,
    24: _refused,
}
"""By the number of the filter's rule."""


def cut(text: str) -> str:
    """Not longer than it may be."""
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"
