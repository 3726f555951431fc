"""Faults planted in a copy of the node: the harness must notice each."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.faults.play import play
from tests.faults.schedule import decode
from tests.faults.world import SOURCE


@dataclass(frozen=True)
class Plant:
    """What is wrong, the lines to the letter that become others (file, before, after), what is played, and the
    guarantees of which one must be told to be broken."""

    name: str
    says: str
    lines: tuple[tuple[str, str, str], ...]
    schedule: str
    noticed_by: tuple[str, ...]

    def plant(self, folder: Path) -> Path:
        """The spoilt copy of the source."""
        source = folder / "src"
        shutil.copytree(SOURCE / "metanode", source / "metanode", ignore=shutil.ignore_patterns("__pycache__"))
        for file, before, after in self.lines:
            path = source / "metanode" / file
            text = path.read_text()
            assert text.count(before) == 1, f"{file} has {text.count(before)} places: {before}"
            path.write_text(text.replace(before, after))
        return source


QUIET: Final = "v1 n=4 ms=6000 pause:1@1000-3000 kill:2@3500-4000"
KILLS: Final = "v1 n=4 ms=9000 kill:2@3000-3200 kill:0,1,2,3@6000-6200"
HALVES: Final = "v1 n=4 ms=8000 cut:0,1@2000-6000"
HEALED_S: Final = 15.0
"""A spoilt node may never get well: that is seen soon enough."""

TOLD_TOO_EARLY: Final = """\
return TransactionStatus(
            identity=asked.identity, state="final", height=desk.tip.height + 1, succeeded=True
        )"""
KEPT: Final = """\
_KEPT: dict[bytes, AccountDetails] = {}


def _kept(ledger, address, most):
    return _KEPT.setdefault(address, account_details(ledger, address, most))


def account_get("""
OFFERED_AGAIN: Final = """\
            again = [one for one in _LAST if one.identity not in {new.identity for new in transactions}]
            _LAST[:] = transactions
            finish_building(desk, (*again, *transactions))
"""

PLANTED: Final = (
    Plant(
        "told-too-early",
        "a transaction of a block that is only proposed is told to be final",
        (
            (
                "node/requests/transactions.py",
                'return TransactionStatus(identity=asked.identity, state="included")',
                TOLD_TOO_EARLY,
            ),
        ),
        QUIET,
        ("acknowledged", "monotone", "own word"),
    ),
    Plant(
        "stale-read",
        "an account that was read once is shown so again, under the height of now",
        (
            ("node/requests/accounts.py", "    details = account_details(desk", "    details = _kept(desk"),
            ("node/requests/accounts.py", "def account_get(", KEPT),
        ),
        QUIET,
        ("named height", "explained"),
    ),
    Plant(
        "only-in-memory",
        "what is told to be final is durable nowhere, and a start looks at nothing but the store: a kill forgets it",
        (
            (
                "host/store.py",
                "        self._closed = False\n",
                "        self._unsynced.disable_wal = True\n        self._closed = False\n",
            ),
            ("host/durables.py", "height > self._blocks.last + 1", "height != self._blocks.last + 1"),
            ("node/boot.py", "    while desk.tip.height < desk.archive.last:\n", "    while False:\n"),
            ("node/boot.py", "    while read.holds(desk.tip.height + 1):\n", "    while False:\n"),
        ),
        KILLS,
        ("acknowledged", "monotone"),
    ),
    Plant(
        "half-is-a-quorum",
        "two of four decide: both halves of a partition go on",
        (("primitives/bitmap.py", "return -(-2 * seat_count // 3)", "return seat_count // 2"),),
        HALVES,
        ("agreement",),
    ),
    Plant(
        "done-twice",
        "a proposer offers again what is final, and a used nonce is taken again",
        (
            ("ledger/accounts/admission.py", "    if transaction.nonce < due:\n", "    if False:\n"),
            ("node/routes/pool.py", "MAYBE_FINAL: Final", "_LAST = []\nMAYBE_FINAL: Final"),
            ("node/routes/pool.py", "            finish_building(desk, transactions)\n", OFFERED_AGAIN),
        ),
        QUIET,
        ("once",),
    ),
)
"""What is planted."""


def notice(plant: Plant) -> bool:
    """Plant it, play, and say whether it was noticed as what it is."""
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        source = plant.plant(Path(folder))
        with tempfile.TemporaryDirectory(prefix="faults-") as there:
            report = play(decode(plant.schedule), Path(there), seed=1, source=source, healed_s=HEALED_S)
    told = sorted({line.partition(":")[0] for line in report.broken})
    is_noticed = bool(set(told) & set(plant.noticed_by))
    print(
        f"{plant.name}: {'noticed' if is_noticed else 'NOT NOTICED'} ({', '.join(told) or 'nothing broken'})",
        flush=True,
    )
    return is_noticed
