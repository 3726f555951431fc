"""Proofs of guilt as files, what a node kept of a height, and proofs handed in."""

from typing import Annotated, Final

from msgspec import Meta

from metanode.api.shapes import NUMBER_MAX, Answer, HashText, HeightOrLast, HexText, Number, Request

_EVIDENCE_BYTES_MAX: Final = 66_560
"""As `records.evidence` has it (a test compares): who only asks how a node is must not pay for reading evidence."""


class EvidenceExport(Request):
    """Evidence by its digest."""

    digest: HashText


class EvidenceFileView(Answer):
    """The evidence file as hexadecimal, and what it claims; whoever checks it need not believe that."""

    digest: HashText
    kind: str
    height: Number
    accused: tuple[str, ...]
    file: HexText


class EvidenceTestimony(Request):
    """What the node kept of one height."""

    height: HeightOrLast


class TestimonyView(Answer):
    """The testimony as hexadecimal: the header with its certificate, votes and justifications. A node keeps these only
    of heights that needed more than one round (EVID-7), and gives the earliest rounds where all would be too long."""

    height: Number
    hash: HashText
    round: Number
    votes: Number
    justifications: Number
    complete: bool
    file: HexText


class TranscriptGet(Request):
    """What the node can show of how a height is, or was, agreed on."""

    height: Annotated[int, Meta(ge=0, le=NUMBER_MAX, description="A height; 0 means the one that is open.")]


class TranscriptView(Answer):
    """The transcript as hexadecimal: signed words, and apart from them what the node says itself (STALL-1). `open`: the
    height is not final here. `round`: the one the node is in, or in which the height became final."""

    height: Number
    open: bool
    node: str
    round: Number
    votes: Number
    complete: bool
    file: HexText


class EvidenceSubmit(Request):
    """A proof of guilt, encoded as in a block."""

    encoded: Annotated[HexText, Meta(max_length=2 * _EVIDENCE_BYTES_MAX)]


class EvidenceTaken(Answer):
    """It would convict these, and its signatures are being checked; if they hold it waits for a block."""

    digest: HashText
    accused: tuple[str, ...]
