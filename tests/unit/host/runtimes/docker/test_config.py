"""A plan as the engine is asked for it: nothing is left to the engine's defaults that the plan or the rules say."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from metanode.host.runtimes.docker.config import (
    FOLDER,
    ID,
    KEY,
    LOG,
    PLAN,
    STOP,
    Surroundings,
    body_of,
    digest_of,
    terms_of,
)
from metanode.host.runtimes.plan import HOST_USR, ContainerPlan, Kept, Limits, LogBounds, Mount, Secret, Temporary
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.primitives.refusal import Rejected

PLAN_OF_ALL = ContainerPlan(
    id="shop.web.0.1",
    root="/srv/image",
    command=("/bin/web", "--loud"),
    limits=Limits(64 << 20, 250, 40, 512),
    env=(("GREETING", "hello"),),
    uid=1000,
    gid=1001,
    hostname="web",
    mounts=(Mount("/srv/inner", "/data/inner", read_only=True), Mount("/srv/outer", "/data")),
    temporary=(Temporary("/scratch", 4096),),
    secrets=(Secret("/run/secrets/token", b"hidden"),),
    stop_signal="INT",
    stop_grace_ms=1500,
    log=LogBounds(8192, 3),
)
AROUND = Surroundings(
    key="k1", folder="/var/agent", image="sha256:00", etc=Path("/var/agent/etc"), secrets=(Path("/dev/shm/s/0"),),
    profile=Path("/var/agent/seccomp.json"), parent="/metanode/k1", is_podman=False,
)  # fmt: skip


def test_it_has_no_right_and_no_network_that_the_plan_does_not_say() -> None:
    host = body_of(PLAN_OF_ALL, AROUND)["HostConfig"]
    assert (host["CapDrop"], host["CapAdd"], host["Privileged"]) == (["ALL"], [], False)
    assert (host["NetworkMode"], host["IpcMode"], host["CgroupnsMode"]) == ("none", "private", "private")
    assert host["ReadonlyRootfs"] is True
    assert host["Sysctls"] == {"net.ipv4.ip_unprivileged_port_start": "1024"}
    assert "/sys" in host["MaskedPaths"]
    assert host["SecurityOpt"][0] == "no-new-privileges:true"
    rules = json.loads(host["SecurityOpt"][1].removeprefix("seccomp="))
    assert {"names": ["ptrace"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1} in rules["syscalls"]
    assert host["RestartPolicy"]["Name"] == "no"
    kept = body_of(replace(PLAN_OF_ALL, kept=(Kept.NET_BIND_SERVICE,)), AROUND)["HostConfig"]
    assert kept["CapAdd"] == ["NET_BIND_SERVICE"]
    assert kept["Sysctls"] == {"net.ipv4.ip_unprivileged_port_start": "0"}


def test_its_limits_are_the_plans() -> None:
    host = body_of(PLAN_OF_ALL, AROUND)["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"]) == (64 << 20, 64 << 20, 40)
    assert (host["CpuQuota"], host["CpuPeriod"]) == (25_000, 100_000)
    assert {"Name": "nofile", "Soft": 512, "Hard": 512} in host["Ulimits"]
    assert {"Name": "core", "Soft": 0, "Hard": 0} in host["Ulimits"]
    assert host["Tmpfs"]["/scratch"] == "rw,nosuid,nodev,noexec,mode=1777,size=4096"


def test_its_program_and_its_variables_are_the_plans() -> None:
    body = body_of(PLAN_OF_ALL, AROUND)
    assert (body["Entrypoint"], body["Cmd"], body["User"]) == (["/bin/web", "--loud"], [], "1000:1001")
    assert [one.partition("=")[0] for one in body["Env"]] == ["PATH", "HOME", "GREETING", "HOSTNAME"]
    assert body["Env"][-1] == "HOSTNAME"  # without a value: this one is left out
    assert (body["StopSignal"], body["StopTimeout"]) == ("SIGINT", 2)
    assert body["Healthcheck"] == {"Test": ["NONE"]}


def test_outer_volumes_come_before_inner_ones_and_all_are_private() -> None:
    mounts = body_of(PLAN_OF_ALL, AROUND)["HostConfig"]["Mounts"]
    assert [(one["Target"], one["ReadOnly"]) for one in mounts] == [
        ("/run/secrets", True), ("/etc/hosts", True), ("/etc/hostname", True), ("/etc/resolv.conf", True),
        ("/data", False), ("/data/inner", True),
    ]  # fmt: skip
    assert {one["BindOptions"]["Propagation"] for one in mounts} == {"rprivate"}
    bare = body_of(replace(PLAN_OF_ALL, root=HOST_USR, mounts=()), AROUND)["HostConfig"]["Mounts"]
    assert ("/usr", True) in [(one["Target"], one["ReadOnly"]) for one in bare]


def test_podman_is_told_the_same_in_its_own_way() -> None:
    body = body_of(PLAN_OF_ALL, replace(AROUND, is_podman=True))
    host = body["HostConfig"]
    assert host["SecurityOpt"][:2] == ["no-new-privileges", "seccomp=/var/agent/seccomp.json"]
    assert "/sys" in host["SecurityOpt"][2].split("=")[1].split(":")
    assert "HOSTNAME" not in body["Env"]  # podman would take the value from its own environment
    assert "nproc" in {one["Name"] for one in host["Ulimits"]}
    assert host["LogConfig"] == {"Type": "k8s-file", "Config": {"max-size": str(1 << 20)}}


def test_labels_say_what_an_agent_adopts_by_and_nothing_of_secrets() -> None:
    body = body_of(PLAN_OF_ALL, AROUND)
    labels = body["Labels"]
    assert (labels[KEY], labels[FOLDER], labels[ID]) == ("k1", "/var/agent", "shop.web.0.1")
    assert (labels[LOG], labels[STOP], labels[PLAN]) == ("8192,3", "INT,1500", digest_of(PLAN_OF_ALL))
    terms = terms_of(labels)
    assert (terms.id, terms.log, terms.stop_signal, terms.stop_grace_ms) == (
        "shop.web.0.1",
        LogBounds(8192, 3),
        "INT",
        1500,
    )
    assert "hidden" not in json.dumps(body)
    other = replace(PLAN_OF_ALL, secrets=(Secret("/run/secrets/token", b"another"),))
    assert digest_of(other) == digest_of(PLAN_OF_ALL)
    assert digest_of(replace(PLAN_OF_ALL, uid=1)) != digest_of(PLAN_OF_ALL)


@pytest.mark.parametrize("change", [{LOG: "x"}, {LOG: "1,2,3"}, {STOP: "TERM"}, {ID: None}])
def test_labels_that_somebody_changed_are_refused(change: dict[str, str | None]) -> None:
    labels = body_of(PLAN_OF_ALL, AROUND)["Labels"] | change
    with pytest.raises(Rejected) as refused:
        terms_of({name: value for name, value in labels.items() if value is not None})
    assert refused.value.reason is RuntimeRefusal.ENGINE_ANSWER
