"""The filter, run by an interpreter of classic BPF; and the OCI profile, which must decide the same."""

import errno
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metanode.host.runtimes.shim.seccomp import ALLOW, AUDIT_ARCH, ERRNO, KILL_PROCESS, oci_profile, program, rules
from metanode.host.runtimes.shim.syscalls import AARCH64, TABLES, X86_64

MACHINES = pytest.mark.parametrize("machine", sorted(TABLES))
NEW_USER = 0x1000_0000
SIGCHLD = 17


def decide(code: bytes, arch: int, number: int, arguments: tuple[int, ...] = ()) -> int:
    """What a filter answers: a machine of one register, reading `struct seccomp_data`."""
    data = struct.pack(
        "<iIQ6Q", number if number < 1 << 31 else number - (1 << 32), arch, 0, *(*arguments, *[0] * 6)[:6]
    )
    at = register = 0
    for _ in range(len(code)):
        operation, then, otherwise, value = struct.unpack_from("<HBBI", code, at * 8)
        at += 1
        match operation:
            case 0x20:
                (register,) = struct.unpack_from("<I", data, value)
            case 0x54:
                register &= value
            case 0x05:
                at += value
            case 0x15:
                at += then if register == value else otherwise
            case 0x25:
                at += then if register > value else otherwise
            case 0x35:
                at += then if register >= value else otherwise
            case 0x06:
                return int(value)
            case _:
                pytest.fail(f"no such operation: {operation:#x}")
    pytest.fail("it never returns")


def decide_oci(profile: dict[str, Any], call: str, arguments: tuple[int, ...]) -> int:
    """What an OCI runtime makes of a profile."""
    for rule in profile["syscalls"]:
        if call in rule["names"] and all(holds(check, arguments) for check in rule.get("args", [])):
            return ERRNO | int(rule["errnoRet"])
    return ALLOW


def holds(check: dict[str, Any], arguments: tuple[int, ...]) -> bool:
    value = arguments[check["index"]]
    if check["op"] == "SCMP_CMP_MASKED_EQ":
        return bool(value & check["value"] == check["valueTwo"])
    assert check["op"] == "SCMP_CMP_GE"
    return bool(value >= check["value"])


@MACHINES
def test_every_plain_rule_is_answered_by_its_error(machine: str) -> None:
    code = program(machine)
    for rule in rules():
        if rule.call in TABLES[machine] and not rule.checks:
            assert decide(code, AUDIT_ARCH[machine], TABLES[machine][rule.call]) == ERRNO | rule.error, rule.call


@MACHINES
def test_what_is_in_no_rule_is_allowed(machine: str) -> None:
    code, named = program(machine), {TABLES[machine].get(rule.call) for rule in rules()}
    for number in range(470):
        if number not in named:
            assert decide(code, AUDIT_ARCH[machine], number) == ALLOW


@MACHINES
def test_another_convention_is_killed(machine: str) -> None:
    code = program(machine)
    for arch in (0x4000_0003, 0x4000_0028, 0, AUDIT_ARCH["x86_64" if machine == "aarch64" else "aarch64"]):
        assert decide(code, arch, 1) == KILL_PROCESS
    if machine == "x86_64":
        assert decide(code, AUDIT_ARCH[machine], 0x4000_0000 + 39) == KILL_PROCESS
        assert decide(code, AUDIT_ARCH[machine], 0xFFFF_FFFF) == KILL_PROCESS


@pytest.mark.parametrize(
    ("call", "arguments", "answer"),
    [
        ("clone", (SIGCHLD,), 0),
        ("clone", (0x3D0F00,), 0),  # a thread
        ("clone", (NEW_USER | SIGCHLD,), errno.EPERM),
        ("clone", (0x4000_0000 | SIGCHLD,), errno.EPERM),
        ("clone", (0x80 | SIGCHLD,), errno.EPERM),
        ("clone3", (), errno.ENOSYS),
        ("socket", (1, 1, 0), 0),
        ("socket", (2, 1, 6), 0),
        ("socket", (10, 0x80801, 262), 0),  # MPTCP
        ("socket", (2, 3, 1), errno.EPERM),
        ("socket", (10, 0x80003, 58), errno.EPERM),
        ("socket", (2, 10, 3), errno.EPERM),
        ("socket", (16, 3, 0), 0),  # routing: interfaces are listed by it
        ("socket", (16, 3, 9), errno.EPROTONOSUPPORT),  # audit
        ("socket", (17, 3, 0), errno.EAFNOSUPPORT),
        ("socket", (38, 5, 0), errno.EAFNOSUPPORT),
        ("socket", (40, 1, 0), errno.EAFNOSUPPORT),
        ("socket", (0, 1, 0), errno.EAFNOSUPPORT),
        ("socket", ((1 << 32) | 17, 3, 0), errno.EAFNOSUPPORT),
        ("socket", (2, (1 << 32) | 3, 1), errno.EPERM),
        ("ioctl", (0, 0x5401), 0),
        ("ioctl", (0, 0x5412), errno.EPERM),
        ("ioctl", (0, (1 << 32) | 0x5412), errno.EPERM),
        ("mknodat", (-100 & 0xFFFF_FFFF_FFFF_FFFF, 0, 0o010644), 0),  # a named pipe
        ("mknodat", (0, 0, 0o020644), errno.EPERM),
        ("mknodat", (0, 0, 0o060644), errno.EPERM),
        ("personality", (0,), 0),
        ("personality", (0x40_0000,), errno.EPERM),
    ],
)
@MACHINES
def test_arguments_decide(machine: str, call: str, arguments: tuple[int, ...], answer: int) -> None:
    wanted = ERRNO | answer if answer else ALLOW
    assert decide(program(machine), AUDIT_ARCH[machine], TABLES[machine][call], arguments) == wanted


INTERESTING = st.sampled_from([0, 1, 2, 3, 10, 16, 17, 40, 0x5412, 0o020000, 0o060000, NEW_USER, 0xFFFF_FFFF, 1 << 32])
ARGUMENTS = st.tuples(*[st.integers(0, (1 << 64) - 1) | INTERESTING] * 6)


@given(st.sampled_from(sorted({rule.call for rule in rules()} & set(X86_64))), ARGUMENTS)
def test_the_oci_profile_decides_the_same(call: str, arguments: tuple[int, ...]) -> None:
    for machine in TABLES:
        if call in TABLES[machine]:
            ours = decide(program(machine), AUDIT_ARCH[machine], TABLES[machine][call], arguments)
            assert ours == decide_oci(oci_profile(machine), call, arguments)


@MACHINES
def test_the_filter_is_one_the_kernel_takes(machine: str) -> None:
    code = program(machine)
    length = len(code) // 8
    assert len(code) % 8 == 0
    assert length <= 4096
    for at in range(length):
        operation, then, otherwise, value = struct.unpack_from("<HBBI", code, at * 8)
        targets = [at + 1 + value] if operation == 0x05 else [at + 1 + then, at + 1 + otherwise]
        assert operation == 0x06 or max(targets) < length


def test_tables_are_numbers_of_their_own() -> None:
    for table in (X86_64, AARCH64):
        assert len(set(table.values())) == len(table)
    assert {rule.call for rule in rules()} <= set(X86_64)
