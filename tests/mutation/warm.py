"""Tests collected once and run again and again in forked children, each with another fault in the code under test.

A fault inside a function is put in by giving the function the code object of the changed source: whoever imported it,
by whatever name, has it too. A fault in a line that runs at import needs a child in which nothing is imported yet.
"""

import gc
import importlib.machinery
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, Final, Self

import pytest
from tests.mutation.mutants import ROOT, SOURCE, text_of

OPTIMIZED: Final = 0x1
"""The flag of a code object that belongs to a function, not to a module or class."""
MEMORY_MAX: Final = 4 * 1024**3
"""Address space of a child: a fault may ask for numbers without end."""
NOT_PLACED: Final = "not placed: "
QUIET: Final = ("-q", "-p", "no:cacheprovider", "-p", "no:faulthandler", "--disable-plugin-autoload")
HYPOTHESIS: Final = ("-p", "_hypothesis_pytestplugin")
WALL_FACTOR: Final = 20
"""A child on a busy machine gets a twentieth of a core at least; beyond that it sleeps or hangs."""


@dataclass(frozen=True)
class Edit:
    """A changed source: `file` below src/metanode, `function` (empty: import), the whole text."""

    file: str
    function: str
    source: bytes


@dataclass(frozen=True)
class Verdict:
    """`by`: the test that failed; `late`: stopped by the limit of time; neither: nobody noticed."""

    by: str = ""
    late: bool = False

    @property
    def noticed(self) -> bool:
        """Whether anybody saw it."""
        return bool(self.by) or self.late


@dataclass(frozen=True)
class Traced:
    """What one test does without a fault: seconds of processor time, and the lines it runs, by file."""

    seconds: float
    lines: dict[str, list[int]]

    def reaches(self, file: str, lines: range) -> bool:
        """Whether it runs one of these lines."""
        return any(line in lines for line in self.lines.get(file, ()))


def functions(code: CodeType) -> Iterator[CodeType]:
    """The outermost functions of a module, in the order of the text."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_flags & OPTIMIZED:
                yield constant
            else:
                yield from functions(constant)


class Bodies:
    """Every function object of the product that exists now, by the code it has."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, int], list[FunctionType]] = {}
        inside = f"{SOURCE}{os.sep}"
        for thing in gc.get_objects():
            if isinstance(thing, FunctionType) and thing.__code__.co_filename.startswith(inside):
                code = thing.__code__
                place = (code.co_filename, code.co_qualname, code.co_firstlineno)
                self._found.setdefault(place, []).append(thing)

    def change(self, edit: Edit) -> None:
        """Put a fault inside a function into every function object that has its code."""
        path = str(SOURCE / edit.file)
        before = list(functions(compile(text_of(edit.file), path, "exec")))
        after = list(functions(compile(edit.source, path, "exec")))
        placed = 0
        for old, new in zip(before, after, strict=True):
            if old.co_qualname == edit.function:
                for function in self._found.get((path, old.co_qualname, old.co_firstlineno), ()):
                    function.__code__ = new
                    placed += 1
        if not placed:
            raise NotPlacedError(f"no function object has the code of {edit.file} {edit.function}")


class NotPlacedError(Exception):
    """The machinery failed, not a test."""


