"""Paths, the tar format, plans and bounds: what of an archive is done, and what is refused."""

import io
import tarfile
from typing import Any

import pytest
from tests.unit.docklock.images.refusing import refuses

from metanode.docklock.images.bounds import RATIO_FREE_BYTES, RATIO_MAX, Budget, Limits, check_inflation
from metanode.docklock.images.paths import (
    DEPTH_MAX,
    LINK_HOPS_MAX,
    NAME_BYTES_MAX,
    PATH_BYTES_MAX,
    STEPS_MAX,
    Walk,
    entry_path,
    link_text,
)
from metanode.docklock.images.plan import (
    Attributes,
    Clear,
    LeftOut,
    MakeFolder,
    MakeHardLink,
    MakeSymlink,
    Nothing,
    Plan,
    Remove,
    WriteFile,
)
from metanode.docklock.images.refusals import ImageRefusal
from metanode.docklock.images.tar import (
    EXTRA_BYTES_MAX,
    EXTRAS_MAX,
    TIME_MAX,
    End,
    Entry,
    Extra,
    Headers,
    Kind,
    file_header,
)
from metanode.docklock.images.users import ID_MAX


@pytest.mark.parametrize(
    ("name", "path"),
    [(b"a/b", (b"a", b"b")), (b"./a//b/", (b"a", b"b")), (b"./", ()), (b"", ()), (b"a/...", (b"a", b"...")),
     (b"\xff", (b"\xff",))],
)  # fmt: skip
def test_a_path_is_its_names(name, path):
    assert entry_path(name) == path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (b"/etc/passwd", ImageRefusal.PATH_ESCAPES),
        (b"../x", ImageRefusal.PATH_ESCAPES),
        (b"a/../../x", ImageRefusal.PATH_ESCAPES),
        (b"a/..", ImageRefusal.PATH_ESCAPES),
        (b"a\x00b", ImageRefusal.PATH_ESCAPES),
        (b"a" * (NAME_BYTES_MAX + 1), ImageRefusal.PATH_TOO_LONG),
        (b"a/" * (DEPTH_MAX + 1), ImageRefusal.PATH_TOO_LONG),
        (b"./" * PATH_BYTES_MAX, ImageRefusal.PATH_TOO_LONG),
    ],
)
def test_a_path_that_leaves_or_is_too_long_is_refused(name, reason):
    refuses(reason, entry_path, name)


@pytest.mark.parametrize("target", [b"x", b"../x", b"../../x", b"/etc/passwd", b"/../../x", b"./a/../../../x"])
def test_a_link_within_the_root_may_be(target):
    assert link_text((b"a", b"b", b"link"), target) == target


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (b"", ImageRefusal.LINK_ESCAPES),
        (b"a\x00", ImageRefusal.LINK_ESCAPES),
        (b"../../../x", ImageRefusal.LINK_ESCAPES),
        (b"c/../../../../x", ImageRefusal.LINK_ESCAPES),
        (b"a" * (PATH_BYTES_MAX + 1), ImageRefusal.PATH_TOO_LONG),
    ],
)
def test_a_link_that_leaves_is_refused(target, reason):
    refuses(reason, link_text, (b"a", b"b", b"link"), target)


def test_a_walk_is_bounded_and_stays_below_the_root():
    walk = Walk((b"a", b"b"))
    assert walk.next_name() == b"a"
    walk.entered()
    assert (walk.next_name(), walk.followed(b"../c"), walk.next_name()) == (b"b", False, b"..")
    walk.climbed()
    assert (walk.next_name(), walk.followed(b"/d/"), walk.depth) == (b"c", True, 0)
    assert (walk.next_name(), walk.next_name()) == (b"d", None)

    walk = Walk((b"a",))
    walk.next_name()
    walk.followed(b"..")
    refuses(ImageRefusal.LINK_ESCAPES, walk.next_name)

    walk = Walk((b"a",))
    for _ in range(LINK_HOPS_MAX):
        walk.next_name()
        walk.followed(b"a")
    refuses(ImageRefusal.LINK_LOOP, walk.followed, b"a")

    walk = Walk((b"a",))
    walk.next_name()
    walk.followed(b"/".join([b"x"] * STEPS_MAX))
    for _ in range(STEPS_MAX - 1):
        walk.next_name()
    refuses(ImageRefusal.LINK_LOOP, walk.next_name)

    walk = Walk((), DEPTH_MAX)
    refuses(ImageRefusal.PATH_TOO_LONG, walk.entered)


