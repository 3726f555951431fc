"""Layers into a folder: as container engines do it, and with the digests compared."""

import gzip
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest
from tests.unit.docklock.images.refusing import refuses
from tests.unit.host.images.made import file, folder, hard_link, hexed, special, symlink, tar
from tests.unit.host.images.unpacking import MEMORY, Place

from metanode.docklock.images.digests import parse_digest
from metanode.docklock.images.manifests import OCI_LAYER, OCI_LAYER_GZIP, Descriptor
from metanode.docklock.images.refusals import ImageRefusal
from metanode.host.fault import Fault, FaultReason
from metanode.host.images.tree import OneOwner, ShiftOwners

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="owners can only be given away by root")


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


BASE = tar([
    folder("./", mode=0o755), folder("etc/"), file("etc/passwd", b"root"), symlink("var", "etc"),
    file("deep/in/there", b"made on the way"), hard_link("again", "etc/passwd"), file("old/a", b"a"),
    file("old/b", b"b"), folder("old/c/"), file("old/c/d", b"d"), symlink("abs", "/etc"),
])  # fmt: skip


@pytest.mark.parametrize("packed", [False, True])
def test_one_layer_becomes_its_files(place, packed):
    contents = place.unpack(BASE, packed=packed)
    assert place.found() == {
        "again": "root", "abs": "-> /etc", "deep": "/", "deep/in": "/", "deep/in/there": "made on the way",
        "etc": "/", "etc/passwd": "root", "old": "/", "old/a": "a", "old/b": "b", "old/c": "/", "old/c/d": "d",
        "var": "-> etc",
    }  # fmt: skip
    assert (place.root / "again").stat().st_ino == (place.root / "etc/passwd").stat().st_ino
    assert (contents.entries, contents.bytes, contents.left_out) == (11, 4 + 15 + 3, ())


@pytest.mark.parametrize(
    ("layer", "gone", "more"),
    [
        ([file("old/.wh.a")], {"old/a"}, {}),
        ([file(".wh.old")], {"old", "old/a", "old/b", "old/c", "old/c/d"}, {}),
        ([file("old/.wh..wh..opq")], {"old/a", "old/b", "old/c", "old/c/d"}, {}),
        ([file("old/new", b"n"), file("old/.wh..wh..opq")], {"old/a", "old/b", "old/c", "old/c/d"}, {"old/new": "n"}),
        ([file("old/c/new", b"n"), file("old/.wh..wh..opq")], {"old/a", "old/b", "old/c/d"}, {"old/c/new": "n"}),
        ([file("old/a", b"2"), file("old/.wh.a")], set(), {"old/a": "2"}),
        ([file("old/.wh.a"), file("old/a", b"2")], set(), {"old/a": "2"}),
        ([file("old/c/e", b"e"), file("old/.wh.c")], {"old/c/d"}, {"old/c/e": "e"}),
        ([file("none/.wh.x"), file("none/.wh..wh..opq"), file(".wh.none")], set(), {}),
        ([file(".wh.var")], {"var"}, {}),
        ([file("var/.wh.passwd")], {"etc/passwd"}, {}),
        ([file("abs/.wh.passwd")], {"etc/passwd"}, {}),
        ([file("var/new", b"n")], set(), {"etc/new": "n"}),
        ([file("old", b"a file now")], {"old/a", "old/b", "old/c", "old/c/d"}, {"old": "a file now"}),
        ([symlink("old", "etc")], {"old/a", "old/b", "old/c", "old/c/d"}, {"old": "-> etc"}),
        ([folder("var/"), file("var/x", b"x")], set(), {"var": "/", "var/x": "x"}),
        ([folder("etc/passwd/")], set(), {"etc/passwd": "/"}),
        ([folder("old/")], set(), {}),
        ([file("again", b"new")], set(), {"again": "new"}),
        ([hard_link("third", "again"), hard_link("third", "etc/passwd")], set(), {"third": "root"}),
        ([hard_link("sym", "var")], set(), {"sym": "-> etc"}),
        ([file("x", b"1"), file("x", b"2"), folder("x/"), file("x/y", b"3")], set(), {"x": "/", "x/y": "3"}),
        ([file(".wh..wh.aufs", b"")], set(), {}),
    ],
)  # fmt: skip
def test_a_second_layer_changes_the_first(place, layer, gone, more):
    place.unpack(BASE)
    before = place.found()
    for path in list(place.root.iterdir()):
        subprocess.run(["rm", "-rf", str(path)], check=True)
    place.unpack(BASE, tar(layer))
    assert place.found() == {path: what for path, what in before.items() if path not in gone} | more
    assert place.others() == place.before


