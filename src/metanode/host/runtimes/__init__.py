"""Containers on this machine: one plan, one protocol of drivers, and the shim that is the parent of what runs."""
