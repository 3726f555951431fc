"""A witness says which rule was broken: here the machine is a puppet, whose effects a test invents."""

from dataclasses import replace

import msgspec
import pytest

from metanode.chain import ibft
from metanode.primitives.names import NO_HASH, Hash, Height, Round, Seat
from metanode.records.commit import PreparedCertificate, certificate_digest
from metanode.records.header import read_header
from metanode.records.validators import ValidatorSet
from metanode.records.vote import NO_ROUND, Justification, Vote, VoteKind
from metanode.sim.council.members import CHAIN, Register, block, members_of
from metanode.sim.oracle import Difference, Jury, Witness
from metanode.sim.oracle.knowledge import begin
from metanode.sim.oracle.proofs import Proofs
from metanode.sim.signing import sign_again

REGISTER = Register(((0, 1, 2, 3),))
MEMBERS: ValidatorSet = members_of((0, 1, 2, 3))
EMPTY = Justification(round_changes=(), certificates=())
BLOCK = block(REGISTER, 1, Seat(0), NO_HASH, b"a block")
VALUE = read_header(BLOCK.header).hash


def word(kind: VoteKind, seat: int, value: bytes = VALUE, round_: int = 0) -> Vote:
    unsigned = Vote(
        version=1,
        kind=int(kind),
        height=1,
        round=round_,
        seat=seat,
        header_hash=value,
        prepared_round=NO_ROUND,
        attachment=NO_HASH,
        seal=bytes(96) if kind is VoteKind.COMMIT else b"",
        signature=b"",
    )
    keys = MEMBERS[seat]
    return sign_again(
        unsigned, chain_id=CHAIN, validators_hash=MEMBERS.hash, vote_key=keys.vote_key, bls_key=keys.bls_key
    )


def _begins() -> ibft.HeightBegins:
    return ibft.HeightBegins(
        now_ms=0,
        height=Height(1),
        validators=MEMBERS,
        previous_validators=MEMBERS,
        previous_proposer=ibft.NO_SEAT,
        seat=Seat(2),
        round_timeout_ms=100,
        round_timeout_max_ms=1_000,
        all_to_all_max=16,
    )


@pytest.fixture(name="witness")
def begun() -> Witness:
    """Seat 2 at height 1, whose block is due."""
    honest = [one.vote_key for one in MEMBERS.validators]
    witness = Jury(CHAIN, honest).witness("seat 2", MEMBERS[2].vote_key, ibft.Ibft(CHAIN))
    witness.turn(_begins(), [])
    timers = [ibft.SetTimer("ibft.resend/1/0", 106), ibft.SetTimer("ibft.round/1/0", 100)]
    witness.turn(ibft.BlockDue(0), list(timers))
    witness.rest()
    return witness


def hear(witness: Witness, message: ibft.Message, origin: int, *effects: ibft.Effect) -> None:
    witness.turn(ibft.Received(0, message, Seat(origin)), list(effects))


def sign(vote: Vote) -> ibft.Sign:
    return ibft.Sign(vote, CHAIN, MEMBERS.hash, b"")


def offered() -> ibft.Proposal:
    return ibft.Proposal(vote=word(VoteKind.PROPOSAL, 0), content=BLOCK, justification=EMPTY)


ACCEPTED = ibft.Journal(ibft.Accepted(height=1, round=0, header_hash=VALUE))
HELD = ibft.Journal(ibft.Held(height=1, content=BLOCK))


def test_a_prepare_out_of_nothing(witness: Witness) -> None:
    with pytest.raises(Difference, match="IBFT-R1: signs a PREPARE before it wrote down that it accepted"):
        hear(witness, offered(), 0, sign(word(VoteKind.PREPARE, 2)))


def test_what_nobody_proposed_is_not_accepted(witness: Witness) -> None:
    witness.turn(ibft.Validated(0, Hash(VALUE), valid=True), [])
    with pytest.raises(Difference, match="IBFT-P6: no justified proposal"):
        witness.turn(ibft.BlockDue(0), [HELD, ACCEPTED])


def test_a_block_is_judged_before_it_is_accepted(witness: Witness) -> None:
    with pytest.raises(Difference, match="IBFT-R1: the block was not found valid"):
        hear(witness, offered(), 0, HELD, ACCEPTED)


def test_what_is_justified_and_valid_must_be_accepted(witness: Witness) -> None:
    hear(witness, offered(), 0)
    witness.rest()
    witness.turn(ibft.Validated(0, Hash(VALUE), valid=True), [])
    with pytest.raises(Difference, match="IBFT-R1: the proposal of round 0 is justified and valid"):
        witness.rest()


def test_a_commit_needs_a_quorum_of_prepares(witness: Witness) -> None:
    hear(witness, offered(), 0)
    witness.turn(ibft.Validated(0, Hash(VALUE), valid=True), [HELD, ACCEPTED, sign(word(VoteKind.PREPARE, 2))])
    for seat in (0, 1):
        hear(witness, ibft.Ballot(vote=word(VoteKind.PREPARE, seat)), seat)
    witness.rest()
    hear(witness, ibft.Ballot(vote=word(VoteKind.PREPARE, 3)), 3)
    with pytest.raises(Difference, match="IBFT-R2: a quorum prepared in round 0, and it does not commit"):
        witness.rest()


