"""Which system calls a container may not make, said once: as a BPF program for the jail, as a profile for OCI."""

import errno
import struct
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from metanode.host.runtimes.shim.syscalls import TABLES

ALLOW: Final = 0x7FFF_0000
"""SECCOMP_RET_ALLOW."""
KILL_PROCESS: Final = 0x8000_0000
"""SECCOMP_RET_KILL_PROCESS."""
ERRNO: Final = 0x0005_0000
"""SECCOMP_RET_ERRNO; the low 16 bits are the error."""
AUDIT_ARCH: Final = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
"""What `seccomp_data.arch` holds on each machine."""
OCI_ARCH: Final = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}
"""Their names in an OCI profile."""
X32_BIT: Final = 0x4000_0000
"""Set in the numbers of the x32 calling convention, a second way into the same kernel functions."""
NEW_NAMESPACE_BITS: Final = (0x80, 0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000)
"""CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET."""
ARGUMENTS_OFFSET: Final = 16
"""Of `args[0]` in `struct seccomp_data`; each is 8 bytes, little-endian."""


class Comparison(Enum):
    """How an argument is compared. Kernels read most arguments as 32 bits, so what is above is never trusted."""

    MASKED = "SCMP_CMP_MASKED_EQ"
    """(argument & mask) == value, both below 2^32."""
    AT_LEAST = "SCMP_CMP_GE"
    """argument >= value as 64 bits: whatever has a bit above the 32nd matches."""


@dataclass(frozen=True, slots=True)
class Check:
    """One argument of a call, compared."""

    argument: int
    value: int
    test: Comparison = Comparison.MASKED
    mask: int = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Rule:
    """RUN-12. A call answered by an error; with checks, only where all of them hold."""

    call: str
    error: int = errno.EPERM
    checks: tuple[Check, ...] = ()


_PLAIN: Final = (
    # mounts and roots
    "mount", "umount2", "pivot_root", "chroot", "open_tree", "open_tree_attr", "move_mount", "fsopen", "fsconfig",
    "fsmount", "fspick", "mount_setattr", "statmount", "listmount", "quotactl", "quotactl_fd", "swapon", "swapoff",
    # other processes and other namespaces
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease", "pidfd_getfd", "kcmp",
    "unshare", "setns", "migrate_pages", "move_pages",
    # files by handle, past every mount
    "open_by_handle_at", "name_to_handle_at",
    # the kernel itself
    "init_module", "finit_module", "delete_module", "create_module", "get_kernel_syms", "query_module", "kexec_load",
    "kexec_file_load", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter",
    "io_uring_register", "add_key", "request_key", "keyctl", "fanotify_init", "fanotify_mark", "lookup_dcookie",
    "nfsservctl", "syslog", "acct", "reboot",
    # the machine: clocks, names, ports, segments
    "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname", "iopl", "ioperm",
    "modify_ldt", "vhangup", "uselib", "ustat", "sysfs", "_sysctl",
)  # fmt: skip

SOCKET_FAMILIES: Final = {1: "unix", 2: "inet", 10: "inet6", 16: "netlink"}
"""Families a container may use. Netlink only as routing: programs list their interfaces by it."""
_NETLINK: Final = 16
_INTERNET: Final = (2, 10)
_KIND_MASK: Final = 0xF
_SOCK_RAW: Final = 3
_SOCK_PACKET: Final = 10
_TERMINAL_INPUT: Final = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX: both type into somebody else's terminal."""
_FILE_TYPE_MASK: Final = 0o170000
_DEVICES: Final = (0o020000, 0o060000)
"""S_IFCHR and S_IFBLK."""


def _socket_rules() -> list[Rule]:
    """RUN-13. Only four families; raw sockets of the internet and odd kinds of netlink not at all."""
    unknown = [Check(0, family) for family in range(_NETLINK) if family not in SOCKET_FAMILIES]
    unknown.append(Check(0, _NETLINK + 1, Comparison.AT_LEAST))
    refused = [Rule("socket", errno.EAFNOSUPPORT, (check,)) for check in unknown]
    for family in _INTERNET:
        refused += [
            Rule("socket", errno.EPERM, (Check(0, family), Check(1, kind, mask=_KIND_MASK)))
            for kind in (_SOCK_RAW, _SOCK_PACKET)
        ]
    refused.append(Rule("socket", errno.EPROTONOSUPPORT, (Check(0, _NETLINK), Check(2, 1, Comparison.AT_LEAST))))
    return refused