def blocks(member, data=b"", form=tarfile.PAX_FORMAT):
    """The headers of one entry, as Python's writer makes them."""
    return member.tobuf(form) + data


def only_entry(data):
    """The one entry of these headers."""
    headers = Headers()
    file = io.BytesIO(data)
    while block := file.read(512):
        match headers.block(block):
            case Extra(size):
                headers.more(file.read(size))
                file.read(-size % 512)
            case answer:
                return answer
    raise AssertionError("no entry")


def info(name="file", **more):
    made = tarfile.TarInfo(name)
    for key, value in more.items():
        setattr(made, key, value)
    return made


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_entries_are_read_as_they_were_written(form):
    member = info("a/" * 40 + "b" * 90, size=12_345, mode=0o4751, uid=1000, gid=2000, mtime=1_700_000_000)
    assert only_entry(blocks(member, form=form)) == Entry(
        member.name.encode(), Kind.FILE, 12_345, 0o4751, 1000, 2000, 1_700_000_000 * 10**9
    )
    link = info("l", type=tarfile.SYMTYPE, linkname="t" * 100)
    assert only_entry(blocks(link, form=form)).link == b"t" * 100


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_and_large_numbers_are_read(form):
    member = info("n" * 250 + "/" + "m" * 250, size=1 << 35, uid=1 << 22, type=tarfile.REGTYPE)
    found = only_entry(blocks(member, form=form))
    assert (found.name, found.size, found.uid) == (member.name.encode(), 1 << 35, 1 << 22)
    link = info("l" * 200, type=tarfile.LNKTYPE, linkname="t" * 300)
    found = only_entry(blocks(link, form=form))
    assert (found.name, found.kind, found.link) == (b"l" * 200, Kind.HARD_LINK, b"t" * 300)


def test_times_have_fractions_and_stay_within_their_range():
    assert only_entry(blocks(info(mtime=1.5))).changed_ns == 1_500_000_000
    assert only_entry(blocks(info(pax_headers={"mtime": "-3.5"}))).changed_ns == 0
    assert only_entry(blocks(info(pax_headers={"mtime": "9" * 19}))).changed_ns == TIME_MAX * 10**9


def test_a_folder_of_old_is_told_by_its_slash_and_attributes_are_noticed():
    assert only_entry(blocks(info("d/", type=tarfile.AREGTYPE))).kind is Kind.FOLDER
    assert only_entry(blocks(info(pax_headers={"SCHILY.xattr.security.capability": "x"}))).has_attributes


