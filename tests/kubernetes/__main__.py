"""`make test-kubernetes`: builds a Kubernetes from Debian's source package once, runs it here, and tries the driver.

    python -m tests.kubernetes [--record] [words for pytest]

Needs root and Debian. METANODE_KUBERNETES_CACHE says where what was built is kept. `--record` writes the recordings
anew that `make test` plays.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
CACHE: Final = "METANODE_KUBERNETES_CACHE"
PROGRAMS: Final = "METANODE_TEST_KUBERNETES"
RECORD: Final = "METANODE_RECORD_KUBERNETES"


def main() -> int:
    """Build, then run the tests in namespaces of their own."""
    if os.geteuid() != 0:
        print("make test-kubernetes needs root: network namespaces, mounts, control groups")
        return 77
    cache = Path(os.environ.get(CACHE, "/var/cache/metanode/kubernetes-1.20.2"))
    done = subprocess.run([str(HERE / "build.sh"), str(cache)], check=False)
    if done.returncode:
        print(f"the build in {cache} failed; what it printed says why")
        return done.returncode
    words = sys.argv[1:]
    environment = {**os.environ, PROGRAMS: str(cache / "bin"), RECORD: "1" if "--record" in words else ""}
    rest = [word for word in words if word != "--record"]
    command = ["unshare", "-n", "-m", "-p", "-f", "--mount-proc", "--propagation", "private", "--kill-child"]
    command += [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        str(HERE / "test_cluster.py"),
        str(HERE / "test_journey.py"),
        *rest,
    ]
    return subprocess.run(command, check=False, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
