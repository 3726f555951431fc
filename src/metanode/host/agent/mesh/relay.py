"""The flows of one node: what its machine asks for is done here, and what happens is told to it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from itertools import count
from typing import Any, Final, assert_never

from metanode.docklock.mesh import Mesh, MeshRefusal, frames
from metanode.docklock.mesh.dns import Code
from metanode.docklock.mesh.events import (
    Abandon,
    Allow,
    Answered,
    Ask,
    Asked,
    Called,
    Check,
    Checked,
    Connect,
    Connected,
    Effect,
    Entered,
    Event,
    Fell,
    Join,
    Named,
    Over,
    Reach,
    Refuse,
    Requested,
    Resolved,
    Tick,
    WriteDown,
)
from metanode.docklock.mesh.frames import Kind, Message
from metanode.host.agent.mesh.asking import CallAsked, Collector
from metanode.host.agent.mesh.carrying import Carried, End, Sink, Stream
from metanode.host.agent.mesh.sessions import Sessions, now_ms
from metanode.primitives.refusal import Rejected

TICK_S: Final = 0.5
"""How often deadlines are looked at."""
LOOK_S: Final = 15
"""How often it is looked whether anything moves on a flow."""
QUIET_S: Final = 3_600
"""A flow on which nothing was said for so long is over…"""
HALF_QUIET_S: Final = 60
"""…where one way has ended, sooner."""

Reply = Callable[[Code, str], None]


class Relay:
    """`inside(container, port)` connects to a container here, `outside(host, port)` out of the node, `check` finds out
    about a caller; `write_down` hears what was refused to whom."""

    def __init__(
        self,
        machine: Mesh,
        sessions: Sessions,
        inside: Callable[[str, int, Callable[[], End]], Awaitable[End]],
        outside: Callable[[str, int, Callable[[], End]], Awaitable[End]],
        check: Callable[[Check], Awaitable[Checked]],
        write_down: Callable[[WriteDown], None],
    ) -> None:
        self._machine: Final = machine
        self._sessions: Final = sessions
        self._inside: Final = inside
        self._outside: Final = outside
        self._check: Final = check
        self._write_down: Final = write_down
        self._numbers: Final = count(1)
        self._last = 0
        self._callers: Final[dict[int, Sink]] = {}
        self._callees: Final[dict[int, Sink]] = {}
        self._open: Final[dict[int, Carried]] = {}
        self._streams: Final[dict[tuple[bytes, bool, int], Stream]] = {}
        self._flows: Final[dict[Stream, int]] = {}
        self._asked: Final[dict[int, Stream]] = {}
        self._waiting: Final[dict[bytes, list[bytes]]] = {}
        self._replies: Final[dict[int, Reply]] = {}
        self._tries: Final[dict[int, asyncio.Task[None]]] = {}
        self._log: Final = logging.getLogger("metanode.agent")
        sessions.listener = self

    async def run(self) -> None:
        """Look at the time, until cancelled."""
        passed = 0.0
        while True:
            await asyncio.sleep(TICK_S)
            self.tell(Tick(now_ms()))
            passed += TICK_S
            if passed >= LOOK_S:
                passed = 0.0
                for carried in list(self._open.values()):
                    carried.look(HALF_QUIET_S, QUIET_S, LOOK_S)

    def stop(self) -> None:
        """Every flow ends."""
        for carried in list(self._open.values()):
            carried.fail(MeshRefusal.LOST.value)
        for task in self._tries.values():
            task.cancel()

    # --- what begins here -------------------------------------------------------------------------------------------

    def called(self, container: str) -> End:
        """The end of somebody who connects from inside a container."""

        def began(end: End) -> None:
            address, port = end.transport.get_extra_info("sockname")[:2]
            self._begin(end, lambda flow: Called(now_ms(), flow, container, address, port))

        return End(began, self._lost)

    def entered(self, container: str, port: int) -> End:
        """The end of somebody who connects to a published port."""
        return End(
            lambda end: self._begin(end, lambda flow: Entered(now_ms(), flow, container, port)),
            self._lost,
        )

    def request(self, asked: CallAsked, header: str, body: bytes, collector: Collector) -> None:
        """An operator's call."""
        flow = next(self._numbers)
        self._callers[flow] = collector
        self.tell(Requested(now_ms(), flow, asked.service, asked.port, header, body))

    def named(self, container: str, name: str, reply: Reply) -> None:
        """Somebody asks for a name inside a container."""
        token = next(self._numbers)
        self._replies[token] = reply
        self.tell(Named(now_ms(), token, container, name))

    def _begin(self, end: End, event: Callable[[int], Event]) -> None:
        end.number = next(self._numbers)
        self._callers[end.number] = end
        self.tell(event(end.number))

    def _lost(self, end: End) -> None:
        """Whoever called went before anybody answered."""
        if self._callers.get(end.number) is end:
            del self._callers[end.number]
            self._give_up(end.number)
            self.tell(Over(now_ms(), end.number, 0, 0))

    # --- what the machine asks for ----------------------------------------------------------------------------------

    def tell(self, event: Event) -> None:
        """Something happened."""
        for effect in self._machine.handle(event):
            self._carry(effect)

    def _carry(self, effect: Effect) -> None:
        match effect:
            case Connect(flow, container, port):
                self._try(flow, self._connect(flow, partial(self._inside, container, port)))
            case Reach(flow, host, port):
                self._try(flow, self._connect(flow, partial(self._outside, host, port)))
            case Ask():
                self._ask(effect)
            case Check(flow=flow):
                self._try(flow, self._checked(effect))
            case Join(flow):
                self._join(flow)
            case Refuse():
                self._refuse(effect)
            case Abandon(flow):
                self._give_up(flow)
            case Resolved(token, code, address):
                self._replies.pop(token)(code, address)
            case Allow(nodes):
                self._sessions.allow(nodes)
            case WriteDown():
                self._write_down(effect)
            case _:
                assert_never(effect)

    def _try(self, flow: int, deed: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(deed)
        self._tries[flow] = task
        task.add_done_callback(lambda done: self._tries.pop(flow) if self._tries.get(flow) is done else None)

    async def _connect(self, flow: int, connect: Callable[[Callable[[], End]], Awaitable[End]]) -> None:
        """The callee's end."""
        try:
            end = await connect(lambda: End(lambda _: None, lambda _: None))
        except Rejected as rejected:
            self.tell(Connected(now_ms(), flow, str(rejected.reason)))
        except OSError:
            self.tell(Connected(now_ms(), flow, MeshRefusal.NOT_LISTENING.value))
        else:
            self._callees[flow] = end
            self.tell(Connected(now_ms(), flow, ""))

    async def _checked(self, effect: Check) -> None:
        self.tell(await self._check(effect))

    def _give_up(self, flow: int) -> None:
        """What was tried last for a flow is not waited for."""
        task = self._tries.pop(flow, None)
        if task is not None:
            task.cancel()
        stream = self._asked.pop(flow, None)
        if stream is not None:
            stream.reset(MeshRefusal.TOO_SLOW.value)

    def _join(self, flow: int) -> None:
        caller, callee = self._callers.pop(flow), self._callees.pop(flow)
        self._asked.pop(flow, None)
        if isinstance(caller, Stream):
            self._sessions.say(caller.peer, frames.write(Kind.ACCEPT, caller.number, ours=False))
        carried = Carried(flow, caller, callee, self._over)
        self._open[flow] = carried
        carried.begin()

    def _over(self, carried: Carried) -> None:
        del self._open[carried.number]
        self.tell(Over(now_ms(), carried.number, carried.caller.said, carried.callee.said))

    def _refuse(self, effect: Refuse) -> None:
        caller = self._callers.pop(effect.flow)
        callee = self._callees.pop(effect.flow, None)
        if callee is not None:
            callee.reset(effect.code.value)
        match caller:
            case Stream():
                self._log.info("mesh: refused", extra={"code": effect.code.value, "why": effect.detail})
                said = frames.write_code(Kind.REFUSE, caller.number, effect.code.value, ours=False)
                self._sessions.say(caller.peer, said)
                caller.leave()
            case Collector():
                caller.refuse(effect.code, effect.detail)
            case _:
                caller.reset(effect.code.value)

    def _ask(self, effect: Ask) -> None:
        """A number is used for one try: what is left of an earlier one cannot be taken for it."""
        peer = effect.node.key
        number = self._unused(peer)
        stream = self._stream(peer, number, ours=True)
        self._flows[stream] = effect.flow
        self._asked[effect.flow] = stream
        message = frames.write_opening(number, effect.opening)
        if self._sessions.is_up(peer):
            self._sessions.say(peer, message)
        elif self._sessions.reach(effect.node):
            self._waiting.setdefault(peer, []).append(message)
        else:
            del self._asked[effect.flow]
            stream.leave()
            self.tell(Answered(now_ms(), effect.flow, MeshRefusal.UNREACHABLE.value))

    def _unused(self, peer: bytes) -> int:
        """The next number that names no flow of ours with a node: they begin anew after four thousand million."""
        self._last = self._last % frames.FLOW_MAX + 1
        while (peer, True, self._last) in self._streams:
            self._last = self._last % frames.FLOW_MAX + 1
        return self._last

    def _stream(self, peer: bytes, number: int, *, ours: bool) -> Stream:
        stream = Stream(peer, number, partial(self._sessions.say, peer), self._left, ours=ours)
        self._streams[peer, ours, number] = stream
        return stream

    def _left(self, stream: Stream) -> None:
        self._streams.pop((stream.peer, stream.ours, stream.number), None)
        self._flows.pop(stream, None)

    # --- what other agents say --------------------------------------------------------------------------------------

    def rose(self, peer: bytes) -> None:
        """There is a session with a node: what waited for it is asked now."""
        for message in self._waiting.pop(peer, []):
            self._sessions.say(peer, message)

    def fell(self, peer: bytes, *, again: bool) -> None:
        """MESH-12. There is none any more: its flows end."""
        self._waiting.pop(peer, None)
        self._end_streams(peer, told=False)
        self.tell(Fell(now_ms(), peer, again))

    def dropped(self, peer: bytes) -> None:
        """MESH-12. Bytes are lost, and nobody knows of which flow."""
        self._end_streams(peer, told=True)

    def _end_streams(self, peer: bytes, *, told: bool) -> None:
        for stream in [one for one in self._streams.values() if one.peer == peer]:
            carried, flow = stream.flow, self._flows.get(stream, 0)
            if not told:
                stream.leave()
            if carried is not None:
                carried.fail(MeshRefusal.LOST.value)
            elif not stream.ours:
                stream.leave()
                self._callers.pop(flow)
                self._give_up(flow)
                self.tell(Over(now_ms(), flow, 0, 0))
            elif not told:
                self._asked.pop(flow, None)

    def heard(self, peer: bytes, message: bytes) -> None:
        """MESH-10. One message. Raises `Rejected` where it is none."""
        said = frames.read(message)
        stream = self._streams.get((peer, said.ours, said.flow))
        match said.kind:
            case Kind.OPEN:
                self._opened(peer, said, stream)
            case Kind.ACCEPT | Kind.REFUSE:
                self._answered(peer, said, stream)
            case _ if stream is None:
                pass  # it is over here
            case Kind.RESET if stream.flow is None:
                self._reset_early(stream, said.code)
            case _:
                stream.hear(said)

    def _opened(self, peer: bytes, said: Message, stream: Stream | None) -> None:
        if stream is not None or said.opening is None:
            raise Rejected(MeshRefusal.MALFORMED, f"flow {said.flow} is opened twice")
        flow = next(self._numbers)
        made = self._stream(peer, said.flow, ours=False)
        self._flows[made], self._callers[flow] = flow, made
        self.tell(Asked(now_ms(), flow, peer, said.opening))

    def _answered(self, peer: bytes, said: Message, stream: Stream | None) -> None:
        if not said.ours or (stream is not None and stream.flow is not None):
            raise Rejected(MeshRefusal.MALFORMED, f"{said.kind.name} of a flow that was not asked for")
        if stream is None:
            if said.kind is Kind.ACCEPT:
                lost = frames.write_code(Kind.RESET, said.flow, MeshRefusal.TOO_SLOW.value, ours=True)
                self._sessions.say(peer, lost)
            return
        flow = self._flows[stream]
        self._asked.pop(flow, None)
        if said.kind is Kind.ACCEPT:
            self._callees[flow] = stream
            self.tell(Answered(now_ms(), flow, ""))
        else:
            stream.leave()
            self.tell(Answered(now_ms(), flow, said.code))

    def _reset_early(self, stream: Stream, code: str) -> None:
        """A flow that was not accepted yet is given up by whoever asked, or by whom was asked."""
        flow = self._flows[stream]
        stream.leave()
        if stream.ours:
            self._asked.pop(flow, None)
            self.tell(Answered(now_ms(), flow, code))
        else:
            self._callers.pop(flow, None)
            self._give_up(flow)
            self.tell(Over(now_ms(), flow, 0, 0))

    # --- for who shows it -------------------------------------------------------------------------------------------

    def moving(self) -> dict[int, tuple[int, int]]:
        """Bytes of the flows that are open, to the service and from it."""
        return {number: (one.caller.said, one.callee.said) for number, one in self._open.items()}
