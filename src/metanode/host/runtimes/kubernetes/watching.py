"""What the API server tells of an agent's pods: a list, then a watch from there on; anew, where that is too old."""

import json
import logging
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from metanode.host.runtimes.kubernetes.access import Api, ApiFailure, Stream
from metanode.host.runtimes.kubernetes.place import KubernetesPlace
from metanode.host.runtimes.kubernetes.pods import AGENT
from metanode.primitives.refusal import Rejected

PAGE: Final = 500
"""Pods in one answer of a list."""
WATCH_S: Final = 60
"""How long one watch is asked for; then the next goes on where it ended."""
SILENCE_S: Final = WATCH_S + 15
"""A connection on which nothing came for so long is dead."""
END_S: Final = 5.0
"""For the thread to see that it is to end."""
AGAIN_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Between tries where the server does not answer; the last for ever."""

TROUBLE_CHARACTERS_MAX: Final = 200
"""What is kept of why the server is out of reach."""

Json = dict[str, Any]
Listed = Callable[[tuple[Json, ...]], None]
Changed = Callable[[str, Json], None]


class Expired(Exception):
    """410: the server no longer knows what was since then."""


class PodWatch:
    """KUBE-6. A thread of its own. `listed`: every pod there is, at the beginning and after a gap; `changed`: ADDED,
    MODIFIED or DELETED, and the pod. Both are called in that thread."""

    def __init__(self, api: Api, place: KubernetesPlace, listed: Listed, changed: Changed) -> None:
        self._api: Final = api
        self._path: Final = f"/api/v1/namespaces/{place.namespace}/pods"
        self._selector: Final = f"{AGENT}={place.agent}"
        self._listed: Final = listed
        self._changed: Final = changed
        self._over: Final = threading.Event()
        self._stream: Stream | None = None
        self._log: Final = logging.getLogger("metanode.agent")
        self._version = ""
        self.trouble = ""
        self._thread: Final = threading.Thread(target=self._run, name="watch-pods", daemon=True)

    def begin(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def end(self) -> None:
        """Watch no more; the thread is gone when this returns, or will be when its connection is found to be dead."""
        self._over.set()
        if self._stream is not None:
            self._stream.close()
        self._thread.join(timeout=END_S)

    def _run(self) -> None:
        failed = 0
        while not self._over.is_set():
            try:
                if not self._version:
                    self._list()
                self._watch()
            except Expired:
                self._version = ""
                continue
            except (ApiFailure, Rejected, OSError, ValueError, KeyError) as error:
                if self._over.is_set():
                    return
                self.trouble = str(error)[:TROUBLE_CHARACTERS_MAX]
                if not failed:
                    self._log.warning("the API server is out of reach: what runs goes on", extra={"why": self.trouble})
                self._over.wait(AGAIN_S[min(failed, len(AGAIN_S) - 1)])
                failed += 1
            else:
                failed, self.trouble = 0, ""

    def _list(self) -> None:
        """Every pod, page by page; the version is that of the first page."""
        pods: list[Json] = []
        query: Json = {"labelSelector": self._selector, "limit": PAGE}
        while True:
            try:
                answer = self._api.ask("GET", self._path, query)
            except ApiFailure as failure:
                raise (Expired() if failure.status == HTTPStatus.GONE else failure) from None
            pods += answer.get("items") or ()
            following = answer["metadata"].get("continue", "")
            if not following:
                break
            query = {**query, "continue": following}
        self._listed(tuple(pods))
        self._version = str(answer["metadata"]["resourceVersion"])

    def _watch(self) -> None:
        """Follow until the server ends it. Raises `Expired` where the version is too old."""
        query = {
            "labelSelector": self._selector,
            "watch": True,
            "resourceVersion": self._version,
            "allowWatchBookmarks": True,
            "timeoutSeconds": WATCH_S,
        }
        try:
            stream = self._stream = self._api.stream(self._path, query, SILENCE_S)
        except ApiFailure as failure:
            raise (Expired() if failure.status == HTTPStatus.GONE else failure) from None
        if self._over.is_set():
            stream.close()
        for line in stream.lines():
            self._hear(json.loads(line))

    def _hear(self, event: Json) -> None:
        kind, pod = event["type"], event["object"]
        if kind == "ERROR":
            status = int(pod.get("code", 0))
            if status == HTTPStatus.GONE:
                raise Expired
            raise ApiFailure(status, str(pod.get("reason", "")), str(pod.get("message", "")))
        if kind != "BOOKMARK":
            self._changed(kind, pod)
        self._version = str(pod["metadata"]["resourceVersion"])
