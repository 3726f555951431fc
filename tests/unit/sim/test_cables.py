"""Cables keep the order of one link, lose what is under way when it ends, and fail a dial as the real carrier does."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from metanode.node.events import BytesArrived, Event, LinkClosed, LinkOpened
from metanode.sim.cables import DIAL_TIMEOUT_MS, Cables
from metanode.sim.storm import Cut, Storm


@dataclass
class Room:
    """A computer that only listens."""

    address: str
    alive: bool = True
    life: int = 1

    def lives(self, life: int) -> bool:
        return self.alive and self.life == life


@dataclass
class Ground:
    """A clock, and what each computer heard."""

    rooms: list[Any]
    random: Random = field(default_factory=lambda: Random(1))
    now_ms: int = 0
    start_ms: int = 0
    heard: list[tuple[int, Event]] = field(default_factory=list)
    due: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list)

    def at(self, delay_ms: int, action: Callable[[], None]) -> None:
        self.due.append((self.now_ms + delay_ms, len(self.due), action))

    def tell(self, index: int, event: Event) -> None:
        self.heard.append((index, event))

    def crash(self, index: int) -> None:
        self.rooms[index].alive = False

    def cut_power(self, index: int) -> None:
        self.crash(index)

    def boot(self, index: int) -> None:
        self.rooms[index].alive = True

    def break_links(self, index: int) -> None:
        raise AssertionError("these storms break no links")

    def run(self, until_ms: int) -> None:
        while ready := sorted(entry for entry in self.due if entry[0] <= until_ms):
            self.due.remove(ready[0])
            self.now_ms = ready[0][0]
            ready[0][2]()
        self.now_ms = until_ms

    def told(self, index: int) -> list[Event]:
        return [event for to, event in self.heard if to == index]


def joined(storm: Storm) -> tuple[Ground, Cables]:
    ground = Ground([Room("a"), Room("b")])
    cables = Cables(ground, storm)
    cables.dial(0, b"peer", "b")
    ground.run(10)
    return ground, cables


def calm(**how) -> Storm:
    return Storm("calm", delay_min_ms=1, delay_max_ms=1, **how)


def test_a_dial_opens_both_ends() -> None:
    ground, _ = joined(calm())
    assert ground.heard == [(0, LinkOpened(1, 1, b"peer", "b")), (1, LinkOpened(1, 2, b"", "a"))]


def test_bytes_arrive_in_order_however_late() -> None:
    storm = Storm("slow", delay_min_ms=1, delay_max_ms=50)
    ground, cables = joined(storm)
    ground.run(100)
    for number in range(20):
        cables.transmit(0, 1, bytes([number]))
    ground.run(400)
    assert [e.data for e in ground.told(1) if isinstance(e, BytesArrived)] == [bytes([n]) for n in range(20)]


def test_a_broken_link_loses_what_is_under_way_in_both_directions() -> None:
    storm = calm(heals_ms=100)
    ground, cables = joined(storm)
    cables.transmit(1, 2, b"lost")
    storm.break_ppm = 1_000_000
    cables.transmit(0, 1, b"breaks")
    ground.run(100)
    assert ground.heard[2:] == [(0, LinkClosed(10, 1)), (1, LinkClosed(11, 2))]


def test_a_cut_cable_delivers_when_it_is_mended() -> None:
    ground, cables = joined(calm(cuts=(Cut(10, 200, (0,), (1,)),)))
    cables.transmit(0, 1, b"waits")
    cables.transmit(1, 2, b"goes")
    ground.run(199)
    assert ground.heard[2:] == [(0, BytesArrived(11, 1, b"goes"))]
    ground.run(300)
    assert [e.data for e in ground.told(1)[1:] if isinstance(e, BytesArrived)] == [b"waits"]


def test_the_end_of_a_link_crosses_a_cut_cable_late() -> None:
    ground, cables = joined(calm(cuts=(Cut(10, 200, (0,), (1,)),)))
    cables.close(0, 1)
    ground.run(199)
    assert ground.told(1) == [LinkOpened(1, 2, b"", "a")]
    ground.run(300)
    assert isinstance(ground.told(1)[-1], LinkClosed)


def test_a_dial_over_a_cut_cable_fails_after_a_while() -> None:
    ground = Ground([Room("a"), Room("b")])
    cables = Cables(ground, calm(cuts=(Cut(0, 1 << 30, (1,), (0,)),)))
    cables.dial(0, b"peer", "b")
    ground.run(DIAL_TIMEOUT_MS - 1)
    assert ground.heard == []
    ground.run(DIAL_TIMEOUT_MS + 1_000)
    assert [type(event) for event in ground.told(0)] == [LinkOpened, LinkClosed]
    assert ground.told(1) == []


def test_who_is_down_refuses_at_once_and_who_restarted_hears_of_no_old_dial() -> None:
    ground = Ground([Room("a"), Room("b", alive=False)])
    cables = Cables(ground, calm())
    cables.dial(0, b"peer", "b")
    ground.run(5)
    assert [type(event) for event in ground.told(0)] == [LinkOpened, LinkClosed]
    cables.dial(0, b"peer", "b")
    ground.rooms[0].life = 2
    ground.run(10)
    assert len(ground.told(0)) == 2


def test_a_gone_computer_takes_its_links_with_it() -> None:
    ground, cables = joined(calm())
    cables.close_all(0)
    ground.run(20)
    assert ground.told(1)[-1] == LinkClosed(11, 2)
    cables.transmit(1, 2, b"nowhere")
    ground.run(30)
    assert len(ground.told(0)) == 1
