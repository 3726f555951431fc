"""Two headers of one height are final: who made that possible, and what is missing where it cannot be shown.

The argument (docs/protocol/forensics.md). Let the first certificate be of round r for X and the second of a later
round for Y. Whoever of the second's signers is honest accepted Y on a justification: Q ROUND-CHANGEs, and where they
show something prepared, a certificate of Y from an earlier round. So one goes down from justification to justification
to the earliest round above r in which Y was proposed. What its ROUND-CHANGEs show is from r or before: either they deny
what Q seats committed to in r, or they show Q PREPAREs of Y in r itself. Both times 2Q - n >= f + 1 seats contradict
their own COMMIT. Certificates of one round meet in f + 1 seats at once.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from metanode.chain.evidence import (
    NO_PROOF,
    VALUE_KINDS,
    certificate_votes,
    check_justification,
    conflict,
    contradicts,
    forgets,
    lunatic,
)
from metanode.chain.forensics.evidence_file import ForensicsRefusal
from metanode.primitives.bitmap import decode as decode_bitmap
from metanode.primitives.names import Hash, Round, Seat
from metanode.primitives.refusal import Rejected
from metanode.records.commit import BlsCommit, PreparedCertificate
from metanode.records.evidence import (
    Amnesia,
    ConflictingCertificates,
    ConflictingCommits,
    ConflictingVotes,
    ContradictedCommit,
    Evidence,
    LunaticHeader,
    UnjustifiedProposal,
    accused_seats,
)
from metanode.records.header import Header
from metanode.records.validators import ValidatorSet
from metanode.records.vote import NO_ROUND, Justification, Vote, VoteKind, justification_digest


@dataclass(frozen=True, slots=True)
class Material:
    """Of one height, every signature checked: headers with their certificates, votes and justifications."""

    chain_id: Hash
    validators: ValidatorSet
    certificates: tuple[tuple[Header, BlsCommit], ...]
    votes: tuple[Vote, ...]
    justifications: tuple[Justification, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """One step of the argument: in this round the second value was proposed, on ROUND-CHANGEs that show it prepared in
    `prepared_round` (`NO_ROUND`: nothing of it)."""

    round: Round
    prepared_round: int


@dataclass(frozen=True, slots=True)
class Missing:
    """FORK-5. The justification of the proposal of this header in this round: each of these seats signed for it, and
    had it."""

    round: Round
    header_hash: Hash
    seats: tuple[Seat, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """Whom the material convicts, in seat order, each with a proof that stands by itself; how the fork came about; and
    which justifications are missing where fewer than `needed` (f + 1) could be named."""

    proofs: tuple[tuple[Seat, Evidence], ...]
    needed: int
    first: BlsCommit
    second: BlsCommit
    links: tuple[Link, ...]
    missing: tuple[Missing, ...]

    @property
    def enough(self) -> bool:
        """Whether at least f + 1 are named."""
        return len(self.proofs) >= self.needed


def investigate(material: Material) -> Findings:
    """FORK-2. Raises `Rejected` where there is no fork: fewer than two headers of the height have a certificate."""
    commits = sorted((commit for _, commit in material.certificates), key=lambda c: (c.round, c.header_hash))
    pair = next(((a, b) for a, b in combinations(commits, 2) if a.header_hash != b.header_hash), None)
    if pair is None:
        raise Rejected(ForensicsRefusal.NO_FORK, "two certificates of different headers of one height are needed")
    proofs = find_guilty(material)
    needed = material.validators.faults + 1
    links, missing = _walk(pair[0], pair[1], material) if pair[0].round < pair[1].round else ((), ())
    return Findings(proofs, needed, pair[0], pair[1], links, missing if len(proofs) < needed else ())


def find_guilty(material: Material) -> tuple[tuple[Seat, Evidence], ...]:
    """FORK-3. Everything that convicts by itself, laid side by side: at most one proof a seat, in seat order."""
    proofs: dict[Seat, Evidence] = {}
    for evidence in _proofs(material):
        for seat in accused_seats(evidence, len(material.validators)):
            proofs.setdefault(seat, evidence)
    return tuple((seat, proofs[seat]) for seat in sorted(proofs))


def _proofs(material: Material) -> Iterator[Evidence]:
    prepared = tuple({c: True for why in material.justifications for c in why.certificates})
    commits = tuple({commit: True for _, commit in material.certificates})
    yield from _of_certificates(material, commits, prepared)
    votes = tuple(dict.fromkeys(_all_votes(material, prepared)))
    hash_ = material.validators.hash
    for commit in commits:
        for vote in votes:
            if contradicts(commit, vote, material.validators):
                yield ContradictedCommit(validators_hash=hash_, commit=commit, vote=vote)
    yield from _of_votes(votes, hash_)
    yield from _of_proposals(material)


def _all_votes(material: Material, prepared: Iterable[PreparedCertificate]) -> Iterator[Vote]:
    """Also those inside justifications, and the PREPAREs that certificates stand for."""
    yield from material.votes
    for why in material.justifications:
        yield from why.round_changes
    for certificate in prepared:
        yield from certificate_votes(certificate, material.validators)


def _of_certificates(
    material: Material, commits: Sequence[BlsCommit], prepared: Sequence[PreparedCertificate]
) -> Iterator[Evidence]:
    """EVID-6, EVID-10, EVID-11."""
    hash_ = material.validators.hash
    for header, commit in material.certificates:
        if lunatic(header, commit.height, material.validators, material.chain_id):
            yield LunaticHeader(validators_hash=hash_, header=header.encoded, votes=(), commits=(commit,))
    for one, two in combinations(commits, 2):
        if one.round == two.round and one.header_hash != two.header_hash:
            yield ConflictingCommits(validators_hash=hash_, first=one, second=two)
    for commit in commits:
        for certificate in prepared:
            if certificate.round == commit.round and certificate.header_hash != commit.header_hash:
                yield ConflictingCertificates(validators_hash=hash_, commits=(commit,), prepared=(certificate,))
    for first, second in combinations(prepared, 2):
        if first.round == second.round and first.header_hash != second.header_hash:
            yield ConflictingCertificates(validators_hash=hash_, commits=(), prepared=(first, second))


def _of_votes(votes: Sequence[Vote], hash_: Hash) -> Iterator[Evidence]:
    """EVID-3, EVID-4. A vote is held against the first of each kind in its round, and against its seat's COMMITs."""
    first: dict[tuple[int, int, int], Vote] = {}
    commits: dict[int, list[Vote]] = {}
    for vote in votes:
        if vote.kind == VoteKind.COMMIT:
            commits.setdefault(vote.seat, []).append(vote)
        first.setdefault((vote.kind, vote.round, vote.seat), vote)
        for kind in VALUE_KINDS if vote.kind in VALUE_KINDS else (VoteKind.ROUND_CHANGE,):
            known = first.get((kind, vote.round, vote.seat))
            if known is not None and conflict(known, vote):
                yield ConflictingVotes(validators_hash=hash_, first=known, second=vote)
    for vote in votes:
        for commit in commits.get(vote.seat, ()):
            if forgets(commit, vote):
                yield Amnesia(validators_hash=hash_, commit=commit, round_change=vote)


