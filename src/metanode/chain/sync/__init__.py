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
    PeerDown,
    PeerUp,
    Received,
    Send,
    Tick,
)
from metanode.chain.sync.machine import Sync
from metanode.chain.sync.messages import MESSAGES, Blocks, Head, Message, WantBlocks
from metanode.chain.sync.rules import SyncRefusal
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
    "Effect",
    "Event",
    "Head",
    "Hint",
    "Import",
    "Message",
    "PeerDown",
    "PeerUp",
    "Received",
    "Send",
    "Sync",
    "SyncRefusal",
    "Tick",
    "WantBlocks",
]
