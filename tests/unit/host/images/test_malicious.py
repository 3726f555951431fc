"""Archives made to do harm, each by name: refused with the reason that fits, and nothing outside is touched."""

import gzip
import io
import os
import tarfile
import zlib

import pytest
from tests.unit.docklock.images.refusing import refuses
from tests.unit.docklock.images.test_layers import patched
from tests.unit.host.images.made import file, folder, hard_link, hexed, special, symlink, tar
from tests.unit.host.images.unpacking import Place

from metanode.docklock.images.bounds import ENTRIES_MAX, RATIO_FREE_BYTES, Budget, Limits
from metanode.docklock.images.digests import parse_digest
from metanode.docklock.images.manifests import OCI_LAYER_GZIP, Descriptor
from metanode.docklock.images.refusals import ImageRefusal
from metanode.docklock.images.tar import Entry, Kind
from metanode.host.images.streams import FilePieces, GunzipPieces, Reader

FILE = tarfile.TarInfo("file").tobuf(tarfile.USTAR_FORMAT)
END = bytes(1024)


def pax(name, **records):
    return file(name, pax_headers=records)


def deep(count):
    return [folder("/".join(["d"] * number) + "/") for number in range(1, count + 1)]


MALICIOUS = {
    "absolute path": ([file("/etc/passwd", b"evil")], ImageRefusal.PATH_ESCAPES),
    "path escape": ([file("../outside/passwd", b"evil")], ImageRefusal.PATH_ESCAPES),
    "path escape by detour": ([folder("a/"), file("a/../../outside/passwd", b"evil")], ImageRefusal.PATH_ESCAPES),
    "symlink escape": ([symlink("out", "../outside"), file("out/passwd", b"evil")], ImageRefusal.LINK_ESCAPES),
    "symlink escape by two": (
        [folder("a/"), symlink("a/up", ".."), symlink("a/out", "up/../outside"), file("a/out/passwd", b"evil")],
        ImageRefusal.LINK_ESCAPES,
    ),
    "symlink escape by real folders": (
        [folder("a/b/c/"), symlink("s", "a/b/c"), symlink("a/t", "../s/../../../../outside"),
         file("a/t/passwd", b"evil")], ImageRefusal.LINK_ESCAPES,
    ),
    "symlink escape that only shows on the way": (
        [folder("x/"), folder("a/b/"), symlink("a/b/l", "../../x"), symlink("x/out", "../a/b/l/../../outside"),
         file("x/out/passwd", b"evil")], ImageRefusal.LINK_ESCAPES,
    ),
    "symlink loop": ([symlink("a", "b"), symlink("b", "a"), file("a/x", b"")], ImageRefusal.LINK_LOOP),
    "symlink to itself": ([symlink("a", "a"), file("a/x", b"")], ImageRefusal.LINK_LOOP),
    "symlink chain": (
        [symlink(f"l{number}", f"l{number + 1}") for number in range(60)] + [file("l0/x", b"")], ImageRefusal.LINK_LOOP,
    ),
    "symlink of many steps": (
        [folder("a/"), *(symlink(f"a/l{number}", "../a/" * 400 + f"l{number + 1}") for number in range(2)),
         file("a/l0/x", b"")], ImageRefusal.LINK_LOOP,
    ),
    "hard link escape": ([hard_link("x", "../outside/passwd")], ImageRefusal.PATH_ESCAPES),
    "hard link through a link": (
        [symlink("out", "/outside"), hard_link("x", "out/passwd")], ImageRefusal.HARD_LINK,
    ),
    "hard link to an absolute path is of the image": ([hard_link("x", "/etc/passwd")], ImageRefusal.HARD_LINK),
    "hard link to a folder": ([folder("d/"), hard_link("x", "d")], ImageRefusal.HARD_LINK),
    "hard link to nothing": ([hard_link("x", "none/at/all")], ImageRefusal.HARD_LINK),
    "hard link to a device that was left out": (
        [special("null", tarfile.CHRTYPE), hard_link("x", "null")], ImageRefusal.HARD_LINK,
    ),
    "hard link below a file": ([file("f", b""), hard_link("x", "f/g")], ImageRefusal.NOT_A_FOLDER),
    "file below a file": ([file("f", b""), file("f/g", b"")], ImageRefusal.NOT_A_FOLDER),
    "whiteout of the parent": ([file("a/.wh...", b"")], ImageRefusal.WHITEOUT),
    "whiteout of the folder itself": ([file("a/.wh..", b"")], ImageRefusal.WHITEOUT),
    "whiteout through a path": ([file("a/.wh.b/c", b"")], ImageRefusal.WHITEOUT),
    "whiteout escape": ([file("../.wh.outside", b"")], ImageRefusal.PATH_ESCAPES),
    "whiteout through a link": ([symlink("out", "../outside"), file("out/.wh.passwd")], ImageRefusal.LINK_ESCAPES),
    "PAX path override": ([pax("innocent", path="../outside/passwd")], ImageRefusal.PATH_ESCAPES),
    "PAX link override": (
        [file("x", type=tarfile.SYMTYPE, linkname="a", pax_headers={"linkpath": "../outside"})],
        ImageRefusal.LINK_ESCAPES,
    ),
    "PAX negative size": ([pax("x", size="-1")], ImageRefusal.TAR_MALFORMED),
    "PAX sparse": ([pax("x", **{"GNU.sparse.major": "1", "GNU.sparse.name": "../x"})], ImageRefusal.TAR_UNSUPPORTED),
    "name too long": ([file("n" * 256, b"")], ImageRefusal.PATH_TOO_LONG),
    "path too long": ([file("abc/" * 1100, b"")], ImageRefusal.PATH_TOO_LONG),
    "path too deep": (deep(129), ImageRefusal.PATH_TOO_LONG),
    "path too deep through a link": (
        [*deep(100), symlink("l", "/".join(["d"] * 100)), folder("l/" + "e/" * 40)], ImageRefusal.PATH_TOO_LONG,
    ),
    "owner out of range": ([file("x", b"", uid=1 << 40)], ImageRefusal.OWNER),
    "device in place of the root": ([special("./", tarfile.CHRTYPE)], ImageRefusal.PATH_ESCAPES),
}  # fmt: skip


