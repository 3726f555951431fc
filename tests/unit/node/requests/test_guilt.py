"""Evidence as files, what is kept of a height, and proofs handed in."""

import msgspec
from tests.unit.ledger.test_conviction import a_vote, double_vote
from tests.unit.ledger.world import adding
from tests.unit.node.requests.world import Chain, pairing
from tests.unit.node.test_guilt import met, spoken

from metanode.api.errors import ApiError, ApiRefusal
from metanode.api.guilt import EvidenceExport, EvidenceSubmit, EvidenceTaken, EvidenceTestimony
from metanode.chain.evidence import EvidenceRefusal
from metanode.chain.forensics import Checks, read_testimony, verify_evidence_bytes
from metanode.chain.light import GenesisBasis
from metanode.node import guilt
from metanode.node.effects import Answer, CheckSignatures, Note
from metanode.node.forensics import KeptHeight, kept_of
from metanode.node.requests import answer
from metanode.node.rows import KEPT, height_key
from metanode.primitives.codec import encode
from metanode.records.evidence import ConflictingVotes, evidence_digest
from metanode.records.evidence_file import EVIDENCE_FILES, TESTIMONY_BYTES_MAX
from metanode.records.vote import Justification, Vote

YES = Checks(pairing=lambda keys, message, signature: True, signature=lambda key, message, signature: True)
SEALS = Checks(pairing=pairing, signature=lambda key, message, signature: True)


def name_of(evidence: ConflictingVotes) -> str:
    return evidence_digest(evidence).hex()


def test_the_file_of_evidence_that_waits_and_of_evidence_in_a_block() -> None:
    chain = Chain()
    chain.final(evidence=(double_vote(3),))
    chain.desk.evidence = (double_vote(2),)
    for evidence, accused in ((double_vote(3), "validator-3"), (double_vote(2), "validator-2")):
        view = chain.ask("evidence.export", EvidenceExport(digest=name_of(evidence)))
        assert (view.digest, view.kind, view.height, view.accused) == (
            name_of(evidence),
            "conflicting-votes",
            1,
            (accused,),
        )
        proven = verify_evidence_bytes(bytes.fromhex(view.file), GenesisBasis(chain.genesis), YES)
        assert (proven.evidence, proven.seats) == (evidence, (int(accused[-1]),))


def test_the_file_leads_from_genesis_to_a_later_set() -> None:
    chain = Chain()
    chain.vote_in(adding(4))
    chain.final()
    of = chain.desk.tip.validators
    assert len(of) == 5
    late = double_vote(1, chain.desk.tip.height, of)
    chain.desk.evidence = (late,)
    view = chain.ask("evidence.export", EvidenceExport(digest=name_of(late)))
    file = EVIDENCE_FILES.decode(bytes.fromhex(view.file))
    assert len(file.set_changes) == 1
    assert verify_evidence_bytes(encode(file), GenesisBasis(chain.genesis), SEALS).seats == (1,)


def test_evidence_that_is_not_there() -> None:
    chain = Chain()
    chain.final(evidence=(double_vote(3),))
    chain.final()
    asked = chain.ask("evidence.export", EvidenceExport(digest="ab" * 32))
    assert asked == ApiError(ApiRefusal.NOT_FOUND, f"no evidence {'ab' * 32} waits here or is in a block")
    del chain.blocks.blocks[1]
    gone = Chain.again(chain).ask("evidence.export", EvidenceExport(digest=name_of(double_vote(3))))
    assert gone == ApiError(ApiRefusal.PRUNED, "block 1 carried it")


def kept(chain: Chain, votes: tuple[Vote, ...], whys: tuple[Justification, ...]) -> None:
    row = KeptHeight(
        version=1,
        height=1,
        timestamp_ms=chain.desk.tip.timestamp_ms,
        validators_hash=chain.desk.tip.previous_validators.hash,
        votes=votes,
        justifications=whys,
    )
    chain.rows.write({height_key(KEPT, 1): encode(row)})


