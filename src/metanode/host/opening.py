"""Opening what a data directory holds, in order; what was found damaged is said in the log, once."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from metanode.host.block_log import BlockLog
from metanode.host.data_directory import DataDirectory, Layout
from metanode.host.disk import Disk
from metanode.host.entropy import random_bytes
from metanode.host.fault import Fault, FaultReason, repair_fix
from metanode.host.guard_file import GuardCondition
from metanode.host.journal import Journal, JournalCut, JournalDamaged
from metanode.host.keys import find_password, load_validator_keys
from metanode.host.logs import Log
from metanode.host.settings import LogLevel, Settings
from metanode.host.signer import Signer, open_signer
from metanode.host.store import Store
from metanode.host.verify import Pool
from metanode.node.boot import first_rows, height_of_tip, lost_block
from metanode.node.rows import TIP
from metanode.primitives import bls
from metanode.primitives.ed25519 import SigningKey
from metanode.primitives.refusal import Rejected
from metanode.records.genesis import Genesis


@dataclass(frozen=True, slots=True)
class Opened:
    """Everything one process holds. An observer has keys for its links, and no signer."""

    directory: DataDirectory
    genesis: Genesis
    name: str
    transport_key: SigningKey
    vote_key: bytes
    store: Store
    blocks: BlockLog
    journal: Journal
    records: tuple[bytes, ...]
    journal_is_whole: bool
    signers: tuple[Signer, ...]
    log: Log
    verifiers: tuple[Pool, ...]

    @property
    def layout(self) -> Layout:
        """Where things are."""
        return self.directory.layout

    @property
    def may_vote(self) -> bool:
        """DISK-18. Whether the journal is whole and the guard holds."""
        return self.journal_is_whole and any(signer.may_sign for signer in self.signers)

    @property
    def guard_record(self) -> bytes:
        """What the guard holds, for the start-up question."""
        return self.signers[0].record if self.signers else b""


def open_all(
    directory: DataDirectory, settings: Settings, environment: Mapping[str, str], closing: ExitStack
) -> Opened:
    """Open everything; `closing` closes it in reverse. Raises `Fault`."""
    layout, genesis, disk = directory.layout, directory.genesis, Disk()
    password = find_password(settings.keys.password_file, environment)
    secrets = load_validator_keys(layout.keys, password, development=genesis.development)
    public = secrets.public
    named = next((v.name for v in genesis.validators if v.vote_key == public.vote_key), "observer")
    name = settings.name or named
    log = Log(settings.log, name, layout.root)
    closing.callback(log.close)
    store = Store(layout.store)
    closing.callback(store.close)
    if store.get(TIP) is None:
        check_possessions(genesis)
        store.write(first_rows(genesis))
        store.flush()
    blocks = BlockLog(layout.blocks, disk, random_bytes)
    closing.callback(blocks.close)
    journal, found = Journal.open(layout.journal, disk, random_bytes)
    closing.callback(journal.close)
    check_blocks(layout, store, blocks, found.records)
    if isinstance(found, JournalDamaged):
        journal.begin_segment(found.records)  # this life only observes; the guard knows what the lost part promised
    signers: tuple[Signer, ...] = ()
    if directory.owner.is_validator:
        signers = (open_signer(layout, directory.owner, secrets, disk),)
        closing.callback(signers[0].close)
    verifiers = (Pool(settings.verify.workers),) if settings.verify.workers else ()
    for pool in verifiers:
        closing.callback(pool.close)
    opened = Opened(
        directory=directory,
        genesis=genesis,
        name=name,
        transport_key=SigningKey(secrets.transport),
        vote_key=public.vote_key,
        store=store,
        blocks=blocks,
        journal=journal,
        records=found.records,
        journal_is_whole=not isinstance(found, JournalDamaged),
        signers=signers,
        log=log,
        verifiers=verifiers,
    )
    _say(opened, found)
    return opened


def check_blocks(layout: Layout, store: Store, blocks: BlockLog, records: Sequence[bytes]) -> None:
    """DISK-12. Every block that was executed here is in the log or in the journal, and the log goes on where the store
    ends: otherwise the node would go on above a gap, and forget what is below it. Raises `Fault`."""
    height, _ = height_of_tip(store)
    lost = lost_block(store, blocks, records)
    if lost:
        detail = f"{layout.blocks} ends at block {blocks.last}, block {lost} is in no journal, the store is at {height}"
        raise Fault(FaultReason.BLOCK_LOG_DAMAGED, detail, repair_fix(layout.root))
    if has_gap(height, blocks):
        detail = f"{layout.store} ends at block {height}, the block log begins at {blocks.first}"
        raise Fault(FaultReason.STORE_DAMAGED, detail, repair_fix(layout.root))


def has_gap(height: int, blocks: BlockLog) -> bool:
    """Whether the log has blocks, but not the one after this height of the store."""
    return height + 1 < blocks.first <= blocks.last


def check_possessions(genesis: Genesis) -> None:
    """GEN-3. The pairings, once in the life of a store: who brings a key of which it holds no secret, made of others',
    could sign for them. Raises `Fault`."""
    fix = "run `bpi genesis check` on it, and ask whoever made it for another one"
    for validator in genesis.validators:
        if not bls.verify_possession(validator.bls_key, validator.possession):
            detail = f"validator {validator.name!r}: its proof of possession does not verify"
            raise Fault(FaultReason.DIRECTORY_UNPROVED, detail, fix)
    try:
        bls.check_distinct([validator.bls_key for validator in genesis.validators])
    except Rejected as rejected:
        raise Fault(FaultReason.DIRECTORY_UNPROVED, str(rejected), fix) from rejected


def _say(opened: Opened, found: object) -> None:
    """Damage is never silent."""
    log = opened.log
    if isinstance(found, JournalCut):
        log.write(LogLevel.WARNING, "journal_cut", bytes=found.cut_bytes)
    if isinstance(found, JournalDamaged):
        fix = "nothing: it observes until it is started again, and then votes above what its guard allowed"
        log.write(LogLevel.ERROR, "journal_damaged", detail=found.detail, fix=fix)
    if opened.blocks.cut_bytes:
        log.write(LogLevel.WARNING, "block_log_cut", bytes=opened.blocks.cut_bytes)
    for damage in opened.blocks.damages:
        log.write(LogLevel.ERROR, "block_log_damaged", detail=str(damage))
    for signer in opened.signers:
        if signer.condition is GuardCondition.FELL_BACK:
            log.write(LogLevel.WARNING, "guard_fell_back", detail="a slot is damaged, the other one holds")
        if not signer.may_sign:
            fix = f"it observes; stop it, and run `bpi node vouch --data {opened.layout.root}`, to let it vote again"
            log.write(LogLevel.ERROR, "guard_unusable", condition=signer.condition.value, fix=fix)
