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
    "metanode.records.block",
    "metanode.records.evidence",
    "metanode.records.transaction",
)
"""Signing, pairings, servers, records: only `client.transactions` and `client.verify` may need some of them."""


def test_the_client_imports_nothing_heavy() -> None:
    program = "import sys, metanode.client; print(*(n for n in sys.argv[1:] if n in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", program, *HEAVY], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
