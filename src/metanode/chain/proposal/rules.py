"""What a block must be, as far as it can be told without executing it; the same for one's own and for others'."""

from collections.abc import Sequence
from typing import Final

from metanode.chain.light import section_roots
from metanode.primitives.digest import Tag
from metanode.primitives.merkle import Frontier, counted_root
from metanode.primitives.names import Hash, Height, Millis, Seat
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.block import LEAF_BYTES, LEAF_PLAIN, Body
from metanode.records.commit import BlsCommit
from metanode.records.evidence import Evidence, evidence_digest
from metanode.records.header import Header
from metanode.records.parameters import Parameters
from metanode.records.proposal import ProposalContent, content_leaves
from metanode.records.validators import ValidatorSet

EMPTY_OPENINGS: Final = counted_root(Tag.OPENINGS_ROOT, ())
"""PROP-3. Rules version 1 has no sealed transactions."""
EMPTY_INCLUSION: Final = counted_root(Tag.INCLUSION_ROOT, ())
"""PROP-3. Rules version 1 has no inclusion lists."""
EMPTY_EXTENSIONS: Final = counted_root(Tag.EXTENSIONS_ROOT, ())
"""PROP-3. Rules version 1 has no extensions."""


class ProposalRefusal(Refusal):
    """Why a block is not what is due."""

    WRONG_CHAIN = "proposal.wrong-chain"
    """Of another chain."""
    WRONG_VERSION = "proposal.wrong-version"
    """Of other rules than those of this height."""
    WRONG_HEIGHT = "proposal.wrong-height"
    """Not the height after the parent."""
    WRONG_PARENT = "proposal.wrong-parent"
    """Built on another block."""
    WRONG_PROPOSER = "proposal.wrong-proposer"
    """The proposer is no seat of the set."""
    TOO_EARLY = "proposal.too-early"
    """Its time is not later than its parent's."""
    TOO_LATE = "proposal.too-late"
    """Its time is further ahead of this node's clock than `drift_ms`."""
    WRONG_HISTORY = "proposal.wrong-history"
    """Its history root is not that of all headers below it."""
    WRONG_VALIDATORS = "proposal.wrong-validators"
    """Names another set than the one that signs this height."""
    UNKNOWN_SECTION = "proposal.unknown-section"
    """A section that these rules do not have is not empty."""
    WRONG_TRANSACTIONS = "proposal.wrong-transactions"
    """The leaves are not those of the header's root."""
    WRONG_LAST_COMMIT = "proposal.wrong-last-commit"
    """The certificate it carries is not the one of the header's digest."""
    WRONG_EVIDENCE = "proposal.wrong-evidence"
    """The evidence is not that of the header's root."""
    UNKNOWN_KIND = "proposal.unknown-kind"
    """A leaf of a kind that these rules do not have."""
    DUPLICATE = "proposal.duplicate"
    """A transaction, or a piece of evidence, stands in it twice."""
    TOO_MANY = "proposal.too-many"
    """More transactions, or signatures, than a block may have."""
    TOO_LARGE = "proposal.too-large"
    """More bytes than a block may have."""
    COMMIT_MISSING = "proposal.commit-missing"
    """Above height 1 a block carries exactly one certificate, of its parent; at height 1 none."""
    BAD_TRANSACTION = "proposal.bad-transaction"
    """A leaf names bytes that are no transaction, or whose signature does not verify."""
    NOT_ASKED_FOR = "proposal.not-asked-for"
    """A peer answered with what is not in the block."""
    MALFORMED = "proposal.malformed"
    """A question or answer about bodies that cannot be one."""


FOREIGN: Final = frozenset(
    {ProposalRefusal.WRONG_TRANSACTIONS, ProposalRefusal.WRONG_LAST_COMMIT, ProposalRefusal.WRONG_EVIDENCE}
)
"""PROP-6. Refusals that say nothing about the header: another content may fit it, so its deliverer is to blame."""


def block_timestamp(parent_timestamp_ms: int, now_ms: int) -> Millis:
    """PROP-4. Now, but later than the parent."""
    return Millis(max(now_ms, parent_timestamp_ms + 1))


def due_ms(parent_timestamp_ms: int, parameters: Parameters, *, waiting: bool) -> Millis:
    """PROP-8. When the next block is due: at once but not before `block_period_ms` after the parent where transactions,
    evidence, votes or other duties wait, else after `empty_block_period_ms`."""
    period = (
        parameters.block_period_ms if waiting else max(parameters.empty_block_period_ms, parameters.block_period_ms)
    )
    return Millis(parent_timestamp_ms + period)


def build_header(  # noqa: PLR0913 - a header has that many parts
    *,
    version: int,
    chain_id: Hash,
    height: Height,
    timestamp_ms: Millis,
    proposer: Seat,
    parent_hash: Hash,
    frontier: Frontier,
    body: Body,
    leaves: Sequence[bytes],
    state_root: Hash,
    receipts_root: Hash,
    validators_hash: Hash,
    next_validators_hash: Hash,
) -> Header:
    """PROP-1, PROP-2, PROP-3. The header of a block of these parts. `frontier`: of all headers up to the parent."""
    assert frontier.size == height - 1, "the history ends with the parent"
    roots = section_roots(leaves, body.last_commit, body.evidence)
    return Header(
        version=version,
        chain_id=chain_id,
        height=height,
        timestamp_ms=timestamp_ms,
        proposer=proposer,
        parent_hash=parent_hash,
        last_commit_hash=roots.last_commit_hash,
        transactions_root=roots.transactions_root,
        openings_root=EMPTY_OPENINGS,
        inclusion_root=EMPTY_INCLUSION,
        evidence_root=roots.evidence_root,
        state_root=state_root,
        receipts_root=receipts_root,
        history_root=frontier.counted_root(Tag.HISTORY_ROOT),
        validators_hash=validators_hash,
        next_validators_hash=next_validators_hash,
        extensions_root=EMPTY_EXTENSIONS,
    )


