"""What every world of chairs stands on: its clock, what is due when, and that its honest chairs do not fork."""

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import Any, Final

from metanode.sim.council.chair import Chair
from metanode.sim.founding import START_MS


class Floor:
    """One order of events: equal times keep the order in which they were asked for. `look_ms`: how often it is looked
    whether an act is over; `steps_max`: a world that needs more is not getting anywhere."""

    def __init__(self, look_ms: int, steps_max: int) -> None:
        self.now_ms = START_MS
        self.steps = 0
        self.delivered = 0
        self._look_ms: Final = look_ms
        self._steps_max: Final = steps_max
        self._due: Final[list[tuple[int, int, Any]]] = []
        self._order = 0

    def at(self, delay_ms: int, action: Callable[[], None]) -> None:
        """Do something later."""
        self._post(delay_ms, action)

    def _post(self, delay_ms: int, what: Any) -> None:
        """An action, or a letter: a tuple, for `_deliver`."""
        self._order += 1
        heappush(self._due, (self.now_ms + delay_ms, self._order, what))

    def _deliver(self, letter: Any) -> None:
        """A letter has come; each world says to whom and as whose."""
        raise NotImplementedError

    def run(self, until_ms: int, done: Callable[[], bool] = lambda: False) -> bool:
        """Run until `done`, at the latest until this instant. Whether it was reached."""
        due, look_ms = self._due, 0
        while due and due[0][0] <= until_ms:
            self.now_ms, _, what = heappop(due)
            self.steps += 1
            if type(what) is tuple:
                self._deliver(what)
            else:
                what()
            if self.now_ms >= look_ms:
                assert self.steps < self._steps_max, "the world does not come to rest"
                look_ms = self.now_ms + self._look_ms
                if done():
                    return True
        self.now_ms = until_ms
        return done()


def demand_agreement(chairs: Iterable[Chair]) -> None:
    """Fails where two of these called different blocks of one height final."""
    known: dict[int, tuple[bytes, int]] = {}
    for chair in chairs:
        for height, (header, _) in chair.log.items():
            first, index = known.setdefault(height, (header.hash, chair.index))
            assert first == header.hash, f"FORK: machines {index} and {chair.index} differ at height {height}"
