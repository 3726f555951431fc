"""What a range of blocks must be before its certificates are worth checking."""

from dataclasses import replace

from metanode.chain.bls import AggregateClaim, commit_claim
from metanode.chain.light import SectionRoots, Trusted, body_leaves, check_commit_form, check_link, section_roots
from metanode.chain.mempool import read_transaction
from metanode.chain.sync.state import Progress, Sound
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.block import FinalBlock
from metanode.records.header import read_header


class SyncRefusal(Refusal):
    """Why a peer's answer is turned away."""

    MALFORMED = "sync.malformed"
    """A message of another version, or with numbers that cannot be."""
    NOT_A_BLOCK = "sync.not-a-block"
    """Not the canonical bytes of a final block."""
    WRONG_BLOCK = "sync.wrong-block"
    """Does not follow the blocks before it, or is not signed by the set that is due."""
    WRONG_BODY = "sync.wrong-body"
    """The body is not the one of the header."""
    WRONG_COMMIT = "sync.wrong-commit"
    """The certificate does not make the header final."""
    WRONG_MANIFEST = "sync.wrong-manifest"
    """A snapshot whose header does not follow from what is trusted, or whose pieces or history do not fit it."""
    WRONG_PIECE = "sync.wrong-piece"
    """A part of the state that does not lead to the state root."""


def check_block(trusted: Trusted, block: FinalBlock, size: int) -> tuple[Sound, AggregateClaim]:
    """SYNC-3. Link, certificate's form, body's roots; and the one signature to be checked. Raises `Rejected`.

    Signatures of the transactions are not checked again: a quorum did, and answers for it with its certificate.
    """
    try:
        header = read_header(block.header)
        check_link(trusted, header)
    except Rejected as rejected:
        raise Rejected(SyncRefusal.WRONG_BLOCK, str(rejected)) from None
    try:
        check_commit_form(header, block.commit)
        claim = commit_claim(block.commit, trusted.validators, trusted.chain_id)
    except Rejected as rejected:
        raise Rejected(SyncRefusal.WRONG_COMMIT, str(rejected)) from None
    body = block.body
    try:
        transactions = tuple(read_transaction(encoded) for encoded in body.transactions)
    except Rejected as rejected:
        raise Rejected(SyncRefusal.WRONG_BODY, str(rejected)) from None
    if block.version != 1 or body.version != 1 or len(body.last_commit) > 1:
        raise Rejected(SyncRefusal.WRONG_BODY, f"version {block.version} with a body of version {body.version}")
    if section_roots(body_leaves(transactions), body.last_commit, body.evidence) != SectionRoots.of_header(header):
        raise Rejected(SyncRefusal.WRONG_BODY, f"the sections of height {header.height} have other roots")
    return Sound(header, block.commit, body, transactions, size), claim


def after(trusted: Trusted, sound: Sound) -> Trusted:
    """SYNC-3. What is trusted once the block's certificate is good. The set stays as it is until one is announced."""
    header = sound.header
    return replace(trusted, height=header.height, hash=header.hash, timestamp_ms=header.timestamp_ms, header=(header,))


def claimed_height(progress: Progress) -> int:
    """SYNC-2. A height that at least one honest validator says it has: the (f+1)-th highest of what validators say.

    One liar, or f of them, can neither make a node think itself behind nor keep it from seeing that it is.
    """
    validators = progress.tip.validators
    seats = validators.seats_by_transport_key
    heights = sorted((peer.last for key, peer in progress.peers.items() if key in seats), reverse=True)
    return heights[validators.faults] if len(heights) > validators.faults else 0
