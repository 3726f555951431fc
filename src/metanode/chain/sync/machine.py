"""Catching up by ranges of final blocks, from several peers at once; and helping others to."""

from dataclasses import replace
from typing import Final, assert_never

from metanode.chain.bls import AggregateClaim
from metanode.chain.light import Trusted
from metanode.chain.sync import events as ev
from metanode.chain.sync.messages import (
    ANSWER_BYTES_MAX,
    RANGE_BLOCKS_MAX,
    Blocks,
    Head,
    Manifest,
    Message,
    StatePiece,
    WantBlocks,
    WantManifest,
    WantPiece,
)
from metanode.chain.sync.rules import SyncRefusal, after, check_block, claimed_height
from metanode.chain.sync.snapshot_giving import SnapshotGiving, Snapshots
from metanode.chain.sync.snapshot_taking import SnapshotTaking, StateCheck
from metanode.chain.sync.state import (
    ASK_TIMEOUT_MS,
    BARRED_MS,
    BATCH_BLOCKS_MAX,
    BUFFER_BYTES_MAX,
    HEAD_PERIOD_MS,
    HEAD_REPEAT_MS,
    IMPORT_BLOCKS_MAX,
    IMPORT_TRANSACTIONS_MAX,
    IN_FLIGHT_MAX,
    LAG_MS,
    PAUSE_MS,
    SERVED_BYTES_MAX,
    SERVED_PERIOD_MS,
    WINDOW_BLOCKS,
    Archive,
    Arrived,
    Peer,
    Progress,
    Run,
    Sound,
)
from metanode.primitives.names import Height
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.block import FINAL_BLOCKS
from metanode.records.vote import HEIGHT_MAX


