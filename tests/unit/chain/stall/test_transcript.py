"""Transcripts with real keys: true ones hold, whatever is changed is refused by the layer it breaks."""

import msgspec
import pytest
from tests.unit.chain.forensics.test_evidence_file import CHECKS, basis, chain, double, other, spoken

from metanode.chain.forensics import ForensicsRefusal
from metanode.chain.stall import Cause, StallRefusal, Told, Trouble, explain, read_transcript
from metanode.chain.stall.case import open_case
from metanode.primitives.bitmap import encode as bitmap
from metanode.primitives.codec import encode
from metanode.primitives.names import NO_HASH
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.commit import PREPARED_BY_ENVELOPES, PreparedCertificate
from metanode.records.transcript import (
    NODE_NAME_MAX,
    NOTHING_NOTED,
    Arrival,
    Certified,
    LateWord,
    Link,
    Said,
    Transcript,
    TurnedDown,
    transcript_digest,
)
from metanode.records.vote import VoteKind

OTHER_VALUE = b"\x07" * 32


def certified(height: int) -> Certified:
    return Certified(header=chain().header(height).encoded, commit=chain().commit(height))


def said(seat: int = 0, **fields: object) -> Said:
    true = Said(
        node=f"node-{seat}",
        seat=seat,
        at_ms=10_000,
        tip=4,
        round=1,
        silence="",
        waiting=(),
        links=tuple(Link(seat=other, connected=True, heard_ms=9_000, height=4) for other in range(4) if other != seat),
        notes=NOTHING_NOTED,
    )
    return msgspec.structs.replace(true, **fields)


def sealed(transcript: Transcript) -> Transcript:
    return msgspec.structs.replace(transcript, whole=transcript_digest(transcript))


def shown(height: int = 5, *, final: bool = False, **fields: object) -> Transcript:
    """Of height 5, the set of which came with height 3; three seats gave up round 0."""
    changes = tuple(spoken(height, VoteKind.ROUND_CHANGE, seat, NO_HASH, 1) for seat in (0, 1))
    bare = Transcript(
        version=1,
        chain_id=chain().chain_id,
        set_changes=(chain().set_change_step(2),) if height > 2 else (),
        height=height,
        below=(certified(height - 1),) if height > 1 else (),
        final=(certified(height),) if final else (),
        votes=changes,
        certificates=(),
        evidence=(),
        complete=True,
        said=said(),
        whole=NO_HASH,
    )
    return sealed(msgspec.structs.replace(bare, **fields))


def read(transcript: Transcript) -> Told:
    return read_transcript(encode(transcript), basis(), CHECKS)


def why_not(data: bytes) -> Refusal:
    with pytest.raises(Rejected) as rejected:
        read_transcript(data, basis(), CHECKS)
    return rejected.value.reason


@pytest.mark.parametrize("height", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("final", [False, True])
def test_a_true_transcript_holds_at_every_height(height: int, final: bool) -> None:
    """Also where the block below announced the set (height 3), and where there is none below (height 1)."""
    told = read(shown(height, final=final))
    assert (told.height, told.validators, len(told.votes)) == (height, chain().set_at(height), 2)
    assert [commit for _, commit in told.final] == ([chain().commit(height)] if final else [])
    below = chain().header(height - 1).proposer if height > 1 else -1
    assert told.leads == (below + 1) % 4


def test_every_flipped_byte_is_refused() -> None:
    data = encode(shown(4, evidence=(double(4),), said=said(notes=msgspec.structs.replace(NOTHING_NOTED, began_ms=7))))
    layers: dict[Refusal, int] = {}
    for place in range(0, len(data), 3):
        layer = why_not(data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :])
        layers[layer] = layers.get(layer, 0) + 1
    assert set(layers) == {
        StallRefusal.ENCODING,
        StallRefusal.CERTIFICATE,
        StallRefusal.WORD,
        StallRefusal.WHOLE,
        ForensicsRefusal.BASIS,
        ForensicsRefusal.SET_CHANGE,
    }


def test_the_form_of_a_transcript() -> None:
    long, hidden = "x" * (NODE_NAME_MAX + 1), "\x1b[31m"
    down = msgspec.structs.replace(
        NOTHING_NOTED, turned_down=(TurnedDown(seat=0, round=0, header_hash=NO_HASH, refusal="x" * 201),)
    )
    notes = msgspec.structs.replace(NOTHING_NOTED, version=2)
    for wrong in (
        shown(version=2),
        shown(said=said(notes=notes)),
        shown(height=1, below=(certified(1),)),
        shown(below=()),
        shown(below=(certified(4), certified(4))),
        sealed(msgspec.structs.replace(shown(), final=(certified(5), certified(5)))),
    ):
        assert why_not(encode(wrong)) is StallRefusal.ENCODING
    for text in (said(node=long), said(node=hidden), said(silence=hidden), said(notes=down)):
        assert why_not(encode(shown(said=text))) is StallRefusal.ENCODING
    assert why_not(b"") is StallRefusal.ENCODING
    assert why_not(encode(shown()) + b"\x00") is StallRefusal.ENCODING


