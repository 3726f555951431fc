"""Images and archives made for tests, by Python's own tar writer: a second opinion on the format."""

import gzip
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from metanode.docklock.images.manifests import Platform
from metanode.host.blobs import BlobStore
from metanode.host.disk import Disk
from metanode.host.images.store import ImageStore

MACHINE = Platform("linux", "amd64", "v1")
OCI = "application/vnd.oci.image."
Member = tuple[tarfile.TarInfo, bytes]


def file(name: str, data: bytes = b"", **more: Any) -> Member:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def folder(name: str, mode: int = 0o755, **more: Any) -> Member:
    return file(name, type=tarfile.DIRTYPE, mode=mode, **more)


def symlink(name: str, target: str, **more: Any) -> Member:
    return file(name, type=tarfile.SYMTYPE, linkname=target, **more)


def hard_link(name: str, target: str) -> Member:
    return file(name, type=tarfile.LNKTYPE, linkname=target)


def special(name: str, kind: bytes) -> Member:
    return file(name, type=kind, devmajor=1, devminor=3)


def tar(members: Iterable[Member], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def hexed(data: bytes) -> str:
    return sha256(data).hexdigest()


@dataclass
class Made:
    """One image: its blobs by digest digits, the manifest, what was asked for."""

    layers: list[bytes]
    config: dict[str, object]
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifest: bytes = b""

    def keep(self, data: bytes) -> str:
        self.blobs[hexed(data)] = data
        return f"sha256:{hexed(data)}"

    @property
    def digest(self) -> str:
        return f"sha256:{hexed(self.manifest)}"

    @property
    def config_bytes(self) -> bytes:
        return json.dumps(self.config).encode()

    def descriptor(self, **more: Any) -> dict[str, object]:
        return {"mediaType": OCI + "manifest.v1+json", "digest": self.digest, "size": len(self.manifest), **more}


def image(
    *layers: bytes,
    packed: bool = True,
    run: dict[str, object] | None = None,
    architecture: str = "amd64",
    change: Callable[[dict[str, object]], None] = lambda _: None,
) -> Made:
    """An image of these layers (tars). `change`: what is done to the manifest before it is written."""
    diff_ids = [f"sha256:{hexed(layer)}" for layer in layers]
    config: dict[str, object] = {
        "architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "config": run or {}, "history": [{"created_by": "tests"}],
    }  # fmt: skip
    made = Made(list(layers), config)
    kind = OCI + "layer.v1.tar" + ("+gzip" if packed else "")
    described = []
    for layer in layers:
        data = gzip.compress(layer, 1, mtime=0) if packed else layer
        described.append({"mediaType": kind, "digest": made.keep(data), "size": len(data)})
    manifest: dict[str, object] = {
        "schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "layers": described,
        "config": {
            "mediaType": OCI + "config.v1+json", "digest": made.keep(made.config_bytes),
            "size": len(made.config_bytes),
        },
    }  # fmt: skip
    change(manifest)
    made.manifest = json.dumps(manifest).encode()
    made.keep(made.manifest)
    return made


def index(*tops: dict[str, object]) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": list(tops)}).encode()


def layout(made: Made, *tops: dict[str, object], more: Iterable[Member] = ()) -> list[Member]:
    """The files of an OCI layout; without `tops`, of this one image named `shop/web:1`."""
    named = made.descriptor(annotations={"org.opencontainers.image.ref.name": "shop/web:1"})
    return [
        file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'),
        folder("blobs/"), folder("blobs/sha256/"),
        *(file(f"blobs/sha256/{name}", data) for name, data in made.blobs.items()),
        *more,
        file("index.json", index(*(tops or (named,)))),
    ]  # fmt: skip


def saved(made: Made, *, names: tuple[str, ...] = ("shop/web:1",)) -> list[Member]:
    """What `docker save` wrote before version 25: a folder a layer, links for layers that are there twice."""
    members: list[Member] = []
    paths: list[str] = []
    seen: dict[str, str] = {}
    for number, layer in enumerate(made.layers):
        name = f"{number:064x}"
        members += [folder(name + "/"), file(f"{name}/VERSION", b"1.0"), file(f"{name}/json", b"{}")]
        if hexed(layer) in seen:
            members.append(symlink(f"{name}/layer.tar", f"../{seen[hexed(layer)]}/layer.tar"))
        else:
            members.append(file(f"{name}/layer.tar", layer))
            seen[hexed(layer)] = name
        paths.append(f"{name}/layer.tar")
    config = hexed(made.config_bytes) + ".json"
    rows = [{"Config": config, "RepoTags": list(names) or None, "Layers": paths}]
    return [*members, file(config, made.config_bytes), file("manifest.json", json.dumps(rows).encode())]


class Unsynced(Disk):
    """The disk without waiting for it: what is durable when is tested where it is the question."""

    def sync(self, file: int) -> None:
        pass

    def sync_folder(self, path: Path) -> None:
        pass


def blob_store(path: Path, quota: int = 1 << 40) -> BlobStore:
    return BlobStore(path / "store", Unsynced(), os.urandom, quota)


def image_store(path: Path, quota: int = 1 << 40, boot: str = "this life") -> ImageStore:
    return ImageStore(blob_store(path, quota), MACHINE, boot)
