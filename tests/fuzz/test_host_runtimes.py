"""What the runtimes read: frames from the other end of the socket, notes and logs on the disk, complaints."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from metanode.host.runtimes.logs import LogReader
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim.frames import Unpacker
from metanode.host.runtimes.shim.hierarchy import Hierarchy
from metanode.host.runtimes.shim.logfiles import FILE_HEADER, MAGIC, RECORD_HEADER, LogFiles
from metanode.host.runtimes.shim.outside import complaint
from metanode.host.runtimes.shim.plans import plan_of
from metanode.host.runtimes.shim.sweep import sweep
from metanode.primitives.refusal import Rejected

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    ["id", "root", "workdir", "uid", "gid", "hostname", "read_only_root", "stop_signal", "stop_grace_ms", "command",
     "env", "limits", "mounts", "temporary", "secrets", "kept", "log", "cage"]
)  # fmt: skip
GOOD = {
    "id": "a.b.0.1", "root": "/", "workdir": "/", "uid": 0, "gid": 0, "hostname": "h", "read_only_root": True,
    "stop_signal": "TERM", "stop_grace_ms": 1, "command": ["x"], "env": [], "limits": [1 << 26, 500, 9, 99],
    "mounts": [], "temporary": [], "secrets": [["/s/x", "eA==", 256]], "kept": [], "log": [4096, 2],
}  # fmt: skip


@given(st.binary(max_size=200) | JSON.map(lambda value: repr(value).encode()))
def test_a_frame_is_a_message_or_refused(body: bytes) -> None:
    try:
        messages = Unpacker().feed(len(body).to_bytes(4, "big") + body)
    except Rejected as refused:
        assert refused.reason is RuntimeRefusal.BAD_FRAME
    else:
        assert all(isinstance(message, dict) for message in messages)


@given(st.dictionaries(NAMES, JSON, min_size=1, max_size=3))
def test_a_message_is_a_plan_or_refused(changed: dict[str, object]) -> None:
    try:
        plan = plan_of({**GOOD, **changed})
    except Rejected as refused:
        assert isinstance(refused.reason, RuntimeRefusal)
    else:
        assert plan.command


@given(
    st.fixed_dictionaries(
        {
            "seed": st.just("00" * 32) | st.text(max_size=70),
            "inputs": JSON | st.lists(st.lists(st.text(max_size=70), max_size=4), max_size=3),
            "outputs": JSON | st.lists(st.just("/tmp/a") | st.text(max_size=9), max_size=3),
        }
    )
    | JSON
)
def test_a_cage_is_one_or_refused(cage: object) -> None:
    try:
        plan = plan_of({**GOOD, "cage": cage})
    except Rejected as refused:
        assert refused.reason in {RuntimeRefusal.BAD_FRAME, RuntimeRefusal.BAD_CAGE}
    else:
        assert plan.cage is None or len(plan.cage.seed) == 32


@given(st.text(max_size=20))
def test_a_secret_that_is_no_base64_is_refused(text: str) -> None:
    try:
        plan_of({**GOOD, "secrets": [["/s/x", text, 256]]})
    except Rejected as refused:
        assert refused.reason in {RuntimeRefusal.BAD_FRAME, RuntimeRefusal.BAD_SECRET}


@given(st.binary(max_size=300), st.integers(0, 40))
def test_a_log_of_noise_ends_somewhere(noise: bytes, cut: int) -> None:
    record = RECORD_HEADER.pack(1, 1, 3) + b"abc"
    with tempfile.TemporaryDirectory() as folder:
        whole = FILE_HEADER.pack(MAGIC, 0, bytes(32)) + record + noise
        Path(folder, f"{0:020d}.log").write_bytes(whole[: len(whole) - cut])
        found = list(LogReader(Path(folder), 0).more())
        assert all(len(one.data) <= len(whole) for one in found)
        log = LogFiles(Path(folder), 4096, 2)
        log.resume()
        log.append(1, 2, b"and on")
        assert list(LogReader(Path(folder), 0).more())[-1].data == b"and on"
        log.close()


@given(st.binary(max_size=200))
def test_a_complaint_of_noise_is_a_refusal(noise: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        log.write_bytes(noise)
        assert isinstance(complaint(log).reason, RuntimeRefusal)


@given(st.binary(max_size=80) | JSON.map(lambda value: repr(value).encode()))
def test_a_note_of_noise_is_swept_with_its_folder(noise: bytes) -> None:
    with tempfile.TemporaryDirectory() as state:
        folder = Path(state, "c", "a.b.0.1")
        folder.mkdir(parents=True)
        (folder / "state.json").write_bytes(noise)
        assert sweep(Path(state), Hierarchy(0, "none")) == ["a.b.0.1"]
        assert not folder.exists()
