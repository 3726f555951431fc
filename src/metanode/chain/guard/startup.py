"""The question every node asks before it votes: did anybody hear from me what my guard does not know?

A disk that was lost or set back forgets what it signed; the peers do not.
"""

from dataclasses import dataclass, field
from typing import Final, TypeAlias, assert_never

from metanode.chain.guard.record import GuardRecord, place_of
from metanode.primitives.codec import Wire
from metanode.primitives.names import Hash, Height, Seat
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.vote import Vote, VoteKind, check_vote, vote_signing_bytes

ASK_INTERVAL_MS: Final = 250
"""A question nobody heard, because links were still opening, is asked again after this."""


class StartupRefusal(Refusal):
    """Why an answer does not count."""

    FORGED_WORD = "startup.forged-word"
    """The word shown was never signed by this key: nobody can keep a validator silent with words it did not say."""


class LastWordAsked(Wire, tag="last-word-asked/1"):
    """What is the highest word you heard signed by this vote key?"""

    vote_key: bytes


class LastWord(Wire, tag="last-word/1"):
    """The highest vote heard of this key, under the set of its height; none where nothing is known of it."""

    vote_key: bytes
    validators_hash: bytes
    votes: tuple[Vote, ...]


@dataclass(frozen=True, slots=True)
class Begin:
    """Ask. `seat` of `seats` is ours, by this `vote_key`; `quorum` answers are needed, our guard's among them."""

    seat: Seat
    vote_key: bytes
    quorum: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer of a seat, over its own authenticated link."""

    seat: Seat
    word: LastWord


@dataclass(frozen=True, slots=True)
class WordChecked:
    """The verdict of a `CheckWord`."""

    token: int
    good: bool


@dataclass(frozen=True, slots=True)
class AskAgain:
    """`ASK_INTERVAL_MS` went by."""


@dataclass(frozen=True, slots=True)
class Overridden:
    """The operator vouches that this key signed nothing beyond its guard."""


Event: TypeAlias = Begin | Answered | WordChecked | AskAgain | Overridden


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask every other validator, and again after `ASK_INTERVAL_MS`."""

    question: LastWordAsked


@dataclass(frozen=True, slots=True)
class CheckWord:
    """Check one signature: (public key, message, signature)."""

    token: int
    item: tuple[bytes, bytes, bytes]


@dataclass(frozen=True, slots=True)
class MayVote:
    """From this height on (0: at once) the node may vote, as far as its guard and its journal agree (GUARD-10)."""

    from_height: Height


@dataclass(frozen=True, slots=True)
class Discount:
    """An answer that does not count."""

    seat: Seat
    refusal: StartupRefusal


Effect: TypeAlias = Ask | CheckWord | MayVote | Discount


@dataclass(slots=True)
class Startup:
    """GUARD-8. Silent until Q answers, none above the guard; a word above it makes every height up to its own taboo.

    Our own guard is one of the Q answers: with it, a lone validator can start, and so can one whose peers are down as
    far as the protocol bears. That is still enough. Who lost his memory is one of the f faulty, and the Q − 1 others
    who took part in a decision meet the Q − 1 others asked in at least f seats, of which at most f − 1 lie.
    """

    chain_id: Hash
    record: GuardRecord
    finished: bool = False
    _seat: Seat = Seat(-1)  # noqa: RUF009 - a number
    _vote_key: bytes = b""
    _quorum: int = 0
    _from_height: int = 0
    _answers: dict[Seat, bool] = field(default_factory=dict)
    _checking: dict[int, tuple[Seat, Vote]] = field(default_factory=dict)
    _next_token: int = 1

    def handle(self, event: Event) -> list[Effect]:
        """One event in, effects in order out; nothing any more once it has finished."""
        if self.finished:
            return []
        match event:
            case Begin(seat=seat, vote_key=vote_key, quorum=quorum):
                self._seat, self._vote_key, self._quorum = seat, vote_key, quorum
                self._answers = {seat: True}
                self._checking.clear()
                return self._conclude() or [Ask(LastWordAsked(vote_key=vote_key))]
            case AskAgain():
                return [Ask(LastWordAsked(vote_key=self._vote_key))] if self._vote_key else []
            case Answered(seat=seat, word=word):
                return self._answered(seat, word)
            case WordChecked(token=token, good=good):
                return self._checked(token, good=good)
            case Overridden():
                return self._finish()
            case _:
                assert_never(event)

    def _answered(self, seat: Seat, word: LastWord) -> list[Effect]:
        """GUARD-8. An answer without a word above the guard counts at once; with one, if the word is really ours."""
        if seat < 0 or seat in self._answers or word.vote_key != self._vote_key or not self._vote_key:
            return []
        if any(pending == seat for pending, _ in self._checking.values()):
            return []
        for vote in word.votes[:1]:
            try:
                check_vote(vote)
            except Rejected:
                return [Discount(seat, StartupRefusal.FORGED_WORD)]
            if place_of(vote) > (self.record.height, self.record.round, self.record.step):
                return self._check_word(seat, word, vote)
        self._answers[seat] = True
        return self._conclude()

    def _check_word(self, seat: Seat, word: LastWord, vote: Vote) -> list[Effect]:
        if len(word.validators_hash) != 32:
            return [Discount(seat, StartupRefusal.FORGED_WORD)]
        token, self._next_token = self._next_token, self._next_token + 1
        self._checking[token] = seat, vote
        message = vote_signing_bytes(self.chain_id, Hash(word.validators_hash), vote)
        return [CheckWord(token, (self._vote_key, message, vote.signature))]

    def _checked(self, token: int, *, good: bool) -> list[Effect]:
        """GUARD-9. A real word above the guard: this disk has forgotten. Votes begin above the height of that word."""
        if token not in self._checking:
            return []
        seat, vote = self._checking.pop(token)
        if not good:
            return [Discount(seat, StartupRefusal.FORGED_WORD)]
        self._from_height = max(self._from_height, vote.height + 1)
        self._answers[seat] = True
        return self._conclude()

    def _conclude(self) -> list[Effect]:
        return self._finish() if len(self._answers) >= self._quorum else []

    def _finish(self) -> list[Effect]:
        self.finished = True
        return [MayVote(Height(self._from_height))]


def highest_word(votes: list[Vote]) -> tuple[Vote, ...]:
    """GUARD-8. The highest of these votes of one seat, or none: the answer to the question."""
    known = [vote for vote in votes if vote.kind in tuple(VoteKind)]
    return (max(known, key=place_of),) if known else ()
