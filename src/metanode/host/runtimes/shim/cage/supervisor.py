"""DET-1. The supervisor of one caged job: its parent and tracer, in a process of its own. If it ends, the job ends."""

import errno
import os
import signal
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from metanode.host.runtimes.shim import kernel
from metanode.host.runtimes.shim.cage import numbers, processor, tracing
from metanode.host.runtimes.shim.cage.files import Files, made_devices
from metanode.host.runtimes.shim.cage.made import SECOND_NS, Facts, Made, seeded
from metanode.host.runtimes.shim.cage.observed import Observed
from metanode.host.runtimes.shim.cage.tracing import ARGUMENTS, ORIG_RAX, RAX, RBX, RCX, RDX, RIP, RSP, Traced

ALL_CHILDREN: Final = 0x4000_0000
"""__WALL of waitpid(2)."""
OPTIONS: Final = tracing.MARK_CALLS | tracing.TELL_EXEC | tracing.TELL_EXIT | tracing.TELL_SECCOMP | tracing.EXIT_KILL
_STAT_BYTES: Final = {"stat": 144, "fstat": 144, "lstat": 144, "newfstatat": 144, "statx": 256,
                      "statfs": 120, "fstatfs": 120}  # fmt: skip
_STAT_PLACE: Final = {"stat": 1, "fstat": 1, "lstat": 1, "newfstatat": 2, "statx": 4, "statfs": 1, "fstatfs": 1}
"""How long what a call writes is, and which argument says where."""
_TIMEOUT_MS: Final = {"poll": 2, "epoll_wait": 3, "epoll_pwait": 3}
_TIMEOUT_AT: Final = {"ppoll": 2, "pselect6": 4, "select": 4}
"""Which argument says how long to wait: in milliseconds, or where a pair of numbers is."""
_STOPS: Final = frozenset({signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})
"""Nobody would continue it."""
_HARMLESS: Final = frozenset({signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH, signal.SIGKILL})
"""What ends nobody, and what needs no help."""
_IGNORED: Final = 1
_TAKEN: Final = frozenset({27, 28, 29, 30, 33})
"""Of the auxiliary vector, taken away: where the vDSO is, what restartable sequences need, more hardware."""
_RANDOM, _HARDWARE, _HARDWARE_2, _SIGNAL_STACK = 25, 16, 26, 51
_SIGNAL_STACK_BYTES: Final = 16_384
_CALL: Final = b"\x0f\x05"
_READS_COUNTER: Final = b"\x0f\x31"
_READS_COUNTER_AND_PLACE: Final = b"\x0f\x01\xf9"
_ASKS_PROCESSOR: Final = b"\x0f\xa2"
_VECTOR_BYTES_MAX: Final = 1 << 20


