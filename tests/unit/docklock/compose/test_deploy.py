"""COMPOSE-8, 10, 14. Where, how many, how renewed; x-metanode; who waits for whom."""

import pytest
from tests.unit.docklock.compose.samples import IMAGE, advice, errors, spec_of, understood

from metanode.docklock.compose import ComposeAdvice, ComposeRefusal
from metanode.docklock.compose.order import circle, in_order
from metanode.records.demand import Constraint, DemandRefusal, Spread, Toleration
from metanode.records.determinism import DeterminismRefusal
from metanode.records.workload import Dependency, Job, Restart, Update

WEB = "services.web"


def file(*services: str) -> str:
    """A file with a service a line: its name, and what else it says."""
    split = (one.partition(": ") for one in services)
    return "services:\n" + "".join(f"  {name}: {{image: '{IMAGE}', {rest}}}\n" for name, _, rest in split)


def test_resources_of_both_forms() -> None:
    for body in (
        "cpus: 0.5\nmem_limit: 64m\npids_limit: 9",
        "deploy: {resources: {limits: {cpus: '0.50', memory: 64M, pids: 9}}}",
        "deploy: {resources: {reservations: {cpus: 0.5, memory: 64m}}}\npids_limit: 9",
        "cpus: 0.5\nmem_limit: 64m\nmem_reservation: 65536k\ndeploy: {resources: {limits: {memory: 64m, pids: 9}}}",
    ):
        spec = spec_of(body)
        assert (spec.terms.demand.cpu_millicores, spec.terms.demand.memory_kib, spec.pids_max) == (500, 65_536, 9)
    spec = spec_of("x-a: 1")
    assert (spec.terms.demand.cpu_millicores, spec.terms.demand.memory_kib, spec.pids_max) == (100, 131_072, 256)
    assert spec_of("mem_limit: 4194305").terms.demand.memory_kib == 4_096, "a part of a KiB is not granted"


