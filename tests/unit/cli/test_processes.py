"""Processes of a local network: how their end is told, how their logs are read."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Bpi

from metanode.api.exits import ExitStatus
from metanode.cli.bpi import ports
from metanode.cli.bpi.local_network import LocalNode
from metanode.cli.bpi.ports import how_to_free, is_free, spans, taker
from metanode.cli.bpi.processes import Started, abandon, await_ready, died, send, start_file, stop, tail
from metanode.cli.failure import CliRefusal, ErrorForm, Failure


@pytest.fixture
def node(tmp_path: Path) -> LocalNode:
    """A node of which only the folders of its words are there."""
    folder = tmp_path / "validator-0"
    (folder / "logs").mkdir(parents=True)
    (folder / "node.toml").write_text('[log]\nfile = "node.log"\n')
    return LocalNode(folder)


def sleeping(node: LocalNode, script: str = "import time; time.sleep(60)") -> Started:
    return Started(node, subprocess.Popen([sys.executable, "-c", script]))


def test_a_node_that_said_why_is_told_in_its_own_words(node: LocalNode) -> None:
    form = ErrorForm("settings.unknown-key", 50, "unknown key `x`", "", "did you mean `y`?")
    start_file(node).write_text("something before\n" + json.dumps(form.as_json()) + "\n")
    failure = died(node, 50)
    assert failure.form == ErrorForm(form.code, 50, "validator-0: unknown key `x`", "", form.fix)


@pytest.mark.parametrize(
    "line", ['{"error": {"code": "x"}}', '{"error": 3}', "{}", "nonsense", '{"error": {"exit": 9}}']
)
def test_a_node_that_did_not_is_shown_with_its_log(node: LocalNode, line: str) -> None:
    start_file(node).write_text(line + "\n")
    (node.folder / "node.log").write_text("".join(f"line {number}\n" for number in range(20)))
    form = died(node, -9).form
    assert (form.code, form.exit) == (CliRefusal.NODE_DIED, ExitStatus.RUNTIME)
    assert "validator-0 ended while it started (signal 9)" in form.message
    assert form.message.endswith("| line 19")


def test_a_node_that_another_process_runs_already_is_waited_for_not_called_dead(
    node: LocalNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a `bpi up` that was killed while its nodes were on their way to the lock."""
    late = sleeping(node, "raise SystemExit(5)")
    late.process.wait()
    start_file(node).write_text(json.dumps(ErrorForm("directory.locked", 5, "process 7 has it").as_json()) + "\n")
    with pytest.raises(Failure) as raised:
        await_ready([late], lambda _: True)
    assert raised.value.form.code == "directory.locked", "and nobody has it any more"
    monkeypatch.setattr(LocalNode, "process", property(lambda _: 4711))
    await_ready([late], lambda _: True)


