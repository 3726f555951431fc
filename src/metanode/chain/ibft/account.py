"""What a seat can show of the height it works on."""

from dataclasses import dataclass

from metanode.chain.ibft.diary import Overdue
from metanode.chain.ibft.events import NO_SEAT
from metanode.chain.ibft.state import HeightState
from metanode.primitives.names import Hash, Height, Round
from metanode.records.commit import PreparedCertificate
from metanode.records.transcript import LateWord, Notes
from metanode.records.vote import Vote


@dataclass(frozen=True, slots=True)
class Account:
    """STALL-1. Every vote and certificate that was checked here, and what was noted beside. `speaks`: whether this node
    votes in the height. `overdue`: what came of heights that are over."""

    height: Height
    round: Round
    validators_hash: Hash
    speaks: bool
    votes: tuple[Vote, ...]
    certificates: tuple[PreparedCertificate, ...]
    notes: Notes
    overdue: tuple[LateWord, ...]


def account_of(state: HeightState, overdue: Overdue) -> Account:
    """STALL-1. Of one height. After a restart: one's own words and certificate, the ROUND-CHANGEs of what one proposed
    oneself (the journal has these), and what others have said again since."""
    tables = list(state.votes.values())
    votes = [vote for table in tables for vote in table.values()]
    votes += [change.vote for change in state.latest.values()]
    votes += [vote for _, why in state.proposed.values() for vote in why.round_changes]
    certificates = [shown for change in state.latest.values() for shown in change.certificates]
    certificates += [held for held in (state.prepared, state.shown) if held is not None]
    return Account(
        height=state.height,
        round=state.round,
        validators_hash=state.validators.hash,
        speaks=state.seat != NO_SEAT,
        votes=tuple(dict.fromkeys(votes)),
        certificates=tuple(dict.fromkeys(certificates)),
        notes=state.diary.notes(),
        overdue=tuple(overdue.words.values()),
    )
