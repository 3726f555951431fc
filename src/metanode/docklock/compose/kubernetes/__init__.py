"""Workloads as manifests of Kubernetes, for who outgrows his machines."""

from metanode.docklock.compose.kubernetes.manifests import Converted, convert

__all__ = ["Converted", "convert"]