def test_what_is_limited_is_what_is_reserved() -> None:
    body = "deploy: {resources: {limits: {cpus: 2, memory: 1g}, reservations: {cpus: 1, memory: 512m}}}"
    assert spec_of(body).terms.demand.cpu_millicores == 2_000
    told = [one.path for one in advice(body) if one.code is ComposeAdvice.RESERVED_AS_LIMITED]
    assert told == [f"{WEB}.deploy.resources.reservations.cpus", f"{WEB}.deploy.resources.reservations.memory"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("cpus: 1\ndeploy: {resources: {limits: {cpus: 2}}}", ComposeRefusal.CONTRADICTION),
        ("mem_limit: 1g\ndeploy: {resources: {limits: {memory: 2g}}}", ComposeRefusal.CONTRADICTION),
        ("pids_limit: 1\ndeploy: {resources: {limits: {pids: 2}}}", ComposeRefusal.CONTRADICTION),
        ("mem_limit: 1g\nmem_reservation: 2g", ComposeRefusal.CONTRADICTION),
        ("deploy: {resources: {limits: {cpus: 1}, reservations: {cpus: 2}}}", ComposeRefusal.CONTRADICTION),
        ("scale: 2\ndeploy: {replicas: 3}", ComposeRefusal.CONTRADICTION),
        ("scale: 0", ComposeRefusal.BAD_NUMBER),
        ("deploy: {replicas: 5001}", ComposeRefusal.BAD_NUMBER),
        ("deploy: {mode: global}", ComposeRefusal.UNSUPPORTED_VALUE),
        ("deploy: {mode: global-job}", ComposeRefusal.UNSUPPORTED_VALUE),
        ("deploy: {mode: several}", ComposeRefusal.BAD_CHOICE),
        ("platform: windows/amd64", ComposeRefusal.UNSUPPORTED_VALUE),
        ("platform: linux/riscv64", ComposeRefusal.UNSUPPORTED_VALUE),
        ("platform: linux/arm64\ndeploy: {placement: {constraints: [node.platform.arch == amd64]}}",
         ComposeRefusal.CONTRADICTION),
        ("platform: linux/arm64\nx-metanode: {architecture: x86_64}", ComposeRefusal.CONTRADICTION),
        ("deploy: {placement: {constraints: [node.labels.a = b]}}", ComposeRefusal.BAD_FORM),
        ("deploy: {placement: {constraints: [disk]}}", ComposeRefusal.BAD_FORM),
        ("deploy: {placement: {constraints: [node.role == manager]}}", ComposeRefusal.UNSUPPORTED_VALUE),
        ("deploy: {placement: {constraints: [node.hostname == a]}}", ComposeRefusal.UNSUPPORTED_VALUE),
        ("deploy: {placement: {constraints: [node.hostname == amd64]}}", ComposeRefusal.UNSUPPORTED_VALUE),
        ("deploy: {placement: {constraints: [node.platform.arch != amd64]}}", ComposeRefusal.UNSUPPORTED_VALUE),
        ("deploy: {placement: {constraints: [node.platform.arch == riscv64]}}", ComposeRefusal.UNSUPPORTED_VALUE),
        ("deploy: {placement: {constraints: [node.platform.os == windows]}}", ComposeRefusal.UNSUPPORTED_VALUE),
        ("deploy: {placement: {constraints: [node.labels.a == b, node.labels.a == c]}}", ComposeRefusal.CONTRADICTION),
        ("deploy: {placement: {constraints: [node.labels.-a == b]}}", DemandRefusal.BAD_LABEL),
        ("deploy: {placement: {constraints: [node.labels.a == b!]}}", DemandRefusal.BAD_LABEL),
        ("deploy: {placement: {preferences: [{spread: zone}]}}", ComposeRefusal.BAD_FORM),
        ("deploy: {placement: {preferences: [{}]}}", ComposeRefusal.MISSING_KEY),
        ("deploy: {update_config: {order: start-first}, rollback_config: {order: stop-first}}",
         ComposeRefusal.UNSUPPORTED_VALUE),
        ("deploy: {rollback_config: {failure_action: continue}}", ComposeRefusal.UNSUPPORTED_VALUE),
        ("restart: always\ndeploy: {restart_policy: {condition: any}}", ComposeRefusal.CONTRADICTION),
        ("restart: sometimes", ComposeRefusal.BAD_CHOICE),
        ("restart: always:3", ComposeRefusal.BAD_CHOICE),
        ("restart: on-failure:0", ComposeRefusal.BAD_CHOICE),
        ("restart: always\ndeploy: {mode: replicated-job}", ComposeRefusal.CONTRADICTION),
    ],
)  # fmt: skip
def test_wrong_deployments(body: str, code: ComposeRefusal) -> None:
    assert [found for found, _, _ in errors(body)] == [code]


def test_placement() -> None:
    demand = spec_of(
        "platform: linux/arm64\n"
        "deploy:\n"
        "  placement:\n"
        "    constraints: [node.labels.zone==eu, 'node.labels.disk != slow', node.platform.os == linux]\n"
        "    preferences: [{spread: node.labels.rack}]\n"
        "    max_replicas_per_node: 2\n"
        "x-metanode:\n"
        "  constraints: ['gpu exists', 'spot absent', 'row in b, a', 'row not-in c']\n"
        "  spread: [{label: zone, skew_max: 1}]\n"
    ).terms.demand
    assert demand.constraints == (
        Constraint(label="disk", operator="!=", values=("slow",)),
        Constraint(label="gpu", operator="exists", values=()),
        Constraint(label="row", operator="in", values=("a", "b")),
        Constraint(label="row", operator="not-in", values=("c",)),
        Constraint(label="spot", operator="absent", values=()),
        Constraint(label="zone", operator="==", values=("eu",)),
    )
    assert demand.spread == (Spread(label="rack", skew_max=0), Spread(label="zone", skew_max=1))
    assert (demand.architecture, demand.node_max) == ("aarch64", 2)
    assert (
        spec_of("deploy: {placement: {constraints: [node.platform.arch == amd64]}}").terms.demand.architecture
        == "x86_64"
    )


def test_the_same_constraint_twice_is_one() -> None:
    body = "deploy: {placement: {constraints: [node.labels.a == b, node.labels.a==b]}}"
    assert spec_of(body).terms.demand.constraints == (Constraint(label="a", operator="==", values=("b",)),)


