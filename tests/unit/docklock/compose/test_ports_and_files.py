"""COMPOSE-9, 12. Ports, volumes, tmpfs, secrets, networks."""

import pytest
from tests.unit.docklock.compose.samples import IMAGE, advice, errors, spec_of, understood

from metanode.docklock.compose import ComposeAdvice, ComposeRefusal, SecretSource
from metanode.primitives.refusal import Refusal
from metanode.records.demand import DemandRefusal
from metanode.records.workload import Mount, SecretFile, SpecRefusal, Temporary

WEB = "services.web"
DECLARED = "volumes: {data: , logs: {name: logs-2}}\nsecrets: {key: {external: true}, cert: {file: ./c, name: cert-3}}"


def ports(body: str) -> list[tuple[str, int, int, str]]:
    spec = spec_of(body)
    assert spec.terms.demand.ports == tuple(sorted({p.published for p in spec.terms.ports if p.published}))
    return [(p.name, p.container, p.published, p.protocol) for p in spec.terms.ports]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("ports: ['80']", [("tcp-80", 80, 0, "tcp")]),
        ("ports: [80]", [("tcp-80", 80, 0, "tcp")]),
        ("ports: ['8080:80']", [("tcp-80", 80, 8080, "tcp")]),
        ("ports: [3306:3306]", [("tcp-3306", 3306, 3306, "tcp")]),
        ("ports: ['53:53/udp', '53:53']", [("tcp-53", 53, 53, "tcp"), ("udp-53", 53, 53, "udp")]),
        ("ports: ['9090-9091:80-81']", [("tcp-80", 80, 9090, "tcp"), ("tcp-81", 81, 9091, "tcp")]),
        ("ports: ['80-81/udp']", [("udp-80", 80, 0, "udp"), ("udp-81", 81, 0, "udp")]),
        ("ports: [{target: 80}]", [("tcp-80", 80, 0, "tcp")]),
        ("ports: [{target: 80, published: '8080', name: http, mode: host}]", [("http", 80, 8080, "tcp")]),
        ("ports: [{target: '80-81', published: 8080-8081, protocol: udp}]",
         [("udp-80", 80, 8080, "udp"), ("udp-81", 81, 8081, "udp")]),
        ("expose: [80, '90-91/udp']", [("tcp-80", 80, 0, "tcp"), ("udp-90", 90, 0, "udp"), ("udp-91", 91, 0, "udp")]),
        ("ports: [{target: 80, name: http}]\nexpose: [80]", [("http", 80, 0, "tcp")]),
        ("ports: ['8080:80']\nexpose: [80, 81]", [("tcp-80", 80, 8080, "tcp"), ("tcp-81", 81, 0, "tcp")]),
    ],
)  # fmt: skip
def test_ports_in_every_form(body: str, found: list[tuple[str, int, int, str]]) -> None:
    assert ports(body) == found


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("ports: ['x:80']", ComposeRefusal.BAD_FORM),
        ("ports: ['0']", ComposeRefusal.BAD_FORM),
        ("ports: ['65536']", ComposeRefusal.BAD_FORM),
        ("ports: ['82-80']", ComposeRefusal.BAD_FORM),
        ("ports: ['1-65535']", ComposeRefusal.BAD_FORM),
        ("ports: [':80']", ComposeRefusal.BAD_FORM),
        ("ports: ['80/sctp']", ComposeRefusal.BAD_CHOICE),
        ("ports: ['8000-9000:80']", ComposeRefusal.BAD_FORM),
        ("ports: ['8000-8001:80']", ComposeRefusal.UNSUPPORTED_VALUE),
        ("ports: ['127.0.0.1:80:80']", ComposeRefusal.UNSUPPORTED_VALUE),
        ("ports: ['[::1]:80:80']", ComposeRefusal.UNSUPPORTED_VALUE),
        ("ports: ['80:80', '81:80']", ComposeRefusal.CONTRADICTION),
        ("ports: ['80:80', '80:81']", ComposeRefusal.CONTRADICTION),
        ("ports: [{published: 80}]", ComposeRefusal.MISSING_KEY),
        ("ports: [{target: 80, mode: ingress}]", ComposeRefusal.UNSUPPORTED_VALUE),
        ("ports: [{target: 80, mode: bridge}]", ComposeRefusal.BAD_CHOICE),
        ("ports: [{target: 80, protocol: sctp}]", ComposeRefusal.BAD_CHOICE),
        ("ports: [{target: 80-81, name: two}]", ComposeRefusal.CONTRADICTION),
        ("ports: [{target: 80, name: A_b}]", DemandRefusal.BAD_NAME),
        ("ports: 80", ComposeRefusal.WRONG_TYPE),
        ("ports: [[80]]", ComposeRefusal.WRONG_TYPE),
        ("expose: ['80:80']", ComposeRefusal.BAD_FORM),
        ("expose: ['80']\nports: [{target: 90, name: tcp-80}]", ComposeRefusal.CONTRADICTION),
        (f"ports: [{', '.join(str(n) for n in range(1, 40))}]", ComposeRefusal.TOO_LARGE),
        ("ports: ['1-32']\nexpose: ['40-50']", ComposeRefusal.TOO_LARGE),
    ],
)
def test_wrong_ports(body: str, code: ComposeRefusal) -> None:
    assert [(found, line) for found, line, _ in errors(body)] == [(code, 4)]


