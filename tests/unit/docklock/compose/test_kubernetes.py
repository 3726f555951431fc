"""COMPOSE-17. Manifests that Kubernetes takes, judged by our own reading of its API; what they cannot say is said."""

from typing import Any

import pytest
import yaml
from tests.unit.docklock.compose import golden
from tests.unit.docklock.compose.kubernetes_schema import wrong
from tests.unit.docklock.compose.samples import IMAGE, service, understood

from metanode.docklock.compose import HOST_IMAGE, ComposeAdvice, Outside, understand
from metanode.docklock.compose.kubernetes import Converted, convert
from metanode.docklock.compose.kubernetes.pods import literal


def converted(text: str) -> Converted:
    application = understood(text).application
    assert application is not None
    return convert(application)


def manifests(text: str) -> dict[str, Any]:
    """Each manifest by kind and name; all of them must be valid."""
    found = [one for one in yaml.safe_load_all(converted(text).text) if one]
    for manifest in found:
        assert wrong(manifest) == []
    return {f"{one['kind']} {one['metadata']['name']}": one for one in found}


def pod_of(body: str, rest: str = "") -> dict[str, Any]:
    found = manifests(service(body, rest))
    spec = found["Job web" if "Job web" in found else "Deployment web"]["spec"]["template"]["spec"]
    assert isinstance(spec, dict)
    return spec


def container(manifest: dict[str, Any]) -> Any:
    return manifest["spec"]["template"]["spec"]["containers"][0]


def untold(body: str, rest: str = "") -> list[str]:
    done = converted(service(body, rest))
    assert all(one.code is ComposeAdvice.NOT_CONVERTED for one in done.findings)
    for one in done.findings:
        if "volumes" not in one.path:
            assert f"# Not expressed: {one.found}; {one.fix}\n" in done.text, "said in a comment and in the answer"
    return [one.found for one in done.findings]


@pytest.mark.parametrize("name", golden.NAMES)
def test_every_manifest_of_the_examples_is_valid(name: str) -> None:
    text = golden.manifests(name)
    found = [one for one in yaml.safe_load_all(text) if one]
    assert len(found) > 5
    assert "&id" not in text
    for manifest in found:
        assert wrong(manifest) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: m.update(more=1), "unknown"),
        (lambda m: m["spec"].pop("template"), "missing"),
        (lambda m: m["spec"].update(replicas="3"), "no int"),
        (lambda m: m["metadata"].update(name="A_b"), "name"),
        (lambda m: m["spec"]["template"]["metadata"].update(labels={"a": "b"}), "selector"),
        (lambda m: m["spec"]["template"]["metadata"].update(labels={"a/b/c": "b"}), "a/b/c"),
        (lambda m: m["spec"]["template"]["spec"].update(restartPolicy="Never"), "Never"),
        (lambda m: m["spec"]["strategy"].update(rollingUpdate={"maxSurge": 0, "maxUnavailable": 0}), "both 0"),
        (lambda m: container(m).update(volumeMounts=[{"name": "x", "mountPath": "/"}]), "mounts"),
        (lambda m: container(m)["resources"]["limits"].update(cpu="0.5x"), "0.5x"),
        (lambda m: container(m)["ports"][0].update(name="x" * 16), "port"),
        (lambda m: container(m).update(livenessProbe={"periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 1}),
         "livenessProbe"),
    ],
)  # fmt: skip
def test_the_judge_sees_what_is_wrong(change: Any, says: str) -> None:
    manifest = manifests(service("ports: ['80:80']"))["Deployment web"]
    change(manifest)
    assert any(says in one for one in wrong(manifest))


