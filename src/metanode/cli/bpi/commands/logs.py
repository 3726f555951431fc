"""`bpi logs`."""

import json
import select
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

from metanode.cli.bpi.completing import nodes as complete_nodes
from metanode.cli.bpi.local_network import LocalNode, existing_network
from metanode.cli.bpi.processes import start_file, tail
from metanode.cli.commands import leaf
from metanode.cli.session import Session, pass_session

FOLLOW_S: Final = 0.1
"""How often followed files are looked at."""
_STYLES: Final = {"warning": "warning", "error": "bad", "critical": "bad"}


@leaf()
@click.argument("nodes", nargs=-1, metavar="[NODE...]", shell_complete=complete_nodes)
@click.option(
    "-n", "--lines", type=click.IntRange(0, 10_000), default=20, show_default=True, help="Last lines of each."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@pass_session
def logs(session: Session, nodes: tuple[str, ...], lines: int, follow: bool) -> None:  # noqa: FBT001 - click calls it
    """Show the logs of the local nodes, all of them or those named, in the order of time.

    With --json each line is printed as the node wrote it. A node that could not start has its reason at its end.
    """
    network = existing_network(session.data)
    chosen = [network.node(name) for name in nodes] or list(network.nodes)
    files = {node: _Followed(node.log_file) for node in chosen}
    found = [line for file in files.values() for line in file.last(lines)]
    _show(session, found)
    for node in chosen:
        if not node.process:
            _show_end(session, node)
    while follow and not session.output.reader_is_gone and not _hung_up():
        time.sleep(FOLLOW_S)
        _show(session, [line for file in files.values() for line in file.fresh()])


def _hung_up() -> bool:
    """Whether nobody reads what we print any more: `bpi logs -f | head -1` ends before the next line comes."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except (AttributeError, OSError, ValueError):  # a system without poll, a stream without a number
        return False


class _Followed:
    """A log file that grows and is rotated."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode = 0
        self._offset = 0
        self._rest = b""

    def last(self, lines: int) -> list[str]:
        """The last lines there are now; `fresh` goes on after them."""
        try:
            found = self._path.stat()
        except OSError:
            return []
        self._inode, self._offset = found.st_ino, found.st_size
        return tail(self._path, lines) if lines else []

    def fresh(self) -> list[str]:
        """Whole lines since the last look, of a rotated file from its beginning."""
        try:
            with self._path.open("rb") as file:
                inode = self._path.stat().st_ino
                if inode != self._inode:
                    self._inode, self._offset, self._rest = inode, 0, b""
                file.seek(self._offset)
                data = file.read()
        except OSError:
            return []
        self._offset += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        return [line.decode(errors="replace") for line in whole]


def _parsed(lines: Sequence[str]) -> Iterator[tuple[str, dict[str, Any] | None, str]]:
    """(time, fields where it is JSON, line), in the order of time."""
    for line in lines:
        try:
            fields = json.loads(line)
        except ValueError:
            fields = None
        known = fields if isinstance(fields, dict) else None
        yield (str(known.get("at", "")) if known else line[:24]), known, line


def _show(session: Session, lines: Sequence[str]) -> None:
    output = session.output
    for at, fields, line in sorted(_parsed(lines), key=lambda item: item[0]):
        if output.as_json or fields is None:
            output.raw(line)
            continue
        level = str(fields.pop("level", "info"))
        head = f"{at[11:23]} {fields.pop('node', '?'):<12} {level:<7} {fields.pop('what', '')}"
        fields.pop("at", None)
        trace = fields.pop("trace", "")
        words = " ".join(f"{key}={value}" for key, value in fields.items())
        text = f"{head} {words}".rstrip()
        output.line(output.styled(text, _STYLES[level]) if level in _STYLES else text)
        if trace:
            output.line(trace)


def _show_end(session: Session, node: LocalNode) -> None:
    """Why a node that does not run ended, in its own last words."""
    for line in tail(start_file(node), 1):
        try:
            error = json.loads(line).get("error")
        except (ValueError, AttributeError):
            continue
        if error and session.output.as_json:
            session.output.raw(json.dumps({"node": node.name, "level": "error", "what": "ended", **error}))
        elif error:
            text = f"{node.name} could not go on: [{error['code']}] {error['message']}"
            session.output.line(session.output.styled(text, "bad"))
