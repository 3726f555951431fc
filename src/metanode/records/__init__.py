"""The values everyone speaks of: their bytes, their digests and the checks that need no context."""