def test_a_service_is_a_deployment_and_a_job_a_job() -> None:
    deploy = "update_config: {parallelism: 2, order: start-first, monitor: 1500ms}"
    spec = manifests(service(f"deploy: {{replicas: 3, {deploy}}}"))["Deployment web"]["spec"]
    assert (spec["replicas"], spec["minReadySeconds"]) == (3, 2)
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 2, "maxUnavailable": 0}
    spec = manifests(service("x-metanode: {job: {retries: 3, deadline: 90s}}"))["Job web"]["spec"]
    assert (spec["completions"], spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (1, 3, 90)
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    spec = manifests(service("scale: 4\nx-metanode: {job: {retries: 3}}"))["Job web"]["spec"]
    assert (spec["completionMode"], spec["parallelism"], spec["backoffLimitPerIndex"]) == ("Indexed", 4, 3)
    spec = manifests(service("scale: 2\nx-metanode: {job: {}}"))["Job web"]["spec"]
    assert (spec["completionMode"], spec["backoffLimitPerIndex"]) == ("Indexed", 0)
    spec = manifests(service("scale: 2\nrestart: on-failure\nx-metanode: {job: {retries: 3}}"))["Job web"]["spec"]
    assert (spec["backoffLimit"], spec["template"]["spec"]["restartPolicy"]) == (6, "OnFailure")
    assert untold("scale: 2\nrestart: on-failure\nx-metanode: {job: {retries: 3}}") == ["3 retries of each replica"]


def test_ports_are_a_service_and_published_ones_are_open() -> None:
    found = manifests(service("ports: ['8080:80', '53/udp']"))
    assert found["Service web"]["spec"]["ports"] == [
        {"name": "tcp-80", "port": 80, "targetPort": 80, "protocol": "TCP"},
        {"name": "udp-53", "port": 53, "targetPort": 53, "protocol": "UDP"},
    ]
    assert [one.get("hostPort") for one in container(found["Deployment web"])["ports"]] == [8080, None]
    assert found["NetworkPolicy service-web"]["spec"]["ingress"] == [{"ports": [{"protocol": "TCP", "port": 80}]}]
    found = manifests(service("ports: [{target: 80, name: a-very-long-name-of-it}]"))
    assert found["Service web"]["spec"]["ports"][0]["name"] == "tcp-80"
    found = manifests(service("ports: [{target: 80, name: a--b}, {target: 81, name: a-name-of-sixtee}]"))
    assert [one["name"] for one in found["Service web"]["spec"]["ports"]] == ["tcp-80", "tcp-81"]
    assert untold("ports: [{target: 80, name: a-very-long-name-of-it}]")[0].startswith("the name 'a-very-long")


def test_networks_are_policies() -> None:
    found = manifests(service("networks: [a, b]", "networks: {a: , b: }"))
    labels = found["Deployment web"]["spec"]["template"]["metadata"]["labels"]
    assert {key for key in labels if key.startswith("metanode.network/")} == {
        "metanode.network/a",
        "metanode.network/b",
    }
    peer = {"podSelector": {"matchLabels": {"metanode.network/a": "true"}}}
    assert found["NetworkPolicy network-a"]["spec"]["ingress"] == [{"from": [peer]}]
    alone = manifests(service("network_mode: none"))["NetworkPolicy service-web"]["spec"]
    assert (alone["ingress"], alone["egress"]) == ([], [])


def test_where_it_may_run() -> None:
    pod = pod_of(
        "platform: linux/arm64\n"
        "deploy: {placement: {constraints: [node.labels.disk == ssd, node.labels.spot != yes],\n"
        "  max_replicas_per_node: 1, preferences: [{spread: node.labels.zone}]}}\n"
        "x-metanode:\n  regions: [eu]\n  data_class: restricted\n  affinity: [db]\n  anti_affinity: [noisy]\n"
        "  constraints: [gpu exists, 'row not-in a']\n  spread: {label: region, skew_max: 2}\n"
        "  tolerations: [{}, {key: a, effect: no-execute}, {key: b, value: c, effect: avoid}]\n  priority: 7\n"
    )
    terms = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms[0]["matchExpressions"] == [
        {"key": "disk", "operator": "In", "values": ["ssd"]},
        {"key": "gpu", "operator": "Exists"},
        {"key": "row", "operator": "NotIn", "values": ["a"]},
        {"key": "spot", "operator": "NotIn", "values": ["yes"]},
        {"key": "kubernetes.io/arch", "operator": "In", "values": ["arm64"]},
        {"key": "topology.kubernetes.io/region", "operator": "In", "values": ["eu"]},
        {"key": "data-class", "operator": "In", "values": ["restricted"]},
    ]
    apart = pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0]
    assert apart["labelSelector"]["matchExpressions"][0]["values"] == ["noisy", "web"]
    beside = pod["affinity"]["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"][0]
    assert beside["podAffinityTerm"]["labelSelector"]["matchExpressions"][0]["values"] == ["db"]
    assert pod["tolerations"] == [
        {"operator": "Exists"},
        {"key": "a", "operator": "Exists", "effect": "NoExecute"},
        {"key": "b", "operator": "Equal", "value": "c", "effect": "PreferNoSchedule"},
    ]
    assert [
        (one["topologyKey"], one["maxSkew"], one["whenUnsatisfiable"]) for one in pod["topologySpreadConstraints"]
    ] == [
        ("topology.kubernetes.io/region", 2, "DoNotSchedule"),
        ("zone", 1, "ScheduleAnyway"),
    ]
    assert pod["priorityClassName"] == "metanode-7"


