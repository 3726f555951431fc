"""What a node shows of a height, open or past: all that it has of it, and nothing that it has not checked."""

import msgspec
import pytest
from tests.unit.ledger.test_conviction import SEALS, a_vote, double_vote
from tests.unit.node.requests.world import Chain

from metanode.api.errors import ApiRefusal
from metanode.api.guilt import TranscriptGet
from metanode.chain.ibft import Account
from metanode.chain.light import GenesisBasis
from metanode.chain.stall import Told, read_transcript
from metanode.node.requests import transcripts
from metanode.node.rows import KEPT, NOTED, height_key
from metanode.node.forensics import KeptHeight
from metanode.primitives.codec import encode
from metanode.primitives.names import Height, Round
from metanode.records.transcript import NOTHING_NOTED, TRANSCRIPTS, Arrival, LateWord, RoundEntered
from metanode.records.vote import Justification, Vote, VoteKind
