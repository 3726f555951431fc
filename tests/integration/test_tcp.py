"""The TCP carrier over real loopback sockets."""

import asyncio
from typing import Any

import pytest

from metanode.host import tcp
from metanode.host.tcp import CarrierRefusal, TcpCarrier, host_of, too_many_links
from metanode.node.events import BytesArrived, Event, LinkClosed, LinkOpened


class Ear:
    """Writes events down."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    async def wait(self, kind: type[Any], count: int = 1) -> list[Any]:
        async with asyncio.timeout(5):
            while len(found := [e for e in self.events if isinstance(e, kind)]) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        return found


def test_bytes_arrive_in_order_and_a_close_is_heard_on_both_sides() -> None:
    async def play() -> None:
        here, there = Ear(), Ear()
        one, two = TcpCarrier(here, lambda: 1), TcpCarrier(there, lambda: 2)
        port = await two.listen("127.0.0.1", 0)
        one.dial(b"peer", f"127.0.0.1:{port}")
        (opened,) = await here.wait(LinkOpened)
        (accepted,) = await there.wait(LinkOpened)
        assert (opened.dialled, accepted.dialled) == (b"peer", b"")
        for number in range(100):
            one.send(opened.link, bytes([number]) * 1000)
        one.flush()
        async with asyncio.timeout(5):
            while sum(len(e.data) for e in there.events if isinstance(e, BytesArrived)) < 100_000:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        data = b"".join(e.data for e in there.events if isinstance(e, BytesArrived))
        assert data == b"".join(bytes([n]) * 1000 for n in range(100))
        two.close(accepted.link)
        assert (await here.wait(LinkClosed))[0].link == opened.link
        await one.stop()
        await two.stop()

    asyncio.run(play())


def test_a_dial_that_fails_is_heard_as_a_link_that_closes() -> None:
    async def play() -> None:
        ear = Ear()
        carrier = TcpCarrier(ear, lambda: 1)
        for address in ("127.0.0.1:1", "nowhere", "127.0.0.1:notaport", "127.0.0.1:99999"):
            carrier.dial(b"peer", address)
        opened = await ear.wait(LinkOpened, 4)
        closed = await ear.wait(LinkClosed, 4)
        assert sorted(e.link for e in opened) == sorted(e.link for e in closed)
        await carrier.stop()

    asyncio.run(play())


def test_a_peer_that_does_not_read_is_cut_off(monkeypatch: Any) -> None:
    monkeypatch.setattr(tcp, "BUFFER_MAX_BYTES", 1 << 20)

    async def play() -> None:
        ear = Ear()
        carrier = TcpCarrier(ear, lambda: 1)
        port = await carrier.listen("127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        (opened,) = await ear.wait(LinkOpened)
        del reader
        for _ in range(64):
            carrier.send(opened.link, bytes(1 << 20))
            carrier.flush()
        assert (await ear.wait(LinkClosed))[0].link == opened.link
        writer.close()
        await carrier.stop()

    asyncio.run(play())


def test_one_connection_too_many_is_closed_unread(monkeypatch: Any) -> None:
    monkeypatch.setattr(tcp, "LINKS_MAX", 1)

    async def play() -> None:
        ear = Ear()
        carrier = TcpCarrier(ear, lambda: 1)
        port = await carrier.listen("127.0.0.1", 0)
        _, first = await asyncio.open_connection("127.0.0.1", port)
        await ear.wait(LinkOpened)
        reader, second = await asyncio.open_connection("127.0.0.1", port)
        try:
            data = await reader.read(1)
        except ConnectionResetError:
            data = b""
        assert data == b""
        assert len(ear.events) == 1
        assert carrier.turned_away == 1
        assert too_many_links(1).fields["reason"] == CarrierRefusal.TOO_MANY_LINKS
        first.close()
        second.close()
        await carrier.stop()

    asyncio.run(play())


def test_one_host_cannot_take_every_place(monkeypatch: Any) -> None:
    """BPCI-H10. Found by review: whoever held all connections open kept every other host out."""
    monkeypatch.setattr(tcp, "LINKS_MAX", 6)
    monkeypatch.setattr(tcp, "LINKS_PER_HOST_MAX", 3)

    async def play() -> None:
        ear = Ear()
        carrier = TcpCarrier(ear, lambda: 1)
        port = await carrier.listen("127.0.0.1", 0)
        greedy = [await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0)) for _ in range(10)]
        await ear.wait(LinkOpened, 3)
        others = [await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.3", 0)) for _ in range(3)]
        opened = await ear.wait(LinkOpened, 6)
        assert [event.remote.partition(":")[0] for event in opened] == ["127.0.0.2"] * 3 + ["127.0.0.3"] * 3
        assert carrier.turned_away == 7
        greedy[0][1].close()
        await ear.wait(LinkClosed)
        again = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
        await ear.wait(LinkOpened, 7)
        for _, writer in (*greedy, *others, again):
            writer.close()
        await carrier.stop()

    asyncio.run(play())


@pytest.mark.parametrize(
    ("remote", "host"),
    [
        ("10.0.0.1:5", "10.0.0.1"),
        ("2001:db8::1:5", "2001:db8::"),
        ("2001:db8:0:0:ffff::2:5", "2001:db8::"),
        ("2001:db8:0:1::1:5", "2001:db8:0:1::"),
        ("::ffff:10.0.0.1:5", "10.0.0.1"),
        ("fe80::1%eth0:5", "fe80::"),
        ("?:0", "?"),
    ],
)
def test_a_host_is_an_address_or_all_that_one_line_of_the_newer_kind_is_given(remote: str, host: str) -> None:
    assert host_of(remote) == host


def test_strangers_on_every_place_do_not_keep_the_node_from_dialling(monkeypatch: Any) -> None:
    """Found by review: whoever held all connections open cut a validator off from its peers."""
    monkeypatch.setattr(tcp, "LINKS_MAX", 2)

    async def play() -> None:
        ear, other = Ear(), Ear()
        carrier, peer = TcpCarrier(ear, lambda: 1), TcpCarrier(other, lambda: 1)
        port, theirs = await carrier.listen("127.0.0.1", 0), await peer.listen("127.0.0.1", 0)
        strangers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        await ear.wait(LinkOpened, 2)
        carrier.dial(b"peer", f"127.0.0.1:{theirs}")
        opened = await ear.wait(LinkOpened, 3)
        assert [event.dialled for event in opened] == [b"", b"", b"peer"]
        carrier.send(opened[2].link, b"hello")
        carrier.flush()
        assert (await other.wait(BytesArrived))[0].data == b"hello"
        for _, writer in strangers:
            writer.close()
        await carrier.stop()
        await peer.stop()

    asyncio.run(play())
