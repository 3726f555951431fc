"""Images of a node: imported, listed, named, unpacked, exported, removed; and what is refused on the way in."""

import gzip
import io
import json
import os
import threading

import pytest
from tests.unit.docklock.images.refusing import refuses
from tests.unit.host.images.made import (
    MACHINE,
    OCI,
    blob_store,
    file,
    folder,
    hard_link,
    hexed,
    image,
    image_store,
    index,
    layout,
    saved,
    special,
    symlink,
    tar,
)
from tests.unit.host.images.unpacking import OWN

from metanode.docklock.images.configs import CONFIG_BYTES_MAX
from metanode.docklock.images.digests import digest_of, parse_digest
from metanode.docklock.images.manifests import Platform
from metanode.docklock.images.refusals import ImageRefusal
from metanode.host.blobs import BlobRefusal
from metanode.host.fault import Fault, FaultReason
from metanode.host.images import catalogue
from metanode.host.images.exporting import export_archive, export_layers
from metanode.host.images.importing import import_archive, import_layout
from metanode.host.images.roots import this_boot
from metanode.host.images.store import ImageStore

BASE = tar([folder("etc/"), file("etc/motd", b"hello")])
TOP = tar([file("etc/.wh.motd"), file("srv/index.html", b"<p>")])
MADE = image(BASE, TOP, run={"Cmd": ["/bin/serve"]})


def take(images: ImageStore, members, packed=False):
    data = tar(members)
    return import_archive(images, io.BytesIO(gzip.compress(data) if packed else data))


def write(folder_path, members):
    """The files of an archive as a folder."""
    for info, data in members:
        path = folder_path / info.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not info.isdir():
            path.write_bytes(data)
    return folder_path


@pytest.mark.parametrize("packed", [False, True])
def test_a_layout_is_imported(tmp_path, packed):
    images = image_store(tmp_path)
    (found,) = take(images, layout(MADE), packed)
    assert (str(found.digest), found.names, found.platform) == (
        MADE.digest,
        ("shop/web:1",),
        Platform("linux", "amd64"),
    )
    assert found.size == sum(map(len, MADE.blobs.values()))
    assert images.list() == (found,)
    for text in (MADE.digest, "shop/web:1", f"other/name@{MADE.digest}"):
        assert images.find(text) == found
    assert images.show("shop/web:1").config.run.command == ("/bin/serve",)
    assert take(images, layout(MADE)) == (found,), "again changes nothing"


def test_a_layout_that_is_a_folder_is_imported_and_no_link_in_it_followed(tmp_path):
    there = write(tmp_path / "layout", layout(MADE))
    (found,) = import_layout(image_store(tmp_path), there)
    assert str(found.digest) == MADE.digest
    blob = there / "blobs/sha256" / MADE.digest.removeprefix("sha256:")
    blob.rename(tmp_path / "elsewhere")
    refuses(ImageRefusal.MISSING_BLOB, import_layout, image_store(tmp_path / "2"), there)
    blob.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Fault):
        import_layout(image_store(tmp_path / "3"), there)
    blob.unlink()
    blob.write_bytes(b"x" * len(MADE.manifest))
    refuses(BlobRefusal.WRONG_DIGEST, import_layout, image_store(tmp_path / "4"), there)
    blob.write_bytes(MADE.manifest + b" ")
    refuses(BlobRefusal.TOO_LARGE, import_layout, image_store(tmp_path / "5"), there)
    (there / "oci-layout").unlink()
    refuses(ImageRefusal.ARCHIVE_UNKNOWN, import_layout, image_store(tmp_path / "6"), there)
    with pytest.raises(Fault) as missing:
        import_layout(image_store(tmp_path / "7"), tmp_path / "nowhere")
    assert missing.value.reason is FaultReason.DISK_MISSING


def test_what_docker_saved_of_old_is_imported(tmp_path):
    made = image(BASE, TOP, BASE)
    images = image_store(tmp_path)
    (found,) = take(images, saved(made, names=("shop/web:1", "NO NAME", "web")))
    assert found.names == ("shop/web:1", "web:latest")
    with images.blobs.leases.lease() as lease:
        assert (images.root(found, OWN, lease).files / "etc/motd").read_text() == "hello"
    other = image_store(tmp_path / "other")
    assert take(other, saved(made, names=()))[0].digest == found.digest, "the same image on every node"


