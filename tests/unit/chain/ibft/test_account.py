"""What a seat can show of a height (STALL-1): all it checked, once, also after a stop."""

from tests.unit.chain.ibft.cluster import Cluster
from tests.unit.chain.ibft.counterfeit import CHAIN, certificate, content, validators, vote
from tests.unit.chain.ibft.test_attacks import hear
from tests.unit.chain.ibft.test_found_by_mutants import resumed
from tests.unit.chain.ibft.test_round_change import change, hash_of

from metanode.chain import ibft
from metanode.chain.evidence import certificate_votes
from metanode.chain.ibft import Account
from metanode.chain.ibft.state import ROUNDS_AHEAD_MAX
from metanode.primitives.names import NO_HASH, Height, Round
from metanode.records.transcript import Notes, RoundEntered
from metanode.records.vote import Justification, VoteKind

MEMBERS = validators(4)


def test_of_a_height_that_has_just_begun_there_is_nothing_to_show() -> None:
    cluster, machine = Cluster(4), ibft.Ibft(CHAIN)
    assert machine.account is None
    nothing = Notes(version=1, began_ms=7, rounds=(), arrivals=(), late=(), turned_down=())
    cluster.now_ms = 7
    for seat in (ibft.NO_SEAT, 0, 3):
        machine = ibft.Ibft(CHAIN)
        machine.handle(cluster.begins(1, seat))
        shown = Account(
            height=Height(1),
            round=Round(0),
            validators_hash=MEMBERS.hash,
            speaks=seat != ibft.NO_SEAT,
            votes=(),
            certificates=(),
            notes=nothing,
            overdue=(),
        )
        assert machine.account == shown


def test_every_vote_and_certificate_that_was_checked_is_shown_once() -> None:
    """From the journal: the ROUND-CHANGEs of an own proposal, and what was prepared. Heard since: a ROUND-CHANGE
    too far ahead to be counted with its certificate, and a certificate of the round itself."""
    block = content(MEMBERS, 1, "round 1")
    prepared = certificate(MEMBERS, [0, 1, 2], hash_of(block))
    changes = tuple(change(MEMBERS, seat, 1, prepared).vote for seat in (0, 1, 2))
    machine, _ = resumed(
        Cluster(4),
        1,
        ibft.Held(height=1, content=block),
        ibft.Locked(height=1, certificate=prepared),
        ibft.Proposed(
            height=1,
            round=1,
            header_hash=hash_of(block),
            justification=Justification(round_changes=changes, certificates=(prepared,)),
        ),
    )
    far = [change(MEMBERS, seat, 2 + ROUNDS_AHEAD_MAX, shown) for seat, shown in ((0, prepared), (3, prepared))]
    hear(machine, far[0], 0)
    here = certificate(MEMBERS, [0, 2, 3], hash_of(block), round_=1)
    hear(machine, ibft.Prepared(certificate=here), 2)
    account = machine.account
    assert account is not None
    learnt = (*certificate_votes(prepared, MEMBERS), *certificate_votes(here, MEMBERS))
    assert (account.round, account.speaks) == (1, True)
    assert account.votes == (*learnt, far[0].vote, *changes)
    assert account.certificates == (prepared, here)
    assert len(account.notes.arrivals) == len(learnt)


def test_what_is_replayed_happened_when_the_height_began_here() -> None:
    """The journal knows no times."""
    cluster = Cluster(4)
    cluster.now_ms = 7
    word = vote(MEMBERS, VoteKind.ROUND_CHANGE, 1, NO_HASH, round_=2)
    moved = ibft.Moved(height=1, round=2, announced=True)
    machine, _ = resumed(cluster, 1, moved, ibft.Spoke(height=1, vote=word))
    account = machine.account
    assert account is not None
    assert account.notes.rounds == (RoundEntered(round=2, at_ms=7),)
    assert [(one.seat, one.at_ms, one.own_round) for one in account.notes.arrivals] == [(1, 7, 2)]
