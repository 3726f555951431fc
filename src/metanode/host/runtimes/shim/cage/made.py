"""DET-3. What a caged job is told of time, chance and the machine: made from its seed and its plan, never observed."""

import errno
import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

START_S: Final = 1_600_000_000
"""When every deterministic job begins: 13 September 2020, 12:26:40 UTC."""
UPTIME_S: Final = 1
"""What the clocks that count from the machine's start show then."""
TICK_NS: Final = 1_000
"""A look at a clock takes a microsecond."""
SECOND_NS: Final = 1_000_000_000
CLOCK_MAX_NS: Final = 1 << 61
"""73 years: who sleeps longer than that wakes then."""
RANDOM_BYTES_MAX: Final = 1 << 20
"""At one call; who wants more asks again."""
_REAL_CLOCKS: Final = {0: 0, 5: 0, 8: 0, 11: 37}
"""CLOCK_REALTIME, REALTIME_COARSE, REALTIME_ALARM, and TAI, which is 37 seconds ahead."""
_UPTIME_CLOCKS: Final = frozenset({1, 4, 6, 7, 9})
_CPU_CLOCKS: Final = frozenset({2, 3})
_ABSOLUTE: Final = 1
_NO_LIMIT: Final = (1 << 64) - 1
STACK_BYTES: Final = 8 << 20
"""The stack of a caged job: addresses depend on it."""
RELEASE: Final = "6.1.0"
"""The version of the kernel that a job is told of."""

Writes = tuple[tuple[int, bytes], ...]
Answer = tuple[int, Writes]
"""A result, negative for an error, and what is written where."""
Peek = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class Facts:
    """What of a plan the job may see."""

    seed: bytes
    hostname: str
    memory_bytes: int
    open_files: int


