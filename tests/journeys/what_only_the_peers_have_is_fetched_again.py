"""What only the peers have: lost blocks and damaged state are refused, set aside by a command, and fetched again."""

from collections.abc import Callable, Iterator

import pytest
from tests.journeys.patient import Ward, flip, newest, ward
from tests.journeys.town import House, until

from metanode.api.accounts import AccountList
from metanode.api.methods import ACCOUNT_LIST
from metanode.client import ClientError
from metanode.host.fault import FaultReason

Hurt = Callable[[Ward], object]


@pytest.fixture(scope="module")
def sick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    with ward(tmp_path_factory.mktemp("repair")) as built:
        yield built


def lost_blocks(sick: Ward) -> None:
    """The log as it was when the patient was first kept: what came later is in no journal."""
    sick.put_back("blocks")


DAMAGED: dict[str, tuple[Hurt, FaultReason]] = {
    "the manifest of the store": (
        lambda w: newest(w.folder / "store", "MANIFEST*").unlink(),
        FaultReason.STORE_DAMAGED,
    ),
    "noise in the store": (lambda w: (w.folder / "store/CURRENT").write_bytes(b"\xc1" * 9), FaultReason.STORE_DAMAGED),
    "a table of the store": (lambda w: newest(w.folder / "store", "*.sst").unlink(), FaultReason.STORE_DAMAGED),
    "blocks that no journal holds": (lost_blocks, FaultReason.BLOCK_LOG_DAMAGED),
    "a byte in the middle of the block log": (
        lambda w: flip(log := newest(w.folder / "blocks", "*.blocks"), log.stat().st_size // 4),
        FaultReason.BLOCK_LOG_DAMAGED,
    ),
    "the head of the block log": (
        lambda w: flip(newest(w.folder / "blocks", "*.blocks"), 5),
        FaultReason.BLOCK_LOG_DAMAGED,
    ),
}
"""What is hurt, and how the start is refused."""


def test_nothing_is_done_to_what_is_whole_and_nothing_while_it_runs(sick):
    sick.shell.refuses(f"node repair --data {sick.folder}", 5, FaultReason.DIRECTORY_LOCKED)
    sick.stop()
    assert "nothing is damaged" in sick.shell.says(f"node repair --data {sick.folder}")
    sick.keep("blocks")
    sick.start()
    sick.await_health()


@pytest.mark.parametrize("what", DAMAGED)
def test_it_is_refused_repaired_and_fetched_from_the_peers(sick, what):
    """Before a checkpoint the journal has it all, and a hurt block log heals from it without a word: there is nothing
    to refuse yet."""
    hurt, code = DAMAGED[what]
    sick.await_checkpoint()
    sick.stop()
    hurt(sick)
    error = sick.refuses(30, code)
    assert f"bpi node repair --data {sick.folder}" in error["fix"]
    if "middle" in what:
        sick.up_refuses(30, code)
    done = sick.shell.data(f"node repair --data {sick.folder}")
    assert (done["first_block"], done["height"]) == (1, 0)
    assert any(".damaged" in path for path in done["set_aside"])
    sick.start()
    sick.await_health()


def ask_for_every_account(house: House) -> bool:
    """Read all state; whether the node ended over it."""
    try:
        with house.ask() as client:
            client.call(ACCOUNT_LIST, AccountList(coin="USD", limit=500))
            client.receipt.list(first=1, last=house.height(), limit=500)
    except ClientError:
        return not house.is_running or house.await_end().status != 0
    return False


def test_a_damaged_row_ends_the_node_when_it_is_read_and_is_never_a_missing_row(sick):
    """DISK-9. Nobody is told that an account holds nothing because its row cannot be read."""
    sick.stop()
    for table in (sick.folder / "store").glob("*.sst"):
        for place in range(200, table.stat().st_size - 200, 4_096):
            flip(table, place)
    sick.patient.start(wait=False)
    until(lambda: not sick.patient.is_running or sick.patient.said(), 30, "ready, or over")
    if sick.patient.is_running:
        until(lambda: ask_for_every_account(sick.patient), 20, "it ends")
    ended = sick.patient.await_end()
    assert (ended.status, ended.said["refused"]) == (30, FaultReason.STORE_DAMAGED)
    assert f"bpi node repair --data {sick.folder}" in ended.said["fix"]
    assert "store.damaged" in sick.shell.says(f"node repair --data {sick.folder}")
    sick.start()
    sick.await_health()
    sick.check_its_vote_is_needed_and_given()
