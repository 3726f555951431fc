"""Deterministic jobs: the same job gives the same witness, whatever the machine does meanwhile, and nothing goes round
the cage."""

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.integration.runtimes.stand import Stand, alive, ended, remove_all, require, says, wait_until
from tests.integration.runtimes.test_escapes import plan_in, words

from metanode.host.runtimes.caging import Cage, Input
from metanode.host.runtimes.driver import ContainerState
from metanode.host.runtimes.plan import ContainerPlan
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim_driver import ShimDriver
from metanode.primitives.refusal import Rejected

__all__ = ["words"]

pytestmark = pytest.mark.live

SIGHTS = Path(__file__).with_name("sights.py").read_text()
ANYTHING = Path(__file__).with_name("anything.py").read_text()
SEED = bytes(range(32))


@pytest.fixture(scope="module", params=("sandbox", "sandbox-as-nobody"))
def caged(request: pytest.FixtureRequest) -> Iterator[Stand]:
    """Only the sandbox has a cage."""
    require(request.param)
    with tempfile.TemporaryDirectory(prefix="mncg-") as folder:
        stand = Stand(request.param, Path(folder))
        yield stand
        stand.end()
        assert stand.left(with_its_own=True) == []


def job(stand: Stand, program: str, *, seed: bytes = SEED, **fields: Any) -> ContainerPlan:
    """A deterministic job of the machine's Python."""
    outputs = fields.pop("outputs", ())
    cage = Cage(seed, fields.pop("inputs", ()), outputs)
    return stand.plan("/usr/bin/python3", "-I", "-S", "-c", program, cage=cage, **fields)


def ran(stand: Stand, plan: ContainerPlan) -> tuple[ContainerState, bytes, bytes]:
    """To its end."""

    async def play(driver: ShimDriver) -> tuple[ContainerState, bytes, bytes]:
        return await stand.run(driver, plan)

    found: tuple[ContainerState, bytes, bytes] = stand.play(play)
    return found


def seen(state: ContainerState) -> tuple[object, ...]:
    """Everything of a run that is to be the same in another."""
    assert state.witness is not None
    assert state.exit is not None
    one = state.witness
    return state.exit.code, state.exit.signal, one.count, one.chain, one.streams, one.left


def test_the_same_job_sees_and_says_the_same_twice(caged: Stand) -> None:
    plans = [job(caged, SIGHTS, outputs=("/tmp/result", "/tmp/none")) for _ in range(2)]
    (first, out, err), (second, again, _) = (ran(caged, plan) for plan in plans)
    assert first.exit is not None
    assert (first.exit.code, err) == (0, b"")
    assert again.decode().splitlines() == out.decode().splitlines()
    assert seen(first) == seen(second)
    assert first.witness is not None
    assert [(one.path, one.size > 0) for one in first.witness.left] == [("/tmp/result", True), ("/tmp/none", False)]


def test_whatever_a_job_calls_with_whatever_it_sees_the_same_twice(caged: Stand) -> None:
    (first, out, _), (second, again, _) = (ran(caged, job(caged, ANYTHING)) for _ in range(2))
    assert first.exit is not None
    assert (first.exit.code, len(out)) == (0, 65)
    assert (seen(first), out) == (seen(second), again)


def test_root_and_nobody_see_the_same(tmp_path: Path) -> None:
    require("crun")  # root
    told = []
    for engine in ("sandbox", "sandbox-as-nobody"):
        with tempfile.TemporaryDirectory(prefix="mncg-") as folder:
            stand = Stand(engine, Path(folder))
            state, out, _ = ran(stand, job(stand, SIGHTS, outputs=("/tmp/result",)))
            told.append((out.decode().splitlines(), seen(state)))
            stand.end()
    assert told[0][0] == told[1][0]
    assert told[0][1] == told[1][1]


THREAD = """
import threading
try:
    threading.Thread(target=print).start()
except RuntimeError as error:
    print(error)
"""
FORK = """
import os, subprocess, socket, signal
for act in (os.fork, lambda: subprocess.run(["/bin/true"]), lambda: socket.socket(), lambda: signal.alarm(1),
            lambda: signal.setitimer(signal.ITIMER_REAL, 1), socket.socketpair):
    try:
        print(act())
    except OSError as error:
        print(error.errno)
"""


