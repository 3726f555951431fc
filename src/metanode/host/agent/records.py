"""What the agent's machine says has happened, as receipts: one after the other, durable before they are reported."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from metanode.docklock.agent.events import Record
from metanode.docklock.cluster.state import Assignment, Share
from metanode.docklock.receipts import Happening, details
from metanode.host.agent.receipt_log import ReceiptLog
from metanode.records.cluster import ReceiptBatch
from metanode.records.workload_receipt import DetailValue, SignedEntry, command_digest, signed_digest

WITHOUT_ENGINE: Final = ("verified", "refused")
"""Steps before any engine has to do with it."""

Read = TypeVar("Read")


class PinnedSoFar:
    """WREC-20. How many entries the chain has pinned (`count`), with which one the next report begins (`due`), and
    where it is known the height at which a batch was pinned, by its first entry. `more` is set when there are more."""

    def __init__(self) -> None:
        self.count = 0
        self.due = 0
        self.heights: dict[int, int] = {}
        self.more: Final = asyncio.Event()
        self._height = 0

    def begin(self, kept: int) -> None:
        """So many are pinned by the proofs that are kept, whatever the chain still knows of the node."""
        self._saw(kept)

    def heard(self, height: int, share: Share) -> None:
        """CLUSTER-9. A share that was proved at a height. One that is older than the last report leads nowhere back;
        one of a node that has pinned nothing since it came in lets it go on where it was."""
        if share.pinned.count and height >= self._height:
            self._saw(share.receipts)

    def reported(self, batch: ReceiptBatch, height: int) -> None:
        """The node's own report with this batch is final."""
        self._height = height
        if batch.count:
            self.heights[batch.first] = height
            self._saw(batch.first + batch.count)

    def forget(self, below: int) -> None:
        """Heights of batches before an entry are not asked for any more."""
        self.heights = {first: height for first, height in self.heights.items() if first >= below}

    def _saw(self, due: int) -> None:
        self.due = due
        if due > self.count:
            self.count = due
            self.more.set()


class Records:
    """WREC-15. One writer: appends wait for each other, and happen in a thread because they wait for the disk.

    `height`: the last header that the agent has verified. `engine`: what placement calls the runtime. `now_ms`: this
    machine's clock.
    """

    def __init__(self, log: ReceiptLog, engine: str, height: Callable[[], int], now_ms: Callable[[], int]) -> None:
        self._log: Final = log
        self._engine: Final = engine
        self._height: Final = height
        self._now_ms: Final = now_ms
        self._lock: Final = asyncio.Lock()
        self.pinned: Final = PinnedSoFar()
        self.witnessed: Callable[[str, Assignment, bytes], dict[str, DetailValue]] = lambda *_: {}
        self._waiting: Final[asyncio.Queue[Happening | Record]] = asyncio.Queue()

    def put(self, effect: Record) -> None:
        """A step of a container's life, to be written in its turn."""
        if effect.assignment is None:
            self._waiting.put_nowait(effect)
            return
        told: dict[str, DetailValue] = {"reason": effect.reason} if effect.reason else {}
        if effect.step == "exited":
            told.update(self.witnessed(effect.name, effect.assignment, effect.image))
        self._waiting.put_nowait(
            self._happening(effect.step, effect.assignment, effect.image, effect.code, told, effect.now_ms)
        )

    def tell(
        self, step: str, one: Assignment | None, image: bytes, told: dict[str, DetailValue], code: str = ""
    ) -> None:
        """Any other step, about a replica or about none, to be written in its turn."""
        self._waiting.put_nowait(self._happening(step, one, image, code, told))

    async def write(
        self, step: str, one: Assignment | None, image: bytes, told: dict[str, DetailValue], code: str = ""
    ) -> SignedEntry:
        """A step that is durable when this returns: what must be written down before it is done."""
        return await self._append(self._happening(step, one, image, code, told))

    async def run(self) -> None:
        """Write what was put, in order, until cancelled. Raises `Fault`: an agent that cannot write does not go on."""
        while True:
            found = await self._waiting.get()
            try:
                happening = await self._remembered(found) if isinstance(found, Record) else found
                if happening is not None:
                    await self._append(happening)
            finally:
                self._waiting.task_done()

    async def executed(
        self, one: Assignment, image: bytes, caller: bytes, command: tuple[str, ...]
    ) -> Callable[[str, str], None]:
        """WREC-24. Somebody has a command executed in a container: written down before it begins. What is returned says
        how it ended: its exit status, or why there is none."""
        told: dict[str, DetailValue] = {"caller": caller, "command": command_digest(command)}
        begun = await self.write("execed", one, image, told)

        def ended(code: str, reason: str = "") -> None:
            why: dict[str, DetailValue] = {"reason": reason} if reason else {}
            self.tell("execed", one, image, {**told, **why, "of": signed_digest(begun)}, code)

        return ended

    async def next_batch(self, pinned: int) -> ReceiptBatch:
        """WREC-7. What the next report pins; everything put so far is in the log by then."""
        await self._waiting.join()
        return await self.reading(lambda log: log.next_batch(pinned))

    async def reading(self, read: Callable[[ReceiptLog], Read]) -> Read:
        """Something read from the log, in a thread, while nothing is written."""
        async with self._lock:
            return await asyncio.to_thread(read, self._log)

    async def _remembered(self, effect: Record) -> Happening | None:
        """WREC-26. A step of a container that an earlier agent has written of: what it was is in the log; nothing where
        it is not, for then nobody ever said that it ran."""
        match effect.name.split("."):
            case [_, workload, index, attempt] if index.isdecimal() and attempt.isdecimal():
                last = await self.reading(lambda log: log.last_about(workload, int(index), int(attempt)))
            case _:
                last = None
        if last is None:
            return None
        entry = last.entry
        return Happening(
            time_ms=effect.now_ms,
            height=self._height(),
            step=effect.step,
            workload=entry.workload,
            index=entry.index,
            attempt=entry.attempt,
            revision=entry.revision,
            spec=entry.spec,
            image=entry.image,
            engine=self._engine,
            code=effect.code,
            details=details(**({"reason": effect.reason} if effect.reason else {})),
        )

    def _happening(
        self,
        step: str,
        one: Assignment | None,
        image: bytes,
        code: str,
        told: dict[str, DetailValue],
        now_ms: int = 0,
    ) -> Happening:
        return Happening(
            time_ms=now_ms or self._now_ms(),
            height=self._height(),
            step=step,
            workload=one.workload if one else "",
            index=one.index if one else 0,
            attempt=one.attempt if one else 0,
            revision=one.revision if one else 0,
            spec=one.spec if one else b"",
            image=image,
            engine="" if step in WITHOUT_ENGINE else self._engine,
            code=code,
            details=details(**{name.replace("-", "_"): value for name, value in told.items()}),
        )

    async def _append(self, happening: Happening) -> SignedEntry:
        async with self._lock:
            return (await asyncio.to_thread(self._log.append, (happening,)))[0]
