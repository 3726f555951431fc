"""What a command shows: data on standard output, words about it on standard error, JSON for programs."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TextIO

from metanode.cli.failure import ErrorForm

STYLES: Final = {
    "good": "\033[32m",
    "warning": "\033[33m",
    "bad": "\033[31m",
    "quiet": "\033[2m",
    "strong": "\033[1m",
}
"""What a word means, not how it looks; a colour never says what the word does not."""
_PLAIN: Final = "\033[0m"


def wants_color(stream: TextIO, choice: str, environment: Mapping[str, str]) -> bool:
    """Whether to colour: `choice` is auto, always or never; NO_COLOR and TERM=dumb say no, FORCE_COLOR yes."""
    if choice != "auto":
        return choice == "always"
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return False
    return bool(environment.get("FORCE_COLOR")) or stream.isatty()


class Output:
    """Where one command speaks. With `json`, every result is one line of JSON and people's words are left out."""

    def __init__(
        self,
        *,
        as_json: bool = False,
        color: str = "auto",
        out: TextIO | None = None,
        err: TextIO | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.as_json: Final = as_json
        self._out: Final = out or sys.stdout
        self._err: Final = err or sys.stderr
        self._out_color: Final = wants_color(self._out, color, environment)
        self._err_color: Final = wants_color(self._err, color, environment)

    def styled(self, text: str, style: str) -> str:
        """The text in a style of `STYLES`, where standard output has colours."""
        return f"{STYLES[style]}{text}{_PLAIN}" if self._out_color else text

    def result(self, schema: str, data: Mapping[str, Any], human: Callable[[], None]) -> None:
        """Show what the command found: `data` under its versioned `schema` ("version/1"), or what `human` prints."""
        if self.as_json:
            self._print(self._out, json.dumps({"schema": f"bpi/{schema}", **data}))
        else:
            human()

    def line(self, text: str = "") -> None:
        """One line of the answer, for people."""
        if not self.as_json:
            self._print(self._out, text)

    def raw(self, text: str) -> None:
        """Text that is itself the answer, with or without `--json`: a completion script, a file's content."""
        self._print(self._out, text)

    def note(self, text: str) -> None:
        """A word about the answer: progress, a warning. Never data, so on standard error."""
        if not self.as_json:
            self._print(self._err, f"{STYLES['quiet']}{text}{_PLAIN}" if self._err_color else text)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A table for people: with lines and colours on a terminal, plain aligned columns elsewhere."""
        if self.as_json:
            return
        cells = [[str(cell) for cell in row] for row in rows]
        if self._out_color and self._out.isatty():
            self._rich_table(columns, cells)
            return
        widths = [max(len(row[i]) for row in (columns, *cells)) for i in range(len(columns))]
        for row in (columns, *cells):
            self._print(self._out, "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())

    def _rich_table(self, columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        shown = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
        for column in columns:
            shown.add_column(column, overflow="fold")  # never cut: people copy from tables
        for row in cells:
            shown.add_row(*(Text(cell) for cell in row))  # Text: a cell is never markup
        Console(file=self._out).print(shown)

    def error(self, form: ErrorForm) -> None:
        """Say why a command failed, on standard error."""
        if self.as_json:
            self._print(self._err, json.dumps(form.as_json()))
            return
        head = f"{STYLES['bad']}error{_PLAIN}" if self._err_color else "error"
        self._print(self._err, f"{head} [{form.code}] {form.message}")
        if form.rule:
            self._print(self._err, f"rule: {form.rule}")
        if form.fix:
            self._print(self._err, f"fix:  {form.fix}")

    @staticmethod
    def _print(stream: TextIO, text: str) -> None:
        """Print what the stream's encoding can; a sign it lacks becomes `?`, never a crash."""
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        stream.flush()
