"""Run inside a container: tries to get out, or at the machine, in every way known, and prints what came of each.

`done` means that it worked. Nothing here does harm where it works: doors are opened, nobody goes through.
Words: the number of a process of the host, an abstract socket of the host, a file of the host.
"""

import ctypes
import errno
import json
import os
import signal
import socket
import struct
import sys

LIBC = ctypes.CDLL(None, use_errno=True)


def is_open(number):
    """Asked of the kernel: a deterministic job has no /proc to look in."""
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


INHERITED = [number for number in range(3, 1024) if is_open(number)]
VICTIM, ABSTRACT, MARKER = int(sys.argv[1]), sys.argv[2], sys.argv[3]
X86_64 = {
    "ptrace": 101, "keyctl": 250, "add_key": 248, "io_uring_setup": 425, "bpf": 321, "perf_event_open": 298,
    "userfaultfd": 323, "name_to_handle_at": 303, "open_by_handle_at": 304, "personality": 135, "syslog": 103,
    "process_vm_readv": 310, "unshare": 272, "setns": 308, "clone": 56, "clone3": 435, "fsopen": 430, "open_tree": 428,
    "kcmp": 312, "pivot_root": 155, "mount_setattr": 442, "fanotify_init": 300, "acct": 163, "kexec_file_load": 320,
    "finit_module": 313, "pidfd_getfd": 438, "iopl": 172, "swapon": 167, "quotactl": 179,
    "capset": 126, "socket": 41,
}  # fmt: skip
AARCH64 = {
    "ptrace": 117, "keyctl": 219, "add_key": 217, "io_uring_setup": 425, "bpf": 280, "perf_event_open": 241,
    "userfaultfd": 282, "name_to_handle_at": 264, "open_by_handle_at": 265, "personality": 92, "syslog": 116,
    "process_vm_readv": 270, "unshare": 97, "setns": 268, "clone": 220, "clone3": 435, "fsopen": 430, "open_tree": 428,
    "kcmp": 272, "pivot_root": 41, "mount_setattr": 442, "fanotify_init": 262, "acct": 89, "kexec_file_load": 294,
    "finit_module": 273, "pidfd_getfd": 438, "swapon": 224, "quotactl": 60, "capset": 91,
    "socket": 198,
}  # fmt: skip
NUMBERS = X86_64 if os.uname().machine == "x86_64" else AARCH64


def call(name, *arguments):
    """A system call, its result, or the error."""
    longs = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = LIBC.syscall(ctypes.c_long(NUMBERS[name]), *longs)
    return checked(result)


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result


def mount(source, target, kind):
    return checked(LIBC.mount(source.encode(), target.encode(), kind.encode(), 0, b""))


def in_child(act):
    """What a fork of this process does: its exit status 0 is `done`; else its error, or the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        try:
            act()
        except OSError as error:
            os._exit(error.errno or 255)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status < 0:
        raise ChildProcessError(0, signal.Signals(-status).name)
    if status:
        raise OSError(status, "refused")


def cloned(flags):
    """Clone with flags; the child ends at once."""
    child = call("clone", flags | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def cloned_by_structure():
    arguments = struct.pack("<11Q", 0x1000_0000, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, 0)
    child = call("clone3", arguments, len(arguments))
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def trace():
    call("ptrace", 16, VICTIM, 0, 0)  # PTRACE_ATTACH


def read_memory():
    buffer = ctypes.create_string_buffer(8)
    here = struct.pack("<QQ", ctypes.addressof(buffer), 8)
    there = struct.pack("<QQ", ctypes.addressof(ctypes.create_string_buffer(8)), 8)
    call("process_vm_readv", os.getpid(), here, 1, there, 1, 0)


def show_host_process():
    os.stat(f"/proc/{VICTIM}/stat")


def signal_host():
    os.kill(VICTIM, 0)


def enter_namespace():
    file = os.open("/proc/self/ns/uts", os.O_RDONLY)
    call("setns", file, 0)


def by_handle():
    """The root of the host's file system by its number, past every mount."""
    handle = ctypes.create_string_buffer(struct.pack("<Ii", 128, 0) + bytes(128))
    call("name_to_handle_at", -100, b"/usr", handle, struct.pack("<i", 0).ljust(8), 0)


def open_handle():
    handle = ctypes.create_string_buffer(struct.pack("<IiII", 8, 1, 2, 0) + bytes(128))
    place = os.open("/usr", os.O_RDONLY)
    file = call("open_by_handle_at", place, handle, os.O_RDONLY)
    os.listdir(file)


def leave_by_chroot():
    """Chroot below, and walk up from above it."""
    os.makedirs("/tmp/below", exist_ok=True)
    place = os.open("/", os.O_RDONLY)
    os.chroot("/tmp/below")
    os.fchdir(place)
    for _ in range(64):
        os.chdir("..")
    os.chroot(".")


def find_the_host():
    """Every way of names to a file of the host that the container was not given."""
    climbing = "/" + "../" * 64
    for base in ("", climbing, "/proc/1/root", "/proc/self/root/" + "../" * 64, "/proc/1/cwd", "/dev/fd"):
        if os.path.exists(base + MARKER):
            return
    raise FileNotFoundError(errno.ENOENT, "no way there")


def find_files():
    """Files above the three standard ones that were there before anything else was tried."""
    if not INHERITED:
        raise FileNotFoundError(errno.ENOENT, "none but its own")


def abstract_socket():
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect("\0" + ABSTRACT)


def make_socket(family, kind, protocol=0):
    socket.socket(family, kind, protocol).close()


