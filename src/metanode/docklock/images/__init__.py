"""What an image is: documents, layers as safe plans, signatures. Pure; the host reads, stores and unpacks."""

from metanode.docklock.images.configs import ImageConfig, Run
from metanode.docklock.images.digests import Digest, digest_of, parse_digest
from metanode.docklock.images.manifests import Platform
from metanode.docklock.images.references import Reference, parse_reference
from metanode.docklock.images.refusals import ImageRefusal, RegistryRefusal

__all__ = [
    "Digest",
    "ImageConfig",
    "ImageRefusal",
    "Platform",
    "Reference",
    "RegistryRefusal",
    "Run",
    "digest_of",
    "parse_digest",
    "parse_reference",
]
