"""Every way out of a command: its exit status, its words, its JSON."""

import errno
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from tests.unit.cli.conftest import Bpi

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.main import main
from metanode.cli.commands import Entry, LazyGroup, leaf
from metanode.cli.failure import REPORT_HINT, CliRefusal, Failure, fault_status, form_of
from metanode.cli.run import run
from metanode.cli.session import Session, pass_session
from metanode.host.fault import Fault, FaultReason
from metanode.primitives.refusal import Rejected
from metanode.records.genesis import GenesisRefusal


@leaf()
@click.argument("how")
@pass_session
def end(session: Session, how: str) -> ExitStatus | None:
    """End as asked."""
    match how:
        case "well":
            session.output.result("end/1", {"how": how}, lambda: session.output.line("well"))
        case "status":
            return ExitStatus.HELD_FOR_REVIEW
        case "failure":
            raise Failure("demo.code", ExitStatus.CONFLICT, "two of them", rule="R1", fix="remove one", retryable=True)
        case "rejected":
            raise Rejected(GenesisRefusal.DUPLICATE, "two coins are the same")
        case "fault":
            raise Fault(FaultReason.DIRECTORY_LOCKED, "process 7 has it", "stop it")
        case "bug":
            raise ZeroDivisionError("division by zero")
        case "interrupt":
            raise KeyboardInterrupt
        case "terminate":
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        case "pipe":
            raise BrokenPipeError
        case _:
            raise AssertionError(how)
    return None


HERE = sys.modules[__name__]
PROGRAM = LazyGroup({"end": Entry(f"{__name__}:end", "End as asked.")}, {}, context_settings={})


def ended(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    sys.modules.setdefault(__name__, HERE)
    status = run(PROGRAM, "demo", arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_success_is_zero(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(capsys, "end", "well") == (0, "well\n", "")


def test_a_command_may_end_with_a_status_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(capsys, "end", "status") == (11, "", "")


@pytest.mark.parametrize("line", [("--json", "end", "well"), ("end", "--json", "well"), ("end", "well", "--json")])
def test_json_is_taken_on_either_side_of_the_command(line: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(capsys, *line) == (0, '{"schema": "bpi/end/1", "how": "well"}\n', "")


FORMS = {
    "failure": ("demo.code", 5, "two of them", "R1", "remove one", True),
    "rejected": (
        "genesis.duplicate", 50, "two coins are the same", "GEN-3", "correct the genesis: bpi genesis check", False,
    ),
    "fault": ("directory.locked", 5, "process 7 has it", "", "stop it", False),
    "bug": (CliRefusal.UNEXPECTED, 1, "ZeroDivisionError: division by zero", "", REPORT_HINT, False),
    "interrupt": (CliRefusal.INTERRUPTED, 130, "interrupted", "", "", False),
    "terminate": (CliRefusal.TERMINATED, 143, "terminated", "", "", False),
}  # fmt: skip


@pytest.mark.parametrize("how", FORMS)
def test_every_failure_has_one_shape(how: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, status, message, rule, fix, retryable = FORMS[how]
    got, out, err = ended(capsys, "--json", "end", how)
    assert (got, out) == (status, "")
    assert json.loads(err.strip().splitlines()[-1]) == {
        "error": {"code": code, "exit": status, "message": message, "rule": rule, "fix": fix, "retryable": retryable}
    }


def test_people_read_code_message_rule_and_fix(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(capsys, "end", "failure")[2] == "error [demo.code] two of them\nrule: R1\nfix:  remove one\n"


def test_a_bug_shows_its_traceback_only_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Traceback" not in ended(capsys, "end", "bug")[2]
    assert "Traceback" in ended(capsys, "end", "bug", "-vv")[2]


def test_a_missing_argument_is_usage(bpi: Bpi) -> None:
    said = bpi("config", "get", "--json")
    assert (said.status, said.error["code"]) == (2, CliRefusal.USAGE)
    assert said.error["rule"] == "bpi config get [OPTIONS] KEY"
    assert said.error["fix"] == "see bpi config get --help"


@pytest.mark.parametrize(
    ("line", "offer"),
    [
        (("vresion",), "did you mean `bpi version`?"),
        (("config", "gte"), "did you mean `bpi config get`?"),
        (("explain",), "did you mean `bpi config explain`?"),
        (("coin", "trasfer"), "did you mean `bpi coin transfer`?"),
    ],
)
def test_a_misspelt_command_is_answered_with_the_near_one(line: tuple[str, ...], offer: str, bpi: Bpi) -> None:
    said = bpi(*line, "--json")
    assert (said.status, said.error["code"]) == (2, CliRefusal.UNKNOWN_COMMAND)
    assert offer in said.error["message"]


def test_a_misspelt_option_is_answered_with_the_near_one(bpi: Bpi) -> None:
    said = bpi("config", "set", "--usr", "node", "x", "--json")
    assert (said.status, said.error["code"]) == (2, CliRefusal.UNKNOWN_OPTION)
    assert "--user" in said.error["message"]


def test_a_group_alone_shows_its_help_and_is_usage(bpi: Bpi) -> None:
    said = bpi("config")
    assert (said.status, said.out) == (2, "")
    assert "explain" in said.err


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_a_process_without_standard_streams_ends_as_any_other(closed: str, folder: Path) -> None:
    assert folder.is_dir()
    bpi = f"{shlex.quote(sys.executable)} -m metanode.cli.bpi.main"
    for line, status in (("config show", 0), ("config get nothing", 50), ("--version", 0)):
        assert (
            subprocess.run(f"{bpi} {line} {closed}", shell=True, capture_output=True, check=False).returncode == status
        )


def test_a_full_disk_behind_standard_output_is_no_bug_of_bpi(folder: Path) -> None:
    assert folder.is_dir()
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    bpi = [sys.executable, "-m", "metanode.cli.bpi.main", "config", "show"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(bpi, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, "[cli.file-not-writable]" in done.stderr) == (4, True)


def test_a_file_of_another_user_is_not_called_a_bug() -> None:
    form = form_of(PermissionError(errno.EACCES, "Permission denied", ".bpi/network.toml"))
    assert (form.code, form.exit) == (CliRefusal.FILE_NOT_READABLE, ExitStatus.NOT_ALLOWED)
    assert form.message == ".bpi/network.toml: Permission denied"


def test_an_unforeseen_signal_handler_is_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert main(("config", "path", "--json")) == 0
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("reason", FaultReason)
def test_every_fault_of_the_host_has_a_status_and_keeps_its_fix(reason: FaultReason) -> None:
    form = form_of(Fault(reason, "what", "how"))
    assert form.exit == fault_status(reason)
    assert form.exit not in {ExitStatus.OK, ExitStatus.UNEXPECTED}
    assert form.fix == "how"


def test_faults_have_the_statuses_that_scripts_rely_on() -> None:
    assert fault_status("directory.locked") is ExitStatus.CONFLICT
    assert fault_status("settings.unknown-key") is ExitStatus.CONFIGURATION
    assert fault_status("keys.wrong-password") is ExitStatus.NOT_ALLOWED
    assert fault_status("disk.full") is ExitStatus.RUNTIME
    assert fault_status("journal.damaged") is ExitStatus.DATA_UNAVAILABLE
