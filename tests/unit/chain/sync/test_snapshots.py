"""Taking the state from several peers, some of which lie; and giving it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache

import msgspec
import pytest
from tests.unit.chain.samples import START_MS, Chain

from metanode.chain import sync
from metanode.chain.light import GenesisBasis, trust
from metanode.chain.sync import SyncRefusal, snapshot_giving
from metanode.chain.sync.snapshot_giving import (
    CUT_KEPT_MS,
    CUT_PERIOD_MS,
    MANIFEST_PERIOD_MS,
    MANIFESTS_MAX,
    NO_MANIFEST,
    SERVED_PIECES_MAX,
)
from metanode.chain.sync.snapshot_taking import GIVE_UP_MS, PIECE_TIMEOUT_MS, SOURCE_BARRED_MS
from metanode.ledger.state import (
    SUBTREE_PROOF_DECODER,
    PieceSorter,
    build_tree,
    covers_all,
    subtree_proof,
    verify_subtree,
)
from metanode.primitives import bls
from metanode.primitives.codec import encode
from metanode.primitives.merkle import Frontier
from metanode.primitives.names import Hash, Height
from metanode.primitives.refusal import Rejected
from metanode.records.header import Header
from metanode.records.receipt_file import SetChangeStep

HEIGHT = 20
STATE = {b"key %d" % number: b"value %d" % number for number in range(400)}


@cache
def chain() -> Chain:
    """Twenty-two blocks; the set changes with 4 and 9; from height 20 on the state is real, and stays the same."""
    made = Chain()
    changes = {4: (1, 2, 3, 5), 9: (2, 5, 6, 7)}
    for height in range(1, 23):
        made.grow(
            next_numbers=changes.get(height), state_root=build_tree(STATE.items()).root if height >= HEIGHT else b""
        )
    return made


@cache
def cut(height: int = HEIGHT) -> sync.Cut:
    made = chain()
    tree = build_tree(STATE.items())
    sorter = PieceSorter(tree, 64)
    sorter.sort(STATE.items())
    assert len(sorter.pieces) == 16
    return sync.Cut(
        made.header(height),
        made.commit(height),
        Frontier.of([header.hash for header in made.headers[: height - 1]]).peaks,
        {prefix: (tuple(part), encode(subtree_proof(tree, prefix))) for prefix, part in sorter.pieces.items()},
    )


def verify_piece(root: Hash, prefix: bytes, pairs: tuple[tuple[bytes, bytes], ...], proof: bytes) -> bool:
    try:
        return verify_subtree(root, prefix, pairs, SUBTREE_PROOF_DECODER.decode(proof))
    except Rejected:
        return False


STATE_CHECK = sync.StateCheck(verify_piece, covers_all)


class Cutter:
    """What a node that has the chain can cut."""

    def __init__(self, *heights: int) -> None:
        self.heights = heights or (HEIGHT,)
        self.cuts = 0
        self.turns = 0

    def cut(self, height: int) -> Iterator[sync.Cut | None]:
        if height not in (0, *self.heights):
            return
        self.cuts += 1
        yield from [None] * self.turns
        yield cut(height or self.heights[0])

    def set_changes(self, above: int, below: int) -> tuple[SetChangeStep, ...] | None:
        return tuple(chain().set_change_step(height) for height in (4, 9) if above < height < below)


def giver(height: int = HEIGHT) -> sync.Sync:
    tip = trust(GenesisBasis(chain().genesis))
    return sync.Sync(replace(tip, height=Height(22)), EmptyLog(), snapshots=Cutter(height))


class EmptyLog:
    first = 0
    last = 0

    def block(self, height: int) -> bytes | None:
        return None


Tamper = Callable[[sync.Message], sync.Message | None]


def as_it_is(message: sync.Message) -> sync.Message:
    return message


@dataclass
class Taker:
    """A fresh node among peers that give what they are asked for, after somebody tampered with it."""

    peers: dict[bytes, Tamper]
    now_ms: int = START_MS
    said: list[sync.Effect] = field(default_factory=list)
    asked: list[tuple[bytes, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.machine = sync.Sync(trust(GenesisBasis(chain().genesis)), EmptyLog(), take=STATE_CHECK)
        self.givers = {peer: giver() for peer in self.peers}
        for peer in self.peers:
            self.givers[peer].handle(sync.PeerUp(b"taker"))
            self.tell(sync.PeerUp(peer))

    def tell(self, event: sync.Event) -> None:
        for effect in self.machine.handle(event):
            match effect:
                case sync.Send(peers, message):
                    for peer in peers:
                        self._send(peer, message)
                case sync.CheckCommits(token, items):
                    verdicts = tuple(bls.fast_aggregate_verify(*item) for item in items)
                    self.tell(sync.CommitsChecked(self.now_ms, token, verdicts))
                case _:
                    self.said.append(effect)

    def _send(self, peer: bytes, message: sync.Message) -> None:
        if isinstance(message, sync.WantPiece):
            self.asked.append((peer, message.prefix))
        for effect in self.givers[peer].handle(sync.Received(self.now_ms, b"taker", message)):
            if isinstance(effect, sync.Send):
                answer = self.peers[peer](effect.message)
                if answer is not None:
                    self.tell(sync.Received(self.now_ms, peer, answer))

    def wait(self, ms: int) -> None:
        for _ in range(ms // 50):
            self.now_ms += 50
            self.tell(sync.Tick(self.now_ms))

    def installed(self) -> list[sync.Install]:
        return [effect for effect in self.said if isinstance(effect, sync.Install)]

    def blamed(self) -> list[tuple[bytes, str]]:
        return [(effect.peer, effect.refusal) for effect in self.said if isinstance(effect, sync.Blame)]


def expected() -> sync.Install:
    made = chain()
    frontier = Frontier.of([header.hash for header in made.headers[:HEIGHT]])
    pairs = tuple(pair for prefix in sorted(cut().pieces) for pair in cut().pieces[prefix][0])
    return sync.Install(made.header(HEIGHT), made.commit(HEIGHT), made.set_at(HEIGHT), frontier, pairs)


def test_the_whole_state_over_two_changes_of_the_set() -> None:
    node = Taker({b"a": as_it_is})
    node.wait(200)
    assert node.said == [expected()]
    assert build_tree(expected().pairs).root == chain().header(HEIGHT).state_root
    assert dict(expected().pairs) == STATE


def test_nothing_follows_until_it_is_applied_and_then_blocks_do() -> None:
    node = Taker({b"a": as_it_is})
    node.wait(200)
    header = chain().header(HEIGHT)
    node.tell(
        sync.Applied(
            node.now_ms, header.height, header.hash, header.timestamp_ms, chain().next_set(HEIGHT), votes=False
        )
    )
    effects = node.machine.handle(sync.Received(node.now_ms, b"a", sync.Head(version=1, first=1, last=22)))
    assert effects == [sync.Send((b"a",), sync.WantBlocks(version=1, first=21, count=2))]


def test_several_peers_share_the_work() -> None:
    later: list[sync.Message] = []

    def slow(message: sync.Message) -> sync.Message | None:
        if isinstance(message, sync.StatePiece) and len(later) < 3:
            later.append(message)
            return None
        return message

    node = Taker({b"a": slow, b"b": slow, b"c": slow})
    node.wait(PIECE_TIMEOUT_MS + 2_000)
    assert {peer for peer, _ in node.asked} == {b"a", b"b", b"c"}
    assert node.installed() == [expected()]
    assert node.blamed() == []


def forged(name: str, **fields: object) -> Tamper:
    def tamper(message: sync.Message) -> sync.Message:
        if type(message).__name__ != name or message == NO_MANIFEST:
            return message
        return msgspec.structs.replace(message, **fields)

    return tamper


def pieces(change: Callable[[sync.StatePiece], dict[str, object]]) -> Tamper:
    def tamper(message: sync.Message) -> sync.Message:
        if isinstance(message, sync.StatePiece) and message.prefix == b"\x05":
            return msgspec.structs.replace(message, **change(message))
        return message

    return tamper


@pytest.mark.parametrize(
    "lie",
    [
        pieces(lambda p: {"pairs": p.pairs[1:]}),
        pieces(lambda p: {"pairs": (*p.pairs, (b"mine", b"more"))}),
        pieces(lambda p: {"pairs": ((p.pairs[0][0], b"other"), *p.pairs[1:])}),
        pieces(lambda p: {"pairs": (*p.pairs, p.pairs[0])}),
        pieces(lambda p: {"proof": p.proof[:-1]}),
        pieces(lambda _: {"proof": cut().pieces[b"\x06"][1], "pairs": cut().pieces[b"\x06"][0]}),
        pieces(lambda _: {"height": 21}),
        pieces(lambda _: {"version": 2}),
    ],
)  # fmt: skip
def test_a_piece_that_is_not_of_the_state(lie: Tamper) -> None:
    node = Taker({b"liar": lie, b"b": as_it_is})
    node.wait(2_000)
    assert node.blamed() == [(b"liar", SyncRefusal.WRONG_PIECE)]
    assert node.installed() == [expected()]


def test_a_liar_alone_gives_nothing_until_it_may_be_asked_again() -> None:
    node = Taker({b"liar": pieces(lambda p: {"pairs": ()})})
    node.wait(GIVE_UP_MS + 5_000)
    assert node.installed() == []
    assert SOURCE_BARRED_MS > GIVE_UP_MS, "it gave up: blocks are executed instead"
    effects = node.machine.handle(sync.Received(node.now_ms, b"liar", sync.Head(version=1, first=1, last=22)))
    assert effects == [sync.Send((b"liar",), sync.WantBlocks(version=1, first=1, count=22))]


def other(height: int = HEIGHT, **fields: object) -> bytes:
    header: Header = replace(chain().header(height), **fields)  # type: ignore[arg-type]
    return header.encoded


@pytest.mark.parametrize(
    "lie",
    [
        lambda: forged("Manifest", version=2),
        lambda: forged("Manifest", header=b"short"),
        lambda: forged("Manifest", header=other(state_root=bytes(32))),
        lambda: forged("Manifest", header=other(chain_id=bytes(32))),
        lambda: forged("Manifest", commit=()),
        lambda: forged("Manifest", commit=(chain().commit(HEIGHT),) * 2),
        lambda: forged("Manifest", commit=(chain().commit(19),)),
        lambda: forged("Manifest", commit=(resigned(),)),
        lambda: forged("Manifest", set_changes=()),
        lambda: forged("Manifest", set_changes=(chain().set_change_step(9),)),
        lambda: forged("Manifest", frontier=()),
        lambda: forged("Manifest", frontier=tuple(bytes(32) for _ in cut().frontier)),
        lambda: forged("Manifest", prefixes=tuple(sorted(cut().pieces))[1:]),
        lambda: forged("Manifest", prefixes=(*sorted(cut().pieces), b"\x05\x01")),
        lambda: forged("Manifest", prefixes=(bytes(65),)),
        lambda: forged("Manifest", prefixes=(b"\x10",)),
        lambda: forged("Manifest", prefixes=()),
    ],
)
def test_a_manifest_that_does_not_follow_from_genesis(lie: Callable[[], Tamper]) -> None:
    node = Taker({b"liar": lie()})
    node.wait(500)
    assert node.blamed() == [(b"liar", SyncRefusal.WRONG_MANIFEST)]
    node.peers[b"b"] = as_it_is
    node.givers[b"b"] = giver()
    node.givers[b"b"].handle(sync.PeerUp(b"taker"))
    node.tell(sync.PeerUp(b"b"))
    node.wait(500)
    assert node.installed() == [expected()]


def resigned() -> object:
    return msgspec.structs.replace(chain().commit(HEIGHT), aggregate_signature=chain().commit(19).aggregate_signature)


def test_a_trusted_header_that_is_too_old() -> None:
    node = Taker({b"a": as_it_is})
    node.machine = sync.Sync(trust(chain().basis(2)), EmptyLog(), take=STATE_CHECK)
    node.now_ms += chain().genesis.parameters.trusting_period_ms * 2
    node.tell(sync.PeerUp(b"a"))
    node.wait(200)
    assert node.blamed() == [(b"a", SyncRefusal.WRONG_MANIFEST)]
    fresh = Taker({b"a": as_it_is})
    fresh.machine = sync.Sync(trust(chain().basis(2)), EmptyLog(), take=STATE_CHECK)
    fresh.tell(sync.PeerUp(b"a"))
    fresh.wait(200)
    assert fresh.installed() == [expected()]


def test_a_snapshot_that_spares_little_is_not_taken() -> None:
    node = Taker({b"a": as_it_is})
    node.machine = sync.Sync(trust(chain().basis(6)), EmptyLog(), take=STATE_CHECK)
    node.tell(sync.PeerUp(b"a"))
    node.wait(200)
    assert (node.installed(), node.blamed()) == ([], [])


def test_a_peer_that_leaves_is_replaced() -> None:
    def mute(message: sync.Message) -> sync.Message | None:
        return None if isinstance(message, sync.StatePiece) else message

    node = Taker({b"a": mute})
    node.wait(100)
    assert node.asked == [(b"a", b"\x00")]
    node.tell(sync.PeerDown(b"a"))
    node.peers[b"b"] = as_it_is
    node.givers[b"b"] = giver()
    node.givers[b"b"].handle(sync.PeerUp(b"taker"))
    node.tell(sync.PeerUp(b"b"))
    node.wait(500)
    assert node.installed() == [expected()]


def test_where_nobody_has_the_chosen_snapshot_any_more_another_is_taken() -> None:
    node = Taker({b"liar": pieces(lambda _: {"pairs": ()})})
    node.wait(200)
    assert node.blamed() == [(b"liar", SyncRefusal.WRONG_PIECE)]
    assert node.asked[-1] == (b"liar", b"\x05")
    node.givers[b"b"] = giver(21)
    node.peers[b"b"] = as_it_is
    node.givers[b"b"].handle(sync.PeerUp(b"taker"))
    node.tell(sync.PeerUp(b"b"))
    node.wait(2_000)
    assert [peer for peer, _ in node.asked if peer == b"b"] == [], "it has another height"
    node.wait(2_000)
    assert [effect.header.height for effect in node.installed()] == [21]


# --- giving -----------------------------------------------------------------------------------------------------------


def asked(machine: sync.Sync, message: sync.Message, now_ms: int = START_MS) -> sync.Message:
    (effect,) = machine.handle(sync.Received(now_ms, b"taker", message))
    assert isinstance(effect, sync.Send)
    return effect.message


def want(height: int = 0, above: int = 0) -> sync.WantManifest:
    return sync.WantManifest(version=1, height=height, above=above)


def making(*heights: int) -> tuple[sync.Sync, Cutter]:
    cutter = Cutter(*heights)
    tip = replace(trust(GenesisBasis(chain().genesis)), height=Height(22))
    machine = sync.Sync(tip, EmptyLog(), snapshots=cutter)
    machine.handle(sync.PeerUp(b"taker"))
    return machine, cutter


def piece_of(prefix: bytes) -> sync.WantPiece:
    return sync.WantPiece(version=1, height=HEIGHT, prefix=prefix)


def test_one_cut_serves_everybody_who_asks() -> None:
    machine, cutter = making()
    manifest = asked(machine, want())
    assert isinstance(manifest, sync.Manifest)
    assert manifest.set_changes == tuple(chain().set_change_step(height) for height in (4, 9))
    assert asked(machine, want(HEIGHT)) == manifest
    above = asked(machine, want(HEIGHT, above=4))
    assert isinstance(above, sync.Manifest)
    assert above.set_changes == (chain().set_change_step(9),)
    assert cutter.cuts == 1
    assert covers_all(manifest.prefixes)


def test_a_peer_that_asks_from_ever_other_heights_has_little_read_for_it() -> None:
    """Found by review: each basis has every header that announces a set read anew."""
    machine, _ = making()
    answers = [asked(machine, want(HEIGHT, above=above)) for above in range(MANIFESTS_MAX + 3)]
    assert answers[MANIFESTS_MAX:] == [NO_MANIFEST] * 3
    assert NO_MANIFEST not in answers[:MANIFESTS_MAX]
    assert asked(machine, want(HEIGHT, above=0)) == answers[0], "what is at hand is given"
    machine.handle(sync.Tick(START_MS + MANIFEST_PERIOD_MS))
    assert asked(machine, want(HEIGHT, above=7)) != NO_MANIFEST


def test_what_does_not_fit_a_message_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by review: a message beyond the bound of the transport is a bug of the sender, and ends it."""
    manifest = asked(making()[0], want())
    assert isinstance(manifest, sync.Manifest)
    monkeypatch.setattr(snapshot_giving, "MESSAGE_BYTES_MAX", len(encode(manifest)) - 1)
    assert asked(making()[0], want()) == NO_MANIFEST
    monkeypatch.setattr(snapshot_giving, "MESSAGE_BYTES_MAX", 5_000)
    sizes = (5_000 - 1_024 - 3 - 12, 5_000 - 1_024 - 3 - 12 + 1)
    assert [sync.piece_fits(((b"key", bytes(size)),), b"") for size in sizes] == [True, False]


