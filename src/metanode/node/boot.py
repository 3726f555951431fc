"""Starting: the first rows of a chain, and finding back to where a stopped node was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from metanode.chain import ibft
from metanode.chain.proposal import Hold
from metanode.ledger import BlockInput, Ledger, genesis_state
from metanode.ledger.queries import current_parameters, current_rules_version, current_validators
from metanode.node.applied import set_row, tip_row
from metanode.node.blocks import BODY_RECORD, BODY_RECORDS, BodyRecord, apply, keep
from metanode.node.desk import Candidate, Desk, Tip
from metanode.node.effects import AppendBlock, JournalCheckpoint, SetTimer
from metanode.node.known import known_transaction
from metanode.node.modules import MODULES
from metanode.node.rows import RECEIPTS, SET, STATE, TIP, TIP_ROWS, height_key
from metanode.node.storage import Archive, Rows
from metanode.primitives.codec import encode
from metanode.primitives.merkle import Frontier
from metanode.primitives.names import NO_HASH, Hash, Height
from metanode.records.block import FINAL_BLOCKS, Body, final_block
from metanode.records.commit import BlsCommit
from metanode.records.genesis import Genesis, genesis_validators
from metanode.records.header import Header, read_header
from metanode.records.validators import VALIDATOR_LISTS, ValidatorSet

REPLAY: Final = "boot"
"""The timer under which a long recovery goes on."""
REPLAY_BLOCKS: Final = 16
"""Blocks of the log executed within one event: what one event writes is in memory until it is over."""
REPLAY_BYTES: Final = 2 << 20
"""Or so many bytes of them: some ten thousand transactions, half a second in which nobody is answered."""


def first_rows(genesis: Genesis) -> Mapping[bytes, bytes | None]:
    """What the store of a new chain holds before the first block: the state of genesis, and a tip at height 0."""
    validators = genesis_validators(genesis)
    tip = Tip(
        height=Height(0),
        hash=NO_HASH,
        timestamp_ms=genesis.started_ms,
        header=(),
        commit=(),
        frontier=Frontier(),
        previous_validators=validators,
        validators=validators,
        parameters=genesis.parameters,
        rules_version=genesis.rules_version,
    )
    rows: dict[bytes, bytes | None] = {STATE + k: v for k, v in genesis_state(genesis, MODULES).items()}
    rows[TIP] = tip_row(tip)
    rows[height_key(SET, 1)] = set_row(validators)
    return rows


def set_at(rows: Rows, height: int) -> ValidatorSet:
    """The set that signs a height: the row of the last change at or below it."""
    best = None
    for key, value in rows.scan(SET):
        if int.from_bytes(key[1:9], "big") > height:
            break
        best = value
    assert best is not None, "the set of height 1 is always stored"
    return ValidatorSet(VALIDATOR_LISTS.decode(best).validators)


def height_of_tip(rows: Rows) -> tuple[Height, Hash]:
    """Height and hash of the last applied block."""
    row = TIP_ROWS.decode(rows.get(TIP) or b"")
    return Height(row.height), read_header(row.header).hash if row.header else NO_HASH


def stored_tip(genesis: Genesis, rows: Rows, ledger: Ledger) -> Tip:
    """The last applied block, as the store tells it."""
    row = TIP_ROWS.decode(rows.get(TIP) or b"")
    header = (read_header(row.header),) if row.header else ()
    return Tip(
        height=Height(row.height),
        hash=header[0].hash if header else NO_HASH,
        timestamp_ms=header[0].timestamp_ms if header else genesis.started_ms,
        header=header,
        commit=row.commit,
        frontier=Frontier.from_tuple((row.frontier_size, row.frontier)),
        previous_validators=set_at(rows, max(row.height, 1)),
        validators=current_validators(ledger),
        parameters=current_parameters(ledger),
        rules_version=current_rules_version(ledger),
        history=Frontier.from_tuple((row.height - 1, row.history)) if row.history else Frontier(),
    )


def lost_block(rows: Rows, archive: Archive, journal: Sequence[bytes]) -> int:
    """DISK-12. The lowest block that was executed here and is neither in the block log nor in the journal, so that only
    peers have it; 0 where there is none. What is below a snapshot was not executed here."""
    height, _ = height_of_tip(rows)
    if height <= archive.last:
        return 0
    read = _read_journal(journal)
    lost = 0
    while height > archive.last and rows.get(height_key(RECEIPTS, height)) is not None:
        if not read.holds(height):
            lost = height
        height = Height(height - 1)
    return lost


@dataclass(frozen=True, slots=True)
class JournalContent:
    """What a journal says. `heights`: of each record, in its order."""

    records: tuple[ibft.Record, ...]
    bodies: Mapping[Hash, BodyRecord]
    settled: Mapping[int, BlsCommit]
    heights: tuple[int, ...]

    def holds(self, height: int) -> bool:
        """Whether it can give this final block again."""
        return height in self.settled and self.settled[height].header_hash in self.bodies


def _read_journal(journal: Sequence[bytes]) -> JournalContent:
    records: list[ibft.Record] = []
    bodies: dict[Hash, BodyRecord] = {}
    heights: list[int] = []
    for record in journal:
        if record[:1] == BODY_RECORD:
            body = BODY_RECORDS.decode(record[1:])
            header = read_header(body.header)
            bodies[header.hash] = body
            heights.append(header.height)
        else:
            records.append(ibft.RECORDS.decode(record[1:]))
            heights.append(records[-1].height)
    settled = {record.height: record.commit for record in records if isinstance(record, ibft.Settled)}
    return JournalContent(tuple(records), bodies, settled, tuple(heights))


def replay_log(desk: Desk) -> bool:
    """DISK-24. Execute some blocks of the log that the store does not know; whether that was all. Where more is left,
    another event goes on."""
    count = size = 0
    while desk.tip.height < desk.archive.last:
        if count == REPLAY_BLOCKS or size >= REPLAY_BYTES:
            desk.emit(SetTimer(REPLAY, 0))
            desk.note("replaying", height=desk.tip.height, of=desk.archive.last)
            return False
        encoded = desk.archive.block(desk.tip.height + 1) or b""
        block = FINAL_BLOCKS.decode(encoded)
        _apply_again(desk, read_header(block.header), block.body, block.commit, append=False)
        count, size = count + 1, size + len(encoded)
    return True


def recover(desk: Desk, journal: tuple[bytes, ...], found: int) -> list[ibft.Record]:
    """After `replay_log`: apply what is final but only in the journal, keep the undecided bodies; the records of IBFT,
    to be folded by it. `found`: the height of the store at the start.

    Those bodies are handed out again, for after a stop of everybody there may be nobody else to ask (PROP-9).

    DISK-7. Where anything had to be applied again, all of it is made durable now, and of the journal only what concerns
    the height at hand is kept: the next power cut begins from there.
    """
    read = _read_journal(journal)
    was = desk.archive.last
    _append_again(desk, read)
    while read.holds(desk.tip.height + 1):
        commit = read.settled[desk.tip.height + 1]
        body = read.bodies[Hash(commit.header_hash)]
        _apply_again(desk, read_header(body.header), body.body, commit, append=True)
    if (was, found) != (desk.tip.height, desk.tip.height):
        kept = (record for record, height in zip(journal, read.heights, strict=True) if height > desk.tip.height)
        desk.emit(JournalCheckpoint(tuple(kept)))
    else:
        desk.blocks_since_checkpoint, desk.journal_bytes = len(read.settled), sum(map(len, journal))
    for step in read.records:
        if isinstance(step, ibft.Locked) and step.height == desk.tip.height + 1:
            desk.locked = Hash(step.certificate.header_hash)
    for header_hash, body in read.bodies.items():
        header = read_header(body.header)
        if header.height == desk.tip.height + 1 and header.parent_hash == desk.tip.hash:
            candidate = _execute_again(desk, header, body.body)
            keep(desk, candidate)
            desk.journalled[header_hash] = True
            desk.tell("assembly", Hold(header_hash, header.height, candidate.transactions))
    return [record for record in read.records if record.height > desk.tip.height]


def _append_again(desk: Desk, read: JournalContent) -> None:
    """DISK-7. After a power cut the store may be ahead of the block log, neither being synced between checkpoints; the
    journal holds every block since the last one."""
    for height in range(desk.archive.last + 1, desk.tip.height + 1):
        if read.holds(height):
            commit = read.settled[height]
            body = read.bodies[Hash(commit.header_hash)]
            desk.emit(AppendBlock(height, encode(final_block(read_header(body.header), commit, body.body))))


def _apply_again(desk: Desk, header: Header, body: Body, commit: BlsCommit, *, append: bool) -> None:
    candidate = _execute_again(desk, header, body)
    keep(desk, candidate)
    apply(desk, candidate, commit, append=append)


def _execute_again(desk: Desk, header: Header, body: Body) -> Candidate:
    """A block that was judged before the stop. Other results now mean that the disk or this program is wrong."""
    transactions = tuple(known_transaction(encoded) for encoded in body.transactions)
    execution = desk.ledger.execute(
        desk.tip.hash, BlockInput(header.height, header.timestamp_ms, header.proposer, body.evidence, transactions)
    )
    assert execution.state_root == header.state_root, f"block {header.height} executes to another state than before"
    return Candidate(header, body, execution.transactions, execution)
