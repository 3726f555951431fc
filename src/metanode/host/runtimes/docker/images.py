"""Roots of containers as images of the engine: given to it, known by the digests of their layers, never pulled."""

import asyncio
import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, cast

from metanode.host.runtimes.docker.answers import ImageInspected, ImageListed
from metanode.host.runtimes.docker.api import EngineApi, EngineSays
from metanode.host.runtimes.docker.place import EngineImage, Source
from metanode.host.runtimes.plan import HOST_USR
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim import root
from metanode.primitives.refusal import Rejected

PIECE_BYTES: Final = 1 << 20
"""One read of an archive."""
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


class EngineImages:
    """DOCKER-4. What an agent has given to its engine. `folder`: for archives while they are given."""

    def __init__(self, api: EngineApi, folder: Path, key: str, machine: str, source: Source) -> None:
        self._api: Final = api
        self._folder: Final = folder
        self._repository: Final = f"localhost/metanode-{key}"
        self._architecture: Final = _ARCHITECTURES.get(machine, machine)
        self._source: Final = source
        self._known: Final[dict[str, str]] = {}
        self._lock: Final = asyncio.Lock()

    async def ready(self, place: str) -> str:
        """The id of the engine's image of a root, given to it now where it has none. Raises `Rejected`."""
        async with self._lock:
            if place in self._known and await self._find(self._known[place]) is not None:
                return self._known[place]
            image = self._source(place) if place != HOST_USR else None
            if image is not None:
                self._known[place] = await self._given(image)
            else:
                with tempfile.TemporaryFile(dir=self._folder) as layer:
                    packed = await asyncio.to_thread(self._packed, place, cast("BinaryIO", layer))
                    self._known[place] = await self._given(packed)
            return self._known[place]

    async def _given(self, image: EngineImage) -> str:
        rootfs = {"type": "layers", "diff_ids": image.layers}
        described = {"architecture": self._architecture, "config": {}, "os": "linux", "rootfs": rootfs}
        config = json.dumps(described).encode()
        name = f"{self._repository}:{hashlib.sha256(config).hexdigest()}"
        found = await self._find(name)
        if found is None:
            with tempfile.TemporaryFile(dir=self._folder) as archive:
                await asyncio.to_thread(image.write, cast("BinaryIO", archive), name, config)
                archive.seek(0)
                try:
                    await self._api.load(_pieces(cast("BinaryIO", archive)))
                except EngineSays as said:
                    raise Rejected(RuntimeRefusal.SETUP_FAILED, f"an image is not taken: {said.words}") from None
            found = await self._find(name)
        if found is None or found.root.layers != image.layers:
            made_of = "nothing" if found is None else " ".join(found.root.layers)
            raise Rejected(RuntimeRefusal.ENGINE_ANSWER, f"{name} is of {made_of[:200]}")
        return found.id

    async def _find(self, name: str) -> ImageInspected | None:
        try:
            return await self._api.asked(ImageInspected, "GET", f"/images/{name}/json")
        except EngineSays as said:
            if said.status == 404:
                return None
            raise Rejected(RuntimeRefusal.SETUP_FAILED, said.words) from None

    async def sweep(self) -> None:
        """Take away those of this agent that no container is of: the engine keeps the others."""
        filters = json.dumps({"reference": [f"{self._repository}:*"]})
        for image in await self._api.asked(list[ImageListed], "GET", "/images/json", filters=filters):
            for name in image.repo_tags or ():
                if name.startswith(f"{self._repository}:"):
                    with suppress(EngineSays):
                        await self._api.call("DELETE", f"/images/{name}")

    def _packed(self, place: str, layer: BinaryIO) -> EngineImage:
        """A folder as an image of one layer; the layer is written to a file."""
        if place != HOST_USR:
            return packed(Path(place), layer)
        with tempfile.TemporaryDirectory(dir=self._folder) as made:
            Path(made).chmod(0o755)
            root.fill_host_root(Path(made))
            for path in (*Path(made).rglob("*"), Path(made)):
                os.utime(path, (0, 0), follow_symlinks=False)  # the same image, whenever it is made
            return packed(Path(made), layer)


class _Hashing:
    """A file that is hashed while it is written."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._out.write(data)


def packed(folder: Path, layer: BinaryIO) -> EngineImage:
    """A folder as an image of one layer, which is written to a file. Equal folders make equal images."""
    hashing = _Hashing(layer)
    with tarfile.open(mode="w|", fileobj=cast("BinaryIO", hashing), format=tarfile.PAX_FORMAT) as tar:
        tar.add(folder, ".", recursive=False, filter=_plain)
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name, filter=_plain)
    digest = hashing.digest.hexdigest()

    def write(out: BinaryIO, name: str, config: bytes) -> None:
        described = f"{hashlib.sha256(config).hexdigest()}.json"
        saved = [{"Config": described, "RepoTags": [name], "Layers": [f"{digest}.tar"]}]
        with tarfile.open(mode="w", fileobj=out, format=tarfile.PAX_FORMAT) as tar:
            for entry, data in ((described, config), ("manifest.json", json.dumps(saved).encode())):
                tar.addfile(_entry(entry, len(data)), io.BytesIO(data))
            size = layer.tell()
            layer.seek(0)
            tar.addfile(_entry(f"{digest}.tar", size), layer)

    return EngineImage((f"sha256:{digest}",), write)


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Without names of users, which are the host's, fractions of seconds, and what is neither file, folder nor link."""
    if not (entry.isreg() or entry.isdir() or entry.issym() or entry.islnk()):
        return None
    entry.uname = entry.gname = ""
    entry.mtime = int(entry.mtime)
    return entry


def _pieces(archive: BinaryIO) -> Iterator[bytes]:
    while piece := archive.read(PIECE_BYTES):
        yield piece
