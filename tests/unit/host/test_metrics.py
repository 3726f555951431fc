import re
from pathlib import Path

import metanode.node
from metanode.host.logs import NOTE_LEVELS
from metanode.host.metrics import FOLDS, KINDS_MAX, Metrics, resident_bytes
from metanode.node.effects import Note


def values(metrics):
    lines = metrics.render().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#") and "_created" not in line)
    return {name: float(value) for name, value in pairs}


def test_a_final_block_moves_height_counters_and_histograms():
    metrics = Metrics("1.2")
    for height in (1, 2):
        metrics.note(Note("final", {"height": height, "round": 0, "transactions": 7, "bytes": 90, "age_ms": 120}))
    found = values(metrics)
    assert found["metanode_height"] == 2
    assert found["metanode_transactions_total"] == 14
    assert found["metanode_block_bytes_total"] == 180
    assert found["metanode_final_seconds_sum"] == 0.24
    assert found['metanode_final_seconds_bucket{le="0.1"}'] == 0
    assert found['metanode_final_seconds_bucket{le="0.25"}'] == 2
    assert found['metanode_notes_total{kind="final"}'] == 2
    assert found['metanode_info{version="1.2"}'] == 1


def test_refusals_are_counted_by_their_code():
    metrics = Metrics("1")
    for _ in range(3):
        metrics.note(Note("blame", {"peer": "x", "reason": "codec.malformed"}))
    assert values(metrics)['metanode_blamed_total{kind="codec.malformed"}'] == 3


def test_strangers_cannot_grow_the_labels_without_end():
    metrics = Metrics("1")
    for number in range(KINDS_MAX + 50):
        metrics.note(Note(f"kind-{number}", {}))
    found = values(metrics)
    assert sum(name.startswith("metanode_notes_total") for name in found) == KINDS_MAX + 1
    assert found['metanode_notes_total{kind="other"}'] == 50


def test_what_the_host_measures():
    metrics = Metrics("1")
    metrics.journalled(0.002)
    metrics.checkpointed(0.02)
    metrics.signed(0.001)
    metrics.verified(64)
    metrics.store({"disk_bytes": 5})
    metrics.host({"free_bytes": 9})
    found = values(metrics)
    assert found["metanode_journal_seconds_count"] == 1
    assert found["metanode_checkpoint_seconds_sum"] == 0.02
    assert found["metanode_sign_seconds_count"] == 1
    assert found["metanode_signatures_checked_total"] == 64
    assert found['metanode_store{kind="disk_bytes"}'] == 5
    assert found['metanode_host{kind="free_bytes"}'] == 9


def test_every_fold_has_metrics_that_are_rendered():
    text = Metrics("1").render().decode()
    for fold in FOLDS.values():
        for name in (*fold.gauges.values(), *fold.counters.values(), *fold.histograms.values(), *fold.labels.values()):
            assert f"# TYPE {name}" in text


def test_the_tables_know_only_notes_that_the_node_writes():
    source = Path(metanode.node.__file__).parent
    written = {
        kind
        for path in source.rglob("*.py")
        for kind in re.findall(r'note\(\s*"(\w+)"', path.read_text(encoding="utf-8"))
    }
    assert sorted({*FOLDS, *NOTE_LEVELS} - written) == []


def test_two_nodes_in_one_process_do_not_share_numbers():
    one, two = Metrics("1"), Metrics("1")
    one.note(Note("final", {"height": 9}))
    assert values(two)["metanode_height"] == 0


def test_a_process_knows_how_much_memory_it_has():
    assert 10 << 20 < resident_bytes() < 4 << 30


def test_a_note_with_a_count_moves_its_label_by_it():
    metrics = Metrics("1")
    metrics.note(Note("refused", {"reason": "pool.wrong-chain", "count": 3}))
    metrics.note(Note("blame", {"reason": "codec.not-canonical"}))
    metrics.note(Note("evidence", {"crime": "ConflictingVotes"}))
    found = values(metrics)
    assert found['metanode_transactions_refused_total{kind="pool.wrong-chain"}'] == 3
    assert found['metanode_blamed_total{kind="codec.not-canonical"}'] == 1
    assert found['metanode_evidence_total{kind="ConflictingVotes"}'] == 1
