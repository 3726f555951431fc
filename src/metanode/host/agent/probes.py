"""One look at a container: a command inside it, or a connection to its port in its own network namespace."""

import asyncio
import ctypes
import os
import socket
import threading
from typing import Final

from metanode.docklock.agent.judging import speaks_http
from metanode.host.runtimes.driver import ContainerState, Driver
from metanode.primitives.refusal import Rejected
from metanode.records.workload import HealthCheck

CLONE_NEWNET: Final = 0x4000_0000
"""setns(2): a network namespace."""
HEAD_BYTES_MAX: Final = 4_096
"""Of an HTTP answer: its first line is all that counts."""

_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def connect_inside(namespace: str, port: int, timeout_s: float) -> socket.socket:
    """A connection to 127.0.0.1 in a network namespace, made by a thread that enters it and ends: a socket belongs to
    the namespace in which it was made, for life. Raises `OSError`."""
    made: list[socket.socket] = []
    failed: list[OSError] = []

    def enter() -> None:
        try:
            file = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if _LIBC.setns(file, CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), f"setns {namespace}")
            finally:
                os.close(file)
            made.append(socket.create_connection(("127.0.0.1", port), timeout=timeout_s))
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=enter, name="enter-namespace")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]


def _connect(state: ContainerState, port: int, timeout_s: float) -> socket.socket:
    """KUBE-7. To a port of a container: at its address where it is not on this host, else in its network namespace."""
    if state.address:
        return socket.create_connection((state.address, port), timeout=timeout_s)
    return connect_inside(state.network, port, timeout_s)


def ask_inside(state: ContainerState, check: HealthCheck) -> bytes:
    """What answers the request of a health check by `http` or `tcp` in a container: the beginning of it, nothing by
    `tcp`. Raises `OSError` where nobody listens."""
    with _connect(state, check.port, check.timeout_ms / 1_000) as connection:
        if check.probe == "tcp":
            return b""
        path = check.path or "/"
        request = f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{check.port}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        return connection.recv(HEAD_BYTES_MAX)


def _look_by_socket(state: ContainerState, check: HealthCheck) -> bool:
    head = ask_inside(state, check)
    return check.probe == "tcp" or speaks_http(head)


async def look(driver: Driver, name: str, check: HealthCheck) -> bool:
    """AGENT-5. Whether a container is well, within the time its check allows."""
    try:
        async with asyncio.timeout(check.timeout_ms / 1_000):
            if check.probe == "command":
                execution = await driver.exec(name, check.command)
                async for _ in execution.output():
                    pass
                return (await execution.wait()).code == 0
            state = await driver.inspect(name)
            return await asyncio.to_thread(_look_by_socket, state, check)
    except (TimeoutError, OSError, Rejected):
        return False
