"""DET-2. The second filter of a caged job, above the jail's: what the supervisor is asked about, and what is absent."""

import errno
import struct
from typing import Final

from metanode.host.runtimes.shim.cage import numbers
from metanode.host.runtimes.shim.seccomp import ALLOW, ARGUMENTS_OFFSET, AUDIT_ARCH, ERRNO, KILL_PROCESS

TRACE: Final = 0x7FF0_0000
"""SECCOMP_RET_TRACE."""
_LOAD: Final = 0x20
_AND: Final = 0x54
_IF_EQUAL: Final = 0x15
_RETURN: Final = 0x06


def _step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("<HBBI", code, then, otherwise, value)


def _where(call: int, checks: tuple[tuple[int, int, int], ...], answer: int) -> bytes:
    """An answer for one call where each (argument, mask, value) holds; the number is loaded before and after."""
    steps = 3 * len(checks)
    body = b""
    for place, (argument, mask, value) in enumerate(checks):
        left = steps - 3 * (place + 1) + 1
        body += _step(_LOAD, ARGUMENTS_OFFSET + 8 * argument) + _step(_AND, mask) + _step(_IF_EQUAL, value, 0, left)
    return _step(_IF_EQUAL, call, 0, steps + 1) + body + _step(_RETURN, answer) + _step(_LOAD, 0)


def program() -> bytes:
    """DET-2, DET-5. The filter as classic BPF."""
    parts = [
        _step(_LOAD, 4),
        _step(_IF_EQUAL, AUDIT_ARCH["x86_64"], 1, 0),
        _step(_RETURN, KILL_PROCESS),
        _step(_LOAD, 0),
    ]
    for number in sorted(numbers.NAMES):
        parts += [_step(_IF_EQUAL, number, 0, 1), _step(_RETURN, TRACE)]
    for number, error in sorted(numbers.ABSENT.values()):
        parts += [_step(_IF_EQUAL, number, 0, 1), _step(_RETURN, ERRNO | error)]
    whole = 0xFFFF_FFFF
    parts += [
        _where(numbers.ARCH_PRCTL, ((0, whole, numbers.SET_CPUID),), TRACE),
        _where(numbers.PRCTL, ((0, whole, numbers.SET_TSC),), ERRNO | errno.EPERM),
        _where(
            numbers.FCNTL,
            ((1, whole, numbers.SET_FLAGS), (2, numbers.NON_BLOCKING, numbers.NON_BLOCKING)),
            ERRNO | errno.EPERM,
        ),
    ]
    return b"".join(parts) + _step(_RETURN, ALLOW)
