import json
import logging
import re

import pytest

from metanode.host.fault import Fault, FaultReason
from metanode.host.log_folds import KIND_LINES_MAX, KINDS_MAX, LINES_MAX, PERIOD_S
from metanode.host.logs import Log
from metanode.host.settings import LogFormat, LogLevel, LogSettings
from metanode.node.effects import Note


class Clock:
    """Time by hand."""

    now = 0.0

    def __call__(self):
        return self.now


def lines(tmp_path, settings, write):
    log = Log(settings, "north", tmp_path)
    write(log)
    log.close()
    return (tmp_path / settings.file).read_text(encoding="utf-8").splitlines()


JSON = LogSettings(level=LogLevel.DEBUG, format=LogFormat.JSON, file="logs/node.log")
HUMAN = LogSettings(level=LogLevel.INFO, file="node.log")


def test_a_json_line_is_one_object_with_the_fields_of_the_note(tmp_path):
    (line,) = lines(tmp_path, JSON, lambda log: log.note(Note("blame", {"peer": "ab", "height": 3, "at": "x"})))
    found = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found.pop("at"))
    assert found == {
        "level": "warning", "node": "north", "what": "blame", "peer": "ab", "height": 3, "field_at": "x",
    }  # fmt: skip


def test_a_human_line_escapes_what_strangers_wrote(tmp_path):
    (line,) = lines(
        tmp_path, HUMAN, lambda log: log.note(Note("started", {"version": 1, "text": "a\nERROR b", "empty": ""}))
    )
    assert line[24:] == " INFO     north started version=1 text='a\\nERROR b' empty=''"


def test_levels_leave_out_what_is_below_them(tmp_path):
    def write(log):
        log.note(Note("final", {"height": 1}))
        log.write(LogLevel.DEBUG, "chatter")
        log.write(LogLevel.ERROR, "serious", code=7)

    assert [line[25:] for line in lines(tmp_path, HUMAN, write)] == ["ERROR    north serious code=7"]


def test_secrets_are_not_written_even_by_mistake(tmp_path):
    text = "\n".join(lines(tmp_path, JSON, lambda log: log.write(LogLevel.INFO, "x", key_password="hunter2", seed=7)))
    assert "hunter2" not in text
    assert json.loads(text)["key_password"] == json.loads(text)["seed"] == "(hidden)"


def test_long_fields_are_cut(tmp_path):
    (line,) = lines(tmp_path, JSON, lambda log: log.note(Note("x", {"long": "a" * 10_000})))
    assert json.loads(line)["long"] == "a" * 2_000


def test_a_crash_says_where(tmp_path):
    def write(log):
        try:
            raise AssertionError("a bug")  # noqa: TRY301
        except AssertionError as error:
            log.crash(error)

    text = "\n".join(lines(tmp_path, JSON, write))
    assert json.loads(text)["what"] == "crashed: a bug"
    assert "test_logs.py" in json.loads(text)["trace"]


def test_files_are_rotated_and_bounded(tmp_path):
    settings = LogSettings(file="node.log", file_bytes_max=64 << 10, files_max=2)
    clock = Clock()
    log = Log(settings, "north", tmp_path, clock)
    for number in range(4_000):
        clock.now += PERIOD_S / KIND_LINES_MAX
        log.write(LogLevel.INFO, "a line of some length", number=number)
        log.turn()
    log.close()
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 3
    assert max(sizes) <= 64 << 10


def test_a_line_that_cannot_be_written_is_counted_and_nothing_else(tmp_path):
    log = Log(HUMAN, "north", tmp_path)
    stream = log._handler.stream
    assert stream is not None
    stream.close()
    log.write(LogLevel.INFO, "lost")
    assert log.lost_lines == 1
    log._handler.stream = None
    log.close()


def test_without_a_file_lines_go_to_standard_error(tmp_path, capsys):
    log = Log(LogSettings(), "north", tmp_path)
    log.write(LogLevel.INFO, "hello")
    log.close()
    assert capsys.readouterr().err.endswith("INFO     north hello\n")


def test_a_log_that_cannot_be_opened_is_a_fault(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Fault) as caught:
        Log(LogSettings(file="file/node.log"), "north", tmp_path)
    assert caught.value.reason in (FaultReason.DISK_MISSING, FaultReason.DISK_FAILED)


def blame(reason, detail=""):
    return Note("blame", {"peer": "ab", "reason": reason, "detail": detail})


