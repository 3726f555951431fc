"""The checker on a history made by hand that is good, and with each lie of a node planted in it."""

from dataclasses import replace

import pytest
from tests.faults.chain import Chain, Entry, Opening
from tests.faults.checker import GUARANTEES, check, search
from tests.faults.history import Answer, Attempt, History, Look, Order, Read

OPENING = Opening({"faucet": 1_000, "ann": 0, "bob": 0}, {"fund": "faucet"}, ("ann", "bob"), 100)
FIRST = Order("first", "ann", "bob", 10, 0)
SECOND = Order("second", "bob", "ann", 5, 0)
THIRD = Order("third", "ann", "bob", 1, 1)
LOST = Order("lost", "bob", "ann", 7, 1)


def entry(height, order, *, index=0, succeeded=True):
    moves = ((order.sender, order.taker, order.amount),) if succeeded else ()
    return Entry(height, index, order.identity, succeeded, moves)


def chain():
    funding = Entry(1, 0, "fund", True, (("faucet", "ann", 100), ("faucet", "bob", 100)))
    return Chain(
        6,
        {height: f"hash {height}" for height in range(1, 7)},
        [funding, entry(2, FIRST), entry(3, SECOND), entry(5, THIRD)],
    )


def told(order, node, invoked, answered, height, *, succeeded=True, index=0):
    return Attempt(order, node, invoked, answered, Answer.OK, "", height, index, succeeded)


def history():
    """Ann pays, Bob pays, Ann pays again with an answer that is lost at first; node 2 lags behind."""
    made = History(orders={order.identity: order for order in (FIRST, SECOND, THIRD, LOST)})
    made.attempts = [
        told(FIRST, 0, 0.0, 1.0, 2),
        told(SECOND, 1, 1.5, 2.5, 3),
        Attempt(THIRD, 0, 3.0, 6.0, Answer.UNKNOWN),
        told(THIRD, 1, 6.5, 7.0, 5),
        told(FIRST, 1, 7.0, 7.1, 2),
        Attempt(LOST, 0, 5.0, 5.1, Answer.REFUSED, "api.not-ready"),
    ]
    made.reads = [
        Read(0, "ann", 1.1, 1.2, 2, 90, 1, floor=2),
        Read(2, "ann", 1.3, 1.4, 1, 100, 0),
        Read(2, "bob", 2.6, 2.7, 2, 110, 0),
        Read(1, "bob", 2.8, 2.9, 3, 105, 1, floor=3),
        Read(0, "ann", 4.0, 4.1, 5, 94, 2, floor=3),
        Read(1, "bob", 7.2, 7.3, 6, 106, 1, floor=5),
    ]
    made.looks = [
        Look(2, "first", 2.0, 2.1, "unknown"),
        Look(0, "first", 1.3, 1.35, "final", 2, 0),
        Look(0, "lost", 6.0, 6.1, "unknown"),
    ]
    return made


def broken(history, chain):
    """All that is told."""
    return check(history, chain, OPENING, search(history, OPENING))


def names(history, chain):
    """The guarantees that are broken."""
    return {line.partition(":")[0] for line in broken(history, chain)}


def test_what_a_good_network_tells_is_good():
    assert broken(history(), chain()) == []


def _not_there(history, chain):
    chain.entries[3] = entry(5, replace(THIRD, identity="another"))


def _elsewhere(history, chain):
    history.attempts[1] = told(SECOND, 1, 1.5, 2.5, 4)


def _other_end(history, chain):
    history.attempts[0] = told(FIRST, 0, 0.0, 1.0, 2, succeeded=False)


def _other_sum(history, chain):
    chain.entries[1] = replace(chain.entries[1], moves=(("ann", "bob", 11),))


def _twice(history, chain):
    chain.entries.append(entry(6, FIRST))


def _nonce_skipped(history, chain):
    history.orders["third"] = replace(THIRD, nonce=2)


def _by_nobody(history, chain):
    chain.entries.append(Entry(6, 0, "forged", True, (("ann", "bob", 1),)))


def _refused_and_done(history, chain):
    chain.entries.append(entry(6, LOST))


def _never_told(history, chain):
    history.attempts.append(Attempt(LOST, 0, 8.0, 9.0, Answer.UNKNOWN))


def _candidate_read(history, chain):
    history.reads[2] = Read(2, "bob", 2.6, 2.7, 2, 105, 1)


def _stale_nonce(history, chain):
    history.reads[3] = replace(history.reads[3], nonce=0)


def _goes_back(history, chain):
    history.reads.append(Read(2, "ann", 2.75, 2.8, 1, 100, 0))


def _behind_its_receipt(history, chain):
    history.reads.append(Read(1, "ann", 2.55, 2.58, 2, 90, 1))


def _forgets_a_receipt(history, chain):
    history.looks.append(Look(0, "first", 4.2, 4.3, "pending"))


def _wrong_place(history, chain):
    history.looks[1] = Look(0, "first", 1.3, 1.35, "final", 3, 0)


def _stale_fresh(history, chain):
    history.reads.append(Read(3, "bob", 7.4, 7.5, 3, 105, 1, floor=3))


def _write_before_its_time(history, chain):
    history.attempts[1] = told(SECOND, 1, 3.5, 4.5, 3)


def _coin_from_nowhere(history, chain):
    chain.entries[1] = replace(chain.entries[1], moves=(("ann", "bob", 10), ("ann", "bob", 200)))


PLANTED = {
    _not_there: {"acknowledged", "nobody else"},
    _elsewhere: {"acknowledged"},
    _other_end: {"acknowledged"},
    _other_sum: {"acknowledged"},
    _twice: {"once"},
    _nonce_skipped: {"once"},
    _by_nobody: {"nobody else"},
    _refused_and_done: {"refused"},
    _never_told: {"resolved"},
    _candidate_read: {"named height"},
    _stale_nonce: {"named height", "explained"},
    _goes_back: {"monotone"},
    _behind_its_receipt: {"monotone"},
    _forgets_a_receipt: {"own word"},
    _wrong_place: {"own word"},
    _stale_fresh: {"linearizable", "explained"},
    _write_before_its_time: {"linearizable"},
    _coin_from_nowhere: {"conserved"},
}


@pytest.mark.parametrize("lie", PLANTED, ids=lambda lie: lie.__name__.strip("_"))
def test_each_lie_is_told_by_its_name(lie):
    heard, blocks = history(), chain()
    lie(heard, blocks)
    assert PLANTED[lie] <= names(heard, blocks)


def test_every_guarantee_is_broken_by_some_lie():
    assert set().union(*PLANTED.values()) == set(GUARANTEES)


def test_an_old_read_of_a_node_that_lags_breaks_nothing():
    heard = history()
    heard.reads.append(Read(2, "ann", 9.0, 9.1, 2, 90, 1))
    assert broken(heard, chain()) == []
