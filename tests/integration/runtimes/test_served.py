"""What is said of engines that are reached by an API: they keep what runs, agents come and go, and so do they."""

import asyncio
import contextlib
import gc
import io
import os
import subprocess
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import pytest
from tests.integration.runtimes.served import ServedStand
from tests.integration.runtimes.stand import BUSYBOX, LIMITS, SERVED, Stand, ended, says, wait_for_nothing
from tests.unit.host.images.made import file, folder, image, image_store, layout, tar

from metanode.host.agent.engine_images import from_store
from metanode.host.agent.engines import AgentRefusal, end_containers, open_engine
from metanode.host.images.importing import import_archive
from metanode.host.images.tree import KeepOwners
from metanode.host.runtimes.docker.answers import ImageListed
from metanode.host.runtimes.docker.api import THREADS
from metanode.host.runtimes.docker.config import FOLDER, ID, KEY, PLAN
from metanode.host.runtimes.docker.driver import DockerDriver
from metanode.host.runtimes.docker.place import Place
from metanode.host.runtimes.driver import EventKind, Lacks, Works
from metanode.host.runtimes.plan import HOST_USR, ContainerPlan, Secret
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim_driver import ShimDriver
from metanode.host.runtimes.states import Phase
from metanode.primitives.refusal import Rejected

pytestmark = pytest.mark.live

ROOT = Path(__file__).resolve().parents[3]
AGENT = """
import asyncio, sys
from pathlib import Path
from metanode.host.runtimes.docker.driver import DockerDriver
from metanode.host.runtimes.docker.place import Place
from metanode.host.runtimes.plan import HOST_USR, ContainerPlan, Limits, Secret

async def main(engine, socket, folder, name, script):
    driver = DockerDriver(Place(engine, Path(socket), Path(folder)))
    await driver.create(ContainerPlan(
        id=name, root=HOST_USR, command=("sh", "-c", script), limits=Limits(64 << 20, 1000),
        secrets=(Secret("/run/secrets/token", b"kept"),),
    ))
    await driver.start(name)
    await driver.exec(name, ("sleep", "1234"))
    print("started", flush=True)
    await asyncio.sleep(60)

asyncio.run(main(*sys.argv[1:]))
"""
"""An agent that starts a container with a secret and a command in it."""
COUNT = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done"


@pytest.fixture(scope="module")
def stand(served_stand: Stand) -> ServedStand:
    """Here it is about engines with an API."""
    return cast("ServedStand", served_stand)