def test_what_docker_saves_since_25_is_imported_by_both_names(tmp_path):
    rows = json.dumps([{
        "Config": f"blobs/sha256/{hexed(MADE.config_bytes)}", "RepoTags": ["shop/web:1", "shop/web:also"], "Layers": [],
    }]).encode()  # fmt: skip
    top = MADE.descriptor(
        annotations={
            "io.containerd.image.name": "registry.example/shop/web:1",
            "org.opencontainers.image.ref.name": "1",
        }
    )
    (found,) = take(image_store(tmp_path), layout(MADE, top, more=[file("manifest.json", rows)]))
    assert found.names == ("registry.example/shop/web:1", "shop/web:1", "shop/web:also")


def test_packed_layers_in_an_old_archive_are_imported(tmp_path):
    made = image(BASE)
    members = [(info, data) for info, data in saved(made) if not info.name.endswith("layer.tar")]
    name = next(info.name for info, _ in saved(made) if info.name.endswith("layer.tar"))
    for packed, reason in ((gzip.compress(BASE), None), (gzip.compress(TOP), ImageRefusal.WRONG_DIFF_ID)):
        again = [file(name, packed), *members]
        if reason is None:
            (found,) = take(image_store(tmp_path), again)
            assert found.size < len(BASE)
        else:
            refuses(ImageRefusal.WRONG_DIFF_ID, take, image_store(tmp_path / "2"), again)


def test_of_an_index_the_image_for_this_machine_is_taken(tmp_path):
    arm = image(TOP, architecture="arm64")
    both = index(
        arm.descriptor(platform={"os": "linux", "architecture": "arm64"}),
        MADE.descriptor(platform={"os": "linux", "architecture": "amd64"}),
    )
    top = {"mediaType": OCI + "index.v1+json", "digest": f"sha256:{hexed(both)}", "size": len(both)}
    members = layout(MADE, top, more=[file(f"blobs/sha256/{hexed(both)}", both)])
    (found,) = take(image_store(tmp_path), members)
    assert (str(found.digest), str(found.manifest)) == (f"sha256:{hexed(both)}", MADE.digest)
    here = ImageStore(blob_store(tmp_path / "2"), Platform("linux", "s390x"), "boot")
    refuses(ImageRefusal.NO_PLATFORM, take, here, members)
    there = ImageStore(blob_store(tmp_path / "3"), Platform("linux", "arm64", "v8"), "boot")
    refuses(ImageRefusal.MISSING_BLOB, take, there, members)
    out = io.BytesIO()
    images = image_store(tmp_path)
    export_archive(images, str(found.digest), out)
    (again,) = import_archive(image_store(tmp_path / "4"), io.BytesIO(out.getvalue()))
    assert again == found


def test_images_of_other_platforms_beside_ours_are_passed_over(tmp_path):
    arm = image(TOP, architecture="arm64")
    ours, theirs = (
        made.descriptor(platform={"os": "linux", "architecture": architecture})
        for made, architecture in ((MADE, "amd64"), (arm, "arm64"))
    )
    assert [str(one.digest) for one in take(image_store(tmp_path), layout(MADE, theirs, ours))] == [MADE.digest]
    refuses(ImageRefusal.NO_PLATFORM, take, image_store(tmp_path / "2"), layout(arm, theirs))
    refuses(ImageRefusal.NO_PLATFORM, take, image_store(tmp_path / "3"), layout(arm))


def nested(depth: int):
    """Indexes within indexes; the layout's own is the outermost."""
    top, blobs = MADE.descriptor(), []
    for _ in range(depth):
        data = index(top)
        blobs.append(file(f"blobs/sha256/{hexed(data)}", data))
        top = {"mediaType": OCI + "index.v1+json", "digest": f"sha256:{hexed(data)}", "size": len(data)}
    return layout(MADE, top, more=blobs)


def test_indexes_within_indexes_end_somewhere(tmp_path):
    assert take(image_store(tmp_path), nested(3))
    refuses(ImageRefusal.INDEX_TOO_DEEP, take, image_store(tmp_path / "2"), nested(4))


