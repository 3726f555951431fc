"""Carrying out a method of the table, whoever asks and however: the one way from the port to the node."""

import asyncio
import binascii
import logging
from base64 import b64decode
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from metanode.api.errors import ApiError, ApiRefusal
from metanode.api.method import Method, Scope
from metanode.api.methods import (
    NODE_STATUS,
    TRANSACTION_GET,
    TRANSACTION_SUBMIT,
    TRANSACTION_SUBMIT_BATCH,
    TRANSACTION_WAIT,
)
from metanode.api.shapes import BATCH_MAX, Answer, Request
from metanode.api.transactions import (
    SubmitOutcome,
    Submitted,
    SubmittedBatch,
    TransactionGet,
    TransactionStatus,
    TransactionSubmit,
    TransactionSubmitBatch,
    TransactionWait,
)
from metanode.host.http_door import Door, Outcome
from metanode.host.http_guard import Caller
from metanode.host.http_head import Head
from metanode.host.http_limits import Places
from metanode.host.http_settings import PortSettings

POLL_MS: Final = 250
"""How often a long poll looks again where no new block wakes it."""
_LOG: Final = logging.getLogger("metanode.http")
_BATCHES: Final = msgspec.msgpack.Decoder(list[bytes])


def submission_bytes(text: str, encoding: str) -> bytes | ApiError:
    """HTTP-14. The bytes of a transaction written as text."""
    try:
        return bytes.fromhex(text) if encoding == "hex" else b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return ApiError(ApiRefusal.INVALID_ARGUMENTS, f"transaction: not {encoding}: {text[:40]!r}")


def binary_batch(body: bytes) -> tuple[bytes, ...] | ApiError:
    """HTTP-14. The transactions of a binary batch: a msgpack array of byte strings."""
    try:
        batch = _BATCHES.decode(body)
    except msgspec.MsgspecError as error:
        return ApiError(ApiRefusal.MALFORMED, f"not a msgpack array of byte strings: {error}")
    if not 0 < len(batch) <= BATCH_MAX:
        return ApiError(ApiRefusal.INVALID_ARGUMENTS, f"{len(batch)} transactions, 1 to {BATCH_MAX}")
    return tuple(batch)


