"""COMPOSE-8. `deploy`, and the older keys that say the same: replicas, resources, placement, updates, restarts."""

import re
from typing import Final

from metanode.docklock.compose.fields import agreed, fields, items
from metanode.docklock.compose.findings import ComposeAdvice, ComposeRefusal, Notes, quoted
from metanode.docklock.compose.keys import (
    DEPLOY,
    DEPLOY_REFUSED,
    LIMITS,
    PLACEMENT,
    RESERVATIONS,
    RESERVATIONS_REFUSED,
    RESTART_POLICY,
    UPDATE,
)
from metanode.docklock.compose.model import Deploy, Resources
from metanode.docklock.compose.nodes import Spot
from metanode.docklock.compose.scalars import decimal, period_ms, size_kib, text_of, whole, word_of
from metanode.records.demand import (
    CPU_MILLICORES_MAX,
    LISTED_MAX,
    MEMORY_KIB_MAX,
    Constraint,
    Spread,
    check_label,
)
from metanode.records.workload import (
    BASIS_POINTS,
    ON_FAILURE,
    ORDERS,
    PERIOD_MS_MAX,
    PIDS_MAX,
    REPLICAS_MAX,
    Restart,
    Update,
)

MEMORY_KIB_LEAST: Final = 4_096
"""Least memory: every engine refuses less, for not even a shell starts."""
PIDS_LIMIT_MAX: Final = PIDS_MAX
"""Most processes: the agreed maximum of a specification."""
MONITOR_MS: Final = 5_000
"""How long a new replica is watched where nothing is said, as in Docker."""
RESTART_DELAY_MS: Final = 100
"""First delay before a restart where nothing is said, as in Docker; it doubles."""
WINDOW_MS: Final = 600_000
"""In which time restarts are counted where a most is said and no window."""

ARCHITECTURE_NAMES: Final = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
"""Names of machine types, Docker's and those of `uname -m`."""
_CONSTRAINT: Final = re.compile(r"\s*([A-Za-z0-9_./-]{1,100})\s*(==|!=)\s*(\S{1,100})\s*", re.ASCII)
_RESTART: Final = re.compile(r"(no|always|unless-stopped|on-failure)(?::([0-9]{1,4}))?", re.ASCII)
_LABELS: Final = "node.labels."


class _Placement:
    """What constraints and preferences come to."""

    def __init__(self) -> None:
        self.constraints: dict[tuple[str, str], Constraint] = {}
        self.spread: dict[str, Spread] = {}
        self.architecture = ""
        self.node_max = 0


def _resources(keys: dict[str, Spot], at: Spot | None, notes: Notes) -> Resources:
    """Limits and reservations; what is given twice must be the same."""
    parts = {} if at is None else fields(at, notes, ("limits", "reservations"))
    limits = fields(parts["limits"], notes, LIMITS) if "limits" in parts else {}
    reserved = (
        fields(parts["reservations"], notes, RESERVATIONS, RESERVATIONS_REFUSED) if "reservations" in parts else {}
    )

    def cores(one: Spot) -> int:
        return decimal(one, notes, 1_000, 1, CPU_MILLICORES_MAX)

    def memory(one: Spot) -> int:
        return size_kib(one, notes, MEMORY_KIB_LEAST, MEMORY_KIB_MAX)

    def twice(one: Spot | None, other: Spot | None, values: tuple[int | None, int | None]) -> int | None:
        if one is not None and other is not None and values[0] != values[1]:
            fix = f"take {one.path.rpartition('.')[2]} out"
            one.say(notes, ComposeRefusal.CONTRADICTION, f"another value than {other.path}", "the same", fix)
        return values[0] if values[0] is not None else values[1]

    def both(old: str, new: str) -> int | None:
        read = memory if new == "memory" else cores
        one, other = keys.get(old), limits.get(new)
        return twice(one, other, (read(one) if one else None, read(other) if other else None))

    def pids() -> int | None:
        one, other = keys.get("pids_limit"), limits.get("pids")
        values = tuple(whole(spot, notes, 1, PIDS_LIMIT_MAX) if spot else None for spot in (one, other))
        return twice(one, other, (values[0], values[1]))

    limit_cpu, limit_memory = both("cpus", "cpus"), both("mem_limit", "memory")
    old, new = keys.get("mem_reservation"), reserved.get("memory")
    less_memory = twice(old, new, (memory(old) if old else None, memory(new) if new else None))
    less_cpu = cores(reserved["cpus"]) if "cpus" in reserved else None
    for spot, less, limit in ((reserved.get("cpus"), less_cpu, limit_cpu), (new or old, less_memory, limit_memory)):
        if spot is not None and less is not None and limit is not None and less > limit:
            spot.say(
                notes, ComposeRefusal.CONTRADICTION, "more is reserved than the limit allows", "", "raise the limit"
            )
        elif spot is not None and less is not None and limit is not None and less < limit:
            says = "less is reserved than the limit allows: the limit is reserved"
            spot.say(notes, ComposeAdvice.RESERVED_AS_LIMITED, says, "", "take the reservation out, or lower the limit")
    return Resources(
        cpu_millicores=less_cpu if limit_cpu is None else limit_cpu,
        memory_kib=less_memory if limit_memory is None else limit_memory,
        pids_max=pids(),
    )


