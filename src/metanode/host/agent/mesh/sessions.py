"""MESH-8. One session a pair of agents: BPCI over TCP, as between validators; messages in, messages out."""

import asyncio
import logging
import time
from collections import deque
from typing import Final, Protocol

from metanode.docklock.mesh.services import Node
from metanode.host.entropy import random_bytes
from metanode.host.tcp import TcpCarrier
from metanode.network import bpci
from metanode.node.events import BytesArrived, Event, LinkClosed, LinkOpened
from metanode.primitives import ed25519
from metanode.primitives.refusal import Rejected

TICK_S: Final = 0.05
"""The pulse that BPCI wants."""
AGAIN_S: Final = 0.5
"""Least time between two tries to reach a node."""


class Listener(Protocol):
    """Who is told what comes of sessions."""

    def rose(self, peer: bytes) -> None:
        """There is a session with a node."""

    def fell(self, peer: bytes, *, again: bool) -> None:
        """There is none, or (`again`) another one follows at once."""

    def heard(self, peer: bytes, message: bytes) -> None:
        """A message. Raises `Rejected` where it is none: punished."""

    def dropped(self, peer: bytes) -> None:
        """Messages to or from it were lost."""


def now_ms() -> int:
    """This machine's clock."""
    return time.time_ns() // 1_000_000


