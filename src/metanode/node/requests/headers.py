"""Headers, certificates and set changes as bytes: what a stranger needs to check the chain alone."""

from metanode.api.blocks import HeaderChanges, HeaderList, HeaderRange, RawHeader
from metanode.node.applied import set_row
from metanode.node.desk import Desk
from metanode.node.requests.finding import READ_BYTES_MAX, block_at, height_asked, set_at
from metanode.node.shelf import FiledBlock
from metanode.primitives.codec import encode


def announces_set(filed: FiledBlock) -> bool:
    """Whether another set signs from the next height on."""
    return filed.header.next_validators_hash != filed.header.validators_hash


def _raw(desk: Desk, filed: FiledBlock) -> RawHeader:
    height = filed.header.height
    return RawHeader(
        height=height,
        header=filed.header.encoded.hex(),
        commit=encode(filed.commit).hex(),
        next_validators=set_row(set_at(desk, height + 1)).hex() if announces_set(filed) else "",
    )


def header_list(desk: Desk, asked: HeaderList) -> HeaderRange:
    """Headers upwards from a height. `last` is the last final height: ask on until an item has it. A page ends early
    where much was read."""
    height = first = height_asked(desk, asked.first)
    items: list[RawHeader] = []
    left = READ_BYTES_MAX
    while len(items) < asked.limit and height <= desk.tip.height and left > 0:
        filed = block_at(desk, height)
        items.append(_raw(desk, filed))
        left -= len(filed.encoded)
        height += 1
    return HeaderRange(
        chain_id=desk.chain_id.hex(),
        last=desk.tip.height,
        validators=set_row(set_at(desk, first)).hex(),
        items=tuple(items),
    )


def header_changes(desk: Desk, asked: HeaderChanges) -> HeaderRange:
    """LIGHT-7. Upwards, every header above a height after which another set signs; none is left out, so an empty page
    is the end. A change of addresses or transport keys alone is none: the same set signs."""
    above = height_asked(desk, asked.above) if asked.above else 0
    items: list[RawHeader] = []
    for following in desk.shelf.set_changes(desk.tip.height + 1):
        height = following - 1
        if height <= above or set_at(desk, height).hash == set_at(desk, following).hash:
            continue
        if len(items) == asked.limit:
            break
        items.append(_raw(desk, block_at(desk, height)))
    return HeaderRange(
        chain_id=desk.chain_id.hex(),
        last=desk.tip.height,
        validators=set_row(set_at(desk, above + 1)).hex(),
        items=tuple(items),
    )
