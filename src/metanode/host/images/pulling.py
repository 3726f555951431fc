"""Images from a registry into the store, and from the store into a registry; and who has signed them."""

from metanode.docklock.images.digests import Digest
from metanode.docklock.images.manifests import INDEXES, MANIFESTS, Descriptor, decode_manifest
from metanode.docklock.images.references import Reference
from metanode.docklock.images.refusals import RegistryRefusal
from metanode.docklock.images.signatures import PAYLOAD_BYTES_MAX, cosign_layers, cosign_tag
from metanode.host.blobs import BlobStore
from metanode.host.images.catalogue import Image
from metanode.host.images.gather import Origin
from metanode.host.images.registry import Registry
from metanode.host.images.store import ImageStore
from metanode.host.leases import Lease
from metanode.primitives.refusal import Rejected
from metanode.records.image_policy import ImageSignature


class _Remote(Origin):
    """The parts of one image in a registry. The document that was asked for by name is here already."""

    def __init__(self, store: BlobStore, registry: Registry, name: str, first: tuple[Descriptor, bytes]) -> None:
        self._store = store
        self._registry = registry
        self._name = name
        self._first = first

    def fetch(self, part: Descriptor, lease: Lease) -> None:
        """One part, its digest compared as it is stored."""
        top, data = self._first
        if part.digest == top.digest:
            self._store.put([data], top.size, top.digest, lease)
        elif part.media_type in (*MANIFESTS, *INDEXES):
            found, data = self._registry.manifest(self._name, str(part.digest))
            self._store.put([data], found.size, part.digest, lease)
        else:
            self._store.put(self._registry.blob(self._name, part), part.size, part.digest, lease)


def pull(images: ImageStore, registry: Registry, reference: Reference) -> Image:
    """IMG-23. Have an image by its digest, or by a tag, which becomes a local name for the digest it stands for now."""
    wanted = str(reference.digest) if reference.digest is not None else reference.tag or "latest"
    with images.blobs.leases.lease() as lease:
        first = registry.manifest(reference.name, wanted)
        origin = _Remote(images.blobs, registry, reference.name, first)
        names = (reference.alias,) if reference.tag or reference.digest is None else ()
        return images.add(first[0], origin, names, lease)


def push(images: ImageStore, registry: Registry, text: str, name: str, tag: str) -> Image:
    """IMG-25. Send an image that is here to a registry. Of an image of many platforms the registry must have the
    others already: an index is taken only when all it names is there.
    """
    image = images.find(text)
    with images.blobs.leases.lease() as lease:
        found = images.gathered(image, lease)
        for part in (*found.manifest.layers, found.manifest.config):
            with images.blobs.open(part.digest) as content:
                registry.push_blob(name, part, content)
        for document in reversed(found.documents):
            at = tag if document.digest == image.digest else str(document.digest)
            registry.push_manifest(name, at, document.media_type, images.blobs.read(document.digest))
    return image


def signatures(registry: Registry, name: str, image: Digest) -> tuple[ImageSignature, ...]:
    """IMG-20. Cosign's signatures of an image, as its registry holds them; none where it has none. Whose they are and
    whether they are true is for `policy.check` to say.
    """
    try:
        top, data = registry.manifest(name, cosign_tag(image))
    except Rejected as rejected:
        if rejected.reason is RegistryRefusal.UNKNOWN:
            return ()
        raise
    found = []
    for layer, signature in cosign_layers(decode_manifest(data, top.media_type)):
        found.append(ImageSignature(payload=registry.small_blob(name, layer, PAYLOAD_BYTES_MAX), signature=signature))
    return tuple(found)
