"""What a command shows: data on standard output, words about it on standard error, JSON for programs."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TextIO

from metanode.api.exits import ExitStatus
from metanode.cli.failure import CliRefusal, ErrorForm, Failure

STYLES: Final = {
    "good": "\033[32m",
    "warning": "\033[33m",
    "bad": "\033[31m",
    "quiet": "\033[2m",
    "strong": "\033[1m",
}
"""What a word means, not how it looks; a colour never says what the word does not."""
_PLAIN: Final = "\033[0m"
_POORER: Final = str.maketrans({"·": "-", "…": "...", "─": "-", "×": "x", "→": "->"})
"""What our own signs become on a terminal that lacks them."""
_USAGE: Final = frozenset({CliRefusal.USAGE, CliRefusal.UNKNOWN_COMMAND, CliRefusal.UNKNOWN_OPTION})
"""Where the rule that was broken is how the command is written."""


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
        self.reader_is_gone = False

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
            self._say(f"{STYLES['quiet']}{text}{_PLAIN}" if self._err_color else text)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str = "nothing") -> None:
        """A table for people: with lines and colours on a terminal, plain aligned columns elsewhere.

        A column of numbers stands to the right. Without a row: `empty`, as a word about the answer.
        """
        if self.as_json:
            return
        cells = [[str(cell) for cell in row] for row in rows]
        if not cells:
            self.note(empty)
            return
        numbers = [all(_is_number(row[i]) for row in cells) for i in range(len(columns))]
        if self._out_color and self._out.isatty():
            self._rich_table(columns, cells, numbers)
            return
        widths = [max(len(row[i]) for row in (columns, *cells)) for i in range(len(columns))]
        for row in (columns, *cells):
            padded = (c.rjust(w) if n else c.ljust(w) for c, w, n in zip(row, widths, numbers, strict=True))
            self._print(self._out, "  ".join(padded).rstrip())

    def _rich_table(self, columns: Sequence[str], cells: Sequence[Sequence[str]], numbers: Sequence[bool]) -> None:
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        shown = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
        for column, number in zip(columns, numbers, strict=True):  # folded, never cut: people copy from tables
            shown.add_column(column, overflow="fold", justify="right" if number else "left")
        for row in cells:
            shown.add_row(*(Text(cell) for cell in row))  # Text: a cell is never markup
        console = Console(file=self._out)
        with console.capture() as captured:
            console.print(shown)
        self._print(self._out, captured.get().removesuffix("\n"))

    def error(self, form: ErrorForm) -> None:
        """Say why a command failed, on standard error."""
        if self.as_json:
            self._say(json.dumps(form.as_json()))
            return
        head = f"{STYLES['bad']}error{_PLAIN}" if self._err_color else "error"
        self._say(f"{head} [{form.code}] {form.message}")
        if form.rule:
            self._say(f"{'use: ' if form.code in _USAGE else 'rule:'} {form.rule}")
        if form.fix:
            self._say(f"fix:  {form.fix}")

    def _say(self, text: str) -> None:
        """On standard error, where somebody listens: what is done does not depend on it."""
        with suppress(OSError):
            self._put(self._err, text)

    def _print(self, stream: TextIO, text: str) -> None:
        """Print a part of the answer. Where the reader is gone (`bpi verify | head -1`) the work goes on, and its
        outcome is still the exit status. Raises `Failure` where the answer cannot be written."""
        if self.reader_is_gone:
            return
        try:
            self._put(stream, text)
        except BrokenPipeError:
            self.reader_is_gone = True
            silence(stream)
        except OSError as error:
            message = f"the command did its work, its answer cannot be written: {error.strerror}"
            silence(stream)
            raise Failure(
                CliRefusal.FILE_NOT_WRITABLE, ExitStatus.NOT_ALLOWED, message, fix="see where standard output leads"
            ) from None

    @staticmethod
    def _put(stream: TextIO, text: str) -> None:
        """Write what the stream's encoding can; a sign it lacks becomes a poorer one, never a crash."""
        encoding = getattr(stream, "encoding", None) or "utf-8"
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            text = text.translate(_POORER).encode(encoding, "replace").decode(encoding)
        stream.write(text + "\n")
        stream.flush()


def silence(stream: TextIO) -> None:
    """Let what a stream still holds go nowhere: else its last flush, at the end of the process, fails once more."""
    with suppress(OSError, ValueError):  # a stream of memory has no number
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def open_standard_streams() -> None:
    """Give a process that was started without some (`bpi status >&-`) silent ones in their place."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: PTH123, SIM115


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).removeprefix("-").isdecimal()
