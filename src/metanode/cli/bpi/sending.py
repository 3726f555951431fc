"""Sending calls: what is asked is said in one sentence, then signed, submitted and waited for."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, Final, TypeAlias, TypeVar

import click

from metanode.api.errors import ApiRefusal, explain
from metanode.api.exits import ExitStatus
from metanode.api.transactions import TransactionStatus
from metanode.cli.bpi.amounts import read_amount, show_amount
from metanode.cli.bpi.completing import accounts
from metanode.cli.bpi.keys import Names, Signer
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.trust import check_chain, local_genesis
from metanode.cli.failure import ErrorForm, Failure
from metanode.cli.session import Session
from metanode.client import Client, ClientError, DeadlinePassed
from metanode.client.transactions import (
    ATTEMPTS_MAX,
    LIFETIME_MS,
    NONCE_CONFLICTS,
    Glossary,
    Lanes,
    Terms,
    build,
    describe,
    encode_signed,
    sign,
)
from metanode.host.fault import FaultReason
from metanode.records.address import show_address
from metanode.records.calls import Call
from metanode.records.transaction import SignedTransaction, identity

SKEW_WORTH_A_WORD_S: Final = 10
"""A transaction lives a minute; a clock that is wrong by more than some seconds is worth a word."""

Function = TypeVar("Function", bound=Callable[..., Any])
Afterword: TypeAlias = Callable[[TransactionStatus], tuple[dict[str, Any], list[str]]]
"""What a command adds to a success: fields for programs, lines for people."""


@dataclass(frozen=True, slots=True)
class More:
    """What is told beyond the outcome: of a success, and of a failure by its code (empty: nothing more is known)."""

    after: Afterword | None = None
    of_failure: Callable[[str], str] = lambda _: ""


@dataclass(frozen=True, slots=True)
class How:
    """What every sending command can be told. Empty: what is configured."""

    account: str
    memo: str
    lane: int
    fee: str
    wait: str
    timeout: str


_OPTIONS: Final = (
    click.option("--account", default="", metavar="NAME", shell_complete=accounts, help="Who signs."),
    click.option("--memo", default="", help="A note that everybody can read."),
    click.option("--lane", type=click.IntRange(0), default=0, help="Transactions of different lanes do not wait."),
    click.option("--fee", default="0", metavar="AMOUNT", help="In the fee coin."),
    click.option("--wait", type=click.Choice(["final", "included", "none"]), help="Until when; final by default."),
    click.option("--timeout", default="", metavar="SECONDS", help="Longest wait; 30 by default."),
)


def sending(function: Function) -> Function:
    """The options of a command that sends a transaction; it gets them as `how`."""

    @wraps(function)
    def call(
        *args: Any, account: str, memo: str, lane: int, fee: str, wait: str | None, timeout: str, **rest: Any
    ) -> Any:
        return function(*args, how=How(account, memo, lane, fee, wait or "", timeout), **rest)

    command: Any = call
    for option in reversed(_OPTIONS):
        command = option(command)
    return command  # type: ignore[no-any-return]


def choose_waiting(session: Session, wait: str, timeout: str) -> tuple[str, float]:
    """Until when, and how long at most, in seconds: of the options, else of the configuration. Raises `Failure`."""
    for name, value in (("wait", wait), ("timeout", timeout)):
        if value:
            session.flags[name] = value
    return session.setting("wait"), float(session.setting("timeout"))


class Sending:
    """One transaction on its way, from names and amounts to its receipt."""

    def __init__(self, session: Session, how: How) -> None:
        self._session: Final = session
        self._how: Final = how
        self.client: Final = connect(session)
        self._trusted = local_genesis(session)
        self.names: Final = Names(session, self._trusted, self.client)

    @cached_property
    def signer(self) -> Signer:
        """Who signs. Raises `Failure`, `Fault`."""
        return self.names.signer(self._how.account)

    @cached_property
    def _decimals(self) -> dict[str, int]:
        return {}

    def decimals(self, coin: str) -> int:
        """Of a coin. Raises `ClientError` where there is none of this name."""
        if coin not in self._decimals:
            self._decimals[coin] = self.client.coin.get(coin).decimals
        return self._decimals[coin]

    def amount(self, text: str, coin: str) -> int:
        """Smallest units of a text. Raises `Failure`, `ClientError`."""
        return read_amount(text, self.decimals(coin), coin)

    def send(
        self, *calls: Call, extra: Sequence[Signer] = (), sender: bytes = b"", after: Afterword | None = None
    ) -> ExitStatus | None:
        """Say it, sign it, submit it, wait, tell what became of it. `extra`: further signers; `sender`: the account
        that acts, where it is not the first signer's own; `after`: more to say of what succeeded."""
        until, timeout_s = choose_waiting(self._session, self._how.wait, self._how.timeout)
        chain_id = self._chain()
        signers = (self.signer, *extra)
        fee = self._fee()
        lanes = Lanes(self.client, show_address(sender or self.signer.address))
        for attempt in range(ATTEMPTS_MAX):
            terms = Terms(
                lanes.take(self._how.lane),
                time.time_ns() // 1_000_000 + LIFETIME_MS,
                lane=self._how.lane,
                fee=fee,
                memo=self._how.memo,
                signatures=len(signers),
            )
            transaction = build(chain_id, sender or self.signer.address, calls, terms)
            sentence = describe(transaction, self._glossary())
            if attempt == 0:
                self._session.output.note(f"signing: {sentence}")
            signed = sign(transaction, *(one.key for one in signers))
            began = time.monotonic()
            try:
                submit(self.client, signed, timeout_s, began)
            except ClientError as error:
                if error.code not in NONCE_CONFLICTS or attempt + 1 == ATTEMPTS_MAX:
                    raise
                lanes.resync(self._how.lane)
                continue
            name = identity(transaction).hex()
            return tell(
                self._session, self.client, name, until, timeout_s, began, sentence, More(after, self._lack(calls))
            )
        raise AssertionError("the last attempt returns or raises")

    def _lack(self, calls: Sequence[Call]) -> Callable[[str], str]:
        """What to add to a failure: how much there is, where it was not enough."""

        def words(code: str) -> str:
            if code != "coin.insufficient":
                return ""
            try:
                balances = {b.coin: b for b in self.client.account.get(show_address(self.signer.address)).balances}
            except ClientError:
                return ""  # only a word more
            coins = {coin for call in calls if (coin := getattr(call, "coin", ""))}
            held = [
                f"{show_amount(balances[coin].amount, balances[coin].decimals)} {coin}"
                if coin in balances
                else f"no {coin}"
                for coin in sorted(coins)
            ]
            return f"; {self.signer.name} holds {', '.join(held)}" if held else ""

        return words

    def _warn_of_skew(self, node_ms: int) -> None:
        """A transaction expires by the chain's time and is dated by ours."""
        skew_s = (time.time_ns() // 1_000_000 - node_ms) / 1000
        if abs(skew_s) > SKEW_WORTH_A_WORD_S:
            where = "ahead of" if skew_s > 0 else "behind"
            self._session.output.note(
                f"this machine's clock is {abs(skew_s):.0f} s {where} the node's: run an NTP client"
            )

    def _chain(self) -> bytes:
        """The chain that is signed for: the trusted one where there is one; never another than the node's."""
        status = self.client.node.status()
        check_chain(self._trusted, status.chain_id)
        self._warn_of_skew(status.now_ms)
        if self.signer.is_development and not status.development:
            message = f"{self.signer.name} is a development key, which everybody can make; this is no development chain"
            raise Failure(
                FaultReason.KEY_DEVELOPMENT_ONLY,
                ExitStatus.NOT_ALLOWED,
                message,
                fix="bpi account create makes a real key",
            )
        return bytes.fromhex(status.chain_id)

    def _fee(self) -> int:
        if self._how.fee == "0":
            return 0
        coin = self._fee_coin()
        return self.amount(self._how.fee, coin)

    def _fee_coin(self) -> str:
        return self._trusted.genesis.fee_coin if self._trusted else self.client.node.genesis().fee_coin

    def _glossary(self) -> Glossary:
        fee_coin = self._fee_coin() if self._how.fee != "0" else ""
        return Glossary(self.names.by_address(), self._decimals.get, fee_coin)


def submit(client: Client, signed: SignedTransaction, timeout_s: float, began: float) -> None:
    """Put the bytes into the pool. Where the answer is lost the same bytes go again, which is safe, until the deadline.

    Raises `ClientError`; `DeadlinePassed` where nobody knows whether they arrived.
    """
    encoded, name = encode_signed(signed), identity(signed.transaction).hex()
    while True:
        try:
            client.transaction.submit(encoded)
        except ClientError as error:
            if not isinstance(error, DeadlinePassed) and error.code != ApiRefusal.UNKNOWN_OUTCOME:
                raise
            if time.monotonic() - began > timeout_s:
                raise outcome_unknown(name, timeout_s) from None
        else:
            return


def outcome_unknown(name: str, timeout_s: float) -> Failure:
    """61: the deadline passed, and how to resume."""
    message = f"transaction {name} is not settled after {timeout_s:g} s: it may still become final"
    fix = f"bpi transaction wait {name}"
    return Failure(ApiRefusal.DEADLINE, ExitStatus.OUTCOME_UNKNOWN, message, rule="HTTP-16", fix=fix, retryable=True)


def tell(
    session: Session,
    client: Client,
    name: str,
    until: str,
    timeout_s: float,
    began: float,
    sentence: str = "",
    more: More = More(),
) -> ExitStatus | None:
    """Wait for a transaction and say what became of it. Its failure is a result, an error and an exit status."""
    output = session.output
    said: dict[str, Any] = {"sentence": sentence} if sentence else {}
    if until == "none":
        data: dict[str, Any] = {"identity": name, "state": "pending", **said}
        output.result("transaction/1", data, lambda: output.line(f"SENT   {name}\ntry:   bpi transaction wait {name}"))
        return None
    try:
        status = client.transaction.wait(name, "included" if until == "included" else "final", timeout_s)
    except DeadlinePassed:
        raise outcome_unknown(name, timeout_s) from None
    took = time.monotonic() - began
    facts, words = more.after(status) if more.after is not None and status.succeeded else ({}, [])
    data = {**_facts(status), "took_s": round(took, 3), **said, **facts}

    def human() -> None:
        for line in (_words(session, status, took), *words):
            output.line(line)

    output.result("transaction/1", data, human)
    if status.state == "final" and not status.succeeded:
        meaning = explain(status.code)
        message = f"transaction {name} is final and failed: {status.code}; it changed nothing but its nonce and fee"
        message += more.of_failure(status.code)
        output.error(ErrorForm(status.code, meaning.exit, message, meaning.rule, meaning.fix, meaning.retryable))
        return meaning.exit
    return None


def _facts(status: TransactionStatus) -> dict[str, Any]:
    import msgspec

    facts: dict[str, Any] = msgspec.to_builtins(status)
    del facts["waiting"]
    return facts


def _words(session: Session, status: TransactionStatus, took_s: float) -> str:
    match status.state, status.succeeded:
        case "final", True:
            word = session.output.styled("FINAL", "good")
        case "final", False:
            word = session.output.styled("FAILED", "bad")
        case state, _:
            resume = f"try:  bpi transaction wait {status.identity}"
            return f"{state.upper()}  {status.identity} · {took_s:.2f} s\n{resume}"
    return f"{word}  height {status.height} · {took_s:.2f} s · receipt {status.receipt}"
