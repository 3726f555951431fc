"""What must hold of any world, whatever the storm: checkers know nothing of storms, and trust no node's word.

Each takes the `Scene` and gives sentences about what is wrong; none means that it holds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, TypeAlias

from metanode.chain.guard import place_of
from metanode.ledger import BlockInput, Ledger
from metanode.ledger.governance import CONVICTION
from metanode.ledger.queries import coin_details, holders_after
from metanode.ledger.state import build_tree
from metanode.node.boot import first_rows, set_at
from metanode.node.known import known_transaction
from metanode.node.modules import MODULES
from metanode.node.rows import IDENTITY, STATE, TIP, TIP_ROWS
from metanode.node.rows import place_of as place_of_row
from metanode.node.storage import StateRows
from metanode.primitives.bitmap import decode as decode_bitmap
from metanode.primitives.names import NO_HASH, Height, Round
from metanode.records.block import FINAL_BLOCKS, FinalBlock
from metanode.records.commit import BlsCommit, commit_signing_bytes
from metanode.records.header import Header, read_header
from metanode.records.validators import ValidatorSet
from metanode.records.vote import NO_ROUND, Vote, VoteKind
from metanode.sim.disk import SimRows
from metanode.sim.founding import FUNDS, Founding
from metanode.sim.load import Load
from metanode.sim.machine_room import MachineRoom
from metanode.sim.world import World


@dataclass(frozen=True, slots=True)
class Scene:
    """A world and what is known of it. `liars`: seats that do not follow the rules, and their second computers;
    `forgetful`: whose disk was wiped, so that it need not remember what it once called final; `core`: who was healed,
    if not everybody was. `set_back`: whose whole disk was replaced by an older one: what nobody heard of its words is
    known to nobody, so it may say another, and be convicted of nothing; that it is not, is checked.
    """

    world: World
    founding: Founding
    load: Load
    liars: tuple[int, ...] = ()
    forgetful: tuple[int, ...] = field(default=())
    core: tuple[int, ...] = ()
    set_back: tuple[int, ...] = ()

    @property
    def honest(self) -> list[MachineRoom]:
        """The computers that follow the rules."""
        return [room for room in self.world.rooms if room.index not in self.liars]


Check: TypeAlias = Callable[[Scene], Iterator[str]]


def agreement(scene: Scene) -> Iterator[str]:
    """No two honest nodes call different headers final at one height, and none ever changes its word."""
    known: dict[int, tuple[bytes, int]] = {}
    for room in scene.honest:
        yield from (f"node {room.index}: {said}" for said in room.watch.contradictions)
        for height, (header, _) in room.watch.final.items():
            first, index = known.setdefault(height, (header, room.index))
            if first != header:
                yield f"FORK: nodes {index} and {room.index} differ at height {height}"


def certified(scene: Scene) -> Iterator[str]:
    """Every block called final has a certificate of at least ceil(2n/3) seats whose shares sum to its signature."""
    checked: dict[BlsCommit, bool] = {}
    for room in scene.honest:
        for height, (header, commit) in room.watch.final.items():
            if commit not in checked and height <= _tip(room):
                checked[commit] = True
                validators = set_at(room.disk.rows, height)
                wrong = _judge(scene, validators, read_header(header), commit)
                yield from (f"node {room.index}, height {height}: {why}" for why in wrong)


def _judge(scene: Scene, validators: ValidatorSet, read: Header, commit: BlsCommit) -> Iterator[str]:
    keys = validators.bls_keys
    if validators.hash != read.validators_hash:
        yield "the set is not the one of the header"
    seats = decode_bitmap(commit.validator_bitmap, len(keys))
    if 3 * len(seats) < 2 * len(keys):
        yield f"{len(seats)} of {len(keys)} seats are no quorum"
    if (commit.height, commit.header_hash) != (read.height, read.hash):
        yield "the certificate is of another block"
    message = commit_signing_bytes(
        scene.founding.chain_id, read.validators_hash, Height(commit.height), Round(commit.round), read.hash
    )
    if not scene.founding.seals.verify_aggregate([keys[seat] for seat in seats], message, commit.aggregate_signature):
        yield "the aggregate does not verify"


def one_word(scene: Scene) -> Iterator[str]:
    """A key says one thing at one step of one round, and never goes back, across all restarts and wiped disks. To say
    the very same again is no second word: a guard that fell back to its other slot does so."""
    for room in [room for room in scene.honest if room.index not in scene.set_back]:
        said: dict[tuple[int, int, int], Vote] = {}
        last = (0, 0, 0)
        for vote in room.watch.signed:
            place = place_of(vote)
            before = said.setdefault(place, vote)
            if (before.header_hash, before.prepared_round) != (vote.header_hash, vote.prepared_round):
                yield f"node {room.index} signed two different words: {_show(before)} and {_show(vote)}"
            if place < last and before is vote:
                yield f"node {room.index} went back: {_show(vote)} after {last}"
            last = max(last, place)


def no_amnesia(scene: Scene) -> Iterator[str]:
    """Who committed in a round shows in every later ROUND-CHANGE of the height that it was prepared then, or later."""
    for room in scene.honest:
        commits: dict[int, int] = {}
        for vote in room.watch.signed:
            if vote.kind == VoteKind.COMMIT:
                commits[vote.height] = max(vote.round, commits.get(vote.height, 0))
            elif vote.kind == VoteKind.ROUND_CHANGE and vote.height in commits:
                shown = -1 if vote.prepared_round == NO_ROUND else vote.prepared_round
                if shown < commits[vote.height]:
                    yield f"node {room.index} committed in round {commits[vote.height]}, then {_show(vote)}"


def _show(vote: Vote) -> str:
    kind = VoteKind(vote.kind).name
    return f"{kind}({vote.height},{vote.round},{vote.header_hash.hex()[:8]})"


def valid(scene: Scene) -> Iterator[str]:
    """Executing the longest log anew from genesis gives every header's roots, and the state on every disk."""
    longest = max(scene.honest, key=lambda room: room.disk.archive.last)
    states = {room.index: room for room in scene.honest if room.index not in scene.liars}
    referee = _Referee(scene)
    for index in [i for i, room in states.items() if _tip(room) == 0]:
        yield from referee.compare(states.pop(index))
    for encoded in longest.disk.archive.blocks.values():
        yield from referee.execute(FINAL_BLOCKS.decode(encoded))
        for index in [i for i, room in states.items() if _tip(room) == referee.height]:
            yield from referee.compare(states.pop(index))


