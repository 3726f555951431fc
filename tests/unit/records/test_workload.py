"""A workload's specification: what a node could carry out, known by its digest; anything else is refused by name."""

from hashlib import sha256
from typing import Any

import pytest
from msgspec import structs
from tests.unit.docklock.scheduler.samples import demand

from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.demand import LISTED_MAX, DemandRefusal
from metanode.records.workload import (
    DEADLINE_MS_MAX,
    GRACE_MS_MAX,
    LOG_FILES_MAX,
    PATH_BYTES_MAX,
    PERIOD_MS_MAX,
    PIDS_MAX,
    REPLICAS_MAX,
    WORD_BYTES_MAX,
    WORDS_MAX,
    WORKLOAD_SPECS,
    Dependency,
    HealthCheck,
    Job,
    Mount,
    Port,
    Restart,
    SecretFile,
    SpecRefusal,
    Temporary,
    Terms,
    Update,
    Variable,
    WorkloadSpec,
    check_pinned,
    check_spec,
    check_terms,
    spec_digest,
)

UPDATE = Update(parallelism=1, order="start-first", delay_ms=0, monitor_ms=0, failures_max_bp=0, on_failure="rollback")


def terms(**changes: Any) -> Terms:
    usual: dict[str, Any] = {
        "workload": "web",
        "kind": "service",
        "demand": demand(),
        "update": UPDATE,
        "job": Job(retries=0, deadline_ms=0),
        "dependencies": (),
        "ports": (),
        "networks": (),
        "deterministic": False,
    }
    return Terms(**{**usual, **changes})


def spec(**changes: Any) -> WorkloadSpec:
    usual: dict[str, Any] = {
        "terms": terms(),
        "image": "",
        "command": ("/bin/true",),
        "arguments": (),
        "environment": (),
        "working_directory": "",
        "user": "",
        "hostname": "",
        "read_only": True,
        "temporary": (),
        "capabilities": (),
        "mounts": (),
        "secrets": (),
        "pids_max": 64,
        "stop_signal": "SIGTERM",
        "stop_grace_ms": 10_000,
        "log_bytes_max": 1 << 20,
        "log_files_max": 3,
        "health": (),
        "restart": Restart(condition="always", attempts_max=0, delay_ms=0, window_ms=0),
        "egress": (),
        "agreement": b"",
    }
    return WorkloadSpec(**{**usual, **changes})


def health(**changes: Any) -> HealthCheck:
    usual: dict[str, Any] = {
        "probe": "http",
        "command": (),
        "port": 80,
        "path": "/",
        "interval_ms": 100,
        "timeout_ms": 10,
        "retries": 1,
        "start_period_ms": 0,
    }
    return HealthCheck(**{**usual, **changes})


def port(**changes: Any) -> Port:
    usual: dict[str, Any] = {"name": "http", "container": 8_080, "published": 0, "protocol": "tcp"}
    return Port(**{**usual, **changes})


WHOLE = spec(
    terms=terms(
        kind="job",
        demand=demand(ports=(80,), volumes=("data",)),
        job=Job(retries=1_000, deadline_ms=DEADLINE_MS_MAX),
        dependencies=(Dependency(workload="db", condition="healthy"),),
        ports=(port(name="admin"), port(published=80)),
        networks=("back", "front"),
    ),
    image="registry.example/shop/web:1",
    arguments=("",),
    environment=(Variable(name="A", value="1"), Variable(name="_b.c-d", value="x" * WORD_BYTES_MAX)),
    working_directory="/srv/app",
    user="app:1000",
    hostname="web",
    temporary=(Temporary(target="/run", size_kib=0), Temporary(target="/tmp", size_kib=1_024)),
    capabilities=("NET_BIND_SERVICE",),
    mounts=(Mount(volume="data", target="/data", read_only=False),),
    secrets=(SecretFile(secret="token", version=1, commitment=bytes(32), target="/run/secrets/token", mode=0o400),),
    health=(health(),),
    egress=("example.org:443",),
    agreement=bytes(32),
)


