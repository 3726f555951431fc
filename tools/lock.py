"""Write requirements.lock and requirements-dev.lock anew: every version pinned, every file hashed, no index named.

What is pinned stays as it is where it still fits; with --upgrade the newest that fit are taken. The resolver lives in a
throw-away environment, so that it is no dependency of anything. Run by `make lock`.
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEADER = """\
# Made by `make lock` from pyproject.toml; do not edit. One file for Python 3.11 and later; every file is hashed.
"""
LOCKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("requirements.lock", ("--extra", "build")),
    ("requirements-dev.lock", ("--extra", "build", "--extra", "dev", "--extra", "kubernetes")),
)


def resolve(resolver: Path, target: str, extras: tuple[str, ...], *, upgrade: bool) -> str:
    """The text of one lock file."""
    command = [
        str(resolver), "pip", "compile", "pyproject.toml", *extras, "--universal", "--python-version", "3.11",
        "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--quiet",
    ]  # fmt: skip
    if target != LOCKS[0][0]:
        command += ["--constraint", LOCKS[0][0]]
    if not upgrade:  # what one of the two names already is taken for both: a new dependency may be an old one of tests
        command += [
            word for lock, _ in LOCKS if lock != LOCKS[0][0] or lock == target for word in ("--constraint", lock)
        ]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    """Resolve both sets; the second never differs from the first where both name a package."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        binaries = Path(folder) / "bin"
        subprocess.run([str(binaries / "pip"), "install", "--quiet", "uv"], check=True)
        for target, extras in LOCKS:
            text = HEADER + resolve(binaries / "uv", target, extras, upgrade="--upgrade" in sys.argv[1:])
            if "://" in text:
                sys.exit(f"{target}: the resolver wrote an address into the lock; nothing written")
            (ROOT / target).write_text(text)
            print(f"{target}: {text.count('==')} packages")


if __name__ == "__main__":
    main()
