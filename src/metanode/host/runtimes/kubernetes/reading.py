"""A Pod as the API server tells it, as the state of a container. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from metanode.host.runtimes.driver import ContainerState
from metanode.host.runtimes.kubernetes.pods import CONTAINER, ID
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.states import Exit, LogMark, Phase
from metanode.primitives.refusal import Rejected

ENGINE: Final = "kubernetes"
KILLED: Final = 137
"""The code of an end of which nobody knows more: killed, as far as anybody can tell."""
SIGNALS_MAX: Final = 64
"""Codes from 129 to 128 and this are a signal's."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
STUCK: Final = {
    "ErrImageNeverPull": RuntimeRefusal.NO_IMAGE,
    "ImagePullBackOff": RuntimeRefusal.NO_IMAGE,
    "ErrImagePull": RuntimeRefusal.NO_IMAGE,
    "InvalidImageName": RuntimeRefusal.NO_IMAGE,
    "ImageInspectError": RuntimeRefusal.NO_IMAGE,
    "RegistryUnavailable": RuntimeRefusal.NO_IMAGE,
    "SignatureValidationFailed": RuntimeRefusal.NO_IMAGE,
    "CreateContainerConfigError": RuntimeRefusal.SETUP_FAILED,
    "CreateContainerError": RuntimeRefusal.SETUP_FAILED,
}
"""Why a container waits, where waiting does not help: it has not begun, and its agent takes the pod away."""
NEVER_BEGAN: Final = frozenset({"StartError", "ContainerCannotRun"})
"""Reasons of an end that was none: the program did not begin."""
IMAGE_FIX: Final = (
    "push the image to a registry that the cluster's nodes reach, or put it on each node under this name and digest "
    "(ctr -n k8s.io images import --digests --base-name NAME FILE)"
)

Json = dict[str, Any]


def time_ns(text: str) -> int:
    """RFC 3339, to whole seconds or with up to nine digits of them, as nanoseconds of Unix time; 0 for nothing."""
    if not text:
        return 0
    whole, _, part = text.rstrip("Z").partition(".")
    since = datetime.fromisoformat(whole).replace(tzinfo=UTC) - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + int(part.ljust(9, "0")[:9] or "0")


@dataclass(frozen=True, slots=True)
class Sight:
    """What a pod says of its container. `address`: of the pod in the cluster's network; `stuck`: why it will not begin,
    `detail` in the cluster's words; `gone`: nobody on its node will do anything for it any more."""

    id: str
    name: str
    uid: str
    node: str
    address: str
    phase: Phase
    created_ns: int
    started_ns: int
    exit: Exit | None
    stuck: RuntimeRefusal | None
    detail: str
    gone: bool

    def state(self, log: LogMark) -> ContainerState:
        """KUBE-7. As every driver says it. There is no process of this machine."""
        return ContainerState(
            id=self.id,
            engine=ENGINE,
            phase=self.phase,
            pid=0,
            created_ns=self.created_ns,
            started_ns=self.started_ns,
            exit=self.exit,
            log=log,
            address=self.address if self.phase is Phase.RUNNING else "",
        )


def _exit(end: Json) -> Exit:
    code = int(end.get("exitCode", KILLED))
    signal = int(end.get("signal", 0))
    if not signal and 128 < code <= 128 + SIGNALS_MAX:
        signal = code - 128
    return Exit(code, signal, oom=end.get("reason") == "OOMKilled", at_ns=time_ns(end.get("finishedAt") or ""))


def _own(status: Json) -> Json:
    """The status of the one container; empty before there is one."""
    for one in status.get("containerStatuses") or ():
        if one.get("name") == CONTAINER:
            state = one.get("state")
            return state if isinstance(state, dict) else {}
    return {}


def _waits(status: Json) -> str:
    """Why a pod is not placed, in the scheduler's words."""
    for one in status.get("conditions") or ():
        if one.get("type") == "PodScheduled" and one.get("status") == "False":
            return f"{one.get('reason', '')}: {one.get('message', '')}"
    return str(status.get("message", ""))


def _never_began(said: str) -> RuntimeRefusal:
    """Why the first program of a container did not begin, by the words of the container runtime."""
    if "not found" in said or "no such file" in said:
        return RuntimeRefusal.COMMAND_NOT_FOUND
    if "permission denied" in said or "is a directory" in said:
        return RuntimeRefusal.COMMAND_NOT_EXECUTABLE
    return RuntimeRefusal.SETUP_FAILED


def sight_of(pod: Json) -> Sight:
    """KUBE-7. What a pod says. Raises `Rejected` where it is no pod of ours."""
    try:
        metadata, status = pod["metadata"], pod.get("status") or {}
        name = metadata["name"]
        identity = metadata["annotations"][ID]
        own = _own(status)
        created = time_ns(metadata["creationTimestamp"])
        gone = "deletionTimestamp" in metadata and (not metadata.get("deletionGracePeriodSeconds"))
        return _sight(identity, name, metadata["uid"], pod.get("spec") or {}, status, own, created, gone=gone)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Rejected(RuntimeRefusal.UNKNOWN, f"no pod of an agent: {type(error).__name__} {error}"[:200]) from None


def _sight(
    identity: str, name: str, uid: str, spec: Json, status: Json, own: Json, created: int, *, gone: bool
) -> Sight:
    phase, end, stuck, started, detail = Phase.STARTING, None, None, 0, _waits(status)
    if running := own.get("running"):
        phase, started = Phase.RUNNING, time_ns(running.get("startedAt") or "")
    elif ended := own.get("terminated"):
        phase, started, end = Phase.EXITED, time_ns(ended.get("startedAt") or ""), _exit(ended)
        detail = str(ended.get("message") or ended.get("reason") or "")
        stuck = _never_began(detail) if ended.get("reason") in NEVER_BEGAN else None
    elif waiting := own.get("waiting"):
        reason, said = str(waiting.get("reason", "")), str(waiting.get("message", ""))
        stuck = _never_began(said) if reason == "RunContainerError" else STUCK.get(reason)
        detail = f"{reason}: {said}".rstrip(": ") or detail
    if phase is not Phase.EXITED and (
        status.get("phase") in ("Failed", "Succeeded") or (gone and phase is not Phase.RUNNING)
    ):
        phase, end = Phase.EXITED, Exit(KILLED, KILLED - 128, oom=False, at_ns=created)
        detail = f"{status.get('reason', '')}: {status.get('message', '')}".strip(": ") or detail
        stuck = stuck or (None if started else RuntimeRefusal.SETUP_FAILED)
    if stuck is RuntimeRefusal.NO_IMAGE:
        detail = f"{detail}; {IMAGE_FIX}"
    return Sight(
        identity, name, uid, str(spec.get("nodeName", "")), str(status.get("podIP", "")), phase, created, started, end,
        stuck, detail, gone,
    )  # fmt: skip
