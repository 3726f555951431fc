"""Checking on the caller's side: headers, certificates, receipts, state. The node carries bytes and is not believed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from metanode.api.blocks import RawHeader, StateProof
from metanode.api.errors import ApiRefusal
from metanode.chain.forensics import Checks, Heard, ProvenGuilt, read_testimony, verify_evidence_bytes
from metanode.chain.light import (
    Basis,
    GenesisBasis,
    HeaderBasis,
    LightRefusal,
    SectionRoots,
    Trusted,
    Verified,
    body_leaves,
    check_basis_age,
    follow,
    follow_set_change,
    section_roots,
    skip,
    trust,
    verify_receipt_bytes,
)
from metanode.chain.stall import Told, read_transcript
from metanode.client.client import Client
from metanode.client.failures import ClientError
from metanode.docklock.receipts import Attested, is_attestation, verify_attestation
from metanode.ledger.state import STATE_PROOF_DECODER, verify_state_proof
from metanode.primitives import bls, ed25519
from metanode.primitives.digest import Tag
from metanode.primitives.merkle import counted_root
from metanode.primitives.refusal import Rejected
from metanode.records.block import FINAL_BLOCKS, KnownTransaction
from metanode.records.commit import COMMITS
from metanode.records.genesis import GENESES, Genesis, genesis_hash
from metanode.records.header import Header, read_header
from metanode.records.receipt import receipt_leaf
from metanode.records.transaction import SIGNED_TRANSACTIONS, authorizations_digest, identity
from metanode.records.validators import VALIDATOR_LISTS, Validator

RANGE: Final = 500
"""Headers asked for at once."""

__all__ = [
    "Attested",
    "Basis",
    "Checked",
    "GenesisBasis",
    "HeaderBasis",
    "Heard",
    "LightClient",
    "Proven",
    "ProvenGuilt",
    "Told",
    "Verified",
    "fetch_genesis",
    "hear_testimony",
    "hear_transcript",
    "verify_any_receipt",
    "verify_evidence",
    "verify_receipt",
    "verify_state",
    "verify_workload_receipt",
]


@dataclass(frozen=True, slots=True)
class Checked:
    """One header that was followed, and how many of how many seats signed it."""

    header: Header
    signers: int
    seats: int


@dataclass(frozen=True, slots=True)
class Proven:
    """What a key holds in the state of a header that was followed; `value` is `None` where it holds nothing."""

    header: Header
    key: bytes
    value: bytes | None


def fetch_genesis(client: Client, chain_id: bytes) -> Genesis:
    """The genesis of this chain from a node that need not be trusted: its digest must be `chain_id`.

    Raises `Rejected` where the node gives another.
    """
    genesis = GENESES.decode(bytes.fromhex(client.node.genesis().encoded))
    if genesis_hash(genesis) != chain_id:
        raise Rejected(LightRefusal.BASIS, f"the node's genesis is {genesis_hash(genesis).hex()}")
    return genesis


def verify_receipt(data: bytes, basis: Basis, now_ms: int | None = None) -> Verified:
    """LIGHT-10. Check a receipt file with a basis of trust and nothing else. Raises `Rejected` naming the layer."""
    return verify_receipt_bytes(data, basis, bls.fast_aggregate_verify, now_ms)


def verify_any_receipt(data: bytes, basis: Basis, now_ms: int | None = None) -> Verified | Attested:
    """LIGHT-10, WREC-9. Check a receipt file of a transaction, or that of a workload in whichever of its forms. Raises
    `Rejected` naming the layer."""
    return (verify_workload_receipt if is_attestation(data) else verify_receipt)(data, basis, now_ms)


def verify_workload_receipt(data: bytes, basis: Basis, now_ms: int | None = None) -> Attested:
    """WREC-9, WREC-12. Check the receipt of a workload: a file, a statement or an envelope. Raises `Rejected` naming
    the layer."""
    return verify_attestation(data, basis, bls.fast_aggregate_verify, now_ms)


def verify_state(header: Header, key: bytes, answer: StateProof) -> Proven:
    """LIGHT-12. Check the answer of `state.prove` against a header that is trusted already, and nothing else.

    `key`: what was asked for; what the answer says it is about counts for nothing. Raises `Rejected` with the layer:
    `encoding`, `header` (the proof is for another one), `state`.
    """
    try:
        told, proof = bytes.fromhex(answer.header), STATE_PROOF_DECODER.decode(bytes.fromhex(answer.proof))
        value = bytes.fromhex(answer.value) if answer.present else None
    except ValueError:
        raise Rejected(LightRefusal.ENCODING, "a state proof that is not hexadecimal") from None
    if told != header.encoded:
        raise Rejected(LightRefusal.HEADER, f"a proof for another header than {header.hash.hex()}")
    if not verify_state_proof(header.state_root, key, value, proof):
        what = "is absent" if value is None else f"holds {value.hex()}"
        raise Rejected(LightRefusal.STATE, f"not proved at height {header.height}: {key.hex()} {what}")
    return Proven(header, key, value)


CHECKS: Final = Checks(pairing=bls.fast_aggregate_verify, signature=ed25519.verify)
"""The mathematics of the real chain."""


def verify_evidence(data: bytes, basis: Basis) -> ProvenGuilt:
    """EVID-13. Check an evidence file with a basis of trust and nothing else. Raises `Rejected` naming the layer."""
    return verify_evidence_bytes(data, basis, CHECKS)


def hear_testimony(data: bytes, basis: Basis) -> Heard:
    """FORK-1. Check a testimony's certificate, and sift what the node kept. Raises `Rejected` naming the layer."""
    return read_testimony(data, basis, CHECKS)


