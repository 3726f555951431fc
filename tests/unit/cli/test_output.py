"""What is printed where: data apart from words, colours only where they are wanted, no crash for a narrow terminal."""

import io

import pytest

from metanode.cli.failure import ErrorForm
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
    assert out.getvalue() == "name         n\nacme         1\nglobex-long  22\n"


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
    assert raw.getvalue() == b"1 ? 2\n"


def test_a_style_is_only_a_style() -> None:
    assert Output(out=io.StringIO(), environment={}).styled("VALID", "good") == "VALID"
    assert Output(out=Terminal(), environment={}).styled("VALID", "good") == "\033[32mVALID\033[0m"