class Sessions:
    """All sessions of one agent."""

    def __init__(self, settings: bpci.BpciSettings, key: ed25519.SigningKey) -> None:
        self._key: Final = key
        self._bpci: Final = bpci.Bpci(settings)
        self._cluster: Final = settings.cluster
        self._carrier: Final = TcpCarrier(self._deliver, now_ms)
        self._up: Final[set[bytes]] = set()
        self._dialling: Final[set[bytes]] = set()
        self._replacing: Final[set[bytes]] = set()
        self._links: Final[dict[int, bytes]] = {}
        self._tried: Final[dict[bytes, float]] = {}
        self._out: Final[dict[bytes, list[bytes]]] = {}
        self._events: Final[deque[bpci.Event]] = deque()
        self._allowed: Final[dict[bytes, Node]] = {}
        self._pulse: asyncio.TimerHandle | None = None
        self._flushing = False
        self._log: Final = logging.getLogger("metanode.agent")
        self.listener: Listener | None = None

    async def listen(self, host: str, port: int) -> int:
        """Let other agents connect; the port. Raises `OSError`."""
        bound = await self._carrier.listen(host, port)
        self._beat()
        return bound

    async def stop(self) -> None:
        """End everything."""
        if self._pulse is not None:
            self._pulse.cancel()
        await self._carrier.stop()

    def _beat(self) -> None:
        self._pulse = asyncio.get_running_loop().call_later(TICK_S, self._beat)
        self._tell(bpci.Tick(now_ms()))

    def allow(self, nodes: tuple[Node, ...]) -> None:
        """MESH-8. These and no others: who is not among them is cut."""
        if {node.key: node for node in nodes} == self._allowed:
            return
        self._allowed.clear()
        self._allowed.update({node.key: node for node in nodes})
        peers = tuple(bpci.AllowedPeer(node.key, self._cluster, bpci.Role.CLUSTER) for node in nodes)
        self._tell(bpci.AllowPeers(peers, now_ms()))

    def is_up(self, peer: bytes) -> bool:
        """Whether something can be said to it."""
        return peer in self._up

    def reach(self, node: Node) -> bool:
        """Begin a session with a node, or wait for the one that is begun; false where it was tried a moment ago."""
        if node.key in self._up | self._dialling | self._replacing or node.key in self._links.values():
            return True
        now = time.monotonic()
        if now - self._tried.get(node.key, -AGAIN_S) < AGAIN_S:
            return False
        self._tried[node.key] = now
        self._dialling.add(node.key)
        self._carrier.dial(node.key, node.endpoint)
        return True

    def say(self, peer: bytes, message: bytes) -> None:
        """A message, with everything else that is said in this turn of the loop."""
        self._out.setdefault(peer, []).append(message)
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        out = list(self._out.items())
        self._out.clear()
        for peer, messages in out:
            if peer in self._up:
                self._tell(bpci.SendMessages(peer, bpci.Stream.BULK, tuple(messages), now_ms()))

    # --- carriers ---------------------------------------------------------------------------------------------------

    def _deliver(self, event: Event) -> None:
        match event:
            case BytesArrived(time_ms, link, data):
                self._tell(bpci.BytesArrived(link, data, time_ms))
            case LinkOpened(time_ms, link, dialled, remote):
                if dialled:
                    self._dialling.discard(dialled)
                    self._links[link] = dialled
                self._tell(bpci.Connected(link, bool(dialled), dialled, remote, time_ms))
            case LinkClosed(time_ms, link):
                self._tell(bpci.Disconnected(link, time_ms))
                self._closed(link)
            case _:
                pass  # drained: BPCI's window keeps what is unsent small

    def _forget(self, peer: bytes) -> None:
        """There is no session with it; a link of ours that carried it says nothing more."""
        self._up.discard(peer)
        for link in [link for link, key in self._links.items() if key == peer]:
            del self._links[link]

    def _closed(self, link: int) -> None:
        """A link that we dialled is gone before it was up: the node cannot be reached."""
        peer = self._links.pop(link, b"")
        if peer and peer not in self._up and peer not in self._links.values() and self.listener is not None:
            self.listener.fell(peer, again=False)

    def _tell(self, event: bpci.Event) -> None:
        """One event, and all answers to what it asks; the carrier gets everything at once."""
        self._events.append(event)
        if len(self._events) > 1:
            return  # we are inside of the loop below
        closed: list[int] = []
        try:
            while self._events:
                for effect in self._bpci.handle(self._events[0]):
                    self._carry(effect, closed)
                self._events.popleft()
        finally:
            self._events.clear()
            self._carrier.flush()
            for link in closed:
                self._closed(link)

    def _carry(self, effect: bpci.Effect, closed: list[int]) -> None:
        listener = self.listener
        assert listener is not None, "given before anything is heard"
        match effect:
            case bpci.Transmit(link, data):
                self._carrier.send(link, data)
            case bpci.Delivered(peer, _, messages):
                self._delivered(peer, messages)
            case bpci.Compute(token, operation):
                result = bpci.perform(operation, self._key, random_bytes(bpci.ENTROPY_BYTES))
                self._events.append(bpci.Computed(token, result, now_ms()))
            case bpci.Close(link, _):
                self._carrier.close(link)
                closed.append(link)
            case bpci.PeerUp(peer, _, _, _):
                self._up.add(peer)
                self._replacing.discard(peer)
                self._tried.pop(peer, None)
                listener.rose(peer)
            case bpci.PeerDown(peer, reason):
                self._forget(peer)
                self._out.pop(peer, None)
                again = reason is bpci.LinkEnd.REPLACED
                if again:
                    self._replacing.add(peer)
                listener.fell(peer, again=again)
            case bpci.Dropped(peer, _, _):
                listener.dropped(peer)
            case bpci.Blame(peer, _, reason, detail):
                why = f"{peer.hex()[:16]} {detail}"
                self._log.warning("mesh: turned away", extra={"code": reason.value, "why": why})
            case _:
                pass  # checkpoints that hold, and round trips

    def _delivered(self, peer: bytes, messages: tuple[bytes, ...]) -> None:
        """MESH-10. Who breaks a rule of the mesh loses its session, and is turned away for a while (BPCI-A2)."""
        assert self.listener is not None, "given before anything is heard"
        try:
            for message in messages:
                self.listener.heard(peer, message)
        except Rejected as rejected:
            self._tell(bpci.Punish(peer, str(rejected), now_ms()))
