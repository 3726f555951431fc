"""MESH-13. All connections to 127.64.0.0/10 of a network namespace, led to one listening socket by a program of the
kernel (`BPF_PROG_TYPE_SK_LOOKUP`, Linux 5.9): whatever port a program of the container holds, it is not in the way."""

import ctypes
import os
import socket
import struct
from typing import Final

from metanode.docklock.mesh.names import BITS, FIRST
from metanode.host.runtimes.shim.syscalls import NUMBERS

_MAP_CREATE: Final = 0
_MAP_UPDATE_ELEM: Final = 2
_PROG_LOAD: Final = 5
_LINK_CREATE: Final = 28
_SOCKMAP: Final = 15
_SK_LOOKUP: Final = 30
"""The type of the program."""
_ATTACH_SK_LOOKUP: Final = 36
_LOOK_UP: Final = 1
_RELEASE: Final = 86
_ASSIGN: Final = 124
"""Helpers: bpf_map_lookup_elem, bpf_sk_release, bpf_sk_assign."""
_TCP: Final = 6
_ATTRIBUTE_BYTES: Final = 120
"""As large as the commands used here want it; what is not named is zero."""

_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def _bpf(command: int, attribute: bytes) -> int:
    """One call; its file. Raises `OSError`."""
    if "bpf" not in NUMBERS:
        raise OSError(38, os.strerror(38), "bpf")
    data = ctypes.create_string_buffer(attribute.ljust(_ATTRIBUTE_BYTES, b"\0"), _ATTRIBUTE_BYTES)
    call = (ctypes.c_long(NUMBERS["bpf"]), ctypes.c_long(command), data, ctypes.c_long(_ATTRIBUTE_BYTES))
    result = int(_LIBC.syscall(*call))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), f"bpf {command}")
    return result


def _step(code: int, target: int, source: int = 0, offset: int = 0, value: int = 0) -> bytes:
    return struct.pack("<BBhi", code, target | source << 4, offset, value)


def program(map_file: int) -> bytes:
    """The program: TCP over IPv4 to an address of the mesh gets the socket at place 0 of the map, or nothing; the rest
    goes its way. The fields of `struct bpf_sk_lookup` it reads: family at 8, protocol at 12, local_ip4 at 40."""
    return b"".join(
        (
            _step(0xBF, 6, 1),  # r6 = the context
            _step(0x61, 2, 6, 8),  # r2 = family
            _step(0x55, 2, 0, 24, socket.AF_INET),  # else: pass
            _step(0x61, 2, 6, 12),  # r2 = protocol
            _step(0x55, 2, 0, 22, _TCP),
            _step(0x61, 2, 6, 40),  # r2 = local address, in the order of the wire
            _step(0xDC, 2, 0, 0, 32),  # …in that of this machine
            _step(0x77, 2, 0, 0, BITS),
            _step(0x55, 2, 0, 18, FIRST >> BITS),
            _step(0x62, 10, 0, -4, 0),  # the key: 0
            _step(0xBF, 2, 10),
            _step(0x07, 2, 0, 0, -4),
            _step(0x18, 1, 1, 0, map_file),  # r1 = the map, in two slots
            _step(0x00, 0),
            _step(0x85, 0, 0, 0, _LOOK_UP),
            _step(0x15, 0, 0, 9, 0),  # none: drop
            _step(0xBF, 7, 0),
            _step(0xBF, 1, 6),
            _step(0xBF, 2, 0),
            _step(0xB7, 3, 0, 0, 0),
            _step(0x85, 0, 0, 0, _ASSIGN),
            _step(0xBF, 6, 0),  # r6 = whether that failed
            _step(0xBF, 1, 7),
            _step(0x85, 0, 0, 0, _RELEASE),
            _step(0x15, 6, 0, 2, 0),  # assigned: pass
            _step(0xB7, 0, 0, 0, 0),  # drop
            _step(0x95, 0),
            _step(0xB7, 0, 0, 0, 1),  # pass
            _step(0x95, 0),
        )
    )


def _load(map_file: int) -> int:
    code, licence = program(map_file), b"GPL\0"
    held = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(licence, len(licence))
    steps, terms = (ctypes.addressof(one) for one in held)
    attribute = struct.pack("<IIQQIIQII16sII", _SK_LOOKUP, len(code) // 8, steps, terms, 0, 0, 0, 0, 0, b"mesh", 0, 36)
    return _bpf(_PROG_LOAD, attribute)


def steer(listener: socket.socket, namespace: int) -> int:
    """Lead them to a listening socket of that namespace, for as long as the returned file is open. Raises `OSError`
    where this kernel or this process cannot."""
    made: list[int] = []
    try:
        made.append(_bpf(_MAP_CREATE, struct.pack("<IIIII", _SOCKMAP, 4, 8, 1, 0)))
        key, value = ctypes.c_uint32(0), ctypes.c_uint64(listener.fileno())
        places = struct.pack("<IIQQQ", made[0], 0, ctypes.addressof(key), ctypes.addressof(value), 0)
        _bpf(_MAP_UPDATE_ELEM, places)
        made.append(_load(made[0]))
        return _bpf(_LINK_CREATE, struct.pack("<IIII", made[1], namespace, _ATTACH_SK_LOOKUP, 0))
    finally:
        for file in made:
            os.close(file)
