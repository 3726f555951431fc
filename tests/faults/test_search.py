"""The search for an order, on histories made by hand."""

import math

from tests.faults.search import Change, Held, Seen, has_an_order

FIRST = Held(100, 0)


def test_one_after_another_has_an_order_and_a_stale_read_has_none():
    paid = Change(0, 1, -30, 1)
    assert has_an_order([paid, Seen(2, 3, Held(70, 1))], FIRST) is True
    assert has_an_order([paid, Seen(2, 3, Held(100, 0))], FIRST) is False


def test_a_read_beside_a_transfer_may_see_it_or_not_but_two_reads_do_not_go_back():
    paid = Change(0, 10, -30, 1)
    before, after = Held(100, 0), Held(70, 1)
    assert has_an_order([paid, Seen(1, 2, before), Seen(3, 4, after)], FIRST) is True
    assert has_an_order([paid, Seen(1, 2, after), Seen(3, 4, before)], FIRST) is False


def test_a_transfer_nobody_heard_of_may_happen_late_or_never():
    lost = Change(0, math.inf, -30, 1)
    assert has_an_order([lost, Seen(1, 2, FIRST), Seen(50, 51, Held(70, 1))], FIRST) is True
    assert has_an_order([lost, Seen(1, 2, FIRST), Seen(50, 51, FIRST)], FIRST) is True
    assert has_an_order([lost, Seen(1, 2, Held(70, 1)), Seen(50, 51, FIRST)], FIRST) is False
    assert has_an_order([lost, Seen(1, 2, Held(40, 2))], FIRST) is False, "it happens once"


def test_it_does_not_happen_before_it_was_asked_for():
    assert has_an_order([Seen(0, 1, Held(70, 1)), Change(2, 3, -30, 1)], FIRST) is False


def test_nobody_spends_what_he_has_not():
    debit, credit = Change(0, 1, -130, 1), Change(0, 1, 50, 0)
    assert has_an_order([debit], FIRST) is False
    assert has_an_order([debit, credit], FIRST) is True, "the credit came first"


def test_a_transfer_done_twice_or_lost_after_its_word_is_seen():
    paid = Change(0, 1, -30, 1)
    assert has_an_order([paid, Seen(2, 3, Held(40, 2))], FIRST) is False
    assert has_an_order([paid, Seen(2, 3, Held(70, 1)), Seen(4, 5, FIRST)], FIRST) is False


def test_many_beside_each_other_are_sorted_out_and_a_hopeless_search_is_given_up():
    paid = [Change(0, 10, 1 << number, 0) for number in range(12)]
    reads = [Seen(11, 12, Held(100 + (1 << 12) - 1, 0)), Seen(1, 9, Held(105, 0))]
    assert has_an_order([*paid, *reads], FIRST) is True
    assert has_an_order([*paid, Seen(1, 9, Held(99, 0))], FIRST) is False
    assert has_an_order([*paid, Seen(1, 9, Held(99, 0))], FIRST, steps_max=50) is None