@pytest.mark.parametrize(
    ("data_class", "expressions"),
    [
        ("public", None),
        ("internal", [{"key": "data-class", "operator": "NotIn", "values": ["public"]}]),
        ("confidential", [{"key": "data-class", "operator": "In", "values": ["confidential", "restricted"]}]),
    ],
)
def test_data_stays_on_nodes_of_its_class(data_class: str, expressions: Any) -> None:
    pod = pod_of(f"x-metanode: {{data_class: {data_class}}}")
    if expressions is None:
        assert "affinity" not in pod
    else:
        required = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert required["nodeSelectorTerms"] == [{"matchExpressions": expressions}]


def test_what_runs_and_what_it_has() -> None:
    pod = pod_of(
        "entrypoint: [a]\ncommand: [b, '$$(HOME)']\nworking_dir: /w\nuser: '10:20'\nread_only: true\nhostname: h\n"
        "environment: {A: '$$(B)', C: 1$$x}\ncap_drop: [ALL]\ncap_add: [NET_BIND_SERVICE]\ntmpfs: /t\n"
        "volumes: ['v:/v:ro']\nsecrets: [{source: s, mode: 0400}]\ncpus: 0.5\nmem_limit: 64m\n"
        "stop_grace_period: 1500ms\n"
        "healthcheck: {test: [CMD, ok], interval: 2s, timeout: 1s, retries: 4, start_period: 5s}",
        "volumes: {v: }\nsecrets: {s: {external: true}}",
    )
    one = pod["containers"][0]
    assert (one["command"], one["args"], one["workingDir"]) == (["a"], ["b", "$$(HOME)"], "/w")
    assert one["env"] == [{"name": "A", "value": "$$(B)"}, {"name": "C", "value": "1$x"}]
    assert one["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "runAsUser": 10, "runAsGroup": 20,
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
    }  # fmt: skip
    assert one["resources"]["limits"] == one["resources"]["requests"] == {"cpu": "500m", "memory": "65536Ki"}
    assert one["livenessProbe"] == one["readinessProbe"]
    assert one["livenessProbe"] == {
        "exec": {"command": ["ok"]}, "periodSeconds": 2, "timeoutSeconds": 1, "failureThreshold": 4,
    }  # fmt: skip
    assert one["startupProbe"]["failureThreshold"] == 3 + 4
    assert (pod["hostname"], pod["terminationGracePeriodSeconds"]) == ("h", 2)
    assert [mount["mountPath"] for mount in one["volumeMounts"]] == ["/v", "/t", "/run/secrets/s"]
    assert pod["volumes"][2]["secret"]["items"] == [{"key": "value", "path": "s", "mode": 0o400}]


def test_probes_of_http_and_tcp() -> None:
    one = pod_of("x-metanode: {probe: {http: {port: 80, path: /ok}}}")["containers"][0]
    assert one["readinessProbe"]["httpGet"] == {"path": "/ok", "port": 80}
    one = pod_of("x-metanode: {probe: {tcp: {port: 80}}, job: {}}")["containers"][0]
    assert one["livenessProbe"]["tcpSocket"] == {"port": 80}
    assert "readinessProbe" not in one
    check = pod_of("healthcheck: {interval: 500ms, timeout: 100ms, test: x}")["containers"][0]["livenessProbe"]
    assert (check["periodSeconds"], check["timeoutSeconds"]) == (1, 1)
    assert untold("healthcheck: {interval: 500ms, test: x}") == ["parts of a second in the health check"]