def test_another_process_a_thread_a_socket_and_a_timer_are_refused_by_name(caged: Stand) -> None:
    _, out, err = ran(caged, job(caged, THREAD))
    assert out == b"can't start new thread\n"
    assert err == b"metanode: DET-5: clone is refused to a deterministic job\n"
    state, out, err = ran(caged, job(caged, FORK))
    assert b"0\n" not in out.split(b"4294967295")[0], "nobody lives as a child"
    said = err.decode().splitlines()
    for name in ("clone", "socket", "alarm", "setitimer", "socketpair"):
        assert f"metanode: DET-5: {name} is refused to a deterministic job" in said
    assert state.exit is not None
    assert state.exit.code == 0


def test_another_seed_is_another_run(caged: Stand) -> None:
    program = "import os; print(os.urandom(8).hex(), open('/dev/random', 'rb').read(4).hex(), hash('x'))"
    (one, first, _), (other, second, _) = (ran(caged, job(caged, program, seed=bytes([n]) * 32)) for n in (1, 2))
    assert seen(one) != seen(other)
    assert not set(first.split()) & set(second.split())


def test_what_a_job_is_given_is_what_its_digest_says_and_another_file_is_another_run(
    caged: Stand, tmp_path: Path
) -> None:
    told = []
    for number, data in enumerate((b"one", b"one", b"two")):
        file = caged.folder / f"given-{caged.engine}-{number}"
        file.write_bytes(data)
        file.chmod(0o644)
        given = (Input(str(file), "/input/a.txt", sha256(data).digest()),)
        program = "import os; print(open('/input/a.txt').read(), os.stat('/input/a.txt'), os.listdir('/input'))"
        told.append(ran(caged, job(caged, program, inputs=given)))
    assert told[0][1].startswith(b"one ")
    assert (told[0][1], seen(told[0][0])) == (told[1][1], seen(told[1][0]))
    assert seen(told[0][0]) != seen(told[2][0])
    wrong = (Input(str(file), "/input/a.txt", sha256(b"three").digest()),)
    with pytest.raises(Rejected, match="is not what its digest says"):
        ran(caged, job(caged, "print(1)", inputs=wrong))
    remove(caged)


def remove(stand: Stand) -> None:
    """What could not be started."""
    stand.play(remove_all)


def test_what_it_leaves_is_read_by_name_and_never_by_a_link(caged: Stand) -> None:
    program = (
        "import os; open('/tmp/a', 'w').write('left'); os.symlink('/etc/passwd', '/tmp/b'); os.mkfifo('/tmp/c'); "
        "os.mkdir('/tmp/d')"
    )
    state, _, err = ran(caged, job(caged, program, outputs=("/tmp/a", "/tmp/b", "/tmp/c", "/tmp/d", "/tmp/e")))
    assert (err, state.witness is not None) == (b"", True)
    assert state.witness is not None
    assert [(one.path[-1], one.size) for one in state.witness.left] == [
        ("a", 4),
        ("b", 0),
        ("c", 0),
        ("d", 0),
        ("e", 0),
    ]
    assert state.witness.left[0].digest == sha256(b"left").digest()


ENDS = {
    "import sys; sys.exit(7)": (7, 0),
    "import os, signal; os.kill(os.getpid(), signal.SIGTERM)": (143, 15),
    "import os; os.abort()": (134, 6),
    "import ctypes; ctypes.string_at(0)": (139, 11),
    "import os; os.execv('/bin/sh', ['sh', '-c', 'exit 5'])": (5, 0),
    "import signal; signal.signal(15, lambda *_: print('asked')); signal.raise_signal(15)": (0, 0),
    "import os, signal; os.kill(os.getpid(), signal.SIGSTOP); print('goes on')": (0, 0),
}


@pytest.mark.parametrize("program", ENDS, ids=lambda text: text[-30:])
def test_however_it_ends_by_itself_it_has_a_witness_of_it(caged: Stand, program: str) -> None:
    (one, out, _), (two, again, _) = (ran(caged, job(caged, program)) for _ in range(2))
    assert one.exit is not None
    assert (one.exit.code, one.exit.signal) == ENDS[program]
    assert (seen(one), out) == (seen(two), again)