def test_a_port_that_is_published_nowhere_is_told() -> None:
    told = [(one.line, one.path) for one in advice("ports: ['80', '81:81']") if one.code is ComposeAdvice.NOT_PUBLISHED]
    assert told == [(4, f"{WEB}.ports[0]")]


def test_volumes_tmpfs_and_secrets() -> None:
    spec = spec_of(
        "volumes: ['data:/data', 'logs:/var/log/:ro', {type: tmpfs, target: /cache}]\n"
        "tmpfs: [/run, /tmp]\nread_only: true\n"
        "secrets: [key, {source: cert, target: tls/cert.pem, mode: 0400}]",
        DECLARED,
    )
    assert spec.mounts == (
        Mount(volume="data", target="/data", read_only=False),
        Mount(volume="logs-2", target="/var/log", read_only=True),
    )
    assert spec.terms.demand.volumes == ("data", "logs-2")
    assert ([one.target for one in spec.temporary], spec.read_only) == (["/cache", "/run", "/tmp"], True)
    assert spec.secrets == (
        SecretFile(secret="key", version=0, commitment=b"", target="/run/secrets/key", mode=0o444),
        SecretFile(secret="cert-3", version=0, commitment=b"", target="/run/secrets/tls/cert.pem", mode=0o400),
    )
    long = "volumes: [{type: volume, source: data, target: /d, read_only: true, volume: {}}]\ntmpfs: /one"
    assert spec_of(long, DECLARED).mounts == (Mount(volume="data", target="/d", read_only=True),)
    assert spec_of(long, DECLARED).temporary == (Temporary(target="/one", size_kib=0),)
    long = long.replace("read_only: true", "read_only: false")
    assert spec_of(long, DECLARED).mounts == (Mount(volume="data", target="/d", read_only=False),)


def test_a_tmpfs_has_the_size_that_is_said() -> None:
    spec = spec_of(
        "tmpfs: ['/run:rw,noexec,nosuid,size=64k', /tmp]\nvolumes: [{type: tmpfs, target: /c, tmpfs: {size: 2m}}]"
    )
    assert [(one.target, one.size_kib) for one in spec.temporary] == [("/c", 2_048), ("/run", 64), ("/tmp", 0)]


