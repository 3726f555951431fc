"""What every driver does in the same way, tried with each engine for real."""

import asyncio
import os
import time

import pytest
from tests.integration.runtimes.stand import NOBODY, Stand, ended, says

from metanode.host.runtimes.driver import Enforcement, EventKind, Works
from metanode.host.runtimes.plan import LogBounds, Mount, Secret, Temporary
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim_driver import ShimDriver
from metanode.host.runtimes.states import Phase
from metanode.primitives.refusal import Rejected

pytestmark = pytest.mark.live

COUNT = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done"
"""Says something fifty times a second."""
WORKS = """
import time
x = bytearray(20 << 20)
while time.process_time() < 0.2: pass
print("up", flush=True)
time.sleep(60)
"""
FORKS = """
import os, time
n = 0
try:
    while n < 100:
        if os.fork() == 0: time.sleep(60)
        n += 1
except OSError: pass
print(n)
"""
WAITS = "trap 'echo asked; exit 7' TERM; echo up; while :; do sleep 0.05; done"
"""Ends in its own way when asked."""


def test_it_works_here_and_says_what_it_enforces(stand: Stand) -> None:
    async def play(driver: ShimDriver) -> None:
        capability = await driver.probe()
        assert isinstance(capability, Works), capability
        assert capability.version[0].isdigit()
        whole = (Enforcement.WHOLE,) * 3
        less = (Enforcement.EACH_PROCESS, Enforcement.NOT, Enforcement.WHOLE)
        enforces = capability.enforces
        assert (enforces.memory, enforces.cpu, enforces.pids) == (whole if stand.is_whole else less)
        assert stand.is_whole or any("run the agent as root" in note for note in capability.notes)
        assert await driver.list() == ()

    stand.play(play)


def test_streams_are_apart_and_the_exit_code_is_the_programs(stand: Stand) -> None:
    async def play(driver: ShimDriver) -> None:
        state, out, err = await stand.run(driver, stand.plan("sh", "-c", "echo one; echo two >&2; exit 42"))
        assert (out, err) == (b"one\n", b"two\n")
        assert state.exit is not None
        assert (state.exit.code, state.exit.signal, state.exit.oom) == (42, 0, False)
        assert (state.phase, state.pid) == (Phase.EXITED, 0)
        assert state.created_ns <= state.started_ns <= state.exit.at_ns

    stand.play(play)


def test_an_image_is_a_root_that_no_container_changes(stand: Stand) -> None:
    async def play(driver: ShimDriver) -> None:
        before = sorted(stand.image.rglob("*"))
        script = "pwd; touch /data/made && echo writable; cat /etc/hostname; ls /bin/busybox"
        fields = {"root": str(stand.image), "workdir": "/new/place", "hostname": "host-1", "uid": 0, "gid": 0}
        plan = stand.plan("/bin/sh", "-c", script, read_only_root=False, **fields)
        _, out, err = await stand.run(driver, plan)
        assert (out, err) == (b"/new/place\nwritable\nhost-1\n/bin/busybox\n", b"")
        assert sorted(stand.image.rglob("*")) == before

    stand.play(play)


def test_a_read_only_root_refuses_and_tmp_takes(stand: Stand) -> None:
    async def play(driver: ShimDriver) -> None:
        for root in ("@host-usr", str(stand.image)):
            script = "for f in /made /bin/x; do touch $f 2>/dev/null || echo refused; done; echo 1 > /tmp/x; cat /tmp/x"
            _, out, _ = await stand.run(driver, stand.plan("sh", "-c", script, root=root, uid=0, gid=0))
            assert out == b"refused\nrefused\n1\n"

    stand.play(play)


def test_environment_user_name_and_folder_are_the_plans(stand: Stand) -> None:
    async def play(driver: ShimDriver) -> None:
        script = "id -u; id -g; hostname; pwd; echo $GREETING; env | sort"
        env = (("GREETING", "good day"), ("A", "1"))
        plan = stand.plan("sh", "-c", script, env=env, uid=1234, gid=4321, hostname="web", workdir="/tmp")
        _, out, _ = await stand.run(driver, plan)
        lines = out.decode().splitlines()
        assert lines[:5] == ["1234", "4321", "web", "/tmp", "good day"]
        names = {line.partition("=")[0] for line in lines[5:]}
        assert names - stand.adds == {"A", "GREETING", "HOME", "PATH", "PWD"}, names

    stand.play(play)


