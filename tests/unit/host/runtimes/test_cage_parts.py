"""The parts of the cage one by one: what is answered, how files are told, which calls stop a job, what a plan says."""

import errno
import os
import stat
import struct
from pathlib import Path

import pytest
from tests.unit.host.runtimes.test_seccomp import decide

from metanode.host.runtimes.caging import Cage, Input
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim.cage import filter as cage_filter
from metanode.host.runtimes.shim.cage import numbers, processor
from metanode.host.runtimes.shim.cage.files import LISTED_MAX, Files, made_devices
from metanode.host.runtimes.shim.cage.made import (
    CLOCK_MAX_NS,
    RANDOM_BYTES_MAX,
    SECOND_NS,
    START_S,
    TICK_NS,
    Facts,
    Made,
    seeded,
)
from metanode.host.runtimes.shim.cage.observed import FIRST, KEPT, KEPT_MAX, Observed
from metanode.host.runtimes.shim.cage.said import REPORT, Said
from metanode.host.runtimes.shim.seccomp import ALLOW, AUDIT_ARCH, ERRNO, KILL_PROCESS
from metanode.primitives.refusal import Rejected

FACTS = Facts(seed=bytes(32), hostname="sums", memory_bytes=64 << 20, open_files=99)
ARCH = AUDIT_ARCH["x86_64"]


def made(memory: bytes = b"") -> Made:
    """A machine whose job has this at address 0."""
    return Made(FACTS, lambda place, length: memory[place : place + length])


# --- time and chance --------------------------------------------------------------------------------------------------


def test_time_moves_by_a_microsecond_a_look_and_by_what_is_slept() -> None:
    one = made(struct.pack("<qq", 3_600, 5))
    looks = [one.answer("clock_gettime", (0, 100))[1][0][1] for _ in range(2)]
    first, second = (struct.unpack("<qq", look) for look in looks)
    assert first == (START_S, TICK_NS)
    assert second == (START_S, 2 * TICK_NS)
    assert one.answer("nanosleep", (0, 0)) == (0, ())
    assert one.answer("time", (0,)) == (START_S + 3_600, ())
    assert one.clock_ns == 3_600 * SECOND_NS + 5 + 3 * TICK_NS


@pytest.mark.parametrize("clock", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 0xFFFF_FFFE])
def test_every_clock_is_made(clock: int) -> None:
    code, writes = made().answer("clock_gettime", (clock, 8))
    seconds, _ = struct.unpack("<qq", writes[0][1])
    assert (code, writes[0][0]) == (0, 8)
    assert seconds in {0, 1, START_S, START_S + 37}


def test_a_clock_that_is_none_and_a_time_that_is_none_are_errors() -> None:
    bad = made(struct.pack("<qq", -1, 0))
    assert bad.answer("clock_gettime", (10, 8)) == (-errno.EINVAL, ())
    assert bad.answer("clock_getres", (10, 8)) == (-errno.EINVAL, ())
    assert bad.answer("nanosleep", (0, 0)) == (-errno.EINVAL, ())
    assert made(struct.pack("<qq", 0, SECOND_NS)).answer("clock_nanosleep", (1, 0, 0, 0)) == (-errno.EINVAL, ())


def test_a_sleep_until_a_moment_ends_then_and_one_in_the_past_at_once() -> None:
    one = made(struct.pack("<qq", 11, 0))
    assert one.answer("clock_nanosleep", (1, 1, 0, 0)) == (0, ())
    assert one.clock_ns == 10 * SECOND_NS
    assert one.answer("clock_nanosleep", (1, 1, 0, 0)) == (0, ())
    assert one.clock_ns == 10 * SECOND_NS + TICK_NS


def test_nobody_sleeps_past_the_end_of_numbers() -> None:
    """Found by calling anything with anything: the supervisor gave up on a time of more than 63 bits."""
    one = made(struct.pack("<qq", (1 << 63) - 1, 0))
    for _ in range(3):
        assert one.answer("nanosleep", (0, 0)) == (0, ())
        assert len(one.answer("clock_gettime", (0, 8))[1][0][1]) == 16
    assert one.clock_ns <= CLOCK_MAX_NS + 3 * TICK_NS


