"""The agent's end of the socket: frames in, frames out, never more held than a bound."""

import socket
import struct
from collections.abc import Callable
from typing import Final

from metanode.host.runtimes.shim.frames import Message, Unpacker, packed
from metanode.host.runtimes.shim.loop import Loop
from metanode.primitives.refusal import Rejected

READ_BYTES: Final = 64 << 10
"""One read of the socket."""
UNSENT_BYTES_MAX: Final = 8 << 20
"""An agent that lets this much pile up is not reading: it is cut off, and may come back and ask."""


def peer_uid(peer: socket.socket) -> int:
    """RUN-6. Whose process is at the other end, as the kernel says it."""
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])


class Connection:
    """One agent. `handle` takes its messages, `closed` is told once."""

    def __init__(
        self,
        loop: Loop,
        peer: socket.socket,
        handle: Callable[["Connection", Message], None],
        closed: Callable[["Connection"], None],
    ) -> None:
        self._loop: Final = loop
        self._peer: Final = peer
        self._handle: Final = handle
        self._closed: Final = closed
        self._unpacker: Final = Unpacker()
        self._unsent = bytearray()
        self.is_open = True
        peer.setblocking(False)  # noqa: FBT003 - the name is the standard library's
        loop.watch(peer.fileno(), self._read)

    def send(self, message: Message) -> None:
        """Queue a message and write what the socket takes."""
        if not self.is_open:
            return
        self._unsent += packed(message)
        if len(self._unsent) > UNSENT_BYTES_MAX:
            self.close()
        else:
            self._write()

    def _read(self) -> None:
        try:
            data = self._peer.recv(READ_BYTES)
            messages = self._unpacker.feed(data)
        except BlockingIOError:
            return
        except (OSError, Rejected):
            self.close()
            return
        if not data:
            self.close()
        for message in messages:
            self._handle(self, message)

    def _write(self) -> None:
        try:
            sent = self._peer.send(self._unsent)
            del self._unsent[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        self._loop.watch(self._peer.fileno(), self._read, self._write if self._unsent else None)

    def close(self) -> None:
        """End it, from either side."""
        if self.is_open:
            self.is_open = False
            self._loop.forget(self._peer.fileno())
            self._peer.close()
            self._closed(self)
