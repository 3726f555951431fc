"""Where every engine is tried in the same way: a shim of its own, an image, and what is left of it all."""

import asyncio
import itertools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

import metanode
from metanode.host.runtimes.driver import ContainerState
from metanode.host.runtimes.link import BOOT, ShimLink, ShimPlace, open_link
from metanode.host.runtimes.plan import HOST_USR, ContainerPlan, Limits
from metanode.host.runtimes.shim.hierarchy import mounted
from metanode.host.runtimes.shim.main import key_of
from metanode.host.runtimes.shim_driver import ShimDriver
from metanode.host.runtimes.states import Phase

NOBODY: Final = 65_534
"""The unprivileged user everything is tried as, too."""
PYTHON: Final = next((p for p in ("/usr/bin/python3", "/usr/local/bin/python3") if Path(p).exists()), "")
"""A Python that is below the host's /usr, so that containers have it."""
BUSYBOX: Final = shutil.which("busybox") or ""
"""What the image is made of."""
ENGINES: Final = ("sandbox", "sandbox-as-nobody", "crun", "runc")
"""Whose containers a shim is the parent of."""
SERVED: Final = ("docker", "podman")
"""That are reached by an API."""
PACKAGES: Final = {"docker": ("dockerd", "docker.io"), "podman": ("podman", "podman")}
"""Of these: the program, and what it is installed by."""
LIMITS: Final = Limits(memory_bytes=64 << 20, cpu_millicores=1000, pids=64)
_NUMBERS: Final = itertools.count()


def lacking(engine: str) -> str:
    """Why an engine cannot be tried on this machine, and what would change that; empty where it can."""
    if not PYTHON:
        return "no python3 below /usr: apt-get install python3"
    if not BUSYBOX:
        return "no busybox: apt-get install busybox-static"
    if os.geteuid() != 0 and engine != "sandbox":
        return "needs root: run pytest as root"
    if engine in {"crun", "runc"} and not shutil.which(engine, path="/usr/sbin:/usr/bin:/sbin:/bin"):
        return f"no {engine}: apt-get install {engine}"
    if engine in PACKAGES and not shutil.which(PACKAGES[engine][0], path="/usr/sbin:/usr/bin:/sbin:/bin"):
        return f"no {PACKAGES[engine][0]}: apt-get install {PACKAGES[engine][1]}"
    return ""


def require(engine: str) -> None:
    """Skip loudly what cannot be tried; where continuous integration runs, everything must be there."""
    if reason := lacking(engine):
        if os.environ.get("CI"):
            pytest.fail(f"RUNTIME {engine} NOT TRIED: {reason}")
        pytest.skip(f"RUNTIME {engine} NOT TRIED: {reason}")


def as_nobody(engine: str) -> bool:
    """Whether the shim of this engine is to have no privileges."""
    return engine == "sandbox-as-nobody"


def copy_of_the_library(folder: Path) -> str:
    """Exactly the files the shim may need, where anybody may read them: it stands on nothing else."""
    source = Path(metanode.__file__).parent
    target = folder / "library" / "metanode"
    for name in ("__init__.py", "primitives/__init__.py", "primitives/refusal.py", "host/__init__.py"):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, target / name)
    shutil.copytree(source / "host" / "runtimes", target / "host" / "runtimes", ignore=shutil.ignore_patterns("*.pyc"))
    return str(target.parent)


def build_image(folder: Path) -> Path:
    """A root of nothing but busybox, with a link that wants to lead out of it."""
    image = folder / "image"
    for name in ("bin", "etc", "data"):
        (image / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, image / "bin" / "busybox")
    for name in ("sh", "cat", "echo", "ls", "touch", "sleep", "id", "mkdir", "pwd", "rm", "stat"):
        (image / "bin" / name).symlink_to("busybox")
    (image / "etc" / "passwd").write_text("root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")
    (image / "out").symlink_to("../../../../../../../../tmp")
    (image / "plain").write_text("not executable")
    return image


