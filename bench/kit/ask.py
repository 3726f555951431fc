"""One question to a node's public port."""

from http.client import HTTPConnection


def ask(port: int, path: str, timeout_s: float = 10.0, body: bytes | None = None) -> tuple[int, bytes]:
    """One GET, or a POST of JSON, on a connection of its own: status and answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET" if body is None else "POST", path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def metrics(port: int) -> dict[str, float]:
    """What a validator counts."""
    _, text = ask(port, "/metrics")
    lines = (line.rpartition(" ") for line in text.decode().splitlines() if line and line[0] != "#")
    return {name: float(value) for name, _, value in lines}