def test_a_folder_that_was_replaced_lends_its_time_to_nobody(place):
    place.unpack(tar([folder("a/", mtime=5), folder("b/", mtime=7)]), tar([symlink("a", "b")]))
    assert (place.root / "b").stat().st_mtime == 7


def test_whiteouts_in_the_lowest_layer_hide_nothing(place):
    place.unpack(tar([file("a", b"a"), file(".wh.a"), file(".wh..wh..opq")]))
    assert place.found() == {"a": "a"}


def test_a_file_that_replaces_one_name_leaves_the_others_alone(place):
    """`again` and `etc/passwd` are one file; writing over the first must not change the second."""
    place.unpack(BASE, tar([file("again", b"changed")]))
    assert place.found()["etc/passwd"] == "root"


def test_modes_and_times_are_those_of_the_image(place):
    entries = [
        folder("d/", mode=0o1777, mtime=1_000), file("d/f", b"", mode=0o640, mtime=2_000),
        symlink("d/l", "f", mtime=3_000), file("d/later", b"", mtime=5),
    ]  # fmt: skip
    place.unpack(tar([folder("./", mode=0o750, mtime=4_000), *entries]))
    for name, mode, changed in (("", 0o750, 4_000), ("d", 0o1777, 1_000), ("d/f", 0o640, 2_000), ("d/l", None, 3_000)):
        about = (place.root / name).lstat()
        assert about.st_mtime == changed, name
        assert mode is None or about.st_mode & 0o7777 == mode | (0 if os.geteuid() == 0 else 0o400), name


def test_what_is_not_kept_is_told(place):
    contents = place.unpack(
        tar([
            special("null", tarfile.CHRTYPE), special("disk", tarfile.BLKTYPE), special("pipe", tarfile.FIFOTYPE),
            file("su", b"", mode=0o4755), file("wall", b"", mode=0o2755), folder("mail/", mode=0o2775),
            file("ping", b"", pax_headers={"SCHILY.xattr.security.capability": "x"}),
        ])
    )  # fmt: skip
    assert contents.left_out == (("attribute", 1), ("device", 2), ("pipe", 1), ("setuid", 2))
    assert sorted(place.found()) == ["mail", "ping", "su", "wall"]
    assert (place.root / "su").stat().st_mode & 0o7777 == 0o755
    assert (place.root / "mail").stat().st_mode & 0o7777 == 0o2775


@ROOT
def test_owners_are_kept_or_shifted(place, tmp_path):
    layer = tar([folder("d/", uid=3), file("f", b"", uid=1000, gid=100), symlink("l", "f", uid=5, gid=6)])
    place.unpack(layer)
    for name, owner in (("d", (3, 0)), ("f", (1000, 100)), ("l", (5, 6)), ("", (0, 0))):
        assert (about := (place.root / name).lstat(), (about.st_uid, about.st_gid) == owner)[1], name
    shifted = Place(tmp_path / "shifted")
    shifted.unpack(layer, owners=ShiftOwners(100_000, 200_000, 1001))
    for name, owner in (("d", (100_003, 200_000)), ("f", (101_000, 200_100)), ("l", (100_005, 200_006))):
        about = (shifted.root / name).lstat()
        assert (about.st_uid, about.st_gid) == owner
    narrow = Place(tmp_path / "narrow")
    refuses(ImageRefusal.OWNER, narrow.unpack, layer, owners=ShiftOwners(100_000, 100_000, 1000))


