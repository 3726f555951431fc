"""Catching up by ranges, whatever some of the peers do."""

from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest
from tests.unit.chain.samples import START_MS, Chain, commit_of, transaction
from tests.unit.chain.sync.pretend import Log, Node, chain, encoded, honest, log, seat, swapped

from metanode.chain import sync
from metanode.chain.light import GenesisBasis, trust
from metanode.chain.sync import SyncRefusal
from metanode.chain.sync.state import (
    ASK_TIMEOUT_MS,
    BARRED_MS,
    HEAD_REPEAT_MS,
    IMPORT_BLOCKS_MAX,
    LAG_MS,
    SERVED_BYTES_MAX,
)
from metanode.primitives.codec import encode
from metanode.primitives.names import Height
from metanode.records.block import FinalBlock


def silent(_: sync.WantBlocks) -> None:
    return None


def nothing(want: sync.WantBlocks) -> sync.Blocks:
    return sync.Blocks(version=1, first=want.first, blocks=())


def test_from_genesis_to_the_head_over_three_changes_of_the_set() -> None:
    node = Node({b"a": honest})
    node.hear_head(b"a", 40)
    node.wait(500)
    assert node.height == 40
    assert node.blamed() == []


def test_as_many_as_one_event_may_execute() -> None:
    node = Node({b"a": honest})
    node.hold = True
    node.hear_head(b"a", 40)
    node.tell(verdict(node))
    assert node.height == 10 < IMPORT_BLOCKS_MAX, "up to the change of the set"
    node.tell(verdict(node))
    node.tell(verdict(node))
    assert node.height == 25


def verdict(node: Node) -> sync.CommitsChecked:
    check = node.held.pop()
    return sync.CommitsChecked(node.now_ms, check.token, (True,) * len(check.items))


def test_a_long_run_is_executed_in_parts() -> None:
    made = Chain()
    for _ in range(50):
        made.grow()
    tip = trust(GenesisBasis(made.genesis))
    machine = sync.Sync(tip, Log())
    machine.handle(sync.PeerUp(b"a"))
    (ask,) = machine.handle(sync.Received(START_MS, b"a", sync.Head(version=1, first=1, last=50)))
    assert ask == sync.Send((b"a",), sync.WantBlocks(version=1, first=1, count=50))
    blocks = sync.Blocks(version=1, first=1, blocks=tuple(encode(block) for block in made.blocks))
    (check,) = machine.handle(sync.Received(START_MS, b"a", blocks))
    assert isinstance(check, sync.CheckCommits)
    effects = machine.handle(sync.CommitsChecked(START_MS, check.token, (True,) * 50))
    assert heights(effects) == list(range(1, 33))
    assert effects[-1] == sync.Behind(Height(50))
    for header in made.headers[:32]:
        machine.handle(sync.Applied(START_MS, header.height, header.hash, header.timestamp_ms, made.set, votes=False))
    assert heights(machine.handle(sync.Tick(START_MS + 50))) == list(range(33, 51))


def heights(effects: list[sync.Effect]) -> list[int]:
    return [effect.header.height for effect in effects if isinstance(effect, sync.Import)]


def test_several_peers_are_asked_for_different_ranges() -> None:
    node = Node(dict.fromkeys((b"a", b"b", b"c", b"d", b"e"), silent))
    for peer in node.peers:
        node.hear_head(peer, 400)
    ranges = [(first, first + count) for _, first, count in node.asked]
    assert ranges == [(1, 65), (65, 129), (129, 193), (193, 257)]
    assert [peer for peer, _, _ in node.asked] == [b"a", b"b", b"c", b"d"]


def test_who_keeps_no_old_blocks_is_not_asked_for_them() -> None:
    node = Node({b"a": honest, b"b": honest})
    node.hear_head(b"a", 40, first=30)
    assert node.asked == [(b"a", 30, 11)]
    node.hear_head(b"b", 40)
    node.wait(300)
    assert node.height == 40
    assert node.asked[1:] == [(b"b", 1, 29)]


def test_who_does_not_answer_is_passed_over() -> None:
    node = Node({b"a": silent, b"b": honest})
    node.hear_head(b"a", 40)
    node.hear_head(b"b", 40)
    node.wait(ASK_TIMEOUT_MS)
    assert node.height == 40
    assert node.blamed() == []


def test_who_has_nothing_to_give_is_passed_over() -> None:
    node = Node({b"a": nothing, b"b": honest})
    node.hear_head(b"a", 1 << 40)
    node.hear_head(b"b", 40)
    node.wait(2_000)
    assert node.height == 40
    assert node.blamed() == []


def remade(block: FinalBlock, **fields: object) -> bytes:
    return encode(msgspec.structs.replace(block, **fields))


def other_body(block: FinalBlock) -> bytes:
    body = msgspec.structs.replace(block.body, transactions=(transaction(chain().chain_id, 7),))
    return remade(block, body=body)


def garbled_body(block: FinalBlock) -> bytes:
    return remade(block, body=msgspec.structs.replace(block.body, transactions=(b"\xc1",)))


def other_version(block: FinalBlock) -> bytes:
    return remade(block, version=2)