def test_a_forged_prepare_does_not_count(witness: Witness) -> None:
    hear(witness, offered(), 0)
    witness.turn(ibft.Validated(0, Hash(VALUE), valid=True), [HELD, ACCEPTED, sign(word(VoteKind.PREPARE, 2))])
    for seat in (0, 1):
        hear(witness, ibft.Ballot(vote=word(VoteKind.PREPARE, seat)), seat)
    forged = msgspec.structs.replace(word(VoteKind.PREPARE, 3), signature=bytes(64))
    hear(witness, ibft.Ballot(vote=forged), 3)
    witness.rest()


def test_a_second_word_is_told_by_the_key_itself(witness: Witness) -> None:
    witness.signed(word(VoteKind.PREPARE, 2))
    with pytest.raises(Difference, match="IBFT-M2: a second word"):
        witness.signed(word(VoteKind.PREPARE, 2, bytes(32)))


def test_a_key_never_goes_back(witness: Witness) -> None:
    witness.signed(word(VoteKind.PREPARE, 2, round_=3))
    with pytest.raises(Difference, match="IBFT-V7"):
        witness.signed(word(VoteKind.COMMIT, 2, round_=2))


def test_f_plus_1_seats_ahead_must_be_followed(witness: Witness) -> None:
    for seat, round_ in ((0, 5), (1, 3)):
        hear(witness, ibft.RoundChange(vote=word(VoteKind.ROUND_CHANGE, seat, NO_HASH, round_), certificates=()), seat)
    with pytest.raises(Difference, match="IBFT-V2: f \\+ 1 seats are in round 3 or beyond"):
        witness.rest()


def test_one_seat_ahead_is_not_followed(witness: Witness) -> None:
    moved = ibft.Journal(ibft.Moved(height=1, round=5, announced=True))
    ahead = ibft.RoundChange(vote=word(VoteKind.ROUND_CHANGE, 0, NO_HASH, 5), certificates=())
    with pytest.raises(Difference, match="IBFT-V2: announces round 5"):
        hear(witness, ahead, 0, moved)


def test_a_store_without_a_limit_is_noticed(witness: Witness) -> None:
    from metanode.sim.oracle.bounds import outgrown

    cluster_machine = witness.machine
    assert list(outgrown(cluster_machine)) == []
    cluster_machine.handle(ibft.HeightBegins(0, Height(1), MEMBERS, MEMBERS, ibft.NO_SEAT, Seat(2), 100, 1_000, 16))
    assert list(outgrown(cluster_machine)) == []
    state = cluster_machine._state
    assert state is not None
    state.latest.update(
        {Seat(seat): ibft.RoundChange(vote=word(VoteKind.PREPARE, 0), certificates=()) for seat in range(9)}
    )
    assert list(outgrown(cluster_machine)) == ["IBFT-M3: a height's latest holds 9, at most 4 are allowed"]


def test_a_build_by_who_does_not_lead(witness: Witness) -> None:
    with pytest.raises(Difference, match="IBFT-P1: builds a block, and does not lead"):
        witness.turn(ibft.BlockDue(0), [ibft.Build(Height(1), Round(0))])


def test_the_account_names_seat_place_rule_and_deed(witness: Witness) -> None:
    with pytest.raises(Difference) as difference:
        hear(witness, offered(), 0, sign(word(VoteKind.PREPARE, 2)))
    said = str(difference.value)
    assert said.startswith("seat 2 at height 1, round 0: IBFT-R1: ")
    assert "it heard Received(message=Proposal(" in said
    assert "it did Sign(vote=PREPARE(1, 0, seat 2, " in said


def test_the_very_same_word_again_is_no_second_word(witness: Witness) -> None:
    """A guard that fell back to its other slot says it again, behind a later one."""
    witness.signed(word(VoteKind.PREPARE, 2))
    witness.signed(word(VoteKind.COMMIT, 2))
    witness.signed(word(VoteKind.PREPARE, 2))


def test_what_an_observer_writes_does_not_bring_back_lost_steps() -> None:
    """GUARD-10. The guard is ahead of the journal: the height is observed to its end, however far the rounds go."""
    known = begin(Proofs(CHAIN), _begins())
    known.step(ibft.Moved(height=1, round=3, announced=False))
    assert (known.round, known.reached) == (3, (-1, 0))
    known.fold(ibft.Moved(height=1, round=4, announced=False))
    assert (known.round, known.reached) == (4, (4, 1))