@pytest.mark.parametrize("name", MALICIOUS)
def test_what_is_malicious_is_refused(tmp_path, name):
    entries, reason = MALICIOUS[name]
    place = Place(tmp_path)
    refuses(reason, place.unpack, tar(entries))
    assert place.others() == place.before


@pytest.mark.parametrize("name", MALICIOUS)
def test_what_a_lower_layer_prepared_does_not_help(tmp_path, name):
    """All but the last entry in one layer, the last in the next, in GNU's form where that can say it."""
    entries, reason = MALICIOUS[name]
    form = tarfile.PAX_FORMAT if any(info.pax_headers for info, _ in entries) else tarfile.GNU_FORMAT
    place = Place(tmp_path)
    refuses(reason, place.unpack, tar(entries[:-1], form), tar(entries[-1:], form), packed=True)
    assert place.others() == place.before


@pytest.mark.parametrize(
    "entry", [file("f/g"), folder("f/g/"), symlink("f/g", "x"), file("f/.wh.g"), hard_link("f/g", "f")]
)
def test_nothing_is_put_below_what_is_no_folder(tmp_path, entry):
    refuses(ImageRefusal.NOT_A_FOLDER, Place(tmp_path).unpack, tar([file("f", b"")]), tar([entry]))


HARMLESS = {
    "an absolute link is of the image": (
        [symlink("out", "/etc"), file("out/passwd", b"of the image")], {"etc/passwd": "of the image"},
    ),
    "a link of the parent is replaced, not followed": (
        [symlink("f", "/etc/passwd"), file("f", b"new"), file("etc/passwd", b"old")], {"f": "new"},
    ),
    "a link to a folder is replaced by the folder": (
        [symlink("d", "/outside"), folder("d/"), file("d/passwd", b"in")], {"d/passwd": "in"},
    ),
    "duplicate entries: the last counts": ([file("x", b"1"), file("x", b"2"), file("x", b"3")], {"x": "3"}),
    "a name of other letters": ([file("caf\udce9", b"x")], {"caf\udce9": "x"}),
    "devices are left out": ([special("null", tarfile.CHRTYPE), file("x", b"x")], {"x": "x"}),
}  # fmt: skip