def test_the_blocks_a_transcript_stands_on() -> None:
    """StallRefusal.CERTIFICATE: of the block below or of the height, by another set, or leaving a change of it out."""
    commit = chain().commit(4)
    forged = Certified(header=other(4).encoded, commit=commit)
    unsigned = Certified(header=chain().header(4).encoded, commit=msgspec.structs.replace(commit, round=1))
    for wrong in (
        shown(below=(forged,)),
        shown(below=(unsigned,)),
        shown(below=(certified(3),)),
        shown(below=(Certified(header=b"", commit=commit),)),
        shown(3, set_changes=()),
        sealed(msgspec.structs.replace(shown(), final=(certified(4),))),
    ):
        assert why_not(encode(wrong)) is StallRefusal.CERTIFICATE
    assert why_not(encode(shown(chain_id=NO_HASH))) is ForensicsRefusal.BASIS
    assert why_not(encode(shown(set_changes=shown().set_changes * 2))) is ForensicsRefusal.SET_CHANGE


def prepared(height: int, *, good: bool = True) -> PreparedCertificate:
    value = chain().header(height).hash if height < 6 else OTHER_VALUE
    votes = [spoken(height, VoteKind.PREPARE, seat, value) for seat in (0, 1, 2)]
    proof = tuple(vote.signature if good else bytes(64) for vote in votes)
    return PreparedCertificate(
        version=1,
        kind=PREPARED_BY_ENVELOPES,
        height=height,
        round=0,
        header_hash=value,
        validator_bitmap=bitmap((0, 1, 2), 4),
        proof=proof,
    )


def test_a_word_that_is_not_its_senders_refuses_the_whole() -> None:
    """StallRefusal.WORD: a node keeps only what it has checked."""
    good = spoken(5, VoteKind.PREPARE, 0, chain().header(5).hash)
    for votes in (
        (msgspec.structs.replace(good, round=1),),
        (msgspec.structs.replace(good, seat=4),),
        (msgspec.structs.replace(good, signature=bytes(64)),),
        (spoken(4, VoteKind.PREPARE, 0, NO_HASH),),
    ):
        assert why_not(encode(shown(votes=votes))) is StallRefusal.WORD
    for certificates in ((prepared(5, good=False),), (prepared(4),)):
        assert why_not(encode(shown(certificates=certificates))) is StallRefusal.WORD
    innocent = msgspec.structs.replace(double(4), second=double(4).first)
    framed = msgspec.structs.replace(double(4), second=msgspec.structs.replace(double(4).second, signature=bytes(64)))
    for height, evidence in ((5, double(4)), (4, innocent), (4, framed)):
        assert why_not(encode(shown(height, evidence=(evidence,)))) is StallRefusal.WORD
    learnt = read(shown(votes=(), certificates=(prepared(5),))).votes
    assert [(vote.kind, vote.seat) for vote in learnt] == [(VoteKind.PREPARE, seat) for seat in (0, 1, 2)]


def test_what_a_node_says_cannot_be_changed_on_the_way() -> None:
    """StallRefusal.WHOLE: nobody signed it, so whoever writes a file may say it; changed it may not be."""
    changed = msgspec.structs.replace(shown(), said=said(node="somebody-else"))
    assert why_not(encode(changed)) is StallRefusal.WHOLE
    assert read(sealed(changed)).said.node == "somebody-else"


def test_only_what_belongs_together_explains() -> None:
    """StallRefusal.OTHER_CHAIN."""
    with pytest.raises(Rejected) as none:
        explain([])
    one, two = read(shown()), read(shown())
    elsewhere = Told(**{name: getattr(two, name) for name in Told.__slots__} | {"chain_id": OTHER_VALUE})
    forked = Told(**{name: getattr(two, name) for name in Told.__slots__} | {"leads": 3})
    for other_one in (elsewhere, forked):
        with pytest.raises(Rejected) as rejected:
            open_case([one, other_one])
        assert rejected.value.reason is StallRefusal.OTHER_CHAIN
    assert none.value.reason is StallRefusal.OTHER_CHAIN


def test_the_words_of_two_nodes_convict_a_third() -> None:
    """Each has one of the two: neither could know. The proof is made here, of their words."""
    first, second = double(4).first, double(4).second
    changes = tuple(spoken(4, VoteKind.ROUND_CHANGE, seat, NO_HASH, 1) for seat in (0, 1, 2))
    told = [read(shown(4, votes=(*changes, vote), said=said(seat))) for seat, vote in ((0, first), (1, second))]
    assert [f for f in explain(told[:1]).findings if f.trouble is Trouble.LYING] == []
    (found,) = [f for f in explain(told).findings if f.trouble is Trouble.LYING]
    assert (found.seat, found.proved, len(found.evidence)) == (3, True, 1)


def noted(**fields: object) -> Said:
    return said(notes=msgspec.structs.replace(NOTHING_NOTED, **fields))