def test_a_secret_may_say_that_it_belongs_to_the_user_of_its_container() -> None:
    for user, keys in (("8:9", "uid: '8', gid: '9'"), ("8", "uid: 8, gid: 8"), ("app", "mode: 0440")):
        made = spec_of(f"user: '{user}'\nsecrets: [{{source: key, {keys}}}]\ntmpfs: /run", DECLARED)
        assert made.secrets[0].target == "/run/secrets/key"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("volumes: ['./src:/app']", ComposeRefusal.UNSUPPORTED_VALUE),
        ("volumes: ['/var/run/docker.sock:/var/run/docker.sock']", ComposeRefusal.UNSUPPORTED_VALUE),
        ("volumes: ['~/x:/app']", ComposeRefusal.UNSUPPORTED_VALUE),
        ("volumes: ['/app']", ComposeRefusal.UNSUPPORTED_VALUE),
        ("volumes: ['data:/app:z']", ComposeRefusal.UNSUPPORTED_VALUE),
        ("volumes: ['data:/app:ro:x']", ComposeRefusal.UNSUPPORTED_VALUE),
        ("volumes: ['date:/app']", ComposeRefusal.UNKNOWN_NAME),
        ("volumes: ['data:app']", SpecRefusal.BAD_PATH),
        ("volumes: ['data:/']", SpecRefusal.BAD_PATH),
        ("volumes: ['data:/a', 'logs:/a']", ComposeRefusal.CONTRADICTION),
        ("volumes: ['data:/a', {type: tmpfs, target: /a}]", ComposeRefusal.CONTRADICTION),
        ("volumes: [{type: bind, source: /x, target: /y}]", ComposeRefusal.UNSUPPORTED_VALUE),
        ("volumes: [{type: npipe, source: x, target: /y}]", ComposeRefusal.UNSUPPORTED_VALUE),
        ("volumes: [{type: disk, source: data, target: /y}]", ComposeRefusal.BAD_CHOICE),
        ("volumes: [{source: data, target: /y}]", ComposeRefusal.MISSING_KEY),
        ("volumes: [{type: volume, target: /y}]", ComposeRefusal.MISSING_KEY),
        ("volumes: [{type: tmpfs, source: data, target: /y}]", ComposeRefusal.CONTRADICTION),
        ("volumes: [{type: tmpfs, target: /y, tmpfs: {mode: 0700}}]", ComposeRefusal.UNSUPPORTED_KEY),
        ("volumes: [{type: tmpfs, target: /y, tmpfs: {size: much}}]", ComposeRefusal.BAD_SIZE),
        ("tmpfs: '/run:size=1g'", DemandRefusal.OUT_OF_RANGE),
        ("tmpfs: '/run:size=0'", ComposeRefusal.BAD_SIZE),
        ("tmpfs: '/run:size'", ComposeRefusal.UNSUPPORTED_VALUE),
        ("tmpfs: /proc/x", SpecRefusal.BAD_PATH),
        ("volumes: ['data:/dev/shm']", SpecRefusal.BAD_PATH),
        ("tmpfs: /run/secrets/x\nsecrets: [key]", SpecRefusal.CONTRADICTION),
        ("volumes: ['data:/run']\nsecrets: [key]", SpecRefusal.CONTRADICTION),
        ("secrets: [{source: key, target: /etc/key}]", SpecRefusal.BAD_PATH),
        ("secrets: [{source: key, mode: 0040}]", SpecRefusal.CONTRADICTION),
        ("secrets: [{source: key, uid: '7'}]\nuser: 8:9", ComposeRefusal.CONTRADICTION),
        ("secrets: [{source: key, gid: '8'}]\nuser: 8:9", ComposeRefusal.CONTRADICTION),
        ("secrets: [{source: key, uid: '8'}]", ComposeRefusal.CONTRADICTION),
        ("volumes: [{type: volume, source: data, target: /y, volume: {nocopy: true}}]", ComposeRefusal.UNSUPPORTED_KEY),
        ("tmpfs: '/run:mode=1777'", ComposeRefusal.UNSUPPORTED_VALUE),
        ("tmpfs: run", SpecRefusal.BAD_PATH),
        ("secrets: [kee]", ComposeRefusal.UNKNOWN_NAME),
        ("secrets: [{target: x}]", ComposeRefusal.MISSING_KEY),
        ("secrets: [key, {source: cert, target: key}]", ComposeRefusal.CONTRADICTION),
        ("secrets: [{source: key, target: ../x}]", SpecRefusal.BAD_PATH),
        ("networks: [back]", ComposeRefusal.UNKNOWN_NAME),
        ("networks: [default, default]", ComposeRefusal.CONTRADICTION),
        ("network_mode: host", ComposeRefusal.UNSUPPORTED_VALUE),
        ("network_mode: none\nnetworks: [default]", ComposeRefusal.CONTRADICTION),
    ],
)
def test_wrong_files_and_networks(body: str, code: Refusal) -> None:
    assert [found for found, _, _ in errors(body, DECLARED)] == [code]


def test_two_things_at_one_path_are_found_by_the_whole() -> None:
    found = errors("volumes: ['data:/run/secrets/key']\nsecrets: [key]", DECLARED)
    assert [(code, path) for code, _, path in found] == [(SpecRefusal.CONTRADICTION, WEB)]


def test_networks_are_names() -> None:
    rest = "networks: {front: , back: {name: back-2, internal: true, external: true}}"
    assert spec_of("x-a: 1").terms.networks == ("default",)
    assert spec_of("networks: [front, back]", rest).terms.networks == ("back-2", "front")
    assert spec_of("networks: {front: {}, back: }", rest).terms.networks == ("back-2", "front")
    assert spec_of("network_mode: none").terms.networks == ()
    assert spec_of("x-a: 1", "networks: {default: {name: common}}").terms.networks == ("common",)
    assert errors("networks: [a]", "networks: {a: {internal: false}}")[0][0] is ComposeRefusal.UNSUPPORTED_VALUE
    assert errors("networks: [a]", "networks: {a: {external: {name: b}}}")[0][0] is ComposeRefusal.UNSUPPORTED_VALUE


def test_secrets_are_names_and_where_to_find_them() -> None:
    rest = (
        "secrets:\n  a: {file: ./a.key}\n  b: {environment: B}\n  c: {external: true, name: c-2}\n  d: {external: true}"
    )
    found = understood(f"services: {{web: {{image: '{IMAGE}', secrets: [a, b, c]}}}}\n{rest}\n")
    assert found.application is not None
    assert found.application.secrets == (
        SecretSource("a", "file", "./a.key"),
        SecretSource("b", "environment", "B"),
        SecretSource("c-2", "external", ""),
    )
    assert [one.path for one in found.advice if one.code is ComposeAdvice.UNUSED] == ["secrets.d"]
    assert errors("secrets: [a]", "secrets: {a: {}}") == [(ComposeRefusal.MISSING_KEY, 5, "secrets.a")]
    assert errors("secrets: [a]", "secrets: {a: {external: false}}")[0][0] is ComposeRefusal.MISSING_KEY
    assert errors("secrets: [a]", "secrets: {a: {file: x, external: true}}")[0][0] is ComposeRefusal.CONTRADICTION
    assert errors("secrets: [a_b]", "secrets: {a_b: {external: true}}")[0][0] is DemandRefusal.BAD_NAME
    assert errors("volumes: ['a:/a']", "volumes: {a: {driver: nfs}}")[0][0] is ComposeRefusal.BAD_CHOICE
