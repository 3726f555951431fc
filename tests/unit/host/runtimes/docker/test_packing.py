"""A folder as an image: the same folder is the same image, and its archive is what an engine loads."""

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from metanode.host.runtimes.docker.images import packed
from metanode.host.runtimes.docker.memory import Secrets, in_memory
from metanode.host.runtimes.plan import HOST_USR, ContainerPlan, Limits, Secret


def folder_of(path: Path) -> Path:
    (path / "bin").mkdir(parents=True)
    (path / "bin" / "sh").write_bytes(b"#!")
    (path / "bin" / "sh").chmod(0o755)
    (path / "sh").symlink_to("bin/sh")
    os.link(path / "bin" / "sh", path / "bin" / "ash")
    os.mkfifo(path / "pipe")
    for one in [*sorted(path.rglob("*")), path]:
        os.utime(one, (1000, 1000), follow_symlinks=False)
    return path


def test_equal_folders_are_equal_images(tmp_path: Path) -> None:
    one, two = (packed(folder_of(tmp_path / name), io.BytesIO()) for name in ("one", "two"))
    assert one.layers == two.layers
    (tmp_path / "two" / "bin" / "sh").write_bytes(b"#?")
    assert packed(tmp_path / "two", io.BytesIO()).layers != one.layers


def test_the_archive_has_the_layer_under_its_digest_and_the_name_that_was_given(tmp_path: Path) -> None:
    layer, out = io.BytesIO(), io.BytesIO()
    image = packed(folder_of(tmp_path / "root"), layer)
    image.write(out, "localhost/x:1", b'{"config": "of the caller"}')
    out.seek(0)
    with tarfile.open(fileobj=out) as tar:
        members = {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]
    (saved,) = json.loads(members["manifest.json"])
    assert saved["RepoTags"] == ["localhost/x:1"]
    assert members[saved["Config"]] == b'{"config": "of the caller"}'
    (name,) = saved["Layers"]
    assert f"sha256:{hashlib.sha256(members[name]).hexdigest()}" == image.layers[0]
    with tarfile.open(fileobj=io.BytesIO(members[name])) as tar:
        found = {entry.name: entry for entry in tar}
    assert set(found) == {".", "bin", "bin/sh", "bin/ash", "sh"}  # no pipe
    assert found["bin/sh"].mode == 0o755
    assert {entry.uname for entry in found.values()} == {""}


def test_a_folder_in_memory_is_told_by_the_table_of_mounts() -> None:
    table = "proc /proc proc rw 0 0\ntmpfs /run tmpfs rw 0 0\n/dev/x / ext4 rw 0 0\n"
    assert in_memory("/run", table)
    assert not in_memory("/", table)
    assert not in_memory("/dev/shm", table)
    assert not in_memory("/run", table + "/dev/y /run ext4 rw 0 0\n")  # the last one is what is seen


@pytest.mark.skipif(os.geteuid() != 0, reason="a secret belongs to the container's user: needs root")
def test_secrets_are_written_for_their_user_and_taken_away(tmp_path: Path) -> None:
    secrets = Secrets(f"test-{os.getpid()}")
    if secrets.folder is None:
        pytest.skip("this machine has no tmpfs at /run or /dev/shm")
    plan = ContainerPlan(
        id="a.b.0.1", root=HOST_USR, command=("x",), limits=Limits(64 << 20, 100), uid=77, gid=78,
        secrets=(Secret("/run/secrets/one", b"1", 0o440), Secret("/etc/app/two", b"2"), Secret("/etc/app/three", b"3")),
    )  # fmt: skip
    try:
        one, two = secrets.put(plan)
        assert sorted(path.name for path in one.iterdir()) == ["three", "two"]
        found = (two / "one").stat()
        assert (found.st_mode & 0o777, found.st_uid, found.st_gid) == (0o440, 77, 78)
        assert secrets.folder.stat().st_mode & 0o777 == 0o700
        assert secrets.names() == [plan.id]
        secrets.forget(plan.id)
        assert secrets.names() == []
    finally:
        secrets.end()
    assert not secrets.folder.exists()
