"""Reading the files that a command line names."""

import sys
from pathlib import Path
from typing import Final

from metanode.api.exits import ExitStatus
from metanode.cli.failure import CliRefusal, Failure

FILE_BYTES_MAX: Final = 64 << 20
"""Nothing a command reads whole is larger than a backup's index or a big receipt bundle."""


def read_bytes(name: str, bytes_max: int = FILE_BYTES_MAX) -> bytes:
    """The content of a file, `-` for standard input. Raises `Failure`."""
    try:
        if name == "-":
            data = sys.stdin.buffer.read(bytes_max + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(bytes_max + 1)
    except FileNotFoundError:
        raise Failure(
            CliRefusal.FILE_NOT_FOUND, ExitStatus.NOT_FOUND, f"no file {name}", fix="check the path"
        ) from None
    except OSError as error:
        raise Failure(
            CliRefusal.FILE_NOT_READABLE, ExitStatus.NOT_ALLOWED, f"{name}: {error.strerror}", fix="check the path"
        ) from None
    if len(data) > bytes_max:
        raise Failure(
            CliRefusal.FILE_NOT_READABLE,
            ExitStatus.USAGE,
            f"{name}: more than {bytes_max} bytes",
            fix="is it the file?",
        )
    return data


def read_text(name: str, bytes_max: int = FILE_BYTES_MAX) -> str:
    """The same as UTF-8 text. Raises `Failure`."""
    try:
        return read_bytes(name, bytes_max).decode()
    except UnicodeDecodeError:
        raise Failure(
            CliRefusal.FILE_NOT_READABLE, ExitStatus.USAGE, f"{name}: not UTF-8 text", fix="is it the file?"
        ) from None
