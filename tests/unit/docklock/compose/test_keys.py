"""COMPOSE-5. Every key of the Compose specification is supported or refused with a reason; the page says the same."""

import re

import pytest
from tests.architecture.source import ROOT
from tests.unit.docklock.compose.samples import IMAGE, codes, errors, service, understood

from metanode.docklock.compose import ComposeRefusal
from metanode.docklock.compose.keys import (
    DEPENDENCY,
    DEPLOY,
    DEPLOY_REFUSED,
    HEALTHCHECK,
    HEALTHCHECK_REFUSED,
    MOUNT,
    MOUNT_REFUSED,
    NETWORK,
    NETWORK_REFUSED,
    NETWORK_USE_REFUSED,
    PORT,
    PORT_REFUSED,
    RESERVATIONS,
    RESERVATIONS_REFUSED,
    SECRET,
    SECRET_REFUSED,
    SERVICE,
    SERVICE_REFUSED,
    SETTINGS,
    SETTINGS_TOP,
    TABLES,
    TOP,
    TOP_REFUSED,
    VOLUME,
    VOLUME_REFUSED,
)

SERVICE_KEYS = """
annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs container_name cpu_count
cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset credential_spec depends_on deploy
develop device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint env_file environment expose extends
external_links extra_hosts gpus group_add healthcheck hostname image init ipc isolation label_file labels links logging
mac_address mem_limit mem_reservation mem_swappiness memswap_limit models network_mode networks oom_kill_disable
oom_score_adj pid pids_limit platform ports post_start pre_stop privileged profiles provider pull_policy
pull_refresh_after read_only restart runtime scale secrets security_opt shm_size stdin_open stop_grace_period
stop_signal storage_opt sysctls tmpfs tty ulimits use_api_socket user userns_mode uts volumes volumes_from working_dir
""".split()  # noqa: SIM905 - ninety-two words read better so
"""The keys of a service in the schema of the Compose specification of 23 June 2026 (Apache-2.0)."""
OTHERS = {
    "top level": "configs include models name networks secrets services version volumes",
    "services.NAME.deploy": "endpoint_mode labels mode placement replicas resources restart_policy rollback_config "
    "update_config",
    "services.NAME.deploy.resources.limits": "cpus memory pids",
    "services.NAME.deploy.resources.reservations": "cpus devices generic_resources memory",
    "services.NAME.deploy.placement": "constraints max_replicas_per_node preferences",
    "services.NAME.deploy.update_config": "delay failure_action max_failure_ratio monitor order parallelism",
    "services.NAME.deploy.restart_policy": "condition delay max_attempts window",
    "services.NAME.healthcheck": "disable interval retries start_interval start_period test timeout",
    "services.NAME.ports": "app_protocol host_ip mode name protocol published target",
    "services.NAME.volumes": "bind consistency image read_only source target tmpfs type volume",
    "services.NAME.secrets": "gid mode source target uid",
    "services.NAME.depends_on.NAME": "condition required restart",
    "services.NAME.env_file": "format path required",
    "services.NAME.logging": "driver options",
    "services.NAME.networks.NAME": "aliases driver_opts gw_priority interface_name ipv4_address ipv6_address "
    "link_local_ips mac_address priority",
    "volumes.NAME": "driver driver_opts external labels name",
    "networks.NAME": "attachable driver driver_opts enable_ipv4 enable_ipv6 external internal ipam labels name",
    "secrets.NAME": "driver driver_opts environment external file labels name template_driver",
}
"""The same for the other mappings."""


def test_all_ninety_two_keys_of_a_service_are_supported_or_refused() -> None:
    assert len(SERVICE_KEYS) == 92
    assert sorted((SERVICE.keys() | SERVICE_REFUSED.keys()) - {"x-metanode", "pre_start"}) == SERVICE_KEYS
    assert SERVICE.keys() & SERVICE_REFUSED.keys() == set()


@pytest.mark.parametrize("where", OTHERS)
def test_all_keys_of_other_mappings_are_supported_or_refused(where: str) -> None:
    known, refused = next((known, refused) for place, known, refused in TABLES if place == where)
    assert sorted((known.keys() | refused.keys()) - {"x-metanode"}) == OTHERS[where].split()
    assert known.keys() & refused.keys() == set()


