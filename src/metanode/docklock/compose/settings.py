"""COMPOSE-10. `x-metanode`: what Compose has no word for, at the top level for all services and in each. Inside it an
unknown key is an error."""

import re
from typing import Final

from metanode.docklock.compose.deploy import add_constraint
from metanode.docklock.compose.fields import agreed, distinct, fields, items, one_or_more, texts
from metanode.docklock.compose.findings import ComposeRefusal, Notes, quoted
from metanode.docklock.compose.keys import JOB, SETTINGS, SETTINGS_TOP, SPREAD, TOLERATION
from metanode.docklock.compose.model import Settings
from metanode.docklock.compose.nodes import Mapping, Spot
from metanode.docklock.compose.repeating import inputs_of, is_repeated, outputs_of
from metanode.docklock.compose.scalars import period_ms, text_of, truth, whole, word_of
from metanode.records.demand import (
    ARCHITECTURES,
    DATA_CLASSES,
    EFFECTS,
    ENGINES,
    LISTED_MAX,
    PORT_MAX,
    PRIORITY_MAX,
    STRATEGIES,
    Constraint,
    Spread,
    Toleration,
    check_label,
    check_name,
)
from metanode.records.determinism import ARCHITECTURE, ENGINE
from metanode.records.workload import BALANCES, DEADLINE_MS_MAX, Job

DATA_CLASS: Final = "internal"
"""The class of data where nothing is said: that of a node that says nothing."""

_DIGEST: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.ASCII)
_DESTINATION: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?|\[[0-9a-f:]{2,39}\]):([0-9]{1,5})", re.ASCII
)
_CONSTRAINT: Final = re.compile(r"([A-Za-z0-9._/-]{1,80})\s+(in|not-in|exists|absent)(?:\s+(\S.{0,2000}))?", re.ASCII)


def _agreement(spot: Spot, notes: Notes) -> bytes:
    text = text_of(spot, notes)
    found = _DIGEST.fullmatch(text)
    if found is None:
        spot.say(notes, ComposeRefusal.BAD_FORM, quoted(text), "sha256: and 64 digits 0-9a-f", "")
        return b""
    return bytes.fromhex(found.group(1))


def _engines(spot: Spot, notes: Notes) -> tuple[str, ...]:
    found = one_or_more(spot, notes, len(ENGINES))
    return distinct([(word_of(one, notes, ENGINES, ENGINES[0]), one) for one in found], notes)


def _regions(spot: Spot, notes: Notes) -> tuple[str, ...]:
    found = [(text_of(one, notes), one) for one in one_or_more(spot, notes, LISTED_MAX)]
    return distinct([(r, at) for r, at in found if agreed(at, notes, check_label, "a region", r)], notes)


def _names(spot: Spot, notes: Notes) -> tuple[str, ...]:
    found = [(text_of(one, notes), one) for one in one_or_more(spot, notes, LISTED_MAX)]
    return distinct([(n, at) for n, at in found if agreed(at, notes, check_name, "a service", n)], notes)


def shared(at: Spot | None, notes: Notes) -> tuple[str, Settings]:
    """The cluster, and the settings of the whole file."""
    keys = {} if at is None else fields(at, notes, SETTINGS_TOP, extensions=False)
    cluster = text_of(keys["cluster"], notes) if "cluster" in keys else ""
    if cluster:
        agreed(keys["cluster"], notes, check_name, "cluster", cluster)
    return cluster, _shared(keys, notes, Settings(b"", DATA_CLASS, (), (), ""))


def _shared(keys: dict[str, Spot], notes: Notes, default: Settings) -> Settings:
    """The settings that can stand in both places."""
    strategies = tuple(one for one in STRATEGIES if one)
    data_class, strategy = default.data_class, default.strategy
    return Settings(
        agreement=_agreement(keys["agreement"], notes) if "agreement" in keys else default.agreement,
        data_class=word_of(keys["data_class"], notes, DATA_CLASSES, data_class) if "data_class" in keys else data_class,
        regions=_regions(keys["regions"], notes) if "regions" in keys else default.regions,
        engines=_engines(keys["engines"], notes) if "engines" in keys else default.engines,
        strategy=word_of(keys["strategy"], notes, strategies, strategy) if "strategy" in keys else strategy,
    )


def _job(spot: Spot, notes: Notes) -> Job:
    keys = fields(spot, notes, JOB, extensions=False)
    retries = whole(keys["retries"], notes, 0, 1_000) if "retries" in keys else 0
    deadline = period_ms(keys["deadline"], notes, 1, DEADLINE_MS_MAX) if "deadline" in keys else 0
    return Job(retries=retries, deadline_ms=deadline)


