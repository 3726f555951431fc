"""How fast an image is imported and unpacked, beside `tar` unpacking the same layers, in one run.

python -m bench.images [--megabytes N] [--rounds N] [--json FILE]. Rates are of unpacked bytes.

Import reads the archive once, hashes and stores every blob, and syncs it. Unpack reads the layers back, hashes them
unpacked, and makes the files. `tar` does neither hash nor store nor sync; `tar and sync` waits until its files are on
the disk, as an import does for its blobs.
"""

import gzip
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from hashlib import sha256
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

from bench.kit.report import Report, parser, quantile

from metanode.docklock.images.manifests import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_LAYER_GZIP, OCI_MANIFEST, Platform
from metanode.host.blobs import BlobStore
from metanode.host.disk import Disk
from metanode.host.images.importing import import_archive
from metanode.host.images.roots import this_boot
from metanode.host.images.store import ImageStore
from metanode.host.images.tree import KeepOwners, OneOwner

MIB = 1 << 20
LAYERS = 4


def layer(number: int, size: int) -> bytes:
    """A tar like a layer of programs: many small files, some large ones, bytes that pack about three to one."""
    random = Random(number)
    words = [random.randbytes(24) for _ in range(3000)]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        count = 0
        while out.tell() < size:
            length = random.choice((300, 2_000, 8_000, 8_000, 40_000, 400_000))
            data = b"".join(random.choices(words, k=length // 24 + 1))[:length]
            info = tarfile.TarInfo(f"usr/share/l{number}/d{count // 40}/file{count}")
            info.size = length
            archive.addfile(info, io.BytesIO(data))
            count += 1
    return out.getvalue()


def archive_of(layers: list[bytes], where: Path, *, packed: bool) -> list[Path]:
    """An OCI layout as a tar at `where`, and each layer as a file beside it, as it is in the layout."""
    blobs: dict[str, bytes] = {}

    def described(data: bytes, kind: str) -> dict[str, Any]:
        name = sha256(data).hexdigest()
        blobs[name] = data
        return {"mediaType": kind, "digest": f"sha256:{name}", "size": len(data)}

    diff_ids = [f"sha256:{sha256(one).hexdigest()}" for one in layers]
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    stored = [gzip.compress(one, 6) if packed else one for one in layers]
    kind = OCI_LAYER_GZIP if packed else OCI_LAYER
    manifest = {
        "schemaVersion": 2, "config": described(json.dumps(config).encode(), OCI_CONFIG),
        "layers": [described(one, kind) for one in stored],
    }  # fmt: skip
    top = described(json.dumps(manifest).encode(), OCI_MANIFEST)
    files = {f"blobs/sha256/{name}": data for name, data in blobs.items()}
    files["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
    files["index.json"] = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [top]}).encode()
    with tarfile.open(where, "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    paths = []
    for number, data in enumerate(stored):
        paths.append(where.with_suffix(f".{number}"))
        paths[-1].write_bytes(data)
    return paths


def ours(archive: Path, folder: Path) -> tuple[float, float, int]:
    """Seconds of the import, seconds of unpacking, and how many entries there were."""
    images = ImageStore(BlobStore(folder / "store", Disk(), os.urandom), Platform("linux", "amd64", "v1"), this_boot())
    started = perf_counter()
    with archive.open("rb") as file:
        (image,) = import_archive(images, file)
    imported = perf_counter()
    with images.blobs.leases.lease() as lease:
        root = images.root(image, KeepOwners() if os.geteuid() == 0 else OneOwner(), lease)
    return imported - started, perf_counter() - imported, root.contents.entries


def theirs(layers: list[Path], folder: Path) -> tuple[float, float]:
    """Seconds that tar needs for the same layers, and seconds until they are on the disk as well."""
    folder.mkdir()
    started = perf_counter()
    for one in layers:
        subprocess.run(["tar", "-xf", str(one), "-C", str(folder)], check=True)
    done = perf_counter()
    subprocess.run(["sync", "-f", str(folder)], check=True)
    return done - started, perf_counter() - started


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--megabytes", type=int, default=200, metavar="N")
    arguments.add_argument("--rounds", type=int, default=3, metavar="N")
    options = arguments.parse_args()
    report = Report("images", options.json)
    layers = [layer(number, options.megabytes * MIB // LAYERS) for number in range(LAYERS)]
    size = sum(map(len, layers)) / MIB
    rows = []
    for packed in (False, True):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            archive = folder / "image.tar"
            files = archive_of(layers, archive, packed=packed)
            times: dict[str, list[float]] = {}
            for number in range(options.rounds):
                subprocess.run(["sync", "-f", name], check=True)
                imported, unpacked, entries = ours(archive, folder / f"ours{number}")
                subprocess.run(["sync", "-f", name], check=True)
                plain, synced = theirs(files, folder / f"theirs{number}")
                for what, took in (
                    ("import", imported), ("unpack", unpacked), ("both", imported + unpacked), ("tar", plain),
                    ("tar and sync", synced),
                ):  # fmt: skip
                    times.setdefault(what, []).append(took)
                shutil.rmtree(folder / f"ours{number}")
                shutil.rmtree(folder / f"theirs{number}")
            median = {what: quantile(took, 0.5) for what, took in times.items()}
            rows.append({
                "layers": "gzip" if packed else "plain", "MiB unpacked": round(size), "entries": entries,
                **{f"{what} MiB/s": size / took for what, took in median.items()},
                "unpack / tar": median["unpack"] / median["tar"], "both / tar": median["both"] / median["tar"],
                "both / tar and sync": median["both"] / median["tar and sync"],
            })  # fmt: skip
    report.table("an image in, beside tar (times as ratios: 1 is as long as tar)", rows)
    report.finish()


if __name__ == "__main__":
    main()
