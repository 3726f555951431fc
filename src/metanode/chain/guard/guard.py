"""The guard itself: asked before every signature, by node and remote signer alike."""

from dataclasses import dataclass
from typing import TypeAlias, assert_never

from metanode.chain.guard.record import (
    NO_COMMIT,
    STEPS,
    GuardRecord,
    GuardRefusal,
    encode_record,
    place_of,
    statement_digest,
)
from metanode.primitives.names import NO_HASH
from metanode.primitives.refusal import Rejected
from metanode.records.vote import NO_ROUND, Vote, VoteKind


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody wants this vote signed; it has neither seal nor signature yet."""

    vote: Vote
    chain_id: bytes
    validators_hash: bytes
    seal_message: bytes


@dataclass(frozen=True, slots=True)
class Produced:
    """The keys have signed what `Produce` asked for: the vote with seal, attachment and signature."""

    vote: Vote


@dataclass(frozen=True, slots=True)
class Produce:
    """Let the keys sign. The result goes nowhere but to the guard."""

    request: Request


@dataclass(frozen=True, slots=True)
class Store:
    """GUARD-5. Make these bytes durable before anything after them is carried out."""

    record: bytes


@dataclass(frozen=True, slots=True)
class Release:
    """Give the signed vote to whoever asked."""

    vote: Vote


@dataclass(frozen=True, slots=True)
class Refuse:
    """Give nothing; `reason` says why, `vote` is what was asked for."""

    vote: Vote
    reason: GuardRefusal
    detail: str


Event: TypeAlias = Request | Produced
Effect: TypeAlias = Produce | Store | Release | Refuse


class Guard:
    """Never two words for one step, never a step back, never a round change that forgets a commit.

    `Request` is answered by `Produce` (then `Produced` by `Store` and `Release`), by `Release` of the stored vote where
    the same was signed before, or by `Refuse`. One request at a time.
    """

    def __init__(self, record: GuardRecord) -> None:
        self.record = record
        """What is durable, or will be before the next release."""
        self._asked: tuple[Request, ...] = ()

    def handle(self, event: Event) -> list[Effect]:
        """One request or its product; effects in order."""
        match event:
            case Request():
                try:
                    return self._request(event)
                except Rejected as refusal:
                    reason = refusal.reason
                    assert isinstance(reason, GuardRefusal), "the guard has its own reasons"
                    return [Refuse(event.vote, reason, refusal.detail)]
            case Produced(vote=vote):
                return self._produced(vote)
            case _:
                assert_never(event)

    def _request(self, request: Request) -> list[Effect]:
        """GUARD-1, GUARD-7. One chain, and forwards only."""
        record, vote = self.record, request.vote
        assert not vote.signature, "the guard is asked for votes not yet signed"
        if record.vote and record.chain_id != request.chain_id:
            raise Rejected(GuardRefusal.OTHER_CHAIN, "these keys have signed on another chain")
        place, last = place_of(vote), (record.height, record.round, record.step)
        if place < last:
            raise Rejected(GuardRefusal.BACKWARDS, f"{_show(place)} after {_show(last)}")
        if place == last:
            return self._repeat(request)
        self._check_value(vote)
        self._check_commit(vote)
        self._asked = (request,)
        return [Produce(request)]

    def _repeat(self, request: Request) -> list[Effect]:
        """GUARD-2. The same step again: the same bytes give the stored signature, others nothing."""
        same = statement_digest(request.vote, request.chain_id, request.validators_hash) == self.record.digest
        if not same or not self.record.vote:
            raise Rejected(GuardRefusal.SECOND_WORD, f"another {_show(place_of(request.vote))}")
        return [Release(self.record.vote[0])]

    def _check_value(self, vote: Vote) -> None:
        """GUARD-11. PROPOSAL, PREPARE and COMMIT of one round are for one value: two of them would convict the key."""
        record = self.record
        spoken = (record.height, record.round) == (vote.height, vote.round) and record.step > STEPS[
            VoteKind.ROUND_CHANGE
        ]
        if spoken and record.vote and record.vote[0].header_hash != vote.header_hash:
            raise Rejected(GuardRefusal.OTHER_VALUE, f"another header in round {vote.round} of height {vote.height}")

    def _check_commit(self, vote: Vote) -> None:
        """GUARD-3. Having committed, a seat shows in every later ROUND-CHANGE of the height that it was prepared."""
        record = self.record
        committed = record.height == vote.height and record.committed_round != NO_COMMIT
        if vote.kind != VoteKind.ROUND_CHANGE or not committed:
            return
        shown = vote.prepared_round
        if shown == NO_ROUND or shown < record.committed_round:
            raise Rejected(GuardRefusal.HIDES_COMMIT, f"committed in round {record.committed_round}")
        if shown == record.committed_round and vote.header_hash != record.committed_hash:
            raise Rejected(GuardRefusal.HIDES_COMMIT, "committed to another header in that round")

    def _produced(self, vote: Vote) -> list[Effect]:
        """GUARD-4, GUARD-5. Remember it, then let it go. A COMMIT is remembered until the height is over."""
        (request,), self._asked = self._asked, ()
        assert place_of(vote) == place_of(request.vote), "the product of another request"
        record = self.record
        carried = record.height == vote.height
        committed = (record.committed_round, record.committed_hash) if carried else (NO_COMMIT, bytes(NO_HASH))
        if vote.kind == VoteKind.COMMIT:
            committed = (vote.round, vote.header_hash)
        height, round_, step = place_of(vote)
        self.record = GuardRecord(
            version=1,
            chain_id=request.chain_id,
            height=height,
            round=round_,
            step=step,
            digest=statement_digest(request.vote, request.chain_id, request.validators_hash),
            vote=(vote,),
            committed_round=committed[0],
            committed_hash=committed[1],
        )
        return [Store(encode_record(self.record)), Release(vote)]


def _show(place: tuple[int, int, int]) -> str:
    return f"height {place[0]} round {place[1]} step {place[2]}"
