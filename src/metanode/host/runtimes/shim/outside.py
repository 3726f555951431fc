"""crun and runc: the shim writes a bundle, lets the runtime begin the container and becomes its parent."""

import json
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from metanode.host.runtimes.plan import HOST_USR, SEARCH_PATH, ContainerPlan
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim import bundle, kernel, root
from metanode.host.runtimes.shim.cgroups import NAME
from metanode.host.runtimes.shim.children import Children
from metanode.host.runtimes.shim.container import Container, exit_of
from metanode.host.runtimes.shim.engines import Command, Files, Hopes, kill
from metanode.host.runtimes.shim.syscalls import MACHINE
from metanode.host.runtimes.states import Exit
from metanode.primitives.refusal import Rejected

COMPLAINT_BYTES_MAX: Final = 2000
"""Of what a runtime wrote when it failed."""
NOT_FOUND: Final = ("executable file not found", "no such file or directory", "not found in $path")
"""How they say that the container has no such program."""
NOT_EXECUTABLE: Final = ("permission denied", "exec format error")
"""How they say that it cannot be executed."""
_FLAGS: Final = {"crun": ("--cgroup-manager=cgroupfs",), "runc": ()}


class OutsideEngine:
    """RUN-20. One of the two programs. `state`: a folder for its own notes; `key`: the agent's control group."""

    makes_terminals = True

    def __init__(self, name: str, program: str, state: Path, key: str, children: Children) -> None:
        self._name: Final = name
        self._program: Final = program
        self._state: Final = state / name
        self._key: Final = key
        self._children: Final = children
        self._commands = 0

    def prepare(self, container: Container) -> None:
        """The bundle: a root and config.json."""
        plan, folder = container.plan, container.folder
        root.Place(str(folder), rootless=False, uid=0, gid=0).prepare(plan)
        rootfs = folder / "bundle" / "rootfs"
        rootfs.mkdir(0o755, parents=True)
        if plan.root == HOST_USR:
            root.fill_host_root(rootfs)
        else:
            root.mount_image(plan.root, str(folder), str(rootfs), rootless=False)
        secrets = container.secrets
        assert secrets is not None, "a container is prepared before it is started"
        self._put_secrets(secrets, folder)
        group = f"/{NAME}/{self._key}/{plan.id}"
        config = bundle.configuration(secrets, str(folder), group, MACHINE)
        (folder / "bundle" / "config.json").write_text(json.dumps(config))

    def _put_secrets(self, plan: ContainerPlan, folder: Path) -> None:
        """RUN-4. A tmpfs of the shim's own mount namespace for each folder, which the container then sees."""
        for number, place in enumerate(bundle.secret_folders(plan)):
            point = folder / "secrets" / str(number)
            point.mkdir(0o755, parents=True)
            kernel.mount("tmpfs", str(point), "tmpfs", kernel.NO_SUID | kernel.NO_DEVICES, "mode=0755,size=1m")
            for secret in plan.secrets:
                if secret.folder == place:
                    name = secret.target.rpartition("/")[2]
                    root.write_secret(str(point / name), secret.data, secret.mode, (plan.uid, plan.gid))

    def _spawn(self, files: Files, log: Path, *words: str, ended: Callable[[int], None]) -> int:
        """Run the program with these standard files."""
        line = [self._program, "--root", str(self._state), "--log", str(log), "--log-format", "json"]
        line += [*_FLAGS[self._name], *words]
        moved = [(os.POSIX_SPAWN_DUP2, file, number) for number, file in enumerate(files)]
        pid = os.posix_spawn(
            self._program,
            line,
            {"PATH": SEARCH_PATH},
            file_actions=moved,
            setsid=True,
            setsigmask=(),
            setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
        )
        self._children.wait(pid, ended)
        return pid

    def start(self, container: Container, files: Files, hopes: Hopes) -> None:
        """Run it detached: its first process is then an orphan, and the shim the parent of orphans."""
        folder = container.folder
        note, log = folder / "bundle" / "pid", folder / "bundle" / "runtime.log"

        def ended(status: int) -> None:
            if status == 0:
                hopes.began(int(note.read_text()))
            else:
                hopes.failed(complaint(log))

        words = ("run", "--detach", "--bundle", str(folder / "bundle"), "--pid-file", str(note), container.plan.id)
        self._spawn(files, log, *words, ended=ended)

    def execute(self, container: Container, command: Command) -> None:
        """Run `exec`. In the foreground it ends as the command does. With a terminal it is detached: in the foreground
        both runtimes lose what a command says last (crun 1.8.1, runc 1.1.5: in one of two runs, in one of six).
        """
        self._commands += 1
        base = container.folder / "bundle" / f"exec-{self._commands}"
        config, note, log = (base.with_suffix(f".{end}") for end in ("json", "pid", "log"))
        config.write_text(json.dumps(bundle.process(command.plan, terminal=command.terminal)))
        words = ["exec", "--process", str(config), "--pid-file", str(note)]
        console = Console(f"tty-{self._commands}") if command.terminal else None

        def over(how: Exit | Rejected) -> None:
            command.ended(how)
            for file in (config, note, log):
                file.unlink(missing_ok=True)

        def ended(status: int) -> None:
            if console is None:
                failed = status != 0 and complained(log)
                over(complaint(log) if failed else exit_of(status, oom=False))
            elif status or (terminal := console.take()) < 0:
                console.close()
                over(complaint(log))
            else:
                command.attach(terminal)
                self._children.wait(int(note.read_text()), lambda status: over(exit_of(status, oom=False)))

        if console is not None:
            words += ["--detach", "--console-socket", console.path]
        pid = self._spawn(command.files, log, *words, container.plan.id, ended=ended)

        def kill_both() -> None:
            with suppress(OSError, ValueError):
                kill(int(note.read_text()))
            kill(pid)

        command.began(kill_both)

    def clean(self, container: Container, cleaned: Callable[[], None]) -> None:
        """The runtime's notes of it."""
        nothing = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        log = self._state.parent / "delete.log"
        words = ("delete", "--force", container.plan.id)
        try:
            self._spawn((nothing, nothing, nothing), log, *words, ended=lambda _: cleaned())
        finally:
            os.close(nothing)


