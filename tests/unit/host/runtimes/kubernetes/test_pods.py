"""A plan as a pod, and a pod as a state."""

from pathlib import Path
from typing import Any

import pytest

from metanode.host.runtimes.caging import Cage
from metanode.host.runtimes.kubernetes.place import place_of
from metanode.host.runtimes.kubernetes.pods import (
    MARK,
    check_plan,
    plan_digest,
    pod_name,
    pod_of,
    secret_of,
)
from metanode.host.runtimes.kubernetes.reading import sight_of, time_ns
from metanode.host.runtimes.plan import HOST_USR, ContainerPlan, Kept, Limits, Mount, Secret, Temporary
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.states import Phase
from metanode.primitives.refusal import Rejected

IMAGE = f"registry.example/shop/web@sha256:{'ab' * 32}"


def plan(**fields: Any) -> ContainerPlan:
    usual = {
        "id": "shop.web.0.1",
        "root": HOST_USR,
        "image": IMAGE,
        "command": ("web",),
        "limits": Limits(64 << 20, 250),
    }
    return ContainerPlan(**{**usual, **fields})


PLACE = place_of(Path("/agent"), ("namespace=shop", "agent=agent-1"))


def test_a_pod_may_no_more_than_its_plan() -> None:
    pod = pod_of(PLACE, plan())
    (container,) = pod["spec"]["containers"]
    assert pod["metadata"]["finalizers"] == [MARK]
    assert pod["metadata"]["labels"]["metanode/agent"] == "agent-1"
    assert pod["metadata"]["annotations"]["metanode/id"] == "shop.web.0.1"
    assert (pod["spec"]["restartPolicy"], pod["spec"]["automountServiceAccountToken"]) == ("Never", False)
    assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert (
        container["resources"]["limits"] == container["resources"]["requests"] == {"memory": "67108864", "cpu": "250m"}
    )
    assert (container["image"], container["imagePullPolicy"]) == (IMAGE, "IfNotPresent")
    assert "affinity" not in pod["spec"]
    as_root = pod_of(PLACE, plan(uid=0, kept=(Kept.NET_BIND_SERVICE,), read_only_root=False))
    assert as_root["spec"]["securityContext"]["runAsNonRoot"] is False
    assert as_root["spec"]["containers"][0]["securityContext"]["capabilities"]["add"] == ["NET_BIND_SERVICE"]


def test_words_are_not_replaced_on_the_way() -> None:
    (container,) = pod_of(PLACE, plan(command=("sh", "-c", "echo $(HOME) $HOME"), env=(("A", "$(B)"),)))["spec"][
        "containers"
    ]
    assert container["command"][2] == "echo $$(HOME) $$HOME"
    assert {"name": "A", "value": "$$(B)"} in container["env"]


def test_one_node_is_asked_for_by_its_name() -> None:
    pod = pod_of(place_of(Path("/agent"), ("node=node-7", "pull=never")), plan())
    required = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (term,) = required["nodeSelectorTerms"]
    assert term == {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-7"]}]}
    assert pod["spec"]["containers"][0]["imagePullPolicy"] == "Never"


def test_volumes_are_claims_and_secrets_are_apart() -> None:
    full = plan(
        mounts=(Mount("/agent/volumes/data", "/data"), Mount("/agent/volumes/data", "/again", read_only=True)),
        temporary=(Temporary("/tmp", 1 << 20),),
        secrets=(Secret("/run/s/a", b"\xff"), Secret("/run/s/deep/b", b"two", 0o440), Secret("/srv/s/c", b"")),
    )
    spec = pod_of(PLACE, full)["spec"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    paths = {mount["mountPath"]: mount["name"] for mount in spec["containers"][0]["volumeMounts"]}
    assert volumes[paths["/data"]]["persistentVolumeClaim"] == {"claimName": "data"}
    assert paths["/data"] == paths["/again"]
    assert volumes[paths["/tmp"]]["emptyDir"] == {"medium": "Memory", "sizeLimit": str(1 << 20)}
    assert volumes[paths["/dev/shm"]]["emptyDir"]["medium"] == "Memory"
    assert [item["path"] for item in volumes[paths["/run/s"]]["secret"]["items"]] == ["a", "deep/b"]
    assert [item["path"] for item in volumes[paths["/srv/s"]]["secret"]["items"]] == ["c"]
    secret = secret_of(PLACE, full, "uid")
    assert secret["data"] == {"s0": "/w==", "s1": "dHdv", "s2": ""}
    assert [owner["uid"] for owner in secret["metadata"].get("ownerReferences", ())] == ["uid"]
    assert "dHdv" not in str(pod_of(PLACE, full))


def test_the_digest_is_of_the_plan_and_says_nothing_of_its_secrets() -> None:
    one, other = plan(secrets=(Secret("/s/x", b"1"),)), plan(secrets=(Secret("/s/x", b"2"),))
    assert plan_digest(one) == plan_digest(other)
    assert plan_digest(one) != plan_digest(plan())
    assert plan_digest(plan()) != plan_digest(plan(image=IMAGE.replace("ab", "cd")))


def test_a_pod_is_called_as_its_container_where_that_is_a_name() -> None:
    assert pod_name("shop.web.0.1") == "shop.web.0.1"
    names = [pod_name("shop-.web.0.1"), pod_name("shop.web-.0.1")]
    assert all(name.startswith("shop-web-0-1-") for name in names)
    assert len(set(names)) == 2


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"image": ""}, RuntimeRefusal.NO_IMAGE),
        ({"stop_signal": "INT"}, RuntimeRefusal.ENGINE_CANNOT),
        ({"cage": Cage(bytes(32), (), ())}, RuntimeRefusal.NO_CAGE),
        ({"mounts": (Mount("/agent/volumes/Data_1", "/data"),)}, RuntimeRefusal.VOLUME_MISSING),
    ],
)
def test_what_kubernetes_has_no_word_for_is_refused(fields: dict[str, Any], reason: RuntimeRefusal) -> None:
    with pytest.raises(Rejected) as refused:
        check_plan(plan(**fields))
    assert refused.value.reason is reason