def test_a_large_state_is_cut_in_turns_and_offered_when_it_is_whole() -> None:
    """SYNC-10. Whoever cuts votes meanwhile."""
    machine, cutter = making()
    cutter.turns = 3
    assert asked(machine, want()) == NO_MANIFEST
    for turn in (1, 2):
        machine.handle(sync.Tick(START_MS + 50 * turn))
        assert asked(machine, want(), START_MS + CUT_PERIOD_MS) == NO_MANIFEST, "one at a time"
    machine.handle(sync.Tick(START_MS + 150))
    assert isinstance(manifest := asked(machine, want(HEIGHT)), sync.Manifest)
    assert manifest.prefixes == tuple(sorted(cut().pieces))
    assert cutter.cuts == 1


def test_a_cut_that_is_given_up_half_way_is_over() -> None:
    machine, cutter = making()

    def given_up(height: int) -> Iterator[sync.Cut | None]:
        assert height == 0
        cutter.cuts += 1
        yield None

    cutter.cut = given_up  # type: ignore[method-assign]
    assert asked(machine, want()) == NO_MANIFEST
    machine.handle(sync.Tick(START_MS + 50))
    assert asked(machine, want(), START_MS + CUT_PERIOD_MS - 1) == NO_MANIFEST
    assert cutter.cuts == 1
    assert asked(machine, want(), START_MS + CUT_PERIOD_MS) == NO_MANIFEST
    assert cutter.cuts == 2


