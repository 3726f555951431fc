"""System calls of x86-64 that the cage answers, corrects, waits for or refuses, by number."""

import errno
from typing import Final

ANSWERED: Final[dict[str, int]] = {
    "nanosleep": 35, "uname": 63, "gettimeofday": 96, "getrlimit": 97, "getrusage": 98, "sysinfo": 99, "times": 100,
    "getgroups": 115, "getpriority": 140, "time": 201, "sched_getaffinity": 204, "clock_gettime": 228,
    "clock_getres": 229, "clock_nanosleep": 230, "prlimit64": 302, "getcpu": 309, "getrandom": 318,
}  # fmt: skip
"""DET-3. Never made: the supervisor says what they give."""
CORRECTED: Final[dict[str, int]] = {
    "stat": 4, "fstat": 5, "lstat": 6, "statfs": 137, "fstatfs": 138, "newfstatat": 262, "statx": 332,
}  # fmt: skip
"""DET-4. Made, and what they wrote is then corrected."""
LISTED: Final[dict[str, int]] = {"getdents": 78, "getdents64": 217}
"""DET-4. What is in a folder, in the order of names."""
WAITING: Final[dict[str, int]] = {
    "poll": 7, "select": 23, "epoll_wait": 232, "pselect6": 270, "ppoll": 271, "epoll_pwait": 281,
}  # fmt: skip
"""DET-3. Made without waiting; what they would have waited is added to the clock."""
REFUSED: Final[dict[str, tuple[int, int]]] = {
    "clone": (56, errno.EAGAIN), "fork": (57, errno.EAGAIN), "vfork": (58, errno.EAGAIN),
    "socket": (41, errno.EACCES), "socketpair": (53, errno.EACCES),
    "alarm": (37, errno.EPERM), "setitimer": (38, errno.EPERM), "timer_create": (222, errno.EPERM),
    "timerfd_create": (283, errno.EPERM), "setrlimit": (160, errno.EPERM), "epoll_pwait2": (441, errno.ENOSYS),
}  # fmt: skip
"""DET-5. Refused, and told in the job's standard error: a number and an error each."""
ABSENT: Final[dict[str, tuple[int, int]]] = {
    "shmget": (29, errno.ENOSYS), "semget": (64, errno.ENOSYS), "msgget": (68, errno.ENOSYS),
    "mq_open": (240, errno.ENOSYS), "io_setup": (206, errno.ENOSYS), "rseq": (334, errno.ENOSYS),
    "mincore": (27, errno.ENOSYS), "sched_setaffinity": (203, errno.EPERM), "setpriority": (141, errno.EPERM),
    "sched_setscheduler": (144, errno.EPERM), "sched_setparam": (142, errno.EPERM),
    "sched_setattr": (314, errno.ENOSYS), "sched_getattr": (315, errno.ENOSYS), "ioprio_get": (252, errno.ENOSYS),
    "ioprio_set": (251, errno.ENOSYS), "get_mempolicy": (239, errno.ENOSYS), "set_mempolicy": (238, errno.ENOSYS),
    "mbind": (237, errno.ENOSYS), "futex_waitv": (449, errno.ENOSYS), "cachestat": (451, errno.ENOSYS),
    "getxattr": (191, errno.ENOTSUP), "lgetxattr": (192, errno.ENOTSUP), "fgetxattr": (193, errno.ENOTSUP),
    "listxattr": (194, errno.ENOTSUP), "llistxattr": (195, errno.ENOTSUP), "flistxattr": (196, errno.ENOTSUP),
}  # fmt: skip
"""DET-5. As if this kernel had none of them; programs try them and go on."""

PRCTL: Final = 157
SET_TSC: Final = 26
"""The option of prctl(2) that lets a process read the machine's counter again."""
FCNTL: Final = 72
SET_FLAGS: Final = 4
NON_BLOCKING: Final = 0o4000
"""F_SETFL and O_NONBLOCK: how much of its output was read already is not for the job to see."""
ARCH_PRCTL: Final = 158
SET_CPUID: Final = 0x1012
"""The code of arch_prctl(2) that lets a process see the machine's CPUID, or not."""
MUNMAP: Final = 11

NAMES: Final[dict[int, str]] = {
    number: name
    for table in (ANSWERED, CORRECTED, LISTED, WAITING, {name: number for name, (number, _) in REFUSED.items()})
    for name, number in table.items()
}
"""Names of what is traced."""
RDTSC: Final = 0x1_0000
CPUID: Final = 0x1_0001
EXEC: Final = 0x1_0002
"""Observations that are no system calls: reading the counter, asking the processor, becoming a program."""
MORE_NAMES: Final = {RDTSC: "rdtsc", CPUID: "cpuid", EXEC: "execve"}


def name_of(number: int) -> str:
    """What an observation is called."""
    return NAMES.get(number) or MORE_NAMES.get(number) or f"call {number}"
