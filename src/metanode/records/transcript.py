"""Why a height took more rounds, as one node can show it: signed words, and apart from them what the node says itself
(extension `.transcript`)."""

from typing import Final

from metanode.primitives.codec import Decoder, Wire, encode
from metanode.primitives.digest import Tag, digest
from metanode.primitives.names import Hash
from metanode.records.commit import BlsCommit, PreparedCertificate
from metanode.records.evidence import Evidence
from metanode.records.receipt_file import RECEIPT_FILE_BYTES_MAX, SetChangeStep
from metanode.records.vote import Vote

TRANSCRIPT_WORDS_BYTES_MAX: Final = 2 << 20
"""Of the votes in one, and as much of certificates and of evidence: some eight thousand votes, eight rounds of the
largest set and five hundred of a set of four. A node that has more gives the latest rounds."""
NODE_NAME_MAX: Final = 64
"""Characters of a node's name."""
REFUSAL_TEXT_MAX: Final = 200
"""Characters of a refusal in words."""


class Arrival(Wire):
    """A checked vote, by kind, round and seat: when it first counted here, and the round this node was in then."""

    kind: int
    round: int
    seat: int
    at_ms: int
    own_round: int


class RoundEntered(Wire):
    """The node entered this round then."""

    round: int
    at_ms: int


class LateWord(Wire):
    """A word that came by its sender's own link when this node had left its round or height for good, so that it was
    not looked at: the last such word of this seat, and how many there were."""

    seat: int
    kind: int
    height: int
    round: int
    own_round: int
    at_ms: int
    count: int


class TurnedDown(Wire):
    """A block proposed by this seat in this round that the node found invalid, and why; its own among them."""

    seat: int
    round: int
    header_hash: bytes
    refusal: str


class Notes(Wire):
    """What a node noted of one height beside the votes: nobody signed it. Times are its own clock's, in Unix ms.
    `began_ms`: when this process began the height, which is later than others' where it was restarted."""

    version: int
    began_ms: int
    rounds: tuple[RoundEntered, ...]
    arrivals: tuple[Arrival, ...]
    late: tuple[LateWord, ...]
    turned_down: tuple[TurnedDown, ...]


class Link(Wire):
    """To the validator of a seat, now: whether it is connected, when it was heard last (0: never), the height it last
    said it has."""

    seat: int
    connected: bool
    heard_ms: int
    height: int


class Said(Wire):
    """What the node says itself, when asked at `at_ms`. `seat`: -1 of an observer. `silence`: why it does not vote,
    empty where it does. `tip`: its last final height. `waiting`: header hashes of blocks it has not judged yet."""

    node: str
    seat: int
    at_ms: int
    tip: int
    round: int
    silence: str
    waiting: tuple[bytes, ...]
    links: tuple[Link, ...]
    notes: Notes


class Certified(Wire):
    """A header and its certificate."""

    header: bytes
    commit: BlsCommit


class Transcript(Wire):
    """One height by one node. `below`: the block below it, none at height 1; `final`: its own, none while it is open.
    `set_changes`: the way from a basis of trust to the set of the height. `complete`: whether these are all the words
    the node has. `whole`: the digest of all the rest, 32 bytes."""

    version: int
    chain_id: bytes
    set_changes: tuple[SetChangeStep, ...]
    height: int
    below: tuple[Certified, ...]
    final: tuple[Certified, ...]
    votes: tuple[Vote, ...]
    certificates: tuple[PreparedCertificate, ...]
    evidence: tuple[Evidence, ...]
    complete: bool
    said: Said
    whole: bytes


TRANSCRIPTS: Final = Decoder[Transcript](Transcript, 2 * TRANSCRIPT_WORDS_BYTES_MAX + 2 * RECEIPT_FILE_BYTES_MAX)
NOTES: Final = Decoder[Notes](Notes, 8 << 20)
"""Of a stored height: an arrival is a tenth of the vote it is of."""
NOTHING_NOTED: Final = Notes(version=1, began_ms=0, rounds=(), arrivals=(), late=(), turned_down=())
"""Of a height of which nothing was kept."""


def transcript_digest(transcript: Transcript) -> Hash:
    """STALL-2. Of everything in it but itself: what the node says, too."""
    fields = (getattr(transcript, name) for name in Transcript.__struct_fields__ if name != "whole")
    return digest(Tag.TRANSCRIPT, encode(tuple(fields)))
