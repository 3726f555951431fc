"""Start-up: `--version` and `--help` import nothing heavy. Counted in modules: a busy machine's clock lies."""

import subprocess
import sys

import pytest

HEAVY = (
    "rich", "cryptography", "nacl", "msgspec", "pyblst", "py_arkworks_bls12381", "rocksdict", "uvloop", "asyncio",
    "starlette", "uvicorn", "prometheus_client", "argon2", "ssl", "http.client", "importlib.metadata",
)  # fmt: skip
SCRIPT = """
import sys
from metanode.cli.bpi.main import main
status = main(sys.argv[1:])
loaded = [name for name in {heavy!r} if name in sys.modules]
assert not loaded, loaded
assert not {forbidden!r} or {forbidden!r} not in sys.modules
sys.exit(status)
"""


def started(forbidden: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = SCRIPT.format(heavy=HEAVY, forbidden=forbidden)
    return subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)


def test_the_version_needs_not_even_click() -> None:
    result = started("click", "--version")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("bpi ")


@pytest.mark.parametrize("line", [["--help"], ["config", "--help"], ["config", "get", "node"], ["completion", "zsh"]])
def test_help_and_light_commands_stay_light(line: list[str]) -> None:
    result = started("", *line)
    assert (result.returncode, result.stderr) == (0, "")


def test_the_check_would_see_a_heavy_import() -> None:
    result = started("", "version")
    assert result.returncode == 1
    assert "msgspec" in result.stderr