def test_kubernetes_fills_nothing_in() -> None:
    for word in ("$(HOME)", "a$$b", "$", "$x", "$$(A)", "plain"):
        made, at, escaped = "", 0, literal(word)
        while at < len(escaped):  # as Kubernetes expands: $$ is a dollar, $(NAME) a variable, anything else itself
            assert not escaped.startswith("$(", at)
            at += 1 if escaped.startswith("$$", at) else 0
            made += escaped[at]
            at += 1
        assert made == word


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("deploy: {update_config: {delay: 1s}}", "a pause of 1000 ms"),
        ("deploy: {update_config: {max_failure_ratio: 0.1}}", "1000 of 10,000"),
        ("deploy: {update_config: {failure_action: rollback}}", "rollback"),
        ("restart: on-failure", "the restart condition"),
        ("restart: on-failure:2\nx-metanode: {job: {}}", "at most 2 restarts"),
        ("deploy: {placement: {max_replicas_per_node: 2}}", "at most 2 replicas"),
        ("x-metanode: {job: {}, deterministic: true}", "deterministic"),
        ("x-metanode: {engines: [docker]}", "the engines docker"),
        ("x-metanode: {strategy: spread}", "the strategy spread"),
        ("x-metanode: {egress: ['a.example.org:1']}", "a.example.org:1"),
        (f"x-metanode: {{agreement: {'ab' * 32}}}", "the agreement abab"),
        ("x-metanode: {constraints: ['a/b/c exists']}", "the constraint on 'a/b/c'"),
        ("x-metanode: {spread: {label: a/b/c}}", "the spread over 'a/b/c'"),
        ("x-metanode: {tolerations: [{value: v}]}", "the value v of any key"),
        ("pids_limit: 5", "at most 5 processes"),
        ("logging: {options: {max-file: 9}}", "the bounds of the kept output"),
        ("stop_signal: SIGINT", "SIGINT"),
        ("user: app", "'app'"),
        ("user: '1:app'", "'app'"),
        ("depends_on: [db]", "waits until db is started"),
        ("volumes: ['v:/v']", "how large the volume v is"),
        ("secrets: [s]", "the secret s itself"),
    ],
)
def test_what_kubernetes_has_no_word_for_is_said(body: str, says: str) -> None:
    rest = f"  db: {{image: '{IMAGE}'}}\nvolumes: {{v: }}\nsecrets: {{s: {{external: true}}}}"
    assert any(says in one for one in untold(body, rest))


def test_the_nodes_own_usr_is_no_image() -> None:
    found = converted(f"services: {{web: {{image: {HOST_IMAGE}, command: [/bin/x]}}}}").findings
    assert [one.found for one in found] == ["the node's own /usr: a pod needs an image"]


def test_a_digest_that_was_looked_up_is_pinned() -> None:
    found = understand("services: {web: {image: 'a:1'}}", Outside({}, lambda _: None, lambda _: b"\x07" * 32))
    assert found.application is not None
    assert f"image: a:1@sha256:{'07' * 32}\n" in convert(found.application).text


def test_a_digest_may_hold_zeros() -> None:
    digest = bytes(31) + b"\x01"
    found = understand("services: {web: {image: 'a:1'}}", Outside({}, lambda _: None, lambda _: digest))
    assert found.application is not None
    assert f"image: a:1@sha256:{digest.hex()}\n" in convert(found.application).text


def test_what_can_be_said_is_not_told_as_untold() -> None:
    assert untold("deploy: {placement: {max_replicas_per_node: 1}}\nx-metanode: {preempts: true}") == []
    assert pod_of("x-metanode: {preempts: true}")["priorityClassName"] == "metanode-0-preempts"
    found = manifests(service("x-metanode: {preempts: true}"))["PriorityClass metanode-0-preempts"]
    assert (found["value"], found["preemptionPolicy"]) == (0, "PreemptLowerPriority")


def test_what_cannot_be_said_does_not_hide_the_rest() -> None:
    pod = pod_of(
        "x-metanode:\n  spread: [{label: a/b/c}, {label: zone}]\n  tolerations: [{value: v}, {key: z}]\n"
        "  constraints: [a/b/c exists, zone exists, 'disk in x/y']\n  data_class: public\n"
    )
    assert [one["topologyKey"] for one in pod["topologySpreadConstraints"]] == ["zone"]
    assert pod["tolerations"] == [{"key": "z", "operator": "Exists"}]
    required = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert required["nodeSelectorTerms"] == [{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}]


def test_where_something_is_not_said_is_told() -> None:
    text = service("depends_on: [db]", f"  db: {{image: '{IMAGE}', volumes: ['v:/v']}}\nvolumes: {{v: }}")
    found = converted(text).findings
    assert [(one.line, one.column, one.path) for one in found] == [
        (2, 1, "services.web"),
        (5, 1, "services.db.volumes"),
    ]


def test_nothing_in_a_comment_can_end_it() -> None:
    done = converted(service('depends_on: [db]\nx-metanode: {egress: ["a:1"]}', f"  db: {{image: '{IMAGE}'}}"))
    comments = [line for line in done.text.splitlines() if line.startswith("#")]
    assert comments
    assert all(line.startswith("# Not expressed: ") for line in comments)
