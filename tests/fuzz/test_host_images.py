"""Files of a store, archives and layers as they meet the disk: a value, a refusal or a fault, and nothing outside."""

import gzip
import io
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.host.images.made import file, folder, hard_link, image, image_store, layout, saved, symlink, tar
from tests.unit.host.images.unpacking import MEMORY, OWN

from metanode.docklock.images.digests import Digest, digest_of
from metanode.docklock.images.refusals import ImageRefusal
from metanode.host.blobs import BlobRefusal
from metanode.host.fault import Fault
from metanode.host.images.catalogue import Catalogue, decode_catalogue
from metanode.host.images.importing import import_archive
from metanode.host.images.roots import Roots
from metanode.host.pins import Pins, decode_pins
from metanode.primitives.refusal import Rejected

FEW = settings(max_examples=25, deadline=None)
LAYER = tar([folder("d/"), file("d/f", b"x" * 600), symlink("l", "d"), hard_link("h", "d/f"), file("l/g", b"g")])
ARCHIVES = [
    tar(layout(image(LAYER))),
    tar(saved(image(LAYER, LAYER))),
    gzip.compress(tar(layout(image(LAYER))), mtime=0),
]


@FEW
@given(data=st.one_of(st.binary(max_size=200), st.sampled_from([b"{}", b"[]", b'{"version":1,"images":[]}'])))
def test_arbitrary_files_of_a_store(data: bytes) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        images = image_store(Path(name))
        for one in ("images.json", "pins.json"):
            (images.blobs.folder / one).write_bytes(data)
        with suppress(Fault):
            assert isinstance(Catalogue(images.blobs.folder, images.blobs.disk).read(), tuple)
        with suppress(Fault):
            assert isinstance(decode_catalogue(data, Path("images.json")), tuple)
        with suppress(Fault):
            assert isinstance(Pins(images.blobs).all(), dict)
        with suppress(Fault):
            assert isinstance(decode_pins(data, Path("pins.json")), dict)
        root = images.blobs.folder / "roots" / "key"
        root.mkdir()
        (root / "root.json").write_bytes(data)
        assert Roots(images.blobs, "boot").find("key") is None
        with images.blobs.leases.lease() as lease:
            lease.hold(str(digest_of(data)))
            next((images.blobs.folder / "leases").iterdir()).write_bytes(data)
            with images.blobs.leases.alone():
                assert isinstance(images.blobs.leases.held(), frozenset)


def damaged(honest: bytes, changes: list[tuple[int, bytes]]) -> bytes:
    """Some bytes overwritten, most often where headers and documents are."""
    changed = bytearray(honest)
    for at, filling in changes:
        start = at % len(changed)
        changed[start : start + len(filling)] = filling
    return bytes(changed)


CHANGES = st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=12)), max_size=3)


@FEW
@given(which=st.sampled_from(ARCHIVES), changes=CHANGES, cut=st.integers(0, 1 << 20))
def test_archives_with_damage_are_imported_whole_or_refused(
    which: bytes, changes: list[tuple[int, bytes]], cut: int
) -> None:
    data = damaged(which, changes)
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        images = image_store(Path(name))
        try:
            found = import_archive(images, io.BytesIO(data[: max(len(data) - cut, 0)] if cut % 3 == 0 else data))
        except Rejected as rejected:
            assert isinstance(rejected.reason, ImageRefusal | BlobRefusal)
            assert images.list() == ()
        else:
            assert found
            for stored in images.blobs.list():
                images.blobs.check(stored.digest)


@FEW
@given(changes=CHANGES)
def test_layers_with_damage_unpack_inside_or_are_refused(changes: list[tuple[int, bytes]]) -> None:
    data = damaged(LAYER, changes)
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        images = image_store(Path(name))
        (Path(name) / "beside").write_bytes(b"beside")
        (found,) = import_archive(images, io.BytesIO(tar(layout(image(data)))))
        with images.blobs.leases.lease() as lease:
            try:
                root = images.root(found, OWN, lease)
            except Rejected as rejected:
                assert isinstance(rejected.reason, ImageRefusal)
            else:
                assert root.files.is_dir()
        assert (Path(name) / "beside").read_bytes() == b"beside"
        assert sorted(path.name for path in Path(name).iterdir()) == ["beside", "store"]
        assert Digest(found.chain.hex) == found.chain
