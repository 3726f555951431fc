"""The content of a proposal: widths and counts; its roots are judged where bodies are assembled."""

import pytest
from tests.unit.chain.ibft.counterfeit import commit, content, validators

from metanode.primitives.refusal import Rejected
from metanode.records.header import HEADER_BYTES, HeaderRefusal, read_header
from metanode.records.proposal import (
    ContentRefusal,
    ProposalContent,
    check_content,
    content_leaves,
    proposal_content,
)

MEMBERS = validators(4)
BLOCK = content(MEMBERS, 0)


def bent(**changes: object) -> ProposalContent:
    return ProposalContent(**{**{f: getattr(BLOCK, f) for f in ProposalContent.__struct_fields__}, **changes})


def test_it_gives_its_header_and_leaves() -> None:
    header = read_header(BLOCK.header)
    leaves = [bytes([1, i]) + bytes(63) for i in range(3)]
    whole = proposal_content(header, leaves, (commit(MEMBERS, [0, 1, 2], header.hash),), ())
    assert check_content(whole) == header
    assert content_leaves(whole) == tuple(leaves)
    assert content_leaves(bent(leaves=b"")) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"header": BLOCK.header[:-1]},
        {"leaves": bytes(64)},
        {"last_commit": (commit(MEMBERS, [0, 1, 2], bytes(32)),) * 2},
    ],
    ids=["version", "header", "leaves", "commits"],
)
def test_what_cannot_be_a_content(changes: dict[str, object]) -> None:
    with pytest.raises(Rejected) as refused:
        check_content(bent(**changes))
    assert refused.value.reason is ContentRefusal.WRONG_SHAPE


def test_a_header_of_another_tag() -> None:
    with pytest.raises(Rejected) as refused:
        check_content(bent(header=bytes(HEADER_BYTES)))
    assert refused.value.reason is HeaderRefusal.WRONG_TAG
