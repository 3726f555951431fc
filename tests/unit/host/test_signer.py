import msgspec
import pytest
from tests.unit.host.disks import Killed, KilledDisk

from metanode.chain.guard import Request
from metanode.host.data_directory import Layout, Owner
from metanode.host.disk import Disk
from metanode.host.fault import Fault, FaultReason
from metanode.host.guard_file import GuardCondition, GuardFile, guard_identity
from metanode.host.keys import development_secrets
from metanode.host.signer import GUARD_UNUSABLE, Refused, Signed, Signer, open_signer
from metanode.primitives import bls, ed25519
from metanode.primitives.names import NO_HASH, Hash
from metanode.records.vote import NO_ROUND, Vote, VoteKind, seal_digest, vote_signing_bytes

SECRETS = development_secrets("validator-1")
PUBLIC = SECRETS.public
CHAIN, SET = Hash(b"c" * 32), Hash(b"s" * 32)
IDENTITY = guard_identity(CHAIN, PUBLIC.vote_key, PUBLIC.bls_key)
OWNER = Owner(CHAIN, IDENTITY, 0)


def request(kind, height, round_, header=b"h" * 32, seal=b""):
    vote = Vote(
        version=1, kind=kind, height=height, round=round_, seat=0, header_hash=header, prepared_round=NO_ROUND,
        attachment=NO_HASH, seal=b"", signature=b"",
    )  # fmt: skip
    return Request(vote, CHAIN, SET, seal)


PREPARE = request(VoteKind.PREPARE, 7, 0)
COMMIT = request(VoteKind.COMMIT, 7, 0, seal=b"what is sealed")


@pytest.fixture
def layout(tmp_path):
    GuardFile.create(tmp_path / "guard", IDENTITY, Disk())
    return Layout(tmp_path)


def test_a_vote_is_signed_and_sealed_and_its_record_is_durable(layout):
    signer = open_signer(layout, OWNER, SECRETS, Disk())
    verdict = signer.sign(COMMIT)
    assert isinstance(verdict, Signed)
    vote = verdict.vote
    assert bls.verify(PUBLIC.bls_key, b"what is sealed", vote.seal)
    assert vote.attachment == seal_digest(vote.seal)
    assert ed25519.verify(PUBLIC.vote_key, vote_signing_bytes(CHAIN, SET, vote), vote.signature)
    bare = msgspec.structs.replace(vote, seal=b"", attachment=NO_HASH, signature=b"")
    assert bare == COMMIT.vote
    signer.close()
    again = open_signer(layout, OWNER, SECRETS, Disk())
    assert again.record
    assert again.sign(COMMIT) == verdict


def test_a_second_word_and_a_step_back_are_refused_also_after_a_restart(layout):
    open_signer(layout, OWNER, SECRETS, Disk()).sign(COMMIT)
    signer = open_signer(layout, OWNER, SECRETS, Disk())
    other = request(VoteKind.COMMIT, 7, 0, header=b"o" * 32, seal=b"x")
    for refused, reason in ((other, "guard.second-word"), (PREPARE, "guard.backwards")):
        verdict = signer.sign(refused)
        assert isinstance(verdict, Refused)
        assert (verdict.vote, verdict.reason) == (refused.vote, reason)
    assert isinstance(signer.sign(request(VoteKind.PREPARE, 8, 0)), Signed)


@pytest.mark.parametrize("calls", range(6))
@pytest.mark.parametrize("torn", [0, 40, 4096])
def test_killed_at_any_call_no_signature_is_out_that_the_guard_forgot(layout, calls, torn):
    released = []
    try:
        signer = open_signer(layout, OWNER, SECRETS, KilledDisk(calls, torn))
        for asked in (PREPARE, COMMIT, request(VoteKind.PREPARE, 8, 0)):
            verdict = signer.sign(asked)
            assert isinstance(verdict, Signed)
            released.append(verdict.vote)
    except Killed:
        pass
    signer = open_signer(layout, OWNER, SECRETS, Disk())
    for vote in released:
        conflicting = request(VoteKind(vote.kind), vote.height, vote.round, header=b"o" * 32)
        assert isinstance(signer.sign(conflicting), Refused)


@pytest.mark.parametrize("condition", [GuardCondition.MISSING, GuardCondition.DAMAGED, GuardCondition.RESTORED])
def test_without_a_guard_nothing_is_signed_until_somebody_vouches(layout, condition):
    layout.guard.unlink()
    if condition is GuardCondition.DAMAGED:
        layout.guard.write_bytes(b"rotten")
    if condition is GuardCondition.RESTORED:
        GuardFile.create_restored(layout.guard, IDENTITY, Disk())
    signer = open_signer(layout, OWNER, SECRETS, Disk())
    assert (signer.condition, signer.may_sign) == (condition, False)
    assert signer.sign(COMMIT) == Refused(COMMIT.vote, GUARD_UNUSABLE, f"the guard is {condition}")
    signer.vouch(CHAIN, 7)
    assert signer.condition is GuardCondition.HELD
    assert isinstance(signer.sign(COMMIT), Refused)
    assert isinstance(signer.sign(request(VoteKind.ROUND_CHANGE, 7, 3, header=NO_HASH)), Refused)
    assert isinstance(signer.sign(request(VoteKind.PREPARE, 8, 0)), Signed)
    assert isinstance(open_signer(layout, OWNER, SECRETS, Disk()).sign(COMMIT), Refused)


def test_other_keys_do_not_open_the_directory(layout):
    with pytest.raises(Fault) as caught:
        open_signer(layout, OWNER, development_secrets("validator-2"), Disk())
    assert caught.value.reason is FaultReason.DIRECTORY_OTHER_CHAIN


def test_a_record_of_another_program_is_a_fault(layout):
    guard = GuardFile.open(layout.guard, IDENTITY, Disk())
    guard.store(b"\xff\xff")
    with pytest.raises(Fault) as caught:
        Signer(SECRETS, guard)
    assert caught.value.reason is FaultReason.GUARD_UNUSABLE
