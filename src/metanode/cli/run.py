"""Running a command to its end: every way out is a named exit status, and never a bare traceback."""

import signal
import sys
from collections.abc import Sequence
from types import FrameType

import click

from metanode.api.exits import ExitStatus
from metanode.cli.failure import CliRefusal, ErrorForm, form_of
from metanode.cli.output import open_standard_streams, silence
from metanode.cli.session import Session


class Terminated(BaseException):
    """SIGTERM; not an `Exception`, so that no command swallows it."""


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


def _usage_form(error: click.ClickException) -> ErrorForm:
    """What click found wrong with the line, in our shape: the usage is the rule, `--help` the fix."""
    context = getattr(error, "ctx", None)
    match error:
        case click.exceptions.NoSuchCommand():
            code, status = CliRefusal.UNKNOWN_COMMAND, ExitStatus.USAGE
        case click.exceptions.NoSuchOption():
            code, status = CliRefusal.UNKNOWN_OPTION, ExitStatus.USAGE
        case click.FileError():
            code, status = CliRefusal.FILE_NOT_READABLE, ExitStatus.NOT_FOUND
        case _:
            code, status = CliRefusal.USAGE, ExitStatus.USAGE
    rule = context.command.get_usage(context).removeprefix("Usage: ") if context else ""
    fix = f"see {context.command_path} --help" if context else ""
    return ErrorForm(code, status, error.format_message(), rule, fix)


def _says_json(arguments: Sequence[str]) -> bool:
    """Whether `--json` stands in the line, for errors that end the reading before it is reached."""
    before = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in before


def run(program: click.Command, name: str, arguments: Sequence[str]) -> int:
    """Run a program to its exit status. A command returns nothing for success, or the `ExitStatus` it ends with."""
    open_standard_streams()
    session = Session()
    usual = signal.signal(signal.SIGTERM, _terminate)
    try:
        status = program.main(list(arguments), prog_name=name, standalone_mode=False, obj=session)
        return int(status) if isinstance(status, int) else ExitStatus.OK
    except BrokenPipeError:  # of a help text; a command's own answer does not get here (`Output`)
        silence(sys.stdout)
        return ExitStatus.OK
    except Terminated:
        form = ErrorForm(CliRefusal.TERMINATED, ExitStatus.TERMINATED, "terminated")
    except (click.Abort, KeyboardInterrupt):
        form = ErrorForm(CliRefusal.INTERRUPTED, ExitStatus.INTERRUPTED, "interrupted")
    except click.exceptions.NoArgsIsHelpError as error:
        if not _says_json(arguments):
            print(error.message, file=sys.stderr)  # noqa: T201
            return ExitStatus.USAGE
        form = ErrorForm(CliRefusal.USAGE, ExitStatus.USAGE, "a command is due", fix=f"see {name} --help")
    except click.ClickException as error:
        form = _usage_form(error)
    except Exception as error:  # noqa: BLE001 - the outermost door of the process
        form = form_of(error)
        if session.verbosity > 1:
            import traceback

            traceback.print_exc()
    finally:
        signal.signal(signal.SIGTERM, usual)
    session.as_json = session.as_json or _says_json(arguments)
    session.output.error(form)
    return form.exit