def test_the_least_and_much_pass() -> None:
    for one in (spec(), WHOLE, spec(working_directory="/", health=(health(probe="command", command=("x",), port=0),))):
        check_spec(one)
        assert WORKLOAD_SPECS.decode(encode(one)) == one


def test_a_specification_is_known_by_the_digest_of_its_bytes_and_pinned_with_its_terms() -> None:
    assert spec_digest(WHOLE) == sha256(encode(WHOLE)).digest()
    check_pinned(WHOLE, spec_digest(WHOLE), WHOLE.terms)
    for digest, known in ((spec_digest(spec()), WHOLE.terms), (spec_digest(WHOLE), terms())):
        with pytest.raises(Rejected) as refused:
            check_pinned(WHOLE, digest, known)
        assert refused.value.reason is SpecRefusal.OTHER_TERMS


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"workload": "Web"}, DemandRefusal.BAD_NAME),
        ({"kind": "daemon"}, DemandRefusal.UNKNOWN_WORD),
        ({"demand": demand(cpu_millicores=0)}, DemandRefusal.OUT_OF_RANGE),
        ({"update": structs.replace(UPDATE, parallelism=0)}, DemandRefusal.OUT_OF_RANGE),
        ({"update": structs.replace(UPDATE, parallelism=REPLICAS_MAX + 1)}, DemandRefusal.OUT_OF_RANGE),
        ({"update": structs.replace(UPDATE, order="")}, DemandRefusal.UNKNOWN_WORD),
        ({"update": structs.replace(UPDATE, delay_ms=PERIOD_MS_MAX + 1)}, DemandRefusal.OUT_OF_RANGE),
        ({"update": structs.replace(UPDATE, monitor_ms=-1)}, DemandRefusal.OUT_OF_RANGE),
        ({"update": structs.replace(UPDATE, failures_max_bp=10_001)}, DemandRefusal.OUT_OF_RANGE),
        ({"update": structs.replace(UPDATE, on_failure="ignore")}, DemandRefusal.UNKNOWN_WORD),
        ({"job": Job(retries=1_001, deadline_ms=0)}, DemandRefusal.OUT_OF_RANGE),
        ({"job": Job(retries=0, deadline_ms=DEADLINE_MS_MAX + 1)}, DemandRefusal.OUT_OF_RANGE),
        ({"dependencies": (Dependency(workload="web", condition="started"),)}, SpecRefusal.CONTRADICTION),
        ({"dependencies": (Dependency(workload="db", condition="there"),)}, DemandRefusal.UNKNOWN_WORD),
        ({"dependencies": (Dependency(workload="db", condition="started"),) * 2}, DemandRefusal.NOT_ASCENDING),
        ({"networks": ("b", "a")}, DemandRefusal.NOT_ASCENDING),
        ({"networks": tuple(f"n{number:02}" for number in range(LISTED_MAX + 1))}, DemandRefusal.TOO_MANY),
        ({"ports": (port(container=0),)}, DemandRefusal.OUT_OF_RANGE),
        ({"ports": (port(published=65_536),)}, DemandRefusal.OUT_OF_RANGE),
        ({"ports": (port(protocol="sctp"),)}, DemandRefusal.UNKNOWN_WORD),
        ({"ports": (port(published=80),)}, SpecRefusal.CONTRADICTION),
        ({"demand": demand(ports=(80,))}, SpecRefusal.CONTRADICTION),
    ],
)
def test_terms_that_could_not_be_kept(changes: dict[str, Any], code: DemandRefusal | SpecRefusal) -> None:
    with pytest.raises(Rejected) as refused:
        check_terms(terms(**changes))
    assert refused.value.reason is code
    with pytest.raises(Rejected) as refused:
        check_spec(spec(terms=terms(**changes)))
    assert refused.value.reason is code


def tmp(target: str, size_kib: int = 0) -> Temporary:
    return Temporary(target=target, size_kib=size_kib)


