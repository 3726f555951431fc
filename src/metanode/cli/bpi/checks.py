"""What `bpi doctor` looks at: each check sees for itself, and says pass, warn or fail with what would help."""

import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from metanode import __version__
from metanode.cli.bpi.local_network import LocalNetwork, LocalNode
from metanode.cli.bpi.ports import is_free, taker
from metanode.cli.bpi.showing import amount_of_space
from metanode.client import Client, ClientError
from metanode.host.data_directory import FORMAT, Layout, read_format
from metanode.host.disk import free_bytes
from metanode.host.fault import Fault
from metanode.host.settings import load_settings
from metanode.records.genesis import RULES_VERSION

Verdict = Literal["pass", "warn", "fail"]

FREE_WARN_BYTES: Final = 2 << 30
"""Below this a chain under load fills the disk within hours."""
SYNC_WARN_MS: Final = 20.0
"""A vote waits for one sync; slower ones show in every block."""
FILES_WARN: Final = 1_024
"""Connections, segments and tables of one node stay far below this; less was lowered by somebody."""
SKEW_WARN_MS: Final = 1_000
SKEW_FAIL_MS: Final = 5_000
"""A block further in the future than drift_ms (5 s by default) is not voted for."""
MEMORY_WARN_BYTES: Final = 300 << 20
"""A validator takes up to 250 MB."""
_SYNC_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    seen: str
    fix: str = ""


def machine_checks(folder: Path) -> Iterator[Check]:
    """Versions, limits, disk and clock of this machine."""
    yield Check("version", "pass", f"bpi {__version__} · rules {RULES_VERSION} · python {platform.python_version()}")
    if not __debug__:
        yield Check("assertions", "fail", "switched off (python -O)", "start python without -O")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    low = soft != resource.RLIM_INFINITY and soft < FILES_WARN
    fix = f"ulimit -n {FILES_WARN} (the hard limit is {hard})" if low else ""
    yield Check("open files", "warn" if low else "pass", f"at most {soft}", fix)
    yield _memory()
    there = next(path for path in (folder, *folder.resolve().parents) if path.is_dir())
    yield _space(there)
    yield _sync(there)
    yield _clock()


def _memory() -> Check:
    with suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]) << 10
        verdict: Verdict = "warn" if free < MEMORY_WARN_BYTES else "pass"
        fix = "stop something; a validator takes up to 250 MB" if verdict == "warn" else ""
        return Check("memory", verdict, f"{free >> 20} MiB available", fix)
    return Check("memory", "warn", "this system does not say how much is free", "look for yourself")


def _space(folder: Path) -> Check:
    free = free_bytes(folder)
    verdict: Verdict = "warn" if free < FREE_WARN_BYTES else "pass"
    fix = "free some space, or move the folder with --data" if verdict == "warn" else ""
    return Check("disk space", verdict, f"{amount_of_space(free)} free at {folder}", fix)


