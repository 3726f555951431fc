"""A plan that exists is one every driver understands; everything else is refused when it is made."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from metanode.host.runtimes.plan import HOST_USR, ContainerPlan, Kept, Limits, LogBounds, Mount, Secret
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.primitives.refusal import Rejected

LIMITS = Limits(64 << 20, 500)
PLAN = ContainerPlan("shop.web.0.1", HOST_USR, ("sh", "-c", "true"), LIMITS)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"id": ""}, RuntimeRefusal.BAD_ID),
        ({"id": "-x"}, RuntimeRefusal.BAD_ID),
        ({"id": "a/b"}, RuntimeRefusal.BAD_ID),
        ({"id": "a..b"}, RuntimeRefusal.BAD_ID),
        ({"id": "A"}, RuntimeRefusal.BAD_ID),
        ({"id": "a\n"}, RuntimeRefusal.BAD_ID),
        ({"id": "a" * 141}, RuntimeRefusal.BAD_ID),
        ({"root": "relative"}, RuntimeRefusal.BAD_PATH),
        ({"root": "/a/../b"}, RuntimeRefusal.BAD_PATH),
        ({"workdir": "/a//b"}, RuntimeRefusal.BAD_PATH),
        ({"workdir": "/a/"}, RuntimeRefusal.BAD_PATH),
        ({"workdir": "/a\0b"}, RuntimeRefusal.BAD_PATH),
        ({"workdir": "/a\nb"}, RuntimeRefusal.BAD_PATH),
        ({"workdir": "/" + "a" * 4096}, RuntimeRefusal.BAD_PATH),
        ({"command": ()}, RuntimeRefusal.BAD_COMMAND),
        ({"command": ("",)}, RuntimeRefusal.BAD_COMMAND),
        ({"command": ("a\0",)}, RuntimeRefusal.BAD_COMMAND),
        ({"command": ("a",) * 1025}, RuntimeRefusal.BAD_COMMAND),
        ({"command": ("a" * (128 << 10), "b")}, RuntimeRefusal.BAD_COMMAND),
        ({"env": (("A=B", "1"),)}, RuntimeRefusal.BAD_ENVIRONMENT),
        ({"env": (("", "1"),)}, RuntimeRefusal.BAD_ENVIRONMENT),
        ({"env": (("A", "1\0"),)}, RuntimeRefusal.BAD_ENVIRONMENT),
        ({"env": (("A", "1"), ("A", "2"))}, RuntimeRefusal.BAD_ENVIRONMENT),
        ({"env": (("A", "x" * (128 << 10)),)}, RuntimeRefusal.BAD_ENVIRONMENT),
        ({"uid": -1}, RuntimeRefusal.BAD_NUMBER),
        ({"gid": 65_536}, RuntimeRefusal.BAD_NUMBER),
        ({"stop_grace_ms": 3_600_001}, RuntimeRefusal.BAD_NUMBER),
        ({"hostname": "Web"}, RuntimeRefusal.BAD_HOSTNAME),
        ({"hostname": "a" * 64}, RuntimeRefusal.BAD_HOSTNAME),
        ({"stop_signal": "STOP"}, RuntimeRefusal.BAD_SIGNAL),
        ({"stop_signal": "9"}, RuntimeRefusal.BAD_SIGNAL),
        ({"kept": ("SYS_ADMIN",)}, RuntimeRefusal.BAD_CAPABILITY),
        ({"mounts": (Mount("/a", "/x"), Mount("/b", "/x"))}, RuntimeRefusal.BAD_MOUNT),
        ({"mounts": tuple(Mount("/a", f"/x{n}") for n in range(65))}, RuntimeRefusal.BAD_MOUNT),
        ({"secrets": (Secret("/s/a", b""), Secret("/s/a", b""))}, RuntimeRefusal.BAD_SECRET),
        ({"secrets": (Secret("/s/a", b""), Secret("/s/a/b", b""))}, RuntimeRefusal.BAD_SECRET),
        ({"secrets": tuple(Secret(f"/s/{n}", bytes(64 << 10)) for n in range(5))}, RuntimeRefusal.BAD_SECRET),
        ({"secrets": (Secret("/s/a", b""),), "mounts": (Mount("/a", "/s/b"),)}, RuntimeRefusal.BAD_SECRET),
        ({"secrets": (Secret("/s/t/a", b""),), "mounts": (Mount("/a", "/s"),)}, RuntimeRefusal.BAD_SECRET),
    ],
)
def test_what_is_wrong_with_a_plan_is_refused(changed: dict[str, Any], reason: RuntimeRefusal) -> None:
    with pytest.raises(Rejected) as refused:
        replace(PLAN, **changed)
    assert refused.value.reason is reason


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Limits((4 << 20) - 1, 500), RuntimeRefusal.BAD_NUMBER),
        (lambda: Limits(64 << 20, 9), RuntimeRefusal.BAD_NUMBER),
        (lambda: Limits(64 << 20, 500, pids=0), RuntimeRefusal.BAD_NUMBER),
        (lambda: Limits(64 << 20, 500, open_files=15), RuntimeRefusal.BAD_NUMBER),
        (lambda: LogBounds(4095, 4), RuntimeRefusal.BAD_NUMBER),
        (lambda: LogBounds(4096, 1), RuntimeRefusal.BAD_NUMBER),
        (lambda: Mount("/a", "/"), RuntimeRefusal.BAD_MOUNT),
        (lambda: Mount("/a", "/proc/sys"), RuntimeRefusal.BAD_MOUNT),
        (lambda: Mount("/a", "/dev"), RuntimeRefusal.BAD_MOUNT),
        (lambda: Mount("a", "/b"), RuntimeRefusal.BAD_PATH),
        (lambda: Mount("/a", "/b/.."), RuntimeRefusal.BAD_PATH),
        (lambda: Secret("/s/a", bytes((64 << 10) + 1)), RuntimeRefusal.BAD_SECRET),
        (lambda: Secret("/s/a", b"", 0o644), RuntimeRefusal.BAD_SECRET),
        (lambda: Secret("/s/a", b"", 0o4400), RuntimeRefusal.BAD_SECRET),
        (lambda: Secret("/a", b""), RuntimeRefusal.BAD_SECRET),
        (lambda: Secret("/etc/a", b""), RuntimeRefusal.BAD_SECRET),
        (lambda: Secret("/dev/shm/a", b""), RuntimeRefusal.BAD_SECRET),
        (lambda: Secret("s", b""), RuntimeRefusal.BAD_PATH),
    ],
)
def test_what_is_wrong_with_a_part_is_refused(make: Callable[[], object], reason: RuntimeRefusal) -> None:
    with pytest.raises(Rejected) as refused:
        make()
    assert refused.value.reason is reason


def test_the_longest_id_and_the_largest_numbers_are_taken() -> None:
    plan = replace(
        PLAN, id="a" * 140, uid=65_535, gid=0, kept=(Kept.NET_BIND_SERVICE,), limits=Limits(1 << 46, 1_024_000)
    )
    assert plan.id == "a" * 140


def test_a_secret_shows_nothing_of_itself() -> None:
    plan = replace(PLAN, secrets=(Secret("/run/secrets/token", b"do not show"),))
    assert "do not show" not in repr(plan)


def test_a_program_has_a_path_and_a_home_whatever_the_plan_says() -> None:
    assert PLAN.variables == {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/"}
    assert replace(PLAN, env=(("PATH", "/x"), ("A", "1"))).variables == {"PATH": "/x", "HOME": "/", "A": "1"}


def test_the_stop_signal_has_a_number() -> None:
    assert (PLAN.stop_number, replace(PLAN, stop_signal="KILL").stop_number) == (15, 9)