def test_an_index_that_would_name_itself_has_another_digest(tmp_path):
    """No content can name its own digest; an archive that pretends so is caught by the digest."""
    claimed = "f" * 64
    data = index({"mediaType": OCI + "index.v1+json", "digest": f"sha256:{claimed}", "size": 260})
    top = {"mediaType": OCI + "index.v1+json", "digest": f"sha256:{claimed}", "size": len(data)}
    detail = refuses(
        BlobRefusal.WRONG_DIGEST,
        take,
        image_store(tmp_path),
        layout(MADE, top, more=[file(f"blobs/sha256/{claimed}", data)]),
    )
    assert detail.startswith(f"blobs/sha256/{claimed}: ")


def resized(manifest):
    manifest["layers"][0]["size"] += 1


def missing(manifest):
    manifest["layers"][0]["digest"] = "sha256:" + "0" * 64


def fewer(manifest):
    del manifest["layers"][0]


def huge(manifest):
    manifest["config"]["size"] = CONFIG_BYTES_MAX + 1


def chart(manifest):
    manifest["config"]["mediaType"] = "application/vnd.example.chart.config.v1+json"


def zstd(manifest):
    manifest["layers"][0]["mediaType"] = OCI + "layer.v1.tar+zstd"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (resized, ImageRefusal.WRONG_SIZE),
        (missing, ImageRefusal.MISSING_BLOB),
        (fewer, ImageRefusal.LAYERS_DIFFER),
        (huge, ImageRefusal.TOO_LARGE),
        (chart, ImageRefusal.UNSUPPORTED_MEDIA),
        (zstd, ImageRefusal.COMPRESSION),
    ],
)
def test_an_image_that_is_not_whole_is_refused_and_not_listed(tmp_path, change, reason):
    images = image_store(tmp_path)
    refuses(reason, take, images, layout(image(BASE, TOP, change=change)))
    assert images.list() == ()
    assert images.collect().blobs > 0, "what came with it goes"
    assert not list(images.blobs.list())


def without(members, name):
    return [(info, data) for info, data in members if info.name != name]


OLD = saved(image(BASE))
CONFIG = hexed(image(BASE).config_bytes) + ".json"


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([], ImageRefusal.ARCHIVE_UNKNOWN),
        ([file("readme", b"x")], ImageRefusal.ARCHIVE_UNKNOWN),
        (without(layout(MADE), "oci-layout"), ImageRefusal.ARCHIVE_UNKNOWN),
        ([*without(layout(MADE), "oci-layout"), file("oci-layout", b'{"imageLayoutVersion":"9"}')],
         ImageRefusal.ARCHIVE_UNKNOWN),
        ([*layout(MADE), file("oci-layout", b"{}")], ImageRefusal.ARCHIVE_MEMBER),
        ([*layout(MADE), special("pipe", b"6")], ImageRefusal.ARCHIVE_MEMBER),
        ([*layout(MADE), file("../x", b"")], ImageRefusal.PATH_ESCAPES),
        ([*without(layout(MADE), "index.json"), file("index.json", b"[]")], ImageRefusal.MALFORMED),
        ([*without(layout(MADE), "index.json"), file("index.json", index())], ImageRefusal.NO_PLATFORM),
        ([*without(OLD, CONFIG), file(CONFIG, b"{}")], BlobRefusal.WRONG_DIGEST),
        (without(OLD, CONFIG), ImageRefusal.MISSING_BLOB),
        ([*without(OLD, f"{0:064x}/layer.tar"), file(f"{0:064x}/layer.tar", TOP)], ImageRefusal.WRONG_DIFF_ID),
        ([*without(OLD, f"{0:064x}/layer.tar"), symlink(f"{0:064x}/layer.tar", "../../../etc/passwd")],
         ImageRefusal.MISSING_BLOB),
        ([*without(OLD, f"{0:064x}/layer.tar"), hard_link(f"{0:064x}/layer.tar", f"{0:064x}/layer.tar")],
         ImageRefusal.MISSING_BLOB),
    ],
)  # fmt: skip
def test_an_archive_that_is_none_is_refused(tmp_path, members, reason):
    images = image_store(tmp_path)
    refuses(reason, take, images, members)
    assert images.list() == ()


