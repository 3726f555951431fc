"""What an engine says, and what it means: words of dockerd 20.10 and podman 4.3 as they were heard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metanode.host.runtimes.docker.answers import Inspected, State, Version, exit_of, phase_of, unix_ns
from metanode.host.runtimes.docker.api import API, complaint, decoded, number_of
from metanode.host.runtimes.docker.execution import refusal_of
from metanode.host.runtimes.docker.outputs import line_record
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.states import Exit, Phase
from metanode.primitives.refusal import Rejected

NEVER = "0001-01-01T00:00:00Z"
THEN = "2026-11-28T13:42:32.50486526Z"
NOT_FOUND = (
    'runc create failed: unable to start container process: exec: "x": executable file not found in $PATH: unknown'
)


def state(status: str, **fields: object) -> State:
    return State(**{"status": status, "started_at": NEVER, "finished_at": NEVER, **fields})  # type: ignore[arg-type]


def test_times_are_nanoseconds_whatever_their_zone_and_fraction() -> None:
    assert unix_ns("1970-01-01T00:00:01Z") == 1_000_000_000
    assert unix_ns(THEN) % 1_000_000_000 == 504_865_260
    assert unix_ns("2026-11-28T13:46:41.804486974+00:00") == unix_ns("2026-11-28T14:46:41.804486974+01:00")
    assert unix_ns("2026-11-28T13:46:41-02:30") - unix_ns("2026-11-28T13:46:41Z") == 9_000_000_000_000
    assert unix_ns(NEVER) == 0
    for text in ("", "yesterday", "2026-11-28", "2026-11-28T13:46:41"):
        with pytest.raises(Rejected) as refused:
            unix_ns(text)
        assert refused.value.reason is RuntimeRefusal.ENGINE_ANSWER


def test_a_program_that_could_not_be_begun_has_ended() -> None:
    failed = state("created", exit_code=127, error=NOT_FOUND)
    assert phase_of(failed) is Phase.EXITED
    assert exit_of(failed, oom=False) == Exit(125, 0, oom=False, at_ns=0)
    assert phase_of(state("created")) is Phase.CREATED
    assert phase_of(state("initialized")) is Phase.CREATED
    with pytest.raises(Rejected) as refused:
        phase_of(state("dreaming"))
    assert refused.value.reason is RuntimeRefusal.ENGINE_ANSWER


@pytest.mark.parametrize(
    ("code", "signal"), [(0, 0), (3, 0), (128, 0), (137, 9), (143, 15), (159, 31), (200, 0), (255, 0)]
)
def test_a_code_above_128_is_a_signal_where_there_is_one_of_this_number(code: int, signal: int) -> None:
    ended = state("exited", exit_code=code, finished_at=THEN)
    assert exit_of(ended, oom=True) == Exit(code, signal, oom=True, at_ns=unix_ns(THEN))


def test_words_of_a_start_that_failed_name_whose_fault_it_was() -> None:
    assert refusal_of(NOT_FOUND).reason is RuntimeRefusal.COMMAND_NOT_FOUND
    said = 'unable to start container process: exec: "/data": permission denied: OCI permission denied'
    assert refusal_of(said).reason is RuntimeRefusal.COMMAND_NOT_EXECUTABLE
    assert refusal_of("no space left on device").reason is RuntimeRefusal.SETUP_FAILED


def test_an_answer_of_another_form_is_refused() -> None:
    for data in (b"", b"null", b"[]", b'{"Id": 3}', b"\xff", b'{"Id": "x", "Created": ""}'):
        with pytest.raises(Rejected) as refused:
            decoded(data, Inspected)
        assert refused.value.reason is RuntimeRefusal.ENGINE_ANSWER
    assert complaint(b'{"message": "no such container"}') == "no such container"
    assert complaint(b"<html>\xff") == "<html>\ufffd"


def test_the_version_of_the_api_is_a_number() -> None:
    assert number_of("1.41") == API
    assert number_of("4.0.0") > number_of("1.44") > number_of("1.9")
    assert number_of("new") == (0, 0)
    assert decoded(b'{"Version": "29.0.0", "ApiVersion": "1.52", "MinAPIVersion": "1.44"}', Version).least == "1.44"


@given(st.binary(max_size=200) | st.text(max_size=60).map(str.encode))
def test_a_line_of_a_log_is_a_record_or_nothing(line: bytes) -> None:
    record = line_record(line)
    assert record is None or record[1] in {1, 2}


def test_lines_of_conmon_are_whole_or_partial() -> None:
    stamp = b"2026-11-28T13:46:41.804486974+00:00"
    at = unix_ns(stamp.decode())
    assert line_record(stamp + b" stdout F a b") == (at, 1, b"a b\n")
    assert line_record(stamp + b" stderr P \xff\x00") == (at, 2, b"\xff\x00")
    assert line_record(stamp + b" stdout F ") == (at, 1, b"\n")
    assert line_record(stamp + b" stdin F x") is None
    assert line_record(b"then stdout F x") is None


def test_nothing_ends_before_it_began() -> None:
    """dockerd wrote down a start 0.2 ms after the end of a program that ended at once."""
    swift = State(status="exited", exit_code=42, started_at="2026-11-28T15:21:55.452281853Z", finished_at=THEN)
    assert exit_of(swift, oom=False).at_ns == max(unix_ns(THEN), unix_ns(swift.started_at)) == unix_ns(swift.started_at)