def test_bounds_are_within() -> None:
    assert spec_of("mem_limit: 16384g\ncpus: 1024").terms.demand.memory_kib == 16 << 30
    assert spec_of("logging: {options: {max-size: 1g, max-file: 32}}").log_bytes_max == 1 << 30
    assert spec_of("logging: {options: {max-size: 4k, max-file: 1}}").log_bytes_max == 4_096
    for ratio, points in (("0", 0), ("1", 10_000), ("0.0001", 1)):
        body = f"deploy: {{update_config: {{max_failure_ratio: {ratio}}}}}"
        assert spec_of(body).terms.update.failures_max_bp == points


def test_updates() -> None:
    assert spec_of("x-a: 1").terms.update == Update(
        parallelism=1, order="stop-first", delay_ms=0, monitor_ms=5_000, failures_max_bp=0, on_failure="pause"
    )
    keys = "parallelism: 0, order: start-first, delay: 1s, monitor: 2s, max_failure_ratio: 0.3333"
    body = f"deploy: {{replicas: 7, update_config: {{{keys}, failure_action: rollback}}, rollback_config: {{{keys}}}}}"
    assert spec_of(body).terms.update == Update(
        parallelism=7,
        order="start-first",
        delay_ms=1_000,
        monitor_ms=2_000,
        failures_max_bp=3_333,
        on_failure="rollback",
    )


@pytest.mark.parametrize(
    ("body", "condition", "attempts", "delay", "window"),
    [
        ("x-a: 1", "always", 0, 100, 0),
        ("restart: no", "no", 0, 100, 0),
        ("restart: 'no'", "no", 0, 100, 0),
        ("restart: always", "always", 0, 100, 0),
        ("restart: unless-stopped", "always", 0, 100, 0),
        ("restart: on-failure", "on-failure", 0, 100, 0),
        ("restart: on-failure:3", "on-failure", 3, 100, 600_000),
        ("deploy: {restart_policy: {}}", "always", 0, 100, 0),
        ("deploy: {restart_policy: {condition: none}}", "no", 0, 100, 0),
        ("deploy: {restart_policy: {condition: on-failure, delay: 5s, max_attempts: 3, window: 2m}}",
         "on-failure", 3, 5_000, 120_000),
        ("deploy: {restart_policy: {max_attempts: 2}}", "always", 2, 100, 600_000),
        ("deploy: {mode: replicated-job}", "no", 0, 100, 0),
    ],
)  # fmt: skip
def test_restarts(body: str, condition: str, attempts: int, delay: int, window: int) -> None:
    restart = Restart(condition=condition, attempts_max=attempts, delay_ms=delay, window_ms=window)
    assert spec_of(body).restart == restart


def test_what_compose_has_no_word_for() -> None:
    digest = "ab" * 32
    spec = spec_of(
        "x-metanode:\n"
        "  priority: 700\n  preempts: true\n  data_class: restricted\n  architecture: x86_64\n"
        "  engines: [oci, docker]\n  affinity: [cache, db]\n  anti_affinity: other\n  strategy: binpack\n"
        "  tolerations: [{key: b, effect: avoid}, {key: a, value: c}, {}]\n"
        "  egress: ['b.example.org:443', 'a.example.org:80', '[::1]:53']\n"
        f"  agreement: sha256:{digest}\n  job: {{retries: 2, deadline: 1h}}\n",
        "x-metanode: {cluster: shop, regions: [eu, us], data_class: public}",
    )
    demand = spec.terms.demand
    assert (demand.priority, demand.preempts, demand.data_class, demand.architecture) == (
        700,
        True,
        "restricted",
        "x86_64",
    )
    assert (demand.engines, demand.affinity, demand.anti_affinity) == (("docker", "oci"), ("cache", "db"), ("other",))
    assert (demand.strategy, demand.regions) == ("binpack", ("eu", "us"))
    assert demand.tolerations == (
        Toleration(key="", value="", effect=""),
        Toleration(key="a", value="c", effect=""),
        Toleration(key="b", value="", effect="avoid"),
    )
    assert spec.egress == ("[::1]:53", "a.example.org:80", "b.example.org:443")
    assert spec.agreement == bytes.fromhex(digest)
    assert (spec.terms.kind, spec.terms.job) == ("job", Job(retries=2, deadline_ms=3_600_000))


