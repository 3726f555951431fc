"""COMPOSE-6, 7, 9, 11, 13. What runs in a container: commands, images, users, capabilities, health, environment."""

import pytest
from tests.unit.docklock.compose.samples import IMAGE, advice, errors, spec_of, understood

from metanode.docklock.compose import HOST_IMAGE, ComposeAdvice, ComposeRefusal, Outside, understand
from metanode.docklock.compose.words import split
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.demand import DemandRefusal
from metanode.records.workload import CAPABILITIES, SpecRefusal

WEB = "services.web"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bundle exec thin -p 3000", ("bundle", "exec", "thin", "-p", "3000")),
        ("  a\t b \n c ", ("a", "b", "c")),
        ("sh -c 'echo \"hello $HOME\"'", ("sh", "-c", 'echo "hello $HOME"')),
        ('a "b \\" c" \'d \\ e\'', ("a", 'b " c', "d \\ e")),
        ("a\\ b ''  \"\"", ("a b", "", "")),
        ('"a\\nb" x"y"z', ("a\\nb", "xyz")),
        ("a'b'\"c\"", ("abc",)),
        ("'a|b' \"c;d\" e\\>f", ("a|b", "c;d", "e>f")),
        ("", ()),
    ],
)
def test_a_text_is_split_as_a_shell_would(text: str, words: tuple[str, ...]) -> None:
    assert split(text) == words


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a 'b", ComposeRefusal.BAD_FORM),
        ('a "b', ComposeRefusal.BAD_FORM),
        ("a && b", ComposeRefusal.UNSUPPORTED_VALUE),
        ("a | b", ComposeRefusal.UNSUPPORTED_VALUE),
        ("a; b", ComposeRefusal.UNSUPPORTED_VALUE),
        ("a >b", ComposeRefusal.UNSUPPORTED_VALUE),
    ],
)
def test_what_no_shell_runs_is_not_cut_off_in_silence(text: str, code: ComposeRefusal) -> None:
    with pytest.raises(Rejected) as refused:
        split(text)
    assert refused.value.reason is code
    assert errors(f"command: {text}") == [(code, 4, f"{WEB}.command")]


@pytest.mark.parametrize(
    ("body", "command", "arguments"),
    [
        ("{}", (), ()),
        ("command: a b", (), ("a", "b")),
        ("command: [a, 'b c']", (), ("a", "b c")),
        ("command:", (), ()),
        ("entrypoint: a b", ("a", "b"), ()),
        ("entrypoint: [a]\ncommand: [b]", ("a",), ("b",)),
        ("entrypoint: []\ncommand: [b, c]", ("b", "c"), ()),
        ("entrypoint: ''\ncommand: b", ("b",), ()),
        ("entrypoint:\ncommand: b", (), ("b",)),
    ],
)
def test_entrypoint_and_command(body: str, command: tuple[str, ...], arguments: tuple[str, ...]) -> None:
    spec = spec_of("x-nothing: 1" if body == "{}" else body)
    assert (spec.command, spec.arguments) == (command, arguments)


def test_the_nodes_own_usr_needs_a_command_and_no_digest() -> None:
    found = understood(f"services:\n  web:\n    image: {HOST_IMAGE}\n    command: /usr/bin/python3 -V\n")
    assert found.errors == ()
    assert found.application is not None
    spec = found.application.workloads[0].spec
    assert (spec.terms.demand.image, spec.image) == (b"", HOST_IMAGE)
    assert (spec.command, spec.arguments) == (("/usr/bin/python3", "-V"), ())
    found = understood(f"services:\n  web:\n    image: {HOST_IMAGE}\n")
    assert [(one.code, one.line) for one in found.errors] == [(ComposeRefusal.NO_COMMAND, 3)]
    for more in (":1", f"@sha256:{'0' * 64}"):
        found = understood(f"services: {{web: {{image: '{HOST_IMAGE}{more}', command: x}}}}")
        assert [one.code for one in found.errors] == [ComposeRefusal.UNSUPPORTED_VALUE]


def test_what_cannot_be_taken_away_is_not_kept_in_silence() -> None:
    assert errors("command: []") == [(ComposeRefusal.UNSUPPORTED_VALUE, 4, f"{WEB}.command")]
    assert errors("command: ''") == [(ComposeRefusal.UNSUPPORTED_VALUE, 4, f"{WEB}.command")]
    assert errors("entrypoint: []") == [(ComposeRefusal.NO_COMMAND, 4, f"{WEB}.entrypoint")]
    spec = spec_of("entrypoint: [a]\ncommand: []")
    assert (spec.command, spec.arguments) == (("a",), ())


