"""Images on a machine: stored by digest, read from archives and registries, unpacked for containers."""