def test_chance_follows_from_the_seed_and_is_never_twice_the_same() -> None:
    one, same, other = made(), made(), Made(Facts(bytes([1] * 32), "a", 1, 1), lambda *_: b"")
    drawn = [one.answer("getrandom", (8, 16, 0))[1][0][1] for _ in range(3)]
    assert [same.answer("getrandom", (8, 16, 0))[1][0][1] for _ in range(3)] == drawn
    assert len(set(drawn)) == 3
    assert other.answer("getrandom", (8, 16, 0))[1][0][1] not in drawn
    assert one.answer("getrandom", (8, 1 << 40, 0))[0] == RANDOM_BYTES_MAX
    assert seeded(bytes(32), b"stack", 0, 16) != seeded(bytes(32), b"device", 0, 16)


def test_the_machine_is_that_of_the_plan() -> None:
    one = made()
    name = one.answer("uname", (0,))[1][0][1]
    words = [name[at : at + 65].rstrip(b"\0").decode() for at in range(0, len(name), 65)]
    assert words == ["Linux", "sums", "6.1.0", "#1 metanode", "x86_64", "(none)"]
    assert one.answer("sched_getaffinity", (0, 128, 8)) == (8, ((8, struct.pack("<Q", 1)),))
    assert one.answer("sched_getaffinity", (0, 4, 8)) == (-errno.EINVAL, ())
    assert one.answer("getgroups", (0, 0)) == (0, ())
    assert one.answer("getcpu", (8, 0, 0)) == (0, ((8, bytes(4)),))
    assert struct.unpack_from("<QQ", one.answer("getrlimit", (7, 8))[1][0][1]) == (99, 99)
    assert one.answer("prlimit64", (0, 7, 1, 8)) == (-errno.EPERM, ())
    assert one.answer("prlimit64", (5, 7, 0, 8)) == (-errno.EPERM, ())
    assert one.answer("getrlimit", (16, 8)) == (-errno.EINVAL, ())
    assert struct.unpack_from("<Q", one.answer("sysinfo", (0,))[1][0][1], 32) == (64 << 20,)


def test_every_call_that_is_said_to_be_answered_is() -> None:
    memory = struct.pack("<qq", 0, 0)
    for name in numbers.ANSWERED:
        code, writes = made(memory).answer(name, (0, 8, 0, 8, 0, 0))
        assert code >= -errno.EINVAL, name
        assert all(data for _, data in writes)


# --- files ------------------------------------------------------------------------------------------------------------


def packed(path: Path) -> bytes:
    """What the kernel would write for a file."""
    one = path.lstat()
    times = [part for ns in (one.st_atime_ns, one.st_mtime_ns, one.st_ctime_ns) for part in divmod(ns, SECOND_NS)]
    return struct.pack(
        "<QQQIIIIQqqqqqqqqq24x", one.st_dev, one.st_ino, one.st_nlink, one.st_mode, one.st_uid, one.st_gid, 0, 0,
        one.st_size, one.st_blksize, one.st_blocks, *times,
    )  # fmt: skip


def told(files: Files, path: Path) -> tuple[int, ...]:
    """Device, number, links, mode, owner, size, blocks, and the time three times."""
    fields = struct.unpack("<QQQIIIIQqqqqqqqqq24x", files.stat(packed(path)))
    return (*fields[:6], *fields[8:])


def test_of_two_copies_of_a_tree_the_same_is_told(tmp_path: Path) -> None:
    seen = []
    for name in ("one", "two"):
        folder = tmp_path / name
        (folder / "below").mkdir(parents=True)
        (folder / "file").write_text("text")
        (folder / "link").symlink_to("file")
        os.utime(folder / "file", (5 if name == "one" else 6, 7))
        files = Files(1000, 1000)
        seen.append([told(files, folder / part) for part in ("file", "below", "link", "file", ".")])
    assert seen[0] == seen[1]
    assert seen[0][0] == seen[0][3]
    assert [row[1] for row in seen[0]] == [1, 2, 3, 1, 4]
    assert seen[0][0][9:] == (7, 0, 7, 0, 7, 0), "a file of the image keeps the time that it was given"
    assert seen[0][1][9] == START_S