@pytest.mark.parametrize("key", sorted(SERVICE_REFUSED))
def test_every_refused_key_of_a_service_is_refused_with_its_line_and_reason(key: str) -> None:
    for value in ("true", "{}", "[]", "", "text"):
        found = understood(service(f"x-note: 1\n{key}: {value}")).errors
        assert [(one.code, one.line, one.column, one.path) for one in found] == [
            (ComposeRefusal.UNSUPPORTED_KEY, 5, 5, f"services.web.{key}")
        ]
        assert SERVICE_REFUSED[key] in found[0].found
        assert found[0].fix == f"take {key} out"


REFUSED_ELSEWHERE = [
    *((f"{key}: {{}}\nservices:\n  web:\n    image: {IMAGE}\n", key) for key in TOP_REFUSED),
    *((service(f"deploy: {{{key}: 1}}"), key) for key in DEPLOY_REFUSED),
    *((service(f"deploy: {{resources: {{reservations: {{{key}: 1}}}}}}"), key) for key in RESERVATIONS_REFUSED),
    *((service(f"healthcheck: {{test: x, {key}: 1s}}"), key) for key in HEALTHCHECK_REFUSED),
    *((service(f"ports: [{{target: 80, {key}: x}}]"), key) for key in PORT_REFUSED),
    *((service(f"volumes: [{{type: tmpfs, target: /x, {key}: {{}}}}]"), key) for key in MOUNT_REFUSED),
    *((service(f"networks: {{n: {{{key}: 1}}}}", "networks: {n: {}}"), key) for key in NETWORK_USE_REFUSED),
    *((service("volumes: ['v:/x']", f"volumes: {{v: {{{key}: 1}}}}"), key) for key in VOLUME_REFUSED),
    *((service("networks: [n]", f"networks: {{n: {{{key}: 1}}}}"), key) for key in NETWORK_REFUSED),
    *((service("secrets: [s]", f"secrets: {{s: {{external: true, {key}: 1}}}}"), key) for key in SECRET_REFUSED),
]  # fmt: skip


@pytest.mark.parametrize(("text", "key"), REFUSED_ELSEWHERE)
def test_every_other_refused_key_is_refused_alone(text: str, key: str) -> None:
    found = understood(text).errors
    assert [one.code for one in found] == [ComposeRefusal.UNSUPPORTED_KEY]
    assert found[0].path.endswith(key)


@pytest.mark.parametrize(
    "body",
    [
        "bild: .",
        "deploy: {replica: 2}",
        "deploy: {resources: {limit: {}}}",
        "deploy: {resources: {limits: {memry: 1g}}}",
        "deploy: {placement: {constraint: []}}",
        "deploy: {placement: {preferences: [{spred: node.labels.a}]}}",
        "deploy: {update_config: {paralelism: 1}}",
        "deploy: {rollback_config: {paralelism: 1}}",
        "deploy: {restart_policy: {conditions: any}}",
        "healthcheck: {tests: x, disable: true}",
        "ports: [{target: 80, publish: 80}]",
        "volumes: [{type: tmpfs, target: /x, readonly: true}]",
        "volumes: [{type: tmpfs, target: /x, tmpfs: {sizes: 1}}]",
        "env_file: [{path: a, requires: false}]",
        "logging: {drivers: local}",
        "logging: {options: {max-files: 3}}",
        "networks: {default: {alias: []}}",
        "x-metanode: {priorty: 1}",
        "x-metanode: {x-more: 1}",
        "x-metanode: {cluster: a}",
        "x-metanode: {job: {retry: 1}}",
        "x-metanode: {spread: {label: a, skew: 1}}",
        "x-metanode: {tolerations: [{keys: a}]}",
        "x-metanode: {probe: {http: {port: 80, paths: /}}}",
        "x-metanode: {probe: {x-a: 1, tcp: {port: 80}}}",
        "x-metanode: {probe: {tcp: {port: 80, path: /}}}",
    ],
)
def test_an_unknown_key_is_an_error_wherever_it_stands(body: str) -> None:
    assert [(code, line) for code, line, _ in errors(body, files={"a": ""})] == [(ComposeRefusal.UNKNOWN_KEY, 4)]


