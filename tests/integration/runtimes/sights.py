"""Run inside a deterministic job: prints everything in which two runs could differ, one thing a line."""

import ctypes
import mmap
import os
import random
import select
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)


def machine_code(code, results):
    """Execute instructions that leave `results` numbers of 32 bits at the address in rdi."""
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    run = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    told = (ctypes.c_uint32 * results)()
    run(ctypes.addressof(told))
    return list(told)


RDTSC = bytes.fromhex("0f31 8907 895704 c3")
RDTSCP = bytes.fromhex("0f01f9 8907 895704 894f08 c3")
CPUID_1 = bytes.fromhex("53 b801000000 31c9 0fa2 8907 895f04 894f08 89570c 5b c3")

print("time", time.time(), time.monotonic(), time.process_time(), time.clock_gettime(time.CLOCK_BOOTTIME))
time.sleep(3600)
print("sleep", time.time())
print("waits", select.select([], [], [], 100), time.time(), select.poll().poll(5000), time.time())
print("times", os.times(), time.localtime()[:6])
print("chance", random.random(), os.urandom(8).hex(), hash("x"), list({"a", "b", "c", "d", "e"}))
with open("/dev/urandom", "rb") as device:
    print("device", device.read(8).hex())
print("addresses", id(object()), id(sys), ctypes.addressof(ctypes.create_string_buffer(64)))
print("numbers", os.getpid(), os.getppid(), os.getsid(0), os.uname(), os.sched_getaffinity(0), os.cpu_count())
print("load", LIBC.sysinfo(ctypes.create_string_buffer(256)), os.getgroups(), os.getpriority(os.PRIO_PROCESS, 0))
for place in ("/", "/usr", "/usr/bin", "/tmp", "/dev", "/dev/null", "/usr/bin/env", "/etc/passwd", "/etc/hosts", "."):
    print("stat", place, os.stat(place), os.stat(place).st_blocks, os.stat(place).st_ctime_ns)
for name in "zyxwvutsrqponmlkjihgfedcba":
    with open(f"/tmp/{name}", "w") as file:
        file.write(name)
print("list", os.listdir("/tmp"), os.listdir("/usr"), os.listdir("/usr/bin")[:40], os.listdir("/proc"))
print("space", os.statvfs("/tmp"), os.statvfs("/usr"))
print("files", [(one.name, one.inode(), one.stat().st_mtime) for one in os.scandir("/tmp")])
print("environment", sorted(os.environ.items()), os.getcwd(), sys.argv)
print("counter", machine_code(RDTSC, 2), machine_code(RDTSCP, 3), machine_code(RDTSC, 2))
print("processor", machine_code(CPUID_1, 4))
with open("/tmp/result", "w") as file:
    file.write(f"{time.time()} {random.random()}")