@pytest.mark.parametrize(
    "reference",
    ["nginx", "nginx:1.27", "library/nginx", "registry.example.org:5000/a/b-c/d_e:V1.0", IMAGE, "a@sha256:" + "0" * 64],
)
def test_references(reference: str) -> None:
    assert understood(f"services: {{web: {{image: '{reference}'}}}}").errors == ()


@pytest.mark.parametrize(
    "reference", ["", "Nginx", "a b", "a:", "a@sha256:12", "a@md5:" + "0" * 32, "-a", "a:1:2", "a//b///c"]
)
def test_no_references(reference: str) -> None:
    found = understood(f"services: {{web: {{image: '{reference}'}}}}").errors
    assert [one.code for one in found] == [ComposeRefusal.BAD_FORM]


def test_a_service_has_an_image() -> None:
    found = understood("services:\n  web:\n    command: x\n").errors
    assert [(one.code, one.line, one.path) for one in found] == [(ComposeRefusal.MISSING_KEY, 2, WEB)]
    assert [one.code for one in understood("services: {web: }").errors] == [ComposeRefusal.MISSING_KEY]


def test_a_tag_is_looked_up_and_a_digest_is_not() -> None:
    asked: list[str] = []

    def known(reference: str) -> bytes | None:
        asked.append(reference)
        return bytes([7]) * 32 if reference == "a:1" else None

    world = Outside({}, lambda _: None, known)
    found = understand(f"services: {{web: {{image: 'a:1'}}, db: {{image: '{IMAGE}'}}}}", world)
    assert found.application is not None
    digests = {one.spec.terms.workload: one.spec.terms.demand.image for one in found.application.workloads}
    assert digests == {"web": bytes([7]) * 32, "db": bytes.fromhex("ab" * 32)}
    assert asked == ["a:1"]
    found = understand("services:\n  web:\n    image: b:1\n", world)
    assert found.application is None
    assert [(one.code, one.line) for one in found.errors] == [(ComposeRefusal.UNKNOWN_IMAGE, 3)]
    assert "bpi container images import" in found.errors[0].fix


def test_names_users_and_directories() -> None:
    spec = spec_of(
        "user: 1000:app\nhostname: web-1\nworking_dir: /srv/app/\nstop_signal: INT\nstop_grace_period: 1m30s"
    )
    assert (spec.user, spec.hostname, spec.working_directory) == ("1000:app", "web-1", "/srv/app")
    assert (spec.stop_signal, spec.stop_grace_ms) == ("SIGINT", 90_000)
    spec = spec_of("working_dir: /")
    assert (spec.working_directory, spec.user, spec.hostname, spec.stop_signal) == ("/", "", "", "SIGTERM")
    assert errors("user: 'a b'") == [(SpecRefusal.BAD_USER, 4, f"{WEB}.user")]
    assert errors("hostname: Web") == [(DemandRefusal.BAD_NAME, 4, f"{WEB}.hostname")]
    assert errors("working_dir: srv") == [(SpecRefusal.BAD_PATH, 4, f"{WEB}.working_dir")]
    assert errors("working_dir: /a/../b") == [(SpecRefusal.BAD_PATH, 4, f"{WEB}.working_dir")]
    assert errors("stop_signal: SIGSTOP") == [(ComposeRefusal.BAD_CHOICE, 4, f"{WEB}.stop_signal")]
    assert errors("stop_signal: 15") == [(ComposeRefusal.BAD_CHOICE, 4, f"{WEB}.stop_signal")]


def test_a_service_is_called_as_others_can_call_it() -> None:
    found = understood(f"services:\n  my_web:\n    image: {IMAGE}\n").errors
    assert [(one.code, one.line, one.column) for one in found] == [(DemandRefusal.BAD_NAME, 2, 3)]