def patched(block, at, data):
    """A header with other bytes and the checksum that fits them."""
    block = block[:at] + data + block[at + len(data) :]
    block = block[:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\x00 " % sum(block) + block[156:]


PLAIN = info("file").tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"x" * 512, ImageRefusal.TAR_MALFORMED),
        (PLAIN[:100] + b"9" + PLAIN[101:], ImageRefusal.TAR_MALFORMED),
        (patched(PLAIN, 124, b"\xff" * 12), ImageRefusal.TAR_MALFORMED),
        (patched(PLAIN, 124, b"-0000000001\x00"), ImageRefusal.TAR_MALFORMED),
        (patched(PLAIN, 124, b"\x80" + b"\x7f" * 11), ImageRefusal.TAR_MALFORMED),
        (patched(PLAIN, 108, b"00000z0\x00"), ImageRefusal.TAR_MALFORMED),
        (patched(patched(PLAIN, 156, b"2"), 124, b"00000000010\x00"), ImageRefusal.TAR_MALFORMED),
        (patched(PLAIN, 156, b"S"), ImageRefusal.TAR_UNSUPPORTED),
        (patched(PLAIN, 156, b"V"), ImageRefusal.TAR_UNSUPPORTED),
        (patched(PLAIN, 156, b"M"), ImageRefusal.TAR_UNSUPPORTED),
        (blocks(info(pax_headers={"GNU.sparse.major": "1"})), ImageRefusal.TAR_UNSUPPORTED),
        (blocks(info(pax_headers={"size": "-1"})), ImageRefusal.TAR_MALFORMED),
        (blocks(info(pax_headers={"size": "9" * 20})), ImageRefusal.TAR_MALFORMED),
        (blocks(info(pax_headers={"uid": "1e3"})), ImageRefusal.TAR_MALFORMED),
        (blocks(info(pax_headers={"mtime": "1.x"})), ImageRefusal.TAR_MALFORMED),
        (tarfile.TarInfo.create_pax_global_header({"path": "x"}), ImageRefusal.TAR_UNSUPPORTED),
        (patched(patched(PLAIN, 156, b"x"), 124, b"%011o\x00" % (EXTRA_BYTES_MAX + 1)), ImageRefusal.TAR_MALFORMED),
        (patched(PLAIN, 156, b"x") * (EXTRAS_MAX + 1), ImageRefusal.TAR_MALFORMED),
        (patched(PLAIN, 156, b"x") + bytes(512), ImageRefusal.TAR_MALFORMED),
    ],
)
def test_what_readers_would_understand_differently_is_refused(data, reason):
    refuses(reason, only_entry, data)


@pytest.mark.parametrize(
    "records", [b"x", b"5 a=b", b"6 a=b\nx", b"99 a=b\n", b"0 a=b\n", b"6 =ab\n", b"6 abc\n", b"12 path=a\x00b\n"]
)
def test_a_pax_record_that_is_none_is_refused(records):
    headers = Headers()
    assert headers.block(patched(patched(PLAIN, 156, b"x"), 124, b"%011o\x00" % len(records))) == Extra(len(records))
    refuses(ImageRefusal.TAR_MALFORMED, headers.more, records)


def test_a_global_comment_does_no_harm_and_an_empty_value_is_none():
    assert only_entry(tarfile.TarInfo.create_pax_global_header({"comment": "x"}) + PLAIN).name == b"file"
    assert only_entry(blocks(info(pax_headers={"path": ""}))).name == b"file"
    assert Headers().block(bytes(512)) == End()


def test_a_header_that_is_written_is_a_header_that_is_read():
    assert only_entry(file_header(b"blobs/sha256/" + b"0" * 64, 7)) == Entry(b"blobs/sha256/" + b"0" * 64, Kind.FILE, 7)
    with tarfile.open(fileobj=io.BytesIO(file_header(b"name", 0) + bytes(1024))) as archive:
        assert archive.getnames() == ["name"]


def planned(entry, limits=None):
    return Plan(Budget(limits or Limits())).step(entry)


def test_every_kind_of_entry_becomes_a_step():
    entry: dict[str, Any] = {"mode": 0o7777, "uid": 5, "gid": 6, "changed_ns": 7}
    assert planned(Entry(b"f", Kind.FILE, 9, **entry)) == WriteFile((b"f",), 9, Attributes(0o1777, 5, 6, 7))
    assert planned(Entry(b"d/", Kind.FOLDER, **entry)) == MakeFolder((b"d",), Attributes(0o3777, 5, 6, 7))
    assert planned(Entry(b"./", Kind.FOLDER, **entry)) == MakeFolder((), Attributes(0o3777, 5, 6, 7))
    assert planned(Entry(b"l", Kind.SYMLINK, link=b"t", **entry)) == MakeSymlink(
        (b"l",), b"t", Attributes(0o777, 5, 6, 7)
    )
    assert planned(Entry(b"h", Kind.HARD_LINK, link=b"/a/b")) == MakeHardLink((b"h",), (b"a", b"b"))
    assert planned(Entry(b"d/.wh.gone", Kind.FILE)) == Remove((b"d", b"gone"))
    assert planned(Entry(b"d/.wh..wh..opq", Kind.FILE)) == Clear((b"d",))
    assert planned(Entry(b".wh..wh..opq", Kind.FILE)) == Clear(())
    assert planned(Entry(b".wh..wh.plnk/1.2", Kind.FILE)) == Nothing()


