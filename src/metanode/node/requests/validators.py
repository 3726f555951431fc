"""Who signs, and who of them this node can reach."""

from metanode.api.errors import ApiRefusal
from metanode.api.node import ValidatorGet, ValidatorList, ValidatorPage, ValidatorView
from metanode.node.desk import Desk
from metanode.node.requests.finding import set_at
from metanode.primitives.refusal import Rejected
from metanode.records.address import show_address
from metanode.records.validators import Validator


def is_reachable(desk: Desk, transport_key: bytes) -> bool:
    """Ourselves, or a connected peer that no pretended fault cuts off."""
    if transport_key == desk.settings.transport_key:
        return True
    return transport_key in desk.peers and transport_key not in desk.cut_peers


def _view(desk: Desk, seat: int, validator: Validator, height: int) -> ValidatorView:
    ourselves = validator.transport_key == desk.settings.transport_key
    return ValidatorView(
        seat=seat,
        name=validator.name,
        transport_key=validator.transport_key.hex(),
        vote_key=validator.vote_key.hex(),
        bls_key=validator.bls_key.hex(),
        operator=show_address(validator.operator),
        addresses=validator.addresses,
        reachable=is_reachable(desk, validator.transport_key),
        last_heard_ms=desk.now_ms if ourselves else desk.heard_ms.get(validator.transport_key, 0),
        height=height,
    )


def validator_list(desk: Desk, asked: ValidatorList) -> ValidatorPage:
    """The set that signs a height: 0 for the last final one, at most the one after it, whose set is known already."""
    height = asked.height or max(desk.tip.height, 1)
    if height > desk.tip.height + 1:
        raise Rejected(ApiRefusal.BEYOND_HEAD, f"height {height}, the set is known up to {desk.tip.height + 1}")
    validators = set_at(desk, height)
    return ValidatorPage(
        height=height,
        validators_hash=validators.hash.hex(),
        quorum=validators.quorum,
        faults_tolerated=validators.faults,
        items=tuple(_view(desk, seat, one, height) for seat, one in enumerate(validators.validators)),
    )


def validator_get(desk: Desk, asked: ValidatorGet) -> ValidatorView:
    """A seat of the set that signs the next height, by name."""
    for seat, validator in enumerate(desk.tip.validators.validators):
        if validator.name == asked.name:
            return _view(desk, seat, validator, desk.tip.height + 1)
    raise Rejected(ApiRefusal.NOT_FOUND, f"no validator {asked.name!r} signs height {desk.tip.height + 1}")