def test_a_command_is_executed_inside(stand: Stand) -> None:
    async def play(driver: ShimDriver) -> None:
        plan = stand.plan("sh", "-c", WAITS, env=(("A", "1"),))
        await driver.create(plan)
        await driver.start(plan.id)
        execution = await driver.exec(plan.id, ("sh", "-c", "cat; echo $A$B >&2; hostname; exit 3"), (("B", "2"),))
        await execution.write(b"given\n")
        await execution.end_input()
        chunks = [chunk async for chunk in execution.output()]
        assert b"".join(c.data for c in chunks if c.stream == 1) == b"given\ncontainer\n"
        assert b"".join(c.data for c in chunks if c.stream == 2) == b"12\n"
        assert (await execution.wait()).code == 3
        terminal = await driver.exec(plan.id, ("sh", "-c", "test -t 0 && test -t 1 && echo yes"), tty=True)
        assert b"".join([c.data async for c in terminal.output()]) == b"yes\r\n"
        missing = await driver.exec(plan.id, ("no-such-program",))
        with pytest.raises(Rejected) as refused:
            await missing.wait()
        assert refused.value.reason is RuntimeRefusal.COMMAND_NOT_FOUND
        await driver.kill(plan.id)
        await driver.remove(plan.id)

    stand.play(play)


