"""The driver of a Kubernetes cluster. Implements `Driver`; containers are pods, known by what the API server says."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from metanode.docklock.compose.kubernetes.pods import seconds
from metanode.host.runtimes.driver import Capability, ContainerState, Event, Execution, LogRecord, Stats
from metanode.host.runtimes.kubernetes.access import (
    STRATEGIC_PATCH,
    Api,
    ApiFailure,
    Json,
    name_in,
    open_api,
)
from metanode.host.runtimes.kubernetes.copying import NOTHING
from metanode.host.runtimes.kubernetes.execution import Asked, KubernetesExecution
from metanode.host.runtimes.kubernetes.place import KubernetesPlace
from metanode.host.runtimes.kubernetes.pods import (
    AGENT,
    MARK,
    PLAN,
    check_plan,
    claim_of,
    plan_digest,
    pod_name,
    pod_of,
    secret_name,
    secret_of,
)
from metanode.host.runtimes.kubernetes.probing import probe, usage
from metanode.host.runtimes.kubernetes.reading import ENGINE
from metanode.host.runtimes.kubernetes.roster import Known, Roster
from metanode.host.runtimes.logs import read_log
from metanode.host.runtimes.plan import ContainerPlan
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.states import Phase
from metanode.primitives.refusal import Rejected

START_S: Final = 300.0
"""From the pod to its program: a node is chosen, the image fetched. Then the attempt is taken away."""
END_S: Final = 60.0
"""Beyond the grace, for the kubelet to say that a container has ended."""
KILL_GRACE_S: Final = 1
"""The least that is no force: with 0 the API server would forget the pod before it has ended."""


@dataclass(slots=True)
class Waiting:
    """A plan that was accepted and has no pod yet. `asked`: a pod was asked for; what came of it is not known."""

    plan: ContainerPlan
    created_ns: int
    asked: bool = False


class KubernetesDriver:
    """KUBE-2 to KUBE-10. One agent's pods in one namespace of one cluster."""

    def __init__(self, api: Api, place: KubernetesPlace) -> None:
        self._api: Final = api
        self._place: Final = place
        self._namespace: Final = f"/api/v1/namespaces/{place.namespace}"
        self._waiting: Final[dict[str, Waiting]] = {}
        self._roster: Final = Roster(api, place)

    async def begin(self) -> None:
        """KUBE-6. Watch: when this returns, every pod that an earlier agent began is known. One that had not begun to
        run is taken away: nobody waits for its start any more. Raises `Rejected`."""
        await self._roster.begin()
        for name in [one for one, known in self._roster.known.items() if known.sight.phase is Phase.STARTING]:
            await self._take_away(name)

    async def _ask(self, method: str, path: str, *rest: Any) -> Json:
        try:
            return await asyncio.to_thread(self._api.ask, method, self._namespace + path, *rest)
        except ApiFailure as failure:
            raise failure.rejected() from None

    def _found(self, name: str) -> Known:
        known = self._roster.known.get(name)
        if known is None:
            why = "it has no pod yet" if name in self._waiting else "no pod of this agent"
            reason = RuntimeRefusal.WRONG_PHASE if name in self._waiting else RuntimeRefusal.UNKNOWN
            raise Rejected(reason, f"{name[:160]}: {why}")
        return known

    # What the agent asks.

    async def probe(self) -> Capability:
        """KUBE-11. What can be known without an image: version, rights, nodes, whether such a pod is let in."""
        return await asyncio.to_thread(probe, self._api, self._place)

    async def create(self, plan: ContainerPlan) -> ContainerState:
        """KUBE-3. The API server checks the pod and keeps nothing: a pod that is there would run."""
        check_plan(plan)
        if plan.id in self._waiting or plan.id in self._roster.known:
            raise Rejected(RuntimeRefusal.EXISTS, plan.id)
        for claim in sorted({claim_of(mount.source) for mount in plan.mounts}):
            try:
                await self._ask("GET", f"/persistentvolumeclaims/{name_in(claim)}")
            except Rejected as refused:
                if refused.reason is not RuntimeRefusal.UNKNOWN:
                    raise
                detail = f"no PersistentVolumeClaim {claim} in namespace {self._place.namespace}"
                raise Rejected(RuntimeRefusal.VOLUME_MISSING, detail) from None
        await self._ask("POST", "/pods", {"dryRun": "All"}, pod_of(self._place, plan))
        self._waiting[plan.id] = Waiting(plan, time.time_ns())
        return self._unborn(plan.id)

    def _unborn(self, name: str) -> ContainerState:
        return ContainerState(
            id=name, engine=ENGINE, phase=Phase.CREATED, pid=0, created_ns=self._waiting[name].created_ns,
            started_ns=0, exit=None, log=NOTHING,
        )  # fmt: skip

    async def start(self, name: str) -> ContainerState:
        """KUBE-7. Make the pod; returns when its program runs. One that cannot begin is taken away."""
        waiting = self._waiting.get(name)
        if waiting is None:
            self._found(name)
            raise Rejected(RuntimeRefusal.WRONG_PHASE, f"{name}: started before")
        plan = waiting.plan
        self._roster.bounds[name], waiting.asked = plan.log, True
        pod = await self._make(plan)
        del self._waiting[name]
        self._roster.expect(pod)
        try:
            known = await self._roster.until(
                name, lambda sight: sight.phase is not Phase.STARTING or bool(sight.stuck), START_S
            )
        except TimeoutError:
            last = self._roster.known[name].sight.detail if name in self._roster.known else ""
            await self._take_away(name)
            raise Rejected(RuntimeRefusal.SETUP_FAILED, f"not running after {START_S:g} s: {last}") from None
        if known is None:
            raise Rejected(RuntimeRefusal.SETUP_FAILED, f"{name}: somebody deleted its pod")
        if known.sight.stuck is not None:
            await self._take_away(name)
            raise Rejected(known.sight.stuck, known.sight.detail)
        return known.state

    async def _make(self, plan: ContainerPlan) -> Json:
        """The pod, and its secrets, for which it waits. A pod of this very plan that an answer was lost of is it."""
        try:
            pod = await self._ask("POST", "/pods", None, pod_of(self._place, plan))
        except Rejected as refused:
            if refused.reason is not RuntimeRefusal.EXISTS:
                raise
            found = await self._there(plan)
            if found is None:
                raise
            pod = found
        if plan.secrets:
            try:
                await self._give_secrets(plan, pod)
            except Rejected:
                self._roster.expect(pod)
                await self._take_away(plan.id)
                raise
        return pod

    async def _there(self, plan: ContainerPlan) -> Json | None:
        """The pod of this very plan, if there is one."""
        try:
            pod = await self._ask("GET", f"/pods/{name_in(pod_name(plan.id))}")
        except Rejected as refused:
            if refused.reason is not RuntimeRefusal.UNKNOWN:
                raise
            return None
        metadata = pod["metadata"]
        is_ours = (metadata.get("labels") or {}).get(AGENT) == self._place.agent
        return pod if is_ours and (metadata.get("annotations") or {}).get(PLAN) == plan_digest(plan) else None

    async def _give_secrets(self, plan: ContainerPlan, pod: Json) -> None:
        """KUBE-4. One Secret that goes with its pod; one that an earlier try has left goes first."""
        body = secret_of(self._place, plan, pod["metadata"]["uid"])
        try:
            await self._ask("POST", "/secrets", None, body)
        except Rejected as refused:
            if refused.reason is not RuntimeRefusal.EXISTS:
                raise
            await self._ask("DELETE", f"/secrets/{name_in(secret_name(plan.id))}")
            await self._ask("POST", "/secrets", None, body)

    async def _end(self, known: Known, grace_s: int) -> ContainerState:
        """KUBE-8. Delete with a grace: the finalizer keeps the pod until how it ended is seen."""
        name, sight = known.sight.id, known.sight
        if sight.phase is not Phase.EXITED:
            body = {"gracePeriodSeconds": grace_s, "preconditions": {"uid": sight.uid}}
            with contextlib.suppress(_Gone):
                await self._delete(sight.name, body)
            try:
                await self._roster.until(name, lambda seen: seen.phase is Phase.EXITED, grace_s + END_S)
            except TimeoutError:
                detail = f"the kubelet of {sight.node or 'no node'} has not ended {name} in {grace_s + END_S:g} s"
                raise Rejected(RuntimeRefusal.ENGINE_GONE, detail) from None
        await self._roster.log_is_whole(known)
        return known.state

    async def _delete(self, pod: str, body: Json) -> None:
        try:
            await asyncio.to_thread(self._api.ask, "DELETE", f"{self._namespace}/pods/{name_in(pod)}", None, body)
        except ApiFailure as failure:
            if failure.status in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                raise _Gone from None
            raise failure.rejected() from None

    async def stop(self, name: str, grace_ms: int | None = None) -> ContainerState:
        """Ask it to end, in whole seconds of grace, at least one; returns when it has."""
        known = self._found(name)
        if grace_ms is None:
            return await self._end(known, await self._grace(known))
        return await self._end(known, max(KILL_GRACE_S, seconds(grace_ms)))

    async def _grace(self, known: Known) -> int:
        """The grace of its plan, which is in its pod."""
        pod = await self._ask("GET", f"/pods/{name_in(known.sight.name)}")
        return int(pod["spec"]["terminationGracePeriodSeconds"])

    async def kill(self, name: str) -> ContainerState:
        """End it with the least grace there is, which the kubelet makes two seconds."""
        return await self._end(self._found(name), KILL_GRACE_S)

    async def pause(self, name: str) -> ContainerState:
        """KUBE-3. The kubelet has no such word."""
        self._found(name)
        raise Rejected(RuntimeRefusal.ENGINE_CANNOT, f"{name}: a pod cannot be paused; stop it, or use another engine")

    async def resume(self, name: str) -> ContainerState:
        """As `pause`."""
        self._found(name)
        raise Rejected(RuntimeRefusal.ENGINE_CANNOT, f"{name}: a pod cannot be paused, so it cannot be resumed")

    async def exec(
        self, name: str, command: tuple[str, ...], env: tuple[tuple[str, str], ...] = (), *, tty: bool = False
    ) -> Execution:
        """KUBE-10. Execute one more command in it; variables are set by the container's own `env`."""
        known = self._found(name)
        if known.sight.phase is not Phase.RUNNING:
            raise Rejected(RuntimeRefusal.WRONG_PHASE, f"{name}: {known.sight.phase}")
        words = ("env", *(f"{key}={value}" for key, value in env), *command) if env else command
        return KubernetesExecution(
            self._api, Asked(f"{self._namespace}/pods/{name_in(known.sight.name)}/exec", words, tty)
        )

    async def stats(self, name: str) -> Stats:
        """KUBE-11. What the kubelet of its node counts. Refused where it cannot be asked."""
        known = self._found(name)
        used = await asyncio.to_thread(usage, self._api, self._place, known.sight)
        return Stats(*used, log_bytes=known.state.log.end)

    async def inspect(self, name: str) -> ContainerState:
        """How it is."""
        return self._unborn(name) if name in self._waiting else self._found(name).state

    async def list(self) -> tuple[ContainerState, ...]:
        """All of this agent, whichever process of it began them."""
        return (*(self._unborn(name) for name in self._waiting), *(one.state for one in self._roster.known.values()))

    async def remove(self, name: str) -> None:
        """Forget one that does not run: pod, Secret, copy of the log."""
        waiting = self._waiting.get(name)
        if waiting is not None:
            pod = await self._there(waiting.plan) if waiting.asked else None
            if pod is not None:
                self._roster.expect(pod)
                await self._take_away(name)
            self._waiting.pop(name, None)
            return
        known = self._found(name)
        if known.sight.phase is not Phase.EXITED:
            raise Rejected(RuntimeRefusal.WRONG_PHASE, f"{name}: {known.sight.phase}")
        await self._take_away(name)

    async def _take_away(self, name: str) -> None:
        """KUBE-8. Nobody needs to know of it any more: the finalizer goes, and with it the pod."""
        known = self._roster.known.get(name)
        if known is not None:
            body: Json = {"metadata": {"$deleteFromPrimitiveList/finalizers": [MARK]}}
            try:
                await self._ask("PATCH", f"/pods/{name_in(known.sight.name)}", None, body, STRATEGIC_PATCH)
            except Rejected as refused:
                if refused.reason is not RuntimeRefusal.UNKNOWN:
                    raise
            with contextlib.suppress(_Gone):
                body = {"gracePeriodSeconds": 0, "preconditions": {"uid": known.sight.uid}}
                await self._delete(known.sight.name, body)
            try:
                await self._roster.until(name, lambda _: False, END_S)
            except TimeoutError:
                detail = f"the API server still has the pod of {name}"
                raise Rejected(RuntimeRefusal.ENGINE_GONE, detail) from None
        with contextlib.suppress(Rejected):
            await self._ask("DELETE", f"/secrets/{name_in(secret_name(name))}")
        await asyncio.to_thread(shutil.rmtree, self._roster.folder(name), True)  # noqa: FBT003 - ignore_errors

    def events(self) -> AsyncIterator[Event]:
        """What happens from now on. A server out of reach is no loss: what runs goes on."""
        return self._roster.events()

    async def recover(self) -> None:
        """KUBE-6. The watch begins anew by itself; there is nothing to begin."""

    async def close(self) -> None:
        """Leave the cluster to itself."""
        await self._roster.close()
        self._api.close()

    async def logs(self, name: str, since: int = 0, *, follow: bool = False) -> AsyncIterator[LogRecord]:
        """KUBE-9. What it said, from the copy on this machine."""
        known = self._found(name)

        async def has_ended() -> bool:
            return known.sight.phase is Phase.EXITED and (known.copy is None or known.copy.done.is_set())

        async for record in read_log(self._roster.folder(name), since, has_ended if follow else None):
            yield record


class _Gone(Exception):
    """The pod to be deleted is not there, or another one has its name."""


async def open_kubernetes(place: KubernetesPlace) -> KubernetesDriver:
    """The driver of a place; it does not watch yet. Raises `Rejected`."""
    return KubernetesDriver(await asyncio.to_thread(open_api, place), place)
