"""What outlives what: containers their agent, nothing its shim; and nothing is left behind by either."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from tests.integration.runtimes.stand import NOBODY, Stand, acting_as, alive, kill_and_wait, says, wait_for_nothing

from metanode.host.runtimes.driver import EventKind
from metanode.host.runtimes.link import BOOT, SOCKET
from metanode.host.runtimes.plan import ContainerPlan, Mount
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim.plans import plan_message
from metanode.host.runtimes.shim_driver import ShimDriver
from metanode.host.runtimes.states import Phase
from metanode.primitives.refusal import Rejected

pytestmark = pytest.mark.live

ROOT = Path(__file__).resolve().parents[3]
AGENT = """
import asyncio, sys
from pathlib import Path
from metanode.host.runtimes.link import ShimPlace, open_link
from metanode.host.runtimes.shim.plans import plan_of
from metanode.host.runtimes.shim_driver import ShimDriver
from tests.integration.runtimes.stand import acting_as
import json

async def main(state, python, library, user, engine, plan):
    with acting_as(int(user)):
        driver = ShimDriver(await open_link(ShimPlace(Path(state), python, library)), engine)
    plan = plan_of(json.loads(plan))
    await driver.create(plan)
    await driver.start(plan.id)
    await driver.exec(plan.id, ("sleep", "1234"))
    print("started", flush=True)
    await asyncio.sleep(60)

asyncio.run(main(*sys.argv[1:]))
"""
"""An agent that starts a container and a command in it."""
COUNT = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done"
STUBBORN = "import ctypes, time\nctypes.CDLL(None).prctl(1, 0)\nprint('up', flush=True)\ntime.sleep(60)"
"""Undoes the wish that the kernel kill it with its parent."""


@pytest.fixture(scope="module")
def stand(shim_stand: Stand) -> Stand:
    """Here it is about shims."""
    return shim_stand


def shims_of(stand: Stand) -> list[int]:
    """The shim of a stand and its watcher."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if BOOT.encode() in words and str(stand.state).encode() in words and alive(int(entry.name)):
                    found.append(int(entry.name))
    return found


def test_containers_outlive_their_agent_and_are_adopted(stand: Stand) -> None:
    stand.begin()
    plan = stand.plan("sh", "-c", COUNT)
    place, engine = stand.place, stand.engine.partition("-")[0]
    words = [str(stand.state), place.python, place.library, str(stand.user), engine, json.dumps(plan_message(plan))]
    agent = subprocess.Popen([sys.executable, "-c", AGENT, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert agent.stdout is not None
    assert agent.stdout.readline() == "started\n"
    agent.kill()
    agent.wait()
    agent.stdout.close()

    async def adopt(driver: ShimDriver) -> None:
        (state,) = await driver.list()
        assert (state.id, state.phase, state.exit) == (plan.id, Phase.RUNNING, None)
        before = state.log.end
        while (await driver.inspect(plan.id)).log.end <= before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        records = [record async for record in driver.logs(plan.id)]
        numbers = [int(word) for record in records for word in record.data.split()]
        assert numbers == list(range(1, len(numbers) + 1))  # nothing was lost while nobody was there
        while (await driver.stats(plan.id)).pids > 2:  # noqa: ASYNC110 - the command ended with who asked for it
            await asyncio.sleep(0.01)
        ended = await driver.stop(plan.id, grace_ms=0)
        assert ended.exit is not None
        await driver.remove(plan.id)

    stand.play(adopt)
    assert stand.left() == []


def test_the_newest_agent_takes_over(stand: Stand) -> None:
    async def play() -> None:
        first, plan = await stand.link(), stand.plan("sleep", "60")
        older = stand.driver(first)
        await older.create(plan)
        await older.start(plan.id)
        events = older.events()
        first_event = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        second = await stand.link()
        kinds = [(await first_event).kind, *[event.kind async for event in events]]
        assert kinds[-1] is EventKind.LOST
        with pytest.raises(Rejected) as refused:
            await older.list()
        assert refused.value.reason is RuntimeRefusal.SHIM_GONE
        newer = stand.driver(second)
        assert [state.id for state in await newer.list()] == [plan.id]
        await newer.kill(plan.id)
        await newer.remove(plan.id)
        await first.close()
        await second.close()

    asyncio.run(play())


def test_nothing_outlives_the_shim(stand: Stand) -> None:
    async def play() -> None:
        link = await stand.link()
        driver, space = stand.driver(link), stand.space("kept")
        plans = [
            stand.plan("python3", "-I", "-S", "-c", STUBBORN, mounts=(Mount(str(space), "/srv"),)),
            stand.plan("sh", "-c", "echo up; exec sleep 60", root=str(stand.image), read_only_root=False),
        ]
        for plan in plans:
            await driver.create(plan)
            await driver.start(plan.id)
            await says(driver, plan, b"up\n")
        await driver.pause(plans[1].id)
        waiting = asyncio.ensure_future(driver.stop(plans[0].id, grace_ms=60_000))
        await asyncio.sleep(0.05)
        os.kill(link.facts["pid"], signal.SIGKILL)
        with pytest.raises(Rejected) as refused:
            await waiting
        assert refused.value.reason is RuntimeRefusal.SHIM_GONE
        await link.close()

    asyncio.run(play())
    wait_for_nothing(stand.left)  # nobody started another shim
    wait_for_nothing(lambda: [str(pid) for pid in shims_of(stand)])

    async def again(driver: ShimDriver) -> None:
        assert await driver.list() == ()

    stand.play(again)


def test_nothing_is_left_where_the_folder_was_taken_away(stand: Stand) -> None:
    async def play() -> None:
        link = await stand.link()
        driver, plan = stand.driver(link), stand.plan("sleep", "60")
        await driver.create(plan)
        await driver.start(plan.id)
        stand.state.rename(stand.folder / "elsewhere")
        kill_and_wait(link.facts["pid"])
        await link.close()

    asyncio.run(play())
    wait_for_nothing(lambda: stand.left(with_its_own=True))
    (stand.folder / "elsewhere").rename(stand.state)
    stand.play(lambda driver: driver.list())


def test_the_next_shim_sweeps_where_nobody_could(stand: Stand) -> None:
    plan = stand.plan("sleep", "60", root=str(stand.image), read_only_root=False)

    async def play() -> None:
        link = await stand.link()
        driver = stand.driver(link)
        await driver.create(plan)
        await driver.start(plan.id)
        (watcher,) = [pid for pid in shims_of(stand) if pid != link.facts["pid"]]
        kill_and_wait(watcher)
        kill_and_wait(link.facts["pid"])
        await link.close()

    async def again() -> None:
        link = await stand.link()
        assert link.facts["swept"] == [plan.id]
        assert stand.left() == []
        assert await stand.driver(link).list() == ()
        await link.close()

    asyncio.run(play())
    assert stand.left() != []  # the folder at least
    asyncio.run(again())


def test_many_containers_leave_nothing_in_the_shim(stand: Stand) -> None:
    def files(pid: int) -> int:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))

    async def cycle(driver: ShimDriver) -> None:
        plan = stand.plan("sleep", "60")
        await driver.create(plan)
        await driver.start(plan.id)
        await (await driver.exec(plan.id, ("true",))).wait()
        await (await driver.exec(plan.id, ("true",), tty=True)).wait()
        await driver.kill(plan.id)
        await driver.remove(plan.id)

    async def play(driver: ShimDriver) -> None:
        pid = max(shims_of(stand), key=files)  # its watcher has four
        for _ in range(3):
            await cycle(driver)
        before = files(pid)
        for _ in range(12):
            await cycle(driver)
        assert files(pid) == before
        assert stand.left() == []

    stand.play(play, timeout_s=60)


