"""Calls of Linux that Python 3.11 has no name for, by `ctypes`. Every failure is an `OSError` that names the call."""

import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct
import termios
from typing import Final

from metanode.host.runtimes.shim.syscalls import NUMBERS

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_HELD: Final = ctypes.PyDLL(None, use_errno=True)
"""The same library without giving up the interpreter's lock around a call: for `clone`, which returns twice."""

NEW_MOUNTS: Final = 0x2_0000
NEW_CGROUP: Final = 0x200_0000
NEW_HOSTNAME: Final = 0x400_0000
NEW_IPC: Final = 0x800_0000
NEW_USERS: Final = 0x1000_0000
NEW_PIDS: Final = 0x2000_0000
NEW_NETWORK: Final = 0x4000_0000
SAME_PARENT: Final = 0x8000
"""CLONE_PARENT."""

READ_ONLY: Final = 1
NO_SUID: Final = 2
NO_DEVICES: Final = 4
NO_EXECUTION: Final = 8
REMOUNT: Final = 32
BIND: Final = 4096
RECURSIVE: Final = 16384
PRIVATE: Final = 1 << 18
SLAVE: Final = 1 << 19
DETACH: Final = 2
"""Flags of mount(2) and umount2(2)."""

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_KEEPCAPS: Final = 8
_PR_CAPBSET_DROP: Final = 24
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_AMBIENT_RAISE: Final = 2
_AMBIENT_CLEAR: Final = 4
_SECCOMP_SET_MODE_FILTER: Final = 1
_CAPABILITY_VERSION: Final = 0x2008_0522
_SIOCGIFFLAGS: Final = 0x8913
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 1
_AT_RECURSIVE: Final = 0x8000
_AT_FDCWD: Final = -100
_OPEN_TREE_CLONE: Final = 1
_MOVE_FROM_EMPTY_PATH: Final = 4
_MOVE_TO_FOLLOWS_LINKS: Final = 0x10
_LANDLOCK_VERSION: Final = 1
_PR_CAPBSET_READ: Final = 23
_PR_SET_TSC: Final = 26
_TSC_SIGNAL: Final = 2
_ADDRESSES_FIXED: Final = 0x004_0000
_RESOLVE_NO_LINKS: Final = 0x04
_RESOLVE_IN_ROOT: Final = 0x10
_LANDLOCK_PATH_BENEATH: Final = 1


def _checked(result: int, what: str) -> int:
    """The result, or the error the call left."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


def _call(name: str, *arguments: object) -> int:
    """A system call by name; ENOSYS where this machine has none of it."""
    if name not in NUMBERS:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), name)
    longs = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return _checked(_LIBC.syscall(ctypes.c_long(NUMBERS[name]), *longs), name)


def clone(flags: int) -> int:
    """Fork with namespaces: 0 in the child. The interpreter is told of it as `os.fork` tells it."""
    ctypes.pythonapi.PyOS_BeforeFork()
    zero = ctypes.c_long(0)
    number = ctypes.c_long(NUMBERS["clone"])
    result: int = _HELD.syscall(number, ctypes.c_long(flags | signal.SIGCHLD), zero, zero, zero, zero)
    if result == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0
    failed = ctypes.get_errno()
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if result < 0:
        raise OSError(failed, os.strerror(failed), "clone")
    return result


def unshare(flags: int) -> None:
    """Leave the parent's namespaces of these kinds."""
    _call("unshare", flags)


def set_namespaces(file: int, flags: int) -> None:
    """Enter the namespaces of these kinds: of one file below /proc/PID/ns, or of the process of a pidfd."""
    _call("setns", file, flags)


def pidfd_open(pid: int) -> int:
    """A file that stands for a process, whatever happens to its number. Close-on-exec."""
    return os.pidfd_open(pid)


def file_of(process: int, number: int) -> int:
    """A file that the process of a pidfd has open, with the same position; whoever may trace it may have it."""
    return _call("pidfd_getfd", process, number, 0)


def open_inside(root: int, path: str, flags: int) -> int:
    """A file below an open folder that stands for the root, and never outside; not by a symbolic link."""
    how = struct.pack("<QQQ", flags | os.O_CLOEXEC, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_LINKS)
    return _call("openat2", root, path.encode(), how, len(how))


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Mount; `data` are the options of that kind of file system."""
    result = _LIBC.mount(source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), data.encode())
    _checked(result, f"mount {kind or 'bind'} on {target}")


def restrict_mount(target: str, flags: int, *, deep: bool = True) -> None:
    """Add READ_ONLY, NO_SUID, NO_DEVICES, NO_EXECUTION to a mount and, `deep`, to all below it (from Linux 5.12 on;
    before it, to the mount itself). Never takes a flag away."""
    attributes = struct.pack("<QQQQ", flags, 0, 0, 0)  # MOUNT_ATTR_* are MS_* for these four
    try:
        _call("mount_setattr", _AT_FDCWD, target.encode(), _AT_RECURSIVE if deep else 0, attributes, len(attributes))
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
        kept = os.statvfs(target).f_flag & (READ_ONLY | NO_SUID | NO_DEVICES | NO_EXECUTION)
        mount("", target, flags=REMOUNT | BIND | kept | flags)


def clone_tree(path: str) -> int:
    """A copy of what is mounted at a path and below, mounted nowhere: an open file, to be put somewhere later."""
    return _call("open_tree", _AT_FDCWD, path.encode(), _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_RECURSIVE)


def put_tree(tree: int, target: str) -> None:
    """Mount such a copy, and close it."""
    flags = _MOVE_FROM_EMPTY_PATH | _MOVE_TO_FOLLOWS_LINKS
    _call("move_mount", tree, b"", _AT_FDCWD, target.encode(), flags)
    os.close(tree)


def unmount(target: str) -> None:
    """Take a mount away at once for everybody who looks, and for good when nobody uses it."""
    _checked(_LIBC.umount2(target.encode(), DETACH), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root; the old one is then at `old`."""
    _call("pivot_root", new.encode(), old.encode())


