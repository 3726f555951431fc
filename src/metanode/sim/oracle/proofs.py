"""What a message shows, judged anew: signatures, certificates, round changes, justifications. True or false only."""

from typing import Final

from metanode.chain.ibft import Proposal, RoundChange
from metanode.primitives.codec import encode
from metanode.primitives.names import NO_HASH, Hash, Height, Round
from metanode.primitives.refusal import Rejected
from metanode.records.commit import (
    BlsCommit,
    PreparedCertificate,
    certificate_digest,
    commit_signing_bytes,
    prepare_signing_bytes,
)
from metanode.records.proposal import check_content
from metanode.records.validators import ValidatorSet
from metanode.records.vote import (
    JUSTIFICATION_BYTES_MAX,
    NO_ROUND,
    Justification,
    Vote,
    VoteKind,
    check_vote,
    justification_digest,
    vote_signing_bytes,
)
from metanode.sim import standins
from metanode.sim.oracle.numbers import quorum, seats_of
from metanode.sim.seals import STAND_INS, Seals

ENVELOPES_MAX: Final = 16
"""BLS-B10. In larger sets PREPAREs carry shares, and prepared certificates are aggregates."""
PREPARE, COMMIT, ROUND_CHANGE, PROPOSAL = (
    int(kind) for kind in (VoteKind.PREPARE, VoteKind.COMMIT, VoteKind.ROUND_CHANGE, VoteKind.PROPOSAL)
)


class Proofs:
    """Judges for one chain, whatever the set. What was found good is remembered: many seats hear the same words."""

    def __init__(self, chain_id: Hash, seals: Seals = STAND_INS) -> None:
        self.chain_id: Final = chain_id
        self._seals: Final = seals
        self._finals: dict[tuple[BlsCommit, bytes], tuple[int, ...]] = {}
        self._votes: dict[bytes, tuple[Vote, bytes]] = {}
        self._shares: dict[bytes, bool] = {}
        self._certificates: dict[tuple[PreparedCertificate, bytes], bool] = {}

    def signed(self, vote: Vote, members: ValidatorSet) -> bool:
        """IBFT-M1, M2. A well-formed vote, signed by the key of its seat in this set."""
        known = self._votes.get(vote.signature)
        if known is not None and known[1] is members.hash and (known[0] is vote or known[0] == vote):
            return True
        try:
            check_vote(vote)
        except Rejected:
            return False
        if vote.seat >= len(members):
            return False
        message = vote_signing_bytes(self.chain_id, members.hash, vote)
        good = standins.verify(members[vote.seat].vote_key, message, vote.signature)
        if good:
            self._votes[vote.signature] = vote, members.hash
        return good

    def shared(self, vote: Vote, members: ValidatorSet) -> bool:
        """BLS-B10. The share of a signed vote is good, or none is due and none is there."""
        if not has_share(vote.kind, len(members)):
            return not vote.seal
        known = self._shares.get(vote.seal)
        if known is None:
            message = self.seal_message(vote.kind, vote, members)
            good = self._seals.share(members[vote.seat].bls_key, message) == vote.seal
            known = self._shares[vote.seal] = good
        return known

    def seal_message(self, kind: int, at: Vote | BlsCommit | PreparedCertificate, members: ValidatorSet) -> bytes:
        """CHAIN-C1, C2. What a share of this kind is over, at the height and round and for the header of `at`."""
        make = commit_signing_bytes if kind == COMMIT else prepare_signing_bytes
        return make(self.chain_id, members.hash, Height(at.height), Round(at.round), Hash(at.header_hash))

    def final(self, commit: BlsCommit, members: ValidatorSet) -> tuple[int, ...]:
        """IBFT-C1. The seats of a commit certificate of this set: a quorum, whose shares sum to it; else none."""
        key = commit, members.hash
        known = self._finals.get(key)
        if known is None:
            known = self._finals[key] = self._final(commit, members)
        return known

    def _final(self, commit: BlsCommit, members: ValidatorSet) -> tuple[int, ...]:
        seats = seats_of(commit.validator_bitmap, len(members))
        if commit.version != 1 or len(seats) < quorum(len(members)) or len(commit.header_hash) != 32:
            return ()
        keys = [members[seat].bls_key for seat in seats]
        message = self.seal_message(COMMIT, commit, members)
        return seats if self._seals.verify_aggregate(keys, message, commit.aggregate_signature) else ()

    def prepared(self, certificate: PreparedCertificate, members: ValidatorSet, height: int) -> bool:
        """IBFT-P5, R2. Q PREPAREs of one round for one value, each signed, or their aggregate."""
        if certificate.height != height:
            return False
        key = certificate, members.hash
        known = self._certificates.get(key)
        if known is None:
            known = self._certificates[key] = self._prepared(certificate, members)
        return known

    def _prepared(self, certificate: PreparedCertificate, members: ValidatorSet) -> bool:
        if not fit_certificate(certificate, len(members)):
            return False
        if len(members) <= ENVELOPES_MAX:
            return all(self.signed(vote, members) for vote in prepares_of(certificate, len(members)))
        keys = [members[seat].bls_key for seat in seats_of(certificate.validator_bitmap, len(members))]
        message = self.seal_message(PREPARE, certificate, members)
        return self._seals.verify_aggregate(keys, message, certificate.proof[0])

    def round_change(self, message: RoundChange, members: ValidatorSet, height: int) -> bool:
        """IBFT-P3. Signed, above round 0; prepared round, value and certificate all there or all absent, the prepared
        round lower than its own, and the certificate good and of exactly that round and value."""
        vote = message.vote
        if vote.height != height or not fit_round_change(vote) or not self.signed(vote, members):
            return False
        if certificate_digest(message.certificates) != vote.attachment:
            return False
        shown = message.certificates
        if vote.prepared_round == NO_ROUND:
            return not shown
        fits = len(shown) == 1 and (shown[0].round, shown[0].header_hash) == (vote.prepared_round, vote.header_hash)
        return fits and self.prepared(shown[0], members, height)

    def own_words(self, vote: Vote, why: Justification) -> bool:
        """EVID-5. Whether the justification is the one it was signed over, and short enough to be shown around."""
        return justification_digest(why) == vote.attachment and len(encode(why)) <= JUSTIFICATION_BYTES_MAX

    def justified(self, height: int, round_: int, value: bytes, why: Justification, members: ValidatorSet) -> str:
        """IBFT-P2 … P5. Why these round changes do not allow this proposal; empty where they do, signatures apart."""
        changes, shown = why.round_changes, why.certificates
        if round_ == 0:
            return "P2: round 0 has no justification" if changes or shown else ""
        if any(not fit_round_change(change) or change.seat >= len(members) for change in changes):
            return "P3: what is shown is no ROUND-CHANGE of a seat"
        if any((change.height, change.round) != (height, round_) for change in changes):
            return "P3: a ROUND-CHANGE to another height or round"
        seats = {change.seat for change in changes}
        if len(seats) != len(changes) or len(seats) < quorum(len(members)):
            return f"P3: {len(changes)} ROUND-CHANGEs of {len(seats)} seats, {quorum(len(members))} are a quorum"
        prepared = [change for change in changes if change.prepared_round != NO_ROUND]
        if not prepared:
            return "P4: a certificate, though nobody prepared anything" if shown else ""
        highest = max(change.prepared_round for change in prepared)
        if len(shown) != 1 or shown[0].height != height or not fit_certificate(shown[0], len(members)):
            return "P5: something was prepared, and not exactly one certificate is shown"
        of = shown[0].round, shown[0].header_hash
        if of != (highest, value):
            return f"P5: not the value of round {highest}, the highest that was prepared"
        named = (*of, certificate_digest(shown))
        if named not in [(c.prepared_round, c.header_hash, c.attachment) for c in prepared]:
            return "P5: no ROUND-CHANGE was signed over this certificate"
        return ""

    def supported(self, why: Justification, members: ValidatorSet, height: int) -> bool:
        """IBFT-P3, P5. Every signature of a justification."""
        changes = all(self.signed(change, members) for change in why.round_changes)
        return changes and all(self.prepared(one, members, height) for one in why.certificates)

    def proposal(self, message: Proposal, members: ValidatorSet, leader: int) -> bool:
        """IBFT-P1, P2, P4. By the leader of its round, for the header it brings, of this chain, height and set; a fresh
        block names the leader as proposer."""
        vote = message.vote
        if vote.kind != PROPOSAL or vote.seal or vote.prepared_round != NO_ROUND or vote.seat != leader:
            return False
        try:
            header = check_content(message.content)
        except Rejected:
            return False
        belongs = (header.chain_id, header.height, header.validators_hash, header.hash)
        if belongs != (self.chain_id, vote.height, members.hash, vote.header_hash):
            return False
        return (bool(message.justification.certificates) or header.proposer == leader) and self.signed(vote, members)