def test_what_is_left_out_is_counted():
    plan = Plan(Budget(Limits()))
    for kind in (Kind.CHARACTER_DEVICE, Kind.BLOCK_DEVICE, Kind.PIPE):
        assert plan.step(Entry(b"x", kind)) == Nothing()
    plan.step(Entry(b"x", Kind.FILE, mode=0o2755, has_attributes=True))
    assert plan.left_out == {LeftOut.DEVICE: 2, LeftOut.PIPE: 1, LeftOut.SETUID: 1, LeftOut.ATTRIBUTE: 1}


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (Entry(b"./", Kind.FILE), ImageRefusal.PATH_ESCAPES),
        (Entry(b"", Kind.SYMLINK, link=b"x"), ImageRefusal.PATH_ESCAPES),
        (Entry(b"x", Kind.SYMLINK, link=b"../x"), ImageRefusal.LINK_ESCAPES),
        (Entry(b"x", Kind.HARD_LINK, link=b"../x"), ImageRefusal.PATH_ESCAPES),
        (Entry(b"x", Kind.HARD_LINK, link=b"x"), ImageRefusal.HARD_LINK),
        (Entry(b"x", Kind.HARD_LINK, link=b"./"), ImageRefusal.HARD_LINK),
        (Entry(b"x", Kind.FILE, uid=ID_MAX + 1), ImageRefusal.OWNER),
        (Entry(b"x", Kind.FILE, gid=ID_MAX + 1), ImageRefusal.OWNER),
        (Entry(b"a/.wh.", Kind.FILE), ImageRefusal.WHITEOUT),
        (Entry(b"a/.wh..", Kind.FILE), ImageRefusal.WHITEOUT),
        (Entry(b"a/.wh...", Kind.FILE), ImageRefusal.WHITEOUT),
        (Entry(b"a/.wh.b/c", Kind.FILE), ImageRefusal.WHITEOUT),
        (Entry(b"a/.wh.b", Kind.SYMLINK, link=b"x"), ImageRefusal.WHITEOUT),
    ],
)
def test_an_entry_that_no_image_needs_is_refused(entry, reason):
    refuses(reason, planned, entry)


def test_an_image_has_bounds_over_all_its_layers():
    for limits, entry, reason in (
        (Limits(entries=2), Entry(b"x", Kind.FILE), ImageRefusal.TOO_MANY_ENTRIES),
        (Limits(hard_links=2), Entry(b"x", Kind.HARD_LINK, link=b"y"), ImageRefusal.TOO_MANY_ENTRIES),
        (Limits(unpacked_bytes=25), Entry(b"x", Kind.FILE, 10), ImageRefusal.UNPACKS_TOO_LARGE),
    ):
        plan = Plan(Budget(limits))
        plan.step(entry)
        plan.step(entry)
        refuses(reason, plan.step, entry)


def test_so_much_comes_out_of_so_little_and_no_more():
    check_inflation(0, RATIO_FREE_BYTES)
    check_inflation(1000, RATIO_FREE_BYTES + 1000 * RATIO_MAX)
    refuses(ImageRefusal.BOMB, check_inflation, 1000, RATIO_FREE_BYTES + 1000 * RATIO_MAX + 1)
