"""A liar that may send anything its keys can sign: words of any kind, round and height at hand, for any value it has
heard of, over any certificates and round changes it has heard, and what others said, again. It attacks what nobody
thought of."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec

from metanode.chain import ibft
from metanode.chain.guard import LastWord, LastWordAsked
from metanode.node.machine import Node
from metanode.primitives.names import NO_HASH, Millis, Seat
from metanode.records.commit import PreparedCertificate, certificate_digest
from metanode.records.header import read_header
from metanode.records.vote import NO_ROUND, Justification, Vote, VoteKind, justification_digest
from metanode.sim.byzantine.speaker import Liar, LyingNode

REMEMBERED: Final = 24
"""Of what it heard of each kind."""
NOBODYS: Final = b"\x77" * 32
"""A value that nobody has."""


class AnythingNode(LyingNode):
    """Every choice is one `draw(n)`: a number below n. Where all are 0 it tells the truth."""

    draw: Callable[[int], int]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._heard: list[Any] = []
        self._changes: list[Vote] = []
        self._certificates: list[PreparedCertificate] = []
        self._proposals: list[ibft.Proposal] = []

    def _lie(self, honest: Callable[[Any], Sequence[Any]], event: Any) -> Sequence[Any]:
        if isinstance(event, ibft.Received):
            self._remember(event.message)
        return super()._lie(honest, event)

    def _remember(self, message: Any) -> None:
        match message:
            case ibft.Proposal(justification=why):
                self._proposals.append(message)
                self._changes += why.round_changes
                self._certificates += why.certificates
            case ibft.RoundChange(vote=vote, certificates=certificates):
                self._changes.append(vote)
                self._certificates += certificates
            case _:
                pass
        self._heard.append(message)
        for kept in (self._heard, self._changes, self._certificates, self._proposals):
            del kept[:-REMEMBERED]

    def face(self, seat: Seat, message: Any) -> Sequence[Any]:
        """The truth, nothing, something made up, or what somebody else said; to each seat as it likes."""
        del seat
        vote = getattr(message, "vote", None)
        match self.draw(8):
            case 1:
                return ()
            case 2 | 3 if vote is not None:
                return (self._made_up(vote),)
            case 4 | 5 if vote is not None:
                return (message, self._made_up(vote), self._made_up(vote))
            case 6 if self._heard:
                return (message, self._one_of(self._heard))
            case _:
                return (message,)

    def _one_of(self, things: list[Any]) -> Any:
        return things[-1 - self.draw(len(things))]

    def _made_up(self, vote: Vote) -> Any:
        height, round_ = vote.height + self.draw(2), max(vote.round + self.draw(4) - 1, 0)
        match self.draw(7):
            case 0 | 1:
                kind = VoteKind.COMMIT if self.draw(2) else VoteKind.PREPARE
                return ibft.Ballot(vote=self._vote(vote, kind, height, round_, self._value(vote)))
            case 2:
                return self._change(vote, height, round_)
            case 3 if self._proposals:
                return self._proposal(vote, round_)
            case 4:
                return ibft.Wanted(height=height, header_hash=self._value(vote))
            case 5:
                return LastWordAsked(vote_key=self._desk.settings.vote_key)
            case _:
                word = self._one_of(self._changes) if self._changes else vote
                validators = self._desk.tip.validators
                return LastWord(
                    vote_key=validators[word.seat % len(validators)].vote_key,
                    validators_hash=validators.hash,
                    votes=(word,),
                )

    def _value(self, vote: Vote) -> bytes:
        known = [vote.header_hash, NOBODYS, *(one.vote.header_hash for one in self._proposals)]
        value: bytes = known[self.draw(len(known))]
        return value

    def _vote(self, vote: Vote, kind: VoteKind, height: int, round_: int, value: bytes, **more: Any) -> Vote:
        """Sealed where its kind is; a COMMIT's share is of what it says."""
        seal = b"sealed" if kind is VoteKind.COMMIT else b""
        empty: dict[str, Any] = {"prepared_round": NO_ROUND, "attachment": NO_HASH, "seal": seal}
        changed = {**empty, **more, "kind": kind, "height": height, "round": round_, "header_hash": value}
        return self.sign(vote, seat=self._desk.seat, **changed)

    def _change(self, vote: Vote, height: int, round_: int) -> ibft.RoundChange:
        kind = VoteKind.ROUND_CHANGE
        if not self._certificates or not self.draw(2):
            return ibft.RoundChange(vote=self._vote(vote, kind, height, round_, NO_HASH), certificates=())
        shown = self._one_of(self._certificates)
        prepared = {"prepared_round": shown.round, "attachment": certificate_digest((shown,))}
        changed = self._vote(vote, kind, height, round_, shown.header_hash, **prepared)
        return ibft.RoundChange(vote=changed, certificates=(shown,))

    def _proposal(self, vote: Vote, round_: int) -> ibft.Proposal:
        """One it has heard, or another block, over some of the words it has heard."""
        heard = self._one_of(self._proposals)
        header = read_header(heard.content.header)
        if self.draw(2):
            header = replace(header, timestamp_ms=Millis(header.timestamp_ms + self.draw(3)), proposer=self._desk.seat)
        changes = tuple(change for change in self._changes if self.draw(2))
        certificates = (self._one_of(self._certificates),) if self._certificates and self.draw(2) else ()
        why = Justification(round_changes=changes, certificates=certificates)
        height, attachment = heard.vote.height, justification_digest(why)
        word = self._vote(vote, VoteKind.PROPOSAL, height, round_, header.hash, attachment=attachment)
        content = msgspec.structs.replace(heard.content, header=header.encoded)
        return ibft.Proposal(vote=word, content=content, justification=why)


class Anything(Liar):
    """The computer of such a node. Its choices are the world's chance, unless a test makes them."""

    lying = AnythingNode
    draw: Callable[[int], int] | None = None

    def _make(self, *arguments: Any) -> Node:
        node = super()._make(*arguments)
        assert isinstance(node, AnythingNode)
        node.draw = self.draw or self._outside.random.randrange
        return node