class Made:
    """The made machine of one job. `peek` reads the job's memory."""

    def __init__(self, facts: Facts, peek: Peek) -> None:
        self._facts: Final = facts
        self._peek: Final = peek
        self.clock_ns = 0
        self._drawn = 0
        self._table: Final[dict[str, Callable[[tuple[int, ...]], Answer]]] = {
            "nanosleep": lambda a: self._sleep(a[0]),
            "clock_nanosleep": self._clock_sleep,
            "clock_gettime": self._clock,
            "clock_getres": self._resolution,
            "gettimeofday": self._time_of_day,
            "time": self._time,
            "times": self._times,
            "getrandom": self._random,
            "getrusage": self._usage,
            "getrlimit": lambda a: self._limit(a[0], a[1]),
            "prlimit64": self._limit_of,
            "sysinfo": self._system,
            "uname": self._name,
            "getcpu": _processor,
            "sched_getaffinity": _affinity,
            "getgroups": lambda _: (0, ()),
            "getpriority": lambda _: (20, ()),
        }

    def answer(self, name: str, arguments: tuple[int, ...]) -> Answer:
        """DET-3. What a call gives. Raises `OSError` where it names memory that is not there."""
        return self._table[name](arguments)

    def tick(self) -> int:
        """The clock, looked at; in nanoseconds since the start."""
        self.clock_ns += TICK_NS
        return self.clock_ns

    def draw(self, length: int) -> bytes:
        """The next random bytes."""
        self._drawn += 1
        return seeded(self._facts.seed, b"drawn", self._drawn, length)

    def _now(self, clock: int) -> int | None:
        """A clock in nanoseconds, or nothing where there is none of this number."""
        clock = clock & 0xFFFF_FFFF
        if clock in _REAL_CLOCKS:
            return (START_S + _REAL_CLOCKS[clock]) * SECOND_NS + self.tick()
        if clock in _UPTIME_CLOCKS:
            return UPTIME_S * SECOND_NS + self.tick()
        if clock in _CPU_CLOCKS or clock & 1 << 31:  # of a process or thread: there is only this one
            return self.tick()
        return None

    def _clock(self, arguments: tuple[int, ...]) -> Answer:
        now = self._now(arguments[0])
        if now is None:
            return -errno.EINVAL, ()
        return 0, ((arguments[1], struct.pack("<qq", *divmod(now, SECOND_NS))),)

    def _resolution(self, arguments: tuple[int, ...]) -> Answer:
        if self._now(arguments[0]) is None:
            return -errno.EINVAL, ()
        return 0, ((arguments[1], struct.pack("<qq", 0, 1)),) if arguments[1] else ()

    def _time_of_day(self, arguments: tuple[int, ...]) -> Answer:
        seconds, rest = divmod(self.tick(), SECOND_NS)
        writes = []
        if arguments[0]:
            writes.append((arguments[0], struct.pack("<qq", START_S + seconds, rest // 1_000)))
        if arguments[1]:
            writes.append((arguments[1], bytes(8)))
        return 0, tuple(writes)

    def _time(self, arguments: tuple[int, ...]) -> Answer:
        seconds = START_S + self.tick() // SECOND_NS
        return seconds, ((arguments[0], struct.pack("<q", seconds)),) if arguments[0] else ()

    def _times(self, arguments: tuple[int, ...]) -> Answer:
        ticks = self.tick() // 10_000_000
        return ticks, ((arguments[0], struct.pack("<qqqq", ticks, 0, 0, 0)),) if arguments[0] else ()

    def _duration(self, place: int) -> int | None:
        """A `struct timespec` of the job in nanoseconds; nothing where it is none."""
        seconds, nanoseconds = struct.unpack("<qq", self._peek(place, 16))
        if seconds < 0 or not 0 <= nanoseconds < SECOND_NS:
            return None
        return int(seconds) * SECOND_NS + int(nanoseconds)

    def pass_over(self, nanoseconds: int) -> None:
        """Time that nobody waits."""
        self.clock_ns = min(self.clock_ns + nanoseconds, CLOCK_MAX_NS)

    def _sleep(self, place: int) -> Answer:
        duration = self._duration(place)
        if duration is None:
            return -errno.EINVAL, ()
        self.pass_over(duration)
        return 0, ()

    def _clock_sleep(self, arguments: tuple[int, ...]) -> Answer:
        if not arguments[1] & _ABSOLUTE:
            return self._sleep(arguments[2])
        until, now = self._duration(arguments[2]), self._now(arguments[0])
        if until is None or now is None:
            return -errno.EINVAL, ()
        self.pass_over(max(0, until - now))
        return 0, ()

    def _random(self, arguments: tuple[int, ...]) -> Answer:
        length = min(arguments[1], RANDOM_BYTES_MAX)
        return length, ((arguments[0], self.draw(length)),)

    def _usage(self, arguments: tuple[int, ...]) -> Answer:
        seconds, rest = divmod(self.tick(), SECOND_NS)
        return 0, ((arguments[1], struct.pack("<qq", seconds, rest // 1_000) + bytes(128)),)

    def _limit(self, kind: int, place: int) -> Answer:
        if kind >= 16:
            return -errno.EINVAL, ()
        files = self._facts.open_files
        soft, hard = {3: (STACK_BYTES, _NO_LIMIT), 4: (0, 0), 7: (files, files)}.get(kind, (_NO_LIMIT, _NO_LIMIT))
        return 0, ((place, struct.pack("<QQ", soft, hard)),) if place else ()

    def _limit_of(self, arguments: tuple[int, ...]) -> Answer:
        if arguments[2] or arguments[0] not in {0, 1}:
            return -errno.EPERM, ()
        return self._limit(arguments[1], arguments[3])

    def _system(self, arguments: tuple[int, ...]) -> Answer:
        memory, uptime = self._facts.memory_bytes, UPTIME_S + self.tick() // SECOND_NS
        told = struct.pack("<q3Q6QHHIQQI4x", uptime, 0, 0, 0, memory, memory, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1)
        return 0, ((arguments[0], told),)

    def _name(self, arguments: tuple[int, ...]) -> Answer:
        words = ("Linux", self._facts.hostname, RELEASE, "#1 metanode", "x86_64", "(none)")
        return 0, ((arguments[0], b"".join(word.encode()[:64].ljust(65, b"\0") for word in words)),)


def seeded(seed: bytes, what: bytes, number: int, length: int) -> bytes:
    """DET-3. Bytes that follow from a seed: SHAKE-256(seed ‖ number(8) ‖ what)."""
    return hashlib.shake_256(seed + number.to_bytes(8, "big") + what).digest(length)


def _processor(arguments: tuple[int, ...]) -> Answer:
    return 0, tuple((place, bytes(4)) for place in arguments[:2] if place)


def _affinity(arguments: tuple[int, ...]) -> Answer:
    if arguments[1] < 8:
        return -errno.EINVAL, ()
    return 8, ((arguments[2], struct.pack("<Q", 1)),)
