"""The images of a node: unpacked for containers, taken in from people, fetched by digest from the other agents."""

import os
import threading
from collections.abc import Iterator
from typing import Final

import msgspec

from metanode.docklock.images.digests import Digest
from metanode.docklock.images.manifests import DOCUMENT_BYTES_MAX, Descriptor
from metanode.docklock.images.refusals import ImageRefusal
from metanode.host.agent.content import Content
from metanode.host.agent.planning import Unpacked
from metanode.host.images.catalogue import Image
from metanode.host.images.gather import Origin
from metanode.host.images.store import ImageDetail, ImageStore, Swept
from metanode.host.images.tree import KeepOwners, OneOwner
from metanode.host.leases import Lease
from metanode.primitives.refusal import Rejected
from metanode.records.workload import SPEC_BYTES_MAX, WORKLOAD_SPECS

USUAL_MEDIA_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
"""Of a document that does not say what it is: the image specification lets manifests leave it out."""

OTHER_AGENTS: Final = "the other agents of the cluster"
"""Where an image came from, as its receipt says."""


class _Typed(msgspec.Struct, frozen=True, rename="camel"):
    media_type: str = USUAL_MEDIA_TYPE


class _Others(Origin):
    """Whatever is missing may be with another agent."""

    def __init__(self, content: Content) -> None:
        self._content: Final = content

    def fetch(self, part: Descriptor, lease: Lease) -> None:  # noqa: ARG002 - the store's own lease holds it
        """Get it where somebody has it; what comes is compared with its digest."""
        self._content.have(part.digest, part.size)


class NodeImages:
    """IMG-16. What containers of this node are made of."""

    def __init__(self, store: ImageStore, content: Content) -> None:
        self._store: Final = store
        self._content: Final = content
        self._owners: Final = KeepOwners() if os.geteuid() == 0 else OneOwner()
        self._leases: Final[dict[bytes, Lease]] = {}
        self._before: Lease | None = store.blobs.leases.lease(*store.root_keys())
        self._lock: Final = threading.Lock()

    def list(self) -> tuple[Image, ...]:
        """All that are here."""
        return self._store.list()

    def add(self, top: Descriptor, names: tuple[str, ...]) -> Image:
        """Take in an image of which all parts are here, or with another agent. Raises `Rejected`."""
        with self._lock, self._store.blobs.leases.lease() as lease:
            return self._store.add(top, _Others(self._content), names, lease)

    def unpacked(self, image: bytes) -> Unpacked:
        """IMG-26. The root of an image by its digest; fetched from the other agents where it is not here. Raises
        `Rejected`."""
        digest = Digest(image.hex())
        source = ""
        if all(digest not in (one.digest, one.manifest) for one in self._store.list()):
            self.add(self._described(digest), ())
            source = OTHER_AGENTS
        with self._lock:
            detail = self._store.show(str(digest))
            if image not in self._leases:
                self._leases[image] = self._store.blobs.leases.lease()
            root = self._store.root(detail.image, self._owners, self._leases[image])
        return Unpacked(str(root.files), detail.config.run, source)

    def show(self, digest: str) -> ImageDetail:
        """An image with its documents. Raises `Rejected`."""
        return self._store.show(digest)

    def check(self, digest: str) -> tuple[int, int]:
        """IMG-15. Read all content of an image again and compare it; how many parts and bytes. Raises `Fault`."""
        image = self._store.find(digest)
        for part in image.parts:
            self._store.blobs.check(part)
        return len(image.parts), image.size

    def remove(self, digest: str, name: str, using: frozenset[bytes]) -> tuple[str, ...]:
        """Forget an image, or only a name of it; the names that it has left. Raises `Rejected` where containers here
        are made of it."""
        image = self._store.find(digest)
        left = tuple(one for one in image.names if one != name) if name else ()
        if not left and {image.digest.raw, image.manifest.raw} & using:
            raise Rejected(ImageRefusal.IN_USE, f"containers of this node are made of {image.digest}")
        with self._lock:
            self._store.remove(name if left else str(image.digest))
        return left

    def collect(self, using: frozenset[bytes]) -> Swept:
        """IMG-17. Take away what belongs to no image and no container. Specifications stay: other nodes ask for them.
        What was unpacked before this agent began stays as long as any container here is made of an image."""
        with self._lock:
            for image in [one for one in self._leases if one not in using]:
                self._leases.pop(image).close()
            if not using and self._before is not None:
                self._before.close()
                self._before = None
            with self._store.blobs.leases.lease(*self._specifications()):
                return self._store.collect()

    def _specifications(self) -> Iterator[str]:
        """The digests of what is a specification."""
        for stored in self._store.blobs.list():
            if stored.size <= SPEC_BYTES_MAX:
                try:
                    WORKLOAD_SPECS.decode(self._store.blobs.read(stored.digest, SPEC_BYTES_MAX))
                except Rejected:
                    continue
                yield str(stored.digest)

    def _described(self, digest: Digest) -> Descriptor:
        """What a digest names, told by the document itself."""
        if not self._content.have(digest, DOCUMENT_BYTES_MAX):
            raise Rejected(ImageRefusal.MISSING_BLOB, f"no agent of the cluster has {digest}")
        data = self._store.blobs.read(digest, DOCUMENT_BYTES_MAX)
        try:
            media_type = msgspec.json.decode(data, type=_Typed).media_type
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Rejected(ImageRefusal.MALFORMED, f"{digest}: {error}") from None
        return Descriptor(media_type, digest, len(data))