def test_without_privileges_everything_is_ones_own_and_can_be_removed(place):
    layers = (
        tar([folder("d/", mode=0o500, uid=7), file("d/f", b"1", mode=0, uid=7), folder("./", mode=0o555)]),
        tar([file("d/g", b"2", mode=0o200), file("d/.wh.f")]),
    )
    place.unpack(*layers, owners=OneOwner())
    assert sorted(place.found()) == ["d", "d/g"]
    assert (place.root / "d").stat().st_uid == os.geteuid()
    assert (place.root / "d").stat().st_mode & 0o777 == 0o700
    assert (place.root / "d/g").stat().st_mode & 0o777 == 0o600
    assert place.root.stat().st_mode & 0o777 == 0o755


@ROOT
def test_an_unprivileged_user_unpacks_by_himself():
    """In a child that gives up root: the very calls would fail there that need it."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        Path(name).chmod(0o777)
        child = os.fork()
        if not child:
            try:
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
                there = Place(Path(name) / "nobody")
                there.unpack(BASE, tar([file("old/.wh.c"), folder("etc/", mode=0)]), owners=OneOwner())
                ok = "old/c" not in there.found() and there.found()["etc/passwd"] == "root"
                os._exit(0 if ok else 2)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_same_as_tar_unpacks(place, tmp_path):
    """GNU tar as the second opinion on a layer without anything that only layers have."""
    (tmp_path / "layer.tar").write_bytes(BASE)
    (tmp_path / "by-tar").mkdir()
    subprocess.run(["tar", "-xf", str(tmp_path / "layer.tar"), "-C", str(tmp_path / "by-tar")], check=True)
    place.unpack(BASE)
    listing = (  # of folders no size, of those that the archive does not name no time
        "find . ! -type d -printf '%p %y %m %T@ %s %l %n\\n'; find etc old/c -type d -printf '%p %y %m %T@\\n'"
    )
    ours, theirs = (
        subprocess.run(["sh", "-c", listing], cwd=where, check=True, capture_output=True, text=True).stdout.split("\n")
        for where in (place.root, tmp_path / "by-tar")
    )
    assert sorted(ours) == sorted(theirs)
    assert len(ours) > 8


def test_a_layer_is_the_one_that_the_configuration_names(place):
    detail = refuses(ImageRefusal.WRONG_DIFF_ID, place.unpack, BASE, tar([file("x", b"x")]), packed=True, wrong=True)
    assert detail.startswith("layer 1 (sha256:")


def test_a_disk_that_changed_a_layer_is_told_from_an_image_that_lies(place):
    layer = tar([file("x", b"x" * 1000)])
    place.store.put([layer], 1 << 20)
    digest = parse_digest(f"sha256:{hexed(layer)}")
    path = place.store.folder / "blobs" / "sha256" / digest.hex
    path.write_bytes(layer.replace(b"xxxx", b"yyyy"))
    with pytest.raises(Fault) as damaged:
        place.unpack_described([(Descriptor(OCI_LAYER, digest, len(layer)), digest)])
    assert damaged.value.reason is FaultReason.BLOB_DAMAGED


def test_what_is_packed_otherwise_than_it_says_is_refused(place):
    layer = tar([file("x", b"x")])
    for data, kind in ((layer, OCI_LAYER_GZIP), (gzip.compress(layer), OCI_LAYER)):
        stored = place.store.put([data], 1 << 20)
        described = [(Descriptor(kind, stored.digest, stored.size), parse_digest(f"sha256:{hexed(layer)}"))]
        refuses(ImageRefusal.COMPRESSION, place.unpack_described, described)


def test_a_name_that_is_renamed_meanwhile_leads_nowhere_else(place, monkeypatch):
    """Somebody swaps a folder for a link to the outside between two steps: the open folder is still the same."""
    real_mkdir = os.mkdir

    def swap(name, *arguments, **named):
        real_mkdir(name, *arguments, **named)
        if name == b"b":
            (place.root / "a").rename(place.root / "moved")
            (place.root / "a").symlink_to(place.path / "place" / "outside")

    monkeypatch.setattr(os, "mkdir", swap)
    place.unpack(tar([file("a/b/passwd", b"evil"), file("a/b/c/passwd", b"evil")]))
    assert place.others() == place.before
    assert (place.root / "moved/b/passwd").read_bytes() == b"evil"
