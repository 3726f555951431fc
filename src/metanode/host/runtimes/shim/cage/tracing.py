"""ptrace(2) on x86-64: one traced process, its registers and its memory. Every failure is an `OSError`."""

import ctypes
import os
from pathlib import Path
from typing import Final

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_PTRACE: Final = _LIBC.ptrace
_PTRACE.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_PTRACE.restype = ctypes.c_long

TRACE_ME: Final = 0
CONTINUE: Final = 7
GET_REGISTERS: Final = 12
SET_REGISTERS: Final = 13
UNTIL_SYSTEM_CALL: Final = 24
SET_OPTIONS: Final = 0x4200
"""Requests of ptrace(2)."""

EVENT_EXEC: Final = 4
EVENT_EXIT: Final = 6
EVENT_SECCOMP: Final = 7
"""Above the signal number in the status of a stop."""
MARK_CALLS: Final = 0x1
TELL_EXEC: Final = 0x10
TELL_EXIT: Final = 0x40
TELL_SECCOMP: Final = 0x80
EXIT_KILL: Final = 0x10_0000
"""PTRACE_O_TRACESYSGOOD, TRACEEXEC, TRACEEXIT, TRACESECCOMP; and EXITKILL: whoever ends the tracer ends the traced."""
CALL_STOP: Final = 0x80 | 5
"""The signal of a stop at a system call, with MARK_CALLS."""

R10, R9, R8, RAX, RCX, RDX, RSI, RDI, ORIG_RAX, RIP, RSP, RBX = 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 19, 5
"""Places in `struct user_regs_struct`."""
WORDS: Final = 27
"""Of that structure, 8 bytes each."""
ARGUMENTS: Final = (RDI, RSI, RDX, R10, R8, R9)
"""Where a system call has its arguments."""
UNSIGNED: Final = (1 << 64) - 1


def trace_me() -> None:
    """The parent traces this process from its next stop on."""
    _checked(_PTRACE(TRACE_ME, 0, None, None), "PTRACE_TRACEME")


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


class Traced:
    """One process that stands still whenever this is used. `signal` 0: none is delivered."""

    def __init__(self, pid: int) -> None:
        self.pid: Final = pid
        self.registers = (ctypes.c_ulonglong * WORDS)()
        self._at: Final = ctypes.addressof(self.registers)
        self._memory = -1

    def options(self, options: int) -> None:
        """What is told of it."""
        _checked(_PTRACE(SET_OPTIONS, self.pid, None, options), "PTRACE_SETOPTIONS")

    def go_on(self, signal: int = 0, how: int = CONTINUE) -> None:
        """Until its next stop; nothing where it has been killed."""
        if _PTRACE(how, self.pid, None, signal) < 0 and ctypes.get_errno() != 3:  # ESRCH
            _checked(-1, "PTRACE_CONT")

    def read_registers(self) -> "ctypes.Array[ctypes.c_ulonglong]":
        """All registers, as they are now."""
        _checked(_PTRACE(GET_REGISTERS, self.pid, None, self._at), "PTRACE_GETREGS")
        return self.registers

    def write_registers(self) -> None:
        """As they stand in `registers`."""
        _checked(_PTRACE(SET_REGISTERS, self.pid, None, self._at), "PTRACE_SETREGS")

    def open_memory(self) -> None:
        """Its memory, after it has become another program."""
        if self._memory >= 0:
            os.close(self._memory)
        self._memory = os.open(Path("/proc", str(self.pid), "mem"), os.O_RDWR | os.O_CLOEXEC)

    def peek(self, address: int, length: int) -> bytes:
        """So many bytes of its memory, or fewer. Raises `OSError` where it has none there."""
        return os.pread(self._memory, length, address)

    def poke(self, address: int, data: bytes) -> None:
        """Write its memory."""
        if data and os.pwrite(self._memory, data, address) != len(data):
            raise OSError(14, os.strerror(14), "its memory")
