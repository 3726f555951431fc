"""What a container is given of a shared root: an overlay where the machine allows it, else a copy."""

import fcntl
import os
import subprocess

import pytest
from tests.unit.host.images.made import file, folder, hard_link, image, image_store, layout, symlink, tar
from tests.unit.host.images.unpacking import OWN

from metanode.host.fault import Fault, FaultReason
from metanode.host.images import views
from metanode.host.images.importing import import_archive
from metanode.host.images.views import copy_root, prepare_overlay, why_no_overlay


@pytest.fixture
def root(tmp_path):
    import io

    entries = [
        folder("./", mode=0o755), folder("d/", mode=0o1777, mtime=7), file("d/f", b"content", mode=0o640, uid=5, gid=6),
        hard_link("again", "d/f"), symlink("l", "/etc", uid=7), file("empty"),
    ]  # fmt: skip
    images = image_store(tmp_path)
    (found,) = import_archive(images, io.BytesIO(tar(layout(image(tar(entries))))))
    with images.blobs.leases.lease() as lease:
        yield images.root(found, OWN, lease)


def listing(where) -> str:
    command = "find . -printf '%p %y %m %U %G %T@ %l %n\\n' | sort; cat d/f"
    return subprocess.run(["sh", "-c", command], cwd=where, check=True, capture_output=True, text=True).stdout


def test_a_copy_is_the_same_and_independent(root, tmp_path):
    copied = copy_root(root, tmp_path / "copy")
    assert listing(root.files) == listing(tmp_path / "copy")
    assert (copied.files, copied.size) == (2, 7)
    assert copied.shared in (0, 2), "the file system can share blocks, or it cannot"
    (tmp_path / "copy/d/f").write_text("changed")
    assert (tmp_path / "copy/again").read_text() == "changed", "a hard link within the copy"
    assert (root.files / "d/f").read_text() == "content"


def test_where_blocks_can_be_shared_that_is_told(root, tmp_path, monkeypatch):
    def share(new, request, old):
        assert request == 0x40049409
        while data := os.read(old, 100):
            os.write(new, data)

    monkeypatch.setattr(fcntl, "ioctl", share)
    assert copy_root(root, tmp_path / "copy").shared == 2
    assert (tmp_path / "copy/d/f").read_text() == "content"


def test_a_copy_over_something_is_a_fault(root, tmp_path):
    (tmp_path / "copy").mkdir()
    with pytest.raises(Fault) as there:
        copy_root(root, tmp_path / "copy")
    assert there.value.reason is FaultReason.DISK_FAILED


def test_a_path_that_would_end_an_option_is_escaped(root, tmp_path):
    overlay = prepare_overlay(root, tmp_path / "a,b:c")
    assert overlay.options.count("\\,b\\:c") == 2
    assert overlay.upper.stat().st_mode & 0o7777 == 0o755
    assert prepare_overlay(root, tmp_path / "a,b:c") == overlay, "again does no harm"


MOUNT = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
assert not libc.unshare(0x00020000), os.strerror(ctypes.get_errno())
assert not libc.mount(None, b"/", None, 0x44000, None)
merged, options = sys.argv[1:]
assert not libc.mount(b"overlay", merged.encode(), b"overlay", 0, options.encode()), os.strerror(ctypes.get_errno())
print(oct(os.stat(merged).st_mode & 0o7777), open(merged + "/d/f").read())
open(merged + "/d/f", "w").write("changed")
os.unlink(merged + "/again")
print(open(merged + "/d/f").read(), sorted(os.listdir(merged)))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
def test_an_overlay_shows_the_root_and_keeps_it_as_it_is(root, tmp_path):
    if why := why_no_overlay(tmp_path):
        pytest.skip(f"NO OVERLAY HERE: {why}")
    before = listing(root.files)
    overlay = prepare_overlay(root, tmp_path / "its, own")
    command = ["python3", "-I", "-S", "-c", MOUNT, str(overlay.merged), overlay.options]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert shown == "0o755 content\nchanged ['d', 'empty', 'l']\n"
    assert listing(root.files) == before
    assert (overlay.upper / "d/f").read_text() == "changed"


def test_where_no_overlay_can_be_mounted_the_reason_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(views, "_PROBE", "import sys; sys.exit('mount: Operation not permitted')")
    assert why_no_overlay(tmp_path) == "mount: Operation not permitted"
    monkeypatch.setattr(views, "_PROBE", "import os; os._exit(3)")
    assert why_no_overlay(tmp_path) == "status 3"
    monkeypatch.setattr(views, "_PROBE", "import time; time.sleep(60)")
    monkeypatch.setattr(views, "_PROBE_SECONDS", 0.2)
    assert why_no_overlay(tmp_path) == "nothing for 0.2 seconds"
    assert list(tmp_path.iterdir()) == [], "nothing is left"
    with pytest.raises(Fault):
        why_no_overlay(tmp_path / "none")
