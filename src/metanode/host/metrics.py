"""Metrics: a fold over notes and effects, for Prometheus. Nothing here is read by the node."""

import resource
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from metanode.node.effects import Note

KINDS_MAX: Final = 128
"""Different labels of one metric; more are counted as `other`, so that nobody can fill the memory of a scraper."""
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_COUNTS: Final = (0, 1, 10, 50, 100, 250, 500, 1_000, 2_000, 4_000)


@dataclass(frozen=True, slots=True)
class Fold:
    """What one kind of note does: fields that set gauges, fields that add to counters, fields that are observed (in
    milliseconds if the field ends in `_ms`), and the field whose value is the label of a counter, which grows by the
    note's `count`, else by one."""

    gauges: Mapping[str, str] = field(default_factory=dict)
    counters: Mapping[str, str] = field(default_factory=dict)
    histograms: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


FOLDS: Final[Mapping[str, Fold]] = {
    "final": Fold(
        gauges={"height": "metanode_height", "round": "metanode_round"},
        counters={"transactions": "metanode_transactions", "bytes": "metanode_block_bytes"},
        histograms={"age_ms": "metanode_final_seconds", "transactions": "metanode_block_transactions"},
    ),
    "behind": Fold(gauges={"height": "metanode_sync_target"}),
    "peer_up": Fold(gauges={"peers": "metanode_peers"}),
    "peer_down": Fold(gauges={"peers": "metanode_peers"}),
    "evicted": Fold(counters={"count": "metanode_pool_evicted"}),
    "shed": Fold(counters={"count": "metanode_pool_shed"}),
    "dropped": Fold(counters={"count": "metanode_letters_dropped"}),
    "unknown_letter": Fold(counters={"count": "metanode_letters_unknown"}),
    "blame": Fold(labels={"reason": "metanode_blamed"}),
    "block_refused": Fold(labels={"reason": "metanode_blocks_refused"}),
    "guard_refused": Fold(labels={"reason": "metanode_signatures_refused"}),
    "refused": Fold(labels={"reason": "metanode_transactions_refused"}),
    "evidence": Fold(labels={"crime": "metanode_evidence"}),
}
"""The whole table: which note moves which metric."""

_MEANINGS: Final[Mapping[str, str]] = {
    "metanode_height": "Height of the last final block.",
    "metanode_round": "Round in which the last block was decided.",
    "metanode_transactions": "Transactions in final blocks.",
    "metanode_block_bytes": "Bytes of transactions in final blocks.",
    "metanode_final_seconds": "From the timestamp of a block to its finality here.",
    "metanode_block_transactions": "Transactions a block.",
    "metanode_sync_target": "Highest height of others when this node last found itself behind.",
    "metanode_peers": "Connected peers.",
    "metanode_pool_evicted": "Transactions that left the pool without a block.",
    "metanode_pool_shed": "Transactions of peers not taken for want of room.",
    "metanode_letters_dropped": "Messages to slow peers that were dropped.",
    "metanode_letters_unknown": "Messages of peers of a kind that this version does not know.",
    "metanode_blamed": "Messages of peers that broke a rule, by refusal.",
    "metanode_blocks_refused": "Proposed blocks judged unfit, by refusal.",
    "metanode_signatures_refused": "Votes that the sign guard refused, by reason.",
    "metanode_transactions_refused": "Transactions of clients that the pool turned away, by refusal.",
    "metanode_evidence": "Proofs of guilt found, by kind.",
}


