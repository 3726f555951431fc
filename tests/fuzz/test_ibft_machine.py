"""The door of IBFT under anything that decodes: no message, no order, no answer breaks it or makes it vote falsely."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect
from tests.fuzz.wire import values
from tests.unit.chain.ibft.cluster import Cluster
from tests.unit.chain.ibft.counterfeit import CHAIN, check_aggregates, check_shares, check_signatures, content, vote

from metanode.chain import ibft
from metanode.primitives.codec import encode
from metanode.primitives.names import Height, Round, Seat
from metanode.records.header import read_header
from metanode.records.vote import Vote, VoteKind

CLUSTER = Cluster(4)
BLOCK = content(CLUSTER.members, 0)
HASH = read_header(BLOCK.header).hash

anything = values(inspect.type_info(ibft.Message))
near = st.builds(
    lambda kind, seat, round_, height, hash_: ibft.Ballot(
        vote=vote(CLUSTER.members, kind, seat, hash_, round_=round_, height=height)
    ),
    st.sampled_from([VoteKind.PREPARE, VoteKind.COMMIT]),
    st.integers(0, 3),
    st.integers(0, 30),
    st.integers(1, 5),
    st.sampled_from([HASH, bytes(32)]),
)


def bent(message: ibft.Ballot, field: str, value: object) -> ibft.Ballot:
    fields = {**{f: getattr(message.vote, f) for f in Vote.__struct_fields__}, field: value}
    return ibft.Ballot(vote=Vote(**fields))


crooked = st.builds(
    bent,
    near,
    st.sampled_from(["version", "kind", "height", "round", "seat", "prepared_round"]),
    st.integers(-(2**40), 2**63),
)
stale = st.sampled_from(
    [
        ibft.SignaturesChecked(0, 3, ()),
        ibft.AggregatesChecked(0, 4, (True,)),
        ibft.SharesChecked(0, 5, b"", (0, 9)),
        ibft.TimerFired(0, "ibft.round/1/7"),
        ibft.TimerFired(0, "ibft.resend/9/9"),
        ibft.Validated(0, HASH, valid=False, refusal="x"),
        ibft.Validated(0, HASH, valid=True),
        ibft.Built(0, Height(9), Round(0), BLOCK),
        ibft.Built(0, Height(1), Round(7), BLOCK),
        ibft.BlockDue(0),
        ibft.CreditLate(0),
        ibft.Resumed(0),
        ibft.Seated(0, Seat(3)),
        ibft.VotingAllowed(0),
    ]
)


def answers(effect: ibft.Effect) -> list[ibft.Event]:
    match effect:
        case ibft.CheckSignatures(token=token, items=items):
            return [ibft.SignaturesChecked(0, token, check_signatures(items))]
        case ibft.CheckAggregates(token=token, items=items):
            return [ibft.AggregatesChecked(0, token, check_aggregates(items))]
        case ibft.CheckShares(token=token, message=message, keys=keys, shares=shares):
            return [ibft.SharesChecked(0, token, *check_shares(message, keys, shares))]
        case _:
            return []


@settings(max_examples=150)
@given(st.lists(st.tuples(st.one_of(anything, near, crooked, stale), st.integers(-1, 3), st.booleans()), max_size=25))
def test_anything_is_taken_or_refused(heard: list[tuple[ibft.Message | ibft.Event, int, bool]]) -> None:
    machine = ibft.Ibft(CHAIN)
    machine.handle(CLUSTER.begins(1, 3))
    waiting: list[ibft.Event] = []
    for what, origin, answer in heard:
        event = what if isinstance(what, ibft.Event) else ibft.Received(0, what, Seat(origin))
        for effect in machine.handle(event):
            waiting += answers(effect)
            if isinstance(effect, ibft.Journal):
                assert ibft.RECORDS.decode(encode(effect.record)) == effect.record
            assert not isinstance(effect, ibft.Decide | ibft.Accuse), "nobody signed that"
        if answer:
            while waiting:
                for effect in machine.handle(waiting.pop(0)):
                    waiting += answers(effect)


@settings(max_examples=60)
@given(st.lists(values(inspect.type_info(ibft.Record)), max_size=8))
def test_a_journal_of_anything_is_folded_or_ignored(records: list[ibft.Record]) -> None:
    """The journal is ours and its frames are checked; still no record of another height may matter."""
    machine = ibft.Ibft(CHAIN)
    machine.handle(CLUSTER.begins(2**41, 3))
    for record in records:
        assert machine.handle(ibft.Replayed(record)) == []
    assert [e for e in machine.handle(ibft.Resumed(0)) if isinstance(e, ibft.Sign)] == []