def _constraints(spot: Spot, notes: Notes) -> tuple[Constraint, ...]:
    known: dict[tuple[str, str], Constraint] = {}
    for text, at in texts(spot, notes, LISTED_MAX):
        found = _CONSTRAINT.fullmatch(text.strip())
        values = tuple(sorted({one.strip() for one in (found.group(3) or "").split(",")} - {""})) if found else ()
        if found is None or bool(values) != (found.group(2) in ("in", "not-in")):
            allowed = "LABEL in A, B; LABEL not-in A, B; LABEL exists; LABEL absent"
            at.say(
                notes, ComposeRefusal.BAD_FORM, quoted(text), allowed, "for == and != use deploy.placement.constraints"
            )
        else:
            one = Constraint(label=found.group(1), operator=found.group(2), values=values)
            add_constraint(at, notes, known, one)
    return tuple(known.values())


def _tolerations(spot: Spot, notes: Notes) -> tuple[Toleration, ...]:
    made: list[Toleration] = []
    for at in items(spot, notes, LISTED_MAX):
        keys = fields(at, notes, TOLERATION, extensions=False)
        words = {key: text_of(keys[key], notes) for key in ("key", "value") if key in keys}
        good = [agreed(keys[key], notes, check_label, f"the {key}", word) for key, word in words.items() if word]
        effect = word_of(keys["effect"], notes, EFFECTS, "") if "effect" in keys else ""
        one = Toleration(key=words.get("key", ""), value=words.get("value", ""), effect=effect)
        if not all(good):
            continue
        if one in made:
            at.say(notes, ComposeRefusal.CONTRADICTION, "the same toleration a second time", "once", "take one out")
        else:
            made.append(one)
    return tuple(made)


def _spread(spot: Spot, notes: Notes) -> tuple[Spread, ...]:
    made: dict[str, Spread] = {}
    listed = [spot] if isinstance(spot.node, Mapping) else items(spot, notes, LISTED_MAX)
    for at in listed:
        keys = fields(at, notes, SPREAD, extensions=False)
        if "label" not in keys:
            at.say(notes, ComposeRefusal.MISSING_KEY, "no label", "a label of nodes", "write `label: zone`")
            continue
        label = text_of(keys["label"], notes)
        skew = whole(keys["skew_max"], notes, 0, 1_000) if "skew_max" in keys else 0
        if agreed(keys["label"], notes, check_label, "a label", label):
            if label in made:
                at.say(notes, ComposeRefusal.CONTRADICTION, f"{quoted(label)} a second time", "once", "take one out")
            made[label] = Spread(label=label, skew_max=skew)
    return tuple(made.values())


def _egress(spot: Spot, notes: Notes) -> tuple[str, ...]:
    found = [(text_of(one, notes), one) for one in one_or_more(spot, notes, LISTED_MAX)]
    for text, at in found:
        match = _DESTINATION.fullmatch(text)
        if match is None or not 1 <= int(match.group(1)) <= PORT_MAX:
            at.say(notes, ComposeRefusal.BAD_FORM, quoted(text), "host:port", "write it like api.example.org:443")
    return distinct(found, notes)


def settings(at: Spot | None, notes: Notes, default: Settings) -> Settings:
    """COMPOSE-10. The settings of a service; those of the file where it says nothing."""
    keys = {} if at is None else fields(at, notes, SETTINGS, extensions=False)
    both = _shared(keys, notes, default)
    engines = both.engines
    machines = tuple(one for one in ARCHITECTURES if one)
    machine = word_of(keys["architecture"], notes, machines, "") if "architecture" in keys else ""
    deterministic = is_repeated(keys, notes, engines, machine)
    return Settings(
        agreement=both.agreement,
        data_class=both.data_class,
        regions=both.regions,
        engines=(ENGINE,) if deterministic else engines,
        strategy=both.strategy,
        priority=whole(keys["priority"], notes, 0, PRIORITY_MAX) if "priority" in keys else 0,
        preempts="preempts" in keys and truth(keys["preempts"], notes),
        deterministic=deterministic,
        job=_job(keys["job"], notes) if "job" in keys else None,
        architecture=ARCHITECTURE if deterministic else machine,
        inputs=inputs_of(keys, notes),
        outputs=outputs_of(keys, notes),
        constraints=_constraints(keys["constraints"], notes) if "constraints" in keys else (),
        tolerations=_tolerations(keys["tolerations"], notes) if "tolerations" in keys else (),
        affinity=_names(keys["affinity"], notes) if "affinity" in keys else (),
        anti_affinity=_names(keys["anti_affinity"], notes) if "anti_affinity" in keys else (),
        spread=_spread(keys["spread"], notes) if "spread" in keys else (),
        egress=_egress(keys["egress"], notes) if "egress" in keys else (),
        balance=word_of(keys["balance"], notes, BALANCES, BALANCES[0]) if "balance" in keys else BALANCES[0],
    )
