"""Why a height took more rounds, or stands still: out of signed words that nodes show, and what they say beside."""

from metanode.chain.stall.case import Case
from metanode.chain.stall.explaining import Cause, Explanation, explain
from metanode.chain.stall.findings import Finding, RoundStory, Trouble, Why
from metanode.chain.stall.transcript import StallRefusal, Told, read_transcript

__all__ = [
    "Case",
    "Cause",
    "Explanation",
    "Finding",
    "RoundStory",
    "StallRefusal",
    "Told",
    "Trouble",
    "Why",
    "explain",
    "read_transcript",
]