def test_containers_outlive_their_agent_and_are_adopted_with_their_whole_log(stand: ServedStand) -> None:
    plan = stand.plan("sh", "-c", COUNT)
    words = [stand.engine, str(stand.service.socket), str(stand.state), plan.id, COUNT]
    agent = subprocess.Popen([sys.executable, "-c", AGENT, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert agent.stdout is not None
    assert agent.stdout.readline() == "started\n"
    agent.kill()
    agent.wait()
    agent.stdout.close()

    async def adopt(driver: ShimDriver) -> None:
        (state,) = await driver.list()
        assert (state.id, state.phase, state.exit) == (plan.id, Phase.RUNNING, None)
        await says(driver, plan, b"\n60\n")
        records = [record async for record in driver.logs(plan.id)]
        numbers = [int(word) for record in records for word in record.data.split()]
        assert numbers == list(range(1, len(numbers) + 1))  # each once, nothing was lost while nobody was there
        while (await driver.stats(plan.id)).pids > 2:  # noqa: ASYNC110 - the command ended with who asked for it
            await asyncio.sleep(0.01)
        execution = await driver.exec(plan.id, ("cat", "/run/secrets/token"))
        assert b"".join([chunk.data async for chunk in execution.output()]) == b"kept"
        told = await driver.stop(plan.id, grace_ms=0)
        assert told.exit is not None
        await driver.remove(plan.id)

    stand.play(adopt)
    assert stand.left() == []


def test_what_ended_while_nobody_was_there_is_found_as_it_ended(stand: ServedStand) -> None:
    plan = stand.plan("sh", "-c", "sleep 0.5; echo last; exit 9")

    async def begin(driver: ShimDriver) -> None:
        await driver.create(plan)
        await driver.start(plan.id)

    async def find(driver: ShimDriver) -> None:
        state = await ended(driver, plan)
        assert state.exit is not None
        assert state.exit.code == 9
        assert await stand.said(driver, plan) == b"last\n"
        await driver.remove(plan.id)

    stand.play(begin)
    stand.play(find)
    assert stand.left() == []


def test_labels_say_whose_a_container_is(stand: ServedStand) -> None:
    secret = b"nobody may guess this"
    plan = stand.plan("sleep", "60", secrets=(Secret("/run/secrets/s", secret),))

    async def play(driver: ShimDriver) -> None:
        docker = cast("DockerDriver", driver)
        await driver.create(plan)
        box = await docker._hold.box(plan.id)
        said = await docker._hold.api.call("GET", f"/containers/{box.cid}/json")
        for word in (KEY, ID, FOLDER, PLAN, plan.id, str(stand.state)):
            assert word.encode() in said, word
        assert secret not in said
        await driver.remove(plan.id)

    stand.play(play)


def test_an_engine_that_is_killed_is_lost_and_reached_again(stand: ServedStand) -> None:
    async def play(driver: ShimDriver) -> None:
        plan, late = stand.plan("sh", "-c", COUNT, stop_grace_ms=0), stand.plan("sleep", "60")
        await driver.create(plan)
        await driver.create(late)
        await driver.start(plan.id)
        await says(driver, plan, b"3\n")
        events = driver.events()
        lost = asyncio.ensure_future(anext(events))
        waiting = asyncio.ensure_future(driver.stop(plan.id, grace_ms=60_000))
        await asyncio.sleep(0)
        stand.service.kill()
        assert (await lost).kind is EventKind.LOST
        with pytest.raises(Rejected) as refused:
            await driver.list()
        assert refused.value.reason is RuntimeRefusal.ENGINE_GONE
        with pytest.raises(Rejected) as refused:
            await waiting
        assert refused.value.reason is RuntimeRefusal.ENGINE_GONE
        with pytest.raises(Rejected) as refused:
            await driver.recover()
        assert refused.value.reason is RuntimeRefusal.ENGINE_GONE
        await asyncio.to_thread(stand.service.begin)
        await driver.recover()
        found = {state.id: state for state in await driver.list()}
        assert set(found) == {plan.id, late.id}
        assert found[late.id].phase is Phase.CREATED
        if stand.engine == "podman" or found[plan.id].phase is Phase.RUNNING:
            await driver.kill(plan.id)
        numbers = [int(word) for word in (await stand.said(driver, plan)).split()]
        assert numbers == list(range(1, len(numbers) + 1))
        await driver.start(late.id)
        await driver.kill(late.id)
        for name in found:
            await driver.remove(name)

    with warnings.catch_warnings():  # the package leaves the socket of a call that meets the end to the collector
        warnings.simplefilter("ignore", ResourceWarning)
        stand.play(play)
        gc.collect()
    assert stand.left() == []


def test_two_agents_of_one_engine_do_not_see_each_other(stand: ServedStand) -> None:
    folder = stand.folder / "other"
    folder.mkdir(0o700, exist_ok=True)

    async def play(driver: ShimDriver) -> None:
        other = DockerDriver(Place(stand.engine, stand.service.socket, folder))
        plan = stand.plan("sleep", "60")
        await driver.create(plan)
        await other.create(plan)
        await other.remove(plan.id)
        assert await other.list() == ()
        assert [state.id for state in await driver.list()] == [plan.id]
        with pytest.raises(Rejected) as refused:
            await other.start(plan.id)
        assert refused.value.reason is RuntimeRefusal.UNKNOWN
        await other.close()
        await driver.remove(plan.id)

    stand.play(play)


def test_many_containers_leave_nothing_in_the_agent(stand: ServedStand) -> None:
    def files() -> tuple[int, int]:
        """Open files that are no sockets, and sockets."""
        found = []
        for entry in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):
                found.append(str(entry.readlink()).startswith("socket:"))
        return found.count(False), found.count(True)

    async def cycle(driver: ShimDriver) -> None:
        plan = stand.plan("sleep", "60")
        await driver.create(plan)
        await driver.start(plan.id)
        await (await driver.exec(plan.id, ("true",))).wait()
        await driver.kill(plan.id)
        await driver.remove(plan.id)

    async def play(driver: ShimDriver) -> None:
        for _ in range(2):
            await cycle(driver)
        (before, _), tasks = files(), len(asyncio.all_tasks())
        for _ in range(4):
            await cycle(driver)
        after, sockets = files()
        assert after <= before
        assert sockets <= THREADS + 8  # those that wait for the next call; the loop's own and the line of events
        assert len(asyncio.all_tasks()) <= tasks
        assert stand.left() == []

    stand.play(play)


def test_an_agent_takes_the_engine_it_is_told_and_its_folder_ends_it(stand: ServedStand) -> None:
    folder = stand.folder / "agent"
    folder.mkdir(0o700, exist_ok=True)

    async def play() -> int:
        engine = await open_engine(folder, stand.engine, str(stand.service.socket))
        assert engine.works.engine == stand.engine
        assert isinstance(await engine.driver.probe(), Works)
        plan = ContainerPlan(id="a.b.0.1", root=HOST_USR, command=("sleep", "60"), limits=LIMITS)
        await engine.driver.create(plan)
        pid = (await engine.driver.start(plan.id)).pid
        await engine.driver.close()
        return pid

    pid = asyncio.run(play())
    assert Path(f"/proc/{pid}").exists()
    end_containers(folder)
    wait_for_nothing(lambda: [path for path in (f"/proc/{pid}",) if Path(path).exists()])
    assert list((folder / stand.engine / "c").iterdir()) == []


def test_an_image_of_the_store_goes_to_the_engine_by_its_layers_and_once(
    stand: ServedStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = image_store(stand.folder / "images")
    base = tar([folder("bin/"), file("bin/sh", Path(BUSYBOX).read_bytes(), mode=0o755), file("gone", b"x")])
    made = image(base, tar([file(".wh.gone"), file("here", b"said by a layer\n")]), run={"Env": ["OF=the image"]})
    (found,) = import_archive(images, io.BytesIO(tar(layout(made))))
    loads = []

    async def play() -> None:
        driver = DockerDriver(Place(stand.engine, stand.service.socket, stand.state, from_store(images)))
        load = driver._hold.api.load

        async def counted(archive: Iterable[bytes]) -> None:
            loads.append(1)
            await load(archive)

        monkeypatch.setattr(driver._hold.api, "load", counted)
        with images.blobs.leases.lease() as lease:
            root = images.root(found, KeepOwners(), lease)
            for _ in range(2):
                script = "read a < /here; echo $a; echo /gone /here; echo ${OF-nothing}; test -e /gone || echo gone"
                plan = stand.plan("/bin/sh", "-c", script, root=str(root.files))
                state, out, err = await stand.run(cast("ShimDriver", driver), plan)
                assert (out, err) == (b"said by a layer\n/gone /here\nnothing\ngone\n", b""), state
        own = f"localhost/metanode-{driver._hold.key}:"

        async def names() -> list[str]:
            listed = await driver._hold.api.asked(list[ImageListed], "GET", "/images/json")
            return [name for one in listed for name in one.repo_tags or () if name.startswith(own)]

        assert len(await names()) == 1
        await driver.recover()  # no container is of it: it is taken away
        assert await names() == []
        await driver.close()

    asyncio.run(play())
    assert len(loads) == 1


@pytest.mark.parametrize("engine", SERVED)
def test_an_engine_that_is_not_there_says_what_would_make_it_run(engine: str, tmp_path: Path) -> None:
    async def play() -> None:
        driver = DockerDriver(Place(engine, tmp_path / "none.sock", tmp_path))
        lacks = await driver.probe()
        assert isinstance(lacks, Lacks)
        if os.geteuid() == 0:
            assert lacks.reason == f"no engine at {tmp_path}/none.sock"
            assert f"apt-get install {engine}" in lacks.fix
        await driver.close()
        with pytest.raises(Rejected) as refused:
            await open_engine(tmp_path, engine, str(tmp_path / "none.sock"))
        assert refused.value.reason is AgentRefusal.NO_ENGINE
        assert engine in refused.value.detail

    asyncio.run(play())
