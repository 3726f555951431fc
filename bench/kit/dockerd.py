"""A Docker engine of its own to measure against: its own network namespace and folders, gone afterwards."""

import io
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IMAGE = "bench/usr:1"
"""Folders and links alone: programs are those of this machine's /usr, as for our own containers here."""
LIMIT_S = 30.0


def is_there() -> bool:
    """Whether this machine has an engine and its command."""
    return shutil.which("dockerd") is not None and shutil.which("docker") is not None


def root() -> bytes:
    """An archive of the links that make a /usr a root."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name in ("usr", "tmp"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
        for name in ("bin", "lib", "lib64", "sbin"):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, f"usr/{name}"
            archive.addfile(link)
    return made.getvalue()


def docker(host: str, *words: str, given: bytes = b"") -> str:
    """The command as a person types it; it must succeed."""
    done = subprocess.run(["docker", "-H", host, *words], input=given, capture_output=True, check=False)
    assert done.returncode == 0, done
    return done.stdout.decode().strip()


@contextmanager
def running_dockerd() -> Iterator[str]:
    """An engine that has the image; where it listens."""
    with tempfile.TemporaryDirectory(prefix="bench-dockerd-") as name:
        folder, host = Path(name), f"unix://{name}/docker.sock"
        with (folder / "log").open("wb") as log:
            words = ["dockerd", "--data-root", f"{name}/data", "--exec-root", f"{name}/exec", "-H", host]
            words += ["--pidfile", f"{name}/pid", "--iptables=false", "--bridge=none"]
            words += ["--default-ulimit", "nofile=4096:4096", "--exec-opt", "native.cgroupdriver=cgroupfs"]
            process = subprocess.Popen(["unshare", "-n", *words], stdout=log, stderr=log)
        try:
            until = time.monotonic() + LIMIT_S
            while subprocess.run(["docker", "-H", host, "info"], capture_output=True, check=False).returncode:
                said = (folder / "log").read_text()[-2_000:]
                assert process.poll() is None, said
                assert time.monotonic() < until, said
                time.sleep(0.1)
            docker(host, "import", "-", IMAGE, given=root())
            yield host
        finally:
            process.terminate()
            process.wait(LIMIT_S)


def typed_runs(rounds: int) -> list[float]:
    """Seconds of `docker run -d` of a service that says one word and sleeps, each taken away again."""
    took = []
    with running_dockerd() as host:
        for _ in range(rounds + 1):
            began = time.monotonic()
            limits = ("--memory", "8m", "--cpus", "0.25", "--network", "none", "-v", "/usr:/usr:ro")
            name = docker(host, "run", "-d", *limits, IMAGE, "/usr/bin/sh", "-c", "echo up; exec sleep 100000")
            took.append(time.monotonic() - began)
            docker(host, "rm", "-f", name)
    return took[1:]  # the first warms up
