"""Documents of an image: descriptors, manifests, indexes, the files of a layout, what `docker save` adds."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

import msgspec

from metanode.docklock.images.digests import Digest, parse_digest
from metanode.docklock.images.refusals import ImageRefusal
from metanode.primitives.refusal import Rejected

DOCUMENT_BYTES_MAX: Final = 4 << 20
"""Longest manifest or index: the limit that the distribution specification asks registries to keep."""
LAYERS_MAX: Final = 127
"""Most layers of an image: what the overlay drivers of container engines take."""
INDEX_ENTRIES_MAX: Final = 256
"""Most images of an index; those with the most platforms and their attestations have some thirty."""
INDEX_DEPTH_MAX: Final = 3
"""Indexes within indexes: an archive's own, that of an image of many platforms, and one more."""
BLOB_BYTES_MAX: Final = 16 << 30
"""Largest blob that a descriptor may name."""
SAVED_IMAGES_MAX: Final = 256
"""Most images of one archive."""

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_GZIP: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"

MANIFESTS: Final = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEXES: Final = (OCI_INDEX, DOCKER_LIST)
CONFIGS: Final = (OCI_CONFIG, DOCKER_CONFIG)
PLAIN_LAYERS: Final = (OCI_LAYER, DOCKER_LAYER)
GZIP_LAYERS: Final = (OCI_LAYER_GZIP, DOCKER_LAYER_GZIP)
REF_NAME: Final = "org.opencontainers.image.ref.name"
CONTAINERD_NAME: Final = "io.containerd.image.name"
"""Annotations of a layout's index that hold an image's name: the specification's, and that of containerd and Docker."""
LAYOUT: Final = b'{"imageLayoutVersion":"1.0.0"}'
"""The file `oci-layout`."""

Shape = TypeVar("Shape")
_Text = Annotated[str, msgspec.Meta(max_length=4096)]
_Texts = Annotated[dict[_Text, _Text], msgspec.Meta(max_length=1024)]


