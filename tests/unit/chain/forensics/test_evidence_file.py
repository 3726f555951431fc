"""Evidence files and testimonies with real keys: true ones hold, whatever is changed is refused by the layer it
breaks."""

from functools import cache

import msgspec
import pytest
from tests.unit.chain.samples import Chain, bls_secret, commit_of, secret

from metanode.chain.forensics import (
    Checks,
    ForensicsRefusal,
    Heard,
    ProvenGuilt,
    investigate,
    read_testimony,
    verify_evidence_bytes,
)
from metanode.chain.forensics.fork import Material
from metanode.chain.light import GenesisBasis
from metanode.primitives import bls, ed25519
from metanode.primitives.codec import encode
from metanode.primitives.names import NO_HASH, Hash, Height, Round
from metanode.primitives.refusal import Rejected
from metanode.records import evidence_file as files
from metanode.records.commit import commit_signing_bytes
from metanode.records.evidence import ConflictingCommits, ConflictingVotes, ContradictedCommit, Evidence
from metanode.records.evidence_file import EvidenceFile, evidence_file, file_digest
from metanode.records.header import Header
from metanode.records.receipt_file import STEPS_MAX
from metanode.records.vote import NO_ROUND, Justification, Vote, VoteKind, seal_digest, vote_signing_bytes

CHECKS = Checks(pairing=bls.fast_aggregate_verify, signature=ed25519.verify)


@cache
def chain() -> Chain:
    """Five blocks; the set changes with the second."""
    made = Chain()
    made.grow()
    made.grow(next_numbers=(1, 2, 3, 5))
    made.grow()
    made.grow()
    return made.grow()


def basis() -> GenesisBasis:
    return GenesisBasis(chain().genesis)


def spoken(height: int, kind: VoteKind, seat: int, header_hash: bytes, round_: int = 0) -> Vote:
    """A vote with the real keys of the seat."""
    made, members = chain(), chain().set_at(height)
    number = (1, 2, 3, 4)[seat] if height <= 2 else (1, 2, 3, 5)[seat]
    seal = b""
    if kind is VoteKind.COMMIT:
        place = Height(height), Round(round_), Hash(header_hash)
        seal = bls.sign(bls_secret(number), commit_signing_bytes(made.chain_id, members.hash, *place))
    unsigned = Vote(
        version=1,
        kind=kind,
        height=height,
        round=round_,
        seat=seat,
        header_hash=header_hash,
        prepared_round=NO_ROUND,
        attachment=seal_digest(seal),
        seal=seal,
        signature=b"",
    )
    message = vote_signing_bytes(made.chain_id, members.hash, unsigned)
    return msgspec.structs.replace(unsigned, signature=ed25519.SigningKey(secret("vote", number)).sign(message))


def other(height: int) -> Header:
    """Another block at a height of the chain."""
    fields = {f: getattr(chain().header(height), f) for f in Header.__dataclass_fields__}
    return Header(**{**fields, "state_root": Hash(b"\x07" * 32)})


def double(height: int) -> ConflictingVotes:
    first = spoken(height, VoteKind.COMMIT, 3, chain().header(height).hash)
    second = spoken(height, VoteKind.COMMIT, 3, other(height).hash)
    return ConflictingVotes(validators_hash=chain().set_at(height).hash, first=first, second=second)


def denied(height: int) -> ContradictedCommit:
    late = spoken(height, VoteKind.ROUND_CHANGE, 1, NO_HASH, 1)
    return ContradictedCommit(validators_hash=chain().set_at(height).hash, commit=chain().commit(height), vote=late)


def twofold(height: int) -> ConflictingCommits:
    number = (1, 2, 3, 4) if height <= 2 else (1, 2, 3, 5)
    second = commit_of(other(height), [number[seat] for seat in (1, 2, 3)], (1, 2, 3))
    return ConflictingCommits(validators_hash=chain().set_at(height).hash, first=chain().commit(height), second=second)


def file_of(evidence: Evidence, *, changes: bool) -> EvidenceFile:
    steps = (chain().set_change_step(2),) if changes else ()
    return evidence_file(chain().chain_id, steps, evidence)