class Metrics:
    """All metrics of one node, in a registry of its own."""

    def __init__(self, version: str) -> None:
        self._registry = CollectorRegistry()
        self._labels: dict[str, dict[str, None]] = {}
        self._gauges: dict[str, Gauge] = {}
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        self._labelled: dict[str, Counter] = {}
        for fold in FOLDS.values():
            self._declare(fold)
        self._notes = self._labelled_counter("metanode_notes", "Notes of the node, by kind.")
        self._bugs = self._labelled_counter("metanode_bugs", "Bugs that cost one answer each, by method.")
        self._journal = self._histogram(
            "metanode_journal_seconds", "Appending to the journal, with its sync.", _SECONDS
        )
        self._checkpoint = self._histogram("metanode_checkpoint_seconds", "Syncing store and block log.", _SECONDS)
        self._signed = self._histogram("metanode_sign_seconds", "Signing a vote, guard included.", _SECONDS)
        self._verified = Counter("metanode_signatures_checked", "Ed25519 signatures checked.", registry=self._registry)
        self._store = Gauge("metanode_store", "What the store uses, by kind.", ["kind"], registry=self._registry)
        self._host = Gauge("metanode_host", "Numbers of the host, by kind.", ["kind"], registry=self._registry)
        Gauge("metanode_info", "Always 1.", ["version"], registry=self._registry).labels(version).set(1)

    def _declare(self, fold: Fold) -> None:
        for name in fold.gauges.values():
            if name in self._gauges:
                continue
            self._gauges[name] = Gauge(name, _MEANINGS[name], registry=self._registry)
        for name in fold.counters.values():
            self._counters[name] = Counter(name, _MEANINGS[name], registry=self._registry)
        for key, name in fold.histograms.items():
            self._histograms[name] = self._histogram(name, _MEANINGS[name], _SECONDS if _is_ms(key) else _COUNTS)
        for name in fold.labels.values():
            self._labelled[name] = self._labelled_counter(name, _MEANINGS[name])

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, meaning, buckets=buckets, registry=self._registry)

    def _labelled_counter(self, name: str, meaning: str) -> Counter:
        return Counter(name, meaning, ["kind"], registry=self._registry)

    def note(self, note: Note) -> None:
        """Fold one note. Fields of a note that the table does not know are left alone."""
        self._notes.labels(self._label("metanode_notes", note.kind)).inc()
        fold = FOLDS.get(note.kind)
        if fold is None:
            return
        count = note.fields.get("count", 1)
        for key, value in note.fields.items():
            if isinstance(value, str):
                if (name := fold.labels.get(key)) is not None:
                    self._labelled[name].labels(self._label(name, value)).inc(count if isinstance(count, int) else 1)
                continue
            if (name := fold.gauges.get(key)) is not None:
                self._gauges[name].set(value)
            if (name := fold.counters.get(key)) is not None:
                self._counters[name].inc(max(0, value))
            if (name := fold.histograms.get(key)) is not None:
                self._histograms[name].observe(value / 1000 if _is_ms(key) else value)

    def bug(self, method: str) -> None:
        """HTTP-21. A bug cost an answer."""
        self._bugs.labels(self._label("metanode_bugs", method)).inc()

    def journalled(self, seconds: float) -> None:
        """The journal took so long."""
        self._journal.observe(seconds)

    def checkpointed(self, seconds: float) -> None:
        """A checkpoint took so long."""
        self._checkpoint.observe(seconds)

    def signed(self, seconds: float) -> None:
        """A vote was signed in so long."""
        self._signed.observe(seconds)

    def verified(self, count: int) -> None:
        """So many signatures were checked."""
        self._verified.inc(count)

    def store(self, statistics: Mapping[str, int]) -> None:
        """What the store uses (`Store.statistics`)."""
        for kind, value in statistics.items():
            self._store.labels(kind).set(value)

    def host(self, numbers: Mapping[str, int]) -> None:
        """Numbers of the host itself: free bytes, resident bytes, clock, lost log lines and the like."""
        for kind, value in numbers.items():
            self._host.labels(kind).set(value)

    def render(self) -> bytes:
        """Everything in the text format of Prometheus."""
        return generate_latest(self._registry)

    def _label(self, metric: str, value: str) -> str:
        known = self._labels.setdefault(metric, {})
        if value in known:
            return value
        if len(known) >= KINDS_MAX:
            return "other"
        known[value] = None
        return value


def _is_ms(key: str) -> bool:
    return key.endswith("_ms")


def resident_bytes() -> int:
    """Memory of this process that is in RAM now; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * PAGE_BYTES


PAGE_BYTES: Final = resource.getpagesize()
"""What `statm` counts in."""