def _sync(folder: Path) -> Check:
    """How long a small durable write takes there."""
    path = folder / f".bpi-doctor-{os.getpid()}"
    times = []
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            for _ in range(_SYNC_TRIES):
                began = time.perf_counter()
                os.pwrite(file, bytes(4096), 0)
                os.fsync(file)
                times.append((time.perf_counter() - began) * 1000)
        finally:
            os.close(file)
            path.unlink()
    except OSError as error:
        return Check("disk sync", "fail", f"{folder}: {error.strerror}", "choose a folder you may write to with --data")
    middle = sorted(times)[_SYNC_TRIES // 2]
    slow = middle > SYNC_WARN_MS
    fix = "use a faster disk: every vote waits for one sync" if slow else ""
    return Check("disk sync", "warn" if slow else "pass", f"{middle:.1f} ms for a durable write", fix)


def _clock() -> Check:
    """Whether the kernel says that somebody keeps its clock right (adjtimex)."""
    import ctypes

    fix = "run an NTP client: validators' clocks must agree within seconds"
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return Check("clock", "warn", "this system does not say whether its clock is kept right", fix)
    if state == 5:  # TIME_ERROR
        return Check("clock", "warn", "not synchronised, says the kernel", fix)
    return Check("clock", "pass", "synchronised, says the kernel")


def node_checks(node: LocalNode) -> Iterator[Check]:
    """Settings, data directory, keys, process and ports of one node."""
    layout = Layout(node.folder)
    try:
        settings = load_settings(layout.settings)
        owner = read_format(layout)
    except Fault as fault:
        yield Check(node.name, "fail", f"[{fault.reason}] {fault.detail}", fault.fix)
        return
    free = free_bytes(node.folder)
    if free < settings.storage.free_bytes_min:
        fix = "free some space, or lower storage.free_bytes_min"
        yield Check(f"{node.name} disk", "fail", f"{free >> 20} MiB free: it stops itself", fix)
    yield from _keys(node, layout)
    process = node.process
    if process:
        yield from _asked(node, process)
        return
    taken = [port for port in node.ports if not is_free(port)]
    for port in taken:
        fix = "stop it, or choose other ports in node.toml"
        yield Check(f"{node.name} port", "fail", f"port {port} is taken by {taker(port)}", fix)
    if not taken:
        seen = f"format {FORMAT} · chain {owner.chain_id.hex()[:8]}… · ports free · does not run"
        yield Check(node.name, "warn", seen, "bpi up")


def _keys(node: LocalNode, layout: Layout) -> Iterator[Check]:
    if os.name != "posix" or not layout.keys.is_dir():
        return
    wide = [path for path in sorted(layout.keys.iterdir()) if path.stat().st_mode & 0o077]
    if wide:
        yield Check(f"{node.name} keys", "fail", f"{wide[0]} is open to others", f"chmod 600 {layout.keys}/*")


def _asked(node: LocalNode, process: int) -> Iterator[Check]:
    """What a running node says of itself."""
    try:
        with Client(node.url, timeout_s=3.0) as client:
            status = client.node.status()
    except ClientError as error:
        seen = f"process {process} runs and does not answer at {node.url}"
        yield Check(node.name, "fail", f"{seen}: {error.code}", f"bpi logs {node.name}; bpi testnet heal")
        return
    colours: dict[str, Verdict] = {"green": "pass", "yellow": "warn", "red": "fail"}
    seen = f"process {process} · height {status.height} · {status.light.reason}"
    yield Check(node.name, colours[status.light.colour], seen, status.light.fix)
    if status.version != __version__:
        fix = f"bpi testnet restart {node.name}"
        yield Check(f"{node.name} version", "warn", f"runs {status.version}, this is {__version__}", fix)


def skew_check(url: str) -> Check:
    """How far the clock of a node stands from ours; half of the way there and back is taken off."""
    began = time.time()
    try:
        with Client(url, timeout_s=3.0) as client:
            client.ready()
            began = time.time()
            theirs_ms = client.node.status().now_ms
    except ClientError as error:
        return Check("node", "fail", f"no answer at {url}: {error.code}", "bpi up, or correct --node")
    skew_ms = theirs_ms - (began + time.time()) / 2 * 1000
    verdict: Verdict = "pass"
    if abs(skew_ms) > SKEW_WARN_MS:
        verdict = "fail" if abs(skew_ms) > SKEW_FAIL_MS else "warn"
    fix = "run an NTP client on both machines" if verdict != "pass" else ""
    return Check("clock skew", verdict, f"{skew_ms:+.0f} ms to {url}", fix)


def network_checks(network: LocalNetwork) -> Iterator[Check]:
    """That all data directories are of one chain, then each node."""
    chains = set()
    for node in network.nodes:
        with suppress(Fault):
            chains.add(read_format(Layout(node.folder)).chain_id)
    if len(chains) > 1:
        yield Check("chain", "fail", f"{len(chains)} different chains in {network.root}", "keep one network a folder")
    for node in network.nodes:
        yield from node_checks(node)


assert sys.platform != "win32", "nodes need fcntl and signals"
