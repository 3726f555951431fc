"""A person at a shell: a folder of their own, `bpi` as a real process, its words and its exit status."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.journeys.town import free_base

from metanode.primitives.refusal import Rejected

BPI: Final = (sys.executable, "-m", "metanode.cli.bpi.main")
LIMIT_S: Final = 90.0
"""No command of a journey takes longer, also where two busy cores are shared."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said, and how it ended."""

    line: str
    status: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Its answer as JSON."""
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """Its error as JSON; notes of a command that was not asked for JSON are not looked at."""
        return json.loads(self.err.splitlines()[-1])["error"]


@dataclass(slots=True)
class Shell:
    """A working directory, the environment commands get there, and words before every command line."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()

    def _environment(self) -> dict[str, str]:
        """Ours without what would speak to `bpi`, and what this person set."""
        ours = {k: v for k, v in os.environ.items() if not k.startswith(("BPI_", "METANODE_KEY"))}
        return ours | {"XDG_CONFIG_HOME": str(self.folder / "user"), **self.environment}

    def run(self, line: str) -> Said:
        """Run `bpi` with the words of a line, whatever comes of it."""
        done = subprocess.run(
            [*self.prefix, *BPI, *shlex.split(line)],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
            stdin=subprocess.DEVNULL,
        )
        return Said(line, done.returncode, done.stdout, done.stderr)

    def says(self, line: str, status: int = 0) -> str:
        """What it says to people; it must end with this status."""
        said = self.run(line)
        assert said.status == status, said
        return said.out

    def data(self, line: str, status: int = 0) -> Any:
        """What it says to programs."""
        said = self.run(f"{line} --json")
        assert said.status == status, said
        assert said.data["schema"].startswith("bpi/"), said
        return said.data

    def begins(self, line: str, program: tuple[str, ...] = BPI) -> "subprocess.Popen[bytes]":
        """Start a command that stays, `bpi node run`; what it says goes to a file beside. Whoever starts it ends it."""
        with (self.folder / "begun.log").open("ab") as log:
            return subprocess.Popen(
                [*self.prefix, *program, *shlex.split(line)],
                cwd=self.folder,
                env=self._environment(),
                stdout=log,
                stderr=log,
            )

    def refuses(self, line: str, status: int, code: str) -> Any:
        """It must end with this status and code, for people and for programs alike; the error."""
        human = self.run(line)
        assert (human.status, f"[{code}]" in human.err) == (status, True), human
        said = self.run(f"{line} --json")
        assert (said.status, said.error["code"], said.error["exit"]) == (status, code, status), said
        assert said.error["message"], said
        return said.error

    def refuses_flips(
        self, file: str, command: str, check: Callable[[bytes], object], flips: int, shown: int
    ) -> set[str]:
        """Flip single bits all over a file: `check` must refuse each, and for some of them (one in `shown`) so must
        `command`, with the same layer; the layers."""
        data = (self.folder / file).read_bytes()
        layers = set()
        for number in range(flips):
            at = number * len(data) // flips
            changed = bytearray(data)
            changed[at] ^= 1 << number % 8
            try:
                check(bytes(changed))
            except Rejected as rejected:
                layers.add(str(rejected.reason))
                if number % shown:
                    continue
                (self.folder / f"changed.{file}").write_bytes(changed)
                said = self.run(f"{command} changed.{file} --genesis genesis.toml --json")
                assert (said.status, said.error["code"]) == (21, str(rejected.reason)), (at, said)
            else:
                raise AssertionError(f"byte {at} of {file} was flipped and nobody saw it")
        return layers


@contextmanager
def network(folder: Path, options: str = "") -> Iterator[Shell]:
    """A shell beside a running network of four, made by `bpi up` and ended by `bpi down`."""
    shell = Shell(folder)
    shell.says(f"up --port-base {free_base()} --no-agents {options}")
    try:
        yield shell
    finally:
        if (folder / ".bpi").is_dir():
            shell.run("down")
