"""Catching up with the others: ranges of final blocks, checked before they are executed; and handing them out."""

from metanode.chain.sync.events import (
    Applied,
    Behind,
    Blame,
    CaughtUp,
    CheckCommits,
    CommitsChecked,
    Effect,
    Event,
    Hint,
    Import,
    Install,
    PeerDown,
    PeerUp,
    Received,
    Send,
    Tick,
)
from metanode.chain.sync.machine import Sync
from metanode.chain.sync.messages import (
    MESSAGES,
    Blocks,
    Head,
    Manifest,
    Message,
    StatePiece,
    WantBlocks,
    WantManifest,
    WantPiece,
)
from metanode.chain.sync.rules import SyncRefusal
from metanode.chain.sync.snapshot_giving import Cut, Snapshots, piece_fits
from metanode.chain.sync.snapshot_taking import Pairs, StateCheck
from metanode.chain.sync.state import Archive

__all__ = [
    "MESSAGES",
    "Applied",
    "Archive",
    "Behind",
    "Blame",
    "Blocks",
    "CaughtUp",
    "CheckCommits",
    "CommitsChecked",
    "Cut",
    "Effect",
    "Event",
    "Head",
    "Hint",
    "Import",
    "Install",
    "Manifest",
    "Message",
    "Pairs",
    "PeerDown",
    "PeerUp",
    "Received",
    "Send",
    "Snapshots",
    "StateCheck",
    "StatePiece",
    "Sync",
    "SyncRefusal",
    "Tick",
    "WantBlocks",
    "WantManifest",
    "WantPiece",
    "piece_fits",
]
