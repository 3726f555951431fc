"""One value a round: two machines behind one guard cannot be led to sign a proof of their own guilt."""

import pytest
from tests.unit.chain.guard.test_guard import COMMIT, PREPARE, PROPOSAL, RC, X, Y, ask, word

from metanode.chain.guard import NOTHING_SIGNED, Guard, GuardRefusal
from metanode.records.vote import Vote, VoteKind


@pytest.mark.parametrize(("first", "second"), [(PROPOSAL, PREPARE), (PROPOSAL, COMMIT), (PREPARE, COMMIT)])
def test_a_word_for_another_value_in_the_round_is_refused(first: VoteKind, second: VoteKind) -> None:
    """Found by thinking of a standby: shown another block by a lying leader, it prepared nothing (a second word), heard
    a quorum and committed: PREPARE of one value, COMMIT of another, one key, one round."""
    guard = Guard(NOTHING_SIGNED)
    assert isinstance(ask(guard, word(first, 5, 1, X)), Vote)
    assert ask(guard, word(second, 5, 1, Y)) is GuardRefusal.OTHER_VALUE
    assert isinstance(ask(guard, word(second, 5, 1, X)), Vote)


def test_another_round_or_height_is_free() -> None:
    guard = Guard(NOTHING_SIGNED)
    assert isinstance(ask(guard, word(PREPARE, 5, 1, X)), Vote)
    assert isinstance(ask(guard, word(RC, 5, 2, bytes(32))), Vote)
    assert isinstance(ask(guard, word(PREPARE, 5, 2, Y)), Vote), "a ROUND-CHANGE is for no value of its round"
    assert isinstance(ask(guard, word(PREPARE, 6, 2, X)), Vote)
