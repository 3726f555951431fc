"""Everything of the world a node's effects are carried out with: disk, keys, mathematics, clients, log."""

import asyncio
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Final

from metanode.chain.guard import Request
from metanode.host.clients import Clients
from metanode.host.clock import Clock
from metanode.host.entropy import random_bytes
from metanode.host.metrics import Metrics
from metanode.host.opening import Opened
from metanode.host.settings import LogLevel
from metanode.host.signer import Refused
from metanode.host.tcp import TcpCarrier
from metanode.host.verify import Slices, check_aggregates, check_shares, check_signatures
from metanode.network.bpci import ENTROPY_BYTES, perform
from metanode.node import effects as out
from metanode.node import events as heard

PRUNE_EVERY_BLOCKS: Final = 256
"""Old blocks are dropped in steps of at least this many: whole segments go at once."""


class Devices:
    """One node's world. Called by the loop only, in its thread."""

    def __init__(self, clock: Clock, opened: Opened, clients: Clients, metrics: Metrics, retention_blocks: int) -> None:
        self._clock: Final = clock
        self._journal: Final = opened.journal
        self._blocks: Final = opened.blocks
        self._store: Final = opened.store
        self._signers: Final = opened.signers
        self._transport_key: Final = opened.transport_key
        self._verifiers: Final = opened.verifiers
        self._clients: Final = clients
        self._log: Final = opened.log
        self._metrics: Final = metrics
        self._retention_blocks: Final = retention_blocks
        self._slices: list[Slices] = []
        self.carrier: TcpCarrier

    def now_ms(self) -> int:
        """The wall clock, in milliseconds of Unix time."""
        return self._clock.now_ms()

    # --- disk ---------------------------------------------------------------------------------------------------------

    def journal(self, records: list[bytes]) -> None:
        """DISK-1. Return when the records are durable."""
        began = perf_counter()
        self._journal.append(records)
        self._metrics.journalled(perf_counter() - began)

    def checkpoint(self, records: tuple[bytes, ...]) -> None:
        """DISK-7. Blocks, then state, durable; only then the journal begins anew."""
        began = perf_counter()
        self._blocks.sync()
        self._store.flush()
        self._journal.begin_segment(records)
        self._metrics.checkpointed(perf_counter() - began)

    def close_cleanly(self) -> None:
        """DISK-7. A graceful stop: blocks and state durable; the journal stays as it is."""
        self._blocks.sync()
        self._store.flush()

    def append_block(self, height: int, block: bytes) -> None:
        """Append to the block log; from time to time drop what retention allows."""
        if self._blocks.last and height != self._blocks.last + 1:
            self._blocks.restart(height)  # state came by snapshot: the log begins anew above the gap
        self._blocks.append(height, block)
        if self._retention_blocks and height % PRUNE_EVERY_BLOCKS == 0:
            self._blocks.prune(height - self._retention_blocks)

    def write_store(self, height: int, rows: Mapping[bytes, bytes | None]) -> None:
        """DISK-8. One atomic batch."""
        del height
        self._store.write(rows)

    # --- keys and mathematics -----------------------------------------------------------------------------------------

    def answer(
        self, effect: out.CheckSignatures | out.CheckShares | out.CheckAggregates | out.SignVote | out.Compute
    ) -> heard.Event:
        """What is answered at once: votes must not wait."""
        now_ms = self.now_ms()
        match effect:
            case out.CheckSignatures(room, token, items):
                return heard.SignaturesChecked(now_ms, room, token, check_signatures(items))
            case out.CheckAggregates(room, token, items):
                return heard.AggregatesChecked(now_ms, room, token, check_aggregates(items))
            case out.CheckShares(token, message, keys, shares):
                total, bad = check_shares(message, keys, shares)
                return heard.SharesChecked(now_ms, token, total, bad)
            case out.SignVote():
                began = perf_counter()
                verdict = self._signers[0].sign(
                    Request(effect.vote, effect.chain_id, effect.validators_hash, effect.seal_message)
                )
                self._metrics.signed(perf_counter() - began)
                if isinstance(verdict, Refused):
                    return heard.VoteRefused(now_ms, verdict.vote, verdict.reason)
                return heard.VoteSigned(now_ms, verdict.vote)
            case out.Compute(room, token, operation):
                result = perform(operation, self._transport_key, random_bytes(ENTROPY_BYTES))
                return heard.Computed(now_ms, room, token, result)

    def verify_later(self, effect: out.CheckSignatures, deliver: Callable[[heard.Event], None]) -> bool:
        """Hand a batch to the verify workers, if there are any; the answer comes as an event."""
        if not self._verifiers:
            return False
        loop = asyncio.get_running_loop()

        def done(verdicts: tuple[bool, ...]) -> None:
            event = heard.SignaturesChecked(self.now_ms(), effect.room, effect.token, verdicts)
            loop.call_soon_threadsafe(deliver, event)

        self._verifiers[0].check(effect.items, done)
        return True

    def check_slice(self, effect: out.CheckSignatures, count: int) -> tuple[bool, ...] | None:
        """Check the next few signatures of the oldest batch; all verdicts once it is through."""
        if not self._slices:
            self._slices.append(Slices(effect.items))
        verdicts = self._slices[0].step(count)
        if verdicts is not None:
            self._slices.clear()
        return verdicts

    # --- people -------------------------------------------------------------------------------------------------------

    def outward(self, effect: out.Answer | out.BatchAnswer | out.PublishFinal) -> None:
        """Answers to clients, and news for subscribers."""
        self._clients.outward(effect)

    def closing(self, link: int, reason: str) -> None:
        """Close a link, and say why in the log."""
        self._log.write(LogLevel.DEBUG, "link_closed", link=link, reason=reason)
        self.carrier.close(link)

    def note(self, note: out.Note) -> None:
        """Logs and metrics are folds over notes."""
        self._log.note(note)
        self._metrics.note(note)

    def crashed(self, error: Exception) -> None:
        """A bug or a fault: say it fully, once."""
        self._log.crash(error)
