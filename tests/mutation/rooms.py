"""Which source is judged by which tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.mutation.mutants import SOURCE, Mutant, mutants


@dataclass(frozen=True)
class Room:
    """`folder` below src/metanode; `tests`: those of the room itself, quick and the same in every run."""

    folder: str
    tests: tuple[str, ...]

    def files(self) -> Sequence[str]:
        """Its source files."""
        return sorted(str(path.relative_to(SOURCE)) for path in (SOURCE / self.folder).rglob("*.py"))

    def mutants(self) -> list[Mutant]:
        """All of its mutants."""
        return [mutant for file in self.files() for mutant in mutants(file)]


PROPERTIES: Final = "tests/properties/"
ROOMS: Final = {
    "primitives": Room(
        "primitives",
        (
            "tests/unit/primitives",
            *(f"{PROPERTIES}test_{name}.py" for name in ("bitmap", "bls", "codec", "merkle")),
            *(f"tests/fuzz/test_{name}.py" for name in ("bitmap", "codec", "keystore")),
        ),
    ),
    "bls": Room("chain/bls", ("tests/unit/chain/bls", "tests/unit/chain/ibft")),
    "light": Room("chain/light", ("tests/unit/chain/light", "tests/fuzz/test_receipt_files.py")),
    "scheduler": Room(
        "docklock/scheduler",
        tuple(
            f"tests/unit/docklock/scheduler/test_{name}.py"
            for name in ("filters", "scores", "telling", "preemption", "waiting", "explaining", "placing")
        ),
    ),
    "receipts": Room("docklock/receipts", ("tests/unit/docklock/receipts",)),
    "ibft": Room("chain/ibft", ("tests/unit/chain/ibft", "tests/unit/chain/evidence", f"{PROPERTIES}test_ibft.py")),
}
"""By the name that the command takes."""
