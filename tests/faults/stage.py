"""What is done to the world: the faults of a schedule, begun and ended in time, and processes started again."""

import signal
import time
from typing import Final

from tests.faults import clocks, disks
from tests.faults.schedule import Fault, Kind, Organ, Schedule
from tests.faults.world import World
from tests.journeys.town import House

BEAT_S: Final = 0.05
DISK_ENDS: Final = frozenset({"disk.full", "disk.failed"})
"""How a node may end by itself, and only while its disk is full."""


class Stage:
    """Does the faults of a schedule to a world and undoes them, and starts what has ended."""

    def __init__(self, there: World, schedule: Schedule) -> None:
        self._there: Final = there
        self._faults: Final = [fault for fault in schedule.faults if fault.organ not in there.missing]
        self._at_work: Final[list[Fault]] = []
        self._was_full: Final[set[int]] = set()
        self._judged: Final[set[int]] = set()
        self._starting: Final[dict[int, int]] = {}
        self._began = time.monotonic()
        self.outages: Final[list[Fault]] = []
        self.broken: Final[list[str]] = []
        self.restarts = 0

    def play(self, span_ms: int) -> None:
        """From now on, for so long. In the end nothing is at work any more."""
        self._began = began = time.monotonic()
        moments = sorted(
            [(fault.begin_ms, 1, fault) for fault in self._faults]
            + [(fault.end_ms, 0, fault) for fault in self._faults],
            key=lambda moment: moment[:2],
        )
        for at_ms, begins, fault in moments:
            self._pass(began + at_ms / 1000)
            if begins:
                self._begin(fault)
            else:
                self._end(fault)
        self._pass(began + span_ms / 1000)
        for fault in list(self._at_work):
            self._end(fault)

    def tend(self) -> None:
        """Look after the processes: one that ended by itself may have done so only for want of space, and is started
        again when there is some; one that was killed, when its time is over. `outages`: from each start until the node
        was ready, which on a busy machine takes longer than any schedule knows."""
        for index, house in enumerate(self._there.houses):
            if index in self._starting and (not house.is_running or any("ready" in line for line in house.said())):
                begin = self._starting.pop(index)
                self.outages.append(Fault(Kind.KILL, (index,), begin, max(self._now_ms(), begin + 1)))
            if house.is_running:
                continue
            ailing = {fault.kind for fault in self._at_work if index in fault.targets}
            assert house.process is not None, "all were started"
            if house.process.pid not in self._judged:
                self._judged.add(house.process.pid)
                self._judge_end(house, index, is_full=Kind.FULL in ailing or index in self._was_full)
            if ailing & {Kind.KILL, Kind.FULL} == set():
                self._was_full.discard(index)
                self._there.start(index)
                self._starting[index] = self._now_ms()
                self.restarts += 1

    def _now_ms(self) -> int:
        return int((time.monotonic() - self._began) * 1000)

    def _judge_end(self, house: House, index: int, *, is_full: bool) -> None:
        assert house.process is not None, "it ended"
        status = house.process.returncode
        said = house.said()[-1:] or [{}]
        if status == -signal.SIGKILL or (is_full and said[0].get("refused") in DISK_ENDS):
            return
        self.broken.append(f"process: validator {index} ended by itself with {status}: {said[0]}\n{house.errors()}")

    def _pass(self, until: float) -> None:
        while (left := until - time.monotonic()) > 0:
            self.tend()
            time.sleep(min(left, BEAT_S))

    def _begin(self, fault: Fault) -> None:
        self._at_work.append(fault)
        for index in fault.targets:
            house = self._there.houses[index]
            match fault.kind:
                case Kind.KILL:
                    house.kill()
                case Kind.PAUSE:
                    _signal(house, signal.SIGSTOP)
                case Kind.CLOCK:
                    clocks.step(self._there.clock(index), fault.value)
                case Kind.FULL:
                    self._was_full.add(index)
                    disks.fill(house.folder)
                case _:
                    pass
        self._weather(fault)

    def _end(self, fault: Fault) -> None:
        self._at_work.remove(fault)
        for index in fault.targets:
            house = self._there.houses[index]
            match fault.kind:
                case Kind.KILL:
                    self.tend()
                case Kind.PAUSE:
                    _signal(house, signal.SIGCONT)
                case Kind.CLOCK:
                    clocks.step(self._there.clock(index), 0)
                case Kind.FULL:
                    disks.empty(house.folder)
                case _:
                    pass
        self._weather(fault)

    def _weather(self, fault: Fault) -> None:
        if fault.organ is Organ.NETWORK and self._there.cables is not None:
            self._there.cables.play([one for one in self._at_work if one.organ is Organ.NETWORK])


def _signal(house: House, number: signal.Signals) -> None:
    """To a process that still runs."""
    if house.is_running:
        assert house.process is not None, "it runs"
        house.process.send_signal(number)
