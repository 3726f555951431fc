"""Transactions on their way: submitted alone or in batches, waited for until they are final."""

import time
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from metanode.api import methods
from metanode.api.errors import ApiError, ApiRefusal, error_form
from metanode.api.shapes import WAIT_MS_MAX
from metanode.api.transactions import (
    Submitted,
    TransactionGet,
    TransactionStatus,
    TransactionSubmit,
    TransactionView,
    TransactionWait,
)
from metanode.client.calling import Caller, refusal_of
from metanode.client.failures import ClientError, DeadlinePassed, Unreachable, failure

_BYTES: Final = "application/octet-stream"
_MARGIN_S: Final = 5.0
"""What an answer may be later than the long poll it ends."""


class BatchOutcome(NamedTuple):
    """One transaction of a batch: its identity (32 bytes), and the refusal's code, empty where it was accepted."""

    identity: bytes
    code: str
    detail: str

    @property
    def accepted(self) -> bool:
        """It is in the pool, or was there, or in a block, before."""
        return self.code in ("", ApiRefusal.ALREADY_KNOWN)


_OUTCOMES: Final = msgspec.msgpack.Decoder(list[tuple[bytes, str, str]])


class Transactions:
    """`transaction.*`. Bytes are those of a signed transaction, as `client.transactions` makes them."""

    def __init__(self, caller: Caller) -> None:
        self._caller: Final = caller

    def submit(self, encoded: bytes) -> Submitted:
        """`transaction.submit`. Again is harmless. Raises `ClientError` with the refusal's code."""
        return self._caller.call(methods.TRANSACTION_SUBMIT, TransactionSubmit(transaction=encoded.hex()))

    def submit_batch(self, batch: Sequence[bytes], timeout_s: float = 0.0) -> list[BatchOutcome]:
        """`transaction.submit_batch` in its binary form, at most 4,096 at once; one outcome each, in order."""
        response = self._caller.connection.request(
            "POST",
            methods.TRANSACTION_SUBMIT_BATCH.path,
            msgspec.msgpack.encode(batch),
            {"Content-Type": _BYTES},
            timeout_s=timeout_s or self._caller.timeout_s,
        )
        if response.status != 200:
            raise refusal_of(response)
        try:
            outcomes = _OUTCOMES.decode(response.body)
        except msgspec.MsgspecError as error:
            raise failure(ApiRefusal.BAD_ANSWER, f"batch: {error}") from None
        if len(outcomes) != len(batch):
            raise failure(ApiRefusal.BAD_ANSWER, f"{len(outcomes)} outcomes of {len(batch)} transactions")
        return [BatchOutcome(*outcome) for outcome in outcomes]

    def get(self, identity: str) -> TransactionStatus:
        """`transaction.get`."""
        return self._caller.call(methods.TRANSACTION_GET, TransactionGet(identity=identity))

    def show(self, identity: str) -> TransactionView:
        """`transaction.show`."""
        return self._caller.call(methods.TRANSACTION_SHOW, TransactionGet(identity=identity))

    def wait(
        self, identity: str, until: Literal["included", "final"] = "final", timeout_s: float = 30.0
    ) -> TransactionStatus:
        """`transaction.wait`, asked again until it is settled. A node that is away for a moment is waited for, too.

        Raises `DeadlinePassed` with the identity to wait for again, `ClientError` where it was dropped.
        """
        deadline = time.monotonic() + timeout_s
        unreachable: Unreachable | None = None
        while True:
            left = deadline - time.monotonic()
            try:
                status = self._poll(identity, until, max(0.0, left))
            except (Unreachable, DeadlinePassed) as error:
                unreachable = error if isinstance(error, Unreachable) else None
                status = None
            except ClientError as error:
                if not error.retryable and error.code != ApiRefusal.UNKNOWN_OUTCOME:
                    raise
                status = None
            if status is not None and not status.waiting:
                if status.state == "dropped":
                    raise failure(status.code, f"transaction {identity} was dropped")
                return status
            if time.monotonic() >= deadline:
                if unreachable is not None and status is None:
                    raise unreachable
                detail = f"transaction {identity} is not {until} after {timeout_s:g} s"
                fix = f"bpi transaction wait {identity}"
                raise DeadlinePassed(error_form(ApiError(ApiRefusal.DEADLINE, detail, fix)), identity)
            if status is None:
                time.sleep(min(0.2, max(0.0, deadline - time.monotonic())))

    def _poll(self, identity: str, until: Literal["included", "final"], left_s: float) -> TransactionStatus:
        timeout_ms = min(WAIT_MS_MAX, int(left_s * 1000))
        request = TransactionWait(identity=identity, until=until, timeout_ms=timeout_ms)
        return self._caller.call(methods.TRANSACTION_WAIT, request, timeout_ms / 1000 + _MARGIN_S)
