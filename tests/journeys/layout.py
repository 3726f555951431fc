"""A small image as an OCI layout: a shell for all, from the machine's own static busybox."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any, Final

BUSYBOX: Final = Path("/bin/busybox")
NAMES: Final = ("sh", "id", "sleep", "echo", "cat", "test", "mkdir", "httpd", "wget", "true")
LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"


def _layer() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:

        def add(name: str, kind: bytes, data: bytes = b"", link: str = "", mode: int = 0o755) -> None:
            entry = tarfile.TarInfo(name)
            entry.type, entry.size, entry.linkname, entry.mode = kind, len(data), link, mode
            tar.addfile(entry, io.BytesIO(data))

        for folder in ("bin", "etc", "tmp", "proc", "dev"):
            add(folder, tarfile.DIRTYPE)
        add("bin/busybox", tarfile.REGTYPE, BUSYBOX.read_bytes())
        for name in NAMES:
            add(f"bin/{name}", tarfile.SYMTYPE, link="busybox")
        add("etc/passwd", tarfile.REGTYPE, b"app:x:1000:1000::/:/bin/sh\n", mode=0o644)
    return out.getvalue()


def make_layout(folder: Path) -> str:
    """Write the layout; the digest of its manifest."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes, media_type: str) -> dict[str, Any]:
        name = hashlib.sha256(data).hexdigest()
        (blobs / name).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{name}", "size": len(data)}

    layer = put(_layer(), LAYER)
    run = {"Cmd": ["/bin/sh", "-c", "echo busy; id; exec sleep 1000"], "User": "app", "Env": ["PATH=/bin"]}
    rootfs = {"type": "layers", "diff_ids": [layer["digest"]]}
    config = {"architecture": "amd64", "os": "linux", "config": run, "rootfs": rootfs}
    described = put(json.dumps(config).encode(), CONFIG)
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": [layer]}
    top = put(json.dumps(manifest).encode(), MANIFEST)
    named = {**top, "annotations": {"org.opencontainers.image.ref.name": "busy:1"}}
    (folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    return str(top["digest"])
