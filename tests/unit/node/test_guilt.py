"""Evidence waits until it convicts, is passed on once, and cannot be crowded out by the guilty."""

from tests.unit.ledger.test_conviction import a_vote, double_vote, fork
from tests.unit.node.requests.world import Chain

from metanode.node import guilt
from metanode.node.effects import CheckSignatures
from metanode.primitives.codec import encode
from metanode.records.evidence import ConflictingVotes, Evidence


def spoken(chain: Chain) -> int:
    """Letters that left for other validators, taken away."""
    count = sum(room == "bpci" for room, _ in chain.desk.internal)
    chain.desk.internal.clear()
    return count


def met() -> Chain:
    """A node with its three peers."""
    chain = Chain()
    chain.final()
    for validator in chain.desk.tip.validators.validators[1:]:
        chain.desk.peers[validator.transport_key] = 1
    return chain


def heard(chain: Chain, evidence: Evidence) -> bool:
    """Whether a peer's evidence is looked at any further."""
    chain.effects()
    guilt.hear(chain.desk, b"peer", encode(evidence))
    chain.desk.suspicions.clear()
    return any(isinstance(effect, CheckSignatures) for effect in chain.effects())


def test_one_proof_of_a_seats_guilt_waits_and_no_second() -> None:
    """Found by review: a liar hid one proof behind a thousand others, which filled every place there was."""
    chain = met()
    guilt.accuse(chain.desk, double_vote(3))
    assert spoken(chain) == 3
    for value in range(3, 200):
        more = ConflictingVotes(
            validators_hash=chain.desk.tip.validators.hash, first=a_vote(3), second=a_vote(3, 1, bytes([value]))
        )
        assert not heard(chain, more)
        guilt.accuse(chain.desk, more)
    assert spoken(chain) == 0
    guilt.accuse(chain.desk, double_vote(2))
    assert chain.desk.evidence == (double_vote(3), double_vote(2))


def test_more_of_the_guilty_is_news() -> None:
    chain = met()
    guilt.accuse(chain.desk, double_vote(3))
    wider = fork((0, 2, 3), (1, 2, 3))
    guilt.accuse(chain.desk, wider)
    assert chain.desk.evidence == (double_vote(3), wider)


def test_evidence_of_what_is_still_to_come_does_not_wait() -> None:
    """No block may carry it yet; signing it costs a liar nothing."""
    chain = met()
    assert not heard(chain, double_vote(3, height=1_000))
    guilt.accuse(chain.desk, double_vote(3, height=1_000))
    assert (chain.desk.evidence, spoken(chain)) == ((), 0)
    assert heard(chain, double_vote(3, height=2))


def test_who_is_convicted_is_not_accused_again() -> None:
    chain = met()
    other = ConflictingVotes(
        validators_hash=chain.desk.tip.validators.hash, first=a_vote(3), second=a_vote(3, 1, b"\x07")
    )
    guilt.accuse(chain.desk, other)
    chain.final(evidence=(double_vote(3),))
    assert chain.desk.evidence == (), "another block convicted it by another proof"
    assert not heard(chain, double_vote(3, height=2))
    guilt.accuse(chain.desk, other)
    assert chain.desk.evidence == ()