def close_files_from(first: int) -> None:
    """Close every file from this number on, whoever opened it."""
    try:
        _call("close_range", first, 0xFFFF_FFFF, 0)
    except OSError:
        os.closerange(first, 1 << 20)


def loopback_up() -> None:
    """Bring up `lo` of this network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        name, flags = struct.unpack_from("16sH", fcntl.ioctl(control, _SIOCGIFFLAGS, struct.pack("16s24x", b"lo")))
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", name, flags | _IFF_UP))


def take_terminal(file: int) -> None:
    """Make a terminal that of this session."""
    fcntl.ioctl(file, termios.TIOCSCTTY, 0)


def set_host_name(name: str) -> None:
    """Of this UTS namespace."""
    _checked(_LIBC.sethostname(name.encode(), len(name.encode())), "sethostname")


def _prctl(what: str, option: int, *arguments: int) -> None:
    longs = [ctypes.c_ulong(a) for a in (*arguments, 0, 0, 0, 0)[:4]]
    _checked(_LIBC.prctl(option, *longs), what)


def die_with_parent() -> None:
    """SIGKILL when the parent ends. Cleared by a change of user, so it comes after that; the caller then checks that
    the parent had not ended before."""
    _prctl("PR_SET_PDEATHSIG", _PR_SET_PDEATHSIG, signal.SIGKILL)


def be_subreaper() -> None:
    """Become the parent of orphans below."""
    _prctl("PR_SET_CHILD_SUBREAPER", _PR_SET_CHILD_SUBREAPER, 1)


def hide_memory() -> None:
    """No other process of this user may look into this one: its memory, its open files, its program."""
    _prctl("PR_SET_DUMPABLE", _PR_SET_DUMPABLE, 0)


def no_new_privileges() -> None:
    """No program executed from here on gains anything by set-user-id bits or file capabilities."""
    _prctl("PR_SET_NO_NEW_PRIVS", _PR_SET_NO_NEW_PRIVS, 1)


def keep_capabilities_over_user_change() -> None:
    """The permitted set survives the change of user that follows."""
    _prctl("PR_SET_KEEPCAPS", _PR_SET_KEEPCAPS, 1)


def last_capability() -> int:
    """The highest capability this kernel knows; asked without /proc, which a container need not have."""
    known = 0
    while _LIBC.prctl(_PR_CAPBSET_READ, ctypes.c_ulong(known + 1), *(ctypes.c_ulong(0),) * 3) >= 0:
        known += 1
    return known


def fix_addresses() -> None:
    """What is executed from here on is at the same addresses every time."""
    _checked(_LIBC.personality(ctypes.c_ulong(_ADDRESSES_FIXED)), "personality")


def trap_counter() -> None:
    """Reading the processor's time stamp counter is a SIGSEGV from here on."""
    _prctl("PR_SET_TSC", _PR_SET_TSC, _TSC_SIGNAL)


def drop_bounding(capability: int) -> None:
    """No program executed from here on can have it."""
    _prctl("PR_CAPBSET_DROP", _PR_CAPBSET_DROP, capability)


def raise_ambient(capability: int) -> None:
    """Keep a capability over the execution of an ordinary program by an ordinary user."""
    _prctl("PR_CAP_AMBIENT", _PR_CAP_AMBIENT, _AMBIENT_RAISE, capability)


def clear_ambient() -> None:
    """Keep none."""
    _prctl("PR_CAP_AMBIENT", _PR_CAP_AMBIENT, _AMBIENT_CLEAR)


def set_capabilities(capabilities: int) -> None:
    """Effective, permitted and inheritable set of this thread, as bits."""
    header = struct.pack("<Ii", _CAPABILITY_VERSION, 0)
    low, high = capabilities & 0xFFFF_FFFF, capabilities >> 32
    _call("capset", header, struct.pack("<IIIIII", low, low, low, high, high, high))


def filter_calls(program: bytes) -> None:
    """Install a seccomp program for this process and everything it becomes."""
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    _call("seccomp", _SECCOMP_SET_MODE_FILTER, 0, header)


def landlock_version() -> int:
    """The version of Landlock; 0 where the kernel has none or it is off."""
    try:
        return _call("landlock_create_ruleset", 0, 0, _LANDLOCK_VERSION)
    except OSError:
        return 0


def landlock_ruleset(files: int, network: int, scopes: int) -> int:
    """A new ruleset that handles these rights; a file. `network` and `scopes` are 0 on kernels that lack them."""
    fields = struct.pack("<QQQ", files, network, scopes)
    used = 24 if scopes else 16 if network else 8
    return _call("landlock_create_ruleset", fields[:used], used, 0)


def landlock_allow(ruleset: int, path: str, rights: int) -> None:
    """Allow rights on everything beneath a path."""
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        _call("landlock_add_rule", ruleset, _LANDLOCK_PATH_BENEATH, struct.pack("<Qi", rights, place), 0)
    finally:
        os.close(place)


def landlock_restrict(ruleset: int) -> None:
    """From here on only what was allowed."""
    _call("landlock_restrict_self", ruleset, 0)
