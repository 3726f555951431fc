"""How a command ends when it does not succeed: one shape for people, one for programs, one exit status."""

import errno
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from metanode.api.exits import ExitStatus
from metanode.primitives.refusal import Refusal, Rejected

REPORT_HINT: Final = "this is a bug in bpi: repeat with -vv and report what it prints"


class CliRefusal(Refusal):
    """Why the command line itself turns a command away."""

    USAGE = "cli.usage"
    """An argument or option is missing, unexpected or of the wrong form."""
    UNKNOWN_COMMAND = "cli.unknown-command"
    """No command of this name."""
    UNKNOWN_OPTION = "cli.unknown-option"
    """No option of this name."""
    FILE_NOT_FOUND = "cli.file-not-found"
    """A file that the command names is not there."""
    FILE_NOT_READABLE = "cli.file-not-readable"
    """A file that the command names cannot be read as what it should be."""
    FILE_NOT_WRITABLE = "cli.file-not-writable"
    """A file that the command should write cannot be written."""
    CONFIGURATION = "cli.configuration"
    """A key or value of the command line's own configuration is wrong."""
    NO_NETWORK = "cli.no-network"
    """The folder holds no local network."""
    NETWORK_EXISTS = "cli.network-exists"
    """The folder holds something already where a new network should be made."""
    UNKNOWN_NODE = "cli.unknown-node"
    """The local network has no node of this name."""
    NO_GENESIS = "cli.no-genesis"
    """There is no genesis here that could be trusted."""
    OTHER_CHAIN = "cli.other-chain"
    """The node is of another chain than the genesis that is trusted here."""
    NO_CLUSTER = "cli.no-cluster"
    """No cluster was named, and there is none or more than one."""
    OTHER_EXPLANATION = "cli.other-explanation"
    """Computed from its inputs, an explanation is another than the node's."""
    NOT_SETTLED = "cli.not-settled"
    """A workload did not become what was asked: it failed, is on pause, or was led back."""
    UNKNOWN_ACCOUNT = "cli.unknown-account"
    """No account of this name, or no key of it here."""
    BAD_AMOUNT = "cli.bad-amount"
    """The text is no amount of the coin."""
    PORT_TAKEN = "cli.port-taken"
    """Another program listens on a port that a node needs."""
    NODE_DIED = "cli.node-died"
    """A node ended while it started, and did not say why."""
    NOT_READY = "cli.not-ready"
    """A node runs, but did not get ready in time."""
    NOTHING_THERE = "cli.nothing-there"
    """What the command would work on does not exist yet."""
    RECEIPT_NOT_HERE = "cli.receipt-not-here"
    """A workload's receipt is with nobody who answers, was dropped, or is not pinned yet."""
    NOT_RUNNING = "cli.not-running"
    """No process runs the node."""
    DEVELOPMENT_ONLY = "cli.development-only"
    """The command breaks things on purpose, and the chain is no development chain."""
    GUARD_HOLDS = "cli.guard-holds"
    """The sign guard is whole: nobody has to vouch for it."""
    NOT_OURS = "cli.not-ours"
    """A process belongs to another user."""
    INTERRUPTED = "cli.interrupted"
    """Ctrl-C."""
    TERMINATED = "cli.terminated"
    """The process was asked to end (SIGTERM)."""
    UNEXPECTED = "cli.unexpected"
    """A bug."""


class Failure(Exception):
    """Raised by a command that cannot do what it was asked: what, why, and the smallest change that would help."""

    def __init__(
        self,
        code: str,
        exit_status: ExitStatus,
        message: str,
        *,
        rule: str = "",
        fix: str = "",
        retryable: bool = False,
    ) -> None:
        super().__init__(message)
        self.form: Final = ErrorForm(str(code), int(exit_status), message, rule, fix, retryable)


@dataclass(frozen=True, slots=True)
class ErrorForm:
    """HTTP-2. An error as callers see it; the same six fields that a node answers with."""

    code: str
    exit: int
    message: str
    rule: str = ""
    fix: str = ""
    retryable: bool = False

    def as_json(self) -> Mapping[str, Mapping[str, str | int | bool]]:
        """The object that `--json` prints on standard error."""
        return {"error": asdict(self)}


_FAULT_STATUSES: Final = {
    "directory.locked": ExitStatus.CONFLICT,
    "directory.exists": ExitStatus.CONFLICT,
    "directory.not-initialised": ExitStatus.NOT_FOUND,
    "directory.gone": ExitStatus.RUNTIME,
    "directory": ExitStatus.CONFIGURATION,
    "settings": ExitStatus.CONFIGURATION,
    "keys.unknown": ExitStatus.NOT_FOUND,
    "keys.exists": ExitStatus.CONFLICT,
    "keys": ExitStatus.NOT_ALLOWED,
    "port": ExitStatus.CONFLICT,
    "disk": ExitStatus.RUNTIME,
    "node": ExitStatus.RUNTIME,
}
"""Exit statuses of the host's faults, by code, else by room; whatever else fails, fails for lost data."""


def fault_status(code: str) -> ExitStatus:
    """The exit status of a fault of the host."""
    by_room = _FAULT_STATUSES.get(code.partition(".")[0], ExitStatus.DATA_UNAVAILABLE)
    return _FAULT_STATUSES.get(code, by_room)


def form_of(error: BaseException) -> ErrorForm:
    """The form of whatever ended a command. What nobody foresaw is a bug and says so."""
    from metanode.api.errors import explain
    from metanode.client.failures import ClientError
    from metanode.host.fault import Fault

    match error:
        case Failure():
            return error.form
        case ClientError(form=form):
            return ErrorForm(form.code, form.exit, form.message, form.rule, form.fix, form.retryable)
        case Rejected():
            meaning = explain(error.reason)
            message = error.detail or str(error.reason)
            return ErrorForm(str(error.reason), meaning.exit, message, meaning.rule, meaning.fix, meaning.retryable)
        case Fault():
            return ErrorForm(str(error.reason), fault_status(error.reason), error.detail, fix=error.fix)
        case OSError(filename=str() as path, strerror=str() as why):
            fix = "run this as the user who owns it, or name another with --data" if error.errno == errno.EACCES else ""
            return ErrorForm(CliRefusal.FILE_NOT_READABLE, ExitStatus.NOT_ALLOWED, f"{path}: {why}", fix=fix)
        case _:
            message = f"{type(error).__name__}: {error}"
            return ErrorForm(CliRefusal.UNEXPECTED, ExitStatus.UNEXPECTED, message, fix=REPORT_HINT)