@pytest.mark.parametrize("image", ["web:1", "web@sha256:12", "web@md5:" + "a" * 32, "-web@sha256:" + "a" * 64])
def test_an_image_is_named_by_its_digest_alone(image: str) -> None:
    with pytest.raises(Rejected) as refused:
        plan(image=image)
    assert refused.value.reason is RuntimeRefusal.NO_IMAGE


def test_times_are_nanoseconds() -> None:
    assert time_ns("1970-01-01T00:00:01Z") == 1_000_000_000
    assert time_ns("2026-11-28T14:11:00.173763727Z") % 1_000_000_000 == 173_763_727
    assert time_ns("1970-01-01T00:00:00.5Z") == 500_000_000
    assert time_ns("") == 0
    with pytest.raises(ValueError, match="Invalid"):
        time_ns("yesterday")


def pod(status: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    usual = {
        "name": "p",
        "uid": "u",
        "creationTimestamp": "2026-11-28T14:00:00Z",
        "annotations": {"metanode/id": "a.b.0.1"},
    }
    return {"metadata": {**usual, **metadata}, "status": status}


def state(**what: Any) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "main", "state": what}]}


def test_a_pod_without_a_status_has_not_begun() -> None:
    assert sight_of(pod({})).phase is Phase.STARTING
    unplaced = pod(
        {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3"}]}
    )
    assert sight_of(unplaced).detail == "Unschedulable: 0/3"


def test_an_eviction_is_an_end_of_which_no_code_is_told() -> None:
    sight = sight_of(pod({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}))
    assert sight.exit is not None
    assert (sight.phase, sight.exit.code, sight.detail) == (Phase.EXITED, 137, "Evicted: low on memory")


def test_a_pod_that_is_deleted_before_it_has_a_node_will_not_begin() -> None:
    metadata = {"deletionTimestamp": "2026-11-28T14:00:01Z", "deletionGracePeriodSeconds": 0}
    assert sight_of(pod({"phase": "Pending"}, **metadata)).phase is Phase.EXITED
    asked = {**metadata, "deletionGracePeriodSeconds": 30}
    assert sight_of(pod(state(running={"startedAt": "2026-11-28T14:00:01Z"}), **asked)).phase is Phase.RUNNING


def test_a_code_of_128_and_more_is_taken_for_a_signal() -> None:
    for code, signal in ((0, 0), (7, 0), (128, 0), (143, 15), (192, 64), (193, 0), (255, 0)):
        sight = sight_of(pod(state(terminated={"exitCode": code, "finishedAt": "2026-11-28T14:00:01Z"})))
        assert sight.exit is not None
        assert (sight.exit.code, sight.exit.signal) == (code, signal)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ('exec: "x": executable file not found in $PATH', RuntimeRefusal.COMMAND_NOT_FOUND),
        ('exec: "/x": stat /x: no such file or directory', RuntimeRefusal.COMMAND_NOT_FOUND),
        ('exec: "/x": permission denied', RuntimeRefusal.COMMAND_NOT_EXECUTABLE),
        ("error setting cgroup config", RuntimeRefusal.SETUP_FAILED),
    ],
)
def test_why_a_program_did_not_begin_is_read_from_the_words(message: str, reason: RuntimeRefusal) -> None:
    assert sight_of(pod(state(waiting={"reason": "RunContainerError", "message": message}))).stuck is reason
    ended = {"reason": "StartError", "exitCode": 128, "message": message, "startedAt": "1970-01-01T00:00:00Z"}
    assert sight_of(pod(state(terminated=ended))).stuck is reason


@pytest.mark.parametrize(
    "strange",
    [
        {},
        {"metadata": {}},
        {"metadata": 7},
        pod({}, annotations={}),
        pod({}, creationTimestamp="soon"),
        pod(state(terminated={"exitCode": "x"})),
    ],
)
def test_what_is_no_pod_of_ours_is_left_alone(strange: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as refused:
        sight_of(strange)
    assert refused.value.reason is RuntimeRefusal.UNKNOWN