def test_a_deterministic_workload_runs_in_the_sandbox() -> None:
    job = "x-metanode: {job: {}, deterministic: true"
    digest = "ab" * 32
    spec = spec_of(f"{job}, inputs: [b.csv=sha256:{digest}, a.csv=sha256:{digest}], outputs: [sums.txt, all.txt]}}")
    terms = spec.terms
    assert (terms.deterministic, terms.demand.engines, terms.demand.architecture) == (True, ("sandbox",), "x86_64")
    assert [(one.name, one.digest.hex()) for one in spec.inputs] == [("a.csv", digest), ("b.csv", digest)]
    assert spec.outputs == ("all.txt", "sums.txt")
    assert errors(f"{job}, engines: docker}}")[0][0] is ComposeRefusal.CONTRADICTION
    assert errors(f"{job}, architecture: aarch64}}")[0][0] is ComposeRefusal.CONTRADICTION
    assert errors("x-metanode: {deterministic: true}")[0][0] is DeterminismRefusal.NOT_A_JOB
    assert errors(f"{job}, inputs: [a.csv]}}")[0][0] is ComposeRefusal.BAD_FORM
    assert errors(f"{job}, inputs: [a=sha256:{digest}, a=sha256:{digest}]}}")[0][0] is ComposeRefusal.CONTRADICTION
    assert errors(f"{job}, inputs: ['../a=sha256:{digest}']}}")[0][0] is DeterminismRefusal.BAD_FILE
    assert errors(f"{job}, outputs: [a/b]}}")[0][0] is DeterminismRefusal.BAD_FILE
    assert errors("x-metanode: {job: {}, outputs: [a]}")[0][0] is DeterminismRefusal.NOT_A_JOB


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("priority: 1001", ComposeRefusal.BAD_NUMBER),
        ("data_class: secret", ComposeRefusal.BAD_CHOICE),
        ("engines: [docker, docker]", ComposeRefusal.CONTRADICTION),
        ("engines: [dockerd]", ComposeRefusal.BAD_CHOICE),
        ("regions: ['a b']", DemandRefusal.BAD_LABEL),
        ("agreement: abc", ComposeRefusal.BAD_FORM),
        ("egress: [example.org]", ComposeRefusal.BAD_FORM),
        ("egress: ['example.org:0']", ComposeRefusal.BAD_FORM),
        ("affinity: [My_Db]", DemandRefusal.BAD_NAME),
        ("constraints: [zone]", ComposeRefusal.BAD_FORM),
        ("constraints: [zone in]", ComposeRefusal.BAD_FORM),
        ("constraints: [zone exists a]", ComposeRefusal.BAD_FORM),
        ("constraints: ['zone in a, b', 'zone in c']", ComposeRefusal.CONTRADICTION),
        ("constraints: ['zone in a b']", DemandRefusal.BAD_LABEL),
        ("tolerations: [{key: a}, {key: a}]", ComposeRefusal.CONTRADICTION),
        ("tolerations: [{key: '!'}]", DemandRefusal.BAD_LABEL),
        ("tolerations: [{effect: NoSchedule}]", ComposeRefusal.BAD_CHOICE),
        ("spread: {skew_max: 1}", ComposeRefusal.MISSING_KEY),
        ("spread: [{label: a}, {label: a}]", ComposeRefusal.CONTRADICTION),
        ("job: {deadline: 0s}", ComposeRefusal.BAD_DURATION),
        ("strategy: random", ComposeRefusal.BAD_CHOICE),
        ("strategy: ''", ComposeRefusal.BAD_CHOICE),
        ("architecture: ''", ComposeRefusal.BAD_CHOICE),
        ("preempts: 1", ComposeRefusal.BAD_CHOICE),
    ],
)
def test_wrong_settings(text: str, code: ComposeRefusal) -> None:
    assert [(found, line) for found, line, _ in errors(f"x-metanode: {{{text}}}")] == [(code, 4)]


