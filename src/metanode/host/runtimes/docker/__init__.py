"""Containers by an engine that is reached over the Docker Engine API: dockerd, or podman's service."""
