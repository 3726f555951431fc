"""What can be voted on: when it is possible, and what it does."""

from collections.abc import Sequence
from typing import Final, assert_never

from metanode.ledger.frame import Frame
from metanode.ledger.governance.refusals import GovernanceRefusal
from metanode.ledger.governance.state import (
    RulesSchedule,
    read_conviction,
    read_parameters,
    read_rules,
    read_validators,
    write_parameters,
    write_rules,
    write_validators,
)
from metanode.primitives.refusal import Rejected
from metanode.records.calls import Action, AddValidator, RemoveValidator, RotateKeys, SetParameter, SetRulesVersion
from metanode.records.genesis import check_validator
from metanode.records.parameters import with_parameter
from metanode.records.receipt import ParameterSet, RulesVersionSet, ValidatorAdded, ValidatorRemoved, ValidatorRotated
from metanode.records.validators import VALIDATORS_MAX, Validator
from metanode.records.vote import HEIGHT_MAX

RULES_VERSION_MAX: Final = 0xFFFF
"""Two bytes in the header."""

_SIGN: Final = 0x20
"""The bit of a compressed BLS point that its negation has the other way round."""


def possession_of(action: Action) -> tuple[bytes, bytes] | None:
    """The BLS key an action brings and its proof of possession, if it brings one."""
    match action:
        case AddValidator(bls_key=key, possession=proof) | RotateKeys(bls_key=key, possession=proof):
            return key, proof
        case RemoveValidator() | SetParameter() | SetRulesVersion():
            return None
        case _:
            assert_never(action)


def changes_seats(action: Action) -> bool:
    """Whether an action uses up some of the changes to the set that one block may make."""
    return isinstance(action, AddValidator | RemoveValidator | RotateKeys)


def check_action(frame: Frame, action: Action) -> None:
    """LEDGER-V3. What could not be applied to the state as it is may not be proposed. Raises `Rejected`."""
    mark = frame.view.mark()
    events = len(frame.events)
    apply_action(frame, action)
    frame.view.undo(mark)
    del frame.events[events:]


def apply_action(frame: Frame, action: Action) -> None:
    """LEDGER-V3. Carry an action out, or raise `Rejected` having written nothing."""
    match action:
        case AddValidator():
            _add(frame, action)
        case RemoveValidator():
            _remove(frame, action)
        case RotateKeys():
            _rotate(frame, action)
        case SetParameter():
            write_parameters(frame.view, with_parameter(read_parameters(frame.view), action.name, action.value))
            frame.events.append(ParameterSet(name=action.name, value=action.value))
        case SetRulesVersion():
            _set_rules(frame, action)
        case _:
            assert_never(action)


def _add(frame: Frame, action: AddValidator) -> None:
    validators = read_validators(frame.view).validators
    added = Validator(
        name=action.name,
        transport_key=action.transport_key,
        vote_key=action.vote_key,
        bls_key=action.bls_key,
        possession=action.possession,
        operator=action.operator,
        addresses=action.addresses,
    )
    check_validator(added)
    if len(validators) >= VALIDATORS_MAX:
        raise Rejected(GovernanceRefusal.SET_FULL, f"{VALIDATORS_MAX} seats")
    if any(validator.name == added.name for validator in validators):
        raise Rejected(GovernanceRefusal.NAME_IN_USE, added.name)
    _check_keys(frame, validators, added)
    write_validators(frame.view, (*validators, added))
    frame.events.append(ValidatorAdded(name=added.name))


def _seat(validators: Sequence[Validator], name: str) -> int:
    for seat, validator in enumerate(validators):
        if validator.name == name:
            return seat
    raise Rejected(GovernanceRefusal.UNKNOWN_VALIDATOR, f"{name[:64]!r}")


def _remove(frame: Frame, action: RemoveValidator) -> None:
    validators = read_validators(frame.view).validators
    seat = _seat(validators, action.name)
    if not may_shrink(frame):
        raise Rejected(GovernanceRefusal.SET_TOO_SMALL, f"{len(validators)} seats, no fewer allowed")
    remove_seat(frame, seat)
    frame.events.append(ValidatorRemoved(name=action.name))


def may_shrink(frame: Frame) -> bool:
    """LEDGER-V4. Whether a seat can leave: never below `validators_min`, never the last one."""
    return len(read_validators(frame.view)) > max(1, read_parameters(frame.view).validators_min)


def remove_seat(frame: Frame, seat: int) -> None:
    """LEDGER-V4. Take a seat out of a set that may shrink; the seats after it move down."""
    validators = read_validators(frame.view).validators
    write_validators(frame.view, validators[:seat] + validators[seat + 1 :])


def _rotate(frame: Frame, action: RotateKeys) -> None:
    validators = read_validators(frame.view).validators
    seat = _seat(validators, action.name)
    before = validators[seat]
    if read_conviction(frame.view, before.vote_key) is not None:
        raise Rejected(GovernanceRefusal.KEY_CONVICTED, f"{before.name} has to leave, not to change keys")
    rotated = Validator(
        name=before.name,
        transport_key=action.transport_key,
        vote_key=action.vote_key,
        bls_key=action.bls_key,
        possession=action.possession,
        operator=before.operator,
        addresses=before.addresses,
    )
    check_validator(rotated)
    _check_keys(frame, validators[:seat] + validators[seat + 1 :], rotated)
    write_validators(frame.view, (*validators[:seat], rotated, *validators[seat + 1 :]))
    frame.events.append(ValidatorRotated(name=before.name))


def _check_keys(frame: Frame, others: Sequence[Validator], newcomer: Validator) -> None:
    """LEDGER-V3. No key of another seat, no negation of its BLS key (it would cancel it out), no convicted key."""
    negated = bytes([newcomer.bls_key[0] ^ _SIGN]) + newcomer.bls_key[1:]
    for other in others:
        if (
            other.bls_key in (newcomer.bls_key, negated)
            or other.vote_key == newcomer.vote_key
            or other.transport_key == newcomer.transport_key
        ):
            raise Rejected(GovernanceRefusal.KEY_IN_USE, f"of {other.name}")
    if read_conviction(frame.view, newcomer.vote_key) is not None:
        raise Rejected(GovernanceRefusal.KEY_CONVICTED, newcomer.vote_key.hex())


def _set_rules(frame: Frame, action: SetRulesVersion) -> None:
    """LEDGER-V5. A higher version, from a height that this block cannot reach any more."""
    rules = read_rules(frame.view)
    if not rules.version < action.version <= RULES_VERSION_MAX:
        raise Rejected(GovernanceRefusal.BAD_RULES_VERSION, f"version {action.version}, current {rules.version}")
    if not frame.block.height + 1 < action.height <= HEIGHT_MAX:
        raise Rejected(GovernanceRefusal.BAD_RULES_VERSION, f"height {action.height}, now {frame.block.height}")
    write_rules(
        frame.view,
        RulesSchedule(version=rules.version, next_version=action.version, next_height=action.height),
    )
    frame.events.append(RulesVersionSet(version=action.version, height=action.height))
