"""What IBFT asks for."""

from dataclasses import replace
from typing import assert_never

from metanode.chain import ibft
from metanode.network.bpci import Stream
from metanode.node import effects as out
from metanode.node.blocks import IBFT_RECORD, decide, start_building
from metanode.node.desk import Desk
from metanode.node.forensics import keep_for_forensics
from metanode.node.guilt import accuse
from metanode.node.heights import begin_height
from metanode.node.judging import judge
from metanode.node.routes import synchronise
from metanode.node.talk import Letter, broadcast, punish_seat, send_to_seat
from metanode.primitives.codec import encode
from metanode.primitives.names import Hash, Seat


def carry(desk: Desk, effect: ibft.Effect) -> None:
    """One effect of IBFT."""
    match effect:
        case ibft.Journal(record):
            desk.journal(IBFT_RECORD + encode(record))
            if isinstance(record, ibft.Moved):
                desk.round = record.round
            elif isinstance(record, ibft.Locked):
                desk.locked = Hash(record.certificate.header_hash)
        case ibft.Sign(vote, chain_id, validators_hash, seal_message):
            desk.emit(out.SignVote(vote, chain_id, validators_hash, seal_message))
        case ibft.Broadcast(message):
            broadcast(desk, Stream.CONSENSUS, Letter.IBFT, encode(message), without=())
        case ibft.Relay(seat, message):
            broadcast(desk, Stream.CONSENSUS, Letter.IBFT, encode(message), without=(seat,))
        case ibft.SendTo(seat, message):
            send_to_seat(desk, seat, Stream.CONSENSUS, Letter.IBFT, encode(message))
        case ibft.CheckSignatures(token, items):
            desk.emit(out.CheckSignatures("ibft", token, items, urgent=True))
        case ibft.CheckAggregates(token, items):
            desk.emit(out.CheckAggregates("ibft", token, items))
        case ibft.CheckShares(token, message, keys, shares):
            desk.emit(out.CheckShares(token, message, keys, shares))
        case ibft.SetTimer(timer, delay_ms):
            desk.emit(out.SetTimer("ibft/" + timer, delay_ms))
        case ibft.CancelTimer(timer):
            desk.emit(out.CancelTimer("ibft/" + timer))
        case _:
            _carry_block(desk, effect)


def _carry_block(desk: Desk, effect: ibft.BlockEffect) -> None:
    """What concerns blocks and guilt."""
    match effect:
        case ibft.Build(height, round_):
            start_building(desk, height, round_)
        case ibft.Validate():
            judge(desk, effect)
        case ibft.Decide(_, _, header_hash, _, commit):
            decide(desk, header_hash, commit)
            begin_height(desk)
        case ibft.Diverged(height, _, refusal):
            desk.emit(out.Halt(f"height {height} is certified, but this node finds it invalid: {refusal}"))
        case ibft.Improved(commit):
            if commit.header_hash == desk.tip.hash:
                desk.tip = replace(desk.tip, commit=(commit,))
        case ibft.Accuse(evidence):
            accuse(desk, evidence)
        case ibft.Blame(seat, refusal, detail):
            desk.blame_seat(seat, refusal, detail)
            if refusal is ibft.IbftRefusal.BAD_SIGNATURE:
                punish_seat(desk, seat, detail)
        case ibft.Behind(seat, height):
            synchronise.hint(desk, seat, height)
        case ibft.VotesFrom(height):
            desk.note("votes_from", height=height)
        case ibft.Keep():
            keep_for_forensics(desk, effect)
        case _ as never:
            assert_never(never)


def hear(desk: Desk, origin: Seat, data: bytes) -> None:
    """A letter for IBFT: decoded, then told. Raises `Rejected`."""
    message = ibft.MESSAGES.decode(data)
    if isinstance(message, ibft.Proposal | ibft.Ballot | ibft.RoundChange) and message.vote.seat == origin:
        _note_height(desk, origin, message.vote.height - 1)
    desk.tell("ibft", ibft.Received(desk.now_ms, message, origin, len(data)))


def _note_height(desk: Desk, seat: Seat, height: int) -> None:
    """Who votes in a height has the block below it: shown to people, and nothing else depends on it. Who speaks of
    more than we have is told to sync instead (`synchronise.hint`)."""
    validators = desk.tip.validators
    if 0 <= seat < len(validators) and height <= desk.tip.height:
        key = validators[seat].transport_key
        desk.heights[key] = max(height, desk.heights.get(key, 0))
