"""The head of the chain as something to wait for, and pages of events shared by all who read them."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from metanode.api.blocks import EventList, EventPage
from metanode.api.errors import ApiError, ApiRefusal
from metanode.api.methods import EVENT_LIST
from metanode.host.http_door import Door

PAGE_EVENTS: Final = 200
"""Events read at once: some 200 KiB."""
PAGES_MAX: Final = 16
"""Pages kept for the next reader: those at the head all want the same ones."""


class Rendered(NamedTuple):
    """One event as text of a stream."""

    id: str
    kind: str
    text: bytes


class RenderedPage(NamedTuple):
    """Events, the cursor after them, and whether the head was reached."""

    items: tuple[Rendered, ...]
    next: str


def _render(page: EventPage) -> RenderedPage:
    encode = msgspec.json.encode
    return RenderedPage(
        tuple(
            Rendered(
                item.id,
                item.kind,
                b"id: %s\nevent: %s\ndata: %s\n\n" % (item.id.encode(), item.kind.encode(), encode(item.data)),
            )
            for item in page.items
        ),
        page.next,
    )


class Head:
    """HTTP-15. Wakes everyone who waits for a block, and reads each page of events once."""

    def __init__(self, door: Door, timeout_ms: int) -> None:
        self._door: Final = door
        self._timeout_ms: Final = timeout_ms
        self._changed: asyncio.Future[None] | None = None
        self._pages: Final[OrderedDict[tuple[str, str], RenderedPage]] = OrderedDict()
        self._reading: Final[dict[tuple[str, str], asyncio.Task[RenderedPage | ApiError]]] = {}
        self._unsubscribe: Final[Callable[[], None]] = door.subscribe(self._wake)
        self.closed = False

    @property
    def height(self) -> int:
        """The last final block."""
        return self._door.head()

    def changed(self) -> asyncio.Future[None]:
        """Done when the head has moved on since this call, or the port closes. Shared: never cancel it."""
        if self._changed is None:
            self._changed = asyncio.get_running_loop().create_future()
            if self.closed:
                self._changed.set_result(None)
        return self._changed

    def close(self) -> None:
        """Wake everyone for the last time."""
        self._unsubscribe()
        self.closed = True
        self._wake()

    async def page(self, after: str, kinds: str) -> RenderedPage | ApiError:
        """The events of these kinds after a cursor: from memory, with others who read the same, or from the node."""
        place = (after, kinds)
        kept = self._pages.get(place)
        if kept is not None:
            self._pages.move_to_end(place)
            return kept
        task = self._reading.get(place)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._read(after, kinds))
            self._reading[place] = task
            task.add_done_callback(lambda _: self._reading.pop(place, None))
        return await asyncio.shield(task)

    async def _read(self, after: str, kinds: str) -> RenderedPage | ApiError:
        try:
            async with asyncio.timeout(self._timeout_ms / 1000):
                asked = EventList(after=after, limit=PAGE_EVENTS, kinds=kinds)
                page = await self._door.ask(EVENT_LIST.name, asked)
        except TimeoutError:
            return ApiError(ApiRefusal.TIMED_OUT, "the node did not answer")
        if isinstance(page, ApiError):
            return page
        assert isinstance(page, EventPage), "event.list answers with a page"
        rendered = _render(page)
        if rendered.items:  # an empty page is true only until the next block
            self._pages[after, kinds] = rendered
            if len(self._pages) > PAGES_MAX:
                self._pages.popitem(last=False)
        return rendered

    def _wake(self) -> None:
        changed, self._changed = self._changed, None
        if changed is not None and not changed.done():
            changed.set_result(None)