def test_a_command_has_no_more_rights_than_its_container(stand: Stand) -> None:
    async def play(driver: ShimDriver) -> None:
        script = "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; ls -l /proc/self/fd | wc -l"
        plan = stand.plan("sh", "-c", f"{script}; {WAITS}")
        await driver.create(plan)
        await driver.start(plan.id)
        await says(driver, plan, b"up\n")
        execution = await driver.exec(plan.id, ("sh", "-c", script))
        inside = b"".join([c.data async for c in execution.output()])
        assert inside + b"up\n" == await stand.said(driver, plan)
        rows = dict(line.split(":\t") for line in inside.decode().splitlines()[:-1])
        assert {rows[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
        assert (rows["NoNewPrivs"], rows["Seccomp"]) == ("1", "2")
        await driver.kill(plan.id)
        await driver.remove(plan.id)

    stand.play(play)


def test_much_output_of_a_command_waits_for_who_reads_it(stand: Stand) -> None:
    async def play(driver: ShimDriver) -> None:
        plan = stand.plan("sleep", "60")
        await driver.create(plan)
        await driver.start(plan.id)
        execution = await driver.exec(plan.id, ("sh", "-c", "head -c 20000000 /dev/zero"))
        await asyncio.sleep(0.2)
        assert (await driver.inspect(plan.id)).phase is Phase.RUNNING  # the link is not stopped by it
        assert sum([len(c.data) async for c in execution.output()]) == 20_000_000
        assert (await execution.wait()).code == 0
        await driver.kill(plan.id)
        await driver.remove(plan.id)

    stand.play(play)


def test_stats_count(stand: Stand) -> None:
    async def play(driver: ShimDriver) -> None:
        plan = stand.plan("python3", "-I", "-S", "-c", WORKS)
        await driver.create(plan)
        await driver.start(plan.id)
        await says(driver, plan, b"up")
        stats = await driver.stats(plan.id)
        assert 20 << 20 <= stats.memory_bytes <= 64 << 20
        assert stats.memory_peak_bytes >= 20 << 20
        assert stats.cpu_ns >= 190_000_000
        assert (stats.pids, stats.oom_kills) == (1, 0)
        assert stats.log_bytes > 0
        await driver.kill(plan.id)
        assert (await driver.stats(plan.id)).cpu_ns >= (stats.cpu_ns if stand.is_whole else 0)
        await driver.remove(plan.id)

    stand.play(play)


def test_a_paused_container_stands_still(stand: Stand) -> None:
    async def play(driver: ShimDriver) -> None:
        plan = stand.plan("sh", "-c", COUNT)
        await driver.create(plan)
        await driver.start(plan.id)
        await says(driver, plan, b"3\n")
        assert (await driver.pause(plan.id)).phase is Phase.PAUSED
        await asyncio.sleep(0.05)
        before = (await driver.inspect(plan.id)).log.end
        await asyncio.sleep(0.3)
        assert (await driver.inspect(plan.id)).log.end == before
        with pytest.raises(Rejected) as refused:
            await driver.exec(plan.id, ("true",))
        assert refused.value.reason is RuntimeRefusal.WRONG_PHASE
        assert (await driver.resume(plan.id)).phase is Phase.RUNNING
        while (await driver.inspect(plan.id)).log.end == before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await driver.pause(plan.id)
        state = await driver.kill(plan.id)  # a paused one, too, ends
        assert state.exit is not None
        assert (state.exit.code, state.exit.signal) == (137, 9)
        await driver.remove(plan.id)

    stand.play(play)


def test_stop_asks_first_and_then_ends(stand: Stand) -> None:
    async def play(driver: ShimDriver) -> None:
        polite = stand.plan("sh", "-c", WAITS)
        await driver.create(polite)
        await driver.start(polite.id)
        await says(driver, polite, b"up\n")
        state = await driver.stop(polite.id, grace_ms=20_000)
        assert state.exit is not None
        assert (state.exit.code, state.exit.signal) == (7, 0)
        assert await stand.said(driver, polite) == b"up\nasked\n"
        assert (await driver.stop(polite.id)).exit == state.exit  # again: nothing new
        deaf = stand.plan("sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done", stop_grace_ms=300)
        await driver.create(deaf)
        await driver.start(deaf.id)
        await says(driver, deaf, b"up\n")
        before = time.monotonic()
        state = await driver.stop(deaf.id)
        assert time.monotonic() - before >= 0.3
        assert state.exit is not None
        assert (state.exit.code, state.exit.signal, state.exit.oom) == (137, 9, False)
        await driver.remove(polite.id)
        await driver.remove(deaf.id)

    stand.play(play)


def test_a_limit_of_memory_holds(stand: Stand) -> None:
    async def play(driver: ShimDriver) -> None:
        for megabytes in (30, 200):
            script = f"x = bytearray({megabytes} << 20); print('had it')"
            state, out, err = await stand.run(driver, stand.plan("python3", "-I", "-S", "-c", script))
            assert state.exit is not None
            if megabytes == 30:
                assert (out, state.exit.code, state.exit.oom) == (b"had it\n", 0, False)
            elif stand.is_whole:
                assert (out, state.exit.code, state.exit.oom) == (b"", 137, True)
            else:
                assert (out, state.exit.code, b"MemoryError" in err) == (b"", 1, True)

    stand.play(play)


def test_a_limit_of_processes_holds(stand: Stand) -> None:
    async def play(driver: ShimDriver) -> None:
        limits = stand.plan("true").limits.__class__(64 << 20, 1000, pids=10)
        for _ in range(2):  # two containers of one user do not share it
            _, out, _ = await stand.run(driver, stand.plan("python3", "-I", "-S", "-c", FORKS, limits=limits, uid=77))
            assert out == b"9\n"

    stand.play(play)


def test_a_limit_of_processor_time_holds(stand: Stand) -> None:
    if not stand.is_whole:
        return  # `probe` says that it is not enforced, and a test above that it says so
    script = "import time; s = time.monotonic()\nwhile time.monotonic() - s < 1.5: pass\nprint(time.process_time())"

    async def play(driver: ShimDriver) -> None:
        used = []
        for millicores in (100, 800):
            limits = stand.plan("true").limits.__class__(64 << 20, millicores)
            _, out, _ = await stand.run(driver, stand.plan("python3", "-I", "-S", "-c", script, limits=limits))
            used.append(float(out))
        assert used[0] < 0.4, used
        assert used[1] > used[0]

    stand.play(play)


def test_volumes_are_what_the_host_has(stand: Stand) -> None:
    space, shown = stand.space("space"), stand.space("shown")
    (shown / "file").write_text("from the host\n")

    async def play(driver: ShimDriver) -> None:
        mounts = (
            Mount(str(shown), "/srv/data/shown", read_only=True),
            Mount(str(space), "/srv/data"),
            Mount(str(shown / "file"), "/srv/one"),
        )
        script = "cat /srv/data/shown/file /srv/one; echo back > /srv/data/made; "
        script += "touch /srv/data/shown/x 2>/dev/null || echo refused"
        for root in ("@host-usr", str(stand.image)):
            (space / "made").unlink(missing_ok=True)
            _, out, err = await stand.run(driver, stand.plan("sh", "-c", script, root=root, mounts=mounts))
            assert (out, err) == (b"from the host\nfrom the host\nrefused\n", b"")
            assert (space / "made").read_text() == "back\n"

    stand.play(play)


def test_a_link_in_the_image_leads_nowhere_outside(stand: Stand) -> None:
    """/out of the image leads to /tmp of whoever follows it: of the container, never of the host."""
    space = stand.space("lured")

    async def play(driver: ShimDriver) -> None:
        plan = stand.plan(
            "/bin/sh", "-c", "echo x > /out/lured-by-a-link/made", root=str(stand.image),
            mounts=(Mount(str(space), "/out/lured-by-a-link"),), read_only_root=False,
        )  # fmt: skip
        await stand.run(driver, plan)
        outside = stand.folder.parent / "lured-by-a-link"
        assert not outside.exists()

    stand.play(play)


def test_secrets_are_in_memory_alone(stand: Stand) -> None:
    token = b"a very secret word " + stand.engine.encode()

    async def play(driver: ShimDriver) -> None:
        script = (
            "cd /run/secrets; wc -c < token; stat -c '%a %u' token; grep ' /run/secrets ' /proc/mounts | cut -d' ' -f3"
        )
        script += "; touch x 2>/dev/null || echo refused; echo up; sleep 60"
        secrets = (Secret("/run/secrets/token", token), Secret("/run/secrets/other", b"", 0o440))
        plan = stand.plan("sh", "-c", script, secrets=secrets)
        await driver.create(plan)
        await driver.start(plan.id)
        await says(driver, plan, b"up\n")
        out = await stand.said(driver, plan)
        assert out == f"{len(token)}\n400 {NOBODY}\ntmpfs\nrefused\nup\n".encode()
        execution = await driver.exec(plan.id, ("cat", "/run/secrets/token"))
        assert b"".join([c.data async for c in execution.output()]) == token
        found = [path for path in stand.folder.rglob("*") if path.is_file() and token in path.read_bytes()]
        assert found == []
        assert token.decode() not in repr(plan)
        await driver.kill(plan.id)
        await driver.remove(plan.id)

    stand.play(play)


def test_directories_in_memory_take_what_they_may_hold_and_no_more(stand: Stand) -> None:
    async def play(driver: ShimDriver) -> None:
        script = (
            "echo kept > /run/a/x; cat /run/a/x /run/secrets/t; cp /bin/true /run/x; /run/x 2>/dev/null || echo not run"
            "; "
            "stat -c %a /tmp /run; head -c 300000 /dev/zero > /run/full 2>/dev/null || echo full; "
            "grep -c ' /tmp tmpfs' /proc/mounts; df -k /tmp | tail -1 | tr -s ' ' | cut -d' ' -f2"
        )
        temporary = (Temporary("/run/a", 64 << 10), Temporary("/run", 256 << 10), Temporary("/tmp", 1 << 20))
        secrets = (Secret("/run/secrets/t", b"token\n"),)
        for root in ("@host-usr", str(stand.image)):
            plan = stand.plan("sh", "-c", script, root=root, temporary=temporary, secrets=secrets)
            _, out, err = await stand.run(driver, plan)
            lines = out.decode().splitlines()
            assert lines[:6] == ["kept", "token", "not run", "1777", "1777", "full"], (out, err)
            assert lines[-1] == "1024"

    stand.play(play)


def test_the_network_is_a_loopback_of_its_own(stand: Stand) -> None:
    script = """
import socket
print(sorted(name for _, name in socket.if_nameindex()))
here = socket.create_server(("127.0.0.1", 8080))
there = socket.create_connection(("127.0.0.1", 8080))
there.sendall(b"x")
print(here.accept()[0].recv(1))
try:
    socket.create_connection(("192.0.2.1", 80), 1)
except OSError as error:
    print(error.errno)
print("up", flush=True)
here.accept()
"""

    async def play(driver: ShimDriver) -> None:
        plan = stand.plan("python3", "-I", "-S", "-c", script)
        await driver.create(plan)
        await driver.start(plan.id)
        await says(driver, plan, b"up\n")
        assert await stand.said(driver, plan) == b"['lo']\nb'x'\n101\nup\n"
        state = await driver.inspect(plan.id)
        assert os.readlink(state.network) != os.readlink("/proc/self/ns/net")  # noqa: PTH115
        await driver.kill(plan.id)
        await driver.remove(plan.id)

    stand.play(play)


def test_a_log_is_bounded_chained_and_can_be_followed(stand: Stand) -> None:
    async def play(driver: ShimDriver) -> None:
        script = (
            f"i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo $i-{'x' * 60}; sleep 0.001; done; sleep 0.1; echo last"
        )
        plan = stand.plan("sh", "-c", script, log=LogBounds(file_bytes=4096, files=3))
        await driver.create(plan)
        await driver.start(plan.id)
        followed = b"".join([r.data async for r in driver.logs(plan.id, follow=True)])
        assert [word.partition(b"-")[0] for word in followed.split()] == [*(b"%d" % n for n in range(1, 401)), b"last"]
        state = await driver.inspect(plan.id)
        kept = [record async for record in driver.logs(plan.id)]
        assert kept[0].offset == state.log.first > 0
        assert (kept[-1].next, kept[-1].digest) == (state.log.end, state.log.digest)
        assert [r.offset for r in kept[1:]] == [r.next for r in kept[:-1]]
        part = [record async for record in driver.logs(plan.id, kept[5].offset)]
        assert part == kept[5:]
        await driver.remove(plan.id)

    stand.play(play)


def test_events_tell_what_happens(stand: Stand) -> None:
    async def play(driver: ShimDriver) -> None:
        plan = stand.plan("sh", "-c", "exit 5")
        events = driver.events()
        first = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        await driver.create(plan)
        await driver.start(plan.id)
        started, exited = await first, await anext(events)
        assert (started.kind, exited.kind) == (EventKind.STARTED, EventKind.EXITED)
        assert exited.state is not None
        assert exited.state.exit is not None
        assert (exited.state.id, exited.state.exit.code) == (plan.id, 5)
        await driver.remove(plan.id)

    stand.play(play)


def test_what_cannot_be_done_is_refused_with_its_reason(stand: Stand) -> None:
    async def play(driver: ShimDriver) -> None:
        async def refused(part: object) -> RuntimeRefusal:
            with pytest.raises(Rejected) as caught:
                await part  # type: ignore[misc]
            assert isinstance(caught.value.reason, RuntimeRefusal)
            return caught.value.reason

        assert await refused(driver.create(stand.plan("x", root="/no/such/root"))) is RuntimeRefusal.ROOT_MISSING
        lost = stand.plan("x", mounts=(Mount("/no/such/volume", "/srv"),))
        assert await refused(driver.create(lost)) is RuntimeRefusal.VOLUME_MISSING
        assert await refused(driver.start("nobody.knows.it")) is RuntimeRefusal.UNKNOWN
        plan = stand.plan("no-such-program")
        await driver.create(plan)
        assert await refused(driver.create(plan)) is RuntimeRefusal.EXISTS
        assert await refused(driver.pause(plan.id)) is RuntimeRefusal.WRONG_PHASE
        assert await refused(driver.start(plan.id)) is RuntimeRefusal.COMMAND_NOT_FOUND
        assert (await ended(driver, plan)).phase is Phase.EXITED
        assert await refused(driver.start(plan.id)) is RuntimeRefusal.WRONG_PHASE
        await driver.remove(plan.id)
        plain = stand.plan("/plain", root=str(stand.image))
        await driver.create(plain)
        assert await refused(driver.start(plain.id)) is RuntimeRefusal.COMMAND_NOT_EXECUTABLE
        await driver.remove(plain.id)
        running = stand.plan("sleep", "60")
        await driver.create(running)
        await driver.start(running.id)
        assert await refused(driver.remove(running.id)) is RuntimeRefusal.WRONG_PHASE
        await driver.kill(running.id)
        await driver.remove(running.id)
        assert stand.left() == []

    stand.play(play)
