"""A command that asks a node once must not pay for what it does not use."""

import subprocess
import sys

HEAVY = (
    "nacl",
    "pyblst",
    "py_arkworks_bls12381",
    "cryptography",
    "asyncio",
    "starlette",
    "uvicorn",
    "rocksdict",
    "rich",
)
"""Signing, pairings and servers: only `client.transactions` and `client.verify` may need the first ones."""


def test_the_client_imports_nothing_heavy() -> None:
    program = "import sys, metanode.client; print(*(n for n in sys.argv[1:] if n in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", program, *HEAVY], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
