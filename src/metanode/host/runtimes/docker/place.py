"""Where an engine is, and what is given to it. Stands on nothing of the package `docker`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class EngineImage:
    """An image as it is given to an engine: layers alone, for all else is said with each container. `layers`: their
    digests, not compressed; `write`: its archive, as `docker save` writes them, with this name and configuration."""

    layers: tuple[str, ...]
    write: Callable[[BinaryIO, str, bytes], object]


Source = Callable[[str], EngineImage | None]
"""The image whose root a folder is, where the node's store knows it."""


def no_image(_: str) -> None:
    """The source of a node without a store of images."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an engine is: `folder` is the agent's own, for logs, labels and what is handed to the engine."""

    engine: str
    socket: Path
    folder: Path
    source: Source = no_image
