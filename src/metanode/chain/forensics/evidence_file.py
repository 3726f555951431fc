"""The evidence file, checked by who has nothing but a basis of trust: layer by layer, the first that fails is named."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from metanode.chain.evidence import Claims, evidence_claims
from metanode.chain.light import Basis, Pairing, Trusted, follow_set_change, trust
from metanode.primitives.names import Hash, Seat
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.evidence import EVIDENCE, Evidence, accused_seats
from metanode.records.evidence_file import EVIDENCE_FILES, EvidenceFile, file_digest
from metanode.records.header import read_header
from metanode.records.receipt_file import STEPS_MAX, SetChangeStep
from metanode.records.validators import ValidatorSet


class ForensicsRefusal(Refusal):
    """The first layer of an evidence file or a testimony that fails."""

    ENCODING = "forensics.encoding"
    """Not the canonical bytes of such a file, or of a version that is not known here."""
    BASIS = "forensics.basis"
    """Of another chain than the one that is trusted."""
    SET_CHANGE = "forensics.set-change"
    """A step to a later validator set does not hold."""
    SET = "forensics.set"
    """The accused belong to another set than the one the basis and the steps lead to."""
    GUILT = "forensics.guilt"
    """What it shows convicts nobody: an honest validator may do that."""
    SIGNATURE = "forensics.signature"
    """A signature does not verify: the accused did not say it."""
    WHOLE = "forensics.whole"
    """Something that no signature covers, a name or an address, was changed."""
    CERTIFICATE = "forensics.certificate"
    """The certificate is not of this header, or does not make it final."""
    NO_FORK = "forensics.no-fork"
    """The certificates are not of different headers of one height."""


@dataclass(frozen=True, slots=True)
class Checks:
    """The mathematics, handed in: BLS aggregates, and Ed25519 as (public key, message, signature)."""

    pairing: Pairing
    signature: Callable[[bytes, bytes, bytes], bool]

    def all_true(self, claims: Claims) -> bool:
        """Whether every signature and aggregate verifies."""
        signed = all(self.signature(*claim) for claim in claims.signatures)
        return signed and all(self.pairing(*claim) for claim in claims.aggregates)


@dataclass(frozen=True, slots=True)
class ProvenGuilt:
    """What was proved: these seats of this set did what the evidence shows."""

    chain_id: Hash
    evidence: Evidence
    validators: ValidatorSet
    seats: tuple[Seat, ...]
    set_changes: int


def verify_evidence_bytes(data: bytes, basis: Basis, checks: Checks) -> ProvenGuilt:
    """EVID-13. Check the bytes of an evidence file. Raises `Rejected` with the first layer that fails."""
    try:
        file = EVIDENCE_FILES.decode(data)
    except Rejected as rejected:
        raise Rejected(ForensicsRefusal.ENCODING, str(rejected)) from None
    return verify_evidence_file(file, basis, checks)


def verify_evidence_file(file: EvidenceFile, basis: Basis, checks: Checks) -> ProvenGuilt:
    """EVID-13. From the chain to the signatures of the accused. Raises `Rejected` with a `ForensicsRefusal`."""
    if file.version != 1:
        raise Rejected(ForensicsRefusal.ENCODING, f"version {file.version}")
    trusted = follow_to_set(file.chain_id, file.set_changes, basis, checks.pairing)
    try:
        evidence = EVIDENCE.decode(file.evidence)
    except Rejected as rejected:
        raise Rejected(ForensicsRefusal.ENCODING, f"no evidence: {rejected}") from None
    validators = trusted.validators
    if evidence.validators_hash != validators.hash:
        raise Rejected(ForensicsRefusal.SET, f"of set {evidence.validators_hash.hex()}, not {validators.hash.hex()}")
    try:
        claims = evidence_claims(evidence, validators, trusted.chain_id)
    except Rejected as rejected:
        raise Rejected(ForensicsRefusal.GUILT, str(rejected)) from None
    if not checks.all_true(claims):
        raise Rejected(ForensicsRefusal.SIGNATURE, "not all that is shown was signed")
    if file.whole != file_digest(file.version, file.chain_id, file.set_changes, file.evidence):
        raise Rejected(ForensicsRefusal.WHOLE, "not the file that was written")
    seats = accused_seats(evidence, len(validators))
    return ProvenGuilt(trusted.chain_id, evidence, validators, seats, len(file.set_changes))


def follow_to_set(chain_id: bytes, steps: Sequence[SetChangeStep], basis: Basis, pairing: Pairing) -> Trusted:
    """LIGHT-7. From the basis along the changes of the set. Raises `Rejected`."""
    trusted = trust(basis)
    if chain_id != trusted.chain_id:
        raise Rejected(ForensicsRefusal.BASIS, f"of chain {chain_id.hex()}, trusted is {trusted.chain_id.hex()}")
    if len(steps) > STEPS_MAX:
        raise Rejected(ForensicsRefusal.ENCODING, f"{len(steps)} steps, at most {STEPS_MAX}")
    if any(step.next_validators.version != 1 for step in steps):
        raise Rejected(ForensicsRefusal.SET_CHANGE, "a set of an unknown version")
    for step in steps:
        try:
            header, announced = read_header(step.header), step.next_validators.validators
            trusted = follow_set_change(trusted, header, step.commit, announced, pairing)
        except Rejected as rejected:
            raise Rejected(ForensicsRefusal.SET_CHANGE, str(rejected)) from None
    return trusted