CASES: dict[str, tuple[Evidence, bool, tuple[int, ...]]] = {
    "two votes, the set of genesis": (double(1), False, (3,)),
    "two votes, a later set": (double(4), True, (3,)),
    "a denied certificate": (denied(1), False, (1,)),
    "two certificates": (twofold(1), False, (1, 2)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_true_file_convicts(case: str) -> None:
    evidence, changes, seats = CASES[case]
    proven = verify_evidence_bytes(encode(file_of(evidence, changes=changes)), basis(), CHECKS)
    members = chain().set_at(4 if changes else 1)
    assert proven == ProvenGuilt(chain().chain_id, evidence, members, seats, int(changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("case", CASES)
def test_every_flipped_byte_is_refused(case: str) -> None:
    """Each byte, one bit of it; names, addresses and proofs of possession of a later set too."""
    evidence, changes, _ = CASES[case]
    data = encode(file_of(evidence, changes=changes))
    layers: dict[ForensicsRefusal, int] = {}
    for place in range(len(data)):
        flipped = data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]
        layer = why_not(flipped)
        layers[layer] = layers.get(layer, 0) + 1
    expected = {ForensicsRefusal.ENCODING, ForensicsRefusal.BASIS, ForensicsRefusal.SET, ForensicsRefusal.SIGNATURE}
    expected |= {ForensicsRefusal.GUILT, ForensicsRefusal.WHOLE}
    assert set(layers) == expected | ({ForensicsRefusal.SET_CHANGE} if changes else set())


def why_not(data: bytes) -> ForensicsRefusal:
    with pytest.raises(Rejected) as rejected:
        verify_evidence_bytes(data, basis(), CHECKS)
    reason = rejected.value.reason
    assert isinstance(reason, ForensicsRefusal)
    return reason


def test_layers_of_forgery() -> None:
    true = file_of(double(4), changes=True)
    innocent = ConflictingVotes(validators_hash=chain().set_at(4).hash, first=double(4).first, second=double(4).first)
    unsigned = msgspec.structs.replace(double(4).second, signature=bytes(64))
    framed = ConflictingVotes(validators_hash=chain().set_at(4).hash, first=double(4).first, second=unsigned)
    name = true.set_changes[0].next_validators.validators[3]
    renamed = msgspec.structs.replace(true.set_changes[0].next_validators.validators[3], name="somebody-else")
    announced = msgspec.structs.replace(
        true.set_changes[0].next_validators,
        validators=(*true.set_changes[0].next_validators.validators[:3], renamed),
    )
    step = msgspec.structs.replace(true.set_changes[0], next_validators=announced)
    assert name.name != renamed.name
    bad_set = msgspec.structs.replace(true.set_changes[0].next_validators, version=2)
    cases = {
        ForensicsRefusal.ENCODING: [
            msgspec.structs.replace(true, version=2),
            msgspec.structs.replace(true, evidence=true.evidence + b"\x00"),
            msgspec.structs.replace(true, set_changes=true.set_changes * (STEPS_MAX + 1)),
        ],
        ForensicsRefusal.BASIS: [msgspec.structs.replace(true, chain_id=NO_HASH)],
        ForensicsRefusal.SET_CHANGE: [
            msgspec.structs.replace(true, set_changes=true.set_changes * 2),
            msgspec.structs.replace(
                true, set_changes=(msgspec.structs.replace(true.set_changes[0], next_validators=bad_set),)
            ),
        ],
        ForensicsRefusal.SET: [file_of(double(4), changes=False), file_of(double(1), changes=True)],
        ForensicsRefusal.GUILT: [file_of(innocent, changes=True)],
        ForensicsRefusal.SIGNATURE: [file_of(framed, changes=True)],
        ForensicsRefusal.WHOLE: [msgspec.structs.replace(true, set_changes=(step,))],
    }
    assert {layer: {why_not(encode(file)) for file in files} for layer, files in cases.items()} == {
        layer: {layer} for layer in cases
    }
    assert why_not(b"") is ForensicsRefusal.ENCODING
    redone = msgspec.structs.replace(
        true, set_changes=(step,), whole=file_digest(1, true.chain_id, (step,), true.evidence)
    )
    proven = verify_evidence_bytes(encode(redone), basis(), CHECKS)
    assert proven.validators[3].vote_key == name.vote_key, "a forger may call the accused names; the key is the accused"


# --- testimonies ---


def told_of(height: int = 4, **fields: object) -> files.Testimony:
    made = chain()
    true = files.Testimony(
        version=1,
        chain_id=made.chain_id,
        set_changes=(made.set_change_step(2),) if height > 2 else (),
        header=made.header(height).encoded,
        commit=made.commit(height),
        votes=(),
        justifications=(),
        complete=True,
    )
    return msgspec.structs.replace(true, **fields)


def read(told: files.Testimony) -> Heard:
    return read_testimony(encode(told), basis(), CHECKS)


def not_read(told: files.Testimony) -> ForensicsRefusal:
    with pytest.raises(Rejected) as rejected:
        read(told)
    reason = rejected.value.reason
    assert isinstance(reason, ForensicsRefusal)
    return reason


def test_a_testimony_is_believed_as_far_as_its_signatures_go() -> None:
    good = spoken(4, VoteKind.PREPARE, 0, chain().header(4).hash)
    changes = tuple(spoken(4, VoteKind.ROUND_CHANGE, seat, NO_HASH, 1) for seat in (0, 1, 2))
    forged = msgspec.structs.replace(changes[0], signature=bytes(64))
    fine = Justification(round_changes=changes, certificates=())
    heard = read(
        told_of(
            votes=(good, msgspec.structs.replace(good, round=1), spoken(5, VoteKind.PREPARE, 0, NO_HASH), changes[1]),
            justifications=(
                fine,
                Justification(round_changes=(*changes[:2], forged), certificates=()),
                Justification(round_changes=(good, *changes[1:]), certificates=()),
            ),
        )
    )
    assert (heard.votes, heard.justifications, heard.doubtful) == ((good, changes[1]), (fine,), 4)
    assert (heard.header.hash, heard.validators, heard.complete) == (chain().header(4).hash, chain().set_at(4), True)


def test_a_testimony_without_a_certificate_that_holds_is_refused() -> None:
    commit = chain().commit(4)
    assert not_read(told_of(version=2)) is ForensicsRefusal.ENCODING
    assert not_read(told_of(chain_id=NO_HASH)) is ForensicsRefusal.BASIS
    assert not_read(told_of(set_changes=())) is ForensicsRefusal.CERTIFICATE
    assert not_read(told_of(header=other(4).encoded)) is ForensicsRefusal.CERTIFICATE
    assert not_read(told_of(header=b"")) is ForensicsRefusal.CERTIFICATE
    assert not_read(told_of(commit=msgspec.structs.replace(commit, round=1))) is ForensicsRefusal.CERTIFICATE
    short = msgspec.structs.replace(commit, validator_bitmap=b"\x03")
    assert not_read(told_of(commit=short)) is ForensicsRefusal.CERTIFICATE
    with pytest.raises(Rejected) as rejected:
        read_testimony(b"\xff", basis(), CHECKS)
    assert rejected.value.reason is ForensicsRefusal.ENCODING


def test_two_testimonies_of_a_fork_with_real_keys() -> None:
    """X in round 0; Y in round 2, proposed afresh on the word of three, two of whom had committed to X."""
    y, numbers = other(4), (1, 2, 3, 5)
    second = commit_of(y, [numbers[seat] for seat in (1, 2, 3)], (1, 2, 3), round_=2)
    changes = tuple(spoken(4, VoteKind.ROUND_CHANGE, seat, NO_HASH, 2) for seat in (1, 2, 3))
    whys = (Justification(round_changes=changes, certificates=()),)
    one, two = read(told_of()), read(told_of(header=y.encoded, commit=second, justifications=whys))
    material = Material(
        one.chain_id,
        one.validators,
        ((one.header, one.commit), (two.header, two.commit)),
        (*one.votes, *two.votes),
        (*one.justifications, *two.justifications),
    )
    findings = investigate(material)
    assert [seat for seat, _ in findings.proofs] == [1, 2]
    assert findings.enough
    for seat, evidence in findings.proofs:
        file = evidence_file(one.chain_id, one.set_changes, evidence)
        assert seat in verify_evidence_bytes(encode(file), basis(), CHECKS).seats