@dataclass(frozen=True, slots=True)
class Platform:
    """What an image runs on, in the words of Go: `linux`, `amd64`, and where it matters a variant such as `v7`."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """IMG-2. What names content: media type, digest and size in bytes, and what is said about it."""

    media_type: str
    digest: Digest
    size: int
    annotations: tuple[tuple[str, str], ...] = ()
    platform: Platform | None = None

    def annotation(self, name: str) -> str:
        """The annotation of this name, or an empty text."""
        return dict(self.annotations).get(name, "")


@dataclass(frozen=True, slots=True)
class Manifest:
    """IMG-3. One image of one platform: its configuration and its layers, lowest first."""

    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Index:
    """IMG-4. A choice of images, most often one a platform."""

    media_type: str
    manifests: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True)
class SavedImage:
    """One image of the file `manifest.json` that `docker save` writes: paths within the archive, and names."""

    config: str
    layers: tuple[str, ...]
    names: tuple[str, ...]


class _Platform(msgspec.Struct, frozen=True):
    os: _Text
    architecture: _Text
    variant: _Text = ""


class _Descriptor(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    media_type: _Text
    digest: _Text
    size: Annotated[int, msgspec.Meta(ge=0, le=BLOB_BYTES_MAX)]
    annotations: _Texts | None = None
    platform: _Platform | None = None


class _Layers(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """A manifest as JSON. What only other documents have must not be there: two readers would see two things."""

    schema_version: int
    media_type: _Text = ""
    config: _Descriptor
    layers: tuple[_Descriptor, ...]
    annotations: _Texts | None = None
    manifests: msgspec.UnsetType = msgspec.UNSET
    fs_layers: msgspec.UnsetType = msgspec.UNSET


class _Manifests(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """An index as JSON; the same of it."""

    schema_version: int
    media_type: _Text = ""
    manifests: tuple[_Descriptor, ...]
    config: msgspec.UnsetType = msgspec.UNSET
    layers: msgspec.UnsetType = msgspec.UNSET
    fs_layers: msgspec.UnsetType = msgspec.UNSET


class _Layout(msgspec.Struct, frozen=True, rename="camel"):
    image_layout_version: _Text


class _Saved(msgspec.Struct, frozen=True, rename="pascal"):
    config: _Text
    layers: Annotated[tuple[_Text, ...], msgspec.Meta(max_length=LAYERS_MAX)]
    repo_tags: Annotated[tuple[_Text, ...], msgspec.Meta(max_length=1024)] | None = None


def decode_json(data: bytes, kind: Any, what: str, bytes_max: int = DOCUMENT_BYTES_MAX) -> Any:
    """IMG-2. A document of a shape, within a limit; fields that the shape does not know are ignored, as the OCI
    specifications demand.
    """
    if len(data) > bytes_max:
        raise Rejected(ImageRefusal.TOO_LARGE, f"{what}: {len(data)} bytes, at most {bytes_max}")
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Rejected(ImageRefusal.MALFORMED, f"{what}: {error}") from None


def decode_manifest(data: bytes, media_type: str) -> Manifest:
    """IMG-3. The manifest that a descriptor, or a registry, calls `media_type`."""
    found: _Layers = decode_json(data, _Layers, "manifest")
    _check_kind(found.schema_version, found.media_type, media_type, MANIFESTS, "manifest")
    if len(found.layers) > LAYERS_MAX:
        raise Rejected(ImageRefusal.TOO_MANY_LAYERS, f"{len(found.layers)} layers, at most {LAYERS_MAX}")
    layers = tuple(_descriptor(one) for one in found.layers)
    return Manifest(media_type, _descriptor(found.config), layers, _sorted(found.annotations))


def check_runnable(manifest: Manifest) -> None:
    """IMG-3. Refuse what is no image to run: another configuration, layers that are not plain or gzip tar."""
    if manifest.config.media_type not in CONFIGS:
        detail = f"its configuration is {manifest.config.media_type[:80]!r}, an image has one of {', '.join(CONFIGS)}"
        raise Rejected(ImageRefusal.UNSUPPORTED_MEDIA, detail)
    for number, layer in enumerate(manifest.layers):
        if layer.media_type.endswith(("+zstd", ".zstd")):
            detail = f"layer {number} is compressed by zstd: build or convert the image with gzip layers"
            raise Rejected(ImageRefusal.COMPRESSION, detail)
        if layer.media_type not in (*PLAIN_LAYERS, *GZIP_LAYERS):
            detail = f"layer {number} is {layer.media_type[:80]!r}, not a tar or a gzip tar that comes with the image"
            raise Rejected(ImageRefusal.UNSUPPORTED_MEDIA, detail)


def decode_index(data: bytes, media_type: str) -> Index:
    """IMG-4. The index that a descriptor, a layout, or a registry, calls `media_type`."""
    found: _Manifests = decode_json(data, _Manifests, "index")
    _check_kind(found.schema_version, found.media_type, media_type, INDEXES, "index")
    if len(found.manifests) > INDEX_ENTRIES_MAX:
        detail = f"an index of {len(found.manifests)} images, at most {INDEX_ENTRIES_MAX}"
        raise Rejected(ImageRefusal.TOO_LARGE, detail)
    return Index(media_type, tuple(_descriptor(one) for one in found.manifests))


def decode_layout(data: bytes) -> None:
    """IMG-12. The file `oci-layout`: version 1.0.0, or it is refused."""
    found: _Layout = decode_json(data, _Layout, "oci-layout", 4096)
    if found.image_layout_version != "1.0.0":
        detail = f"a layout of version {found.image_layout_version[:40]!r}, known is 1.0.0"
        raise Rejected(ImageRefusal.ARCHIVE_UNKNOWN, detail)


def decode_saved(data: bytes) -> tuple[SavedImage, ...]:
    """IMG-13. The file `manifest.json` that `docker save` writes."""
    found: tuple[_Saved, ...] = decode_json(data, tuple[_Saved, ...], "manifest.json")
    if len(found) > SAVED_IMAGES_MAX:
        raise Rejected(ImageRefusal.TOO_LARGE, f"manifest.json: {len(found)} images, at most {SAVED_IMAGES_MAX}")
    return tuple(SavedImage(one.config, one.layers, one.repo_tags or ()) for one in found)


def encode_manifest(manifest: Manifest) -> bytes:
    """IMG-13. A manifest as JSON: the same value, the same bytes, so the same digest on every node."""
    made = _Layers(
        schema_version=2,
        media_type=manifest.media_type,
        config=_plain(manifest.config),
        layers=tuple(_plain(layer) for layer in manifest.layers),
        annotations=dict(manifest.annotations) or None,
    )
    return msgspec.json.encode(made)


def encode_index(manifests: tuple[Descriptor, ...]) -> bytes:
    """IMG-14. An OCI index as JSON."""
    made = _Manifests(schema_version=2, media_type=OCI_INDEX, manifests=tuple(_plain(one) for one in manifests))
    return msgspec.json.encode(made)


def encode_saved(images: tuple[SavedImage, ...]) -> bytes:
    """IMG-14. The file `manifest.json` for `docker load`."""
    return msgspec.json.encode([_Saved(one.config, one.layers, one.names) for one in images])


def _check_kind(version: int, said: str, called: str, kinds: tuple[str, ...], what: str) -> None:
    """The schema is 2, and whoever names the document and the document itself agree on what it is."""
    if called not in kinds:
        raise Rejected(ImageRefusal.UNSUPPORTED_MEDIA, f"{called[:80]!r} is no {what}, but {' or '.join(kinds)} is")
    if version != 2:
        raise Rejected(ImageRefusal.UNSUPPORTED_MEDIA, f"{what} of schema {version}, known is 2")
    if said not in ("", called):
        raise Rejected(ImageRefusal.MALFORMED, f"called {called}, but it says it is {said[:80]!r}")


def _descriptor(found: _Descriptor) -> Descriptor:
    platform = found.platform
    return Descriptor(
        found.media_type,
        parse_digest(found.digest),
        found.size,
        _sorted(found.annotations),
        Platform(platform.os, platform.architecture, platform.variant) if platform is not None else None,
    )


def _plain(descriptor: Descriptor) -> _Descriptor:
    platform = descriptor.platform
    return _Descriptor(
        media_type=descriptor.media_type,
        digest=str(descriptor.digest),
        size=descriptor.size,
        annotations=dict(descriptor.annotations) or None,
        platform=_Platform(platform.os, platform.architecture, platform.variant) if platform is not None else None,
    )


def _sorted(annotations: dict[str, str] | None) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((annotations or {}).items()))