def test_the_cluster_and_the_name_of_the_file() -> None:
    found = understood(f"name: shop\nx-metanode: {{cluster: main}}\n{file('web: user: app')}").application
    assert found is not None
    assert (found.name, found.cluster) == ("shop", "main")
    assert errors("x-a: 1", "name: My Shop") == [(DemandRefusal.BAD_NAME, 5, "name")]
    assert errors("x-a: 1", "x-metanode: {cluster: A}") == [(DemandRefusal.BAD_NAME, 5, "x-metanode.cluster")]


def test_dependencies_come_first() -> None:
    found = understood(
        file("web: depends_on: [db, cache]", "cache: user: app", "db: depends_on: [volume]", "volume: user: app")
    )
    assert found.application is not None
    assert [one.spec.terms.workload for one in found.application.workloads] == ["cache", "volume", "db", "web"]
    assert found.application.workloads[3].spec.terms.dependencies == (
        Dependency(workload="cache", condition="started"),
        Dependency(workload="db", condition="started"),
    )
    assert [one.line for one in found.application.workloads] == [3, 5, 4, 2]


def test_who_waits_in_a_circle_is_named() -> None:
    found = understood(
        file("c: depends_on: [a]", "a: depends_on: [b]", "b: depends_on: [c]", "d: depends_on: [a]")
    ).errors
    assert [(one.code, one.line, one.path, one.found) for one in found] == [
        (ComposeRefusal.CYCLE, 3, "services.a.depends_on", "a waits for b waits for c waits for a")
    ]
    assert [one.found for one in understood(file("a: depends_on: [a]")).errors] == ["a waits for a"]
    found = understood(file("a: user: app", "b: depends_on: [c]", "c: depends_on: [b]")).errors
    assert [(one.line, one.found) for one in found] == [(3, "b waits for c waits for b")]
    assert circle({"a": ("b",), "b": (), "c": ("a", "b")}) == ()
    assert in_order({"a": ("b",), "b": (), "c": ("a", "b")}) == ("b", "a", "c")
    long = {f"s{n:04}": (f"s{n + 1:04}",) for n in range(3_000)} | {"s3000": ()}
    assert circle(long) == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("web: depends_on: [dab]", ComposeRefusal.UNKNOWN_NAME),
        ("web: depends_on: [db, db]", ComposeRefusal.CONTRADICTION),
        ("web: depends_on: {db: {}}", ComposeRefusal.MISSING_KEY),
        ("web: depends_on: {db: {condition: healthy}}", ComposeRefusal.BAD_CHOICE),
        ("web: depends_on: {db: {condition: service_started, required: false}}", ComposeRefusal.UNSUPPORTED_VALUE),
        ("web: depends_on: {db: {condition: service_started, restart: true}}", ComposeRefusal.UNSUPPORTED_VALUE),
        ("web: depends_on: {db: {condition: service_healthy}}", ComposeRefusal.NEVER_REACHED),
        ("web: depends_on: {db: {condition: service_completed_successfully}}", ComposeRefusal.NEVER_REACHED),
        ("web: depends_on: db", ComposeRefusal.WRONG_TYPE),
    ],
)
def test_wrong_dependencies(text: str, code: ComposeRefusal) -> None:
    found = understood(file(text, "db: restart: always")).errors
    assert [(one.code, one.line) for one in found] == [(code, 2)]


def test_a_service_whose_end_is_waited_for_is_a_job() -> None:
    waits = "web: depends_on: {db: {condition: service_completed_successfully}}"
    found = understood(file(waits, "db: user: app")).application
    assert found is not None
    assert [(one.spec.terms.kind, one.spec.restart.condition) for one in found.workloads] == [
        ("job", "no"),
        ("service", "always"),
    ]


def test_too_many_services_are_refused() -> None:
    found = understood(file(*(f"s{n}: user: app" for n in range(300)))).errors
    assert [(one.code, one.path) for one in found] == [(ComposeRefusal.TOO_LARGE, "services")]


def test_a_specification_has_a_bound() -> None:
    names = ", ".join(f"A{n}: '{'x' * 9_000}'" for n in range(8))
    assert [(code, path) for code, _, path in errors(f"environment: {{{names}}}")] == [(ComposeRefusal.TOO_LARGE, WEB)]