@pytest.mark.parametrize(
    "program", ["while True: pass", "import time\nwhile True: time.time()", "import time; time.sleep(3)"]
)
def test_who_is_stopped_from_outside_ends_at_once_and_has_no_witness(caged: Stand, program: str) -> None:
    async def play(driver: ShimDriver) -> None:
        plan = job(caged, f"print('up', flush=True)\n{program}\nimport select; select.poll().poll()")
        await driver.create(plan)
        await driver.start(plan.id)
        await says(driver, plan, b"up")
        state = await driver.stop(plan.id)
        assert state.exit is not None
        assert (state.exit.code, state.witness) == (137, None)
        await driver.remove(plan.id)

    caged.play(play)


def test_no_command_is_executed_in_it(caged: Stand) -> None:
    async def play(driver: ShimDriver) -> None:
        plan = job(caged, "print('up', flush=True); import select; select.poll().poll()")
        await driver.create(plan)
        await driver.start(plan.id)
        await says(driver, plan, b"up")
        with pytest.raises(Rejected) as refused:
            await (await driver.exec(plan.id, ("true",))).wait()
        assert refused.value.reason is RuntimeRefusal.CAGED
        await driver.kill(plan.id)
        await driver.remove(plan.id)

    caged.play(play)


def children_of(pid: int) -> list[int]:
    """Of one process with one thread."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_job_ends_with_its_supervisor(caged: Stand) -> None:
    async def play(driver: ShimDriver) -> None:
        plan = job(caged, "print('up', flush=True)\nwhile True: pass")
        await driver.create(plan)
        await driver.start(plan.id)
        await says(driver, plan, b"up")
        supervisor = (await driver.inspect(plan.id)).pid
        children = children_of(supervisor)
        assert len(children) == 1
        os.kill(supervisor, signal.SIGKILL)
        state = await ended(driver, plan)
        assert state.exit is not None
        assert (state.exit.signal, state.witness) == (9, None)
        wait_until(lambda: not alive(children[0]))
        await driver.remove(plan.id)

    caged.play(play)


def test_an_image_is_enough(caged: Stand) -> None:
    program = "echo $RANDOM $$ $PPID; exec /bin/busybox stat /bin/busybox /data /nothing"
    (one, out, _), (two, again, _) = (
        ran(caged, caged.plan("/bin/sh", "-c", program, root=str(caged.image), cage=Cage(SEED), read_only_root=True))
        for _ in range(2)
    )
    assert one.exit is not None
    assert one.exit.code == 1
    assert b"1970" not in out
    assert b"File: /data" in out
    assert (seen(one), out) == (seen(two), again)


def test_other_engines_have_no_cage() -> None:
    require("crun")
    with tempfile.TemporaryDirectory(prefix="mncg-") as folder:
        stand = Stand("crun", Path(folder))

        async def play(driver: ShimDriver) -> None:
            with pytest.raises(Rejected) as refused:
                await driver.create(job(stand, "pass"))
            assert refused.value.reason is RuntimeRefusal.NO_CAGE

        stand.play(play)
        stand.end()


def test_memory_beyond_the_limit_leaves_no_witness(caged: Stand) -> None:
    if not caged.is_whole:
        pytest.skip("RUNTIME sandbox-as-nobody: no control group holds memory as a whole there")
    state, _, _ = ran(caged, job(caged, "x = b'x' * (200 << 20)"))
    assert state.exit is not None
    assert (state.exit.oom, state.witness) == (True, None)


@pytest.mark.parametrize("user", [0, 65_534])
def test_every_way_out_is_refused_in_the_cage_too(caged: Stand, words: list[str], user: int) -> None:
    plan = plan_in(caged.folder, words, uid=user, gid=user, cage=Cage(SEED))
    state, out, err = ran(caged, plan)
    assert state.exit is not None
    assert (state.exit.code, b"Traceback" in err) == (0, False), err
    outcomes = json.loads(out)
    assert {name: outcome for name, outcome in outcomes.items() if outcome == "done"} == {}