def _tip(room: MachineRoom) -> int:
    return TIP_ROWS.decode(room.disk.rows.values[TIP]).height


class _Referee:
    """The ledger once more, by itself."""

    def __init__(self, scene: Scene) -> None:
        genesis = scene.founding.genesis
        self.height = 0
        self._parent = NO_HASH
        self._rows = SimRows()
        self._rows.write(first_rows(genesis))
        mathematics = scene.world.rooms[0].mathematics
        self._ledger: Final = Ledger(genesis, StateRows(self._rows), Height(0), NO_HASH, mathematics, MODULES)
        self._once: Final[dict[bytes, int]] = {}

    def execute(self, block: FinalBlock) -> Iterator[str]:
        """The next block; every transaction in it for the first time."""
        header = read_header(block.header)
        if (header.height, header.parent_hash) != (self.height + 1, self._parent):
            yield f"block {header.height} does not follow block {self.height}"
            return
        known = tuple(known_transaction(encoded) for encoded in block.body.transactions)
        for one in known:
            if one.identity in self._once:
                heights = f"{self._once[one.identity]} and {header.height}"
                yield f"transaction {one.identity.hex()[:16]} is final twice, at {heights}"
            self._once[one.identity] = header.height
        execution = self._ledger.execute(
            self._parent,
            BlockInput(header.height, header.timestamp_ms, header.proposer, block.body.evidence, known),
        )
        refused = (*execution.refused_transactions, *execution.refused_evidence)
        yield from (f"block {header.height} holds what may not be in it: {one.reason}" for one in refused)
        results = execution.state_root, execution.receipts_root, execution.validators.hash
        if results != (header.state_root, header.receipts_root, header.next_validators_hash):
            yield f"block {header.height} claims other roots than its execution gives"
        self._ledger.adopt(header.hash, execution)
        self._ledger.commit(header.hash)
        self._rows.write({STATE + key: value for key, value in execution.writes.items()})
        self._ledger.settle(header.height)
        self.height, self._parent = int(header.height), header.hash

    def compare(self, room: MachineRoom) -> Iterator[str]:
        """Whether a disk holds the state of this height."""
        ours, theirs = dict(self._rows.scan(STATE)), dict(room.disk.rows.scan(STATE))
        if ours != theirs:
            keys = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
            yield f"node {room.index} at height {self.height} holds another state: {keys[0]!r} and {len(keys) - 1} more"