class Console:
    """A socket by which a runtime hands over the terminal it made. In the shim's own folder, which is also that of the
    runtime it starts: a path from there is short enough for a socket."""

    def __init__(self, path: str) -> None:
        self.path: Final = path
        self._listener: Final = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._listener.bind(path)
        self._listener.listen(1)
        self._listener.setblocking(False)  # noqa: FBT003 - the name is the standard library's

    def take(self) -> int:
        """The terminal, after the runtime has ended; -1 where it sent none."""
        with suppress(OSError):
            peer, _ = self._listener.accept()
            with peer:
                peer.setblocking(False)  # noqa: FBT003 - the name is the standard library's
                _, files, _, _ = socket.recv_fds(peer, 4096, 1)
            self.close()
            return files[0] if files else -1
        return -1

    def close(self) -> None:
        """Nobody will come any more."""
        self._listener.close()
        Path(self.path).unlink(missing_ok=True)


def complained(log: Path) -> bool:
    """Whether the runtime wrote an error."""
    return log.exists() and '"level":"error"' in log.read_text(errors="replace").replace(" ", "")


def complaint(log: Path) -> Rejected:
    """What a runtime wrote when it failed, as a refusal."""
    text = log.read_text(errors="replace")[-COMPLAINT_BYTES_MAX:] if log.exists() else "it wrote nothing"
    lines = []
    for line in text.splitlines():
        try:
            lines.append(str(json.loads(line)["msg"]))
        except (ValueError, KeyError, TypeError):
            lines.append(line)
    said = " · ".join(lines)
    for phrases, reason in (
        (NOT_FOUND, RuntimeRefusal.COMMAND_NOT_FOUND),
        (NOT_EXECUTABLE, RuntimeRefusal.COMMAND_NOT_EXECUTABLE),
    ):
        if any(phrase in said.lower() for phrase in phrases) and "exec" in said.lower():
            return Rejected(reason, said)
    return Rejected(RuntimeRefusal.SETUP_FAILED, said)
