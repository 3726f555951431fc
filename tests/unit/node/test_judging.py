"""A proposed block is judged by everything that can be known of it, and refused by the reason."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.unit.node.desks import calm_world, content_of, desk_of, run_blocks, told

from metanode.chain import ibft
from metanode.node import blocks, judging
from metanode.node.desk import Desk
from metanode.node.events import Ticked
from metanode.node.judging import BlockRefusal
from metanode.node.known import known_transaction
from metanode.primitives.digest import Tag
from metanode.primitives.merkle import counted_root
from metanode.primitives.names import Hash, Height, Round, Seat
from metanode.records.block import FINAL_BLOCKS, Body
from metanode.records.commit import commit_hash
from metanode.records.evidence import ConflictingVotes, evidence_digest
from metanode.records.header import Header
from metanode.records.proposal import ProposalContent
from metanode.sim.machine_room import MachineRoom


def world_at(height: int) -> tuple[MachineRoom, Desk]:
    made, founding = calm_world()
    run_blocks(made, founding, height)
    room = made.rooms[0]
    return room, desk_of(room)


def proposal(desk: Desk) -> tuple[Header, ProposalContent]:
    """An empty block this node would propose next, and its content."""
    desk.now_ms += 1_000
    candidate = blocks._execute(desk, desk.now_ms, ())
    return candidate.header, content_of(
        candidate.header, candidate.transactions, candidate.body.last_commit, candidate.body
    )


def judged(room: MachineRoom, header: Header, content: ProposalContent) -> list[ibft.Validated]:
    """What IBFT hears, and the checks asked for answered by the pretend world."""
    desk = desk_of(room)
    request = ibft.Validate(content, header.hash, Height(header.height), Round(0), Seat(1), reproposed=False)
    room.watch.notes.clear()
    judging.judge(desk, request)
    heard: list[ibft.Validated] = []
    node = room.node
    original = node._rooms["ibft"]

    def listen(event: object) -> list[object]:
        if isinstance(event, ibft.Validated):
            heard.append(event)
            return []
        return list(original[0](event))

    node._rooms["ibft"] = (listen, original[1])
    try:
        room.hear(Ticked(desk.now_ms))
    finally:
        node._rooms["ibft"] = original
    return heard


def with_content(content: ProposalContent, header: Header) -> ProposalContent:
    return msgspec.structs.replace(content, header=header.encoded)


def test_a_good_block_is_vouched_for_after_its_body_is_durable() -> None:
    room, desk = world_at(2)
    header, content = proposal(desk)
    (heard,) = judged(room, header, content)
    assert (heard.valid, heard.header_hash) == (True, header.hash)
    assert room.disk.journal[-1][:1] == blocks.BODY_RECORD


@pytest.mark.parametrize("field", ["state_root", "receipts_root", "next_validators_hash"])
def test_other_results_are_refused(field: str) -> None:
    room, desk = world_at(2)
    header, content = proposal(desk)
    changes: dict[str, Any] = {field: Hash(bytes(32))}
    wrong = replace(header, **changes)
    (heard,) = judged(room, wrong, with_content(content, wrong))
    assert (heard.valid, heard.refusal) == (False, BlockRefusal.WRONG_RESULTS)


def test_a_certificate_of_another_block_is_refused() -> None:
    room, desk = world_at(2)
    header, content = proposal(desk)
    forged = (msgspec.structs.replace(content.last_commit[0], header_hash=bytes(32)),)
    wrong = replace(header, last_commit_hash=commit_hash(forged))
    (heard,) = judged(room, wrong, msgspec.structs.replace(with_content(content, wrong), last_commit=forged))
    assert (heard.valid, heard.refusal) == (False, BlockRefusal.WRONG_PARENT_COMMIT)


def test_a_certificate_that_does_not_verify_is_refused() -> None:
    room, desk = world_at(2)
    header, content = proposal(desk)
    forged = (msgspec.structs.replace(content.last_commit[0], aggregate_signature=b"\x8a" + bytes(95)),)
    wrong = replace(header, last_commit_hash=commit_hash(forged))
    (heard,) = judged(room, wrong, msgspec.structs.replace(with_content(content, wrong), last_commit=forged))
    assert (heard.valid, heard.refusal) == (False, BlockRefusal.WRONG_PARENT_COMMIT)


def test_evidence_that_proves_nothing_is_refused() -> None:
    room, desk = world_at(2)
    header, content = proposal(desk)
    vote = room.watch.signed[0]
    nothing = (ConflictingVotes(validators_hash=desk.tip.validators.hash, first=vote, second=vote),)
    wrong = replace(header, evidence_root=counted_root(Tag.EVIDENCE_ROOT, [evidence_digest(one) for one in nothing]))
    (heard,) = judged(room, wrong, msgspec.structs.replace(with_content(content, wrong), evidence=nothing))
    assert (heard.valid, heard.refusal) == (False, BlockRefusal.BAD_EVIDENCE)


def test_a_transaction_that_may_not_be_in_it_is_refused() -> None:
    """The same transaction in two blocks: its nonce is used."""
    room, desk = world_at(2)
    header, content = proposal(desk)
    old = FINAL_BLOCKS.decode(room.disk.archive.block(2) or b"").body.transactions
    assert old
    known = tuple(known_transaction(encoded) for encoded in old)
    leaves = [k.leaf for k in known]
    wrong = replace(header, transactions_root=counted_root(Tag.TRANSACTIONS_ROOT, leaves))
    request_content = msgspec.structs.replace(with_content(content, wrong), leaves=b"".join(leaves))
    judging_desk = desk_of(room)
    request = ibft.Validate(request_content, wrong.hash, Height(wrong.height), Round(0), Seat(1), reproposed=False)
    judging.judge(judging_desk, request)
    told(room, "assembly")
    judging.assembled(judging_desk, wrong.hash, msgspec.structs.replace(_body(room), transactions=old), known)
    (heard,) = told(room, "ibft")
    assert (heard.valid, heard.refusal) == (False, BlockRefusal.INADMISSIBLE)


def test_swapped_sections_of_a_block_that_was_executed_are_not_vouched_for() -> None:
    """Found by review: a block that is known by its header was found good whatever came with it, and passed on so."""
    room, desk = world_at(2)
    header, content = proposal(desk)
    assert [verdict.valid for verdict in judged(room, header, content)] == [True]
    assert header.hash in desk.candidates
    (again,) = judged(room, header, content)
    assert again.valid
    (heard,) = judged(room, header, msgspec.structs.replace(content, leaves=b"\x01" + bytes(64)))
    assert (heard.valid, heard.foreign) == (False, True)


def _body(room: MachineRoom) -> Body:
    return msgspec.structs.replace(
        FINAL_BLOCKS.decode(room.disk.archive.block(2) or b"").body, last_commit=desk_of(room).tip.commit
    )