def test_another_height_is_cut_after_a_while_only() -> None:
    machine, cutter = making(20, 21, 22)
    asked(machine, want(20))
    assert asked(machine, want(21)) == NO_MANIFEST
    assert asked(machine, want(21), START_MS + CUT_PERIOD_MS) != NO_MANIFEST
    assert asked(machine, want(7), START_MS + 3 * CUT_PERIOD_MS) == NO_MANIFEST
    assert asked(machine, want(22), START_MS + 3 * CUT_PERIOD_MS) != NO_MANIFEST
    assert asked(machine, want(20), START_MS + 3 * CUT_PERIOD_MS) == NO_MANIFEST, "the oldest made room"
    newest = asked(machine, want(0), START_MS + 3 * CUT_PERIOD_MS)
    assert newest == asked(machine, want(22))
    assert cutter.cuts == 3


def test_pieces_prove_themselves_and_are_not_given_without_end() -> None:
    machine, _ = making()
    asked(machine, want())
    request = sync.WantPiece(version=1, height=HEIGHT, prefix=b"\x05")
    piece = asked(machine, request)
    assert isinstance(piece, sync.StatePiece)
    assert verify_piece(chain().header(HEIGHT).state_root, piece.prefix, piece.pairs, piece.proof)
    for _ in range(SERVED_PIECES_MAX * len(cut().pieces) - 1):
        assert asked(machine, request) == piece
    nothing = sync.StatePiece(version=1, height=HEIGHT, prefix=b"\x05", pairs=(), proof=b"")
    assert asked(machine, request) == nothing
    assert asked(machine, sync.WantPiece(version=1, height=21, prefix=b"")) == (
        sync.StatePiece(version=1, height=21, prefix=b"", pairs=(), proof=b"")
    )


def test_what_nobody_takes_is_forgotten() -> None:
    machine, cutter = making()
    asked(machine, want())
    machine.handle(sync.Tick(START_MS + CUT_KEPT_MS))
    asked(machine, want(), START_MS + CUT_KEPT_MS)
    assert cutter.cuts == 2


def test_who_cuts_nothing_does_not_answer() -> None:
    machine = sync.Sync(trust(GenesisBasis(chain().genesis)), EmptyLog())
    machine.handle(sync.PeerUp(b"a"))
    for message in (want(), sync.WantPiece(version=1, height=1, prefix=b""), NO_MANIFEST):
        assert machine.handle(sync.Received(START_MS, b"a", message)) == []
