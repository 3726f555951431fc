"""What the chain says of a workload while it becomes what was asked: each event as it is final, until it is settled."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from metanode.api.blocks import EventList
from metanode.api.errors import ApiRefusal
from metanode.api.exits import ExitStatus
from metanode.api.methods import EVENT_LIST
from metanode.api.receipt_names import receipt_name
from metanode.api.shapes import PAGE_MAX
from metanode.api.workloads import WorkloadView
from metanode.cli.failure import CliRefusal, Failure
from metanode.client import Client, ClientError

POLL_S: Final = 0.1
"""How often the chain is asked what has become of a workload."""
BEHIND: Final = 999_999_999
"""An index behind every event of a block."""
EVENT_PREFIX: Final = "cluster."
"""Of the types of events about clusters."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event about a cluster, and the receipt that proves it."""

    height: int
    receipt: str
    event: dict[str, Any]

    @property
    def replica(self) -> str:
        """`web.0`, or nothing."""
        event = self.event
        return f"{event['workload']}.{event['index']}" if "index" in event else ""

    def sentence(self) -> str:
        """The event as one line."""
        event, by = self.event, f"by block {self.height} · receipt {self.receipt}"
        match event["type"].removeprefix(EVENT_PREFIX):
            case "replica-placed":
                return f"PLACED   {self.replica} on {event['node']} {by}"
            case "replica-waits":
                return f"WAITS    {self.replica} for a node: most lack {event['reason']} {by}"
            case "replica-changed":
                code = f" with {event['code']}" if event["code"] else ""
                return f"{event['state'].upper():8} {self.replica} on {event['node']}{code} {by}"
            case "workload-changed":
                return f"WORKLOAD {event['workload']} is {event['phase']}, revision {event['revision']} {by}"
            case "node-changed":
                return f"NODE     {event['node']} is {event['state']} {by}"
            case "receipts-pinned":
                last = event["first"] + event["count"] - 1
                return f"RECEIPTS {event['node']} pins {event['first']} to {last} {by}"
            case "image-admitted":
                word = "admitted" if event["admitted"] else "withdrawn"
                return f"IMAGE    sha256:{event['image']} is {word} {by}"
            case other:
                return f"CLUSTER  {event['cluster']} is {other} {by}"

    def as_data(self) -> dict[str, Any]:
        """The same for programs."""
        return {"height": self.height, "receipt": self.receipt, **self.event}


@dataclass(slots=True)
class Reader:
    """Events about one cluster, in the order of the chain; `workload` empty: about all of it. `cursor`: read up to
    there."""

    client: Client
    cluster: str
    workload: str
    cursor: str

    @classmethod
    def since(cls, client: Client, cluster: str, workload: str, height: int) -> "Reader":
        """From a height on."""
        return cls(client, cluster, workload, f"{height - 1}:{BEHIND}" if height > 1 else "")

    def read(self, up_to: int = 0) -> Iterator[Told]:
        """What has become final since the last look, at least up to a height. Raises `ClientError`."""
        while True:
            asked = EventList(after=self.cursor, kinds="receipt", limit=PAGE_MAX)
            page = self.client.call(EVENT_LIST, asked)
            for item in page.items:
                height, index = int(item.data["height"]), int(item.data["index"])
                for event in item.data["events"]:
                    if self._is_meant(event):
                        yield Told(height, receipt_name(height, index), event)
            self.cursor = page.next
            if int(page.next.partition(":")[0] or 0) >= max(page.last, up_to):
                return

    def _is_meant(self, event: dict[str, Any]) -> bool:
        if not str(event["type"]).startswith(EVENT_PREFIX) or event.get("cluster") != self.cluster:
            return False
        return not self.workload or event.get("workload") == self.workload


@dataclass(slots=True)
class Watch:
    """A workload until it is settled. `revision`: which one shall run in the end, 0 for any; `gone`: it shall not be
    there in the end."""

    client: Client
    cluster: str
    workload: str
    revision: int = 0
    gone: bool = False
    told: list[Told] = field(default_factory=list)

    def until_settled(self, height: int, within_s: float, say: Callable[[Told], None]) -> dict[str, Any]:
        """Say every event from this height on, and return when it is settled: what was seen. Raises `Failure` where it
        did not become what was asked, or the time is over."""
        reader = Reader.since(self.client, self.cluster, self.workload, height)
        deadline = time.monotonic() + within_s
        while True:
            view = self._look()
            for told in reader.read(view.height if view is not None else 0):
                self.told.append(told)
                say(told)
            if self._is_settled(view):
                return self._seen(view)
            if time.monotonic() > deadline:
                raise self._late(view, within_s)
            time.sleep(POLL_S)

    def _look(self) -> WorkloadView | None:
        try:
            return self.client.workload.get(self.cluster, self.workload)
        except ClientError as error:
            if error.code == ApiRefusal.NOT_FOUND and self.gone:
                return None
            raise

    def _is_settled(self, view: WorkloadView | None) -> bool:
        """Whether nothing more is to come. Raises `Failure` where it is not what was asked."""
        if view is None:
            return True
        match view.phase:
            case "active":
                done = view.done if view.kind == "job" else 0
                settled = not self.gone and view.renewed + done >= view.replicas
            case "stopped" | "completed":
                settled = not self.gone
            case "failed" | "paused":
                message = f"{self.workload} is {view.phase}: {view.ready} of {view.replicas} replicas are ready"
                raise self._failed(message)
            case _:
                settled = False
        if settled and self.revision and view.current.revision != self.revision:
            message = f"{self.workload} was led back to revision {view.current.revision}, {self.revision} was asked for"
            raise self._failed(message)
        return settled

    def _failed(self, message: str) -> Failure:
        fix = f"bpi container events {self.workload} --cluster {self.cluster}"
        return Failure(CliRefusal.NOT_SETTLED, ExitStatus.RUNTIME, message, rule="CLUSTER-14", fix=fix)

    def _late(self, view: WorkloadView | None, within_s: float) -> Failure:
        state = f"{view.phase}, {view.ready} of {view.replicas} replicas ready" if view is not None else "gone"
        message = f"{self.workload} is {state} after {within_s:g} s: it may still settle"
        fix = f"bpi container wait {self.workload} --cluster {self.cluster}"
        return Failure(
            ApiRefusal.DEADLINE, ExitStatus.OUTCOME_UNKNOWN, message, rule="HTTP-16", fix=fix, retryable=True
        )

    def _seen(self, view: WorkloadView | None) -> dict[str, Any]:
        return {
            "workload": self.workload,
            "phase": view.phase if view is not None else "gone",
            "revision": view.current.revision if view is not None else 0,
            "replicas": view.replicas if view is not None else 0,
            "ready": view.ready if view is not None else 0,
            "observed": [told.as_data() for told in self.told],
        }


def settled_words(seen: dict[str, Any]) -> str:
    """What is there in the end, as one line: `ACTIVE   web · revision 2 · 3 of 3 replicas ready`."""
    if seen["phase"] == "gone":
        return f"GONE     {seen['workload']}"
    replicas = f"{seen['ready']} of {seen['replicas']} replicas ready"
    return f"{seen['phase'].upper():8} {seen['workload']} · revision {seen['revision']} · {replicas}"