def hear_transcript(data: bytes, basis: Basis) -> Told:
    """STALL-2. Check every word of a transcript. Raises `Rejected` naming the layer."""
    return read_transcript(data, basis, CHECKS)


def _wire(raw: RawHeader) -> tuple[bytes, bytes, bytes]:
    try:
        return bytes.fromhex(raw.header), bytes.fromhex(raw.commit), bytes.fromhex(raw.next_validators)
    except ValueError:
        raise Rejected(LightRefusal.ENCODING, f"height {raw.height} is not hexadecimal") from None


class LightClient:
    """HTTP-16. Follows the chain of a node from a basis of trust, checking each certificate.

    `advance` takes every header, `skip` only those that announce another set and the last one. Both end at the same
    header with the same certainty; what lies between is looked at by `advance` alone.

    `now_ms`: the caller's clock; given, a basis older than the trusting period is refused (LIGHT-3).
    """

    def __init__(self, client: Client, basis: Basis, now_ms: int | None = None) -> None:
        self._client: Final = client
        self._trusted: Trusted = trust(basis)
        if now_ms is not None:
            check_basis_age(self._trusted, now_ms)

    @property
    def trusted(self) -> Trusted:
        """The last header that was followed, and the set that signs after it."""
        return self._trusted

    def advance(self, height: int = 0) -> Iterator[Checked]:
        """LIGHT-4. Follow up to this height, 0 for the head, one header after another.

        Raises `Rejected`, `ClientError` where the node does not have this height.
        """
        while not height or self._trusted.height < height:
            first = self._trusted.height + 1
            limit = min(RANGE, height - first + 1) if height else RANGE
            try:
                page = self._client.block.headers(first, limit)
            except ClientError as error:
                if error.code == ApiRefusal.BEYOND_HEAD and not height:
                    return
                raise
            if not page.items:
                raise Rejected(LightRefusal.HEADER, f"the node gives no header from height {first} on")
            for raw in page.items:
                yield self._follow(raw, follow)

    def skip(self, height: int = 0) -> Iterator[Checked]:
        """LIGHT-7, LIGHT-8. To this height, 0 for the head, by the headers that announce another set, then that one.

        A node that keeps a change back gets nowhere: what follows is signed by a set that nobody announced. Raises
        `Rejected`, `ClientError` where the node does not have this height.
        """
        target = height
        while not target or self._trusted.height < target:
            page = self._client.block.changes(self._trusted.height, RANGE)
            target = target or page.last
            for raw in page.items:
                if raw.height >= target:
                    break
                yield self._follow(raw, follow_set_change)
            else:
                if page.items:
                    continue
            break
        if self._trusted.height < target:
            items = self._client.block.headers(target, 1).items
            if not items or items[0].height != target:
                raise Rejected(LightRefusal.HEADER, f"the node does not give the header of height {target}")
            yield self._follow(items[0], skip)

    def prove(self, module: str, key: bytes, height: int = 0) -> Proven:
        """LIGHT-12. What a key holds, or that it holds nothing, at a height, 0 for the head; follows up to there.

        `module`: `accounts`, `coin`, `governance`, `cluster`; keys: `metanode.client.state_keys`. Heights below the
        trusted one are refused: begin with an earlier basis. Raises `Rejected`, `ClientError`.
        """
        answer = self._client.block.prove(module, key, height)
        if height and answer.height != height:
            raise Rejected(LightRefusal.HEADER, f"a proof for height {answer.height}, {height} was asked for")
        if answer.height < max(self._trusted.height, 1):
            detail = f"height {answer.height} is below the trusted one, {self._trusted.height}"
            raise Rejected(LightRefusal.BASIS, detail)
        for _ in self.skip(answer.height):
            pass
        return verify_state(self._trusted.header[0], key, answer)

    def check_block(self, header: Header) -> int:
        """The transactions and receipts of a header that was followed, against its roots; how many receipts it has.

        Raises `Rejected`.
        """
        file = self._client.block.export(header.height)
        block = FINAL_BLOCKS.decode(bytes.fromhex(file.block))
        if block.header != header.encoded:
            raise Rejected(LightRefusal.HEADER, f"the node gives another block of height {header.height}")
        known = [_known(encoded) for encoded in block.body.transactions]
        if section_roots(body_leaves(known), block.body.last_commit, block.body.evidence) != SectionRoots.of_header(
            header
        ):
            raise Rejected(LightRefusal.TRANSACTION, f"the body of height {header.height} leads to other roots")
        leaves = [receipt_leaf(bytes.fromhex(text)) for text in file.receipts]
        if counted_root(Tag.RECEIPTS_ROOT, leaves) != header.receipts_root:
            raise Rejected(LightRefusal.INCLUSION, f"the receipts of height {header.height} lead to another root")
        return len(leaves)

    def _follow(self, raw: RawHeader, step: Callable[..., Trusted]) -> Checked:
        encoded, commit_bytes, set_bytes = _wire(raw)
        header = read_header(encoded)
        if header.height != raw.height:
            raise Rejected(LightRefusal.HEADER, f"the node gives the header of height {header.height} as {raw.height}")
        commit = COMMITS.decode(commit_bytes)
        announced: tuple[Validator, ...] = VALIDATOR_LISTS.decode(set_bytes).validators if set_bytes else ()
        seats = len(self._trusted.validators)
        self._trusted = step(self._trusted, header, commit, announced, bls.fast_aggregate_verify)
        return Checked(header, sum(byte.bit_count() for byte in commit.validator_bitmap), seats)


def _known(encoded: bytes) -> KnownTransaction:
    signed = SIGNED_TRANSACTIONS.decode(encoded)
    return KnownTransaction(encoded, signed, identity(signed.transaction), authorizations_digest(signed.authorizations))
