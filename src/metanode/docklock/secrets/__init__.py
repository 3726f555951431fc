"""Secrets: committed to, sealed to one node, opened there; the pure part."""

from metanode.docklock.secrets.sealing import (
    Content,
    OpeningKeys,
    commitment_of,
    label_of,
    open_sealed,
    salt_of,
    salt_question,
    seal,
)

__all__ = [
    "Content",
    "OpeningKeys",
    "commitment_of",
    "label_of",
    "open_sealed",
    "salt_of",
    "salt_question",
    "seal",
]
