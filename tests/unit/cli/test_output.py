"""What is printed where: data apart from words, colours only where they are wanted, no crash for a narrow terminal."""

import errno
import io

import pytest

from metanode.cli.failure import CliRefusal, ErrorForm, Failure
from metanode.cli.output import Output, wants_color


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("choice", "environment", "terminal", "wanted"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(
    choice: str, environment: dict[str, str], terminal: bool, wanted: bool
) -> None:
    assert wants_color(Terminal() if terminal else io.StringIO(), choice, environment) is wanted


def test_a_table_elsewhere_than_on_a_terminal_is_plain_columns() -> None:
    out = io.StringIO()
    Output(out=out, err=io.StringIO(), environment={}).table(("name", "n"), [("acme", 1), ("globex-long", 22)])
    assert out.getvalue() == "name          n\nacme          1\nglobex-long  22\n", "numbers stand to the right"


def test_a_table_on_a_terminal_never_reads_a_cell_as_markup() -> None:
    out = Terminal()
    Output(out=out, err=io.StringIO(), environment={}).table(("name",), [("[red]acme[/red]",)])
    assert "[red]acme[/red]" in out.getvalue()
    assert "\033[" in out.getvalue()


def test_with_json_only_results_and_raw_text_are_printed() -> None:
    out, err = io.StringIO(), io.StringIO()
    output = Output(as_json=True, out=out, err=err, environment={})
    output.line("word")
    output.note("word")
    output.table(("a",), [("b",)])
    output.result("demo/1", {"a": 1}, lambda: output.line("never"))
    output.raw("raw")
    assert (out.getvalue(), err.getvalue()) == ('{"schema": "bpi/demo/1", "a": 1}\nraw\n', "")


def test_words_about_the_answer_go_to_standard_error() -> None:
    out, err = io.StringIO(), io.StringIO()
    Output(out=out, err=err, environment={}).note("waiting")
    assert (out.getvalue(), err.getvalue()) == ("", "waiting\n")


def test_an_error_without_rule_or_fix_is_one_line() -> None:
    err = io.StringIO()
    Output(out=io.StringIO(), err=err, environment={}).error(ErrorForm("a.b", 1, "broken"))
    assert err.getvalue() == "error [a.b] broken\n"


def test_a_stream_without_the_sign_gets_another_not_a_crash() -> None:
    raw = io.BytesIO()
    narrow = io.TextIOWrapper(raw, encoding="ascii")
    Output(out=narrow, err=io.StringIO(), environment={}).line("1 · 2")
    assert raw.getvalue() == b"1 - 2\n"
    Output(out=narrow, err=io.StringIO(), environment={}).line("ü…")
    assert raw.getvalue() == b"1 - 2\n?...\n"


class Broken(io.StringIO):
    """A stream that cannot be written: its reader is gone, or its disk is full."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


def test_a_reader_that_is_gone_ends_the_words_not_the_work() -> None:
    out = Broken(BrokenPipeError(errno.EPIPE, "Broken pipe"))
    output = Output(out=out, err=io.StringIO(), environment={})
    output.line("1")
    output.table(("a",), [(1,)])
    assert output.reader_is_gone


def test_an_answer_that_cannot_be_written_is_said() -> None:
    out = Broken(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(Failure) as raised:
        Output(out=out, err=io.StringIO(), environment={}).line("FINAL")
    assert (raised.value.form.code, raised.value.form.exit) == (CliRefusal.FILE_NOT_WRITABLE, 4)
    assert "did its work" in raised.value.form.message


def test_nobody_listening_to_words_about_the_answer_stops_nothing() -> None:
    output = Output(out=io.StringIO(), err=Broken(OSError(errno.EIO, "Input/output error")), environment={})
    output.note("signing")
    output.error(ErrorForm("a.b", 1, "broken"))


def test_a_table_without_rows_says_so_beside_the_answer() -> None:
    out, err = io.StringIO(), io.StringIO()
    Output(out=out, err=err, environment={}).table(("a",), [], "no proposal yet")
    assert (out.getvalue(), err.getvalue()) == ("", "no proposal yet\n")


def test_how_a_command_is_written_is_not_called_a_rule() -> None:
    err = io.StringIO()
    form = ErrorForm(CliRefusal.USAGE, 2, "Missing option '--to'.", "bpi coin transfer [OPTIONS]", "see --help")
    Output(out=io.StringIO(), err=err, environment={}).error(form)
    assert err.getvalue().splitlines()[1:] == ["use:  bpi coin transfer [OPTIONS]", "fix:  see --help"]


def test_a_style_is_only_a_style() -> None:
    assert Output(out=io.StringIO(), environment={}).styled("VALID", "good") == "VALID"
    assert Output(out=Terminal(), environment={}).styled("VALID", "good") == "\033[32mVALID\033[0m"
