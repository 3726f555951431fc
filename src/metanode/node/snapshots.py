"""Snapshots: the state cut into pieces for others, and a state that came from others put in place of ours."""

from collections.abc import Generator, Iterator
from itertools import islice
from typing import Final

from metanode.chain.sync import Applied, Cut, Install, Pairs, piece_fits
from metanode.ledger import Ledger, Mathematics
from metanode.ledger.queries import current_parameters, current_rules_version, current_validators
from metanode.ledger.state import SUBTREE_PROOF_DECODER, PieceSorter, subtree_proof, verify_subtree
from metanode.node.applied import set_row, tip_row
from metanode.node.desk import Desk, Tip
from metanode.node.effects import JournalCheckpoint, WriteStore
from metanode.node.modules import MODULES
from metanode.node.rows import SET, STATE, TIP, height_key
from metanode.node.storage import StateRows
from metanode.primitives.codec import encode
from metanode.primitives.names import Hash
from metanode.primitives.refusal import Rejected
from metanode.records.receipt_file import SetChangeStep
from metanode.records.validators import ValidatorList, ValidatorSet

PIECE_ENTRIES_MAX: Final = 1_024
"""Entries of one piece: some hundred kilobytes, checked in some ten milliseconds."""
CUT_BYTES_MAX: Final = 128 << 20
"""A state above this is not cut in memory; who joins then executes every block."""
READ_ENTRIES: Final = 1_024
"""Entries read and sorted at a stretch."""
TURN_ENTRIES: Final = 8_192
"""Entries read and sorted in one turn, some 15 ms: votes wait for it. A million keys take 8 seconds so."""
PROOF_ENTRIES: Final = 16
"""Making a piece's proof takes as long as sorting so many entries, looking through four as long as sorting one."""
TOO_LARGE_BLOCKS: Final = 10_000
"""A state that was too large is not measured again for so many blocks: whoever asks would have it read each time."""


def verify_piece(root: Hash, prefix: bytes, pairs: tuple[tuple[bytes, bytes], ...], proof: bytes) -> bool:
    """STATE-6. Whether these pairs are exactly what lies under the prefix; `proof` as bytes of a stranger."""
    try:
        return verify_subtree(root, prefix, pairs, SUBTREE_PROOF_DECODER.decode(proof))
    except Rejected:
        return False


class StateSnapshots:
    """Who cuts: the state of the tip, and the headers that announced sets."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._not_before = 0

    def cut(self, height: int) -> Iterator[Cut | None]:
        """SYNC-10. Only the last height is cut: older values are not all at hand. What is read in later turns is as of
        the first one: a scan shows the rows as they were when it began, and a tree never changes."""
        desk, tip = self._desk, self._desk.tip
        if not tip.header or height not in (0, tip.height) or tip.history.size != tip.height - 1:
            return
        if tip.height < self._not_before:
            return
        tree = desk.ledger.tree_at(tip.height)
        sorter = PieceSorter(tree, PIECE_ENTRIES_MAX)
        if not (yield from self._read(sorter)):
            self._not_before = tip.height + TOO_LARGE_BLOCKS
            return
        pieces: dict[bytes, tuple[Pairs, bytes]] = {}
        spent = 0
        for prefix, found in sorter.pieces.items():
            piece = tuple(found), encode(subtree_proof(tree, prefix))
            if not piece_fits(*piece):
                self._not_before = tip.height + TOO_LARGE_BLOCKS
                return
            pieces[prefix] = piece
            spent += PROOF_ENTRIES + len(found) // 4
            if spent >= TURN_ENTRIES:
                spent = 0
                yield None
        yield Cut(tip.header[0], tip.commit[0], tip.history.to_tuple()[1], pieces)

    def _read(self, sorter: PieceSorter) -> Generator[None, None, bool]:
        """Sort the whole state, some of it in each turn; whether it is small enough."""
        scan, size, spent = self._desk.ledger.scan(b""), 0, 0
        while read := list(islice(scan, READ_ENTRIES)):
            size += sum(len(key) + len(value) for key, value in read)
            if size > CUT_BYTES_MAX:
                return False
            sorter.sort(read)
            spent += len(read)
            if spent >= TURN_ENTRIES:
                spent = 0
                yield None
        return True

    def set_changes(self, above: int, below: int) -> tuple[SetChangeStep, ...] | None:
        """The headers between two heights that announce another set, ascending; `None` where one is not kept."""
        shelf, steps = self._desk.shelf, []
        changes = shelf.set_changes(below)
        if not changes or changes[0] > above + 1:
            return None  # this node's own state came by snapshot: it does not know what was before
        for first in changes:
            height = first - 1
            if not above < height < below:
                continue
            filed, following = shelf.block(height), shelf.validators(first)
            if filed is None or following is None:
                return None
            if filed.header.next_validators_hash == filed.header.validators_hash:
                continue  # other transport keys or addresses: the same set signs (LIGHT-7)
            listed = ValidatorList(version=1, validators=following.validators)
            steps.append(SetChangeStep(header=filed.header.encoded, commit=filed.commit, next_validators=listed))
        return tuple(steps)


def install(desk: Desk, snapshot: Install) -> None:
    """SYNC-9. Replace every row of state in one batch with the tip; nothing that decides validity lives elsewhere.

    The rows are there once the host has carried this out: the next event finds them (`finish`).
    """
    rows: dict[bytes, bytes | None] = {row: None for row, _ in desk.rows.scan(STATE)}
    rows.update((STATE + key, value) for key, value in snapshot.pairs)
    header = snapshot.header
    history = snapshot.frontier
    tip = Tip(
        height=header.height,
        hash=header.hash,
        timestamp_ms=header.timestamp_ms,
        header=(header,),
        commit=(snapshot.commit,),
        frontier=history,
        previous_validators=snapshot.validators,
        validators=snapshot.validators,
        parameters=desk.tip.parameters,
        rules_version=header.version,
    )
    rows[TIP] = tip_row(tip)
    rows[height_key(SET, header.height)] = set_row(snapshot.validators)
    desk.emit(WriteStore(header.height, rows), JournalCheckpoint(()))
    desk.note("snapshot", height=header.height, entries=len(snapshot.pairs))
    desk.installing = (tip,)


def finish(desk: Desk, mathematics: Mathematics) -> bool:
    """The rows of a snapshot are stored: open the ledger on them. Whether there was one."""
    if not desk.installing:
        return False
    (tip,), desk.installing = desk.installing, ()
    desk.ledger = Ledger(desk.genesis, StateRows(desk.rows), tip.height, tip.hash, mathematics, MODULES)
    validators = current_validators(desk.ledger)
    desk.tip = Tip(
        height=tip.height,
        hash=tip.hash,
        timestamp_ms=tip.timestamp_ms,
        header=tip.header,
        commit=tip.commit,
        frontier=tip.frontier,
        previous_validators=tip.previous_validators,
        validators=validators,
        parameters=current_parameters(desk.ledger),
        rules_version=current_rules_version(desk.ledger),
    )
    desk.candidates.clear()
    desk.journalled.clear()
    desk.emit(WriteStore(tip.height, {height_key(SET, tip.height + 1): set_row(ValidatorSet(validators.validators))}))
    desk.tell(
        "sync",
        Applied(desk.now_ms, tip.height, tip.hash, tip.header[0].timestamp_ms, validators, votes=desk.may_vote),
    )
    return True
