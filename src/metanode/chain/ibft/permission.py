"""Whether this node may speak yet: the start-up question, asked and answered over the same links as votes."""

from itertools import count
from typing import Final

from metanode.chain.guard import GuardRecord, LastWord, LastWordAsked, Startup, highest_word
from metanode.chain.guard.startup import (
    ASK_INTERVAL_MS,
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
from metanode.chain.guard.startup import Event as StartupEvent
from metanode.chain.ibft.events import Blame, Broadcast, CheckSignatures, Effect, SetTimer, VotesFrom
from metanode.chain.ibft.state import HeightState
from metanode.primitives.names import NO_HASH, Hash, Seat
from metanode.records.validators import ValidatorSet

STARTUP_TIMER: Final = "ibft.startup"
"""When the question is asked again."""


class Permission:
    """GUARD-8, GUARD-9, GUARD-10. Silence until peers have answered, and where guard and journal do not agree.

    A machine that was never `Started` has no guard of its own: whoever runs it says by the seat whether it may vote.
    """

    def __init__(self, chain_id: Hash, tokens: "count[int]") -> None:
        self._chain_id: Final = chain_id
        self._tokens: Final = tokens
        self._startup: Startup | None = None
        self._checks: dict[int, int] = {}
        self._from_height = -1
        self._asked = (NO_HASH, Seat(-1))

    def start(self, record: GuardRecord) -> None:
        """The guard of this process holds this."""
        self._startup = Startup(self._chain_id, record)

    def allows(self, state: HeightState) -> bool:
        """GUARD-9, GUARD-10. Answered, above every word that was forgotten, and the journal as far as the guard.

        A guard ahead of the journal means that steps were lost: the height is only observed.
        """
        if self._startup is None:
            return True
        if self._from_height < 0 or state.height < self._from_height:
            return False
        record = self._startup.record
        guarded = (record.height, record.round, record.step)
        return (state.height, *state.reached) >= guarded

    def begin(self, validators: ValidatorSet, seat: Seat) -> list[Effect]:
        """GUARD-8. Ask the set of the first height, and again where the set or our seat has changed meanwhile. Who has
        no seat asks nobody, and with the next one anew: answers are counted by seats, whose numbers a set gives."""
        if seat < 0:
            self._asked = NO_HASH, seat
        if seat < 0 or self._asked == (validators.hash, seat):
            return []
        self._asked = validators.hash, seat
        return self._tell(Begin(seat, validators[seat].vote_key, validators.quorum))

    def answered(self, seat: Seat, word: LastWord) -> list[Effect]:
        """An answer of a peer, to who has asked."""
        return self._tell(Answered(seat, word)) if self._asked[1] >= 0 else []

    def checked(self, token: int, *, good: bool) -> list[Effect]:
        """A verdict, if the check was ours."""
        known = self._checks.pop(token, None)
        return [] if known is None else self._tell(WordChecked(known, good))

    def ask_again(self) -> list[Effect]:
        """The timer ran out."""
        return self._tell(AskAgain())

    def override(self) -> list[Effect]:
        """The operator vouches."""
        return self._tell(Overridden())

    def _tell(self, event: StartupEvent) -> list[Effect]:
        effects: list[Effect] = []
        for effect in self._startup.handle(event) if self._startup is not None else ():
            match effect:
                case Ask(question=question):
                    effects += [Broadcast(question), SetTimer(STARTUP_TIMER, ASK_INTERVAL_MS)]
                case CheckWord(token=token, item=item):
                    outer = next(self._tokens)
                    self._checks[outer] = token
                    effects.append(CheckSignatures(outer, (item,)))
                case Discount(seat=seat, refusal=refusal):
                    effects.append(Blame(seat, refusal, "answer to the start-up question"))
                case MayVote(from_height=from_height):
                    self._from_height = from_height
                    effects.append(VotesFrom(from_height))
        return effects


def last_word(states: tuple[HeightState, ...], question: LastWordAsked) -> LastWord:
    """GUARD-8. The highest vote heard of a key, in the newest of these heights in which it was heard."""
    for state in states:
        seat = state.validators.seats_by_vote_key.get(question.vote_key)
        votes = [table[seat] for table in state.votes.values() if seat in table] if seat is not None else []
        if votes:
            hash_ = state.validators.hash
            return LastWord(vote_key=question.vote_key, validators_hash=hash_, votes=highest_word(votes))
    return LastWord(vote_key=question.vote_key, validators_hash=NO_HASH, votes=())