@pytest.mark.parametrize("name", HARMLESS)
def test_what_looks_malicious_and_stays_inside_is_done_inside(tmp_path, name):
    entries, expected = HARMLESS[name]
    place = Place(tmp_path)
    place.unpack(tar(entries))
    assert expected.items() <= place.found().items()
    assert place.others() == place.before


BROKEN = {
    "negative size": (patched(FILE, 124, b"\xff" * 12) + END, ImageRefusal.TAR_MALFORMED),
    "GNU sparse header": (patched(FILE, 156, b"S") + END, ImageRefusal.TAR_UNSUPPORTED),
    "content on a link": (
        patched(patched(FILE, 156, b"2"), 124, b"00000001000\x00") + bytes(512) + END, ImageRefusal.TAR_MALFORMED,
    ),
    "cut off in a header": (FILE[:300], ImageRefusal.TAR_MALFORMED),
    "cut off in content": (patched(FILE, 124, b"00000001000\x00") + b"x" * 100, ImageRefusal.TAR_MALFORMED),
    "cut off in padding": (patched(FILE, 124, b"00000000001\x00") + b"x", ImageRefusal.TAR_MALFORMED),
    "a second archive behind the first": (FILE + END + FILE + END, ImageRefusal.TAR_MALFORMED),
    "a long name and nothing to it": (
        patched(patched(FILE, 156, b"L"), 124, b"00000000004\x00") + b"name" + bytes(508) + END,
        ImageRefusal.TAR_MALFORMED,
    ),
    "a header of a gigabyte": (
        patched(patched(FILE, 156, b"x"), 124, b"10000000000\x00") + END, ImageRefusal.TAR_MALFORMED,
    ),
    "a file larger than any image": (
        patched(FILE, 124, b"\x80" + bytes(5) + b"\xff" * 6) + END, ImageRefusal.TAR_MALFORMED,
    ),
    "a file of an exabyte that is not there": (
        patched(FILE, 124, b"\x80" + bytes(5) + b"\x00\xff" + b"\xff" * 4) + END, ImageRefusal.UNPACKS_TOO_LARGE,
    ),
    "noise": (b"\x07" * 4096, ImageRefusal.TAR_MALFORMED),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(100), ImageRefusal.COMPRESSION),
    "xz": (b"\xfd7zXZ\x00" + bytes(100), ImageRefusal.COMPRESSION),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_refused(tmp_path, name):
    data, reason = BROKEN[name]
    place = Place(tmp_path)
    refuses(reason, place.unpack, data)
    assert place.found() in ({}, {"file": ""}, {"file": "x"}, {"file": "x" * 100}), "no more than what came before"


def gzip_layer(place, packed, layer):
    """Unpack a layer whose packed form is given."""
    stored = place.store.put([packed], 1 << 30)
    described = [(Descriptor(OCI_LAYER_GZIP, stored.digest, stored.size), parse_digest(f"sha256:{hexed(layer)}"))]
    return place.unpack_described(described)


def test_a_zip_bomb_is_refused_before_it_fills_the_disk(tmp_path):
    place = Place(tmp_path)
    layer = tar([file("zeros", bytes(3 * RATIO_FREE_BYTES))])
    refuses(ImageRefusal.BOMB, gzip_layer, place, gzip.compress(layer, 9), layer)
    assert (place.root / "zeros").stat().st_size <= RATIO_FREE_BYTES + (1 << 24)