def check_header(  # noqa: PLR0913 - everything a header is compared with, by name
    header: Header,
    content: ProposalContent,
    *,
    version: int,
    chain_id: Hash,
    height: int,
    parent_hash: Hash,
    parent_timestamp_ms: int,
    frontier: Frontier,
    validators: ValidatorSet,
    parameters: Parameters,
    now_ms: int,
    reproposed: bool,
) -> None:
    """PROP-1 to PROP-6. Everything about a proposed block that needs neither its transactions' bytes, nor executing it,
    nor checking a signature. Raises `Rejected` with a `ProposalRefusal`.

    `reproposed`: Q seats found its time good before, so it is not compared with this node's clock again.
    """
    check_place(
        header,
        version=version,
        chain_id=chain_id,
        height=height,
        parent_hash=parent_hash,
        parent_timestamp_ms=parent_timestamp_ms,
        frontier=frontier,
        validators=validators,
    )
    leaves = content_leaves(content)
    check_sections(header, leaves, content.last_commit, content.evidence)
    if not reproposed and header.timestamp_ms > now_ms + parameters.drift_ms:
        raise Rejected(
            ProposalRefusal.TOO_LATE, f"{header.timestamp_ms - now_ms} ms ahead, at most {parameters.drift_ms}"
        )
    if len(leaves) > parameters.block_transactions_max:
        raise Rejected(ProposalRefusal.TOO_MANY, f"{len(leaves)}, at most {parameters.block_transactions_max}")
    check_duties(height, leaves, content.last_commit, content.evidence)


def check_place(
    header: Header,
    *,
    version: int,
    chain_id: Hash,
    height: int,
    parent_hash: Hash,
    parent_timestamp_ms: int,
    frontier: Frontier,
    validators: ValidatorSet,
) -> None:
    """PROP-1, PROP-3, PROP-4. The header's place in the chain, and sections that cannot be. Raises `Rejected`."""
    if header.chain_id != chain_id:
        raise Rejected(ProposalRefusal.WRONG_CHAIN, header.chain_id.hex())
    if header.height != height:
        raise Rejected(ProposalRefusal.WRONG_HEIGHT, f"{header.height}, {height} is due")
    if header.version != version:
        raise Rejected(ProposalRefusal.WRONG_VERSION, f"{header.version}, {version} is due")
    if header.parent_hash != parent_hash:
        raise Rejected(ProposalRefusal.WRONG_PARENT, header.parent_hash.hex())
    if header.timestamp_ms <= parent_timestamp_ms:
        raise Rejected(ProposalRefusal.TOO_EARLY, f"{header.timestamp_ms}, the parent's is {parent_timestamp_ms}")
    if header.validators_hash != validators.hash:
        raise Rejected(ProposalRefusal.WRONG_VALIDATORS, header.validators_hash.hex())
    if header.proposer >= len(validators):
        raise Rejected(ProposalRefusal.WRONG_PROPOSER, f"seat {header.proposer} of {len(validators)}")
    if header.history_root != frontier.counted_root(Tag.HISTORY_ROOT):
        raise Rejected(ProposalRefusal.WRONG_HISTORY, f"not the root of {frontier.size} headers")
    pinned = (header.openings_root, header.inclusion_root, header.extensions_root)
    if pinned != (EMPTY_OPENINGS, EMPTY_INCLUSION, EMPTY_EXTENSIONS):
        raise Rejected(ProposalRefusal.UNKNOWN_SECTION, "openings, inclusion lists and extensions are empty")


def check_sections(
    header: Header, leaves: Sequence[bytes], last_commit: tuple[BlsCommit, ...], evidence: tuple[Evidence, ...]
) -> None:
    """PROP-2. Whether these are the sections of this header: any refusal is in `FOREIGN`. Raises `Rejected`."""
    roots = section_roots(leaves, last_commit, evidence)
    if roots.transactions_root != header.transactions_root:
        raise Rejected(ProposalRefusal.WRONG_TRANSACTIONS, f"{len(leaves)} leaves have another root")
    if len(last_commit) > 1 or roots.last_commit_hash != header.last_commit_hash:
        raise Rejected(ProposalRefusal.WRONG_LAST_COMMIT, "another certificate")
    if roots.evidence_root != header.evidence_root:
        raise Rejected(ProposalRefusal.WRONG_EVIDENCE, f"{len(evidence)} pieces have another root")


def check_duties(
    height: int, leaves: Sequence[bytes], last_commit: tuple[BlsCommit, ...], evidence: tuple[Evidence, ...]
) -> None:
    """PROP-5. Kinds of leaves, no duplicates, and a certificate of the parent exactly where there is one. Raises
    `Rejected`."""
    if any(leaf[:1] != LEAF_PLAIN or len(leaf) != LEAF_BYTES for leaf in leaves):
        raise Rejected(ProposalRefusal.UNKNOWN_KIND, "leaves are plain transactions: kind 1, 65 bytes")
    if len({leaf[1:33] for leaf in leaves}) != len(leaves):
        raise Rejected(ProposalRefusal.DUPLICATE, "an identity stands in it twice")
    if len({evidence_digest(one) for one in evidence}) != len(evidence):
        raise Rejected(ProposalRefusal.DUPLICATE, "a piece of evidence stands in it twice")
    if len(last_commit) != (0 if height == 1 else 1):
        raise Rejected(ProposalRefusal.COMMIT_MISSING, f"{len(last_commit)} certificates at height {height}")