def has_share(kind: int, count: int) -> bool:
    """BLS-B10. Every COMMIT carries a share, and a PREPARE where certificates are aggregates."""
    return kind == COMMIT or (kind == PREPARE and count > ENVELOPES_MAX)


def fit_round_change(vote: Vote) -> bool:
    """IBFT-P3. The fields of a ROUND-CHANGE."""
    try:
        check_vote(vote)
    except Rejected:
        return False
    if vote.kind != ROUND_CHANGE or vote.seal or vote.round == 0:
        return False
    there = (vote.prepared_round != NO_ROUND, vote.header_hash != NO_HASH, vote.attachment != NO_HASH)
    return there == (False, False, False) or (all(there) and vote.prepared_round < vote.round)


def fit_certificate(certificate: PreparedCertificate, count: int) -> bool:
    """IBFT-P5. A prepared certificate but for its signatures: a quorum of seats, of the kind that fits the set."""
    seats = seats_of(certificate.validator_bitmap, count)
    kind, widths = (1, [64] * len(seats)) if count <= ENVELOPES_MAX else (2, [96])
    known = certificate.version == 1 and certificate.kind == kind and 0 <= certificate.round < NO_ROUND
    form = [len(proof) for proof in certificate.proof] == widths and len(certificate.header_hash) == 32
    return known and form and len(seats) >= quorum(count)


def prepares_of(certificate: PreparedCertificate, count: int) -> list[Vote]:
    """IBFT-P5. The PREPAREs that a certificate by envelopes stands for."""
    seats = seats_of(certificate.validator_bitmap, count)
    return [
        Vote(
            version=1,
            kind=PREPARE,
            height=certificate.height,
            round=certificate.round,
            seat=seat,
            header_hash=certificate.header_hash,
            prepared_round=NO_ROUND,
            attachment=NO_HASH,
            seal=b"",
            signature=signature,
        )
        for seat, signature in zip(seats, certificate.proof, strict=False)
        if certificate.kind == 1  # of an aggregate nobody can tell them apart
    ]


def word(vote: Vote) -> tuple[bytes, int, bytes]:
    """EVID-3. What two votes of one seat for one (kind, height, round) may not differ in."""
    return vote.header_hash, vote.prepared_round, vote.attachment