def _constrain(spot: Spot, notes: Notes, placement: _Placement) -> None:
    text = text_of(spot, notes, "node.platform.os == linux")
    found = _CONSTRAINT.fullmatch(text)
    if found is None:
        allowed = "node.labels.NAME == VALUE, node.labels.NAME != VALUE, node.platform.arch == ARCHITECTURE"
        fix = "write ==, with one value" if "=" in text else ""
        spot.say(notes, ComposeRefusal.BAD_FORM, quoted(text), allowed, fix)
        return
    what, operator, value = found.groups()
    if what.startswith(_LABELS):
        label = what.removeprefix(_LABELS)
        add_constraint(spot, notes, placement.constraints, Constraint(label=label, operator=operator, values=(value,)))
    elif what == "node.platform.arch" and operator == "==" and value in ARCHITECTURE_NAMES:
        placement.architecture = ARCHITECTURE_NAMES[value]
    elif (what, operator, value) != ("node.platform.os", "==", "linux"):
        allowed = "labels of nodes and their architecture (x86_64, aarch64)"
        fix = "give the nodes a label and name it: node.labels.NAME == VALUE"
        spot.say(notes, ComposeRefusal.UNSUPPORTED_VALUE, quoted(text), allowed, fix)


def add_constraint(spot: Spot, notes: Notes, known: dict[tuple[str, str], Constraint], one: Constraint) -> None:
    """A constraint more; of each label and operator there is one."""
    ok = agreed(spot, notes, check_label, "the label of a constraint", one.label)
    for value in one.values:
        ok = agreed(spot, notes, check_label, "a constraint's value", value) and ok
    key = (one.label, one.operator)
    if ok and key in known and known[key] != one:
        fix = "put the values into one: x-metanode.constraints with `in` or `not-in`"
        spot.say(notes, ComposeRefusal.CONTRADICTION, f"{one.label} {one.operator} a second time", "once", fix)
    elif ok:
        known[key] = one


def _placement(at: Spot | None, notes: Notes) -> _Placement:
    made = _Placement()
    keys = {} if at is None else fields(at, notes, PLACEMENT)
    for spot in items(keys["constraints"], notes, LISTED_MAX) if "constraints" in keys else []:
        _constrain(spot, notes, made)
    for spot in items(keys["preferences"], notes, LISTED_MAX) if "preferences" in keys else []:
        before = notes.errors
        spread = fields(spot, notes, ("spread",)).get("spread")
        if spread is None:
            if notes.errors == before:
                spot.say(notes, ComposeRefusal.MISSING_KEY, "no spread", "spread: node.labels.NAME")
            continue
        text = text_of(spread, notes)
        label = text.removeprefix(_LABELS)
        if label == text:
            spread.say(notes, ComposeRefusal.BAD_FORM, quoted(text), "node.labels.NAME", f"write {_LABELS}{label[:60]}")
        elif agreed(spread, notes, check_label, "a label", label):
            made.spread[label] = Spread(label=label, skew_max=0)
    if "max_replicas_per_node" in keys:
        made.node_max = whole(keys["max_replicas_per_node"], notes, 0, 1_000)
    return made


def _update(at: Spot | None, notes: Notes, replicas: int) -> tuple[Update, dict[str, Spot]]:
    keys = {} if at is None else fields(at, notes, UPDATE)
    parallelism = whole(keys["parallelism"], notes, 0, REPLICAS_MAX) if "parallelism" in keys else 1
    delay = period_ms(keys["delay"], notes, 0, PERIOD_MS_MAX) if "delay" in keys else 0
    monitor = period_ms(keys["monitor"], notes, 0, PERIOD_MS_MAX) if "monitor" in keys else MONITOR_MS
    ratio = (
        decimal(keys["max_failure_ratio"], notes, BASIS_POINTS, 0, BASIS_POINTS) if "max_failure_ratio" in keys else 0
    )
    return Update(
        parallelism=parallelism or replicas,
        order=word_of(keys["order"], notes, ORDERS, "stop-first") if "order" in keys else "stop-first",
        delay_ms=delay,
        monitor_ms=monitor,
        failures_max_bp=ratio,
        on_failure=word_of(keys["failure_action"], notes, ON_FAILURE, "pause") if "failure_action" in keys else "pause",
    ), keys


