"""Letters between nodes: one byte says which room it is for, the rest is that room's own."""

from enum import IntEnum
from typing import Final

from metanode.network.bpci import Punish, SendMessages, Stream
from metanode.node.desk import NO_SEAT, Desk
from metanode.primitives.names import Seat


class Letter(IntEnum):
    """The room a letter is for."""

    IBFT = 1
    STARTUP = 2
    SYNC = 3
    POOL = 4
    BODIES = 5
    DISCOVERY = 6
    EVIDENCE = 7


_FIRST: Final = {letter: bytes([letter]) for letter in Letter}


def send(desk: Desk, peer: bytes, stream: Stream, letter: Letter, *messages: bytes) -> None:
    """Send to a peer by its transport key. One that is away, or cut off (development only), hears nothing: that is no
    loss worth a note, whoever comes back asks."""
    if peer in desk.peers and peer not in desk.cut_peers:
        first = _FIRST[letter]
        desk.tell("bpci", SendMessages(peer, stream, tuple(first + message for message in messages), desk.now_ms))


def send_to_seat(desk: Desk, seat: Seat, stream: Stream, letter: Letter, message: bytes) -> None:
    """Send to a validator of the next height."""
    validators = desk.tip.validators
    if 0 <= seat < len(validators) and validators[seat].transport_key != desk.settings.transport_key:
        send(desk, validators[seat].transport_key, stream, letter, message)


def punish_seat(desk: Desk, seat: Seat, detail: str) -> None:
    """What a validator's link brought breaks a rule that no honest node breaks, whoever's words it passes on: it is not
    listened to for a while (BPCI-A2). Checking what is forged costs more than forging it."""
    validators = desk.tip.validators
    if 0 <= seat < len(validators) and validators[seat].transport_key != desk.settings.transport_key:
        desk.tell("bpci", Punish(validators[seat].transport_key, detail, desk.now_ms))


def broadcast(desk: Desk, stream: Stream, letter: Letter, message: bytes, without: tuple[Seat, ...]) -> None:
    """Send to every other validator of the next height."""
    for seat in range(len(desk.tip.validators)):
        if seat not in without:
            send_to_seat(desk, Seat(seat), stream, letter, message)


def seat_of(desk: Desk, peer: bytes) -> Seat:
    """The seat of a transport key at the next height, or `NO_SEAT`."""
    return desk.tip.validators.seats_by_transport_key.get(peer, NO_SEAT)
