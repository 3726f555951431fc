"""What a node shows of a height, open or past: all that it has of it, and nothing that it has not checked."""

import msgspec
import pytest
from tests.unit.ledger.test_conviction import a_vote, double_vote
from tests.unit.ledger.world import adding
from tests.unit.node.requests.test_guilt import SEALS
from tests.unit.node.requests.world import Chain

from metanode.api.errors import ApiRefusal
from metanode.api.guilt import TranscriptGet
from metanode.chain.ibft import Account
from metanode.chain.light import GenesisBasis
from metanode.chain.stall import Told, read_transcript
from metanode.node.forensics import KeptHeight
from metanode.node.requests import exports, transcripts
from metanode.node.rows import KEPT, NOTED, height_key
from metanode.primitives.codec import encode
from metanode.primitives.names import NO_HASH, Height, Round
from metanode.records.transcript import NOTHING_NOTED, Arrival, LateWord, Notes, RoundEntered
from metanode.records.vote import Justification, Vote, VoteKind


def change(seat: int, round_: int, height: int) -> Vote:
    vote = a_vote(seat, height)
    return msgspec.structs.replace(vote, kind=VoteKind.ROUND_CHANGE, round=round_, header_hash=NO_HASH)


def account(height: int, *votes: Vote, **fields: object) -> Account:
    true = {"round": Round(1), "speaks": True, "certificates": (), "notes": NOTHING_NOTED, "overdue": ()}
    return Account(height=Height(height), validators_hash=NO_HASH, votes=votes, **true | fields)  # type: ignore[arg-type]


def told(chain: Chain, height: int = 0) -> Told:
    view = chain.ask("transcript.get", TranscriptGet(height=height))
    read = read_transcript(bytes.fromhex(view.file), GenesisBasis(chain.genesis), SEALS)
    shown = (view.height, view.open, view.node, view.round, view.votes, view.complete)
    assert shown == (
        read.height, not read.final, read.said.node, read.said.round, len(read.votes), read.complete,
    )  # fmt: skip
    return read


def test_the_open_height_has_what_agreement_has() -> None:
    chain = Chain()
    chain.final()
    heard = account(2, a_vote(1, 2), change(0, 1, 2))
    chain.desk.account = lambda: heard
    chain.desk.peers[chain.genesis.validators[2].transport_key] = 5
    chain.desk.heights[chain.genesis.validators[2].transport_key] = 1
    read = told(chain)
    assert (read.height, read.final, set(read.votes)) == (2, (), set(heard.votes))
    assert [header.height for header in read.below] == [1]
    said = read.said
    assert (said.node, said.seat, said.tip, said.round, said.silence) == ("validator-0", 0, 1, 1, "")
    assert [(link.seat, link.connected, link.height) for link in said.links] == [
        (1, False, 0), (2, True, 1), (3, False, 0),
    ]  # fmt: skip


def test_an_account_of_another_height_is_not_shown() -> None:
    """A node that applied a block by other ways has not begun to agree on the next one."""
    chain = Chain()
    chain.final()
    chain.desk.account = lambda: account(1, a_vote(1))
    assert told(chain).votes == ()


@pytest.mark.parametrize(
    ("fields", "speaks", "silence"),
    [
        ({"may_vote": False}, True, "its journal or sign guard is not to be trusted"),
        ({"behind": True}, True, "it is catching up"),
        ({}, False, "it asks its peers first what its key has signed"),
        ({}, True, ""),
    ],
)
def test_a_node_says_why_it_does_not_vote(fields: dict[str, bool], speaks: bool, silence: str) -> None:
    chain = Chain()
    chain.final()
    chain.desk.account = lambda: account(2, speaks=speaks)
    for name, value in fields.items():
        setattr(chain.desk, name, value)
    assert told(chain).said.silence == silence


def keep(chain: Chain, votes: tuple[Vote, ...], whys: tuple[Justification, ...], notes: Notes) -> None:
    kept = KeptHeight(
        version=1,
        height=1,
        timestamp_ms=chain.desk.tip.timestamp_ms,
        validators_hash=chain.desk.tip.validators.hash,
        votes=votes,
        justifications=whys,
    )
    chain.rows.write({height_key(KEPT, 1): encode(kept), height_key(NOTED, 1): encode(notes)})


