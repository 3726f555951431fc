"""The API server as this agent reaches it: by the official client's configuration and transport, bodies as plain JSON.

The client's generated models are left out: they know one version of the API, are large, and refuse what an older server
says in another way.
"""

import contextlib
import importlib
import json
import threading
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode

from metanode.host.runtimes.kubernetes.place import KubernetesPlace
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.primitives.refusal import Rejected

INSTALL: Final = "pip install 'metanode[kubernetes]'"
"""What brings the official client."""
REQUEST_TIMEOUT_S: Final = (5.0, 30.0)
"""To connect, and for each part of an answer."""
ANSWER_BYTES_MAX: Final = 64 << 20
"""One answer: a list of a thousand pods is 10 MiB."""
LINE_BYTES_MAX: Final = 4 << 20
"""One event of a watch: etcd takes no object larger than 1.5 MiB."""
READ_BYTES: Final = 64 << 10
"""One read of a stream."""
DETAIL_CHARACTERS_MAX: Final = 400
"""What is kept of a server's own words."""
STRATEGIC_PATCH: Final = "application/strategic-merge-patch+json"
"""A change of an object that can take one word out of a list."""

Json = dict[str, Any]


class ApiFailure(Exception):
    """The API server said no: its HTTP status, its word for why, its sentence."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status: Final = status
        self.reason: Final = reason
        self.message: Final = message

    def rejected(self) -> Rejected:
        """KUBE-8. As a refusal of the driver."""
        detail = f"{self.status} {self.reason}: {self.message}"[:DETAIL_CHARACTERS_MAX]
        match self.status:
            case HTTPStatus.NOT_FOUND:
                return Rejected(RuntimeRefusal.UNKNOWN, detail)
            case HTTPStatus.CONFLICT:
                return Rejected(RuntimeRefusal.EXISTS, detail)
            case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
                return Rejected(RuntimeRefusal.ENGINE_GONE, detail)
            case _:
                return Rejected(RuntimeRefusal.SETUP_FAILED, f"the API server refused it: {detail}")


def failure_of(status: int, body: bytes) -> ApiFailure:
    """A `Status` object as the API server sends it; or whatever somebody in between said."""
    with contextlib.suppress(ValueError):
        said = json.loads(body)
        if isinstance(said, dict) and said.get("kind") == "Status":
            reason, message = str(said.get("reason", "")), str(said.get("message", ""))
            return ApiFailure(status, reason, message[:DETAIL_CHARACTERS_MAX])
    return ApiFailure(status, "", body[:DETAIL_CHARACTERS_MAX].decode(errors="replace"))


class Stream:
    """An answer without end, read by one thread and ended by another."""

    def __init__(self, response: Any) -> None:
        self._response: Final = response
        self._over = threading.Event()

    def chunks(self) -> Iterator[bytes]:
        """What comes, until the server or `close` ends it. Raises `OSError` where it breaks."""
        try:
            while data := self._response.read1(READ_BYTES):
                yield data
        except Exception as error:
            if not self._over.is_set():
                raise ConnectionError(f"{type(error).__name__}: {error}"[:DETAIL_CHARACTERS_MAX]) from None
        finally:
            self._response.close()

    def lines(self) -> Iterator[bytes]:
        """The same by lines; a last one without its end is left out. Raises `OSError` where one has no end."""
        held = b""
        for data in self.chunks():
            *whole, held = (held + data).split(b"\n")
            if len(held) > LINE_BYTES_MAX:
                raise ConnectionError(f"a line of more than {LINE_BYTES_MAX} bytes")
            yield from (line for line in whole if line)

    def close(self) -> None:
        """End it: whoever reads sees the end at once."""
        self._over.set()
        with contextlib.suppress(Exception):
            self._response.shutdown()


class Api:
    """One API server. Its methods block: they are called by threads."""

    def __init__(self, configuration: Any) -> None:
        self.configuration: Final = configuration
        self._rest: Final[Any] = importlib.import_module("kubernetes.client.rest").RESTClientObject(configuration)

    def headers(self) -> dict[str, str]:
        """What says who asks."""
        made = {}
        for setting in self.configuration.auth_settings().values():
            if setting["in"] == "header" and setting["value"]:
                made[str(setting["key"]).lower()] = str(setting["value"])
        return made

    def url(self, path: str, query: Mapping[str, Any] | None = None) -> str:
        """An address of the server."""
        pairs = [(key, one) for key, value in (query or {}).items() for one in _values(value)]
        return f"{str(self.configuration.host).rstrip('/')}{path}" + (f"?{urlencode(pairs)}" if pairs else "")

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Json | None = None,
        content: str = "application/json",
    ) -> Json:
        """One request. Raises `ApiFailure` where the server says no, `Rejected` where it cannot be reached."""
        headers = {**self.headers(), "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content
        response = self._send(method, self.url(path, query), headers, body, REQUEST_TIMEOUT_S)
        try:
            data = response.read(ANSWER_BYTES_MAX + 1)
        except Exception as error:
            raise unreachable(error) from None
        finally:
            response.release_conn()
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise failure_of(response.status, data)
        try:
            answer = json.loads(data)
        except ValueError:
            raise Rejected(RuntimeRefusal.ENGINE_ANSWER, f"no JSON, or too long: {data[:80]!r}") from None
        if not isinstance(answer, dict):
            raise Rejected(RuntimeRefusal.ENGINE_ANSWER, f"no object: {data[:80]!r}")
        return answer

    def stream(self, path: str, query: Mapping[str, Any], silence_s: float | None) -> Stream:
        """An answer without end; `silence_s`: how long nothing may come. Raises as `ask` does."""
        headers = {**self.headers(), "Accept": "*/*"}
        timeout = (REQUEST_TIMEOUT_S[0], silence_s)
        response = self._send("GET", self.url(path, query), headers, None, timeout)
        if response.status >= HTTPStatus.BAD_REQUEST:
            data = response.read(READ_BYTES)
            response.close()
            raise failure_of(response.status, data)
        return Stream(response)

    def _send(self, method: str, url: str, headers: Json, body: Any, timeout: Any) -> Any:
        try:
            return self._rest.request(method, url, headers=headers, body=body, _request_timeout=timeout).response
        except Exception as error:
            raise unreachable(error) from None

    def close(self) -> None:
        """Give up its connections."""
        self._rest.close()


def _values(value: Any) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return tuple(str(one) for one in value)
    return (str(value).lower() if isinstance(value, bool) else str(value),)


def unreachable(error: Exception) -> Rejected:
    """KUBE-8. No answer: the network, TLS, or what should have proved who asks."""
    said = f"{type(error).__name__}: {error}"[:DETAIL_CHARACTERS_MAX]
    return Rejected(RuntimeRefusal.ENGINE_GONE, f"the API server does not answer: {said}")


def open_api(place: KubernetesPlace) -> Api:
    """KUBE-1. By a kubeconfig (tokens, certificates, programs that fetch them) or as a pod of the cluster. Raises
    `Rejected`."""
    try:
        client: Any = importlib.import_module("kubernetes.client.configuration")
        config: Any = importlib.import_module("kubernetes.config")
    except ImportError:
        raise Rejected(RuntimeRefusal.ENGINE_MISSING, f"the official client is not here: {INSTALL}") from None
    configuration = client.Configuration()
    try:
        try:
            config.load_kube_config(
                place.kubeconfig or None, place.context or None, configuration, persist_config=False
            )
        except config.ConfigException:
            if place.kubeconfig or place.context:
                raise
            config.load_incluster_config(configuration)
    except Exception as error:
        fix = "give `kubeconfig=FILE`, or set KUBECONFIG"
        raise Rejected(RuntimeRefusal.BAD_OPTION, f"no way to a cluster: {error}"[:300] + f"; {fix}") from None
    configuration.retries = False
    return Api(configuration)


def name_in(path: str) -> str:
    """A name as a part of an address."""
    return quote(path, safe="")