def _rollback(at: Spot, notes: Notes, update: Update, replicas: int) -> None:
    """COMPOSE-8. A rollback goes as the update does, so that this can only say the same; what fails in it pauses."""
    back, keys = _update(at, notes, replicas)
    same = {
        "parallelism": back.parallelism == update.parallelism,
        "delay": back.delay_ms == update.delay_ms,
        "monitor": back.monitor_ms == update.monitor_ms,
        "order": back.order == update.order,
        "max_failure_ratio": back.failures_max_bp == update.failures_max_bp,
        "failure_action": back.on_failure == "pause",
    }
    for key, spot in keys.items():
        if not same[key]:
            allowed = "pause" if key == "failure_action" else "the value of update_config: a rollback is an update"
            spot.say(notes, ComposeRefusal.UNSUPPORTED_VALUE, f"another {key}", allowed, f"take {key} out")


def _restart(old: Spot | None, new: Spot | None, notes: Notes) -> Restart | None:
    if old is not None and new is not None:
        fix = "take restart out"
        old.say(notes, ComposeRefusal.CONTRADICTION, "restart beside deploy.restart_policy", "one of the two", fix)
    if new is not None:
        keys = fields(new, notes, RESTART_POLICY)
        words = {"none": "no", "on-failure": "on-failure", "any": "always"}
        word = word_of(keys["condition"], notes, tuple(words), "any") if "condition" in keys else "any"
        attempts = whole(keys["max_attempts"], notes, 0, 1_000) if "max_attempts" in keys else 0
        delay = period_ms(keys["delay"], notes, 0, PERIOD_MS_MAX) if "delay" in keys else RESTART_DELAY_MS
        window = (
            period_ms(keys["window"], notes, 0, PERIOD_MS_MAX) if "window" in keys else WINDOW_MS if attempts else 0
        )
        return Restart(condition=words[word], attempts_max=attempts, delay_ms=delay, window_ms=window)
    if old is None:
        return None
    text = text_of(old, notes, "no")
    found = _RESTART.fullmatch(text)
    if found is None or (found.group(2) and (found.group(1) != "on-failure" or not 1 <= int(found.group(2)) <= 1_000)):
        allowed = "no, always, unless-stopped, on-failure, on-failure:N with 1 … 1000"
        old.say(notes, ComposeRefusal.BAD_CHOICE, quoted(text), allowed, "")
        return None
    condition = {"unless-stopped": "always"}.get(found.group(1), found.group(1))
    attempts = int(found.group(2) or 0)
    window = WINDOW_MS if attempts else 0
    return Restart(condition=condition, attempts_max=attempts, delay_ms=RESTART_DELAY_MS, window_ms=window)


def _platform(at: Spot, notes: Notes) -> str:
    text = text_of(at, notes, "linux/amd64")
    system, _, machine = text.partition("/")
    if system != "linux" or machine not in ("amd64", "arm64"):
        at.say(notes, ComposeRefusal.UNSUPPORTED_VALUE, quoted(text), "linux/amd64, linux/arm64", "")
    return ARCHITECTURE_NAMES.get(machine, "")


def _replicas(old: Spot | None, new: Spot | None, notes: Notes) -> int:
    counts = [whole(spot, notes, 1, REPLICAS_MAX) for spot in (new, old) if spot is not None]
    if len(counts) == 2 and counts[0] != counts[1]:
        assert old is not None
        fix = "take scale out"
        old.say(notes, ComposeRefusal.CONTRADICTION, "another number than deploy.replicas", str(counts[0]), fix)
    return counts[0] if counts else 1


def deploy(service: dict[str, Spot], notes: Notes) -> Deploy:
    """COMPOSE-8. Of the keys of a service, those about where, how many and how they are renewed."""
    keys = fields(service["deploy"], notes, DEPLOY, DEPLOY_REFUSED) if "deploy" in service else {}
    mode = "replicated"
    if "mode" in keys:
        words = ("replicated", "replicated-job", "global", "global-job")
        mode = word_of(keys["mode"], notes, words, mode)
        if mode.startswith("global"):
            reason = "replicated, replicated-job: the number of replicas is agreed, that of nodes changes"
            fix = "write `replicas: N` and `placement: {max_replicas_per_node: 1}`"
            keys["mode"].say(notes, ComposeRefusal.UNSUPPORTED_VALUE, quoted(mode), reason, fix)
    replicas = _replicas(service.get("scale"), keys.get("replicas"), notes)
    placement = _placement(keys.get("placement"), notes)
    if "platform" in service:
        machine = _platform(service["platform"], notes)
        if placement.architecture not in ("", machine):
            service["platform"].say(
                notes, ComposeRefusal.CONTRADICTION, "another architecture than the constraint", "", ""
            )
        placement.architecture = machine
    update, _ = _update(keys.get("update_config"), notes, replicas)
    if "rollback_config" in keys:
        _rollback(keys["rollback_config"], notes, update, replicas)
    return Deploy(
        replicas=replicas,
        is_job=mode == "replicated-job",
        resources=_resources(service, keys.get("resources"), notes),
        constraints=tuple(placement.constraints.values()),
        architecture=placement.architecture,
        spread=tuple(placement.spread.values()),
        node_max=placement.node_max,
        update=update,
        restart=_restart(service.get("restart"), keys.get("restart_policy"), notes),
    )