def test_an_archive_has_so_many_members(tmp_path, monkeypatch):
    monkeypatch.setattr("metanode.host.images.importing.MEMBERS_MAX", 5)
    refuses(ImageRefusal.ARCHIVE_MEMBER, take, image_store(tmp_path), layout(MADE))


def test_a_full_store_says_so(tmp_path):
    refuses(BlobRefusal.QUOTA, take, image_store(tmp_path, quota=100), layout(MADE))


def test_names_move_and_images_stay(tmp_path):
    images = image_store(tmp_path)
    other = image(TOP)
    (first,) = take(images, layout(MADE))
    (second,) = take(images, layout(other))
    assert images.find("shop/web:1") == second, "the name was given to the second"
    assert images.find(MADE.digest).names == ()
    images.name(MADE.digest, "old")
    assert images.find("old:latest").digest == first.digest
    images.name(str(second.digest), "shop/web:2")
    images.remove("shop/web:2")
    assert images.find("shop/web:1").names == ("shop/web:1",)
    assert images.remove("shop/web:1").digest == second.digest
    refuses(ImageRefusal.NOT_FOUND, images.find, "shop/web:1")
    refuses(ImageRefusal.NOT_FOUND, images.find, other.digest)
    refuses(ImageRefusal.REFERENCE_MALFORMED, images.name, MADE.digest, "NO NAME")
    assert len(images.list()) == 1


def test_there_are_only_so_many_images_and_names(tmp_path, monkeypatch):
    images = image_store(tmp_path)
    take(images, layout(MADE))
    monkeypatch.setattr(catalogue, "IMAGES_MAX", 1)
    refuses(ImageRefusal.CATALOGUE_FULL, take, images, layout(image(TOP)))
    monkeypatch.setattr(catalogue, "NAMES_MAX", 1)
    refuses(ImageRefusal.CATALOGUE_FULL, images.name, MADE.digest, "another")


def test_a_damaged_catalogue_is_told_and_nothing_collected(tmp_path):
    images = image_store(tmp_path)
    take(images, layout(MADE))
    (images.blobs.folder / "images.json").write_bytes(b'{"version": 1, "images": [{}]}')
    for ask in (images.list, images.collect):
        with pytest.raises(Fault) as damaged:
            ask()
        assert damaged.value.reason is FaultReason.BLOB_DAMAGED
    assert len(list(images.blobs.list())) == len(MADE.blobs) + 2, "its parts, index.json and oci-layout"


def test_an_image_is_exported_and_equal_images_make_equal_archives(tmp_path):
    images = image_store(tmp_path)
    (found,) = take(images, layout(MADE))
    out, again = io.BytesIO(), io.BytesIO()
    assert export_archive(images, "shop/web:1", out) == len(out.getvalue())
    other = image_store(tmp_path / "other")
    assert import_archive(other, io.BytesIO(out.getvalue())) == (found,)
    export_archive(other, "shop/web:1", again)
    assert out.getvalue() == again.getvalue()
    other.remove("shop/web:1")
    unnamed = image_store(tmp_path / "unnamed")
    (found,) = take(unnamed, layout(MADE, MADE.descriptor()))
    export_archive(unnamed, MADE.digest, again := io.BytesIO())
    assert import_archive(image_store(tmp_path / "3"), io.BytesIO(again.getvalue())) == (found,)
    refuses(ImageRefusal.NOT_FOUND, export_archive, other, "shop/web:1", io.BytesIO())


def test_the_layers_of_an_image_are_exported_under_another_name_and_configuration(tmp_path):
    images = image_store(tmp_path)
    take(images, layout(MADE))
    config = json.dumps({**MADE.config, "config": {}}).encode()
    out = io.BytesIO()
    assert export_layers(images, "shop/web:1", out, "localhost/x:1", config) == len(out.getvalue())
    (found,) = import_archive(image_store(tmp_path / "other"), io.BytesIO(out.getvalue()))
    assert (found.names, found.chain) == (("localhost/x:1",), images.find("shop/web:1").chain)
    refuses(ImageRefusal.NOT_FOUND, export_layers, images, "shop/none:1", io.BytesIO(), "x", config)


