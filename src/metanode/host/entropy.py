"""Chance: the operating system's, and nothing else's."""

import secrets


def random_bytes(count: int) -> bytes:
    """So many fresh bytes of the operating system's generator."""
    return secrets.token_bytes(count)