def rules() -> tuple[Rule, ...]:
    """RUN-12. Everything that is refused on some machine; a machine that lacks a call has no rule of it."""
    found = [Rule(call) for call in _PLAIN]
    found += [Rule("clone", errno.EPERM, (Check(0, bit, mask=bit),)) for bit in NEW_NAMESPACE_BITS]
    found.append(Rule("clone3", errno.ENOSYS))
    found += _socket_rules()
    found += [Rule("ioctl", errno.EPERM, (Check(1, request),)) for request in _TERMINAL_INPUT]
    for call, argument in (("mknod", 1), ("mknodat", 2)):
        found += [Rule(call, errno.EPERM, (Check(argument, kind, mask=_FILE_TYPE_MASK),)) for kind in _DEVICES]
    found.append(Rule("personality", errno.EPERM, (Check(0, 1, Comparison.AT_LEAST),)))
    return tuple(found)


_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_AND: Final = 0x54  # BPF_ALU | BPF_AND | BPF_K
_JUMP: Final = 0x05  # BPF_JMP | BPF_JA
_IF_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_IF_ABOVE: Final = 0x25  # BPF_JMP | BPF_JGT | BPF_K
_IF_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K


def _step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    """One `struct sock_filter`: 8 bytes."""
    return struct.pack("<HBBI", code, then, otherwise, value)


def _compiled(check: Check) -> list[tuple[int, int, int, bool]]:
    """The steps of a check as (code, value, jump if true, whether to leave the rule if false)."""
    low = ARGUMENTS_OFFSET + 8 * check.argument
    if check.test is Comparison.MASKED:
        return [(_LOAD, low, 0, False), (_AND, check.mask, 0, False), (_IF_EQUAL, check.value, 0, True)]
    return [
        (_LOAD, low + 4, 0, False),
        (_IF_ABOVE, 0, 2, False),
        (_LOAD, low, 0, False),
        (_IF_AT_LEAST, check.value, 0, True),
    ]


def _compiled_rule(rule: Rule) -> bytes:
    """The checks, each leaving the rule where it does not hold, then the answer."""
    steps = [step for check in rule.checks for step in _compiled(check)]
    left = len(steps)
    packed = []
    for code, value, then, leaves in steps:
        left -= 1
        packed.append(_step(code, value, then, left + 1 if leaves else 0))
    return b"".join(packed) + _step(_RETURN, ERRNO | rule.error)


def program(machine: str) -> bytes:
    """RUN-12. The filter as classic BPF: another calling convention is killed, a refused call gets its error."""
    numbers = TABLES[machine]
    parts = [
        _step(_LOAD, 4),
        _step(_IF_EQUAL, AUDIT_ARCH[machine], 1, 0),
        _step(_RETURN, KILL_PROCESS),
        _step(_LOAD, 0),
    ]
    if machine == "x86_64":
        parts += [_step(_IF_AT_LEAST, X32_BIT, 0, 1), _step(_RETURN, KILL_PROCESS)]
    by_call: dict[str, list[Rule]] = {}
    for rule in rules():
        by_call.setdefault(rule.call, []).append(rule)
    for call, group in by_call.items():
        if call in numbers:
            body = b"".join(_compiled_rule(rule) for rule in group)
            if any(rule.checks for rule in group):
                body += _step(_RETURN, ALLOW)
            parts += [_step(_IF_EQUAL, numbers[call], 1, 0), _step(_JUMP, len(body) // 8), body]
    return b"".join(parts) + _step(_RETURN, ALLOW)


def oci_profile(machine: str) -> dict[str, Any]:
    """RUN-12. The same rules as `linux.seccomp` of an OCI configuration."""
    listed = []
    for rule in rules():
        if rule.call in TABLES[machine]:
            entry: dict[str, Any] = {"names": [rule.call], "action": "SCMP_ACT_ERRNO", "errnoRet": rule.error}
            if rule.checks:
                entry["args"] = [_oci_check(check) for check in rule.checks]
            listed.append(entry)
    return {"defaultAction": "SCMP_ACT_ALLOW", "architectures": [OCI_ARCH[machine]], "syscalls": listed}


def _oci_check(check: Check) -> dict[str, Any]:
    """For a masked comparison OCI calls the mask `value` and the value `valueTwo`."""
    if check.test is Comparison.MASKED:
        return {"index": check.argument, "value": check.mask, "valueTwo": check.value, "op": check.test.value}
    return {"index": check.argument, "value": check.value, "op": check.test.value}
