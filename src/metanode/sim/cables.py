"""What connects the pretend computers: connections that keep their order, and lose what is under way when they end."""

from collections import deque
from typing import Final, Protocol, TypeAlias

from metanode.node.events import BytesArrived, Event, LinkClosed, LinkOpened
from metanode.sim.storm import Sky, Storm

CUT_RETRY_MS: Final = 50
"""How often a cut cable is tried again: as a kernel resends."""
DIAL_RETRY_MS: Final = 1_000
"""How often a connection is asked for on a cut cable."""
DIAL_TIMEOUT_MS: Final = 5_000
"""A peer that does not answer a dial within this is not there: as the real carrier has it."""

End: TypeAlias = tuple[int, int]
"""One end of a connection: a computer, and the number it knows the connection by."""


class Ground(Sky, Protocol):
    """What cables need of the world around them."""

    def tell(self, index: int, event: Event) -> None:
        """One event to one node."""
        ...


class Cables:
    """All connections of a world. The storm says how late bytes are, where a cable is cut, and which link breaks."""

    def __init__(self, ground: Ground, storm: Storm) -> None:
        self._ground: Final = ground
        self._storm: Final = storm
        self._links: dict[End, End] = {}
        self._wires: dict[End, deque[tuple[int, bytes]]] = {}
        self._next_link = 1
        self._isolated: dict[int, bool] = {}

    def isolate(self, indexes: tuple[int, ...]) -> None:
        """From now on these hear and say nothing, whatever the storm says: the second act of a core (`acts`)."""
        self._isolated.update(dict.fromkeys(indexes, True))

    def _cut(self, sender: int, receiver: int) -> bool:
        apart = bool(self._isolated) and (sender in self._isolated or receiver in self._isolated)
        return apart or self._storm.cut(self._ground, sender, receiver)

    def dial(self, index: int, peer: bytes, address: str) -> None:
        """Connect to the node that listens at this address, if there is one and the storm lets it."""
        ground = self._ground
        target = next((i for i, r in enumerate(ground.rooms) if r.address == address), index)
        own, other = self._next_link, self._next_link + 1
        self._next_link += 2
        life, until_ms = ground.rooms[index].life, ground.now_ms + DIAL_TIMEOUT_MS

        def connect() -> None:
            if not ground.rooms[index].lives(life):
                return
            if target == index or not ground.rooms[target].alive or ground.now_ms >= until_ms:
                ground.tell(index, LinkOpened(ground.now_ms, own, peer, address))
                ground.tell(index, LinkClosed(ground.now_ms, own))
                return
            if self._cut(index, target) or self._cut(target, index):
                ground.at(DIAL_RETRY_MS, connect)
                return
            self._links[index, own] = (target, other)
            self._links[target, other] = (index, own)
            ground.tell(index, LinkOpened(ground.now_ms, own, peer, address))
            ground.tell(target, LinkOpened(ground.now_ms, other, b"", ground.rooms[index].address))

        ground.at(self._storm.delay_ms(ground, index, target), connect)

    def transmit(self, index: int, link: int, data: bytes) -> None:
        """Bytes along a link, in order; or the link breaks instead."""
        end = self._links.get((index, link))
        if end is None:
            return
        target = end[0]
        if self._storm.breaks(self._ground, index, target):
            self._reset((index, link))
            return
        wire = self._wires.setdefault((index, link), deque())
        due = self._ground.now_ms + self._storm.delay_ms(self._ground, index, target)
        due = max(due, wire[-1][0]) if wire else due
        wire.append((due, data))
        if len(wire) == 1:
            self._ground.at(due - self._ground.now_ms, lambda: self._pump(index, link))

    def _pump(self, index: int, link: int) -> None:
        """Deliver what is due on a link, in order; on a cut cable it waits until the cable or the link is mended."""
        end = self._links.get((index, link))
        wire = self._wires.get((index, link))
        if end is None or not wire:
            return
        target, other = end
        if self._cut(index, target):
            self._ground.at(CUT_RETRY_MS, lambda: self._pump(index, link))
            return
        while wire[0][0] <= self._ground.now_ms:
            self._ground.tell(target, BytesArrived(self._ground.now_ms, other, wire[0][1]))
            if self._wires.get((index, link)) is not wire:
                return  # closed meanwhile
            wire.popleft()
            if not wire:
                return
        self._ground.at(wire[0][0] - self._ground.now_ms, lambda: self._pump(index, link))

    def close(self, index: int, link: int) -> None:
        """End a link: what was under way is lost. The other side hears of it, unless the cable is cut: then later."""
        end = self._links.pop((index, link), None)
        self._wires.pop((index, link), None)
        if end is not None:
            self._ground.at(self._storm.delay_ms(self._ground, index, end[0]), lambda: self._tell_end(index, end))

    def _tell_end(self, index: int, end: End) -> None:
        if end not in self._links:
            return
        if self._cut(index, end[0]):
            self._ground.at(CUT_RETRY_MS, lambda: self._tell_end(index, end))
            return
        self._links.pop(end)
        self._wires.pop(end, None)
        self._ground.tell(end[0], LinkClosed(self._ground.now_ms, end[1]))

    def _reset(self, end: End) -> None:
        """A connection breaks: both sides hear of it, and what was under way either way is lost."""
        index, link = end
        if end not in self._links:
            return
        self._wires.pop(self._links[end], None)
        self.close(index, link)
        life = self._ground.rooms[index].life

        def hear() -> None:
            if self._ground.rooms[index].lives(life):
                self._ground.tell(index, LinkClosed(self._ground.now_ms, link))

        self._ground.at(0, hear)

    def close_all(self, index: int) -> None:
        """A computer is gone, and its connections with it."""
        for end in [e for e in self._links if e[0] == index]:
            self.close(*end)

    def break_all(self, index: int) -> None:
        """Every connection of a computer breaks."""
        for end in [e for e in self._links if e[0] == index]:
            self._reset(end)