def test_a_seat_asks_for_no_second_word_that_only_the_guard_would_refuse(witness: Witness) -> None:
    """Two machines may have one signer: what the other one was given is not known here."""
    hear(witness, offered(), 0)
    witness.signatures.signed("another machine", word(VoteKind.PREPARE, 2, bytes(32)))
    effects: list[ibft.Effect] = [HELD, ACCEPTED, sign(word(VoteKind.PREPARE, 2))]
    witness.turn(ibft.Validated(0, Hash(VALUE), valid=True), effects)
    witness.signatures.signed("seat 2", word(VoteKind.PREPARE, 2, bytes(32)))
    with pytest.raises(Difference, match="IBFT-M2: asks for a second word of kind 2 in round 0"):
        witness.turn(ibft.BlockDue(0), effects[-1:])


SHOWN = PreparedCertificate(
    version=1,
    kind=1,
    height=1,
    round=0,
    header_hash=VALUE,
    validator_bitmap=b"\x0b",
    proof=tuple(word(VoteKind.PREPARE, seat).signature for seat in (0, 1, 3)),
)
LOCKED = ibft.Journal(ibft.Locked(height=1, certificate=SHOWN))
OTHERS = msgspec.structs.replace(
    SHOWN, validator_bitmap=b"\x07", proof=tuple(word(VoteKind.PREPARE, seat).signature for seat in (0, 1, 2))
)
MOVED = ibft.Journal(ibft.Moved(height=1, round=1, announced=True))
CHANGE = msgspec.structs.replace(
    word(VoteKind.ROUND_CHANGE, 2, VALUE, 1), prepared_round=0, attachment=certificate_digest((SHOWN,))
)


def observing(*journal: ibft.Record, told: bool = True, judged: bool = True) -> Witness:
    """Seat 2 has none yet: it is shown that a quorum is prepared, and lifted to round 1."""
    honest = [one.vote_key for one in MEMBERS.validators]
    witness = Jury(CHAIN, honest).witness("seat 2", MEMBERS[2].vote_key, ibft.Ibft(CHAIN))
    witness.turn(replace(_begins(), seat=ibft.NO_SEAT), [])
    for record in journal:
        witness.turn(ibft.Replayed(record), [])
    witness.turn(ibft.BlockDue(0), [ibft.SetTimer("ibft.resend/1/0", 100)])
    hear(witness, offered(), 0)
    if judged:
        witness.turn(ibft.Validated(0, Hash(VALUE), valid=True), [])
    if told:
        hear(witness, ibft.Prepared(certificate=SHOWN), 0)
    for seat in (0, 1):
        word_ = word(VoteKind.ROUND_CHANGE, seat, NO_HASH, 1)
        moved = [ibft.Journal(ibft.Moved(height=1, round=1, announced=False))] if seat else []
        hear(witness, ibft.RoundChange(vote=word_, certificates=()), seat, *moved)
    return witness


def test_a_certificate_that_an_observer_was_shown_is_written_down_and_then_shown() -> None:
    observing().turn(ibft.Seated(0, Seat(2)), [HELD, LOCKED, MOVED, sign(CHANGE)])


def test_what_was_accepted_before_a_stop_need_not_be_judged_again_before_it_is_shown() -> None:
    again: list[ibft.Effect] = [LOCKED, MOVED, sign(CHANGE)]
    observing(HELD.record, ACCEPTED.record, judged=False).turn(ibft.Seated(0, Seat(2)), again)
    with pytest.raises(Difference, match="IBFT-R1: the block was not found valid, or is not durable"):
        observing(HELD.record, judged=False).turn(ibft.Seated(0, Seat(2)), again)


@pytest.mark.parametrize(
    ("effects", "wrong"),
    [
        ([HELD, MOVED, sign(CHANGE)], "IBFT-V1: shows a certificate that it did not write down"),
        ([HELD, LOCKED, ibft.Journal(ibft.Locked(height=1, certificate=OTHERS))], "IBFT-P7: goes back to round 0"),
        ([LOCKED, MOVED, sign(CHANGE)], "IBFT-R1: the block was not found valid, or is not durable"),
        ([HELD, LOCKED, MOVED, sign(word(VoteKind.ROUND_CHANGE, 2, NO_HASH, 1))], "IBFT-P7: hides"),
    ],
)
def test_what_an_observer_saw_is_shown_as_it_was_written_down(effects: list[ibft.Effect], wrong: str) -> None:
    with pytest.raises(Difference, match=wrong):
        observing().turn(ibft.Seated(0, Seat(2)), effects)


def test_what_nobody_showed_to_an_observer_is_not_written_down() -> None:
    with pytest.raises(Difference, match="IBFT-R2: 0 PREPAREs were heard, a quorum is 3"):
        observing(told=False).turn(ibft.Seated(0, Seat(2)), [HELD, LOCKED])


def test_a_certificate_of_an_earlier_round_is_for_observers_alone(witness: Witness) -> None:
    hear(witness, offered(), 0)
    witness.turn(ibft.Validated(0, Hash(VALUE), valid=True), [HELD, ACCEPTED, sign(word(VoteKind.PREPARE, 2))])
    witness.turn(ibft.TimerFired(0, "ibft.round/1/0"), [MOVED])
    with pytest.raises(Difference, match="IBFT-R2: prepared in round 0 what was not accepted in round 1"):
        witness.turn(ibft.BlockDue(0), [LOCKED])