def conserved(scene: Scene) -> Iterator[str]:
    """All balances together are what was there at genesis, and the coin's supply; the root is of the state."""
    expected = FUNDS * len(scene.founding.clients)
    for room in scene.honest:
        state = StateRows(room.disk.rows)
        total = sum(holding.amount for holding in holders_after(state, "USD", b"", 1_000).holders)
        coin = coin_details(state, "USD")
        supply = coin.supply if coin is not None else 0
        if (total, supply) != (expected, expected):
            yield f"node {room.index} holds {total} in accounts, {supply} as supply, of {expected}"
        header = TIP_ROWS.decode(room.disk.rows.values[TIP]).header
        if header and build_tree(state.scan()).root != read_header(header).state_root:
            yield f"node {room.index}: its state has another root than its last header says"


def nothing_lost(scene: Scene) -> Iterator[str]:
    """What a node called final is still on its disk, at the same place, whatever happened in between."""
    for room in scene.honest:
        if room.index in scene.forgetful or room.index in scene.set_back:
            continue
        tip, archive = _tip(room), room.disk.archive
        for height, (header, _) in room.watch.final.items():
            data = archive.block(height)
            if height > archive.last and not room.alive:
                continue  # the journal holds it, and the next start will show it
            if data is None or FINAL_BLOCKS.decode(data).header != header:
                yield f"node {room.index} lost block {height}"
        for identity, place in room.watch.receipts.items():
            row = room.disk.rows.get(IDENTITY + identity)
            if row is None and place[0] > tip and not room.alive:
                continue
            if row is None or place_of_row(row) != place:
                yield f"node {room.index} lost transaction {identity.hex()[:16]}, final at {place}"


def nobody_framed(scene: Scene) -> Iterator[str]:
    """Evidence in blocks convicts liars only; and an honest node has no reason to halt."""
    for room in scene.honest:
        if room.watch.halted:
            yield f"node {room.index} halted: {room.watch.halted}"
    names = {scene.founding.validators[seat].vote_key: seat for seat in range(len(scene.founding.validators))}
    for room in scene.honest:
        for key, seat in names.items():
            if seat not in scene.liars and room.disk.rows.get(STATE + CONVICTION + key) is not None:
                yield f"honest seat {seat} is convicted on node {room.index}"


SAFETY: Final[tuple[Check, ...]] = (
    agreement,
    certified,
    one_word,
    no_amnesia,
    valid,
    conserved,
    nothing_lost,
    nobody_framed,
)
"""What no storm may break, at any time."""


def caught_up(scene: Scene, height: int) -> Iterator[str]:
    """Every honest node (of the core) runs, is at this height or above, and has everything that clients were told is
    final."""
    for room in [room for room in scene.honest if not scene.core or room.index in scene.core]:
        if not room.alive:
            yield f"node {room.index} does not run"
        elif _tip(room) < height:
            yield f"node {room.index} is at height {_tip(room)}, {height} is due"
        else:
            rows = room.disk.rows
            missing = sum(rows.get(IDENTITY + identity) is None for identity in scene.load.acknowledged)
            if missing:
                yield f"node {room.index} lacks {missing} transactions that are final"
    if scene.load.waiting:
        yield f"{scene.load.waiting} transfers are still not final"


def steady(scene: Scene) -> Iterator[str]:
    """Where a storm promises it: no longer than so many milliseconds between two final blocks, anywhere."""
    storm = scene.world.storm
    if not storm.gap_ms:
        return
    first: dict[int, int] = {}
    for room in scene.honest:
        for height, at_ms in room.watch.final_at_ms.items():
            first[height] = min(at_ms, first.get(height, at_ms))
    times = [scene.world.start_ms, *(first[height] for height in sorted(first)), scene.world.now_ms]
    for height, (before, after) in enumerate(pairwise(times)):
        if after - before > storm.gap_ms:
            yield f"{after - before} ms without a block after height {height}, {storm.gap_ms} ms are promised"