def two_commits(block: FinalBlock) -> bytes:
    return remade(block, body=msgspec.structs.replace(block.body, last_commit=block.body.last_commit * 2))


def unsigned(block: FinalBlock) -> bytes:
    other = chain().commit(block.commit.height - 1).aggregate_signature
    return remade(block, commit=msgspec.structs.replace(block.commit, aggregate_signature=other))


def one_vote_short(block: FinalBlock) -> bytes:
    """f+1 seals are not a quorum (a defect another implementation once had)."""
    header = chain().header(block.commit.height)
    return remade(block, commit=commit_of(header, [1, 2], [0, 1]))


def huge_round(block: FinalBlock) -> bytes:
    return remade(block, commit=msgspec.structs.replace(block.commit, round=1 << 40))


def other_header(block: FinalBlock) -> bytes:
    return remade(block, header=chain().header(1).encoded)


def not_canonical(block: FinalBlock) -> bytes:
    return encode(block) + b"\0"


@pytest.mark.parametrize(
    ("lie", "refusal"),
    [
        (other_body, SyncRefusal.WRONG_BODY),
        (garbled_body, SyncRefusal.WRONG_BODY),
        (other_version, SyncRefusal.WRONG_BODY),
        (two_commits, SyncRefusal.WRONG_BODY),
        (unsigned, SyncRefusal.WRONG_COMMIT),
        (one_vote_short, SyncRefusal.WRONG_COMMIT),
        (huge_round, SyncRefusal.WRONG_COMMIT),
        (other_header, SyncRefusal.WRONG_BLOCK),
        (not_canonical, SyncRefusal.NOT_A_BLOCK),
    ],
)
@pytest.mark.parametrize("height", [5, 12])
def test_a_liar_is_blamed_and_another_asked(lie: Callable[[FinalBlock], bytes], refusal: str, height: int) -> None:
    node = Node({b"liar": swapped(height, lie), b"b": silent})
    node.hear_head(b"liar", 40)
    node.wait(500)
    assert node.blamed() == [(b"liar", refusal)]
    assert node.height < height
    node.peers[b"b"] = honest
    node.hear_head(b"b", 40)
    node.wait(1_000)
    assert node.height == 40
    assert node.blamed() == [(b"liar", refusal)]


def test_a_liar_is_not_asked_again_for_a_while() -> None:
    node = Node({b"liar": swapped(5, other_body)})
    node.hear_head(b"liar", 40)
    node.wait(BARRED_MS - 100)
    assert len(node.asked) == 1
    node.peers[b"liar"] = honest
    node.wait(500)
    assert node.height == 40


def test_blocks_of_another_fork_do_not_pass_for_ours() -> None:
    fork = Chain()
    for _ in range(5):
        fork.grow()
    lies = {h: encode(fork.blocks[h - 1]) for h in range(1, 6)}

    def answer(want: sync.WantBlocks) -> sync.Blocks:
        blocks = tuple(lies[h] for h in range(want.first, min(want.first + want.count, 6)))
        return sync.Blocks(version=1, first=want.first, blocks=blocks)

    node = Node({b"liar": answer})
    node.tell(node.apply(1))
    node.hear_head(b"liar", 5)
    node.wait(200)
    assert node.height == 1
    assert [refusal for _, refusal in node.blamed()] == [SyncRefusal.WRONG_BLOCK], "signed well, but on another parent"


@pytest.mark.parametrize(
    "message",
    [
        sync.Head(version=2, first=1, last=2),
        sync.Head(version=1, first=2, last=1),
        sync.Head(version=1, first=-1, last=1),
        sync.Head(version=1, first=1, last=1 << 63),
        sync.WantBlocks(version=2, first=1, count=1),
        sync.WantBlocks(version=1, first=0, count=1),
        sync.WantBlocks(version=1, first=1, count=65),
        sync.WantBlocks(version=1, first=1 << 63, count=1),
        sync.Blocks(version=2, first=1, blocks=()),
        sync.Blocks(version=1, first=1, blocks=(b"",) * 65),
    ],
)
def test_messages_that_cannot_be(message: sync.Message) -> None:
    node = Node({b"a": honest})
    node.tell(sync.Received(START_MS, b"a", message))
    assert node.blamed() == [(b"a", SyncRefusal.MALFORMED)]


def test_what_was_not_asked_for_is_let_be() -> None:
    node = Node({b"a": silent})
    node.tell(sync.Received(START_MS, b"a", honest(sync.WantBlocks(version=1, first=1, count=2))))
    node.tell(sync.Received(START_MS, b"stranger", sync.Head(version=1, first=1, last=9)))
    node.wait(500)
    assert (node.height, node.blamed(), node.asked) == (0, [], [])


# --- behind -----------------------------------------------------------------------------------------------------------


def test_one_liar_cannot_make_a_voter_fall_silent() -> None:
    node = Node({seat(0): silent, seat(1): nothing, b"observer": silent}, votes=True)
    node.hear_head(seat(0), 1 << 40)
    node.hear_head(b"observer", 1 << 40)
    node.wait(500)
    assert node.said == []
    node.hear_head(seat(1), 2)
    assert node.said == [sync.Behind(Height(2))]


