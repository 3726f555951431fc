"""The network between the nodes, as a program: it carries every packet, and loses or delays those it is told to.

    python -m tests.faults.switch NAMESPACE …

One TUN device in each namespace ends here. Each line of standard input is a JSON list of links that are not as they
should be, [from, to, loss per cent (100: cut), delay ms]; all others carry everything at once. It ends with its
input, and the devices with it. The kernel's own netem would do the same where it is built in, which it often is not.
"""

import contextlib
import ctypes
import fcntl
import heapq
import json
import os
import selectors
import struct
import sys
import time
from dataclasses import dataclass, field
from random import Random
from typing import Final

DEVICE: Final = "wire"
PREFIX: Final = (10, 78, 0)
"""Of the addresses: node i is 10.78.0.(i + 1)."""
PACKET_MAX: Final = 65_536
WAITING_MAX: Final = 20_000
"""Packets on their way; a real queue is not endless either."""
BURST: Final = 64
"""Packets read of one device before the others have their turn."""
_TUNSETIFF: Final = 0x4004_54CA
_IFF_TUN_NO_PI: Final = 0x1001
_NEW_NET: Final = 0x4000_0000


def address(index: int) -> str:
    """Of a node."""
    return ".".join(map(str, (*PREFIX, index + 1)))


@dataclass(frozen=True)
class Link:
    """What happens to the packets of one direction between two nodes."""

    loss_percent: int = 0
    delay_ms: int = 0


@dataclass
class Weather:
    """Which packets arrive, and when. Pure, but for its chance."""

    count: int
    chance: Random
    links: dict[tuple[int, int], Link] = field(default_factory=dict)

    def told(self, line: str) -> None:
        """Another state of all links."""
        self.links = {(source, target): Link(loss, delay) for source, target, loss, delay in json.loads(line)}

    def fate(self, source: int, packet: bytes) -> tuple[int, float] | None:
        """Whom it reaches and after how many seconds; None where it is lost or for nobody here."""
        if len(packet) < 20 or packet[0] >> 4 != 4 or tuple(packet[16:19]) != PREFIX:
            return None
        target = packet[19] - 1
        if not 0 <= target < self.count:
            return None
        link = self.links.get((source, target), Link())
        if link.loss_percent and self.chance.random() * 100 < link.loss_percent:
            return None
        return target, self.chance.uniform(0, link.delay_ms) / 1000 if link.delay_ms else 0.0


def open_device(namespace: str) -> int:
    """A TUN device in a namespace; it lasts as long as what is returned is open."""
    libc = ctypes.CDLL(None, use_errno=True)
    own, other = os.open("/proc/self/ns/net", os.O_RDONLY), os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if libc.setns(other, _NEW_NET):
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
        device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH14x", DEVICE.encode(), _IFF_TUN_NO_PI))
        return device
    finally:
        libc.setns(own, _NEW_NET)
        os.close(own)
        os.close(other)


@dataclass
class Switch:
    """Packets from device to device."""

    devices: list[int]
    weather: Weather
    waiting: list[tuple[float, int, int, bytes]] = field(default_factory=list)
    number: int = 0

    def deliver_due(self) -> float | None:
        """Let arrive what is due; seconds until the next."""
        now = time.monotonic()
        while self.waiting and self.waiting[0][0] <= now:
            _, _, target, packet = heapq.heappop(self.waiting)
            self._write(target, packet)
        return max(0.0, self.waiting[0][0] - now) if self.waiting else None

    def read(self, source: int) -> None:
        """Take what a node has sent."""
        for _ in range(BURST):
            try:
                packet = os.read(self.devices[source], PACKET_MAX)
            except OSError:  # nothing more, or the device is not up yet
                return
            fate = self.weather.fate(source, packet)
            if fate is None or len(self.waiting) >= WAITING_MAX:
                continue
            target, delay_s = fate
            if delay_s:
                self.number += 1
                heapq.heappush(self.waiting, (time.monotonic() + delay_s, self.number, target, packet))
            else:
                self._write(target, packet)

    def _write(self, target: int, packet: bytes) -> None:
        with contextlib.suppress(OSError):  # its queue is full: a packet is lost, as it may be
            os.write(self.devices[target], packet)


def main(namespaces: list[str]) -> None:
    """Carry packets until the input ends."""
    weather = Weather(len(namespaces), Random(len(namespaces)))
    switch = Switch([open_device(namespace) for namespace in namespaces], weather)
    print("open", flush=True)
    with selectors.DefaultSelector() as selector:
        for index, device in enumerate(switch.devices):
            selector.register(device, selectors.EVENT_READ, index)
        selector.register(sys.stdin, selectors.EVENT_READ, -1)
        while True:
            for key, _ in selector.select(switch.deliver_due()):
                if key.data >= 0:
                    switch.read(key.data)
                    continue
                line = sys.stdin.readline()
                if not line:
                    return
                weather.told(line)
                print("done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