VARIABLES = tuple(Variable(name=f"V{number:03}", value="") for number in range(WORDS_MAX + 1))
DATA = Mount(volume="data", target="/data", read_only=True)
VOLUMES = terms(demand=demand(volumes=("data",)))
TOKEN = SecretFile(secret="token", version=0, commitment=b"", target="/run/secrets/token", mode=0o400)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"image": "x" * (PATH_BYTES_MAX + 1)}, SpecRefusal.TOO_LONG),
        ({"command": ("a\0b",)}, SpecRefusal.TOO_LONG),
        ({"command": ("a",) * (WORDS_MAX + 1)}, DemandRefusal.TOO_MANY),
        ({"arguments": ("x" * (WORD_BYTES_MAX + 1),)}, SpecRefusal.TOO_LONG),
        ({"environment": VARIABLES}, DemandRefusal.TOO_MANY),
        ({"environment": VARIABLES[:2][::-1]}, DemandRefusal.NOT_ASCENDING),
        ({"environment": (Variable(name="A=B", value=""),)}, SpecRefusal.BAD_VARIABLE),
        ({"environment": (Variable(name="A", value="\0"),)}, SpecRefusal.TOO_LONG),
        ({"working_directory": "srv"}, SpecRefusal.BAD_PATH),
        ({"working_directory": "/srv/../etc"}, SpecRefusal.BAD_PATH),
        ({"user": "root;"}, SpecRefusal.BAD_USER),
        ({"hostname": "a.b"}, DemandRefusal.BAD_NAME),
        ({"temporary": (tmp("/"),)}, SpecRefusal.BAD_PATH),
        ({"temporary": (tmp("/proc"),)}, SpecRefusal.BAD_PATH),
        ({"temporary": (tmp("/b"), tmp("/a"))}, DemandRefusal.NOT_ASCENDING),
        ({"temporary": (tmp("/a", 1 << 40),)}, DemandRefusal.OUT_OF_RANGE),
        ({"temporary": (tmp("/a", -1),)}, DemandRefusal.OUT_OF_RANGE),
        ({"temporary": tuple(tmp(f"/t{number:02}") for number in range(2 * LISTED_MAX + 1))}, DemandRefusal.TOO_MANY),
        ({"capabilities": ("SYS_ADMIN",)}, DemandRefusal.UNKNOWN_WORD),
        ({"capabilities": ("CHOWN",)}, DemandRefusal.UNKNOWN_WORD),
        ({"capabilities": ("NET_BIND_SERVICE",) * 2}, DemandRefusal.NOT_ASCENDING),
        ({"mounts": (DATA,)}, SpecRefusal.CONTRADICTION),
        ({"terms": VOLUMES}, SpecRefusal.CONTRADICTION),
        ({"terms": VOLUMES, "mounts": (DATA,), "temporary": (tmp("/data"),)}, SpecRefusal.CONTRADICTION),
        ({"terms": VOLUMES, "mounts": (DATA,), "temporary": (tmp("/data/x"),)}, SpecRefusal.CONTRADICTION),
        ({"terms": VOLUMES, "mounts": (structs.replace(DATA, target="/a/./b"),)}, SpecRefusal.BAD_PATH),
        ({"secrets": (structs.replace(TOKEN, secret="Token"),)}, DemandRefusal.BAD_NAME),
        ({"secrets": (structs.replace(TOKEN, mode=0o1000),)}, DemandRefusal.OUT_OF_RANGE),
        ({"secrets": (structs.replace(TOKEN, target="//token"),)}, SpecRefusal.BAD_PATH),
        ({"secrets": (structs.replace(TOKEN, target="/etc/token"),)}, SpecRefusal.BAD_PATH),
        ({"secrets": (structs.replace(TOKEN, target="/token"),)}, SpecRefusal.BAD_PATH),
        ({"secrets": (structs.replace(TOKEN, target="/dev/shm/token"),)}, SpecRefusal.BAD_PATH),
        ({"secrets": (structs.replace(TOKEN, mode=0o040),)}, SpecRefusal.CONTRADICTION),
        ({"secrets": (structs.replace(TOKEN, version=1),)}, SpecRefusal.CONTRADICTION),
        ({"secrets": (structs.replace(TOKEN, commitment=bytes(32)),)}, SpecRefusal.CONTRADICTION),
        ({"secrets": (structs.replace(TOKEN, version=-1),)}, DemandRefusal.OUT_OF_RANGE),
        ({"secrets": (TOKEN, structs.replace(TOKEN, target=f"{TOKEN.target}/x"))}, SpecRefusal.CONTRADICTION),
        ({"secrets": (TOKEN,), "temporary": (tmp("/run/secrets/x"),)}, SpecRefusal.CONTRADICTION),
        (
            {"terms": VOLUMES, "mounts": (structs.replace(DATA, target="/run"),), "secrets": (TOKEN,)},
            SpecRefusal.CONTRADICTION,
        ),
        ({"pids_max": 0}, DemandRefusal.OUT_OF_RANGE),
        ({"pids_max": PIDS_MAX + 1}, DemandRefusal.OUT_OF_RANGE),
        ({"stop_grace_ms": GRACE_MS_MAX + 1}, DemandRefusal.OUT_OF_RANGE),
        ({"log_files_max": LOG_FILES_MAX + 1}, DemandRefusal.OUT_OF_RANGE),
        ({"stop_signal": "SIGSEGV"}, DemandRefusal.UNKNOWN_WORD),
        ({"stop_grace_ms": -1}, DemandRefusal.OUT_OF_RANGE),
        ({"log_bytes_max": 4_095}, DemandRefusal.OUT_OF_RANGE),
        ({"log_files_max": 0}, DemandRefusal.OUT_OF_RANGE),
        ({"health": (health(), health())}, DemandRefusal.TOO_MANY),
        ({"health": (health(probe="udp"),)}, DemandRefusal.UNKNOWN_WORD),
        ({"health": (health(command=("x",)),)}, SpecRefusal.CONTRADICTION),
        ({"health": (health(port=0),)}, SpecRefusal.CONTRADICTION),
        ({"health": (health(probe="command", command=("x",)),)}, SpecRefusal.CONTRADICTION),
        ({"health": (health(port=65_536),)}, DemandRefusal.OUT_OF_RANGE),
        ({"health": (health(interval_ms=99),)}, DemandRefusal.OUT_OF_RANGE),
        ({"health": (health(timeout_ms=9),)}, DemandRefusal.OUT_OF_RANGE),
        ({"health": (health(start_period_ms=-1),)}, DemandRefusal.OUT_OF_RANGE),
        ({"health": (health(retries=0),)}, DemandRefusal.OUT_OF_RANGE),
        ({"restart": Restart(condition="", attempts_max=0, delay_ms=0, window_ms=0)}, DemandRefusal.UNKNOWN_WORD),
        ({"restart": Restart(condition="no", attempts_max=-1, delay_ms=0, window_ms=0)}, DemandRefusal.OUT_OF_RANGE),
        ({"restart": Restart(condition="no", attempts_max=0, delay_ms=-1, window_ms=0)}, DemandRefusal.OUT_OF_RANGE),
        ({"restart": Restart(condition="no", attempts_max=0, delay_ms=0, window_ms=-1)}, DemandRefusal.OUT_OF_RANGE),
        ({"egress": ("b:1", "a:1")}, DemandRefusal.NOT_ASCENDING),
        ({"egress": ("x" * 256,)}, SpecRefusal.TOO_LONG),
        ({"egress": tuple(f"h{number:02}:1" for number in range(LISTED_MAX + 1))}, DemandRefusal.TOO_MANY),
        ({"agreement": bytes(31)}, SpecRefusal.CONTRADICTION),
    ],
)
def test_a_specification_that_no_node_could_carry_out(
    changes: dict[str, Any], code: DemandRefusal | SpecRefusal
) -> None:
    with pytest.raises(Rejected) as refused:
        check_spec(spec(**changes))
    assert refused.value.reason is code