def _of_proposals(material: Material) -> Iterator[Evidence]:
    """EVID-5."""
    by_digest = {justification_digest(why): why for why in material.justifications}
    for vote in material.votes:
        why = by_digest.get(Hash(vote.attachment))
        if vote.kind == VoteKind.PROPOSAL and why is not None and _convicts(vote, why, material.validators):
            yield UnjustifiedProposal(validators_hash=material.validators.hash, proposal=vote, justification=why)


def _convicts(proposal: Vote, why: Justification, validators: ValidatorSet) -> bool:
    try:
        check_justification(proposal, why, validators)
    except Rejected as rejected:
        return rejected.reason not in NO_PROOF
    return False


def _walk(first: BlsCommit, second: BlsCommit, material: Material) -> tuple[tuple[Link, ...], tuple[Missing, ...]]:
    """FORK-4. From the second certificate down to the earliest round above the first's in which its value was proposed,
    or to the first justification that nobody brought."""
    seats = len(material.validators)
    links: list[Link] = []
    round_, bitmap = second.round, second.validator_bitmap
    while round_ > first.round:
        why = _lowest(round_, second.header_hash, material)
        if why is None:
            holders = tuple(Seat(seat) for seat in decode_bitmap(bitmap, seats))
            return tuple(links), (Missing(Round(round_), Hash(second.header_hash), holders),)
        shown = why.certificates[0] if why.certificates else None
        links.append(Link(Round(round_), NO_ROUND if shown is None else shown.round))
        if shown is None:
            break
        round_, bitmap = shown.round, shown.validator_bitmap
    return tuple(links), ()


def _lowest(round_: int, header_hash: bytes, material: Material) -> Justification | None:
    """A justification of this value in this round: of several, the one that shows the lowest prepared round."""
    found = [why for why in material.justifications if _justifies(why, round_, header_hash, material.validators)]
    return min(found, key=lambda w: w.certificates[0].round if w.certificates else -1, default=None)


def _justifies(why: Justification, round_: int, header_hash: bytes, validators: ValidatorSet) -> bool:
    """IBFT-P3 … P5, by the rules that any proposal is judged by."""
    if not why.round_changes:
        return False
    proposal = Vote(
        version=1,
        kind=VoteKind.PROPOSAL,
        height=why.round_changes[0].height,
        round=round_,
        seat=0,
        header_hash=header_hash,
        prepared_round=NO_ROUND,
        attachment=justification_digest(why),
        seal=b"",
        signature=bytes(64),
    )
    try:
        check_justification(proposal, why, validators)
    except Rejected:
        return False
    return True
