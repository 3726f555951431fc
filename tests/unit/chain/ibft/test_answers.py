"""What a seat that has decided says to those who have not: to whom, how soon, how often (IBFT-M3, V5)."""

from tests.unit.chain.ibft.counterfeit import certificate, commit, content, validators, vote
from tests.unit.chain.ibft.test_round_change import change, hash_of, proposal

from metanode.chain import ibft
from metanode.chain.ibft.answers import (
    CONTENTS_SENT_MAX,
    DECIDED_INTERVAL_MS,
    DECIDED_RESENDS_MAX,
    STRAGGLER_MS,
    Answers,
)
from metanode.primitives.names import NO_HASH, Hash, Height, Round, Seat
from metanode.records.proposal import ProposalContent
from metanode.records.vote import VoteKind

MEMBERS = validators(4)
BLOCK = content(MEMBERS, 0)
X = hash_of(BLOCK)
AT = 1_000
"""When it was decided."""
DECISION = ibft.Decided(commit=commit(MEMBERS, [0, 1, 2], X), header=BLOCK.header)
TOLD = [ibft.SendTo(Seat(1), DECISION)]
STRAGGLER = ibft.Ballot(vote=vote(MEMBERS, VoteKind.PREPARE, 1, X))


def decided(block: ProposalContent = BLOCK, height: int = 1) -> ibft.Decide:
    hash_ = hash_of(block)
    return ibft.Decide(Height(height), Round(0), hash_, block, commit(MEMBERS, [0, 1, 2], hash_, height=height))


def answers() -> Answers:
    made = Answers()
    made.decided(decided(), AT)
    return made


def test_a_vote_that_is_merely_late_is_not_answered_for_a_while() -> None:
    words: list[ibft.Message] = [STRAGGLER, proposal(MEMBERS, 0, BLOCK, [], round_=0)]
    for word in words:
        told = [answers().to_late(word, Seat(1), AT + after) for after in (0, STRAGGLER_MS - 1, STRAGGLER_MS)]
        assert told == [[], [], TOLD]
    assert answers().to_late(change(MEMBERS, 1, 1), Seat(1), AT) == TOLD, "who gave up a round is not"


def test_the_decision_is_told_again_after_a_while_or_in_a_higher_round() -> None:
    made, began = answers(), AT + STRAGGLER_MS
    assert made.to_late(STRAGGLER, Seat(1), began) == TOLD
    assert made.to_late(STRAGGLER, Seat(1), began + DECIDED_INTERVAL_MS - 1) == []
    assert made.to_late(STRAGGLER, Seat(1), began + DECIDED_INTERVAL_MS) == TOLD
    assert made.to_late(change(MEMBERS, 1, 1), Seat(1), began + DECIDED_INTERVAL_MS) == TOLD
    assert made.to_late(STRAGGLER, Seat(1), began + DECIDED_INTERVAL_MS) == [], "of a lower round"


def test_the_first_word_of_a_peer_is_answered_whatever_its_round() -> None:
    assert answers().to_late(change(MEMBERS, 1, 0), Seat(1), 0) == TOLD


def test_nobody_is_told_who_has_no_seat_or_says_nothing_of_its_round() -> None:
    late = AT + STRAGGLER_MS
    assert answers().to_late(STRAGGLER, ibft.NO_SEAT, late) == []
    shown = ibft.Prepared(certificate=certificate(MEMBERS, [0, 1, 2], X))
    for message in (DECISION, shown, ibft.Content(height=1, content=BLOCK)):
        assert answers().to_late(message, Seat(1), late) == []
    assert Answers().to_late(STRAGGLER, Seat(1), late) == [], "nothing is decided"


def test_a_new_decision_may_be_told_and_asked_for_anew() -> None:
    made = answers()
    wanted = ibft.Wanted(height=1, header_hash=X)
    for round_ in range(1, DECIDED_RESENDS_MAX + 1):
        assert made.to_late(change(MEMBERS, 1, round_), Seat(1), AT) == TOLD
    for _ in range(CONTENTS_SENT_MAX):
        assert made.to_wanted(wanted, Seat(1), {}) == [ibft.SendTo(Seat(1), ibft.Content(height=1, content=BLOCK))]
    assert made.to_late(change(MEMBERS, 1, 99), Seat(1), AT) == []
    assert made.to_wanted(wanted, Seat(1), {}) == []
    made.decided(decided(), AT)
    assert made.to_late(change(MEMBERS, 1, 1), Seat(1), AT) == TOLD
    assert len(made.to_wanted(wanted, Seat(1), {})) == 1


def test_a_content_is_one_of_this_height_or_the_one_decided_last() -> None:
    later = content(MEMBERS, 1, height=2)
    here: dict[bytes, ProposalContent] = {hash_of(later): later}

    def told(made: Answers, hash_: Hash) -> list[ibft.Effect]:
        return made.to_wanted(ibft.Wanted(height=2, header_hash=hash_), Seat(1), here)

    assert told(answers(), hash_of(later)) == [ibft.SendTo(Seat(1), ibft.Content(height=2, content=later))]
    assert told(answers(), X) == [ibft.SendTo(Seat(1), ibft.Content(height=2, content=BLOCK))]
    assert told(answers(), Hash(b"\1" * 32)) == []
    for hash_ in (X, NO_HASH):
        assert told(Answers(), hash_) == [], "before anything is decided"