def other_convention():
    """getpid by the x32 convention. Killed by the filter; the kernel itself may not know it."""
    if os.uname().machine != "x86_64":
        raise OSError(errno.ENOSYS, "no x32 here")

    def act():
        result = LIBC.syscall(ctypes.c_long(0x4000_0000 + 39))
        assert result > 0 or ctypes.get_errno() == errno.ENOSYS

    in_child(act)


def open_for_writing(path):
    os.close(os.open(path, os.O_WRONLY))


def make_device():
    os.mknod("/tmp/memory", 0o020600, os.makedev(1, 1))
    os.unlink("/tmp/memory")


def gain_a_capability():
    """CAP_SYS_ADMIN, of this thread."""
    call("capset", struct.pack("<Ii", 0x2008_0522, 0), struct.pack("<6I", 1 << 21, 1 << 21, 0, 0, 0, 0))


def mount_cgroup():
    os.makedirs("/tmp/c", exist_ok=True)
    mount("cgroup", "/tmp/c", "cgroup2")


def unmask():
    """Whatever of /proc is masked."""
    masked = "/proc/kcore" if os.path.exists("/proc/kcore") else "/proc/keys"
    checked(LIBC.umount2(masked.encode(), 2))


def make_socket_of_a_high_family():
    """AF_PACKET with a bit that the kernel does not read."""
    os.close(call("socket", (1 << 32) | 17, 3, 0))


ATTEMPTS = {
    "mount": lambda: mount("none", "/tmp", "tmpfs"),
    "mount-cgroup": mount_cgroup,
    "umount-a-mask": unmask,
    "remount-writable": lambda: checked(LIBC.mount(b"", b"/usr", None, 32 | 4096, None)),
    "new-mount-calls": lambda: call("fsopen", b"tmpfs", 0),
    "copy-a-tree": lambda: call("open_tree", -100, b"/usr", 1),
    "pivot-root": lambda: call("pivot_root", b"/tmp", b"/tmp"),
    "trace-a-host-process": trace,
    "read-memory": read_memory,
    "see-a-host-process": show_host_process,
    "signal-a-host-process": signal_host,
    "setns": enter_namespace,
    "unshare-user": lambda: in_child(lambda: call("unshare", 0x1000_0000)),
    "unshare-mounts": lambda: in_child(lambda: call("unshare", 0x2_0000)),
    "clone-user": lambda: cloned(0x1000_0000),
    "clone3-user": cloned_by_structure,
    "keyctl": lambda: call("keyctl", 0, -3, 1),
    "add-key": lambda: call("add_key", b"user", b"mn", b"x", 1, -3),
    "io-uring": lambda: os.close(call("io_uring_setup", 1, ctypes.create_string_buffer(120))),
    "bpf": lambda: os.close(call("bpf", 0, struct.pack("<IIII", 2, 4, 8, 1).ljust(72, b"\0"), 72)),
    "perf": lambda: os.close(call("perf_event_open", struct.pack("<IIQ", 1, 128, 0).ljust(128, b"\0"), 0, -1, -1, 0)),
    "userfaultfd": lambda: os.close(call("userfaultfd", 1)),
    "device-node": make_device,
    "open-memory": lambda: open_for_writing("/dev/mem"),
    "open-disk": lambda: open_for_writing("/dev/vda"),
    "open-kernel-messages": lambda: os.close(os.open("/dev/kmsg", os.O_RDONLY)),
    "raw-socket": lambda: make_socket(socket.AF_INET, socket.SOCK_RAW, 1),
    "packet-socket": lambda: make_socket(socket.AF_PACKET, socket.SOCK_RAW),
    "old-packet-socket": lambda: make_socket(socket.AF_INET, 10, 3),
    "vsock": lambda: make_socket(40, socket.SOCK_STREAM),
    "kernel-crypto": lambda: make_socket(38, socket.SOCK_SEQPACKET),
    "netlink-connector": lambda: make_socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 11),
    "family-above-32-bits": make_socket_of_a_high_family,
    "handle-of-a-file": by_handle,
    "open-by-handle": open_handle,
    "sysrq": lambda: open_for_writing("/proc/sysrq-trigger"),
    "core-pattern": lambda: open_for_writing("/proc/sys/kernel/core_pattern"),
    "panic-setting": lambda: open_for_writing("/proc/sys/kernel/panic"),
    "chroot": leave_by_chroot,
    "find-the-host": find_the_host,
    "inherited-files": find_files,
    "abstract-socket": abstract_socket,
    "x32": other_convention,
    "personality": lambda: call("personality", 0x40_0000),
    "kernel-log": lambda: call("syslog", 3, ctypes.create_string_buffer(64), 64),
    "host-name": lambda: checked(LIBC.sethostname(b"x", 1)),
    "type-into-a-terminal": lambda: checked(LIBC.ioctl(0, ctypes.c_ulong(0x5412), b"x")),
    "write-a-program": lambda: open_for_writing("/usr/bin/env"),
    "write-the-root": lambda: os.mkdir("/made"),
    "write-users": lambda: open_for_writing("/etc/passwd"),
    "gain-a-capability": gain_a_capability,
    "watch-files": lambda: os.close(call("fanotify_init", 0, 0)),
    "process-accounting": lambda: call("acct", b"/tmp/none"),
    "kernel-image": lambda: call("kexec_file_load", -1, -1, 0, 0, 0),
    "kernel-module": lambda: call("finit_module", -1, b"", 0),
    "clock": lambda: checked(LIBC.clock_settime(0, struct.pack("<qq", 2_000_000_000, 0))),
}  # fmt: skip


def outcome(attempt):
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, error.strerror)
    return "done"


print(json.dumps({name: outcome(attempt) for name, attempt in ATTEMPTS.items()}))
