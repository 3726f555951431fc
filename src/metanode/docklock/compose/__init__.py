"""Compose files into workload specifications: text in; specifications, or everything that is wrong, out."""

from metanode.docklock.compose.environment import Outside
from metanode.docklock.compose.findings import ComposeAdvice, ComposeRefusal, Finding
from metanode.docklock.compose.model import HOST_IMAGE, SecretSource
from metanode.docklock.compose.reading import Understood, any_image, understand
from metanode.docklock.compose.translate import Application, Workload

__all__ = [
    "HOST_IMAGE",
    "Application",
    "ComposeAdvice",
    "ComposeRefusal",
    "Finding",
    "Outside",
    "SecretSource",
    "Understood",
    "Workload",
    "any_image",
    "understand",
]