def test_ports_below_1024_may_be_listened_at_and_nothing_more() -> None:
    assert spec_of("x-a: 1").capabilities == CAPABILITIES == ("NET_BIND_SERVICE",)
    assert spec_of("cap_drop: [ALL]").capabilities == ()
    assert spec_of("cap_drop: [ALL]\ncap_add: [net_bind_service]").capabilities == CAPABILITIES
    assert spec_of("cap_drop: [KILL, CAP_NET_RAW]").capabilities == CAPABILITIES
    assert spec_of("cap_drop: [NET_BIND_SERVICE]").capabilities == ()
    assert errors("cap_add: [CHOWN]") == [(ComposeRefusal.UNSUPPORTED_VALUE, 4, f"{WEB}.cap_add[0]")]
    assert errors("cap_add: [SYS_ADMIN]") == [(ComposeRefusal.UNSUPPORTED_VALUE, 4, f"{WEB}.cap_add[0]")]
    assert errors("cap_add: [ALL]") == [(ComposeRefusal.UNSUPPORTED_VALUE, 4, f"{WEB}.cap_add[0]")]
    assert errors("cap_drop: [NET_BIND]") == [(ComposeRefusal.BAD_CHOICE, 4, f"{WEB}.cap_drop[0]")]
    assert errors("security_opt: ['seccomp:unconfined']") == [
        (ComposeRefusal.UNSUPPORTED_VALUE, 4, f"{WEB}.security_opt[0]")
    ]
    assert errors("security_opt: ['no-new-privileges:true', no-new-privileges]") == []


def test_kept_output() -> None:
    spec = spec_of("logging: {driver: json-file, options: {max-size: 1m, max-file: '5'}}")
    assert (spec.log_bytes_max, spec.log_files_max) == (1 << 20, 5)
    assert errors("logging: {driver: syslog}") == [(ComposeRefusal.UNSUPPORTED_VALUE, 4, f"{WEB}.logging.driver")]


def test_health_checks() -> None:
    body = "healthcheck: {test: 'curl -f x || exit 1', interval: 5s, timeout: 2s, retries: 4, start_period: 1m}"
    check = spec_of(body).health[0]
    assert check.command == ("/bin/sh", "-c", "curl -f x || exit 1")
    assert (check.probe, check.interval_ms, check.timeout_ms) == ("command", 5_000, 2_000)
    assert (check.retries, check.start_period_ms) == (4, 60_000)
    check = spec_of("healthcheck: {test: [CMD, a, b c]}").health[0]
    assert (check.command, check.interval_ms, check.timeout_ms, check.retries) == (("a", "b c"), 30_000, 30_000, 3)
    assert spec_of("healthcheck: {test: [CMD-SHELL, a b]}").health[0].command == ("/bin/sh", "-c", "a b")
    assert spec_of("healthcheck: {test: [NONE]}").health == ()
    assert spec_of("healthcheck: {disable: true}").health == ()
    assert spec_of("healthcheck: {test: x, disable: false}").health[0].command == ("/bin/sh", "-c", "x")
    assert spec_of("x-a: 1").health == ()
    check = spec_of("healthcheck: {interval: 1s}\nx-metanode: {probe: {http: {port: 80, path: /ok}}}").health[0]
    assert (check.probe, check.port, check.path, check.interval_ms, check.command) == ("http", 80, "/ok", 1_000, ())
    check = spec_of("x-metanode: {probe: {tcp: {port: 5432}}}").health[0]
    assert (check.probe, check.port, check.path) == ("tcp", 5432, "")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("healthcheck: {interval: 1s}", ComposeRefusal.MISSING_KEY),
        ("healthcheck: {test: [curl, x]}", ComposeRefusal.BAD_FORM),
        ("healthcheck: {test: [CMD]}", ComposeRefusal.BAD_FORM),
        ("healthcheck: {test: [CMD-SHELL, a, b]}", ComposeRefusal.BAD_FORM),
        ("healthcheck: {test: [CMD, a], disable: true}", ComposeRefusal.CONTRADICTION),
        ("healthcheck: {test: a}\nx-metanode: {probe: {tcp: {port: 1}}}", ComposeRefusal.CONTRADICTION),
        ("x-metanode: {probe: {tcp: {port: 1}, http: {port: 2}}}", ComposeRefusal.MISSING_KEY),
        ("x-metanode: {probe: {http: {path: /}}}", ComposeRefusal.MISSING_KEY),
        ("x-metanode: {probe: {tcp: {port: 0}}}", ComposeRefusal.BAD_NUMBER),
        ("x-metanode: {probe: {http: {port: 1, path: x}}}", ComposeRefusal.BAD_FORM),
        ("healthcheck: {test: {a: b}}", ComposeRefusal.WRONG_TYPE),
        ("healthcheck: {test: a, retries: 0}", ComposeRefusal.BAD_NUMBER),
        ("healthcheck: {test: a, timeout: 1ms}", ComposeRefusal.BAD_DURATION),
    ],
)
def test_wrong_health_checks(body: str, code: ComposeRefusal) -> None:
    assert errors(body)[0][0] is code