def test_a_root_is_unpacked_once_and_shared(tmp_path):
    images = image_store(tmp_path)
    (found,) = take(images, layout(MADE))
    with images.blobs.leases.lease() as lease:
        root = images.root(found, OWN, lease)
        assert {str(path.relative_to(root.files)) for path in root.files.rglob("*")} == {"etc", "srv", "srv/index.html"}
        assert root.key.startswith(found.chain.hex)
        stamp = root.files.stat().st_ino
        (root.files.parent / "rootfs/srv/mark").write_text("")
        again = images.root(found, OWN, lease)
        assert (again.files.stat().st_ino, again.contents) == (stamp, root.contents)
        assert (again.files / "srv/mark").exists(), "not unpacked again"
    assert not any(images.blobs.leases.staging.iterdir())


def test_a_root_is_believed_only_in_the_life_of_the_machine_that_made_it(tmp_path):
    images = image_store(tmp_path)
    (found,) = take(images, layout(MADE))
    with images.blobs.leases.lease() as lease:
        root = images.root(found, OWN, lease)
        (root.files / "srv/index.html").write_text("")  # what a power cut may leave
    after = image_store(tmp_path, boot="the next life")
    with after.blobs.leases.lease() as lease:
        assert (after.root(found, OWN, lease).files / "srv/index.html").read_text() == "<p>"
    unknown = image_store(tmp_path, boot="")
    with unknown.blobs.leases.lease() as lease:
        unknown.root(found, OWN, lease)
        unknown.root(found, OWN, lease)
    assert this_boot() == this_boot() != ""


def test_many_take_the_same_root_at_once_and_have_one(tmp_path):
    images = image_store(tmp_path)
    (found,) = take(images, layout(MADE))
    roots = []

    def get() -> None:
        with images.blobs.leases.lease() as lease:
            roots.append(images.root(found, OWN, lease))

    threads = [threading.Thread(target=get) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(roots) == 6
    assert len(set(roots)) == 1
    assert os.listdir(images.blobs.folder / "roots") == [roots[0].key]  # noqa: PTH208
    assert not any(images.blobs.leases.staging.iterdir())


def test_an_image_that_does_not_unpack_leaves_no_root(tmp_path):
    images = image_store(tmp_path)
    wrong = image(tar([file("../x", b"")]))
    (found,) = take(images, layout(wrong))
    with images.blobs.leases.lease() as lease:
        refuses(ImageRefusal.PATH_ESCAPES, images.root, found, OWN, lease)
    assert not any((images.blobs.folder / "roots").iterdir())
    assert not any(images.blobs.leases.staging.iterdir())


def test_a_collection_takes_what_no_image_has_and_nobody_uses(tmp_path):
    images = image_store(tmp_path)
    (found,) = take(images, layout(MADE))
    images.blobs.put([b"a specification"], 100)
    images.blobs.put([b"another"], 100)
    images.pins.add(digest_of(b"a specification"), "spec")
    lease = images.blobs.leases.lease()
    root = images.root(found, OWN, lease)
    swept = images.collect()
    assert (swept.blobs, swept.roots) == (3, 0), "the other blob, index.json, oci-layout"
    images.remove("shop/web:1")
    assert images.collect().roots == 0, "held"
    assert (root.files / "srv").is_dir()
    lease.close()
    swept = images.collect()
    assert (swept.blobs, swept.roots) == (4, 1)
    assert {stored.digest for stored in images.blobs.list()} == {digest_of(b"a specification")}
    assert not any((images.blobs.folder / "roots").iterdir())
    assert not any(images.blobs.leases.staging.iterdir())


def test_a_collection_while_somebody_imports_takes_nothing_of_it(tmp_path):
    """The collector runs between any two members of the archive."""
    images, collector = image_store(tmp_path), image_store(tmp_path)

    class Slow(io.BytesIO):
        def read(self, size=-1):
            collector.collect()
            return super().read(min(size, 700))

    (found,) = import_archive(images, Slow(tar(layout(MADE))))
    collector.collect()
    out = io.BytesIO()
    export_archive(images, str(found.digest), out)
    assert images.machine == MACHINE
    assert all(images.blobs.has(parse_digest(f"sha256:{name}")) for name in MADE.blobs)