def test_a_testimony_is_the_certificate_and_what_is_kept() -> None:
    chain = Chain()
    chain.final()
    bare = chain.ask("evidence.testimony", EvidenceTestimony(height=0))
    assert (bare.height, bare.round, bare.votes, bare.justifications, bare.complete) == (1, 0, 0, 0, True)
    votes = tuple(a_vote(seat) for seat in range(4))
    kept(chain, votes, (Justification(round_changes=votes, certificates=()),))
    view = chain.ask("evidence.testimony", EvidenceTestimony(height=1))
    assert (view.votes, view.justifications, view.hash) == (4, 1, chain.desk.tip.hash.hex())
    heard = read_testimony(bytes.fromhex(view.file), GenesisBasis(chain.genesis), SEALS)
    assert (heard.header.hash, set(heard.votes)) == (chain.desk.tip.hash, set(votes))
    assert heard.doubtful == 1, "PREPAREs are no round changes: that one was made up"
    ahead = chain.ask("evidence.testimony", EvidenceTestimony(height=9))
    assert ahead.code == ApiRefusal.BEYOND_HEAD


def test_what_is_too_long_for_a_testimony_is_cut_after_the_earliest_rounds() -> None:
    chain = Chain()
    chain.final()
    votes = tuple(msgspec.structs.replace(a_vote(seat), round=round_) for round_ in (2, 0, 1) for seat in range(4))
    late = tuple(msgspec.structs.replace(vote, round=9) for vote in votes[:4])
    whys = (
        Justification(round_changes=late, certificates=()),
        Justification(round_changes=votes[4:8], certificates=()),
    )
    kept(chain, votes, whys)
    whole = kept_of(chain.desk, 1, TESTIMONY_BYTES_MAX)
    assert whole.complete
    assert [vote.round for vote in whole.votes] == [0] * 4 + [1] * 4 + [2] * 4
    size = sum(len(encode(why)) for why in whys) + sum(len(encode(vote)) for vote in whole.votes[:5])
    part = kept_of(chain.desk, 1, size)
    assert (part.votes, part.justifications, part.complete) == (whole.votes[:5], whole.justifications, False)
    assert kept_of(chain.desk, 1, len(encode(whys[1]))).justifications == (whys[1],), "the lower round first"
    assert kept_of(chain.desk, 1, 10) == ((), (), False)


def test_a_proof_handed_in_is_checked_and_waits() -> None:
    chain = met()
    chain.effects()
    answer(chain.desk, chain.pool, 7, "evidence.submit", EvidenceSubmit(encoded=encode(double_vote(3)).hex()))
    asked, answered = chain.effects()
    assert isinstance(asked, CheckSignatures)
    assert answered == Answer(7, EvidenceTaken(digest=name_of(double_vote(3)), accused=("validator-3",)))
    assert not chain.desk.evidence
    guilt.checked(chain.desk, asked.token, (True, True))
    assert list(chain.desk.evidence) == [double_vote(3)]
    assert spoken(chain) == 3, "the others hear of it"
    again = chain.answer_only("evidence.submit", EvidenceSubmit(encoded=encode(double_vote(3)).hex()))
    assert again.code == ApiRefusal.CONFLICT


def test_a_forged_proof_handed_in_convicts_nobody_and_punishes_no_peer() -> None:
    chain = met()
    chain.effects()
    answer(chain.desk, chain.pool, 7, "evidence.submit", EvidenceSubmit(encoded=encode(double_vote(3)).hex()))
    asked = chain.effects()[0]
    assert isinstance(asked, CheckSignatures)
    guilt.checked(chain.desk, asked.token, (True, False))
    assert chain.desk.evidence == ()
    (note,) = chain.effects()
    assert isinstance(note, Note)
    assert note.fields["reason"] == "evidence.false"
    assert spoken(chain) == 0


def test_what_cannot_convict_is_refused_at_once_with_its_code() -> None:
    chain = met()
    innocent = ConflictingVotes(validators_hash=double_vote(3).validators_hash, first=a_vote(3), second=a_vote(3))
    refused = chain.ask("evidence.submit", EvidenceSubmit(encoded=encode(innocent).hex()))
    assert refused.code == EvidenceRefusal.NO_CONFLICT
    assert chain.ask("evidence.submit", EvidenceSubmit(encoded="00")).code == "codec.malformed"
    strangers = ConflictingVotes(validators_hash=bytes(32), first=a_vote(3), second=a_vote(3, 1, b"\x02"))
    unknown = chain.ask("evidence.submit", EvidenceSubmit(encoded=encode(strangers).hex()))
    assert unknown.code == ApiRefusal.CONFLICT
