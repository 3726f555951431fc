"""Raw requests for tests: what a stranger's program may send."""

import contextlib
import http.client
import json
import socket
from typing import Any, NamedTuple

from tests.integration.fake_node import Port


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The stable code of an error."""
        error = self.json["error"]
        return str(error["data"]["code"] if "data" in error else error["code"])


def ask(port: Port, verb: str, path: str, body: Any = None, **headers: str) -> Reply:
    """One request on a connection of its own. A body that is not bytes is sent as JSON."""
    connection = http.client.HTTPConnection(*port.address, timeout=20)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        named = {"content-type": "application/json", **named}
    try:
        connection.request(verb, path, body, named)
        response = connection.getresponse()
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


def rpc(port: Port, body: Any, **headers: str) -> Reply:
    """One POST to /rpc."""
    return ask(port, "POST", "/rpc", body, **headers)


def raw(port: Port, data: bytes, timeout_s: float = 5.0) -> bytes:
    """Send bytes as they are, read until the other side closes or says no more for a moment."""
    with socket.create_connection(port.address, timeout=timeout_s) as plug:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            plug.sendall(data)
        received = b""
        try:
            while chunk := plug.recv(65_536):
                received += chunk
        except (TimeoutError, ConnectionResetError):
            pass
        return received
