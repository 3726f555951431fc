"""COMPOSE-4. Durations, sizes, cores, ratios, permissions; and words that are nearly right."""

import pytest
from tests.unit.docklock.compose.samples import errors, spec_of, understood

from metanode.docklock.compose import ComposeRefusal
from metanode.docklock.compose.scalars import duration_ms, near, size_bytes, thousandths
from metanode.primitives.refusal import Rejected


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1m30s", 90_000), ("10ms", 10), ("40s", 40_000), ("1h5m30s20ms", 3_930_020), ("1.5h", 5_400_000),
        ("0s", 0), ("0.5s", 500), ("2000us", 2), ("1500000ns500us", 2), ("500µs500us", 1),
    ],
)  # fmt: skip
def test_durations(text: str, milliseconds: int) -> None:
    assert duration_ms(text) == milliseconds


@pytest.mark.parametrize("text", ["", "10", "s", "1 s", "-1s", "1.s", "1d", "1us", "0.0001ms", "1s ", "٣s", "1e3s"])
def test_no_durations(text: str) -> None:
    with pytest.raises(Rejected) as refused:
        duration_ms(text)
    assert refused.value.reason is ComposeRefusal.BAD_DURATION


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2b", 2), ("1024kb", 1 << 20), ("2048k", 2 << 20), ("300m", 300 << 20), ("1gb", 1 << 30), ("1GiB", 1 << 30),
        ("1.5g", 3 << 29), ("50M", 50 << 20), ("512", 512), ("1 g", 1 << 30), ("1t", 1 << 40),
    ],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    assert size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "g", "1x", "-1m", "1.5", "1e9", "0x10", "1mm", "1.0000001g"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(Rejected) as refused:
        size_bytes(text)
    assert refused.value.reason is ComposeRefusal.BAD_SIZE


def test_decimals() -> None:
    assert [thousandths(text) for text in ("0.5", "2", "0.125", "1.500", "00.1")] == [500, 2_000, 125, 1_500, 100]
    for text in ("", ".5", "1.", "0.0005", "-1", "1e1", "nan"):
        with pytest.raises(Rejected) as refused:
            thousandths(text)
        assert refused.value.reason is ComposeRefusal.BAD_NUMBER


@pytest.mark.parametrize(
    ("body", "code", "fix"),
    [
        ("healthcheck: {test: x, interval: 10}", ComposeRefusal.BAD_DURATION, "write 10s"),
        ("healthcheck: {test: x, interval: 1ms}", ComposeRefusal.BAD_DURATION, "write 100ms"),
        ("stop_grace_period: 2000h", ComposeRefusal.BAD_DURATION, "write 3600000ms"),
        ("mem_limit: 12", ComposeRefusal.BAD_SIZE, "write 4096k"),
        ("mem_limit: much", ComposeRefusal.BAD_SIZE, "write it like 512m or 1gb"),
        ("cpus: 0.0005", ComposeRefusal.BAD_NUMBER, "write it like 0.5"),
        ("cpus: 0", ComposeRefusal.BAD_NUMBER, "write 0.001"),
        ("cpus: 5000", ComposeRefusal.BAD_NUMBER, "write 1024"),
        ("pids_limit: -1", ComposeRefusal.BAD_NUMBER, ""),
        ("pids_limit: 0", ComposeRefusal.BAD_NUMBER, "write 1"),
        ("pids_limit: 010", ComposeRefusal.BAD_NUMBER,
         "write 10: a leading zero means octal to some and nothing to others"),
        ("read_only: yes", ComposeRefusal.BAD_CHOICE, "write true or false"),
        ("read_only: [true]", ComposeRefusal.WRONG_TYPE, ""),
        ("read_only:", ComposeRefusal.WRONG_TYPE, ""),
        ("deploy: {update_config: {order: startfirst}}", ComposeRefusal.BAD_CHOICE, "did you mean start-first?"),
        ("deploy: {update_config: {max_failure_ratio: 1.1}}", ComposeRefusal.BAD_NUMBER, "write 1"),
        (f"user: {'x' * 70_000}", ComposeRefusal.TOO_LARGE, ""),
    ],
)  # fmt: skip
def test_what_is_wrong_names_the_smallest_change(body: str, code: ComposeRefusal, fix: str) -> None:
    found = understood("services:\n  web:\n    image: a:1\n    " + body + "\n").errors
    assert [(one.code, one.fix, one.line) for one in found] == [(code, fix, 4)]


def test_permissions_are_octal_with_a_zero_in_front() -> None:
    rest = "secrets: {key: {external: true}}"
    for text, mode in (("0440", 0o440), ("0o400", 0o400), ("'0444'", 0o444)):
        assert spec_of(f"secrets: [{{source: key, mode: {text}}}]", rest).secrets[0].mode == mode
    for text in ("440", "288", "0999", "07777"):
        assert errors(f"secrets: [{{source: key, mode: {text}}}]", rest) == [
            (ComposeRefusal.BAD_NUMBER, 4, "services.web.secrets[0].mode")
        ]


def test_the_word_that_was_meant() -> None:
    assert near("enviroment", ("environment", "image")) == "did you mean environment?"
    assert near("Image", ("environment", "image")) == "did you mean image?"
    assert near("abcdef", ("environment", "image")) == ""
    assert near("x" * 10_000, ("environment",)) == ""