def test_a_node_that_dies_is_noticed_and_one_that_never_gets_ready_too(
    node: LocalNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = sleeping(node, "raise SystemExit(3)")
    dead.process.wait()
    with pytest.raises(Failure) as raised:
        await_ready([dead], lambda _: False)
    assert raised.value.form.code == CliRefusal.NODE_DIED
    slow = sleeping(node)
    try:
        with pytest.raises(Failure) as raised:
            await_ready([slow], lambda _: False, 0.05)
        assert (raised.value.form.code, raised.value.form.retryable) == (CliRefusal.NOT_READY, True)
        with pytest.raises(Failure):  # somebody answers there, but it is not our process that has the directory
            await_ready([slow], lambda _: True, 0.05)
        monkeypatch.setattr(LocalNode, "process", property(lambda _: slow.process.pid))
        await_ready([slow], lambda _: True)
    finally:
        abandon([slow])
    assert slow.process.returncode == -signal.SIGTERM


def test_what_does_not_end_when_asked_is_killed(node: LocalNode) -> None:
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"deaf\n"
    abandon([Started(node, process)], 0.1)
    assert process.returncode == -signal.SIGKILL
    process.stdout.close()


def test_nothing_is_sent_where_nobody_runs(node: LocalNode) -> None:
    assert send(node, signal.SIGTERM) == 0
    assert stop([node]) == ((), ())


def test_a_process_of_another_user_is_left_alone(node: LocalNode, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_process: int, _number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(LocalNode, "process", property(lambda _: 4711))
    monkeypatch.setattr(os, "kill", refuse)
    with pytest.raises(Failure) as raised:
        send(node, signal.SIGTERM)
    assert (raised.value.form.code, raised.value.form.exit) == (CliRefusal.NOT_OURS, ExitStatus.NOT_ALLOWED)


def test_the_tail_of_a_log_is_short_whatever_is_in_it(tmp_path: Path) -> None:
    assert tail(tmp_path / "nothing") == []
    (tmp_path / "log").write_bytes(b"\xff" * 100_000 + b"\none\ntwo\n")
    assert tail(tmp_path / "log", 2) == ["one", "two"]


def test_logs_are_merged_in_the_order_of_time(folder: Path, bpi: Bpi) -> None:
    bpi("init", "--validators", "2", "--port-base", "30000")
    for index, second in ((0, "02"), (1, "01")):
        line = {
            "at": f"2026-01-01T00:00:{second}.000Z",
            "level": "warning",
            "node": f"validator-{index}",
            "what": "said",
            "x": 1,
        }
        (folder / f".bpi/validator-{index}/node.log").write_text(json.dumps(line) + "\nno json\n")
    said = bpi("logs")
    assert said.out.splitlines() == [
        "00:00:01.000 validator-1  warning said x=1",
        "00:00:02.000 validator-0  warning said x=1",
        "no json",
        "no json",
    ]
    words = {"error": ErrorForm("disk.full", 70, "no space").as_json()["error"]}
    logs = folder / ".bpi/validator-1/logs"
    logs.mkdir(exist_ok=True)
    (logs / "start.log").write_text(json.dumps(words) + "\n")
    assert bpi("logs", "validator-1", "-n", "0").out == "validator-1 could not go on: [disk.full] no space\n"
    assert json.loads(bpi("logs", "validator-1", "-n", "0", "--json").out)["code"] == "disk.full"


def test_ports_are_shown_as_spans() -> None:
    assert spans([26600, 26603, 26601, 26602, 26620]) == "26600-26603, 26620"
    assert spans([]) == ""


def test_a_taken_port_is_seen_with_its_taker(folder: Path, bpi: Bpi) -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert not is_free(port)
        assert taker(port) in (
            f"process {os.getpid()} ({Path('/proc/self/comm').read_text().strip()})",
            "another program",
        )
        base = min(port, 65_495)
        if port == base and base >= 1_024:
            said = bpi("up", "--validators", "1", "--port-base", str(base), "--json")
            assert (said.status, said.error["code"]) == (5, CliRefusal.PORT_TAKEN)
            assert not (folder / ".bpi").exists(), "nothing is written before the ports are free"
    assert is_free(port)
    assert taker(port) == "another program"


def test_a_port_of_a_node_is_freed_by_the_command_that_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "validator-0"
    monkeypatch.setattr(ports, "node_folder", lambda _: folder)
    monkeypatch.setattr(ports, "_listener", lambda _: 12)
    assert taker(1) == f"process 12 (bpi node run --data {folder})"
    assert how_to_free(1, "choose") == "its folder is gone: kill 12; or choose"
    (tmp_path / "network.toml").touch()
    assert how_to_free(1, "choose") == f"bpi down --data {tmp_path}; or choose"
    monkeypatch.setattr(ports, "node_folder", lambda _: None)
    assert how_to_free(1, "choose") == "stop it, or choose"


def test_a_full_disk_is_said_before_a_node_is_started(folder: Path, bpi: Bpi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metanode.host.disk.free_bytes", lambda _: 5 << 20)
    said = bpi("up", "--port-base", "30000", "--json")
    assert (said.status, said.error["code"]) == (70, "disk.full")
    assert said.error["message"].startswith("only 5 MiB are free at ")
    assert said.error["message"].endswith("; storage.free_bytes_min is 256 MiB")
    assert not (folder / ".bpi").exists()