def test_variables_of_every_source() -> None:
    files = {
        "a.env": (
            "# a comment\nA=1\nexport B='$A \\'x\\''\nC=\"$A\\t\\\"y\\\" \\$Z\" # more\n"
            "D=$A # comment\nE=x#y\nF=\nG=gone\n"
        ),
        "b.env": "\ufeffA=2\r\nG\nF\n",
        "raw.env": "R='$A' # kept\n",
    }
    body = (
        "env_file: [a.env, {path: b.env}, {path: raw.env, format: raw}, {path: none.env, required: false}]\n"
        "environment: [H=h=i, TAKEN, NOT_SET, D=over]"
    )
    spec = spec_of(body, files=files, variables={"TAKEN": "t", "G": "outside"})
    assert {one.name: one.value for one in spec.environment} == {
        "A": "2", "B": "$A 'x'", "C": '1\t"y" $Z', "D": "over", "E": "x#y", "H": "h=i", "R": "'$A' # kept",
        "TAKEN": "t", "G": "outside",
    }  # fmt: skip
    spec = spec_of("environment: {A: 0755, B: true, C: , D: '', E: on}\nenv_file: a.env", files={"a.env": "C=1\nA=2"})
    assert {one.name: one.value for one in spec.environment} == {"A": "0755", "B": "true", "D": "", "E": "on"}


def test_what_is_set_outside_wins_in_an_env_file() -> None:
    spec = spec_of("env_file: a.env", files={"a.env": "A=file\nB=$A $C\nC=c"}, variables={"A": "outside"})
    assert {one.name: one.value for one in spec.environment} == {"A": "file", "B": "outside ", "C": "c"}


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        ("env_file: none.env", ComposeRefusal.MISSING_FILE, f"{WEB}.env_file"),
        ("env_file: [{required: false}]", ComposeRefusal.MISSING_KEY, f"{WEB}.env_file[0]"),
        ("env_file: [{path: ok.env, format: json}]", ComposeRefusal.BAD_CHOICE, f"{WEB}.env_file[0].format"),
        ("env_file: long.env", ComposeRefusal.TOO_LARGE, f"{WEB}.env_file"),
        ("env_file: many.env", ComposeRefusal.TOO_LARGE, f"{WEB}.env_file"),
        ("environment: [1A=2]", SpecRefusal.BAD_VARIABLE, f"{WEB}.environment[0]"),
        ("environment: {A: [1]}", ComposeRefusal.WRONG_TYPE, f"{WEB}.environment.A"),
        ("environment: [A=1, A=2]", ComposeRefusal.CONTRADICTION, f"{WEB}.environment[1]"),
        ("environment: text", ComposeRefusal.WRONG_TYPE, f"{WEB}.environment"),
    ],
)
def test_wrong_variables(body: str, code: Refusal, path: str) -> None:
    files = {"ok.env": "", "long.env": "A=" + "x" * 70_000, "many.env": "".join(f"A{n}=1\n" for n in range(300))}
    assert errors(body, files=files) == [(code, 4, path)]


def test_a_wrong_line_of_an_env_file_is_told_with_its_file() -> None:
    text = 'A=1\n1B=2\nC=\'open\nD=${E:?say}\nF="x" y\nG="x"y\n'
    found = understood(f"services:\n  web:\n    image: {IMAGE}\n    env_file: a.env\n", files={"a.env": text}).errors
    assert [(one.code, one.file, one.line, one.path) for one in found] == [
        (ComposeRefusal.BAD_ENV_FILE, "a.env", 2, ""),
        (ComposeRefusal.BAD_ENV_FILE, "a.env", 3, "C"),
        (ComposeRefusal.MISSING_VARIABLE, "a.env", 4, "D"),
        (ComposeRefusal.BAD_ENV_FILE, "a.env", 5, "F"),
        (ComposeRefusal.BAD_ENV_FILE, "a.env", 6, "G"),
    ]
    assert found[0].sentence.startswith("a.env:2:1: ")


def test_what_looks_like_a_secret_is_told() -> None:
    found = advice("environment: {DB_PASSWORD: x, DB_PASSWORD_FILE: /run/secrets/p, EMPTY_TOKEN: ''}")
    told = [one.path for one in found if one.code is ComposeAdvice.SECRET_IN_ENVIRONMENT]
    assert told == [f"{WEB}.environment.DB_PASSWORD"]
