"""One run: real validators under load, a schedule played on them, then all is healed, asked and checked."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Final

from tests.faults import clocks, disks
from tests.faults.ask import read_chain
from tests.faults.chain import Opening
from tests.faults.checker import GUARANTEES, check, search
from tests.faults.clients import BORNE, CLIENTS, COIN, Customer, Purse, purses
from tests.faults.history import Answer, History
from tests.faults.schedule import Fault, Kind, Organ, Schedule
from tests.faults.world import SOURCE, World, world
from tests.journeys.town import House
from tests.journeys.traffic import FUNDS, named, settle, signed, transfer
from tests.journeys.words import Listener, check_nobody_signed_twice

from metanode.client import ClientError
from metanode.records.address import show_address
from metanode.records.amount import amount_value

PROMISES: Final = GUARANTEES | {
    "progress": "while at most f are faulty, and after all is healed, there are new blocks within a stated time",
    "agreement": "all validators have the same blocks and the same receipts, and whatever anybody was told of",
    "signed twice": "no validator says two things at one step, nor asks its guard to; nobody is accused",
    "process": "no process ends by itself, but for want of space, and no bug is met",
    "refusal": "no order in good form is refused, but where a node is not ready or busy",
}
"""What is checked of a run, by the names under which it is told to be broken."""
PATIENCE_S: Final = 10.0
"""While at most f validators are faulty, a new height is heard within this time. Two leaders in a row that are dead or
slow cost some three seconds; the rest is for a machine that does something else besides."""
HEALED_S: Final = 60.0
"""After all is healed, every validator makes progress, and every order is settled, within this time."""
BEAT_S: Final = 0.05
HEALED_BLOCKS: Final = 3
DISK_ENDS: Final = frozenset({"disk.full", "disk.failed"})
"""How a node may end by itself, and only while its disk is full."""


@dataclass
class Report:
    """What came of a run."""

    schedule: Schedule
    missing: dict[Organ, str]
    broken: list[str] = field(default_factory=list)
    blocks: int = 0
    orders: int = 0
    answers: dict[str, int] = field(default_factory=dict)
    reads: int = 0
    fresh: int = 0
    undecided: list[str] = field(default_factory=list)
    restarts: int = 0
    slowest_s: float = 0.0
    went_on_s: float = 0.0
    settled_s: float = 0.0

    def line(self) -> str:
        """In one line."""
        answers = ", ".join(f"{count} {answer}" for answer, count in sorted(self.answers.items()))
        return (
            f"{self.blocks} blocks, {self.orders} orders ({answers}), {self.reads} reads, {self.fresh} of them fresh, "
            f"{len(self.undecided)} accounts for which the search for an order was given up; "
            f"{self.restarts} starts; longest wait for a block where demanded {self.slowest_s:.1f} s; "
            f"all went on {self.went_on_s:.1f} s after healing, all was settled after {self.settled_s:.1f} s; "
            f"{len(self.broken)} broken"
        )


class Stage:
    """Does the faults of a schedule to a world and undoes them, and starts what has ended."""

    def __init__(self, there: World, schedule: Schedule) -> None:
        self._there: Final = there
        self._faults: Final = [fault for fault in schedule.faults if fault.organ not in there.missing]
        self._at_work: Final[list[Fault]] = []
        self._was_full: Final[set[int]] = set()
        self._judged: Final[set[int]] = set()
        self.broken: Final[list[str]] = []
        self.restarts = 0

    def play(self, span_ms: int) -> None:
        """From now on, for so long. In the end nothing is at work any more."""
        began = time.monotonic()
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
        again when there is some; one that was killed, when its time is over."""
        for index, house in enumerate(self._there.houses):
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
                self.restarts += 1

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


def play(schedule: Schedule, root: Path, seed: int, source: Path = SOURCE, healed_s: float = HEALED_S) -> Report:
    """Play it and check everything."""
    with world(root, schedule.count, source) as there:
        report = Report(schedule, there.missing)
        for organ, why in there.missing.items():
            print(f"NOT PLAYED, faults of the {organ}: {why}", flush=True)
        history = History()
        customers, opening = _customers(there, history, seed)
        stage = Stage(there, schedule)
        with Listener(there.town) as listener:
            began = time.monotonic()
            for customer in customers:
                customer.begin()
            try:
                stage.play(schedule.span_ms)
                healed = time.monotonic()
                _within(
                    report, "progress", stage, partial(_all_reach, there, history.highest + HEALED_BLOCKS), healed_s
                )
                report.went_on_s = time.monotonic() - healed
            finally:
                for customer in customers:
                    customer.stop()
            for customer in customers:
                customer.join()
            _within(report, "resolved", stage, partial(_all_settled, there, customers), healed_s)
            _within(report, "agreement", stage, partial(_all_reach, there, history.highest), healed_s)
            report.settled_s = time.monotonic() - healed
        report.broken += stage.broken
        report.slowest_s = _check_progress(report, history, began)
        _count(report, history, stage)
        try:
            _check_nodes(report, there, listener, history, opening)
        except ClientError as error:
            report.broken.append(f"process: in the end not every validator can be asked: {error}")
        return report


