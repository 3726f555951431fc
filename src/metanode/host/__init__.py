"""The only contact with the world: loop, clock, sockets, HTTP, disk, keys, logs, metrics, settings."""
