"""Narrow names for the numbers and hashes of the protocol."""

from typing import NewType

Height = NewType("Height", int)
"""Position of a block in the chain; genesis is height 0, the first block is height 1."""
Round = NewType("Round", int)
"""Attempt at one height, from 0."""
Seat = NewType("Seat", int)
"""Index of a validator in the ordered set of one height, from 0."""
Millis = NewType("Millis", int)
"""Milliseconds: of Unix time for instants, of duration for `_ms` periods."""
Hash = NewType("Hash", bytes)
"""A 32-byte SHA-256 digest under a tag."""
Address = NewType("Address", bytes)
"""The 20 bytes that name an account."""

NO_HASH = Hash(bytes(32))
"""Where a hash is due and there is nothing to hash (parent of genesis, nothing prepared)."""