def test_a_past_height_has_what_was_kept_and_what_came_when_it_was_over() -> None:
    chain = Chain()
    chain.final()
    assert (told(chain, 1).votes, told(chain, 1).said.notes) == ((), NOTHING_NOTED)
    votes, whys = (a_vote(0), a_vote(1)), (change(2, 1, 1), change(3, 1, 1))
    notes = msgspec.structs.replace(
        NOTHING_NOTED,
        rounds=(RoundEntered(round=1, at_ms=9),),
        arrivals=(
            Arrival(kind=2, round=0, seat=1, at_ms=5, own_round=0),
            Arrival(kind=2, round=7, seat=1, at_ms=5, own_round=0),
        ),
    )
    keep(chain, votes, (Justification(round_changes=whys, certificates=()),), notes)
    late = [
        LateWord(seat=3, kind=kind, height=height, round=0, own_round=0, at_ms=8, count=1)
        for kind, height in ((VoteKind.PROPOSAL, 1), (VoteKind.ROUND_CHANGE, 1), (VoteKind.PROPOSAL, 7))
    ]
    chain.desk.account = lambda: account(2, overdue=tuple(late))
    read = told(chain, 1)
    assert set(read.votes) == {*votes, *whys}
    assert [commit.height for _, commit in read.final] == [1]
    assert read.said.notes.rounds == notes.rounds
    assert read.said.notes.arrivals == notes.arrivals[:1], "of votes that are shown"
    assert read.said.notes.late == (late[0],), "a proposal of this height; stragglers' votes tell nothing"


def test_of_the_open_height_only_what_came_since_it_began() -> None:
    chain = Chain()
    chain.final()
    words = [
        LateWord(seat=3, kind=VoteKind.ROUND_CHANGE, height=1, round=1, own_round=1, at_ms=at_ms, count=1)
        for at_ms in (4, 6)
    ]
    begun = msgspec.structs.replace(NOTHING_NOTED, began_ms=5)
    chain.desk.account = lambda: account(2, overdue=tuple(words), notes=begun)
    assert told(chain).said.notes.late == (words[1],)


def test_evidence_of_the_height_is_shown_where_it_waits_and_where_a_block_carries_it() -> None:
    chain = Chain()
    chain.desk.evidence = (double_vote(2),)
    assert told(chain).evidence == (double_vote(2),), "of the open height 1"
    chain.final(evidence=(double_vote(3),))
    chain.desk.evidence = (double_vote(2), double_vote(1, 2))
    assert set(told(chain, 1).evidence) == {double_vote(2), double_vote(3)}


def test_the_latest_rounds_are_shown_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Chain()
    chain.final()
    votes = tuple(change(seat, round_, 2) for round_ in (1, 2, 3) for seat in range(4))
    monkeypatch.setattr(transcripts, "TRANSCRIPT_WORDS_BYTES_MAX", sum(len(encode(vote)) for vote in votes[:6]))
    chain.desk.account = lambda: account(2, *votes)
    read = told(chain)
    assert [vote.round for vote in read.votes] == [2, 2, 3, 3, 3, 3]
    assert not read.complete


def test_evidence_has_a_bound_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """One piece may be 65 KiB long, and each seat may be worth one."""
    chain = Chain()
    pieces = tuple(double_vote(seat) for seat in (1, 2, 3))
    chain.desk.evidence = pieces
    monkeypatch.setattr(transcripts, "TRANSCRIPT_WORDS_BYTES_MAX", sum(len(encode(one)) for one in pieces[:2]))
    assert told(chain).evidence == pieces[:2]


def test_heights_that_cannot_be_shown() -> None:
    chain = Chain()
    chain.final()
    ahead = chain.ask("transcript.get", TranscriptGet(height=3))
    assert (ahead.code, ahead.detail) == (ApiRefusal.BEYOND_HEAD, "height 3, the open one is 2")
    chain.final()
    chain.final()
    del chain.blocks.blocks[1]
    gone = Chain.again(chain).ask("transcript.get", TranscriptGet(height=1))
    assert gone.code == ApiRefusal.PRUNED


def test_after_a_change_of_the_set_the_way_to_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the height that the new set signs first, and of those before and after."""
    chain = Chain()
    chain.vote_in(adding(4))
    seats = {height: len(chain.desk.shelf.validators(height).validators) for height in (1, 2, 3)}  # type: ignore[union-attr]
    assert seats == {1: 4, 2: 4, 3: 5}
    assert {height: len(told(chain, height).validators) for height in seats} == seats
    chain.final()
    assert len(told(chain).set_changes) == 1
    monkeypatch.setattr(exports, "STEPS_MAX", 0)
    refused = chain.ask("transcript.get", TranscriptGet(height=0))
    assert refused.code == ApiRefusal.CONFLICT
