"""Who may ask a shim, how a container goes through its phases, and what is swept."""

import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from metanode.host.runtimes.plan import HOST_USR, ContainerPlan, Limits
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim import desk, tree
from metanode.host.runtimes.shim.children import Children
from metanode.host.runtimes.shim.connection import Connection
from metanode.host.runtimes.shim.container import Container, exit_of
from metanode.host.runtimes.shim.desk import Desk, listening_socket
from metanode.host.runtimes.shim.frames import Message, Unpacker, packed
from metanode.host.runtimes.shim.hierarchy import Hierarchy
from metanode.host.runtimes.shim.loop import Loop
from metanode.host.runtimes.shim.plans import plan_message
from metanode.host.runtimes.shim.server import Server
from metanode.host.runtimes.shim.sessions import Session, Sessions
from metanode.host.runtimes.shim.sweep import lock, sweep
from metanode.host.runtimes.states import Phase
from metanode.primitives.refusal import Rejected

PLAN = ContainerPlan("shop.web.0.1", HOST_USR, ("sh",), Limits(64 << 20, 250, 9, 64), stop_signal="WINCH")


class Nothing:
    """An engine that makes nothing."""

    makes_terminals = False

    def prepare(self, container: Any) -> None:
        """Nothing."""

    def start(self, container: Any, files: Any, hopes: Any) -> None:
        """Neither began nor failed."""


def served(loop: Loop, folder: Path, told: list[Message]) -> Server:
    """The containers of a shim in which nothing runs."""
    engines: dict[str, Any] = {"sandbox": Nothing()}
    return Server(loop, Children(loop), folder, Hierarchy(0, "k"), engines, told.append)


def turn(loop: Loop) -> None:
    """What is due now, without waiting."""
    loop.after(0.0, lambda: None)
    loop.turn()


def heard(peer: socket.socket) -> list[Message]:
    """What has arrived."""
    peer.settimeout(5)
    return Unpacker().feed(peer.recv(1 << 20))


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A desk that listens, and a way to come to it."""
    monkeypatch.chdir(tmp_path)
    loop = Loop()
    listener = listening_socket("s")
    one = Desk(loop, listener, {})
    one.serve(served(loop, tmp_path, []))
    peers: list[socket.socket] = []

    def come() -> socket.socket:
        peer = socket.socket(socket.AF_UNIX)
        peers.append(peer)
        peer.connect("s")
        turn(loop)
        return peer

    yield loop, one, come
    if one._agent is not None:
        one._agent.close()
    for peer in (*peers, listener):
        peer.close()


def test_a_process_of_another_user_is_not_heard(door: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, one, come = door
    monkeypatch.setattr(desk, "peer_uid", lambda _: 54_321)
    stranger = come()
    assert one.is_idle
    stranger.settimeout(5)
    assert stranger.recv(1) == b""


def test_the_newest_agent_is_heard_and_the_older_one_told(door: Any) -> None:
    loop, one, come = door
    older, newer = come(), come()
    assert heard(older) == [{"event": "taken-over"}]
    assert older.recv(1) == b""
    newer.sendall(packed({"n": 1, "do": "list"}) + packed({"n": 2, "do": "dance"}))
    turn(loop)
    listed, refused = heard(newer)
    assert listed == {"n": 1, "ok": {"containers": []}}
    assert refused["no"][0] == RuntimeRefusal.BAD_FRAME
    assert not one.is_idle


def test_one_shim_has_a_folder(tmp_path: Path) -> None:
    held = lock(tmp_path)
    assert held >= 0
    assert lock(tmp_path) == -1
    os.close(held)


def running(loop: Loop, folder: Path, told: list[Message]) -> tuple[Server, Container]:
    """One container, as if it ran."""
    server = served(loop, folder, told)
    server.create({"plan": plan_message(PLAN), "engine": "sandbox"}, told.append)
    container = server.roster.at({"id": PLAN.id})
    container.phase = Phase.RUNNING
    return server, container


def test_a_container_begins_once(tmp_path: Path) -> None:
    server, container = running(Loop(), tmp_path, [])
    for phase in (Phase.STARTING, Phase.RUNNING, Phase.PAUSED, Phase.EXITED):
        container.phase = phase
        with pytest.raises(Rejected) as refused:
            server.start({"id": PLAN.id}, lambda _: None)
        assert refused.value.reason is RuntimeRefusal.WRONG_PHASE


def test_what_does_not_stop_is_killed_after_the_grace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop, told, sent = Loop(), list[Message](), list[int]()
    server, container = running(loop, tmp_path, told)
    monkeypatch.setattr(Container, "signal", lambda _, number: sent.append(int(number)))
    assert server.stop({"id": PLAN.id, "grace_ms": 0}, told.append) is None
    assert sent == [28]
    turn(loop)
    assert sent == [28, 9]
    assert told == []
    server._ended(container, 9)
    assert [message["ok"]["exit"][:2] for message in told[:1]] == [[137, 9]]
    assert container.phase is Phase.EXITED


def test_an_end_by_a_signal_has_its_number_in_the_code() -> None:
    assert [(exit_of(status, oom=False).code, exit_of(status, oom=False).signal) for status in (15, 3 << 8)] == [
        (143, 15),
        (3, 0),
    ]


def test_what_a_killed_shim_left_is_named_and_taken_away(tmp_path: Path) -> None:
    for name in ("c/shop.web.0.1/log", "c/shop.web.1.1", "crun/notes"):
        (tmp_path / name).mkdir(parents=True)
    assert sweep(tmp_path, Hierarchy(0, "k")) == ["shop.web.0.1", "shop.web.1.1"]
    assert [path.name for path in tmp_path.iterdir()] == ["c"]
    assert list((tmp_path / "c").iterdir()) == []


def test_what_lies_on_another_disk_is_not_taken_away(tmp_path: Path) -> None:
    kept = tmp_path / "mounted" / "kept"
    kept.mkdir(parents=True)
    tree._remove(tmp_path / "mounted", tmp_path.lstat().st_dev + 1)
    assert kept.is_dir()


def test_a_command_ends_with_its_agent() -> None:
    loop = Loop()
    here, there = socket.socketpair()
    peer = Connection(loop, here, lambda *_: None, lambda _: None)
    sessions, killed = Sessions(loop), list[str]()
    container: Any = object()
    number = sessions.begin(peer, Nothing(), container, replace(PLAN, command=("id",)), terminal=False)  # type: ignore[arg-type]
    session: Session = sessions.at(number)
    session.began(lambda: killed.append("killed"))
    other, far = socket.socketpair()
    another = Connection(loop, other, lambda *_: None, lambda _: None)
    sessions.end_of(another)
    assert killed == []
    sessions.end_of(peer)
    assert killed == ["killed"]
    for connection in (peer, another):
        connection.close()
    for one in (there, far):
        one.close()