class Calls:
    """Judges scope, readiness and time once for every face, and makes the compound methods out of the simple ones."""

    def __init__(self, settings: PortSettings, door: Door, head: Head) -> None:
        self._settings: Final = settings
        self._door: Final = door
        self._head: Final = head
        self._waits: Final = Places(settings.waits_max)

    async def call(self, method: Method[Any, Any], request: Request, caller: Caller) -> Answer | ApiError:
        """HTTP-3. The answer of a method, or why not; never an exception."""
        refusal = self.refusal(method, caller)
        if refusal is not None:
            return refusal
        try:
            match request:
                case TransactionSubmit():
                    return await self._submit(request)
                case TransactionSubmitBatch():
                    return await self._submit_texts(request)
                case TransactionWait():
                    return await self._wait(request)
                case _:
                    return await self._ask(method, request)
        except TimeoutError:
            return self._timed_out(method)
        except Exception:
            _LOG.exception("a bug while answering %s", method.name)
            return ApiError(ApiRefusal.INTERNAL, f"{method.name} failed inside the node")

    async def submit_binary(self, body: bytes, caller: Caller) -> Sequence[Outcome] | ApiError:
        """HTTP-14. The hot path: bytes in, outcomes out."""
        refusal = self.refusal(TRANSACTION_SUBMIT_BATCH, caller)
        if refusal is not None:
            return refusal
        batch = binary_batch(body)
        if isinstance(batch, ApiError):
            return batch
        try:
            return await self._submit_batch(batch)
        except TimeoutError:
            return self._timed_out(TRANSACTION_SUBMIT_BATCH)
        except Exception:
            _LOG.exception("a bug while taking a batch")
            return ApiError(ApiRefusal.INTERNAL, "the batch failed inside the node")

    def refusal(self, method: Method[Any, Any], caller: Caller) -> ApiError | None:
        """HTTP-9, HTTP-10, HTTP-6. Whether this caller may ask this now."""
        if method.scope not in caller.scopes:
            return ApiError(ApiRefusal.FORBIDDEN, f"{method.name} needs the scope {method.scope!r}")
        if method.development and not self._settings.development:
            return ApiError(ApiRefusal.DEVELOPMENT_ONLY, f"{method.name} exists on development chains only")
        if method.scope is not Scope.ADMIN and method is not NODE_STATUS and not self._door.ready():
            return ApiError(ApiRefusal.NOT_READY, "the node is still recovering")
        return None

    def _timed_out(self, method: Method[Any, Any]) -> ApiError:
        return ApiError(ApiRefusal.TIMED_OUT, f"{method.name}: no answer in {self._settings.request_timeout_ms} ms")

    async def _ask(self, method: Method[Any, Any], request: Request) -> Answer | ApiError:
        async with asyncio.timeout(self._settings.request_timeout_ms / 1000):
            return await self._door.ask(method.name, request)

    async def _submit_batch(self, batch: tuple[bytes, ...]) -> Sequence[Outcome] | ApiError:
        async with asyncio.timeout(self._settings.request_timeout_ms / 1000):
            return await self._door.submit(batch)

    async def _submit(self, request: TransactionSubmit) -> Answer | ApiError:
        """HTTP-14. What was there before is accepted again: resubmission changes nothing."""
        data = submission_bytes(request.transaction, request.encoding)
        if isinstance(data, ApiError):
            return data
        outcomes = await self._submit_batch((data,))
        if isinstance(outcomes, ApiError):
            return outcomes
        (outcome,) = outcomes
        known = outcome.code == ApiRefusal.ALREADY_KNOWN
        if outcome.code and not known:
            return ApiError(outcome.code, outcome.detail)
        return Submitted(identity=outcome.identity.hex(), known=known)

    async def _submit_texts(self, request: TransactionSubmitBatch) -> Answer | ApiError:
        batch: list[bytes] = []
        for text in request.transactions:
            data = submission_bytes(text, request.encoding)
            if isinstance(data, ApiError):
                return data
            batch.append(data)
        outcomes = await self._submit_batch(tuple(batch))
        if isinstance(outcomes, ApiError):
            return outcomes
        items = tuple(SubmitOutcome(identity=o.identity.hex(), code=o.code, detail=o.detail) for o in outcomes)
        accepted = sum(o.code in ("", ApiRefusal.ALREADY_KNOWN) for o in outcomes)
        return SubmittedBatch(accepted=accepted, refused=len(items) - accepted, items=items)

    async def _wait(self, request: TransactionWait) -> Answer | ApiError:
        """HTTP-13. A long poll ends at its deadline with what is known then."""
        if not self._waits.enter():
            return ApiError(ApiRefusal.BUSY, f"{self._settings.waits_max} long polls are open")
        try:
            return await self._wait_until(request)
        finally:
            self._waits.leave()

    async def _wait_until(self, request: TransactionWait) -> Answer | ApiError:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + request.timeout_ms / 1000
        enough = ("final", "dropped") if request.until == "final" else ("included", "final", "dropped")
        while True:
            changed = self._head.changed()
            status = await self._ask(TRANSACTION_GET, TransactionGet(identity=request.identity))
            if not isinstance(status, TransactionStatus) or status.state in enough:
                return status
            left = deadline - loop.time()
            if left <= 0 or self._head.closed:
                return msgspec.structs.replace(status, waiting=True)
            await asyncio.wait((changed,), timeout=min(left, POLL_MS / 1000))


assert TRANSACTION_SUBMIT.request is TransactionSubmit, "the compound methods are known by their requests"
assert TRANSACTION_WAIT.request is TransactionWait, "the compound methods are known by their requests"
