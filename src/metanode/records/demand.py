"""What the committee must know of a workload to place it: the part of its specification that goes on chain."""

import re
from itertools import pairwise
from typing import Final

from metanode.primitives.codec import Wire
from metanode.primitives.refusal import Refusal, Rejected

NAME_BYTES_MAX: Final = 32
"""Longest name of a cluster, node, workload, volume or network: names are joined into longer ones (a container's)."""
LABEL_BYTES_MAX: Final = 63
"""Longest key or value of a label, as elsewhere in the field."""
LISTED_MAX: Final = 32
"""Most constraints, tolerations, ports, volumes and names in each list of a demand."""
CPU_MILLICORES_MAX: Final = 1_024_000
"""Most of one replica: a thousand cores."""
MEMORY_KIB_MIN: Final = 1_024
"""Least memory of a replica: nothing runs in less than a mebibyte."""
MEMORY_KIB_MAX: Final = 16 << 30
"""Most memory of a replica: 16 TiB."""
PRIORITY_MAX: Final = 1_000
"""The highest priority; 0 is the lowest."""
PORT_MAX: Final = 65_535
"""The greatest port number."""

_NAME: Final = re.compile(r"[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?", re.ASCII)
_LABEL: Final = re.compile(rf"[A-Za-z0-9](?:[A-Za-z0-9._/-]{{0,{LABEL_BYTES_MAX - 2}}}[A-Za-z0-9])?", re.ASCII)

OPERATORS: Final = ("==", "!=", "in", "not-in", "exists", "absent")
"""How a constraint compares a node's label with its values."""
EFFECTS: Final = ("no-schedule", "no-execute", "avoid")
"""What a taint does to those who do not tolerate it: nothing new comes; what runs leaves too; a worse score."""
STRATEGIES: Final = ("", "binpack", "spread")
"""Fill nodes up, or use them evenly; empty: as the cluster does."""
DATA_CLASSES: Final = ("public", "internal", "confidential", "restricted")
"""BISO data classes, ascending. A node takes data up to the class in its label `data-class` (none: `internal`)."""
ENGINES: Final = ("sandbox", "oci", "docker", "kubernetes")
"""Runtime drivers."""
ARCHITECTURES: Final = ("", "x86_64", "aarch64")
"""Machine types, as `uname -m` says; empty: any."""


class DemandRefusal(Refusal):
    """Why a demand cannot be placed anywhere, ever."""

    BAD_NAME = "demand.bad-name"
    """Not a name: a letter, then letters, digits and hyphens, lower case, at most 32, not ending in a hyphen."""
    BAD_LABEL = "demand.bad-label"
    """Not a key or value of a label: letters, digits and inner `.`, `_`, `/`, `-`, at most 63."""
    OUT_OF_RANGE = "demand.out-of-range"
    """A number outside its range."""
    UNKNOWN_WORD = "demand.unknown-word"
    """A word that is none of those known here."""
    TOO_MANY = "demand.too-many"
    """A list longer than it may be."""
    NOT_ASCENDING = "demand.not-ascending"
    """A list that must be sorted and without repetition is not: there is one form of everything that is signed."""
    BAD_DIGEST = "demand.bad-digest"
    """Not 32 bytes of SHA-256."""


class Constraint(Wire):
    """A node's label `label` must compare by `operator` with `values`: one for `==` and `!=`, several for `in` and
    `not-in`, none for `exists` and `absent`. `!=` and `not-in` hold for a node without the label."""

    label: str
    operator: str
    values: tuple[str, ...]


class Taint(Wire):
    """A reason of a node to keep replicas away, unless they tolerate it."""

    key: str
    value: str
    effect: str


class Toleration(Wire):
    """What a replica puts up with: a taint with this key (empty: any), value (empty: any), effect (empty: any)."""

    key: str
    value: str
    effect: str


class Spread(Wire):
    """Replicas of the workload are to be even over the values of a label: in numbers at most `skew_max` apart
    (0: only preferred)."""

    label: str
    skew_max: int


class Demand(Wire):
    """PLACE-1. What one replica asks of a node. Every list ascending, each element once.

    `image`: SHA-256 of the image's manifest, empty for the node's own read-only /usr. `ports`: of the node.
    `volumes`: named, must be there. `affinity`, `anti_affinity`: workloads of the same cluster to stand beside (a
    better score), not to stand beside (a filter). `node_max`: replicas of it on one node, 0 for any number. `regions`:
    values of the node's label `region`, none for any. `strategy` empty: the cluster's. `preempts`: may push out lower
    ones.
    """

    image: bytes
    cpu_millicores: int
    memory_kib: int
    architecture: str
    engines: tuple[str, ...]
    ports: tuple[int, ...]
    volumes: tuple[str, ...]
    constraints: tuple[Constraint, ...]
    tolerations: tuple[Toleration, ...]
    spread: tuple[Spread, ...]
    affinity: tuple[str, ...]
    anti_affinity: tuple[str, ...]
    node_max: int
    regions: tuple[str, ...]
    data_class: str
    strategy: str
    priority: int
    preempts: bool


def check_name(what: str, name: str) -> None:
    """PLACE-1. A name that can be part of others. Raises `Rejected`."""
    if not _NAME.fullmatch(name):
        raise Rejected(DemandRefusal.BAD_NAME, f"{what} {name[:40]!r}: like web, db-2; at most {NAME_BYTES_MAX}")


