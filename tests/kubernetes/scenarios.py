"""What is played with the driver: against a whole cluster, where it is recorded, and against the recording of it."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Final

from tests.kubernetes.stage import (
    FOREVER_S,
    NAMESPACE,
    POLITE,
    UP,
    Stage,
    ended,
    executed,
    refused,
    run,
    said,
    says,
)

from metanode.host.runtimes.driver import Chunk, Enforcement, Event, EventKind, Lacks, Works
from metanode.host.runtimes.kubernetes.driver import open_kubernetes
from metanode.host.runtimes.kubernetes.pods import pod_of
from metanode.host.runtimes.plan import LogBounds, Mount, Secret, Temporary
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.states import Phase
from metanode.primitives.refusal import Rejected


async def a_life(stage: Stage) -> None:
    """From the plan to nothing: streams, command, code, events, names that are taken, words there are not."""
    driver = await stage.driver()
    assert await driver.list() == ()
    heard: list[Event] = []

    async def listen() -> None:
        async for event in driver.events():
            heard.append(event)  # noqa: PERF401 - as they come

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0)
    name = "shop.web.0.1"
    plan = stage.plan(name, "sh", "-c", f"echo one; echo two >&2; {POLITE}", env=(("WORD", "a$(b)c"),))
    created = await driver.create(plan)
    assert (created.phase, created.pid, created.exit) == (Phase.CREATED, 0, None)
    assert (await refused(driver.create(plan))).reason is RuntimeRefusal.EXISTS
    assert (await refused(driver.exec(name, ("id",)))).reason is RuntimeRefusal.WRONG_PHASE
    running = await driver.start(name)
    assert (running.phase, running.engine) == (Phase.RUNNING, "kubernetes")
    assert running.address.startswith("10.")
    assert (await refused(driver.start(name))).reason is RuntimeRefusal.WRONG_PHASE
    assert (await refused(driver.remove(name))).reason is RuntimeRefusal.WRONG_PHASE
    await says(driver, name, b"up\n")
    assert await executed(driver, name, "sh", "-c", "echo out; echo err >&2; exit 3") == (b"out\n", b"err\n", 3)
    assert await executed(driver, name, "sh", "-c", "echo $WORD") == (b"a$(b)c\n", b"", 0)
    out, _, _ = await executed(driver, name, "id")
    assert out == b"uid=65534 gid=65534 groups=65534\n"
    assert (await refused(driver.pause(name))).reason is RuntimeRefusal.ENGINE_CANNOT
    assert (await refused(driver.resume(name))).reason is RuntimeRefusal.ENGINE_CANNOT
    state = await driver.stop(name, 3_000)
    assert state.exit is not None
    assert (state.phase, state.exit.code, state.exit.signal, state.exit.oom) == (Phase.EXITED, 7, 0, False)
    assert state.created_ns <= state.started_ns <= state.exit.at_ns
    assert sorted((await said(driver, name)).split()) == [b"asked", b"one", b"two", b"up"]  # the node mixes streams
    assert (await driver.stop(name)).exit == state.exit  # again: nothing new
    assert [one.id for one in await driver.list()] == [name]
    await driver.remove(name)
    assert await driver.list() == ()
    assert (await refused(driver.inspect(name))).reason is RuntimeRefusal.UNKNOWN
    assert not (stage.folder / "logs" / name).exists()
    listening.cancel()
    kinds = [(event.kind, event.state.id if event.state else "") for event in heard]
    assert kinds == [(EventKind.STARTED, name), (EventKind.EXITED, name)]


async def how_it_ends(stage: Stage) -> None:
    """By itself, by a limit, by force: the code, and the signal as far as it is told."""
    driver = await stage.driver()
    await run(driver, stage.plan("shop.job.0.1", "sh", "-c", "printf x; exit 42"))
    end = await ended(driver, "shop.job.0.1")
    assert (end.code, end.signal, end.oom) == (42, 0, False)
    assert (await said(driver, "shop.job.0.1")).rstrip(b"\n") == b"x"
    await run(driver, stage.plan("shop.job.1.1", "sh", "-c", "x=a; while :; do x=$x$x; done"))
    end = await ended(driver, "shop.job.1.1")
    assert (end.code, end.signal, end.oom) == (137, 9, True)
    await run(driver, stage.plan("shop.deaf.0.1", "sh", "-c", f"trap '' TERM; {UP}"))
    await says(driver, "shop.deaf.0.1", b"up\n")
    state = await driver.kill("shop.deaf.0.1")
    assert state.exit is not None
    assert (state.exit.code, state.exit.signal, state.exit.oom) == (137, 9, False)
    await run(driver, stage.plan("shop.deaf.1.1", "sh", "-c", f"trap '' TERM; {UP}", stop_grace_ms=1_500))
    await says(driver, "shop.deaf.1.1", b"up\n")
    state = await driver.stop("shop.deaf.1.1")
    assert state.exit is not None
    assert (state.exit.code, state.exit.signal) == (137, 9)
    for name in ("shop.job.0.1", "shop.job.1.1", "shop.deaf.0.1", "shop.deaf.1.1"):
        await driver.remove(name)


async def what_a_container_has(stage: Stage) -> None:
    """A root it cannot write, secrets in memory, directories in memory, no privileges, no token of the cluster."""
    driver = await stage.driver()
    secrets = (Secret("/run/secrets/word", b"sesame\n"), Secret("/run/secrets/deep/other", b"", 0o440))
    plan = stage.plan(
        "shop.cell.0.1", "sh", "-c", UP, secrets=secrets, hostname="cell-1", workdir="/srv",
        temporary=(Temporary("/var/cache", 1 << 20),),
    )  # fmt: skip
    await run(driver, plan)
    await says(driver, plan.id, b"up\n")

    async def sees(script: str) -> bytes:
        return (await executed(driver, plan.id, "sh", "-c", script))[0]

    assert await sees("cat /run/secrets/word; wc -c < /run/secrets/deep/other") == b"sesame\n0\n"
    assert await sees("stat -Lc '%a %u %g' /run/secrets/word") == b"440 0 65534\n"
    assert await sees("grep ' /run/secrets ' /proc/mounts | cut -d' ' -f3") == b"tmpfs\n"
    assert await sees("touch /run/secrets/x 2>/dev/null || echo refused") == b"refused\n"
    assert await sees("touch /x 2>/dev/null || echo refused; touch /tmp/x /var/cache/x && echo written") == (
        b"refused\nwritten\n"
    )
    assert await sees("pwd; cat /etc/hostname") == b"/srv\ncell-1\n"
    assert await sees("grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status | cut -f2") == b"0000000000000000\n1\n2\n"
    assert await sees("ls /var/run/secrets/kubernetes.io 2>/dev/null || echo none") == b"none\n"
    await driver.kill(plan.id)
    await driver.remove(plan.id)
    left = stage.ask("GET", f"/api/v1/namespaces/{NAMESPACE}/secrets")
    assert not stage.is_real or [one["metadata"]["name"] for one in left["items"]] == []


async def it_cannot_begin(stage: Stage) -> None:
    """Why not, each with its reason; and nothing is left of it."""
    driver = await stage.driver()
    refusals = [
        (stage.plan("shop.bad.0.1", "no-such-program"), RuntimeRefusal.COMMAND_NOT_FOUND, "no-such-program"),
        (stage.plan("shop.bad.1.1", "/plain"), RuntimeRefusal.COMMAND_NOT_EXECUTABLE, "permission denied"),
        (
            stage.plan("shop.bad.2.1", "true", image=f"localhost/none@sha256:{'0' * 64}"),
            RuntimeRefusal.NO_IMAGE,
            "push the image to a registry",
        ),
    ]
    for plan, reason, word in refusals:
        await driver.create(plan)
        no = await refused(driver.start(plan.id))
        assert (no.reason, word in no.detail) == (reason, True), no
        assert (await refused(driver.inspect(plan.id))).reason is RuntimeRefusal.UNKNOWN
    missing = stage.plan("shop.bad.3.1", "true", mounts=(Mount("/agent/volumes/data", "/data"),))
    no = await refused(driver.create(missing))
    assert (no.reason, "PersistentVolumeClaim data" in no.detail) == (RuntimeRefusal.VOLUME_MISSING, True)
    strange = await stage.driver("node=a..b")
    no = await refused(strange.create(stage.plan("shop.bad.4.1", "true")))
    assert (no.reason, "422 Invalid" in no.detail) == (RuntimeRefusal.SETUP_FAILED, True), no
    for plan in (stage.plan("shop.bad.5.1", "true", image=""), stage.plan("shop.bad.6.1", "true", stop_signal="INT")):
        no = await refused(driver.create(plan))
        assert no.reason in (RuntimeRefusal.NO_IMAGE, RuntimeRefusal.ENGINE_CANNOT)
    assert await driver.list() == ()
    left = stage.ask("GET", f"/api/v1/namespaces/{NAMESPACE}/pods")
    assert not stage.is_real or left["items"] == []


async def an_agent_comes_back(stage: Stage) -> None:
    """Its pods are known, their logs whole and in the same chain; what ended meanwhile tells how."""
    first = await stage.driver()
    script = "for i in $(seq 200); do echo $i-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done; "
    runs = stage.plan("shop.web.0.1", "sh", "-c", script + UP)
    ends = stage.plan("shop.job.0.1", "sh", "-c", "echo begun; sleep 3; exit 5")
    await run(first, ends)
    await run(first, runs)
    await says(first, runs.id, b"up\n")
    before = await first.inspect(runs.id)
    assert before.log.end > 200 * 40
    await first.close()

    def wait_for_the_end() -> None:
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{ends.id}"
        while stage.ask("GET", path)["status"]["phase"] != "Failed":
            pass

    await stage.others("the job ends", wait_for_the_end)
    second = await stage.driver()
    heard = second.events()
    found = {state.id: state for state in await second.list()}
    assert sorted(found) == [ends.id, runs.id]
    end = found[ends.id].exit
    assert (found[ends.id].phase, end.code if end else -1) == (Phase.EXITED, 5)
    assert found[runs.id].phase is Phase.RUNNING
    await says(second, runs.id, b"up\n")  # of the first agent's copy or its own: which is whole is known at the end
    assert await said(second, ends.id) == b"begun\n"
    waiting = asyncio.ensure_future(anext(heard))  # what was in the list is no event
    await asyncio.sleep(0)
    await second.kill(runs.id)
    event = await waiting
    assert (event.kind, event.state.id if event.state else "") == (EventKind.EXITED, runs.id)
    assert event.state is not None
    assert event.state.log == before.log  # it said nothing after
    for name in (ends.id, runs.id):
        await second.remove(name)


async def an_agent_goes_before_it_began(stage: Stage) -> None:
    """A pod that waited for its image when its agent went: the next takes it away, and nobody takes it for ended."""
    first = await stage.driver("pull=if-not-present")
    plan = stage.plan("shop.web.0.1", "true", image=f"localhost:1/none@sha256:{'0' * 64}")
    body = pod_of(stage.place("pull=if-not-present"), plan)
    path = f"/api/v1/namespaces/{NAMESPACE}/pods"
    await stage.others("its pod was asked for", lambda: stage.ask("POST", path, body))
    while not any(one.phase is Phase.STARTING for one in await first.list()):  # noqa: ASYNC110
        await asyncio.sleep(0)  # until the watch tells
    await first.close()
    second = await stage.driver("pull=if-not-present")
    assert await second.list() == ()
    await run(second, stage.plan("shop.web.0.1", "sh", "-c", UP))  # its name is free
    await second.kill("shop.web.0.1")
    await second.remove("shop.web.0.1")


async def an_answer_never_comes(stage: Stage) -> None:
    """A pod was made and nobody was told: whoever removes the attempt removes the pod."""
    driver = await stage.driver()
    plan = stage.plan("shop.web.0.1", "sh", "-c", UP)
    await driver.create(plan)
    path = f"/api/v1/namespaces/{NAMESPACE}/pods"
    await stage.others("its pod is there", lambda: stage.ask("POST", path, pod_of(stage.place(), plan)))
    driver._waiting[plan.id].asked = True
    await driver.remove(plan.id)
    assert await driver.list() == ()
    left = stage.ask("GET", path)
    assert not stage.is_real or left["items"] == []


async def a_log_is_bounded(stage: Stage) -> None:
    """The newest files of the copy are kept, and every record is in the chain."""
    driver = await stage.driver()
    script = "for i in $(seq 400); do echo $i-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done; echo last"
    plan = stage.plan("shop.talk.0.1", "sh", "-c", script, log=LogBounds(file_bytes=4096, files=3))
    await run(driver, plan)
    await ended(driver, plan.id)
    state = await driver.inspect(plan.id)
    kept = [record async for record in driver.logs(plan.id)]
    assert kept[-1].data == b"last\n"
    assert kept[0].offset == state.log.first > 0
    assert (kept[-1].next, kept[-1].digest) == (state.log.end, state.log.digest)
    assert [one.offset for one in kept[1:]] == [one.next for one in kept[:-1]]
    await driver.remove(plan.id)


async def others_delete(stage: Stage) -> None:
    """Somebody deletes a pod: how it ended is known all the same; by force, and it is gone without a word."""
    driver = await stage.driver()
    heard = driver.events()
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/"
    await run(driver, stage.plan("shop.web.0.1", "sh", "-c", POLITE))
    assert (await anext(heard)).kind is EventKind.STARTED
    await says(driver, "shop.web.0.1", b"up\n")
    await stage.others("a user deletes it", lambda: stage.ask("DELETE", path + "shop.web.0.1"))
    event = await anext(heard)
    assert event.state is not None
    assert event.state.exit is not None
    assert (event.kind, event.state.exit.code) == (EventKind.EXITED, 7)
    await driver.remove("shop.web.0.1")
    await run(driver, stage.plan("shop.web.0.2", "sh", "-c", UP))
    assert (await anext(heard)).kind is EventKind.STARTED

    def force() -> None:
        stage.ask("PATCH", path + "shop.web.0.2", {"metadata": {"finalizers": None}})
        stage.ask("DELETE", path + "shop.web.0.2", {"gracePeriodSeconds": 0})

    await stage.others("a user uses force", force)
    event = await anext(heard)
    assert event.state is not None
    assert event.state.exit is not None
    assert (event.kind, event.state.id, event.state.exit.code) == (EventKind.EXITED, "shop.web.0.2", 137)
    assert await driver.list() == ()


async def a_gap(stage: Stage) -> None:
    """The watch is too old (410): everything is listed anew, and what went meanwhile is told."""
    driver = await stage.driver()
    heard = driver.events()
    await run(driver, stage.plan("shop.web.0.1", "sh", "-c", UP))
    await run(driver, stage.plan("shop.web.1.1", "sh", "-c", UP))
    assert [(await anext(heard)).kind for _ in range(2)] == [EventKind.STARTED] * 2
    watch = driver._roster._watch
    assert watch is not None
    deaf = threading.Event()

    def hear_nothing(kind: str, pod: dict[str, Any]) -> None:
        if kind == "DELETED":
            pod["metadata"]["resourceVersion"] = "1"  # from there on it will be asked for, and that is forgotten
            deaf.set()

    watch._changed, hear = hear_nothing, watch._changed  # type: ignore[misc]
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/shop.web.1.1"

    def force() -> None:
        stage.ask("PATCH", path, {"metadata": {"finalizers": None}})
        stage.ask("DELETE", path, {"gracePeriodSeconds": 0})

    await stage.others("one of them goes", force)
    assert await asyncio.to_thread(deaf.wait, FOREVER_S)
    await stage.others("the past is forgotten", stage.forget)
    watch._changed = hear  # type: ignore[misc]
    assert watch._stream is not None
    watch._stream.close()
    event = await anext(heard)
    assert (event.kind, event.state.id if event.state else "") == (EventKind.EXITED, "shop.web.1.1")
    assert [one.id for one in await driver.list()] == ["shop.web.0.1"]
    await driver.kill("shop.web.0.1")
    assert (await anext(heard)).kind is EventKind.EXITED  # the new watch works
    await driver.remove("shop.web.0.1")


async def an_answer_is_lost(stage: Stage) -> None:
    """A pod of this very plan is there already (409): it is taken for this one's. Another's is not."""
    driver = await stage.driver()
    plan = stage.plan("shop.web.0.1", "sh", "-c", UP)
    other = stage.plan("shop.web.1.1", "sh", "-c", UP)
    path = f"/api/v1/namespaces/{NAMESPACE}/pods"
    await driver.create(plan)
    await driver.create(other)
    theirs = pod_of(stage.place("agent=agent-other"), other)

    def there() -> None:
        stage.ask("POST", path, pod_of(stage.place(), plan))
        stage.ask("POST", path, theirs)

    await stage.others("two pods are there", there)
    assert (await driver.start(plan.id)).phase is Phase.RUNNING
    assert (await refused(driver.start(other.id))).reason is RuntimeRefusal.EXISTS
    assert [one.id for one in await driver.list() if one.phase is Phase.RUNNING] == [plan.id]
    await driver.kill(plan.id)
    await driver.remove(plan.id)

    def gone() -> None:
        stage.ask("PATCH", f"{path}/{other.id}", {"metadata": {"finalizers": None}})
        stage.ask("DELETE", f"{path}/{other.id}", {"gracePeriodSeconds": 0})

    await stage.others("theirs goes", gone)


async def whether_it_works(stage: Stage) -> None:
    """`probe`: what holds here, and exactly what is missing."""
    driver = await open_kubernetes(stage.place())
    works = await driver.probe()
    assert isinstance(works, Works), works
    assert (works.engine, works.version[:2]) == ("kubernetes", "1.")
    assert (works.enforces.memory, works.enforces.pids) == (Enforcement.WHOLE, Enforcement.NOT)
    assert any("one stream" in note for note in works.notes)
    await driver.close()
    for options, reason, fix in (
        (("namespace=nowhere",), 'namespaces "nowhere" not found', "kubectl create namespace nowhere"),
        (("node=node9",), "node node9 is not there, not ready or cordoned; ready: node1", "kubectl get nodes"),
        ((f"kubeconfig={stage.guest}",), "create pods, delete pods", "Role and RoleBinding"),
    ):
        driver = await open_kubernetes(stage.place(*options))
        lacks = await driver.probe()
        assert isinstance(lacks, Lacks), lacks
        assert reason in lacks.reason
        assert fix in lacks.fix
        await driver.close()


async def on_one_node(stage: Stage) -> None:
    """A place may be one node of the cluster: pods go there or nowhere. What they use is told by its kubelet."""
    driver = await stage.driver("node=node1")
    plan = stage.plan("shop.web.0.1", "sh", "-c", UP)
    await run(driver, plan)
    await says(driver, plan.id, b"up\n")
    stats = None
    while stats is None:
        try:
            stats = await driver.stats(plan.id)
        except Rejected as no:  # the kubelet counts every ten seconds
            assert no.reason is RuntimeRefusal.ENGINE_CANNOT, no
            await asyncio.sleep(1 if stage.is_real else 0)
    assert 0 < stats.memory_bytes < 64 << 20
    assert stats.cpu_ns > 0
    assert stats.log_bytes > 0
    await driver.kill(plan.id)
    await driver.remove(plan.id)


async def words_for_a_command(stage: Stage) -> None:
    """Input, variables, a terminal, a program that is not there; and that an old server cannot end input."""
    driver = await stage.driver()
    plan = stage.plan("shop.web.0.1", "sh", "-c", UP)
    await run(driver, plan)
    given = await driver.exec(plan.id, ("head", "-n", "1"))
    await given.write(b"first\n")
    assert [chunk async for chunk in given.output()] == [Chunk(1, b"first\n")]
    assert (await given.wait()).code == 0
    with_words = await driver.exec(plan.id, ("sh", "-c", "echo $A"), (("A", "b c"),))
    assert [chunk.data async for chunk in with_words.output()] == [b"b c\n"]
    terminal = await driver.exec(plan.id, ("sh", "-c", "cat; exit 4"), tty=True)
    await terminal.resize(24, 80)
    await terminal.end_input()
    assert b"".join([chunk.data async for chunk in terminal.output()]) == b""
    assert (await terminal.wait()).code == 4
    lost = await driver.exec(plan.id, ("no-such-program",))
    assert [chunk async for chunk in lost.output()] == []
    assert (await refused(lost.wait())).reason is RuntimeRefusal.COMMAND_NOT_FOUND
    endless = await driver.exec(plan.id, ("cat",))
    await endless.write(b"x")
    no = await refused(endless.end_input())
    assert (no.reason, "1.30" in no.detail) == (RuntimeRefusal.ENGINE_CANNOT, True)
    await driver.kill(plan.id)
    await driver.remove(plan.id)


SCENARIOS: Final[dict[str, Callable[[Stage], Awaitable[None]]]] = {
    one.__name__: one
    for one in (
        a_life, how_it_ends, what_a_container_has, it_cannot_begin, an_agent_comes_back,
        an_agent_goes_before_it_began, an_answer_never_comes, a_log_is_bounded, others_delete, a_gap,
        an_answer_is_lost, whether_it_works, on_one_node, words_for_a_command,
    )
}  # fmt: skip


def play(stage: Stage, name: str) -> None:
    """One scenario from beginning to end."""

    async def played() -> None:
        try:
            async with asyncio.timeout(FOREVER_S):
                await SCENARIOS[name](stage)
        finally:
            await stage.end()

    asyncio.run(played())
