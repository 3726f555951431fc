"""What a prober makes of an answer: by its own copy of the specification, and by whose word it is."""

from dataclasses import dataclass
from hashlib import sha256

from metanode.docklock.agent.inspecting import NO_STATEMENT
from metanode.docklock.cluster.state import Duty
from metanode.records.address import address_of_key
from metanode.records.statement import InspectionAnswer, is_signed, statement_digest
from metanode.records.workload import HealthCheck


@dataclass(frozen=True, slots=True)
class Question:
    """What a prober asked: as whom, with which nonce."""

    cluster: str
    asker: bytes
    nonce: bytes


def container_of(cluster: str, duty: Duty) -> str:
    """What the container of a duty is called."""
    return f"{cluster}.{duty.workload}.{duty.index}.{duty.attempt}"


def speaks_http(head: bytes) -> bool:
    """Whether an answer begins like that of a web service that is well: HTTP/…, a status of 200 … 399."""
    line = head.split(b"\r\n", 1)[0].split(b" ")
    return len(line) > 1 and line[0].startswith(b"HTTP/") and line[1][:1] in (b"2", b"3") and len(line[1]) == 3


def judge(duty: Duty, asked: Question, check: HealthCheck | None, got: InspectionAnswer | None) -> tuple[str, bytes]:
    """PROBE-9. The sight, and the digest of the node's statement. No answer, somebody else's, an old one, or one about
    another container is none; a node that itself says that it is not well has not lied; one that says well, where the
    answer does not bear it out, is not believed."""
    if got is None:
        return "unseen", NO_STATEMENT
    said = got.signed.statement
    about = (said.cluster, said.container, said.asker, said.nonce)
    if about != (asked.cluster, container_of(asked.cluster, duty), asked.asker, asked.nonce):
        return "unseen", NO_STATEMENT
    if address_of_key(got.signed.key) != duty.account or not is_signed(got.signed):
        return "unseen", NO_STATEMENT
    pinned = statement_digest(got.signed)
    if said.answer != sha256(got.answer).digest():
        return "unseen", pinned
    if not (said.runs and said.well):
        return "unwell", pinned
    if check is not None and check.probe == "http" and not speaks_http(got.answer):
        return "unseen", pinned
    return "seen", pinned