def test_honest_zeros_are_no_bomb(tmp_path):
    layer = tar([file("zeros", bytes(RATIO_FREE_BYTES // 2))])
    assert gzip_layer(Place(tmp_path), gzip.compress(layer, 9), layer).bytes == RATIO_FREE_BYTES // 2


def test_a_gzip_stream_of_several_parts_is_one(tmp_path):
    layer = tar([file("a", b"a" * 5000)])
    parts = gzip.compress(layer[:700]) + gzip.compress(b"") + gzip.compress(layer[700:])
    assert gzip_layer(Place(tmp_path), parts, layer).bytes == 5000


@pytest.mark.parametrize("cut", [11, 30, 100, -1, -8, -9])
def test_a_truncated_gzip_stream_is_refused(tmp_path, cut):
    layer = tar([file("a", bytes(range(256)) * 100)])
    refuses(ImageRefusal.STREAM_DAMAGED, gzip_layer, Place(tmp_path), gzip.compress(layer)[:cut], layer)


@pytest.mark.parametrize("damage", [b"garbage behind", b"\x1f\x8b", b"\x1f\x8b\x08\x00" + b"\xff" * 20])
def test_what_follows_a_gzip_stream_and_is_none_is_refused(tmp_path, damage):
    layer = tar([file("a", b"a")])
    refuses(ImageRefusal.STREAM_DAMAGED, gzip_layer, Place(tmp_path), gzip.compress(layer) + damage, layer)


def test_a_flipped_bit_in_gzip_is_refused(tmp_path):
    layer = tar([file("a", bytes(range(256)) * 100)])
    packed = bytearray(gzip.compress(layer))
    packed[-6] ^= 1
    refuses(ImageRefusal.STREAM_DAMAGED, gzip_layer, Place(tmp_path), bytes(packed), layer)


def test_unpacking_takes_no_more_memory_than_pieces():
    """A piece is never larger than what is read at once, however much a stream promises."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = packer.compress(bytes(RATIO_FREE_BYTES)) + packer.flush()
    pieces = GunzipPieces(b"", FilePieces(io.BytesIO(packed)))
    total = largest = 0
    while piece := pieces.piece():
        total, largest = total + len(piece), max(largest, len(piece))
    assert (total, largest) == (RATIO_FREE_BYTES, 1 << 18)
    assert Reader(FilePieces(io.BytesIO(b"abc"))).read(10) == b"abc"


def test_a_million_entries_are_refused_at_the_bound(tmp_path):
    place = Place(tmp_path)
    layer = tar([file(f"f{number}", b"") for number in range(300)])
    refuses(ImageRefusal.TOO_MANY_ENTRIES, place.unpack, layer, limits=Limits(entries=200))
    assert len(place.found()) == 200
    links = tar([file("f", b""), *(hard_link(f"l{number}", "f") for number in range(60))])
    refuses(ImageRefusal.TOO_MANY_ENTRIES, Place(tmp_path / "2").unpack, links, limits=Limits(hard_links=50))
    refuses(
        ImageRefusal.UNPACKS_TOO_LARGE, Place(tmp_path / "3").unpack, tar([file("f", bytes(5000))]),
        limits=Limits(unpacked_bytes=4999),
    )  # fmt: skip


def test_opaque_whiteouts_by_the_thousand_cost_one_look(tmp_path, monkeypatch):
    place = Place(tmp_path)
    looks = []
    real = os.scandir

    def look(which):
        looks.append(which)
        return real(which)

    monkeypatch.setattr(os, "scandir", look)
    lower = tar([file(f"d/f{number}", b"") for number in range(50)])
    place.unpack(lower, tar([file("d/new", b"n"), *[file("d/.wh..wh..opq")] * 1000, *[file(".wh.d")] * 1000]))
    assert place.found() == {"d": "/", "d/new": "n"}
    assert len([which for which in looks if isinstance(which, int)]) <= 2


def test_the_bound_of_entries_is_below_a_million():
    budget = Budget(Limits())
    budget.entries = ENTRIES_MAX
    assert ENTRIES_MAX < 1_000_000
    refuses(ImageRefusal.TOO_MANY_ENTRIES, budget.take, Entry(b"x", Kind.FILE))
