"""What commands make of a node's answers, without a node: a client that says what the test wants."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
from tests.unit.cli.conftest import Bpi

from metanode.api.exits import ExitStatus
from metanode.api.transactions import ReceiptFileView, TransactionStatus
from metanode.cli.bpi.commands import demo_tamper, receipt, transaction
from metanode.cli.bpi.load import Report
from metanode.cli.bpi.sending import More, choose_waiting, submit, tell
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session
from metanode.client import ClientError, DeadlinePassed
from metanode.client.failures import failure
from metanode.client.transactions import Terms, build, sign
from metanode.primitives import ed25519
from metanode.primitives.codec import CodecRefusal
from metanode.primitives.refusal import Rejected
from metanode.records.calls import CoinBurn

NAME = "ab" * 32


def client(**rooms: Any) -> Any:
    """A client with these rooms and no others."""
    return SimpleNamespace(**rooms)


def status(**fields: Any) -> TransactionStatus:
    return TransactionStatus(**{"identity": NAME, "state": "final", "height": 9, "receipt": "rcpt_X", **fields})


def test_a_success_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert folder.is_dir()
    answers = client(transaction=SimpleNamespace(wait=lambda *_: status(succeeded=True)))
    assert tell(Session(), answers, NAME, "final", 1.0, 0.0) is None
    assert capsys.readouterr().out.startswith("FINAL  height 9 · ")


def test_a_failure_is_a_result_an_error_and_a_status(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert folder.is_dir()
    answers = client(transaction=SimpleNamespace(wait=lambda *_: status(code="coin.insufficient")))
    assert tell(Session(), answers, NAME, "final", 1.0, 0.0) is ExitStatus.INSUFFICIENT
    said = capsys.readouterr()
    assert said.out.startswith("FAILED  height 9")
    assert "[coin.insufficient]" in said.err


def test_a_failure_for_want_of_funds_says_how_much_there_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert folder.is_dir()
    answers = client(transaction=SimpleNamespace(wait=lambda *_: status(code="coin.insufficient")))
    more = More(of_failure=lambda code: f"; acme holds 4.20 USD, {code}")
    tell(Session(), answers, NAME, "final", 1.0, 0.0, more=more)
    assert "nonce and fee; acme holds 4.20 USD, coin.insufficient\n" in capsys.readouterr().err


def test_included_is_not_called_final(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert folder.is_dir()
    answers = client(transaction=SimpleNamespace(wait=lambda *_: status(state="included", height=0, receipt="")))
    assert tell(Session(), answers, NAME, "included", 1.0, 0.0) is None
    assert capsys.readouterr().out.startswith(f"INCLUDED  {NAME}")


def test_a_deadline_says_how_to_resume(folder: Path) -> None:
    assert folder.is_dir()

    def late(*_: object) -> TransactionStatus:
        raise DeadlinePassed(failure("client.deadline", "late").form, NAME)

    with pytest.raises(Failure) as raised:
        tell(Session(), client(transaction=SimpleNamespace(wait=late)), NAME, "final", 1.0, 0.0)
    assert (raised.value.form.exit, raised.value.form.fix) == (61, f"bpi transaction wait {NAME}")


def test_the_same_bytes_go_again_where_the_answer_was_lost() -> None:
    sent: list[bytes] = []

    def flaky(encoded: bytes) -> None:
        sent.append(encoded)
        if len(sent) < 3:
            raise failure("client.unknown-outcome", "hung up")

    key = ed25519.SigningKey(bytes(32))
    signed = sign(build(bytes(32), bytes(20), (CoinBurn(coin="USD", amount=b"\1"),), Terms(0, 1)), key)
    from time import monotonic

    submit(client(transaction=SimpleNamespace(submit=flaky)), signed, 60.0, monotonic())
    assert len(sent) == 3
    assert len(set(sent)) == 1

    def lost(_: bytes) -> None:
        raise failure("client.unknown-outcome", "hung up")

    with pytest.raises(Failure) as raised:
        submit(client(transaction=SimpleNamespace(submit=lost)), signed, 0.0, monotonic() - 1)
    assert raised.value.form.exit == ExitStatus.OUTCOME_UNKNOWN

    def refused(_: bytes) -> None:
        raise failure("ledger.expired", "too late")

    with pytest.raises(ClientError) as refusal:
        submit(client(transaction=SimpleNamespace(submit=refused)), signed, 60.0, monotonic())
    assert refusal.value.exit == ExitStatus.EXPIRED


def test_waiting_is_of_the_options_then_of_the_configuration(folder: Path, bpi: Bpi) -> None:
    assert choose_waiting(Session(), "", "") == ("final", 30.0)
    bpi("config", "set", "wait", "none")
    assert choose_waiting(Session(), "", "") == ("none", 30.0)
    assert choose_waiting(Session(), "included", "5") == ("included", 5.0)
    with pytest.raises(Failure) as raised:
        choose_waiting(Session(), "", "soon")
    assert (raised.value.form.code, folder.is_dir()) == (CliRefusal.CONFIGURATION, True)


def test_an_export_that_cannot_be_written_is_refused(bpi: Bpi, monkeypatch: pytest.MonkeyPatch) -> None:
    view = ReceiptFileView(receipt="rcpt_X", height=9, file="00ff")

    class Connected(SimpleNamespace):
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            return

    monkeypatch.setattr(receipt, "connect", lambda _: Connected(receipt=SimpleNamespace(export=lambda _: view)))
    said = bpi("receipt", "export", "rcpt_20000N49", "-o", "no/such/folder", "--json")
    assert (said.status, said.error["code"]) == (4, CliRefusal.FILE_NOT_WRITABLE)
    made = bpi("receipt", "export", "rcpt_20000N49", "--json")
    assert (made.data["file"], Path("rcpt_X.receipt").read_bytes()) == ("rcpt_X.receipt", b"\x00\xff")


def test_there_is_nothing_to_tamper_with_on_an_empty_chain() -> None:
    empty = SimpleNamespace(items=(SimpleNamespace(transactions=0, height=1),), next=0)
    with pytest.raises(Failure) as raised:
        demo_tamper._last(client(block=SimpleNamespace(list=lambda *_: empty)))
    assert (raised.value.form.code, raised.value.form.exit) == (CliRefusal.NOTHING_THERE, ExitStatus.NOT_FOUND)


def test_a_report_counts_what_was_lost_and_orders_what_was_not() -> None:
    report = Report(sent=10, refused=2, final=7, latencies=[0.3, 0.1, 0.2, 0.5])
    assert (report.lost, report.percentile(0.5), report.percentile(0.99)) == (1, 0.3, 0.5)
    assert Report().percentile(0.5) == 0.0


@pytest.mark.parametrize(
    "line", [["transaction", "show", "xx"], ["transaction", "wait", "AB" * 32], ["receipt", "get", "rcpt_20000N48"]]
)
def test_a_mistyped_name_is_seen_before_a_node_is_asked(line: list[str], bpi: Bpi) -> None:
    said = bpi(*line, "--node", "http://127.0.0.1:9", "--json")
    assert (said.status, said.error["code"]) == (2, CliRefusal.USAGE)
    assert bpi("receipt", "get", "rcpt_20000N49", "--node", "http://127.0.0.1:9").status == 60


def test_a_file_that_is_neither_a_transaction_nor_calls_is_told_both_reasons() -> None:
    """Found in a journey: of bytes that are almost a transaction it was said only that they are not JSON."""
    unsigned = transaction._signed(b"\xff\x00")
    assert isinstance(unsigned, Rejected)
    with pytest.raises(Failure) as caught:
        transaction._calls("almost.bin", b"\xff\x00", unsigned)
    assert caught.value.form.code == CliRefusal.FILE_NOT_READABLE
    assert CodecRefusal.MALFORMED in caught.value.form.message
