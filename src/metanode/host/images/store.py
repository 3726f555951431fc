"""The images of a node: what its users are shown, and what containers are made of."""

from dataclasses import dataclass, replace

from metanode.docklock.images.configs import ImageConfig
from metanode.docklock.images.digests import Digest, chain_id
from metanode.docklock.images.manifests import Descriptor, Manifest, Platform
from metanode.docklock.images.references import parse_reference
from metanode.docklock.images.refusals import ImageRefusal
from metanode.host.blobs import BlobStore
from metanode.host.images.catalogue import Catalogue, Image
from metanode.host.images.gather import Gathered, Nowhere, Origin, gather
from metanode.host.images.roots import Root, Roots
from metanode.host.images.tree import Owners
from metanode.host.leases import Lease
from metanode.host.pins import Pins
from metanode.primitives.refusal import Rejected


@dataclass(frozen=True, slots=True)
class Swept:
    """What a collection took away: blobs, their bytes, unpacked roots."""

    blobs: int
    bytes: int
    roots: int


@dataclass(frozen=True, slots=True)
class ImageDetail:
    """One image with its documents."""

    image: Image
    manifest: Manifest
    config: ImageConfig


class ImageStore:
    """IMG-16. The images of one store, for one kind of machine. `boot`: see `roots`."""

    def __init__(self, blobs: BlobStore, machine: Platform, boot: str) -> None:
        self.blobs = blobs
        self.machine = machine
        self._catalogue = Catalogue(blobs.folder, blobs.disk)
        self._roots = Roots(blobs, boot)
        self.pins = Pins(blobs)

    def list(self) -> tuple[Image, ...]:
        """Every image, by digest. Raises `Fault`."""
        return self._catalogue.read()

    def find(self, text: str) -> Image:
        """IMG-6. The image of a digest (`sha256:…`), of a reference with one, or of a local name. Refused: none."""
        reference = parse_reference(f"image@{text}" if text.startswith("sha256:") else text)
        for image in self.list():
            if reference.digest in (image.digest, image.manifest):
                return image
            if reference.digest is None and reference.alias in image.names:
                return image
        raise Rejected(ImageRefusal.NOT_FOUND, f"no image {text[:200]} here")

    def show(self, text: str) -> ImageDetail:
        """An image with its manifest and configuration."""
        image = self.find(text)
        with self.blobs.leases.lease() as lease:
            gathered = self.gathered(image, lease)
        return ImageDetail(image, gathered.manifest, gathered.config)

    def add(self, top: Descriptor, origin: Origin, names: tuple[str, ...], lease: Lease) -> Image:
        """IMG-16. Gather all parts of an image, each checked, and then enter it: an image that is listed is whole."""
        found = gather(self.blobs, origin, top, self.machine, lease)
        image = Image(
            Descriptor(top.media_type, top.digest, top.size),
            found.manifest_at.digest,
            found.config.platform,
            names,
            found.size,
            chain_id(found.config.diff_ids),
            tuple(part.digest for part in found.parts),
        )
        with self.blobs.leases.alone():
            return self._catalogue.add(image)

    def name(self, text: str, name: str) -> Image:
        """IMG-6. Give an image a further local name."""
        image = self.find(text)
        with self.blobs.leases.alone():
            return self._catalogue.add(replace(image, names=(*image.names, name)))

    def remove(self, text: str) -> Image:
        """Forget an image; or, of one with several names, the name by which it is called here. What nobody needs then
        goes with the next collection.
        """
        image = self.find(text)
        with self.blobs.leases.alone():
            if "@" not in text and not text.startswith("sha256:") and len(image.names) > 1:
                self._catalogue.unname(parse_reference(text).alias)
            else:
                self._catalogue.remove(image.digest)
        return image

    def gathered(self, image: Image, lease: Lease) -> Gathered:
        """All parts of an image that is here, held by the lease."""
        return gather(self.blobs, Nowhere(), image.top, self.machine, lease)

    def root(self, image: Image, owners: Owners, lease: Lease) -> Root:
        """IMG-9. The unpacked root of an image, held by the lease as long as a container needs it."""
        found = self.gathered(image, lease)
        return self._roots.take(found.manifest, found.config, owners, lease)

    def root_keys(self) -> tuple[str, ...]:
        """The unpacked roots that are here, as leases name them."""
        return tuple(self._roots.list())

    def collect(self) -> Swept:
        """IMG-17. Take away content that is of no image, not pinned and not held; then roots; then what crashes left.

        An agent that was restarted takes leases for the containers it adopts before it collects.
        """
        gone = 0

        def kept(held: frozenset[str]) -> frozenset[Digest]:
            nonlocal gone
            images = self.list()
            gone = self._roots.collect(frozenset(image.chain.hex for image in images), held)
            return frozenset(part for image in images for part in image.parts) | frozenset(self.pins.all())

        taken = self.blobs.collect(kept)
        self.blobs.leases.sweep()
        return Swept(taken.blobs, taken.bytes, gone)