def test_what_was_written_in_this_run_has_one_time_and_the_jobs_owner(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x" * 1000)
    files = Files(1000, 1001)
    files.made = frozenset({tmp_path.stat().st_dev})
    device, _, links, mode, uid, gid, size, block, blocks, *times = told(files, tmp_path / "file")
    assert (device, links, stat.S_IMODE(mode), uid, gid) == (2, 1, 0o644, 1000, 1001)
    assert (size, block, blocks) == (1000, 4096, 2)
    assert times == [START_S, 0] * 3


def test_a_statx_says_the_same_as_a_stat(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    one = (tmp_path / "file").lstat()
    seconds, rest = divmod(one.st_mtime_ns, SECOND_NS)
    time = struct.pack("<qIi", 9, 9, 0)
    raw = struct.pack("<IIQIIIHHQQQQ", 0xFFF, 1, 1, 1, 2, 3, one.st_mode, 0, one.st_ino, 4, 99, 1) + time * 3
    raw += struct.pack("<qIi", seconds, rest, 0)
    raw += struct.pack("<IIII112x", 0, 0, os.major(one.st_dev), os.minor(one.st_dev))
    files = Files(0, 0)
    old = struct.unpack("<QQQIIIIQqqqqqqqqq24x", files.stat(packed(tmp_path / "file")))
    new = struct.unpack("<IIQIIIHHQQQQ" + "qIi" * 4 + "IIII112x", files.statx(raw))
    assert (new[8], new[3], new[9], new[10]) == (old[1], old[2], old[8], old[10])
    assert new[12:15] == (old[11], old[12], 0)
    assert new[15:18] == (0, 0, 0), "no time of birth"
    assert new[18:24] == new[12:15] * 2


def listing(files: Files, number: int, file: int, room: int, *, old: bool = False) -> list[str]:
    """Names that one call gives."""
    names: list[str] = []
    data = files.listed(number, file, room, old=old)
    assert data is not None
    while data:
        length = struct.unpack_from("<H", data, 16)[0]
        names.append(data[18 if old else 19 : length].split(b"\0")[0].decode())
        data = data[length:]
    return names


@pytest.mark.parametrize("old", [False, True])
def test_a_folder_is_told_in_the_order_of_names_page_by_page_and_again(tmp_path: Path, old: bool) -> None:
    for name in ("b", "a", "c" * 40, "é"):
        (tmp_path / name).touch()
    file = os.open(tmp_path, os.O_RDONLY)
    files, pages = Files(0, 0), 0
    names: list[str] = []
    while page := listing(files, 3, file, 64, old=old):
        names, pages = names + page, pages + 1
    assert names == [".", "..", "a", "b", "c" * 40, "é"]
    assert pages > 1
    assert files.listed(3, file, 10, old=old) == b""
    os.lseek(file, 0, os.SEEK_SET)
    assert files.listed(3, file, 10, old=old) is None, "not one name fits"
    os.lseek(file, 0, os.SEEK_SET)
    assert listing(files, 3, file, 4096, old=old) == names
    os.close(file)


def test_a_folder_too_full_to_sort_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert LISTED_MAX > 1_000
    monkeypatch.setattr("metanode.host.runtimes.shim.cage.files.LISTED_MAX", 2)
    for name in "abc":
        (tmp_path / name).touch()
    file = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(OSError, match="too large"):
        Files(0, 0).listed(3, file, 4096, old=False)
    os.close(file)


def test_what_began_empty_is_known_by_its_kind() -> None:
    text = (
        "22 1 0:21 / / ro - overlay overlay rw\n"
        "23 22 0:34 / /tmp rw shared:1 - tmpfs tmpfs rw\n"
        "24 22 8:1 /usr /usr ro - ext4 /dev/sda1 rw\n"
    )
    assert made_devices(text) == frozenset({os.makedev(0, 34)})


# --- the filter -------------------------------------------------------------------------------------------------------


def test_what_is_traced_stops_and_what_is_absent_is_an_error() -> None:
    code = cage_filter.program()
    for number in numbers.NAMES:
        assert decide(code, ARCH, number) == cage_filter.TRACE, numbers.name_of(number)
    for name, (number, error) in numbers.ABSENT.items():
        assert decide(code, ARCH, number) == ERRNO | error, name
    assert not set(numbers.NAMES) & {number for number, _ in numbers.ABSENT.values()}
    for number in (0, 1, 2, 3, 9, 12, 59, 60, 231, 257):  # read, write, open, close, mmap, brk, execve, exits, openat
        assert decide(code, ARCH, number) == ALLOW
    assert decide(code, AUDIT_ARCH["aarch64"], 0) == KILL_PROCESS


def test_a_job_cannot_take_the_traps_away() -> None:
    code = cage_filter.program()
    refused = ERRNO | errno.EPERM
    assert decide(code, ARCH, numbers.PRCTL, (numbers.SET_TSC, 1)) == refused
    assert decide(code, ARCH, numbers.PRCTL, (1 << 32 | numbers.SET_TSC, 1)) == refused
    assert decide(code, ARCH, numbers.PRCTL, (15, 1)) == ALLOW
    assert decide(code, ARCH, numbers.ARCH_PRCTL, (numbers.SET_CPUID, 1)) == cage_filter.TRACE
    assert decide(code, ARCH, numbers.ARCH_PRCTL, (0x1002, 1)) == ALLOW
    assert decide(code, ARCH, numbers.FCNTL, (1, numbers.SET_FLAGS, 0o4001)) == refused
    assert decide(code, ARCH, numbers.FCNTL, (1, numbers.SET_FLAGS, 0o2001)) == ALLOW
    assert decide(code, ARCH, numbers.FCNTL, (1, 3, 0o4001)) == ALLOW


def test_the_processor_is_one_that_every_library_starts_on() -> None:
    leaf, *vendor = processor.cpuid(0, 0)
    assert leaf == 7
    assert b"".join(word.to_bytes(4, "little") for word in (vendor[0], vendor[2], vendor[1])) == b"GenuineIntel"
    _, _, more, features = processor.cpuid(1, 0)
    for bit in (0, 4, 8, 15, 23, 24, 25, 26):  # FPU, TSC, CX8, CMOV, MMX, FXSR, SSE, SSE2: the least of x86-64
        assert features >> bit & 1
    assert not more >> 27 & 1, "no OSXSAVE: AVX is not on every processor"
    assert not more >> 30 & 1, "no RDRAND"
    assert processor.cpuid(4, 4) == (0, 0, 0, 0), "the list of caches ends"
    assert processor.cpuid(0x1234, 0) == (0, 0, 0, 0)


# --- what is written down ---------------------------------------------------------------------------------------------


def test_observations_are_a_chain_and_the_first_are_kept_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert KEPT_MAX * KEPT.size <= 8 << 20, "what is read at once by whoever compares"
    monkeypatch.setattr("metanode.host.runtimes.shim.cage.observed.KEPT_MAX", 2)
    one = Observed(tmp_path / "kept")
    chains = []
    for number, data in ((1, b""), (1, b"x"), (2, b"x")):
        one.note(number, -5, data)
        chains.append(one.chain)
    one.close()
    kept = (tmp_path / "kept").read_bytes()
    assert len({FIRST, *chains}) == 4
    assert (one.count, len(kept)) == (3, 2 * KEPT.size)
    assert KEPT.unpack_from(kept, KEPT.size) == (1, -5, chains[1][:8])


def test_without_a_report_of_its_supervisor_a_job_has_no_witness(tmp_path: Path) -> None:
    said = Said(tmp_path)
    said.hear(1, b"ab")
    said.hear(1, b"c")
    assert said.message() is None
    (tmp_path / REPORT).write_text("{")
    assert said.message() is None
    (tmp_path / REPORT).write_text('{"count": 1}')
    whole = said.message()
    assert whole is not None
    assert whole["streams"][0] == [3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"]
    assert whole["folder"] == str(tmp_path)


# --- what a plan may say ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cage",
    [
        {"seed": b"short"},
        {"outputs": ("/etc/passwd",)},
        {"outputs": ("/tmp/a/b",)},
        {"outputs": ("/tmp/..",)},
        {"outputs": ("/tmp/",)},
        {"outputs": ("/tmp/a", "/tmp/a")},
        {"outputs": tuple(f"/tmp/{n}" for n in range(33))},
        {"inputs": (Input("/x", "/tmp/a", bytes(32)),)},
        {"inputs": (Input("/x", "/input/a", b"short"),)},
    ],
    ids=str,
)
def test_a_cage_that_is_none_is_refused(cage: dict[str, object]) -> None:
    with pytest.raises(Rejected) as refused:
        Cage(**{"seed": bytes(32), **cage})  # type: ignore[arg-type]
    assert refused.value.reason is RuntimeRefusal.BAD_CAGE
