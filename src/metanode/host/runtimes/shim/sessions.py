"""Commands executed in running containers: their streams go to the agent that asked, and end with it."""

import fcntl
import os
import struct
import termios
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from metanode.host.runtimes.plan import ContainerPlan
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim.children import Pump
from metanode.host.runtimes.shim.connection import Connection
from metanode.host.runtimes.shim.container import Container
from metanode.host.runtimes.shim.engines import Command, Engine, Files
from metanode.host.runtimes.shim.frames import bytes_of, text_of
from metanode.host.runtimes.shim.logfiles import STDERR, STDOUT
from metanode.host.runtimes.shim.loop import Loop
from metanode.host.runtimes.states import Exit
from metanode.primitives.refusal import Rejected

SESSIONS_MAX: Final = 64
"""Commands at once, in all containers of a shim: each has up to three pipes."""
AHEAD_MAX: Final = 16
"""Chunks of output the agent's reader has not taken; then the command is read no further until he has."""
INPUT_BYTES_MAX: Final = 1 << 20
"""Input a command has not taken; more is refused."""


@dataclass(frozen=True, slots=True)
class Ends:
    """The files of a command: the container's side and the shim's; `outputs` by stream."""

    inner: Files
    input: int
    outputs: dict[int, int]

    @classmethod
    def pipes(cls) -> "Ends":
        """Three pipes."""
        (in_read, in_write), (out_read, out_write), (err_read, err_write) = (os.pipe2(os.O_CLOEXEC) for _ in range(3))
        return cls((in_read, out_write, err_write), in_write, {STDOUT: out_read, STDERR: err_read})

    @classmethod
    def terminal(cls) -> "Ends":
        """One terminal."""
        outer, inner = os.openpty()
        return cls((inner, inner, inner), os.dup(outer), {STDOUT: outer})

    @classmethod
    def nothing(cls) -> "Ends":
        """None yet: the engine makes a terminal."""
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        return cls((null, null, null), -1, {})

    def close_inner(self) -> None:
        """The container has its own copies."""
        for file in set(self.inner):
            os.close(file)


class Session:
    """RUN-16. One command. `over` is told when the agent has been sent its end."""

    def __init__(self, loop: Loop, peer: Connection, number: int, ends: Ends, over: Callable[[], None]) -> None:
        self._loop: Final = loop
        self._peer: Final = peer
        self._number: Final = number
        self._over: Final = over
        self._input = ends.input
        self._unwritten = bytearray()
        self._ending = self._closing = False
        self._ahead = 0
        self._kill: Callable[[], None] | None = None
        self._pumps: Final[dict[int, Pump]] = {}
        if ends.input >= 0:
            os.set_blocking(ends.input, False)
        for stream, file in ends.outputs.items():
            self._pump(stream, file)

    def _pump(self, stream: int, file: int) -> None:
        self._pumps[stream] = Pump(self._loop, file, lambda data: self._heard(stream, data))

    def attach(self, terminal: int) -> None:
        """The terminal its engine made for it."""
        os.set_blocking(terminal, False)
        self._input = os.dup(terminal)
        self._pump(STDOUT, terminal)
        self._write()

    @property
    def peer(self) -> Connection:
        """Who asked for it."""
        return self._peer

    def began(self, kill: Callable[[], None]) -> None:
        """It runs."""
        self._kill = kill

    def _heard(self, stream: int, data: bytes) -> None:
        self._peer.send({"exec": self._number, "stream": stream, "data": text_of(data)})
        self._ahead += 1
        if not self._ending and self._ahead >= AHEAD_MAX:
            for pump in self._pumps.values():
                pump.hold()

    def taken(self, chunks: int) -> None:
        """The agent's reader has taken so many chunks: there is room for more."""
        self._ahead = max(0, self._ahead - chunks)
        if self._ahead < AHEAD_MAX:
            for pump in self._pumps.values():
                pump.go_on()

    def ended(self, how: Exit | Rejected) -> None:
        """It has ended, or never began: the last output, then how."""
        self._ending, self._kill = True, None
        for pump in self._pumps.values():
            pump.drain()
        self._close_input()
        if isinstance(how, Rejected):
            self._peer.send({"exec": self._number, "no": [how.reason, how.detail]})
        else:
            self._peer.send({"exec": self._number, "end": [how.code, how.signal, how.at_ns]})
        self._over()

    def write(self, text: str) -> None:
        """Input for it."""
        data = bytes_of(text)
        if len(self._unwritten) + len(data) > INPUT_BYTES_MAX:
            raise Rejected(RuntimeRefusal.FULL, f"the command has not taken {len(self._unwritten)} bytes of input")
        self._unwritten += data
        self._write()

    def _write(self) -> None:
        if self._input < 0:
            return  # nothing to write to, yet or any more
        try:
            del self._unwritten[: os.write(self._input, self._unwritten)]
        except BlockingIOError:
            pass
        except OSError:
            self._unwritten.clear()
        if self._unwritten:
            self._loop.after(0.01, self._write)
        elif self._closing:
            self._close_input()

    def end_input(self) -> None:
        """No more input, after what was written."""
        self._closing = True
        self._write()

    def _close_input(self) -> None:
        if self._input >= 0:
            os.close(self._input)
            self._input = -1

    def resize(self, rows: int, columns: int) -> None:
        """The size of its terminal."""
        with suppress(OSError, ValueError):
            fcntl.ioctl(self._input, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def kill(self) -> None:
        """The agent has gone: so does the command."""
        if self._kill is not None:
            self._kill()


class Sessions:
    """All of them, by number."""

    def __init__(self, loop: Loop) -> None:
        self._loop: Final = loop
        self._open: Final[dict[int, Session]] = {}
        self._last = 0

    def begin(
        self, peer: Connection, engine: Engine, container: Container, plan: ContainerPlan, *, terminal: bool
    ) -> int:
        """Begin a command; its number."""
        if len(self._open) >= SESSIONS_MAX:
            raise Rejected(RuntimeRefusal.FULL, f"{SESSIONS_MAX} commands run already")
        made = Ends.nothing if engine.makes_terminals else Ends.terminal
        ends = made() if terminal else Ends.pipes()
        self._last += 1
        number = self._last
        session = Session(self._loop, peer, number, ends, lambda: self._forget(number))
        self._open[number] = session
        command = Command(plan, terminal, ends.inner, session.began, session.ended, session.attach)
        self._loop.after(0, lambda: self._execute(engine, container, command, ends))  # the number is told first
        return number

    def _execute(self, engine: Engine, container: Container, command: Command, ends: Ends) -> None:
        if container.pid:
            engine.execute(container, command)
        else:
            command.ended(Rejected(RuntimeRefusal.WRONG_PHASE, f"{container.plan.id} has ended"))
        ends.close_inner()

    def _forget(self, number: int) -> None:
        self._open.pop(number, None)

    def at(self, number: object) -> Session:
        """One of them."""
        session = self._open.get(number) if isinstance(number, int) else None
        if session is None:
            raise Rejected(RuntimeRefusal.UNKNOWN, f"no command {number}")
        return session

    def end_of(self, peer: Connection) -> None:
        """An agent has gone."""
        for session in list(self._open.values()):
            if session.peer is peer:
                session.kill()
