"""The TCP carrier: bytes in, bytes out, one small number a connection. What the bytes mean, the node knows."""

import asyncio
import ipaddress
from collections.abc import Callable
from typing import Final

from metanode.node.effects import Note
from metanode.node.events import BytesArrived, Event, LinkClosed, LinkDrained, LinkOpened
from metanode.primitives.refusal import Refusal

LINKS_MAX: Final = 256
"""Connections of others open at once; one more is closed before a byte is read: every link may hold buffers. Those that
this node dialled are not counted, for the node bounds them itself, and strangers must not keep it from its peers."""
LINKS_PER_HOST_MAX: Final = 128
"""Of one host: half, so that nobody alone takes every place. Peers that share a machine or an address stay below it."""
DIAL_TIMEOUT_S: Final = 5.0
"""A peer that does not answer a dial within this is not there."""
BUFFER_HIGH_BYTES: Final = 8 << 20
"""Above this much unsent on one link nothing more is taken from the node until it drains."""
BUFFER_LOW_BYTES: Final = 1 << 20
"""Below this the node is told that it may send again."""
BUFFER_MAX_BYTES: Final = 32 << 20
"""A peer that lets this much pile up is not reading: its link is closed."""


class CarrierRefusal(Refusal):
    """Why a connection is closed unread."""

    TOO_MANY_LINKS = "tcp.too-many-links"
    """As many connections of others are open as may, in all or of this host."""


def too_many_links(count: int) -> Note:
    """BPCI-H10. So many were turned away lately: one line and one count for all, for a flood has no names."""
    detail = f"at most {LINKS_MAX} connections of others may be open, {LINKS_PER_HOST_MAX} of one host"
    return Note("blame", {"peer": "", "reason": CarrierRefusal.TOO_MANY_LINKS.value, "detail": detail, "count": count})


def host_of(remote: str) -> str:
    """Whose connection `address:port` is: the address; of IPv6 its first 64 bits, for the rest is its own choice."""
    text = remote.rpartition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv4Address):
        return text
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)).network_address)


class _Link(asyncio.Protocol):
    """One connection."""

    def __init__(self, carrier: "TcpCarrier", dialled: bytes) -> None:
        self._carrier = carrier
        self.dialled = dialled
        self.host = ""
        self.number = 0
        self.transport: asyncio.Transport | None = None
        self.outgoing: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self.transport = transport  # type: ignore[assignment]
        transport.set_write_buffer_limits(BUFFER_HIGH_BYTES, BUFFER_LOW_BYTES)  # type: ignore[attr-defined]
        peer = transport.get_extra_info("peername") or ("?", 0)
        self._carrier.opened(self, self.dialled, f"{peer[0]}:{peer[1]}")

    def data_received(self, data: bytes) -> None:
        self._carrier.arrived(self.number, data)

    def resume_writing(self) -> None:
        self._carrier.drained(self.number)

    def connection_lost(self, _: Exception | None) -> None:
        self._carrier.lost(self.number)


class TcpCarrier:
    """All TCP connections of a node. `deliver` takes node events; `now_ms` is the host's clock."""

    def __init__(self, deliver: Callable[[Event], None], now_ms: Callable[[], int]) -> None:
        self._deliver = deliver
        self._now_ms = now_ms
        self._links: dict[int, _Link] = {}
        self._dirty: dict[int, _Link] = {}
        self._next = 1
        self._server: asyncio.Server | None = None
        self._dials: set[asyncio.Task[None]] = set()
        self.latency_ms = 0
        self.turned_away = 0

    async def listen(self, host: str, port: int, *, serving: bool = True) -> int:
        """Listen, or only take the port until `serve`; returns the port bound. Raises `OSError` where it is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Link(self, b""), host, port, reuse_address=True, start_serving=serving
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def serve(self) -> None:
        """Let others connect. Raises `OSError`."""
        assert self._server is not None, "the port was taken before"
        await self._server.start_serving()

    def dial(self, peer: bytes, address: str) -> None:
        """Open a connection in the background; failure is heard as `LinkClosed` of a fresh number."""
        task = asyncio.get_running_loop().create_task(self._dial(peer, address))
        self._dials.add(task)
        task.add_done_callback(self._dials.discard)

    async def _dial(self, peer: bytes, address: str) -> None:
        host, _, port = address.rpartition(":")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(DIAL_TIMEOUT_S):
                await loop.create_connection(lambda: _Link(self, peer), host.strip("[]"), int(port))
        except (OSError, TimeoutError, ValueError, OverflowError):
            number = self._number()
            self._deliver(LinkOpened(self._now_ms(), number, peer, address))
            self._deliver(LinkClosed(self._now_ms(), number))

    def _number(self) -> int:
        self._next += 1
        return self._next - 1

    def opened(self, link: _Link, dialled: bytes, remote: str) -> None:
        """A connection is there."""
        link.number, link.host = self._number(), host_of(remote)
        hosts = [other.host for other in self._links.values() if not other.dialled]
        if not dialled and (len(hosts) >= LINKS_MAX or hosts.count(link.host) >= LINKS_PER_HOST_MAX):
            assert link.transport is not None
            self.turned_away += 1
            link.transport.abort()
            return
        self._links[link.number] = link
        self._deliver(LinkOpened(self._now_ms(), link.number, dialled, remote))

    def arrived(self, number: int, data: bytes) -> None:
        """Bytes came."""
        if number in self._links:
            self._deliver(BytesArrived(self._now_ms(), number, data))

    def drained(self, number: int) -> None:
        """The write buffer is low again."""
        if number in self._links:
            self._deliver(LinkDrained(self._now_ms(), number))

    def lost(self, number: int) -> None:
        """The connection is gone."""
        if self._links.pop(number, None) is not None:
            self._deliver(LinkClosed(self._now_ms(), number))

    def send(self, number: int, data: bytes) -> None:
        """Queue bytes; they leave at the end of the loop's turn, joined (`flush`)."""
        link = self._links.get(number)
        if link is not None:
            link.outgoing.append(data)
            self._dirty[number] = link

    def flush(self) -> None:
        """Hand everything queued to the kernel, one write a link."""
        for link in self._dirty.values():
            data = b"".join(link.outgoing)
            link.outgoing.clear()
            if self.latency_ms:
                loop = asyncio.get_running_loop()
                loop.call_later(self.latency_ms / 1000, self._write, link, data)
            else:
                self._write(link, data)
        self._dirty.clear()

    def _write(self, link: _Link, data: bytes) -> None:
        transport = link.transport
        if transport is None or transport.is_closing():
            return
        transport.write(data)
        if transport.get_write_buffer_size() > BUFFER_MAX_BYTES:
            transport.abort()

    def close(self, number: int) -> None:
        """Close after what was queued has left."""
        link = self._links.get(number)
        if link is not None and link.transport is not None:
            self.flush()
            link.transport.close()

    async def stop(self) -> None:
        """Close everything."""
        for task in tuple(self._dials):
            task.cancel()
        if self._server is not None:
            self._server.close()
        self.flush()
        for link in tuple(self._links.values()):
            if link.transport is not None:
                link.transport.close()
        await asyncio.sleep(0)
