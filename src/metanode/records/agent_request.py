"""Requests to an agent, signed by an account: who asks, what for, when; so nothing can be asked again later."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from metanode.primitives import ed25519
from metanode.primitives.digest import Tag, digest
from metanode.primitives.names import Address
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.address import address_of_key

SCHEME: Final = "Metanode"
"""The scheme of the `Authorization` header."""
FRESH_MS: Final = 60_000
"""How far the clocks of asker and agent may stand apart."""


class RequestRefusal(Refusal):
    """Why an agent does not even look at a request."""

    NOT_SIGNED = "agent.not-signed"
    """There is no signature, or it is not one: `Authorization: Metanode <key>.<milliseconds>.<signature>`."""
    NOT_FRESH = "agent.not-fresh"
    """It was signed too long ago, or by a clock that is wrong."""
    NOT_ALLOWED = "agent.not-allowed"
    """The account may not ask this of the cluster's nodes."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who signed a request."""

    account: Address
    key: bytes


def _message(cluster: str, verb: str, path: str, body: bytes, time_ms: int) -> bytes:
    parts = (cluster, verb, path, sha256(body).hexdigest(), str(time_ms))
    return digest(Tag.AGENT_REQUEST, *(part.encode() + b"\0" for part in parts))


def authorization(cluster: str, verb: str, path: str, body: bytes, time_ms: int, key: ed25519.SigningKey) -> str:
    """AGENT-10. The header by which an account signs one request: cluster, verb, path with its query, body, time.
    Content that is put by its digest has it in the path and is not signed twice: an empty body stands for it."""
    signature = key.sign(_message(cluster, verb, path, body, time_ms))
    return f"{SCHEME} {key.public_key.hex()}.{time_ms}.{signature.hex()}"


def asker_of(header: str, cluster: str, verb: str, path: str, body: bytes, now_ms: int) -> Asker:
    """AGENT-10. Who signed a request. Raises `Rejected`."""
    scheme, _, rest = header.partition(" ")
    parts = rest.split(".")
    try:
        key, time_ms, signature = bytes.fromhex(parts[0]), int(parts[1]), bytes.fromhex(parts[2])
    except (ValueError, IndexError):
        raise Rejected(RequestRefusal.NOT_SIGNED, "no signature of an account") from None
    if scheme != SCHEME or len(parts) != 3 or len(key) != 32 or len(signature) != 64:
        raise Rejected(RequestRefusal.NOT_SIGNED, "no signature of an account")
    if abs(now_ms - time_ms) > FRESH_MS:
        raise Rejected(RequestRefusal.NOT_FRESH, f"signed {now_ms - time_ms} ms ago, at most {FRESH_MS}")
    if not ed25519.verify(key, _message(cluster, verb, path, body, time_ms), signature):
        raise Rejected(RequestRefusal.NOT_SIGNED, "the signature is not of this request")
    return Asker(address_of_key(key), key)