class Sync:
    """SYNC. `tip`: the last block applied when the machine is made; from then on `Applied` tells.

    `snapshots`: who cuts the state for others, if anybody does. `take`: given, the state is taken from peers first
    (SYNC-8), and `tip` is the basis of trust.
    """

    def __init__(
        self,
        tip: Trusted,
        archive: Archive,
        *,
        votes: bool = False,
        snapshots: Snapshots | None = None,
        take: StateCheck | None = None,
    ) -> None:
        self._archive: Final = archive
        self._giving: Final = SnapshotGiving(snapshots) if snapshots is not None else None
        self._taking = SnapshotTaking(tip, take) if take is not None else None
        self._progress: Final = Progress(tip, tip, votes)
        self._out: list[ev.Effect] = []

    def handle(self, event: ev.Event) -> list[ev.Effect]:
        """Take one event, return the effects in order."""
        out: list[ev.Effect] = []
        self._out = out
        peers = self._progress.peers
        match event:
            case ev.Applied():
                self._applied(event)
            case ev.Hint(peer, height):
                if peer in peers:
                    peers[peer].last = max(peers[peer].last, height - 1)
            case ev.PeerUp(peer):
                peers[peer] = Peer()
                if self._taking is not None:
                    self._taking.peer_up(peer)
                out.append(ev.Send((peer,), self._head()))
            case ev.PeerDown(peer):
                peers.pop(peer, None)
                self._progress.drop_peer(peer)
                if self._taking is not None:
                    self._taking.peer_down(peer)
            case ev.Received(now_ms, peer, message):
                if peer in peers:
                    self._hear(now_ms, peer, message)
                    self._pump(now_ms)
            case ev.CommitsChecked(now_ms, token, verdicts):
                if self._taking is not None and self._taking.knows(token):
                    out += self._taking.checked(now_ms, token, verdicts)
                else:
                    self._checked(now_ms, token, verdicts)
                    self._import()
                self._pump(now_ms)
            case ev.Tick(now_ms):
                self._tell_head(now_ms)
                if self._giving is not None:
                    self._giving.tick(now_ms)
                if self._taking is not None:
                    out += self._taking.tick(now_ms)
                self._import()
                self._pump(now_ms)
            case _ as never:
                assert_never(never)
        return out

    def _hear(self, now_ms: int, peer: bytes, message: Message) -> None:
        match message:
            case Head(version=version, first=first, last=last):
                if version != 1 or not 0 <= first <= last <= HEIGHT_MAX:
                    self._blame(now_ms, peer, SyncRefusal.MALFORMED, f"keeps {first} to {last}")
                    return
                entry = self._progress.peers[peer]
                entry.first, entry.last = first, last
            case WantBlocks():
                self._serve(now_ms, peer, message)
            case Blocks():
                self._take(now_ms, peer, message)
            case _:
                self._hear_of_snapshots(now_ms, peer, message)

    def _hear_of_snapshots(
        self, now_ms: int, peer: bytes, message: WantManifest | Manifest | WantPiece | StatePiece
    ) -> None:
        progress, giving, taking = self._progress, self._giving, self._taking
        match message:
            case WantManifest():
                if giving is not None:
                    self._out.append(ev.Send((peer,), giving.manifest(now_ms, peer, message)))
            case WantPiece():
                if giving is not None:
                    self._out.append(ev.Send((peer,), giving.piece(now_ms, peer, message)))
            case Manifest():
                if taking is not None:
                    progress.token += 1
                    self._out += taking.manifest(now_ms, peer, message, progress.token)
            case StatePiece():
                if taking is not None:
                    self._out += taking.piece(now_ms, peer, message)
            case _ as never:
                assert_never(never)

    # --- where we are -----------------------------------------------------------------------------------------------

    def _applied(self, event: ev.Applied) -> None:
        """SYNC-1. A block was applied, by consensus or by an `Import`; observers hear of it at once."""
        progress = self._progress
        self._taking = None
        progress.tip = replace(
            progress.tip,
            height=event.height,
            hash=event.header_hash,
            timestamp_ms=event.timestamp_ms,
            validators=event.validators,
            header=(),
        )
        progress.votes, progress.tip_ms = event.votes, event.now_ms
        if progress.verified.height <= event.height:
            progress.verified = progress.tip
        for height in [h for h in progress.arrived if h <= event.height]:
            progress.drop(height)
        while progress.ready and progress.ready[0].header.height <= event.height:
            progress.size -= progress.ready.popleft().size
        seats = event.validators.seats_by_transport_key
        observers = tuple(peer for peer in progress.peers if peer not in seats)
        if observers and not progress.ready:
            self._out.append(ev.Send(observers, self._head()))
        self._pump(event.now_ms)

    def _judge_behind(self) -> None:
        """SYNC-2. Behind: two or more final blocks are missing, as an honest validator says or certificates show; until
        nothing that follows is under way."""
        progress = self._progress
        height = max(claimed_height(progress), progress.verified.height)
        behind = height >= progress.tip.height + 2
        if progress.behind and (progress.run is not None or progress.ready):
            behind = True
        if behind and not progress.behind:
            self._out.append(ev.Behind(Height(height)))
        if progress.behind and not behind:
            self._out.append(ev.CaughtUp(progress.tip.height))
        progress.behind = behind

    def _head(self) -> Head:
        last = min(self._archive.last, self._progress.tip.height)
        return Head(version=1, first=min(self._archive.first, last), last=last)

    def _tell_head(self, now_ms: int) -> None:
        """SYNC-1. Every peer hears from time to time which blocks are here."""
        progress = self._progress
        head = self._head()
        period = HEAD_PERIOD_MS if head.last != progress.told else HEAD_REPEAT_MS
        if progress.peers and now_ms >= progress.told_ms + period:
            progress.told, progress.told_ms = head.last, now_ms
            self._out.append(ev.Send(tuple(progress.peers), head))

    # --- asking -----------------------------------------------------------------------------------------------------

    def _pump(self, now_ms: int) -> None:
        """What can go on, goes on; by blocks only where no state is being taken."""
        if self._taking is not None and self._taking.over and not any(isinstance(e, ev.Install) for e in self._out):
            self._taking = None
        if self._taking is None:
            self._check(now_ms)
            self._ask(now_ms)
        self._judge_behind()

    def _ask(self, now_ms: int) -> None:
        """SYNC-4. Ranges above what is verified, one a peer, a few at once. Who gave nothing lately comes last."""
        progress = self._progress
        in_flight: list[Peer] = []
        for peer in progress.peers.values():
            if peer.asked_count and now_ms >= peer.asked_ms + ASK_TIMEOUT_MS:
                peer.asked_count, peer.free_ms = 0, now_ms + PAUSE_MS
                peer.misses += 1
            if peer.asked_count:
                in_flight.append(peer)
        target = max((peer.last for peer in progress.peers.values()), default=0)
        target = min(target, progress.verified.height + WINDOW_BLOCKS)
        soon = progress.votes and target <= progress.tip.height + 1 and now_ms < progress.tip_ms + LAG_MS
        if soon or progress.size >= BUFFER_BYTES_MAX:
            return
        due = self._due(in_flight, target)
        for key, peer in sorted(progress.peers.items(), key=lambda item: item[1].misses):
            if not due or len(in_flight) >= IN_FLIGHT_MAX:
                return
            if peer.asked_count or now_ms < peer.free_ms:
                continue
            first = next((height for height in due if peer.first <= height <= peer.last), 0)
            if first == 0:
                continue
            count = 0
            while count < RANGE_BLOCKS_MAX and first + count in due and first + count <= peer.last:
                del due[first + count]
                count += 1
            peer.asked_first, peer.asked_count, peer.asked_ms = first, count, now_ms
            in_flight.append(peer)
            self._out.append(ev.Send((key,), WantBlocks(version=1, first=first, count=count)))

    def _due(self, in_flight: list[Peer], target: int) -> dict[int, None]:
        """Heights that nobody was asked for, ascending."""
        progress = self._progress
        run = progress.run
        start = run.after.height if run is not None else progress.verified.height
        due = dict.fromkeys(h for h in range(start + 1, target + 1) if h not in progress.arrived)
        for peer in in_flight:
            for height in range(peer.asked_first, peer.asked_first + peer.asked_count):
                due.pop(height, None)
        return due

    def _take(self, now_ms: int, key: bytes, message: Blocks) -> None:
        """SYNC-4. An answer counts only as the answer to what was asked; an empty one means: not here, not now."""
        progress = self._progress
        peer = progress.peers[key]
        if message.version != 1 or len(message.blocks) > RANGE_BLOCKS_MAX:
            self._blame(now_ms, key, SyncRefusal.MALFORMED, f"{len(message.blocks)} blocks")
            return
        if peer.asked_count == 0 or message.first != peer.asked_first or len(message.blocks) > peer.asked_count:
            return  # it was given up
        peer.asked_count = 0
        if not message.blocks:
            peer.free_ms = now_ms + PAUSE_MS
        peer.misses = 0 if message.blocks else peer.misses + 1
        for height, data in enumerate(message.blocks, message.first):
            if height <= progress.verified.height or height in progress.arrived:
                continue
            try:
                block = FINAL_BLOCKS.decode(data)
            except Rejected as rejected:
                self._blame(now_ms, key, SyncRefusal.NOT_A_BLOCK, str(rejected))
                return
            progress.arrived[height] = Arrived(key, block, len(data))
            progress.size += len(data)

    # --- verifying --------------------------------------------------------------------------------------------------

    def _check(self, now_ms: int) -> None:
        """SYNC-3. The next consecutive blocks of one peer, up to a change of the set; their certificates together."""
        progress = self._progress
        if progress.run is not None or not progress.set_is_known:
            return
        trusted = progress.verified
        first = progress.arrived.get(trusted.height + 1)
        if first is None:
            return
        sounds: list[Sound] = []
        claims: list[AggregateClaim] = []
        while len(sounds) < BATCH_BLOCKS_MAX:
            arrived = progress.arrived.get(trusted.height + 1)
            if arrived is None or arrived.peer != first.peer:
                break
            try:
                sound, claim = check_block(trusted, arrived.block, arrived.size)
            except Rejected as rejected:
                self._blame(now_ms, first.peer, rejected.reason, rejected.detail)
                break
            del progress.arrived[sound.header.height]  # from here on it is the run's
            sounds.append(sound)
            claims.append(claim)
            trusted = after(trusted, sound)
            if sound.header.next_validators_hash != sound.header.validators_hash:
                break
        if sounds:
            progress.token += 1
            progress.run = Run(progress.token, first.peer, tuple(sounds), trusted)
            self._out.append(ev.CheckCommits(progress.token, tuple(claims)))

    def _checked(self, now_ms: int, token: int, verdicts: tuple[bool, ...]) -> None:
        """SYNC-3. Good certificates move what is verified; one bad one discards the run and blames who gave it."""
        progress = self._progress
        run = progress.run
        if run is None or run.token != token:
            return
        progress.run = None
        if not all(verdicts):
            progress.size -= sum(sound.size for sound in run.blocks)
            height = run.blocks[verdicts.index(False)].header.height
            self._blame(now_ms, run.peer, SyncRefusal.WRONG_COMMIT, f"height {height}: the signature does not verify")
            return
        for sound in run.blocks:
            if sound.header.height > progress.tip.height:
                progress.ready.append(sound)
            else:
                progress.size -= sound.size
        if run.after.height > progress.verified.height:
            progress.verified = run.after

    def _import(self) -> None:
        """SYNC-5. Hand over in order, a bounded amount at a time, so that the node hears others in between."""
        progress = self._progress
        blocks = transactions = 0
        for sound in progress.ready:
            if sound.header.height <= progress.tip.height:
                continue
            transactions += len(sound.transactions)
            if blocks and (blocks >= IMPORT_BLOCKS_MAX or transactions > IMPORT_TRANSACTIONS_MAX):
                break
            blocks += 1
            self._out.append(ev.Import(sound.header, sound.commit, sound.body, sound.transactions))

    def _blame(self, now_ms: int, key: bytes, refusal: Refusal, detail: str) -> None:
        """SYNC-6. Everything a liar gave is discarded, and others are asked."""
        progress = self._progress
        progress.drop_peer(key)
        peer = progress.peers.get(key)
        if peer is not None:
            peer.asked_count, peer.free_ms = 0, now_ms + BARRED_MS
        self._out.append(ev.Blame(key, refusal, detail))

    # --- serving ----------------------------------------------------------------------------------------------------

    def _serve(self, now_ms: int, key: bytes, want: WantBlocks) -> None:
        """SYNC-7. As they are in the log, as many as fit one answer, each peer a bounded number of bytes a second."""
        if want.version != 1 or not 0 < want.first <= HEIGHT_MAX or not 0 < want.count <= RANGE_BLOCKS_MAX:
            self._blame(now_ms, key, SyncRefusal.MALFORMED, f"wants {want.count} blocks from {want.first}")
            return
        peer = self._progress.peers[key]
        if now_ms >= peer.served_ms + SERVED_PERIOD_MS:
            peer.served_ms, peer.served_bytes = now_ms, 0
        found: list[bytes] = []
        size = 0
        for height in range(want.first, want.first + want.count):
            if peer.served_bytes + size >= SERVED_BYTES_MAX:
                break
            data = self._archive.block(height) if height <= self._progress.tip.height else None
            if data is None or (found and size + len(data) > ANSWER_BYTES_MAX):
                break
            found.append(data)
            size += len(data)
        peer.served_bytes += size
        self._out.append(ev.Send((key,), Blocks(version=1, first=want.first, blocks=tuple(found))))
