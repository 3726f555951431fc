"""Why a link or what came over it is turned away, and how a link can end without anybody's mistake."""

from enum import StrEnum
from typing import Final, TypeAlias

from metanode.primitives.refusal import Refusal


class BpciRefusal(Refusal):
    """Why a frame, a handshake or a peer is turned away."""

    MALFORMED_FRAME = "bpci.malformed-frame"
    """An unknown frame type, flag or stream, or handshake fields that must be zero and are not."""
    TOO_LONG = "bpci.too-long"
    """A frame longer than its type may be."""
    OUT_OF_TURN = "bpci.out-of-turn"
    """A frame that the handshake does not expect now."""
    MALFORMED_HANDSHAKE = "bpci.malformed-handshake"
    """A handshake message that is not canonical or has fields of the wrong width."""
    UNKNOWN_VERSION = "bpci.unknown-version"
    """No version of the protocol that both sides speak."""
    WRONG_CHAIN = "bpci.wrong-chain"
    """The other side belongs to another genesis."""
    CLOCKS_APART = "bpci.clocks-apart"
    """The other side's clock differs by more than the bound, or the message is old."""
    SEEN_BEFORE = "bpci.seen-before"
    """The ephemeral key of this greeting was used before: a recording."""
    REFLECTED = "bpci.reflected"
    """Our own words came back to us."""
    UNSOUND_KEY = "bpci.unsound-key"
    """A low-order point, or bytes that are no ML-KEM key or ciphertext."""
    UNREADABLE_CREDENTIALS = "bpci.unreadable-credentials"
    """The encrypted half of a handshake message does not open: another transcript, or flipped bits."""
    UNKNOWN_PEER = "bpci.unknown-peer"
    """The transport key is neither in the validator set nor in the cluster registry."""
    UNEXPECTED_PEER = "bpci.unexpected-peer"
    """A known peer, but not the one that was dialled."""
    WRONG_CLUSTER = "bpci.wrong-cluster"
    """The peer claims another cluster than the registry says."""
    FALSE_IDENTITY = "bpci.false-identity"
    """The signature over the transcript is not by the claimed transport key."""
    COOLING = "bpci.cooling"
    """The peer broke a rule a short while ago."""
    TOO_MANY_HALF_OPEN = "bpci.too-many-half-open"
    """Too many unfinished handshakes from this remote, or altogether."""
    HANDSHAKE_TOO_SLOW = "bpci.handshake-too-slow"
    """The handshake was not finished in time."""
    DUPLICATE_LINK = "bpci.duplicate-link"
    """Two links between the same two; the other one is kept."""
    FORGED_RECORD = "bpci.forged-record"
    """A record that does not open: flipped bits, another header, another key."""
    REPLAYED = "bpci.replayed"
    """A record that was received before, or is older than the window."""
    WRONG_EPOCH = "bpci.wrong-epoch"
    """A record under a key epoch that is neither current, nor the next, nor the one just left."""
    STALE_KEY = "bpci.stale-key"
    """The sender goes on under a key that is due for replacement by age or use."""
    MALFORMED_RECORD = "bpci.malformed-record"
    """An authentic record whose content is no list of messages, fragment or control word."""
    BROKEN_FRAGMENTS = "bpci.broken-fragments"
    """Fragments out of order, too long in sum, or on a stream that has none."""
    WRONG_CHECKPOINT = "bpci.wrong-checkpoint"
    """A checkpoint that does not describe the records that were received."""
    FALSE_CHECKPOINT = "bpci.false-checkpoint"
    """A checkpoint whose signature is not by the peer's transport key."""
    UNSIGNED_TOO_LONG = "bpci.unsigned-too-long"
    """Too many records, or for too long, without a checkpoint that covers them."""
    FALSE_CREDIT = "bpci.false-credit"
    """The peer acknowledges more than was sent, or less than before."""
    SILENT = "bpci.silent"
    """Nothing was heard for longer than the bound."""
    NO_LONGER_ALLOWED = "bpci.no-longer-allowed"
    """The peer has left the validator set and the cluster registry."""
    PUNISHED = "bpci.punished"
    """A room above found the peer breaking its rules and asked for the cooling."""


class LinkEnd(StrEnum):
    """How a link ends without anybody's mistake."""

    LOST = "lost"
    """The carrier ended."""
    REPLACED = "replaced"
    """A newer or preferred link to the same peer took its place."""


EndReason: TypeAlias = BpciRefusal | LinkEnd

GUILT: Final = (
    BpciRefusal.MALFORMED_RECORD,
    BpciRefusal.BROKEN_FRAGMENTS,
    BpciRefusal.WRONG_CHECKPOINT,
    BpciRefusal.FALSE_CHECKPOINT,
    BpciRefusal.FALSE_CREDIT,
    BpciRefusal.PUNISHED,
)
"""Refusals that only the peer itself can have caused: it is cooled down. The others somebody on the path can cause by
flipping, dropping or repeating bytes, and a peer must not be shut out by its enemies."""