class Supervisor:
    """Serves one job until it ends. `collect` is called while it stands still at its end, with its files in place."""

    def __init__(
        self, pid: int, facts: Facts, owner: tuple[int, int], observed: Observed, collect: Callable[[int], None]
    ) -> None:
        self._job: Final = Traced(pid)
        self._facts: Final = facts
        self._made: Final = Made(facts, self._peek)
        self._files: Final = Files(*owner)
        self._observed: Final = observed
        self._collect: Final = collect
        self._runs = False
        self._status: int | None = None
        self._killed_by = 0
        self._pidfd: Final = kernel.pidfd_open(pid)
        self._after: Callable[[int], None] | None = None
        self._told: Final[set[str]] = set()
        self.ended_by_us = False
        self.hides_processor = False

    # --- stops ------------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Until it has ended: its wait status."""
        while True:
            _, status = os.waitpid(self._job.pid, ALL_CHILDREN)
            if not os.WIFSTOPPED(status):
                return self._killed_by or status
            try:
                self._stopped(os.WSTOPSIG(status), status >> 16)
            except ProcessLookupError:  # it was killed while it stood still
                if self._status is not None:
                    return self._status

    def begin(self) -> None:
        """Its first stop: from here on it ends with this process."""
        os.waitpid(self._job.pid, ALL_CHILDREN)
        self._job.options(OPTIONS)
        self._job.open_memory()
        self._job.go_on()

    def end(self) -> None:
        """Somebody outside wants it to end."""
        self.ended_by_us = True
        os.kill(self._job.pid, signal.SIGKILL)

    def _stopped(self, number: int, event: int) -> None:
        if event == tracing.EVENT_SECCOMP:
            self._called()
        elif event == tracing.EVENT_EXEC:
            self._became()
        elif event == tracing.EVENT_EXIT:
            if self._runs:
                self._collect(self._job.pid)
            self._job.go_on()
        elif number == tracing.CALL_STOP:
            after, self._after = self._after, None
            if after is not None:
                after(_signed(self._job.read_registers()[RAX]))
            self._job.go_on()
        elif number == signal.SIGSEGV and self._emulated():
            self._job.go_on()
        else:
            self._signalled(0 if number in _STOPS or event else number)

    def _signalled(self, number: int) -> None:
        """The first process of a namespace that is traced survives every signal that nobody catches: not so here."""
        if number and number not in _HARMLESS and not self._takes(number):
            if self._runs:
                self._collect(self._job.pid)
            self._killed_by = number
            os.kill(self._job.pid, signal.SIGKILL)
            return
        self._job.go_on(number)

    def _takes(self, number: int) -> bool:
        """Whether the job catches or ignores a signal."""
        lines = Path(f"/proc/{self._job.pid}/status").read_text().splitlines()
        masks = (int(line[8:], 16) for line in lines if line.startswith(("SigIgn:", "SigCgt:")))
        return any(mask >> (number - 1) & 1 for mask in masks)

    # --- system calls -----------------------------------------------------------------------------------------------

    def _called(self) -> None:
        """DET-2. A call the filter asks about. Before the program runs, the jail's own calls pass."""
        registers = self._job.read_registers()
        name = numbers.NAMES.get(registers[ORIG_RAX], "")
        arguments = tuple(int(registers[place]) for place in ARGUMENTS)
        if not self._runs:
            self._job.go_on()
        elif name in numbers.ANSWERED:
            self._answered(name, arguments)
        elif name in numbers.CORRECTED:
            self._then(lambda result: self._corrected(name, arguments, result))
        elif name in numbers.LISTED:
            self._listed(name, arguments)
        elif name in numbers.WAITING:
            self._waits(name, arguments)
        elif name in numbers.REFUSED:
            self._refused(name)
        else:
            self._skip(-errno.EPERM)

    def _then(self, after: Callable[[int], None]) -> None:
        """Let the call be made, and look at it once more before the job does."""
        self._after = after
        self._job.go_on(how=tracing.UNTIL_SYSTEM_CALL)

    def _skip(self, result: int) -> None:
        """The call is not made, and gives this."""
        registers = self._job.registers
        registers[ORIG_RAX] = tracing.UNSIGNED
        registers[RAX] = result & tracing.UNSIGNED
        self._job.write_registers()
        self._job.go_on()

    def _answered(self, name: str, arguments: tuple[int, ...]) -> None:
        """DET-3. Time, chance, the machine."""
        number, data = numbers.ANSWERED[name], b""
        try:
            result, writes = self._made.answer(name, arguments)
            for place, part in writes:
                self._poke(place, part)
                data += part
        except OSError:
            result, data = -errno.EFAULT, b""
        self._observed.note(number, result, data)
        self._skip(result)

    def _corrected(self, name: str, arguments: tuple[int, ...], result: int) -> None:
        """DET-4. What the kernel said of a file."""
        data, place = b"", arguments[_STAT_PLACE[name]]
        if result == 0:
            raw = self._peek(place, _STAT_BYTES[name])
            if name == "statx":
                data = self._files.statx(raw)
            else:
                data = self._files.file_system() if name.endswith("statfs") else self._files.stat(raw)
            self._poke(place, data)
        self._observed.note(numbers.CORRECTED[name], result, data)

    def _listed(self, name: str, arguments: tuple[int, ...]) -> None:
        """DET-4. A folder, sorted. What is no folder the kernel answers itself."""
        number, folder = arguments[0] & 0xFFFF_FFFF, -1
        try:
            folder = kernel.file_of(self._pidfd, number)
            said = self._files.listed(number, folder, arguments[2] & 0xFFFF_FFFF, old=name == "getdents")
        except OSError as error:
            if error.errno in {errno.EBADF, errno.ENOTDIR, errno.ESPIPE}:
                self._then(lambda result: self._observed.note(numbers.LISTED[name], result))
                return
            failed = -(error.errno or errno.EIO)
            self._observed.note(numbers.LISTED[name], failed)
            self._skip(failed)
            return
        finally:
            if folder >= 0:
                os.close(folder)
        result = len(said) if said is not None else -errno.EINVAL
        try:
            self._poke(arguments[1], said or b"")
        except OSError:
            result, said = -errno.EFAULT, b""
        self._observed.note(numbers.LISTED[name], result, said or b"")
        self._skip(result)

    def _waits(self, name: str, arguments: tuple[int, ...]) -> None:
        """DET-3. Nothing comes from outside, so what is not ready now never will be: the clock goes on at once."""
        place = _TIMEOUT_MS.get(name)
        if place is not None:
            wait = struct.unpack("<i", struct.pack("<I", arguments[place] & 0xFFFF_FFFF))[0] * 1_000_000
            if wait > 0:
                self._job.registers[ARGUMENTS[place]] = 0
                self._job.write_registers()
            self._then(lambda result: self._waited(name, result, max(wait, 0)))
            return
        at = arguments[_TIMEOUT_AT[name]]
        kept = b""
        try:
            kept = self._peek(at, 16) if at else b""
            if len(kept) == 16:
                self._poke(at, bytes(16))
        except OSError:
            kept = b""
        seconds, part = struct.unpack("<qq", kept) if len(kept) == 16 else (0, 0)
        wait = max(0, seconds * SECOND_NS + part * (1_000 if name == "select" else 1))

        def after(result: int) -> None:
            if len(kept) == 16 and result != 0:
                self._poke(at, kept)
            self._waited(name, result, wait)

        self._then(after)

    def _waited(self, name: str, result: int, wait_ns: int) -> None:
        if result == 0:
            self._made.pass_over(wait_ns)
        self._observed.note(numbers.WAITING[name], result)

    def _refused(self, name: str) -> None:
        """DET-5. Refused, and said once in the job's standard error."""
        number, error = numbers.REFUSED[name]
        if name not in self._told:
            self._told.add(name)
            os.write(2, f"metanode: DET-5: {name} is refused to a deterministic job\n".encode())
        self._observed.note(number, -error)
        self._skip(-error)

    # --- memory -----------------------------------------------------------------------------------------------------

    def _peek(self, place: int, length: int) -> bytes:
        if place >> 47:
            raise OSError(errno.EFAULT, os.strerror(errno.EFAULT), "its memory")
        data = self._job.peek(place, length)
        if len(data) < length:
            raise OSError(errno.EFAULT, os.strerror(errno.EFAULT), "its memory")
        return data

    def _poke(self, place: int, data: bytes) -> None:
        if place >> 47:
            raise OSError(errno.EFAULT, os.strerror(errno.EFAULT), "its memory")
        self._job.poke(place, data)

    # --- instructions -----------------------------------------------------------------------------------------------

    def _emulated(self) -> bool:
        """DET-6. Whether the job read the processor's counter, or asked what the processor is; then it was told."""
        registers = self._job.read_registers()
        try:
            code = self._job.peek(int(registers[RIP]), 3)
        except (OSError, OverflowError):
            return False
        if code[:2] == _READS_COUNTER or code == _READS_COUNTER_AND_PLACE:
            count = self._made.tick() if self._runs else 0
            registers[RAX], registers[RDX] = count & 0xFFFF_FFFF, count >> 32 & 0xFFFF_FFFF
            if code[:2] != _READS_COUNTER:
                registers[RCX] = 0
            registers[RIP] += 2 if code[:2] == _READS_COUNTER else 3
            if self._runs:
                self._observed.note(numbers.RDTSC, count)
        elif code[:2] == _ASKS_PROCESSOR and self.hides_processor:
            leaf = registers[RAX] & 0xFFFF_FFFF
            sub = registers[RCX] & 0xFF if leaf in processor.WITH_PARTS else 0
            told = processor.cpuid(leaf, sub)
            registers[RAX], registers[RBX], registers[RCX], registers[RDX] = told
            registers[RIP] += 2
            self._observed.note(numbers.CPUID, leaf << 8 | sub, struct.pack("<IIII", *told))
        else:
            return False
        self._job.write_registers()
        return True

    # --- becoming a program -----------------------------------------------------------------------------------------

    def _became(self) -> None:
        """DET-6. It has become a program that has not yet begun: take from it what only this machine knows."""
        self._job.go_on(how=tracing.UNTIL_SYSTEM_CALL)
        self._expect_call_stop()
        self._job.open_memory()
        self._files.made = made_devices(Path(f"/proc/{self._job.pid}/mountinfo").read_text())
        begin = [int(word) for word in self._job.read_registers()]
        self._patch_vector(begin[RSP])
        code = self._peek(begin[RIP], len(_CALL))
        self._job.poke(begin[RIP], _CALL)
        self.hides_processor = self._inject(begin, numbers.ARCH_PRCTL, (numbers.SET_CPUID, 0)) == 0
        for first, last in self._machine_pages():
            self._inject(begin, numbers.MUNMAP, (first, last - first))
        self._job.poke(begin[RIP], code)
        for place, word in enumerate(begin):
            self._job.registers[place] = word
        self._job.write_registers()
        self._runs = True
        self._observed.note(numbers.EXEC, int(self.hides_processor))
        self._job.go_on()

    def _expect_call_stop(self) -> None:
        """The next stop at a system call. Raises `ProcessLookupError` where it was killed instead."""
        while True:
            _, status = os.waitpid(self._job.pid, ALL_CHILDREN)
            if not os.WIFSTOPPED(status):
                self._status = status
                raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
            if os.WSTOPSIG(status) == tracing.CALL_STOP:
                return
            self._job.go_on(how=tracing.UNTIL_SYSTEM_CALL)

    def _patch_vector(self, stack: int) -> None:
        """DET-6. The auxiliary vector, on the stack above arguments and environment."""
        at = stack + 8 * (1 + struct.unpack("<Q", self._peek(stack, 8))[0] + 1)
        while struct.unpack("<Q", self._peek(at, 8))[0]:
            at += 8
        at += 8
        while True:
            kind, value = struct.unpack("<QQ", self._peek(at, 16))
            if kind == 0:
                return
            if kind in _TAKEN:
                self._poke(at, struct.pack("<QQ", _IGNORED, 0))
            elif kind == _RANDOM:
                self._poke(value, seeded(self._facts.seed, b"stack", 0, 16))
            elif kind == _HARDWARE:
                self._poke(at + 8, struct.pack("<Q", processor.HARDWARE))
            elif kind == _HARDWARE_2:
                self._poke(at + 8, bytes(8))
            elif kind == _SIGNAL_STACK:
                self._poke(at + 8, struct.pack("<Q", max(value, _SIGNAL_STACK_BYTES)))
            at += 16

    def _machine_pages(self) -> list[tuple[int, int]]:
        """The vDSO and the pages it reads the time from."""
        pages = []
        for line in Path(f"/proc/{self._job.pid}/maps").read_text().splitlines():
            if line.endswith(("[vdso]", "[vvar]", "[vvar_vclock]")):
                first, _, last = line.partition(" ")[0].partition("-")
                pages.append((int(first, 16), int(last, 16)))
        return pages

    def _inject(self, begin: list[int], call: int, arguments: tuple[int, int]) -> int:
        """Let it make one system call, whose instruction stands where it begins; its result. The caller puts everything
        back."""
        registers = self._job.registers
        for place, word in enumerate(begin):
            registers[place] = word
        registers[RAX], registers[ORIG_RAX] = call, tracing.UNSIGNED
        registers[ARGUMENTS[0]], registers[ARGUMENTS[1]] = arguments
        self._job.write_registers()
        for _ in range(2):  # before it and behind it
            self._job.go_on(how=tracing.UNTIL_SYSTEM_CALL)
            self._expect_call_stop()
        return _signed(self._job.read_registers()[RAX])


def _signed(word: int) -> int:
    return int(word) - (1 << 64) if word >> 63 else int(word)
