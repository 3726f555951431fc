"""What the public API promises, and whether a history and a chain keep it. Pure: two values in, sentences out.

Each guarantee has a name; a broken one is told as `name: what was heard, and what it contradicts`. A place in the
chain is a height and an index: a transaction stands at its own, a read behind everything of the height it names.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from tests.faults.chain import Chain, Opening
from tests.faults.history import Answer, Attempt, History, Look, Order, Read
from tests.faults.search import Held, has_an_order, operations

GUARANTEES: Final = {
    "acknowledged": "what was told to be final is in the chain at that place and ended so (HTTP-14; final is final)",
    "once": "a transaction is in the chain at most once, and a sender's nonces are used in order (LEDGER-N5)",
    "refused": "what every node refused is not in the chain",
    "nobody else": "nothing is in the chain that nobody sent",
    "resolved": "in the end each order is final or was refused; none stays unknown (HTTP-20)",
    "named height": "a read is the state after the block whose height it names",
    "monotone": "a node never names a lower height than it or a receipt of it has told before, also across a kill",
    "own word": "a node that has told of a height tells of every transaction up to it that it is final, and where",
    "linearizable": "a read at least as high as what was heard before it, and every write, stand in one order with all "
    "that was answered before they began",
    "explained": "some order of an account's transfers explains its fresh reads (search without the chain)",
    "conserved": "no coin comes or goes",
}

Place = tuple[int, float]


@dataclass(frozen=True)
class Fact:
    """Something heard from a node at a time, and its place in the chain."""

    invoked: float
    answered: float
    node: int
    place: Place
    words: str


def search(history: History, opening: Opening) -> dict[str, bool | None]:
    """Of each account whether some order explains what was heard of it; None where the search was given up."""
    first = Held(opening.funds, 0)
    return {account: has_an_order(operations(history, account), first) for account in opening.accounts}


def check(history: History, chain: Chain, opening: Opening, searched: dict[str, bool | None]) -> list[str]:
    """All that is broken. `searched`: what `search` found."""
    orders = {order.identity: order.sender for order in history.orders.values()}
    chain.replay(opening.genesis, {**opening.fundings, **orders})
    found = [
        *_acknowledged(history, chain),
        *_once(history, chain, opening),
        *_refused_and_resolved(history, chain),
        *_named_heights(history, chain),
        *_monotone(history),
        *_own_word(history, chain),
        *_linearizable(history),
        *_explained(searched),
        *_conserved(chain, opening),
    ]
    assert all(line.partition(":")[0] in GUARANTEES for line in found), "every guarantee has its name"
    return found


def _acknowledged(history: History, chain: Chain) -> Iterator[str]:
    there = {(entry.height, entry.index): entry for entry in chain.entries}
    for one in history.attempts:
        if one.answer is not Answer.OK:
            continue
        entry = there.get((one.height, one.index))
        if entry is None or entry.identity != one.order.identity:
            yield f"acknowledged: {_said(one)}, but there is {entry.identity[:16] if entry else 'nothing'}"
        elif entry.succeeded != one.succeeded:
            yield f"acknowledged: {_said(one)} as {_ended(one.succeeded)}, but it {_ended(entry.succeeded)}"
        elif entry.succeeded and entry.moves != ((one.order.sender, one.order.taker, one.order.amount),):
            yield f"acknowledged: {_said(one)}, but what moved is {entry.moves}"


def _once(history: History, chain: Chain, opening: Opening) -> Iterator[str]:
    for identity, times in Counter(entry.identity for entry in chain.entries).items():
        if times > 1:
            yield f"once: {identity[:16]} is in the chain {times} times"
        if identity not in history.orders and identity not in opening.fundings:
            yield f"nobody else: {identity[:16]} is in the chain and was sent by nobody"
    due: dict[str, int] = {}
    for entry in chain.entries:
        order = history.orders.get(entry.identity)
        if order is None:
            continue
        if order.nonce != due.get(order.sender, 0):
            yield f"once: {_name(order)} has nonce {order.nonce} where {due.get(order.sender, 0)} was due"
        due[order.sender] = due.get(order.sender, 0) + 1


def _refused_and_resolved(history: History, chain: Chain) -> Iterator[str]:
    final = {entry.identity for entry in chain.entries}
    answers: dict[str, set[Answer]] = {}
    for one in history.attempts:
        answers.setdefault(one.order.identity, set()).add(one.answer)
    for identity, heard in answers.items():
        if heard == {Answer.REFUSED} and identity in final:
            yield f"refused: {_name(history.orders[identity])} was refused wherever it was handed in, and is final"
        if Answer.UNKNOWN in heard and Answer.OK not in heard:
            where = "final" if identity in final else "nowhere"
            yield f"resolved: {_name(history.orders[identity])} is {where}, and nobody told"


def _named_heights(history: History, chain: Chain) -> Iterator[str]:
    for read in history.reads:
        held = chain.balance(read.account, read.height), chain.nonce(read.account, read.height)
        if (read.balance, read.nonce) != held:
            told = f"{read.balance} and nonce {read.nonce}"
            yield f"named height: {_heard(read)} has {told}; after that height it has {held[0]} and nonce {held[1]}"


def _monotone(history: History) -> Iterator[str]:
    told, asked = list(_facts(history)), list(_facts(history, only_reads=True))
    for node in sorted({fact.node for fact in told}):
        before = [Fact(f.invoked, f.answered, f.node, (f.place[0], 0), f.words) for f in told if f.node == node]
        for late, early in _behind(before, [fact for fact in asked if fact.node == node]):
            yield f"monotone: {late.words} after {early.words}"


def _own_word(history: History, chain: Chain) -> Iterator[str]:
    places = {entry.identity: (entry.height, entry.index) for entry in chain.entries}
    told = list(_facts(history))
    for look in history.looks:
        place = places.get(look.identity)
        if look.state == "final":
            if place != (look.height, look.index):
                yield f"own word: {_seen(look)} at {look.height}/{look.index}, but it is at {place}"
            continue
        known = max(
            (fact for fact in told if fact.node == look.node and fact.answered < look.invoked),
            key=lambda fact: fact.place[0],
            default=None,
        )
        if place is not None and known is not None and known.place[0] >= place[0]:
            yield f"own word: {_seen(look)}, final at {place[0]}/{place[1]}, after {known.words}"


def _linearizable(history: History) -> Iterator[str]:
    told = list(_facts(history))
    fresh = list(_facts(history, only_fresh=True))
    for late, early in _behind(told, [*fresh, *_writes(history)]):
        yield f"linearizable: {late.words}, begun after {early.words}"


def _explained(searched: dict[str, bool | None]) -> Iterator[str]:
    for account, is_explained in sorted(searched.items()):
        if is_explained is False:
            yield f"explained: no order of the transfers of {account} explains its fresh reads"


def _conserved(chain: Chain, opening: Opening) -> Iterator[str]:
    accounts = {*opening.genesis, *(name for entry in chain.entries for move in entry.moves for name in move[:2])}
    held = {account: chain.balance(account, chain.last) for account in accounts}
    if sum(held.values()) != sum(opening.genesis.values()):
        yield f"conserved: {sum(opening.genesis.values())} at first, {sum(held.values())} in the end"
    yield from (f"conserved: {account} holds {amount}" for account, amount in sorted(held.items()) if amount < 0)


def _facts(history: History, *, only_reads: bool = False, only_fresh: bool = False) -> Iterator[Fact]:
    for read in history.reads:
        if read.is_fresh or not only_fresh:
            yield Fact(read.invoked, read.answered, read.node, (read.height, inf), _heard(read))
    if only_reads or only_fresh:
        return
    for one in history.attempts:
        if one.answer is Answer.OK:
            yield Fact(one.invoked, one.answered, one.node, (one.height, one.index), _said(one))


def _writes(history: History) -> Iterator[Fact]:
    """Each order once: from its first attempt to the first word that it is final."""
    began: dict[str, float] = {}
    ended: dict[str, Attempt] = {}
    for one in history.attempts:
        name = one.order.identity
        began[name] = min(began.get(name, inf), one.invoked)
        if one.answer is Answer.OK and (name not in ended or one.answered < ended[name].answered):
            ended[name] = one
    for name, one in ended.items():
        yield Fact(began[name], one.answered, one.node, (one.height, one.index), _said(one))


def _behind(told: Sequence[Fact], asked: Sequence[Fact]) -> Iterator[tuple[Fact, Fact]]:
    """Facts that stand before something that was answered before they were asked for, and that something."""
    waiting = sorted(told, key=lambda fact: fact.answered, reverse=True)
    highest: Fact | None = None
    for fact in sorted(asked, key=lambda fact: fact.invoked):
        while waiting and waiting[-1].answered < fact.invoked:
            early = waiting.pop()
            if highest is None or early.place > highest.place:
                highest = early
        if highest is not None and fact.place < highest.place:
            yield fact, highest


def _name(order: Order) -> str:
    return f"{order.identity[:16]} (nonce {order.nonce} of {order.sender})"


def _said(one: Attempt) -> str:
    return f"node {one.node} told at {one.answered:.3f} s that {_name(one.order)} is final at {one.height}/{one.index}"


def _ended(succeeded: bool) -> str:
    return "succeeded" if succeeded else "failed"


def _heard(read: Read) -> str:
    fresh = f", at least {read.floor} asked for" if read.is_fresh else ""
    return f"node {read.node} told at {read.answered:.3f} s of {read.account} at height {read.height}{fresh}"


def _seen(look: Look) -> str:
    return f"node {look.node} told at {look.answered:.3f} s that {look.identity[:16]} is {look.state}"
