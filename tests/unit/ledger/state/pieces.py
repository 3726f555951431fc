"""Which pairs belong to which piece of the state: said once more, simply, for tests."""

from collections.abc import Iterable

from metanode.ledger.state.nodes import key_path


def pairs_under(pairs: Iterable[tuple[bytes, bytes]], prefix: bytes) -> list[tuple[bytes, bytes]]:
    """Those whose keys' paths begin with these nibbles, one a byte."""

    def nibbles(key: bytes) -> bytes:
        return bytes(half for byte in key_path(key) for half in (byte >> 4, byte & 15))

    return [(key, value) for key, value in pairs if nibbles(key).startswith(prefix)]
