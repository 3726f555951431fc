"""Who may ask the shim, and what: one agent at a time, of the same user, by a table of requests."""

import os
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from metanode.host.runtimes.plan import ContainerPlan, checked_variables, checked_words
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim import kernel
from metanode.host.runtimes.shim.connection import Connection, peer_uid
from metanode.host.runtimes.shim.frames import Message
from metanode.host.runtimes.shim.loop import Loop
from metanode.host.runtimes.shim.server import Answer, Server
from metanode.host.runtimes.shim.sessions import Sessions
from metanode.host.runtimes.shim.syscalls import MACHINE
from metanode.host.runtimes.states import Phase
from metanode.primitives.refusal import Rejected

PROTOCOL: Final = 1
"""Of the messages between agent and shim. An agent that finds another one lets the old shim's containers end."""
BACKLOG: Final = 4
"""Agents that may wait to be heard."""
_DETAIL_MAX: Final = 2000


class Desk:
    """RUN-6. The listening socket and the one agent."""

    def __init__(self, loop: Loop, listener: socket.socket, facts: Message) -> None:
        self._loop: Final = loop
        self._listener: Final = listener
        self._facts: Final = facts
        self._agent: Connection | None = None
        self._table: dict[str, Callable[[Message, Answer], Message | None]] = {}
        self._server: Server | None = None
        self._sessions: Final = Sessions(loop)
        self._ending = False

    def serve(self, server: Server) -> None:
        """Begin to listen."""
        self._server = server
        self._table = {
            "hello": self._hello, "create": server.create, "start": server.start, "stop": server.stop,
            "kill": server.kill, "pause": server.pause, "resume": server.resume, "stats": server.stats,
            "inspect": server.inspect, "list": server.listed, "remove": server.remove, "exec": self._execute,
            "input": self._input, "end_input": self._end_input, "resize": self._resize, "taken": self._taken,
            "shutdown": self._shutdown,
        }  # fmt: skip
        self._listener.listen(BACKLOG)
        self._listener.setblocking(False)  # noqa: FBT003 - the name is the standard library's
        self._loop.watch(self._listener.fileno(), self._accept)

    @property
    def is_idle(self) -> bool:
        """Whether nobody is there and nothing runs."""
        return self._agent is None and self._server is not None and self._server.roster.is_idle

    def tell(self, message: Message) -> None:
        """An event, to the agent if one is there; what he misses he sees in the list."""
        if self._agent is not None:
            self._agent.send(message)
        if self._ending:
            self._end_if_quiet()

    def _accept(self) -> None:
        """RUN-6. The newest agent takes over; a stranger is closed unread."""
        try:
            peer, _ = self._listener.accept()
        except OSError:
            return
        if peer_uid(peer) != os.geteuid():
            peer.close()
            return
        if self._agent is not None:
            self._agent.send({"event": "taken-over"})
            self._agent.close()
        self._agent = Connection(self._loop, peer, self._handle, self._gone)

    def _gone(self, peer: Connection) -> None:
        self._sessions.end_of(peer)
        if self._agent is peer:
            self._agent = None

    def _handle(self, peer: Connection, message: Message) -> None:
        """One request. A refusal is its answer; so is an error of the system."""
        number = message.get("n")

        def answer(result: Message) -> None:
            if number is not None:
                peer.send({"n": number, **result})

        request = self._table.get(str(message.get("do")), _unknown)
        try:
            result = request(message, answer)
        except Rejected as refused:
            answer({"no": [refused.reason, refused.detail[:_DETAIL_MAX]]})
        except OSError as error:
            answer({"no": [RuntimeRefusal.SETUP_FAILED, f"{error.filename}: {error.strerror}"]})
        except (KeyError, TypeError, ValueError) as error:
            answer({"no": [RuntimeRefusal.BAD_FRAME, f"{type(error).__name__} {error}"[:_DETAIL_MAX]]})
        else:
            if result is not None:
                answer({"ok": result})

    def _hello(self, _: Message, __: Answer) -> Message:
        """What the agent must know of this shim and this machine."""
        return {
            **self._facts,
            "protocol": PROTOCOL,
            "pid": os.getpid(),
            "rootless": os.geteuid() != 0,
            "machine": MACHINE,
            "landlock": kernel.landlock_version(),
            "python": sys.version.split()[0],
        }

    def _execute(self, message: Message, _: Answer) -> Message:
        """RUN-16. A command in a running container."""
        assert self._server is not None
        assert self._agent is not None
        container = self._server.roster.at(message)
        container.require(Phase.RUNNING)
        if container.plan.cage is not None:
            raise Rejected(RuntimeRefusal.CAGED, f"{container.plan.id} is a deterministic job")
        plan = command_of(container.plan, message)
        engine = self._server.roster.engine(container.engine)
        terminal = message.get("tty") is True
        return {"exec": self._sessions.begin(self._agent, engine, container, plan, terminal=terminal)}

    def _input(self, message: Message, _: Answer) -> Message:
        self._sessions.at(message.get("exec")).write(str(message["data"]))
        return {}

    def _end_input(self, message: Message, _: Answer) -> Message:
        self._sessions.at(message.get("exec")).end_input()
        return {}

    def _taken(self, message: Message, _: Answer) -> Message:
        self._sessions.at(message.get("exec")).taken(int(message["chunks"]))
        return {}

    def _resize(self, message: Message, _: Answer) -> Message:
        size: Any = (message["rows"], message["columns"])
        self._sessions.at(message.get("exec")).resize(*(min(max(1, int(number)), 10_000) for number in size))
        return {}

    def _shutdown(self, _: Message, __: Answer) -> Message:
        """End everything that runs, then the shim."""
        assert self._server is not None
        self._ending = True
        self._server.end_all()
        self._loop.after(0.01, self._end_if_quiet)
        return {}

    def _end_if_quiet(self) -> None:
        assert self._server is not None
        if not self._server.roster.runs_anything:
            self._loop.running = False


def _unknown(message: Message, _: Answer) -> Message:
    raise Rejected(RuntimeRefusal.BAD_FRAME, f"no request {str(message.get('do'))[:40]!r}")


def command_of(plan: ContainerPlan, message: Message) -> ContainerPlan:
    """RUN-16. The plan of a command in a container: its own words, and its variables over the container's."""
    words = tuple(str(word) for word in message["command"])
    more = {str(name): str(value) for name, value in message["env"]}
    env = tuple({**dict(plan.env), **more}.items())
    checked_words(words)
    checked_variables(env)
    return replace(plan, command=words, env=env)


def listening_socket(name: str) -> socket.socket:
    """RUN-6. The socket in the current folder, which only this user may enter; an old one is replaced."""
    Path(name).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    listener.bind(name)
    Path(name).chmod(0o600)
    return listener
