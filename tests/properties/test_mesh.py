"""The mesh for all values: turns are fair, flows end once, bounds hold, only what is ready is asked."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.docklock.mesh.switchboard import CALLER, NODES, SERVER, WEB, Switchboard

from metanode.docklock.mesh import MeshRefusal
from metanode.docklock.mesh.events import Abandon, Ask, Check, Connect, Effect, Join, Refuse, WriteDown
from metanode.docklock.mesh.services import Replica, Served, Turns
from metanode.docklock.mesh.state import TRIES_MAX, TRY_MS
from metanode.docklock.mesh.window import WINDOW, Incoming, Outgoing, cost
from metanode.records.workload import BALANCES

REPLICAS = st.lists(
    st.builds(Replica, st.integers(0, 6), st.integers(1, 2), st.sampled_from(("one", "two", "three"))),
    max_size=6,
    unique_by=lambda one: (one.index, one.attempt),
).map(lambda found: tuple(sorted(found)))
NOBODY: frozenset[Replica] = frozenset()
ANSWERS = st.sampled_from(("", "mesh.not-here", "mesh.not-listening", "mesh.not-declared", "mesh.unreachable", "x.y"))


@given(replicas=REPLICAS.filter(bool), rounds=st.integers(1, 5))
def test_in_turn_everybody_is_asked_equally_often(replicas: tuple[Replica, ...], rounds: int):
    turns, service = Turns(), replace(WEB, replicas=replicas)
    asked = [turns.pick(service, NOBODY, "one", lambda _: 0) for _ in range(rounds * len(replicas))]
    assert sorted(map(asked.count, replicas)) == [rounds] * len(replicas)


@given(replicas=REPLICAS.filter(bool), calls=st.integers(1, 40), ends=st.lists(st.integers(0, 39), max_size=20))
def test_least_connections_keeps_the_load_even(replicas: tuple[Replica, ...], calls: int, ends: list[int]):
    turns, service = Turns(), replace(WEB, replicas=replicas, balance="least-connections")
    load = dict.fromkeys(replicas, 0)
    open_: list[Replica] = []
    for number in range(calls):
        chosen = turns.pick(service, NOBODY, "one", load.__getitem__)
        assert chosen is not None
        assert load[chosen] == min(load.values())
        load[chosen] += 1
        open_.append(chosen)
        if number in ends:
            load[open_.pop(0)] -= 1


@given(balance=st.sampled_from(BALANCES), replicas=REPLICAS, tried=st.sets(st.integers(0, 5)))
def test_only_what_is_ready_and_was_not_tried_is_picked(balance: str, replicas: tuple[Replica, ...], tried: set[int]):
    gone = frozenset(replicas[index] for index in tried if index < len(replicas))
    service = replace(WEB, balance=balance, replicas=replicas)
    chosen = Turns().pick(service, gone, "one", lambda _: 0)
    assert (chosen is None) == (set(replicas) <= gone)
    assert chosen is None or chosen in set(replicas) - gone


class Walker:
    """Answers whatever the mesh asks by chance, and keeps what must always be so."""

    def __init__(self, board: Switchboard, data: st.DataObject) -> None:
        self.board = board
        self.data = data
        self.trying: dict[int, Effect] = {}
        self.open: set[int] = set()
        self.over: set[int] = set()
        self.asked: dict[int, list[tuple[int, int]]] = {}

    def heed(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Ask(flow=flow) | Connect(flow=flow) | Check(flow=flow):
                    assert flow not in self.over | self.open
                    self.trying[flow] = effect
                    if isinstance(effect, Ask):
                        said = self.asked.setdefault(flow, [])
                        said.append((effect.opening.index, effect.opening.attempt))
                        assert len(set(said)) == len(said) <= TRIES_MAX
                case Abandon(flow=flow):
                    del self.trying[flow]
                case Join(flow=flow):
                    del self.trying[flow]
                    self.open.add(flow)
                case Refuse(flow=flow):
                    assert flow not in self.over | self.open, "a flow is over once"
                    self.trying.pop(flow, None)
                    self.over.add(flow)
                case _:
                    assert isinstance(effect, WriteDown)

    def step(self) -> None:
        board, data = self.board, self.data
        kind = data.draw(st.sampled_from(("call", "asked", "answer", "answer", "end", "fall", "wait", "learn")))
        if kind == "call":
            self.heed(board.calls()[1])
        elif kind == "asked":
            self.heed(board.is_asked()[1])
        elif kind == "answer" and self.trying:
            flow = data.draw(st.sampled_from(sorted(self.trying)))
            said = data.draw(ANSWERS)
            match self.trying[flow]:
                case Ask():
                    self.heed(board.answers(flow, said))
                case Check():
                    self.heed(board.checks(flow, MeshRefusal.NOT_PLACED if said else ""))
                case _:
                    self.heed(board.connects(flow, said))
        elif kind == "end" and self.open:
            flow = data.draw(st.sampled_from(sorted(self.open)))
            self.open.remove(flow)
            self.over.add(flow)
            self.heed(board.ends(flow, 1, 2))
        elif kind == "fall":
            self.heed(board.falls(data.draw(st.sampled_from(NODES))))
        elif kind == "wait":
            self.heed(board.waits(data.draw(st.integers(1, TRY_MS))))
        elif kind == "learn":
            board.learns(*self.services())

    def services(self) -> list[Served]:
        if not self.data.draw(st.booleans()):
            return []
        return [replace(WEB, replicas=self.data.draw(REPLICAS), balance=self.data.draw(st.sampled_from(BALANCES)))]


@settings(max_examples=60)
@given(data=st.data())
def test_whatever_happens_a_flow_is_over_once_and_what_is_open_is_counted(data: st.DataObject):
    board = Switchboard(WEB)
    board.begins(CALLER, SERVER)
    walker = Walker(board, data)
    for _ in range(data.draw(st.integers(1, 50))):
        walker.step()
        rows = board.mesh.counters.rows().values()
        assert sum(row.open for row in rows) == len(walker.open)
        live = {number for number in range(1, 200) if board.mesh.flow(number) is not None}
        assert live == walker.open | set(walker.trying)
    for flow in sorted(walker.open):
        walker.heed(board.ends(flow))
    for _ in range(TRIES_MAX):
        walker.heed(board.waits(TRY_MS))
    assert all(board.mesh.flow(number) is None for number in range(1, 200)), "nothing is left"


@given(sizes=st.lists(st.integers(1, 32_768), max_size=60), taken=st.lists(st.booleans(), min_size=60, max_size=60))
def test_both_sides_of_a_window_agree(sizes: list[int], taken: list[bool]):
    out, into = Outgoing(), Incoming()
    for size, takes in zip(sizes, taken, strict=False):
        if out.is_open:
            piece = min(size, out.room)
            out.spend(piece)
            into.receive(piece)
            assert into.received == out.sent
        if takes:
            into.taken = into.received
        if into.due():
            out.credit(into.credit())
        assert 0 <= out.sent - out.credited <= WINDOW
        assert cost(size) >= size