def _customers(there: World, history: History, seed: int) -> tuple[list[Customer], Opening]:
    """The clients, their accounts funded, and how it all began."""
    owned = [purses(number) for number in range(CLIENTS)]
    everybody = [purse for some in owned for purse in some]
    addresses = [purse.address for purse in everybody]
    faucet, chain_id = named("faucet"), there.town.chain_id
    name, encoded = signed(chain_id, faucet, *(transfer(purse.account, FUNDS) for purse in everybody))
    with there.houses[0].ask() as client:
        client.transaction.submit(encoded)
    history.heard_now(settle(there.houses[0], name))
    genesis = {
        show_address(account.address): sum(amount_value(one.amount) for one in account.balances if one.coin == COIN)
        for account in there.town.network.genesis.accounts
    }
    opening = Opening(genesis, {name.hex(): show_address(faucet.address)}, tuple(addresses), FUNDS)
    doors = there.doors()
    customers = [
        Customer(doors, chain_id, own, addresses, history, seed * CLIENTS + number) for number, own in enumerate(owned)
    ]
    return customers, opening


def _within(report: Report, name: str, stage: Stage, ask: Callable[[], str], limit_s: float) -> None:
    """Nothing is missing within the time. `ask` says what still is."""
    deadline, missing = time.monotonic() + limit_s, "nothing was asked"
    while time.monotonic() < deadline:
        stage.tend()
        missing = ask()
        if not missing:
            return
        time.sleep(BEAT_S)
    report.broken.append(f"{name}: not within {limit_s:.0f} s of healing: {missing}")


def _all_reach(there: World, height: int) -> str:
    """Everybody has this height."""
    for house in there.houses:
        try:
            if (found := house.height()) < height:
                return f"{house.name} is at {found}, {height} is due"
        except ClientError as error:
            return f"{house.name}: {error}"
    return ""


def _all_settled(there: World, customers: list[Customer]) -> str:
    """Whatever nobody has told about is handed in again, the same bytes, until somebody does."""
    waiting: list[tuple[Customer, Purse]] = [(who, purse) for who in customers for purse in who.purses if purse.open]
    for number, (customer, purse) in enumerate(waiting):
        customer.hand_in(purse, number % len(there.houses))
    left = [purse.open[0][0].identity[:16] for _, purse in waiting if purse.open]
    return f"unknown: {', '.join(left)}" if left else ""


def _check_progress(report: Report, history: History, began: float) -> float:
    """In each time that demands it a new height is heard again and again; the longest wait of all."""
    longest, highest = 0.0, 0
    rises: list[float] = []
    for at, height in history.heights():
        if height > highest:
            highest = height
            rises.append(at - began)
    for begin_ms, end_ms in report.schedule.demanded():
        begin, end = begin_ms / 1000, end_ms / 1000
        marks = [begin, *(at for at in rises if begin <= at < end), end]
        wait = max(later - earlier for earlier, later in pairwise(marks))
        longest = max(longest, wait)
        if wait > PATIENCE_S:
            report.broken.append(
                f"progress: no new height for {wait:.1f} s between {begin:.1f} and {end:.1f} s, where at most "
                f"{report.schedule.bearable} of {report.schedule.count} are faulty; {PATIENCE_S:.0f} s are allowed"
            )
    return longest


def _count(report: Report, history: History, stage: Stage) -> None:
    report.orders = len(history.orders)
    report.reads = len(history.reads) + len(history.looks)
    report.fresh = sum(read.is_fresh for read in history.reads)
    report.restarts = stage.restarts
    report.blocks = history.highest
    for one in history.attempts:
        report.answers[one.answer] = report.answers.get(one.answer, 0) + 1
        if one.answer is Answer.REFUSED and one.code not in BORNE:
            report.broken.append(f"refusal: node {one.node} refused a good order: {one.code}")


def _check_nodes(report: Report, there: World, listener: Listener, history: History, opening: Opening) -> None:
    """The same chain everywhere, nobody signed twice, and the history against that chain."""
    last = min(house.height() for house in there.houses)
    chains = [read_chain(house, last, COIN) for house in there.houses]
    for house, chain in zip(there.houses, chains, strict=True):
        if (chain.hashes, chain.entries) != (chains[0].hashes, chains[0].entries):
            differ = [height for height in range(1, last + 1) if chain.hashes[height] != chains[0].hashes[height]]
            report.broken.append(f"agreement: {house.name} has other blocks at {differ[:5]} or other receipts")
        bugs = house.metric("metanode_bugs")
        if bugs:
            report.broken.append(f"process: {house.name} counts {bugs:.0f} bugs\n{house.errors()}")
    searched = search(history, opening)
    report.undecided = [account for account, found in searched.items() if found is None]
    report.broken += check(history, chains[0], opening, searched)
    try:
        check_nobody_signed_twice(there.town, listener, there.houses[0])
    except AssertionError as error:
        report.broken.append(f"signed twice: {error}")