def test_a_flood_of_one_kind_is_some_lines_and_then_a_count(tmp_path):
    """Found by review: one line for each of a liar's messages filled the disk at the liar's pace."""
    clock = Clock()
    log = Log(HUMAN, "north", tmp_path, clock)
    for number in range(10_000):
        log.note(blame("bpci.replayed", f"number {number}"))
    log.note(Note("shed", {"count": 5}))
    for _ in range(KIND_LINES_MAX + 2):
        log.note(Note("dropped", {"count": 5}))
    log.turn()
    clock.now = PERIOD_S
    log.turn()
    log.note(blame("bpci.replayed", "again"))
    log.close()
    found = [line[25:] for line in (tmp_path / "node.log").read_text().splitlines()]
    first = [f"WARNING  north blame peer=ab reason=bpci.replayed detail='number {n}'" for n in range(KIND_LINES_MAX)]
    assert found == [
        *first,
        "WARNING  north shed count=5",
        *["WARNING  north dropped count=5"] * KIND_LINES_MAX,
        f"WARNING  north folded of=blame reason=bpci.replayed count={10_000 - KIND_LINES_MAX}",
        "WARNING  north folded of=dropped count=10",
        "WARNING  north blame peer=ab reason=bpci.replayed detail=again",
    ]
    assert log.folded_lines == 10_000 - KIND_LINES_MAX + 2


def test_all_kinds_together_are_bounded_too_and_nothing_is_uncounted_at_the_end(tmp_path):
    log = Log(HUMAN, "north", tmp_path, Clock())
    for number in range(3 * KINDS_MAX):
        for _ in range(3):
            log.note(blame(f"reason-{number}"))
    log.close()
    found = [line[25:] for line in (tmp_path / "node.log").read_text().splitlines()]
    written = [line for line in found if " blame " in line]
    counts = [int(line.rpartition("=")[2]) for line in found if " folded " in line]
    assert len(written) == LINES_MAX
    assert len(counts) <= KINDS_MAX + 1
    assert sum(counts) == 3 * 3 * KINDS_MAX - LINES_MAX


def test_debug_lines_and_the_last_line_are_never_folded(tmp_path):
    def write(log):
        for _ in range(2 * LINES_MAX):
            log.note(Note("final", {}))
            log.note(blame("x"))
        log.crash(AssertionError("a bug"))

    found = [json.loads(line) for line in lines(tmp_path, JSON, write)]
    assert sum(line["what"] == "final" for line in found) == 2 * LINES_MAX
    assert [line["what"] for line in found[-2:]] == ["crashed: a bug", "folded"]


def test_what_libraries_warn_of_is_in_the_log_and_bounded_like_the_rest(tmp_path, capsys):
    """Found by review: every malformed request wrote a line to standard error, whatever `log.file` said."""
    log = Log(HUMAN, "north", tmp_path, Clock())
    for _ in range(1_000):
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
        logging.getLogger("uvicorn.error").info("chatter")
        logging.getLogger("asyncio").error("lost %s", "x")
    log.close()
    found = [line[25:] for line in (tmp_path / "node.log").read_text().splitlines()]
    assert found.count("WARNING  north Invalid HTTP request received.") == KIND_LINES_MAX
    assert found.count("ERROR    north lost x") == KIND_LINES_MAX
    assert len(found) == 2 * KIND_LINES_MAX + 2
    logging.getLogger("uvicorn.error").warning("after")
    assert "after" not in (tmp_path / "node.log").read_text()
    assert capsys.readouterr().out == ""


def test_a_line_torn_by_a_full_disk_does_not_spoil_the_next(tmp_path):
    """Found by a fault schedule: the first line after the restart was glued to the torn one, and no reader of JSON
    lines understood either."""
    path = tmp_path / JSON.file
    path.parent.mkdir()
    path.write_text('{"at":"2026","what":"whole"}\n{"at":"2026","wh')
    found = lines(tmp_path, JSON, lambda log: log.write(LogLevel.INFO, "started"))
    assert found[:2] == ['{"at":"2026","what":"whole"}', '{"at":"2026","wh']
    assert [json.loads(line)["what"] for line in found[2:]] == ["started"]
    assert len(lines(tmp_path, JSON, lambda log: log.write(LogLevel.INFO, "again"))) == 4, "no empty lines"


def test_a_log_that_cannot_be_closed_for_want_of_space_hides_no_other_failure(tmp_path):
    """Found by a fault schedule: a node with a full disk ended as `cli.unexpected`, "a bug in bpi", for its log could
    not write its last lines either when it was closed."""
    log = Log(LogSettings(file="/dev/full"), "north", tmp_path)
    log.write(LogLevel.INFO, "started")
    assert log.lost_lines == 1
    log.close()
