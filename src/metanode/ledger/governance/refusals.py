"""Why governing is refused."""

from metanode.primitives.refusal import Refusal


class GovernanceRefusal(Refusal):
    """Why a call to `governance` fails."""

    NOT_AN_OPERATOR = "governance.not-an-operator"
    """The sender operates no validator of the current set."""
    TOO_MANY_PROPOSALS = "governance.too-many-proposals"
    """The sender has as many open proposals as one operator may."""
    NOT_OPEN = "governance.not-open"
    """There is no open proposal of this number."""
    EXPIRED = "governance.expired"
    """The time to vote on it is over."""
    VOTED_ALREADY = "governance.voted-already"
    """One vote an operator and proposal."""
    BAD_POSSESSION = "governance.bad-possession"
    """The proof of possession does not fit the BLS key."""
    KEY_IN_USE = "governance.key-in-use"
    """A key, or the negation of a BLS key, belongs to a seat already."""
    KEY_CONVICTED = "governance.key-convicted"
    """The vote key was convicted by evidence and never sits again."""
    NAME_IN_USE = "governance.name-in-use"
    """A seat has this name already."""
    UNKNOWN_VALIDATOR = "governance.unknown-validator"
    """No seat has this name."""
    SET_FULL = "governance.set-full"
    """The set has as many seats as any set may."""
    SET_TOO_SMALL = "governance.set-too-small"
    """The set would fall below `validators_min`."""
    BAD_RULES_VERSION = "governance.bad-rules-version"
    """Not above the current version, or not at a height ahead."""


class ConvictionRefusal(Refusal):
    """Why evidence, true by itself, may not be in a block: it makes the block invalid."""

    TOO_MANY = "conviction.too-many"
    """More pieces than a block may carry."""
    UNKNOWN_SET = "conviction.unknown-set"
    """The state knows no validator set of this hash within the evidence period."""
    TOO_OLD = "conviction.too-old"
    """The set stopped signing longer ago than the evidence period."""
    FUTURE = "conviction.future"
    """About a height above this block's."""
    UNKNOWN_SEAT = "conviction.unknown-seat"
    """The set has no such seat, or a bitmap is malformed."""
    NOTHING_NEW = "conviction.nothing-new"
    """Everyone it accuses is convicted already."""
