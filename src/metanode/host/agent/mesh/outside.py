"""MESH-14. Destinations outside: resolved and connected to by the agent, and never the node itself."""

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from typing import Final

from metanode.docklock.mesh import MeshRefusal
from metanode.host.agent.mesh.carrying import End
from metanode.primitives.refusal import Rejected

ADDRESSES_MAX: Final = 4
"""Addresses of a name that are tried."""


def leads_home(address: str) -> bool:
    """MESH-14. Whether an address is of this machine's own inside, of its link, or of nobody."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    one = mapped if mapped is not None else found
    return bool(one.is_loopback or one.is_link_local or one.is_unspecified or one.is_multicast or one.is_reserved)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def connect_outside(host: str, port: int, make: Callable[[], End]) -> End:
    """An end at a destination. Raises `Rejected` with LEADS_HOME or UNREACHABLE."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Rejected(MeshRefusal.UNREACHABLE, f"{host}: {error}") from None
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))[:ADDRESSES_MAX]
    if _is_address(host) or any(leads_home(address) for address in addresses):
        raise Rejected(MeshRefusal.LEADS_HOME, f"{host} is {', '.join(addresses)}")
    for address in addresses:
        try:
            _, end = await loop.create_connection(make, address, port)
        except OSError:
            continue
        return end
    raise Rejected(MeshRefusal.UNREACHABLE, f"{host}:{port}")
