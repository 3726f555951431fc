"""Two nodes with their keys, a secret, and envelopes that are easily made."""

from hashlib import sha256
from typing import Any

from msgspec.structs import replace

from metanode.docklock.secrets import Content, OpeningKeys, commitment_of, label_of, seal
from metanode.records.secret import SealedSecret, SecretLabel

CHAIN = sha256(b"chain").digest()
CLEAR = b"correct horse battery staple"


def keys(name: str) -> OpeningKeys:
    return OpeningKeys(sha256(name.encode()).digest(), sha256(name.encode() + b"1").digest() * 2)


HERE, THERE = keys("node-1"), keys("node-2")
CONTENT = Content(sha256(b"salt").digest(), CLEAR)


def label(node: str = "node-1", holder: OpeningKeys = HERE, content: Content = CONTENT, **changes: Any) -> SecretLabel:
    bound = commitment_of(changes.get("cluster", "main"), changes.get("secret", "token"), content)
    made = label_of(CHAIN, "main", node, holder.public, "token", 3, bound)
    return replace(made, **changes)


def sealed(content: Content = CONTENT) -> SealedSecret:
    return seal(label(content=content), HERE.public, content, sha256(b"once").digest())