def check_label(what: str, word: str) -> None:
    """PLACE-1. A key or value of a label. Raises `Rejected`."""
    if not _LABEL.fullmatch(word):
        raise Rejected(
            DemandRefusal.BAD_LABEL, f"{what} {word[:70]!r}: like zone, eu-west, disk.ssd; at most {LABEL_BYTES_MAX}"
        )


def check_range(what: str, value: int, least: int, most: int) -> None:
    """A number within its range, both ends included. Raises `Rejected`."""
    if not least <= value <= most:
        raise Rejected(DemandRefusal.OUT_OF_RANGE, f"{what} is {value}, must be {least} … {most}")


def check_word(what: str, word: str, known: tuple[str, ...]) -> None:
    """One of the words known. Raises `Rejected`."""
    if word not in known:
        shown = ", ".join(one or "(empty)" for one in known)
        raise Rejected(DemandRefusal.UNKNOWN_WORD, f"{what} is {word[:40]!r}, must be one of: {shown}")


def check_count(what: str, count: int, most: int = LISTED_MAX) -> None:
    """A list that is not too long. Raises `Rejected`."""
    if count > most:
        raise Rejected(DemandRefusal.TOO_MANY, f"{count} {what}, at most {most}")


def check_ascending(what: str, keys: tuple[str, ...] | tuple[int, ...] | tuple[bytes, ...]) -> None:
    """A list that is sorted and holds nothing twice. Raises `Rejected`."""
    if any(not before < after for before, after in pairwise(keys)):  # type: ignore[operator]
        raise Rejected(DemandRefusal.NOT_ASCENDING, f"{what} must be ascending, each once")


def check_digest(what: str, data: bytes) -> None:
    """32 bytes of SHA-256. Raises `Rejected`."""
    if len(data) != 32:
        raise Rejected(DemandRefusal.BAD_DIGEST, f"{what}: {len(data)} bytes, must be 32")


def _check_constraint(constraint: Constraint) -> None:
    check_label("the label of a constraint", constraint.label)
    check_word("the operator of a constraint", constraint.operator, OPERATORS)
    for value in constraint.values:
        check_label("a constraint's value", value)
    check_ascending("a constraint's values", constraint.values)
    least, most = {"==": (1, 1), "!=": (1, 1), "exists": (0, 0), "absent": (0, 0)}.get(
        constraint.operator, (1, LISTED_MAX)
    )
    check_range(
        f"the number of values of {constraint.label!r} {constraint.operator}", len(constraint.values), least, most
    )


def check_taint(taint: Taint) -> None:
    """PLACE-1. Key, value (may be empty) and effect of a taint. Raises `Rejected`."""
    check_label("the key of a taint", taint.key)
    if taint.value:
        check_label("the value of a taint", taint.value)
    check_word("the effect of a taint", taint.effect, EFFECTS)


def _check_lists(demand: Demand) -> None:
    names: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("volumes", demand.volumes),
        ("affinity", demand.affinity),
        ("anti-affinity", demand.anti_affinity),
    )
    for what, listed in names:
        check_count(what, len(listed))
        check_ascending(what, listed)
        for name in listed:
            check_name(what, name)
    check_count("regions", len(demand.regions))
    check_ascending("regions", demand.regions)
    for region in demand.regions:
        check_label("region", region)
    check_count("ports", len(demand.ports))
    check_ascending("ports", demand.ports)
    for port in demand.ports:
        check_range("a port", port, 1, PORT_MAX)
    for engine in demand.engines:
        check_word("an engine", engine, ENGINES)
    check_ascending("engines", demand.engines)


def check_demand(demand: Demand) -> None:
    """PLACE-1. Everything of a demand within its bounds and in its one form. Raises `Rejected`."""
    if demand.image:
        check_digest("the image", demand.image)
    check_range("cpu_millicores", demand.cpu_millicores, 1, CPU_MILLICORES_MAX)
    check_range("memory_kib", demand.memory_kib, MEMORY_KIB_MIN, MEMORY_KIB_MAX)
    check_word("the architecture", demand.architecture, ARCHITECTURES)
    _check_lists(demand)
    check_count("constraints", len(demand.constraints))
    check_ascending("constraints", tuple(f"{one.label} {one.operator}" for one in demand.constraints))
    for constraint in demand.constraints:
        _check_constraint(constraint)
    check_count("tolerations", len(demand.tolerations))
    check_ascending("tolerations", tuple(f"{one.key} {one.value} {one.effect}" for one in demand.tolerations))
    for toleration in demand.tolerations:
        for what, word in (("key", toleration.key), ("value", toleration.value)):
            if word:
                check_label(f"the {what} of a toleration", word)
        check_word("the effect of a toleration", toleration.effect, ("", *EFFECTS))
    check_count("spreads", len(demand.spread))
    check_ascending("spreads", tuple(one.label for one in demand.spread))
    for spread in demand.spread:
        check_label("the label of a spread", spread.label)
        check_range("skew_max", spread.skew_max, 0, 1_000)
    check_range("node_max", demand.node_max, 0, 1_000)
    check_word("the data class", demand.data_class, DATA_CLASSES)
    check_word("the strategy", demand.strategy, STRATEGIES)
    check_range("the priority", demand.priority, 0, PRIORITY_MAX)
