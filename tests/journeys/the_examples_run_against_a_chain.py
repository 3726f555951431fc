"""The examples of the SDK are programs that run, and what they print is true."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.journeys.town import ROOT, Town, town


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("examples"), count=1) as nodes:
        yield nodes


def run(nodes: Town, name: str, *arguments: str) -> list[str]:
    """The lines an example prints. It must succeed and complain about nothing."""
    example = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / name), nodes[0].url, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": ""},
    )
    assert (example.returncode, example.stderr) == (0, ""), example.stdout + example.stderr
    return example.stdout.splitlines()


def test_every_example_is_run_here() -> None:
    assert {path.name for path in (ROOT / "examples").glob("*.py")} == {
        "transfer.py",
        "batch.py",
        "watch.py",
        "verify.py",
    }


def test_transfer(chain: Town) -> None:
    sentence, final, balance, failed = run(chain, "transfer.py")
    assert sentence == "to sign: acme transfers 4.20 USD to globex"
    assert final.startswith("final at height ")
    assert ": rcpt_" in final
    assert balance == "globex has 100000420 cents"
    assert failed == "failed: coin.unknown"


def test_batch(chain: Town) -> None:
    accepted, final = run(chain, "batch.py")
    assert accepted == "51 of 51 accepted"
    assert final.startswith("51 final at height ")


def test_watch_goes_on_where_it_stopped(chain: Town) -> None:
    *first, cursor = run(chain, "watch.py")
    assert first[0].startswith("1:0 block:")
    *second, _ = run(chain, "watch.py", cursor.removeprefix("go on with: "))
    places = [tuple(map(int, line.split()[0].split(":"))) for line in first + second]
    assert len(places) == 10
    assert places == sorted(set(places))


def test_verify(chain: Town) -> None:
    whole, receipt, flipped = run(chain, "verify.py", chain.chain_id.hex())
    assert whole.endswith("receipts are as they should be")
    assert receipt.endswith("proved by 1 of 1 validators")
    assert flipped.startswith("with one bit flipped: light.")


def test_another_genesis_is_not_believed(chain: Town) -> None:
    with pytest.raises(AssertionError, match=r"light\.basis"):
        run(chain, "verify.py", "00" * 32)