def test_behind_until_caught_up() -> None:
    node = Node({seat(0): honest, seat(1): honest}, votes=True)
    node.hear_head(seat(0), 40)
    node.hear_head(seat(1), 39)
    node.wait(500)
    assert node.height == 40
    assert node.said == [sync.Behind(Height(10)), sync.CaughtUp(Height(40))]


def test_a_hint_of_consensus_is_that_the_block_below_is_there() -> None:
    node = Node({seat(0): silent, seat(1): silent}, votes=True)
    for number in (0, 1):
        node.tell(sync.Hint(seat(number), 3))
    node.tell(sync.Hint(b"stranger", 99))
    node.wait(50)
    assert node.said == [sync.Behind(Height(2))]
    assert node.asked == [(seat(0), 1, 2)]


def test_one_block_behind_usually_comes_by_consensus() -> None:
    node = Node({seat(0): honest}, votes=True)
    node.tell(node.apply(1))
    node.hear_head(seat(0), 2)
    node.wait(LAG_MS - 50)
    assert node.asked == []
    node.wait(100)
    assert node.height == 2
    observer = Node({seat(0): honest})
    observer.hear_head(seat(0), 1)
    assert observer.asked == [(seat(0), 1, 1)]


def test_blocks_that_come_by_consensus_meanwhile() -> None:
    node = Node({b"a": honest}, votes=True)
    node.hold = True
    node.hear_head(b"a", 9)
    (check,) = node.held
    for height in range(1, 6):
        node.tell(node.apply(height))
    node.hold = False
    node.tell(node._carry(check)[0])
    assert node.height == 9
    node.tell(sync.CommitsChecked(START_MS, check.token, (True,) * 9))
    assert node.height == 9


def test_the_size_of_what_is_held_is_known_and_given_back() -> None:
    node = Node({b"a": honest, b"b": swapped(20, unsigned)})
    node.hear_head(b"b", 40)
    node.wait(500)
    node.hear_head(b"a", 40)
    node.wait(500)
    progress = node.machine._progress
    assert node.height == 40
    assert (progress.size, progress.arrived, list(progress.ready), progress.run) == (0, {}, [], None)


# --- helping ----------------------------------------------------------------------------------------------------------


def server(last: int = 40, blocks: Log | None = None) -> sync.Sync:
    tip = trust(GenesisBasis(chain().genesis))
    made = sync.Sync(replace(tip, height=Height(last)), blocks or log(3, last))
    made.handle(sync.PeerUp(b"a"))
    return made


def served(made: sync.Sync, first: int, count: int, now_ms: int = START_MS) -> tuple[bytes, ...]:
    effects = made.handle(sync.Received(now_ms, b"a", sync.WantBlocks(version=1, first=first, count=count)))
    (answer,) = [e.message for e in effects if isinstance(e, sync.Send) and isinstance(e.message, sync.Blocks)]
    assert answer.first == first
    return answer.blocks


def test_serving_what_is_asked_for() -> None:
    made = server()
    assert served(made, 5, 3) == (encoded(5), encoded(6), encoded(7))
    assert served(made, 39, 9) == (encoded(39), encoded(40))
    assert served(made, 1, 9) == ()
    assert served(made, 41, 9) == ()


def test_large_blocks_come_one_at_a_time_and_not_without_end() -> None:
    big = Log({height: bytes(3 << 20) for height in range(1, 41)})
    made = server(blocks=big)
    answers = [len(served(made, first, 9)) for first in range(1, 14)]
    assert answers == [1] * 11 + [0] * 2
    assert 11 * (3 << 20) >= SERVED_BYTES_MAX > 10 * (3 << 20)
    assert len(served(made, 1, 9, START_MS + 1_000)) == 1, "the next second it may go on"


def test_one_block_larger_than_an_answer_still_comes() -> None:
    made = server(blocks=Log({1: bytes(5 << 20), 2: b"x"}))
    assert [len(block) for block in served(made, 1, 2)] == [5 << 20]


def test_heads_are_told() -> None:
    made = server()
    head = sync.Head(version=1, first=3, last=40)
    assert made.handle(sync.PeerUp(b"b")) == [sync.Send((b"b",), head)]
    assert made.handle(sync.Tick(START_MS)) == [sync.Send((b"a", b"b"), head)]
    assert made.handle(sync.Tick(START_MS + HEAD_REPEAT_MS - 1)) == []
    assert made.handle(sync.Tick(START_MS + HEAD_REPEAT_MS)) == [sync.Send((b"a", b"b"), head)]
    assert made.handle(sync.PeerDown(b"b")) == []


def test_observers_hear_of_a_block_at_once() -> None:
    node = Node({seat(0): honest, b"observer": silent}, votes=True)
    effects = node.machine.handle(node.apply(1))
    assert effects == [sync.Send((b"observer",), sync.Head(version=1, first=1, last=1))]


def test_an_empty_log_is_said_to_be_empty() -> None:
    node = Node({})
    assert node.machine.handle(sync.PeerUp(b"a")) == [sync.Send((b"a",), sync.Head(version=1, first=0, last=0))]