def test_one_mistake_does_not_hide_the_next() -> None:
    body = (
        "ports: ['x', 'y']\nexpose: ['x', 'y']\nvolumes: ['./a:/a', '/b', 'c:/c']\nsecrets: [{}, a, b]\n"
        "depends_on: [a, b]\ncap_add: [A, B]\nenvironment: ['1=2', '3=4']\nenv_file: [a, {}, b]\n"
        "x-metanode: {spread: [{}, {}], tolerations: [{key: '!'}, {key: '?'}], egress: [a, b], constraints: [a, b]}\n"
        "deploy: {placement: {constraints: [a, b], preferences: [{}, {}]}}"
    )
    paths = [path for _, _, path in errors(body)]
    lists = ("ports", "expose", "volumes", "secrets", "depends_on", "cap_add", "environment", "env_file")
    for key in lists:
        found = {path.removesuffix(".path") for path in paths}
        assert {f"services.web.{key}[0]", f"services.web.{key}[1]"} <= found, key
    for key in ("spread", "tolerations", "egress", "constraints"):
        assert len([path for path in paths if path.startswith(f"services.web.x-metanode.{key}[")]) == 2, key
    assert len([path for path in paths if path.startswith("services.web.deploy.placement.")]) == 4


@pytest.mark.parametrize("line", ["service: {}", "x-metanode: {priority: 1}", "volums: {}"])
def test_an_unknown_key_at_the_top_is_an_error(line: str) -> None:
    assert codes(service("tmpfs: /x", line)) == [ComposeRefusal.UNKNOWN_KEY]


@pytest.mark.parametrize(
    "body",
    [
        "deploy: {x-a: 1, resources: {x-a: 1, limits: {x-a: 1}}, placement: {x-a: 1}, update_config: {x-a: 1}}",
        "healthcheck: {test: x, x-a: 1}",
        "ports: [{target: 80, x-a: 1}]",
        "volumes: [{type: tmpfs, target: /x, x-a: 1}]",
        "logging: {x-a: 1}",
        "x-anything: [1, {a: b}]",
    ],
)
def test_extensions_are_allowed_where_compose_allows_them(body: str) -> None:
    assert errors(body) == []


def test_every_supported_key_has_a_meaning_and_every_refused_one_a_reason() -> None:
    for where, known, refused in TABLES:
        for key, says in (*known.items(), *refused.items()):
            assert len(says) > 3, (where, key)
    for refused, known in (
        (SERVICE_REFUSED, SERVICE), (TOP_REFUSED, TOP), (DEPLOY_REFUSED, DEPLOY), (HEALTHCHECK_REFUSED, HEALTHCHECK),
        (MOUNT_REFUSED, MOUNT), (NETWORK_REFUSED, NETWORK), (PORT_REFUSED, PORT), (SECRET_REFUSED, SECRET),
        (VOLUME_REFUSED, VOLUME), (RESERVATIONS_REFUSED, RESERVATIONS),
        (NETWORK_USE_REFUSED, DEPENDENCY), (SETTINGS_TOP, {}),
    ):  # fmt: skip
        assert not refused.keys() & known.keys()
    assert set(SETTINGS_TOP) - {"cluster"} <= set(SETTINGS)


def test_the_page_shows_these_tables() -> None:
    page = (ROOT / "docs" / "protocol" / "compose.md").read_text()
    sections = re.findall(r"^### (.+?)\n\n\| key \| \| \|\n\|---\|---\|---\|\n((?:\|.*\n)+)", page, re.MULTILINE)
    shown = [(where, rows.splitlines()) for where, rows in sections]
    made = [
        (
            where,
            [f"| `{key}` | supported | {known[key]} |" for key in sorted(known)]
            + [f"| `{key}` | refused | {refused[key]} |" for key in sorted(refused)],
        )
        for where, known, refused in TABLES
    ]
    assert shown == made