class Loader(importlib.machinery.SourceFileLoader):
    """Reads one module from a changed text."""

    def __init__(self, name: str, path: str, source: bytes) -> None:
        super().__init__(name, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        """Never from a cached file."""
        del fullname
        return compile(self._source, self.path, "exec")


class Finder:
    """First on the path: finds the changed module, and nothing else."""

    def __init__(self, edit: Edit) -> None:
        parts = ("metanode", *Path(edit.file).with_suffix("").parts)
        self._package = parts[-1] == "__init__"
        self._name = ".".join(parts[:-1] if self._package else parts)
        self._path = str(SOURCE / edit.file)
        self._source = edit.source

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """As `importlib` asks."""
        del path, target
        if name != self._name:
            return None
        spec = importlib.machinery.ModuleSpec(
            name, Loader(name, self._path, self._source), origin=self._path, is_package=self._package
        )
        spec.has_location = True
        if self._package:
            spec.submodule_search_locations = [str(Path(self._path).parent)]
        return spec


class Warm:
    """A pytest plugin: after the collection it hands the session to a job instead of running the tests."""

    def __init__(self, job: "Callable[[Warm], None]", lines: "Tracer") -> None:
        self._job, self._lines = job, lines
        self.at_import: dict[str, list[int]] = {}
        self.items: list[pytest.Item] = []
        self.session: pytest.Session | None = None

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of pytest's own."""
        if session.testsfailed:
            return False
        self._lines.__exit__()
        self.at_import = self._lines.found()
        self.session, self.items = session, list(session.items)
        _be_quiet(session)
        gc.collect()
        self.bodies = Bodies()
        gc.freeze()
        self._job(self)
        return True

    def run(self, items: Sequence[pytest.Item]) -> str:
        """Run these, up to the first that fails: its name."""
        assert self.session is not None
        failed = self.session.testsfailed
        for item, after in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if self.session.testsfailed != failed:
                return item.nodeid
        return ""

    def trace(self, files: set[str]) -> dict[str, Traced]:
        """Run everything without a fault: what each test takes and reaches. Raises where one fails as it is."""
        child = Child(lambda: json.dumps({item.nodeid: self._traced(item, files) for item in self.items}), seconds=0)
        said, _ = child.wait()
        found = json.loads(said or "{}")
        wrong = [name for name in (item.nodeid for item in self.items) if not found.get(name, {}).get("passed")]
        if wrong:
            raise AssertionError(f"{len(wrong)} tests fail without any fault: {wrong[:5]}")
        return {name: Traced(one["seconds"], one["lines"]) for name, one in found.items()}

    def _traced(self, item: pytest.Item, files: set[str]) -> dict[str, Any]:
        began = time.process_time()
        with Tracer(files) as lines:
            failed = self.run([item])
        return {"passed": not failed, "seconds": time.process_time() - began, "lines": lines.found()}


def _be_quiet(session: pytest.Session) -> None:
    """Dots of a thousand runs say nothing; what children print goes nowhere anyway."""
    reporter: Any = session.config.pluginmanager.getplugin("terminalreporter")
    reporter._tw._file = Path(os.devnull).open("w")  # noqa: SIM115 - as long as the process


class Tracer:
    """Which lines of some files run meanwhile."""

    def __init__(self, files: set[str]) -> None:
        self._names = {str(SOURCE / file): file for file in files}
        self._lines: dict[str, set[int]] = {file: set() for file in files}

    def __enter__(self) -> Self:
        """Begin."""
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        sys.settrace(None)

    def found(self) -> dict[str, list[int]]:
        """By file, ascending; files without a line are left out."""
        return {file: sorted(lines) for file, lines in self._lines.items() if lines}

    def _call(self, frame: FrameType, _event: str, _argument: object) -> "Callable[..., Any] | None":
        file = self._names.get(frame.f_code.co_filename)
        if file is None:
            return None
        lines = self._lines[file]
        lines.add(frame.f_lineno)

        def step(inner: FrameType, event: str, _argument: object) -> Callable[..., Any]:
            if event == "line":
                lines.add(inner.f_lineno)
            return step

        return step


class Child:
    """A forked process that says one text; stopped after so many seconds of processor time (0: never)."""

    def __init__(self, work: Callable[[], str], seconds: float) -> None:
        reader, writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reader)
            _work(work, seconds, writer)
        os.close(writer)
        self.reader = reader
        self._said = b""
        self._ends = time.monotonic() + WALL_FACTOR * seconds if seconds else float("inf")

    def read(self) -> bool:
        """Take what there is to read; whether it has ended."""
        more = os.read(self.reader, 1 << 16)
        self._said += more
        return not more

    def overdue(self) -> bool:
        """Whether it has had its time by the clock."""
        return time.monotonic() > self._ends

    def end(self) -> tuple[str, bool]:
        """What it said, and whether it was stopped."""
        if self.overdue():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        os.close(self.reader)
        _, status = os.waitpid(self.pid, 0)
        stopped = os.WIFSIGNALED(status) and os.WTERMSIG(status) in {signal.SIGXCPU, signal.SIGKILL}
        said = self._said.decode()
        if said.startswith(NOT_PLACED):
            raise AssertionError(said)
        if os.WIFSIGNALED(status) and not stopped:
            said = f"signal {os.WTERMSIG(status)}"
        return said, stopped

    def wait(self) -> tuple[str, bool]:
        """Read until it ends."""
        while not self.overdue():
            ready, _, _ = select.select([self.reader], [], [], 1.0)
            if ready and self.read():
                break
        return self.end()


def _work(work: Callable[[], str], seconds: float, writer: int) -> None:
    """In the child: never returns."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if seconds:
        whole = max(1, round(seconds))
        resource.setrlimit(resource.RLIMIT_CPU, (whole, whole + 1))
    try:
        said = work().encode()
    except NotPlacedError as error:
        said = f"{NOT_PLACED}{error}".encode()
    except BaseException as error:  # noqa: BLE001 - whatever ends it, ends it noticed
        said = f"stopped: {type(error).__name__}: {error}".encode()
    while said:
        said = said[os.write(writer, said) :]
    os._exit(0)


def children(works: Iterator[tuple[Any, Callable[[], str], float]], jobs: int) -> Iterator[tuple[Any, str, bool]]:
    """So many at once; what each was for, what it said, whether it was stopped, as they end."""
    running: dict[int, tuple[Any, Child]] = {}
    more = True
    while running or more:
        while more and len(running) < jobs:
            following = next(works, None)
            if following is None:
                more = False
                break
            child = Child(following[1], following[2])
            running[child.reader] = (following[0], child)
        ready, _, _ = select.select(list(running), [], [], 1.0) if running else ([], [], [])
        ended = [one for one in ready if running[one][1].read()]
        ended += [one for one, (_, child) in running.items() if one not in ended and child.overdue()]
        for one in ended:
            what, child = running.pop(one)
            yield (what, *child.end())


def collect(tests: Sequence[str], job: Callable[[Warm], None], files: set[str]) -> None:
    """Collect these tests, watching which lines of these files run meanwhile, then do the job."""
    words = [*QUIET, *HYPOTHESIS, "--rootdir", str(ROOT), *(str(ROOT / test) for test in tests)]
    with Tracer(files) as lines:
        status = pytest.main(words, plugins=[Warm(job, lines)])
    if status != pytest.ExitCode.OK:
        raise AssertionError(f"pytest could not collect {' '.join(tests)}: {status}")


def run_cold(edit: Edit, tests: Sequence[str]) -> str:
    """In a child without the product: import it with the fault, run the tests up to the first that fails."""
    sys.meta_path.insert(0, Finder(edit))
    failed: list[str] = []

    class First:
        """Remembers which failed."""

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.failed:
                failed.append(report.nodeid)

        def pytest_collectreport(self, report: pytest.CollectReport) -> None:
            if report.failed:
                failed.append(f"collecting {report.nodeid}")

    words = [*QUIET, *HYPOTHESIS, "-x", "--rootdir", str(ROOT), *(str(ROOT / test) for test in tests)]
    status = pytest.main(words, plugins=[First()])
    return failed[0] if failed else "" if status == 0 else f"pytest ended with {status}"
