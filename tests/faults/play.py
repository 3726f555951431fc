"""One run: real validators under load, a schedule played on them, then all is healed, asked and checked."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from tests.faults.ask import read_chain
from tests.faults.chain import Opening
from tests.faults.checker import GUARANTEES, check, search
from tests.faults.clients import BORNE, CLIENTS, COIN, Customer, Purse, purses
from tests.faults.history import Answer, History
from tests.faults.progress import longest_wait
from tests.faults.schedule import Organ, Schedule
from tests.faults.stage import BEAT_S, Stage
from tests.faults.world import SOURCE, World, world
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
HEALED_S: Final = 60.0
"""After all is healed, every validator makes progress, and every order is settled, within this time."""
HEALED_BLOCKS: Final = 3


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
        played = replace(schedule, faults=(*schedule.faults, *stage.outages))
        report.slowest_s, stalls = longest_wait([(at - began, height) for at, height in history.heights()], played)
        report.broken += stalls
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
