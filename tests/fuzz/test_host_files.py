"""Files of the data directory: arbitrary bytes end in a value or a `Fault`, nothing else."""

import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.host.backup import check_backup
from metanode.host.block_log import BlockLog, repair
from metanode.host.data_directory import DataDirectory, Layout, load_genesis
from metanode.host.disk import Disk
from metanode.host.fault import Fault
from metanode.host.guard_file import GuardFile
from metanode.host.journal import Journal, JournalCut, JournalDamaged, JournalWhole
from metanode.host.keys import list_accounts, load_account
from metanode.host.segment import (
    HEADER_BYTES,
    PAYLOAD_BYTES_MAX,
    Damaged,
    Segment,
    Torn,
    Whole,
    frame_bytes,
    frame_extent,
    header_bytes,
    read_header,
    scan,
)
from metanode.host.settings import Settings, dump_settings, load_settings, read_settings
from metanode.host.verify import pack, unpack
from metanode.primitives.digest import Tag
from metanode.primitives.names import Hash

SEGMENT = Segment(Tag.JOURNAL, 5, bytes(range(16)))
FEW = settings(max_examples=60, deadline=None)
MANY = settings(max_examples=200, deadline=None)


def salt(count):
    return bytes(count)


@MANY
@given(
    batches=st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=3), max_size=5),
    cut=st.integers(0, 400),
    flips=st.lists(st.tuples(st.integers(0, 600), st.integers(1, 255)), max_size=3),
    tail=st.binary(max_size=60),
)
def test_a_segment_is_whole_torn_or_damaged_and_its_frames_are_ours(batches, cut, flips, tail):
    data, payloads, number = header_bytes(SEGMENT), [], SEGMENT.first
    for batch in batches:
        first = number
        for payload in batch:
            data += frame_bytes(SEGMENT, number, first, payload)
            payloads.append(payload)
            number += 1
    changed = bytearray(data[: max(HEADER_BYTES, len(data) - cut)] + tail)
    for at, mask in flips:
        if HEADER_BYTES <= at < len(changed):
            changed[at] ^= mask
    found = scan(SEGMENT, bytes(changed))
    kept = [bytes(changed[frame.offset : frame.end]) for frame in found.frames]
    assert kept == payloads[: len(kept)], "nothing but what was written, in order"
    if isinstance(found, Whole):
        assert changed == data[: len(changed)]
    assert isinstance(found, Whole | Torn | Damaged)


@MANY
@given(data=st.binary(max_size=200))
def test_a_header_is_one_or_a_sentence(data):
    assert isinstance(read_header(Tag.JOURNAL, data), Segment | str)
    assert isinstance(scan(SEGMENT, header_bytes(SEGMENT) + data), Whole | Torn)
    extent = frame_extent(SEGMENT, data)
    assert extent is None or extent[1] <= PAYLOAD_BYTES_MAX


@FEW
@given(data=st.binary(max_size=300))
def test_arbitrary_files_of_a_data_directory(data):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "0001.journal").write_bytes(data)
        _, read = Journal.open(folder, Disk(), salt)
        assert isinstance(read, JournalWhole | JournalCut | JournalDamaged)
        (folder / "guard").write_bytes(data)
        with suppress(Fault):
            GuardFile.open(folder / "guard", bytes(32), Disk())
        (folder / f"{1:016d}.blocks").write_bytes(data)
        with suppress(Fault):
            BlockLog(folder, Disk(), salt).close()
        assert repair(folder, Disk(), salt) >= 0
        for file in ("FORMAT", "MANIFEST", "genesis.toml", "acme.json"):
            (folder / file).write_bytes(data)
            (folder / file).chmod(0o600)
        with suppress(Fault):
            DataDirectory(folder).close()
        with suppress(Fault):
            load_genesis(Layout(folder), Hash(bytes(32)))
        (folder / "node.toml").write_bytes(data)
        with suppress(Fault):
            load_settings(folder / "node.toml")
        with suppress(Fault):
            check_backup(folder)
        with suppress(Fault):
            list_accounts(folder)
        with suppress(Fault):
            load_account(folder, "acme", "secret")


VALUE = st.recursive(
    st.booleans() | st.integers(-5, 1 << 70) | st.floats(allow_nan=False) | st.text(max_size=5) | st.just("info"),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)
WORDS = sorted({line.split(" =")[0].strip("[]") for line in dump_settings(Settings()).splitlines() if line[:1] != "#"})


def written(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(written(item) for item in value) + "]"
    return repr(value) if not isinstance(value, str) else '"' + "".join(c for c in value if c.isalnum()) + '"'


@MANY
@given(
    lines=st.lists(
        st.tuples(st.sampled_from(WORDS), VALUE).map(lambda pair: f"{pair[0]} = {written(pair[1])}")
        | st.sampled_from(WORDS).map("[{}]".format)
        | st.text(max_size=10),
        max_size=6,
    )
)
def test_settings_are_read_or_refused(lines):
    try:
        found = read_settings("\n".join(lines), "node.toml")
    except Fault as fault:
        assert fault.detail.startswith("node.toml: ")
        assert fault.fix
    else:
        assert read_settings(dump_settings(found), "again") == found


@MANY
@given(items=st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=70), st.binary(max_size=70)), max_size=5))
def test_blobs_of_signatures_unpack_to_what_was_packed(items):
    assert unpack(pack(items)) == items
