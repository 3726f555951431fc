"""The question before the first vote, as a machine by itself."""

from tests.unit.chain.ibft.counterfeit import CHAIN, validators, vote

from metanode.chain.guard import NOTHING_SIGNED, LastWord, LastWordAsked, Startup, StartupRefusal, highest_word
from metanode.chain.guard.startup import (
    Answered,
    Ask,
    AskAgain,
    Begin,
    CheckWord,
    Discount,
    MayVote,
    Overridden,
    WordChecked,
)
from metanode.primitives.names import NO_HASH, Height, Seat
from metanode.records.vote import Vote, VoteKind

MEMBERS = validators(4)
KEY = MEMBERS[0].vote_key
QUESTION = LastWordAsked(vote_key=KEY)


def nothing(key: bytes = KEY) -> LastWord:
    return LastWord(vote_key=key, validators_hash=NO_HASH, votes=())


def shown(word: Vote) -> LastWord:
    return LastWord(vote_key=KEY, validators_hash=MEMBERS.hash, votes=(word,))


def begun(quorum: int = 3) -> Startup:
    startup = Startup(CHAIN, NOTHING_SIGNED)
    assert startup.handle(Begin(Seat(0), KEY, quorum)) == [Ask(QUESTION)]
    return startup


def test_a_lone_validator_starts_at_once() -> None:
    assert Startup(CHAIN, NOTHING_SIGNED).handle(Begin(Seat(0), KEY, 1)) == [MayVote(Height(0))]


def test_a_quorum_of_answers_our_own_guard_among_them() -> None:
    startup = begun()
    assert startup.handle(Answered(Seat(1), nothing())) == []
    assert startup.handle(Answered(Seat(1), nothing())) == [], "one answer a seat"
    assert startup.handle(Answered(Seat(2), nothing(b"k" * 32))) == [], "of another key"
    assert startup.handle(Answered(Seat(-1), nothing())) == [], "not of a seat"
    assert startup.handle(Answered(Seat(2), nothing())) == [MayVote(Height(0))]
    assert startup.handle(Answered(Seat(3), nothing())) == []


def test_a_real_word_above_the_guard_makes_its_height_taboo() -> None:
    startup = begun()
    word = vote(MEMBERS, VoteKind.PREPARE, 0, b"x" * 32, height=41)
    (check,) = startup.handle(Answered(Seat(1), shown(word)))
    assert isinstance(check, CheckWord)
    assert (check.item[0], check.item[2]) == (KEY, word.signature)
    assert startup.handle(Answered(Seat(1), nothing())) == [], "under check: not twice"
    assert startup.handle(Answered(Seat(2), nothing())) == []
    assert startup.handle(WordChecked(check.token, good=True)) == [MayVote(Height(42))]


def test_a_forged_word_does_not_count_and_its_teller_may_answer_again() -> None:
    startup = begun(2)
    word = vote(MEMBERS, VoteKind.PREPARE, 0, b"x" * 32, height=41)
    (check,) = startup.handle(Answered(Seat(1), shown(word)))
    assert isinstance(check, CheckWord)
    assert startup.handle(WordChecked(check.token, good=False)) == [Discount(Seat(1), StartupRefusal.FORGED_WORD)]
    assert startup.handle(WordChecked(check.token, good=True)) == []
    malformed = LastWord(vote_key=KEY, validators_hash=b"", votes=(word,))
    assert startup.handle(Answered(Seat(1), malformed)) == [Discount(Seat(1), StartupRefusal.FORGED_WORD)]
    bent = Vote(**{**{f: getattr(word, f) for f in Vote.__struct_fields__}, "height": 0})
    assert startup.handle(Answered(Seat(1), shown(bent))) == [Discount(Seat(1), StartupRefusal.FORGED_WORD)]
    assert startup.handle(Answered(Seat(1), nothing())) == [MayVote(Height(0))]


def test_asked_again_until_finished_and_the_operator_may_vouch() -> None:
    startup = begun()
    assert startup.handle(AskAgain()) == [Ask(QUESTION)]
    assert startup.handle(Overridden()) == [MayVote(Height(0))]
    assert startup.handle(AskAgain()) == []


def test_before_it_began_nothing_is_asked() -> None:
    startup = Startup(CHAIN, NOTHING_SIGNED)
    assert startup.handle(AskAgain()) == []
    assert startup.handle(Answered(Seat(1), nothing())) == []


def test_the_highest_word() -> None:
    words = [
        vote(MEMBERS, kind, 0, NO_HASH, round_=round_)
        for kind, round_ in ((VoteKind.COMMIT, 0), (VoteKind.ROUND_CHANGE, 1), (VoteKind.PREPARE, 0))
    ]
    assert highest_word(words) == (words[1],)
    assert highest_word([]) == ()