@contextmanager
def acting_as(user: int) -> Iterator[None]:
    """The kernel tells the other end of a socket who connected: this is who."""
    if user == os.geteuid():
        yield
        return
    os.setegid(user)
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@dataclass
class Stand:
    """One engine in a folder of its own. `image`: a root with busybox; `space`: a folder the container's user owns."""

    engine: str
    folder: Path
    image: Path = field(init=False)
    state: Path = field(init=False)
    place: ShimPlace = field(init=False)

    def __post_init__(self) -> None:
        self.folder.chmod(0o755)
        self.image = build_image(self.folder)
        self.state = self.folder / "state"
        self.state.mkdir(0o700)
        self.place = ShimPlace(self.state, python=PYTHON, library=copy_of_the_library(self.folder))
        if as_nobody(self.engine):
            for path in (self.state, *self.image.rglob("*"), self.image):
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)

    @property
    def is_whole(self) -> bool:
        """Whether this engine has control groups here."""
        return os.geteuid() == 0 and not as_nobody(self.engine)

    @property
    def adds(self) -> set[str]:
        """Names of variables that the engine adds to a plan's."""
        return set()

    @property
    def user(self) -> int:
        """Who the shim runs as."""
        return NOBODY if as_nobody(self.engine) else os.geteuid()

    def space(self, name: str) -> Path:
        """A folder of the host that containers may write."""
        folder = self.folder / name
        folder.mkdir()
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        return folder

    def begin(self) -> None:
        """Start the shim as its user; the link then finds it."""
        if not as_nobody(self.engine):
            return
        words = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--bounding-set=-all"]
        words += [PYTHON, "-I", "-S", "-c", BOOT, self.place.library, str(self.state)]
        with (self.folder / "shim.log").open("ab") as log:
            done = subprocess.run(words, stdout=subprocess.PIPE, stderr=log, timeout=30, check=False)
        assert done.stdout.strip() in {b"ready", b"runs"}, (done, (self.folder / "shim.log").read_text())

    async def link(self) -> ShimLink:
        """A link to this stand's shim."""
        self.begin()
        with acting_as(self.user):
            return await open_link(self.place)

    def driver(self, link: ShimLink) -> ShimDriver:
        """The engine by a link."""
        return ShimDriver(link, self.engine.partition("-")[0])

    def play(self, part: Callable[[ShimDriver], Awaitable[Any]], timeout_s: float = 30.0) -> Any:
        """Play a part with a fresh link; the shim stays."""

        async def played() -> Any:
            link = await self.link()
            try:
                async with asyncio.timeout(timeout_s):
                    return await part(self.driver(link))
            except BaseException:
                await remove_all(self.driver(link))  # the next test finds none of it
                raise
            finally:
                await link.close()

        return asyncio.run(played())

    def plan(self, *command: str, **fields: Any) -> ContainerPlan:
        """A plan with a fresh id and ordinary limits."""
        return ContainerPlan(
            **{"id": f"c.w.{next(_NUMBERS)}.1", "root": HOST_USR, "command": command, "limits": LIMITS, **fields}
        )

    def end(self) -> None:
        """End the shim and all it runs."""

        async def ended() -> None:
            await (await self.link()).end_shim()

        asyncio.run(ended())

    def left(self, *, with_its_own: bool = False) -> list[str]:
        """What is left of this stand's containers on the machine: groups, mounts, folders, processes; with what is the
        shim's own, its group too."""
        trees = mounted(Path("/proc/self/mounts").read_text())
        key, below = key_of(self.state), "" if with_its_own else "/*/"
        groups = [
            str(g) for tree in {*trees.v1.values(), trees.v2} if tree for g in tree.glob(f"metanode/{key}{below}")
        ]
        mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(self.folder) in line]
        folders = [str(path) for path in (self.state / "c").glob("*")]
        notes = [str(path) for name in ("crun", "runc") for path in (self.state / name).glob("*")]
        return groups + mounts + folders + notes + self.processes()

    def processes(self) -> list[str]:
        """Processes that have this stand's folder among their mounts or words: shims excepted."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    words = (entry / "cmdline").read_bytes()
                    mounts = (entry / "mountinfo").read_text(errors="replace")
                    state = (entry / "stat").read_text(errors="replace").rpartition(") ")[2][:1]
                except OSError:
                    continue
                if str(self.state) in mounts and BOOT.encode() not in words and state != "Z":
                    found.append(f"{entry.name} {words!r}")
        return found

    async def said(self, driver: ShimDriver, plan: ContainerPlan, stream: int = 1) -> bytes:
        """Everything a container said on one stream."""
        return b"".join([record.data async for record in driver.logs(plan.id) if record.stream == stream])

    async def run(self, driver: ShimDriver, plan: ContainerPlan) -> tuple[ContainerState, bytes, bytes]:
        """Run a container to its end: its state, standard output and standard error; then it is removed."""
        await driver.create(plan)
        await driver.start(plan.id)
        state = await ended(driver, plan)
        out, err = await self.said(driver, plan), await self.said(driver, plan, 2)
        await driver.remove(plan.id)
        return state, out, err


async def remove_all(driver: ShimDriver) -> None:
    """Every container, whatever it does."""
    for state in await driver.list():
        if state.phase in {Phase.RUNNING, Phase.PAUSED}:
            await driver.kill(state.id)
        await driver.remove(state.id)


async def ended(driver: ShimDriver, plan: ContainerPlan) -> ContainerState:
    """How a container is when it has ended."""
    while True:
        state = await driver.inspect(plan.id)
        if state.exit is not None:
            return state
        await asyncio.sleep(0.005)


async def says(driver: ShimDriver, plan: ContainerPlan, word: bytes) -> None:
    """Wait until a container has said a word."""
    heard = b""
    async for record in driver.logs(plan.id, follow=True):
        heard += record.data
        if word in heard:
            return
    pytest.fail(f"{plan.id} ended without {word!r}: {heard!r}")


def kill_and_wait(pid: int) -> None:
    """Kill a process of the stand, and see it gone."""
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not alive(pid))


def alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1] not in {"Z", "X"}
    except OSError:
        return False


def wait_for_nothing(left: Callable[[], list[str]], timeout_s: float = 30.0) -> None:
    """Wait until nothing is left; what is, is told."""
    until = time.monotonic() + timeout_s
    while found := left():
        assert time.monotonic() < until, found
        time.sleep(0.01)


def wait_until(true: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Wait for something that must happen."""
    until = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.01)
