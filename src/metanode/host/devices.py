"""Everything of the world a node's effects are carried out with: keys, mathematics, clients, log; the disk beside."""

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Final

from metanode.chain.guard import Request
from metanode.host.clients import Clients
from metanode.host.clock import Clock
from metanode.host.durables import Durables
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


class Devices:
    """One node's world. Called by the loop only, in its thread."""

    def __init__(self, clock: Clock, opened: Opened, clients: Clients, metrics: Metrics, retention_blocks: int) -> None:
        self._clock: Final = clock
        self.disk: Final = Durables(opened, metrics, retention_blocks)
        self._directory: Final = opened.directory
        self._signers: Final = opened.signers
        self._transport_key: Final = opened.transport_key
        self._verifiers: Final = list(opened.verifiers)
        self._clients: Final = clients
        self._log: Final = opened.log
        self._metrics: Final = metrics
        self._slices: list[Slices] = []
        self.carrier: TcpCarrier

    def now_ms(self) -> int:
        """The wall clock, in milliseconds of Unix time."""
        return self._clock.now_ms()

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
                self._directory.check_ours()
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
        """Hand a batch to the verify workers, if there are any; the answer comes as an event. Where one has died, all
        is checked in slices from then on, as without workers."""
        if not self._verifiers:
            return False
        if self._verifiers[0].is_lost:
            self._verifiers.pop().close()
            self._log.write(LogLevel.WARNING, "verify_workers_lost", fix="start the node again to have them back")
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

    def bug(self, bug: out.Bug) -> None:
        """HTTP-21. A bug that cost one answer: said fully, and counted."""
        self._log.bug(bug.method, bug.error)
        self._metrics.bug(bug.method)

    def crashed(self, error: Exception) -> None:
        """A bug or a fault: say it fully, once."""
        self._log.crash(error)