def three(said_: Said, *votes: object) -> Told:
    """Three gave up round 0; the leader of round 0 at height 5 is seat 1 or another: asked of the case."""
    changes = tuple(spoken(5, VoteKind.ROUND_CHANGE, seat, NO_HASH, 1) for seat in (0, 1, 2))
    return read(shown(votes=(*changes, *votes), said=said_))


def test_causes_of_a_round() -> None:
    leader = read(shown()).leads
    value = chain().header(5).hash
    proposal = spoken(5, VoteKind.PROPOSAL, leader, value)
    prepares = [spoken(5, VoteKind.PREPARE, seat, value) for seat in range(4)]
    commits = [spoken(5, VoteKind.COMMIT, seat, value) for seat in range(4)]
    late = LateWord(seat=leader, kind=1, height=5, round=0, own_round=1, at_ms=1, count=1)
    refused = TurnedDown(seat=leader, round=0, header_hash=value, refusal="block.wrong-root: state")
    arrival = Arrival(kind=VoteKind.PREPARE, round=0, seat=2, at_ms=5, own_round=1)
    cases = {
        Cause.DEAD_LEADER: three(said()),
        Cause.SLOW: three(noted(late=(late,))),
        Cause.REFUSED: three(noted(turned_down=(refused,)), proposal),
        Cause.WAITING: three(said(waiting=(value,)), proposal),
        Cause.VOTES_MISSING: three(said(), proposal, *prepares[:2]),
    }
    explained = {cause: explain([told]) for cause, told in cases.items()}
    assert {cause: one.cause for cause, one in explained.items()} == {cause: cause for cause in cases}
    assert explained[Cause.DEAD_LEADER].blamed == (leader,)
    assert explained[Cause.VOTES_MISSING].blamed == (2, 3)
    assert explained[Cause.REFUSED].rounds[0].detail == "block.wrong-root: state"
    committed = explain([three(said(), proposal, *prepares[:3], *commits[:2])])
    assert (committed.cause, committed.blamed) == (Cause.VOTES_MISSING, (2, 3))
    tardy = explain([three(noted(arrivals=(arrival,)), proposal, *prepares[:2])])
    assert (tardy.cause, tardy.blamed) == (Cause.SLOW, (2,))
    scattered = explain([three(said(), proposal, *prepares, *commits[:3])])
    assert (scattered.cause, str(scattered.rounds[0].why)) == (Cause.VOTES_MISSING, "not-gathered")


def test_nobody_moves_the_round_by_what_it_says_of_itself() -> None:
    told = three(said(round=1 << 40))
    assert explain([told]).case.round == 2


def test_a_past_height_of_which_nothing_is_kept() -> None:
    bare = shown(final=True, votes=())
    ((_, commit),) = read(bare).final
    assert explain([read(bare)]).cause is Cause.NONE, "it needed one round"
    told = read(bare)
    later = msgspec.structs.replace(commit, round=2)
    fields = {name: getattr(told, name) for name in Told.__slots__}
    unknown = explain([Told(**fields | {"final": ((told.final[0][0], later),)})])
    assert (unknown.cause, unknown.case.decided, unknown.stands_still) == (Cause.UNKNOWN, 2, False)


def test_who_runs_and_does_not_vote_says_so_itself() -> None:
    mute = read(shown(votes=(), said=said(3, silence="its journal or sign guard is not to be trusted", round=0)))
    speaks = [read(shown(votes=(), said=said(seat, round=0))) for seat in (0, 1, 2)]
    one = explain([*speaks, mute])
    assert [(f.seat, f.trouble, f.said_by) for f in one.findings] == [(3, Trouble.OBSERVING, ("node-3",))]
    assert one.cause is Cause.NONE
    second = read(shown(votes=(), said=said(2, silence="it is catching up", round=0)))
    two = explain([*speaks[:2], second, mute])
    assert (two.cause, two.blamed, two.stands_still) == (Cause.NO_QUORUM, (2, 3), True)


def test_a_word_said_after_a_node_was_asked_was_not_kept_from_it() -> None:
    """Found by the journey: of nodes asked one after another the first seemed cut off from a seat that had only spoken
    since. Seat 2's ROUND-CHANGE came 300 ms before node 0 was asked, or three seconds."""
    changes = [spoken(5, VoteKind.ROUND_CHANGE, seat, NO_HASH, 1) for seat in (0, 1, 2)]
    troubles = {}
    for came_ms in (9_700, 7_000):
        arrival = Arrival(kind=VoteKind.ROUND_CHANGE, round=1, seat=2, at_ms=came_ms, own_round=1)
        notes = msgspec.structs.replace(NOTHING_NOTED, arrivals=(arrival,))
        first = read(shown(votes=tuple(changes[:2])))
        second = read(shown(votes=tuple(changes), said=said(1, at_ms=10_500, notes=notes)))
        troubles[came_ms] = [f.trouble for f in explain([first, second]).findings if f.seat == 2]
    assert troubles == {9_700: [], 7_000: [Trouble.PARTITIONED]}
