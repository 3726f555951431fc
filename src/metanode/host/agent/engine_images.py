"""The store's images as an engine takes them that keeps images itself."""

from functools import partial
from pathlib import Path

from metanode.host.images.exporting import export_layers
from metanode.host.images.store import ImageStore
from metanode.host.runtimes.docker.place import EngineImage, Source


def from_store(images: ImageStore) -> Source:
    """DOCKER-4. The image of an unpacked root: its folder is called by the digest of its chain of layers."""

    def found(root: str) -> EngineImage | None:
        chain = Path(root).parent.name.partition("-")[0]
        for image in images.list():
            if image.chain.hex == chain:
                layers = images.show(str(image.digest)).config.diff_ids
                write = partial(export_layers, images, str(image.digest))
                return EngineImage(tuple(str(layer) for layer in layers), write)
        return None

    return found
