"""Questions of clients on their way through the node: one number each, one future each. Implements `Door`."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from metanode.api.errors import ApiError, ApiRefusal
from metanode.api.shapes import Answer, Request
from metanode.host.http_door import Outcome
from metanode.node import effects as out
from metanode.node import events as heard

WAITING_MAX: Final = 4_096
"""Questions under way at once; one more is told that the node is busy."""
KNOWN: Final = ApiRefusal.ALREADY_KNOWN.value
"""Success, too: it was here before."""
ANSWER_TIMEOUT_S: Final = 10.0
"""The node answers in milliseconds; a flood of signature checks may take longer, this is too long."""


class Clients:
    """The door the HTTP face knocks at."""

    def __init__(self, now_ms: Callable[[], int], metrics: Callable[[], bytes]) -> None:
        self._deliver: Callable[[heard.Event], None]
        self._now_ms = now_ms
        self._metrics = metrics
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._next = 1
        self._head = 0
        self._wakers: dict[int, Callable[[], None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = False
        self.is_ready = False

    def connect(self, deliver: Callable[[heard.Event], None]) -> None:
        """From now on questions go there."""
        self._deliver = deliver

    def stop(self) -> None:
        """From now on nothing is asked any more."""
        self.is_ready, self._is_stopping = False, True

    async def ask(self, method: str, request: Request) -> Answer | ApiError:
        """Answer a method of the table."""
        return await self._through(lambda number: heard.Asked(self._now_ms(), number, method, request))  # type: ignore[no-any-return]

    async def submit(self, batch: tuple[bytes, ...]) -> Sequence[Outcome] | ApiError:
        """Put signed transactions into the pool."""
        return await self._through(lambda number: heard.SubmittedBatch(self._now_ms(), number, batch))  # type: ignore[no-any-return]

    async def _through(self, event: Callable[[int], heard.Event]) -> Any:
        if self._is_stopping:
            return ApiError(ApiRefusal.NOT_READY, "the node stops")
        if len(self._waiting) >= WAITING_MAX:
            return ApiError(ApiRefusal.BUSY, f"{WAITING_MAX} questions are under way")
        number, self._next = self._next, self._next + 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._deliver(event(number))
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await future
        except TimeoutError:
            return ApiError(ApiRefusal.TIMED_OUT, f"no answer within {ANSWER_TIMEOUT_S:.0f} s")
        finally:
            self._waiting.pop(number, None)

    def head(self) -> int:
        """The height of the last final block here."""
        return self._head

    def set_head(self, height: int) -> None:
        """What recovery found."""
        self._head = max(self._head, height)

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` at each final block, until the answer is called."""
        number, self._next = self._next, self._next + 1
        self._wakers[number] = wake
        return lambda: (self._wakers.pop(number, None), None)[1]

    def metrics(self) -> bytes:
        """Prometheus text."""
        return self._metrics()

    def ready(self) -> bool:
        """Whether the node has recovered."""
        return self.is_ready

    def outward(self, effect: out.Answer | out.BatchAnswer | out.PublishFinal) -> None:
        """An answer finds its future; a final block wakes subscribers."""
        match effect:
            case out.Answer(request, answer):
                self._resolve(request, answer)
            case out.BatchAnswer(request, outcomes):
                self._resolve(request, [Outcome(i, c or (KNOWN if known else ""), d) for i, c, d, known in outcomes])
            case out.PublishFinal(height):
                self._head = height
                for wake in tuple(self._wakers.values()):
                    wake()

    def _resolve(self, request: int, answer: Any) -> None:
        future = self._waiting.get(request)
        if future is not None and not future.done():
            future.set_result(answer)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the loop; it is kept until it ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