def test_a_stranger_is_not_heard(stand: Stand) -> None:
    if os.geteuid() != 0:
        return
    stranger = NOBODY if stand.user != NOBODY else NOBODY - 1
    stand.play(lambda driver: driver.list())
    stand.state.chmod(0o711)
    (stand.state / SOCKET).chmod(0o666)
    try:
        with acting_as(stranger), socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(stand.state / SOCKET))
            peer.settimeout(5)
            assert peer.recv(1) == b""
    finally:
        stand.state.chmod(0o700)
    stand.play(lambda driver: driver.list())


@pytest.mark.parametrize(
    "sent", [b"\xff" * 64, b"\0\0\0\x05hallo", b"\0\0\0\x04null", b"\0\0\0\x02[]", b"\0\0\0\x01{"], ids=repr
)
def test_noise_ends_the_connection_and_not_the_shim(stand: Stand, sent: bytes) -> None:
    stand.play(lambda driver: driver.list())
    with acting_as(stand.user), socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(stand.state / SOCKET))
        peer.sendall(sent)
        peer.settimeout(5)
        assert peer.recv(1) == b""
    stand.play(lambda driver: driver.list())


def test_what_is_no_request_is_refused_and_the_shim_goes_on(stand: Stand) -> None:
    async def play() -> None:
        link = await stand.link()

        async def refused(request: str, **fields: object) -> RuntimeRefusal:
            with pytest.raises(Rejected) as caught:
                await link.ask(request, **fields)
            assert isinstance(caught.value.reason, RuntimeRefusal)
            return caught.value.reason

        good = plan_message(stand.plan("true"))
        assert await refused("dance") is RuntimeRefusal.BAD_FRAME
        assert await refused("create", engine="sandbox") is RuntimeRefusal.BAD_FRAME
        assert await refused("create", engine="sandbox", plan={**good, "uid": "0"}) is RuntimeRefusal.BAD_FRAME
        assert await refused("create", engine="sandbox", plan={**good, "id": "../x"}) is RuntimeRefusal.BAD_ID
        assert await refused("create", engine="lxc", plan=good) is RuntimeRefusal.ENGINE_MISSING
        assert await refused("input", exec=1, data="!") is RuntimeRefusal.UNKNOWN
        driver, plan = stand.driver(link), stand.plan("sleep", "60")
        await driver.create(plan)
        await driver.start(plan.id)
        assert await refused("exec", id=plan.id, command=[], env=[]) is RuntimeRefusal.BAD_COMMAND
        assert await refused("stop", id=plan.id, grace_ms=-1) is RuntimeRefusal.BAD_NUMBER
        deaf = await driver.exec(plan.id, ("sleep", "60"))
        with pytest.raises(Rejected) as full:
            await deaf.write(bytes(2 << 20))
        assert full.value.reason is RuntimeRefusal.FULL
        await driver.kill(plan.id)
        await driver.remove(plan.id)
        await link.close()

    asyncio.run(play())


def test_an_engine_that_fails_says_at_which_step(stand: Stand) -> None:
    """No image can be below /proc: the kernel refuses to lay anything over it."""

    async def begin(driver: ShimDriver, plan: ContainerPlan) -> None:
        await driver.create(plan)
        await driver.start(plan.id)

    async def play(driver: ShimDriver) -> None:
        plan = stand.plan("true", root="/proc/self/task")
        with pytest.raises(Rejected) as refused:
            await begin(driver, plan)
        assert refused.value.reason is RuntimeRefusal.SETUP_FAILED
        assert "overlay" in refused.value.detail
        with suppress(Rejected):
            await driver.remove(plan.id)
        assert stand.left() == []

    stand.play(play)
