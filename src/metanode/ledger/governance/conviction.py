"""What evidence does: the seats it proves guilty are convicted, and leave as far as the set can bear it.

Whether evidence is true (signatures, rules of voting) is judged before a block is executed; here it is taken as true.
"""

from typing import Final

from metanode.ledger.frame import Frame
from metanode.ledger.governance.actions import may_shrink, remove_seat
from metanode.ledger.governance.refusals import ConvictionRefusal
from metanode.ledger.governance.state import (
    Conviction,
    amend_docket,
    read_conviction,
    read_docket,
    read_past_sets,
    read_set_by_hash,
    read_validators,
    write_conviction,
)
from metanode.ledger.view import Readable
from metanode.primitives.refusal import Rejected
from metanode.records.evidence import Evidence, accused_seats, evidence_digest, evidence_height
from metanode.records.receipt import ValidatorJailed
from metanode.records.validators import Validator, ValidatorSet

EVIDENCE_MAX: Final = 16
"""Pieces of evidence in a block: more wait; a fork is rare and one piece convicts many."""


def changes_max(seats: int) -> int:
    """LEDGER-V4. Changes to the set in one block: below a third of its seats, but at least one."""
    return max(1, (seats - 1) // 3)


def _accused(evidence: Evidence, validators: ValidatorSet) -> list[Validator]:
    """LEDGER-V6. Whom a piece of evidence convicts, at least one. Raises `Rejected` when the set has no such seat."""
    seats = accused_seats(evidence, len(validators))
    if not seats or any(not 0 <= seat < len(validators) for seat in seats):
        raise Rejected(ConvictionRefusal.UNKNOWN_SEAT, f"seats {seats} of {len(validators)}")
    return [validators[seat] for seat in seats]


def convict(frame: Frame, evidence: Evidence) -> None:
    """LEDGER-V6. Convict the accused who are not convicted yet. Raises `Rejected` with an `ConvictionRefusal`."""
    block = frame.block
    horizon_ms = block.timestamp_ms - block.parameters.evidence_period_ms
    for validator in newly_guilty(frame.view, evidence, block.height, horizon_ms, block.validators):
        _jail(frame, validator, evidence_digest(evidence))


def newly_guilty(
    state: Readable, evidence: Evidence, height: int, horizon_ms: int, signing: ValidatorSet
) -> list[Validator]:
    """LEDGER-V6. Whom evidence, true by itself, would convict in a block of this height, at least one. `signing`: the
    set of that height, which is not in the state any more once an earlier piece has removed a seat. `horizon_ms`: sets
    replaced before are forgotten. Raises `Rejected` with a `ConvictionRefusal`."""
    if evidence_height(evidence) > height:
        raise Rejected(ConvictionRefusal.FUTURE, f"height {evidence_height(evidence)}")
    same = signing.hash == evidence.validators_hash
    validators = signing if same else read_set_by_hash(state, evidence.validators_hash)
    if validators is None:
        raise Rejected(ConvictionRefusal.UNKNOWN_SET, evidence.validators_hash.hex()[:64])
    for past in read_past_sets(state):
        if past.validators_hash == evidence.validators_hash and past.replaced_ms < horizon_ms:
            raise Rejected(ConvictionRefusal.TOO_OLD, f"its set was replaced at {past.replaced_ms}")
    guilty = [
        validator for validator in _accused(evidence, validators) if read_conviction(state, validator.vote_key) is None
    ]
    if not guilty:
        raise Rejected(ConvictionRefusal.NOTHING_NEW, "all of them are convicted already")
    return guilty


def _jail(frame: Frame, guilty: Validator, evidence: bytes) -> None:
    """LEDGER-V6. Remember the key for ever, and take out the seat it signed for, whatever keys that has now."""
    conviction = Conviction(evidence=evidence, height=frame.block.height, timestamp_ms=frame.block.timestamp_ms)
    write_conviction(frame.view, guilty.vote_key, conviction)
    current = read_validators(frame.view)
    removed = True
    for seat, validator in enumerate(current.validators):
        same_seat = validator.name == guilty.name and validator.operator == guilty.operator
        if validator.vote_key == guilty.vote_key or same_seat:
            write_conviction(frame.view, validator.vote_key, conviction)
            removed = _try_to_remove(frame, seat)
            if not removed:
                amend_docket(frame.view, condemned=(*read_docket(frame.view).condemned, validator.vote_key))
            break
    frame.events.append(ValidatorJailed(name=guilty.name, evidence=evidence, removed=removed))


def _try_to_remove(frame: Frame, seat: int) -> bool:
    """LEDGER-V4. Within what one block may change and above the minimum, or not yet. Only removals come this early."""
    before = len(frame.block.validators)
    if before - len(read_validators(frame.view)) >= changes_max(before) or not may_shrink(frame):
        return False
    remove_seat(frame, seat)
    return True
