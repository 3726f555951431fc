"""Blocks, state, keys and names of a stopped validator are hurt: what mends itself is mended, what cannot is refused
with what mends it, and afterwards nothing is lost."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from tests.journeys.patient import Ward, flip, newest, ward

from metanode.host.fault import FaultReason

Hurt = Callable[[Ward], object]


@pytest.fixture(scope="module")
def sick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    with ward(tmp_path_factory.mktemp("disk")) as built:
        yield built


FOREIGN: dict[str, tuple[str, Hurt, int, FaultReason]] = {
    "a key is missing": ("keys", lambda w: (w.folder / "keys/bls.json").unlink(), 3, FaultReason.KEY_UNKNOWN),
    "a key is noise": (
        "keys",
        lambda w: (w.folder / "keys/vote.json").write_text("{}"),
        4,
        FaultReason.KEY_FILE_UNREADABLE,
    ),
    "a key is another validator's": (
        "keys",
        lambda w: shutil.copy(w.nodes[1].folder / "keys/bls.json", w.folder / "keys/bls.json"),
        50,
        FaultReason.DIRECTORY_OTHER_CHAIN,
    ),
    "all keys are another validator's": (
        "keys",
        lambda w: shutil.copytree(w.nodes[1].folder / "keys", w.folder / "keys", dirs_exist_ok=True),
        50,
        FaultReason.DIRECTORY_OTHER_CHAIN,
    ),
    "the guard is another validator's": (
        "guard",
        lambda w: shutil.copy(w.nodes[1].folder / "guard", w.folder / "guard"),
        50,
        FaultReason.DIRECTORY_OTHER_CHAIN,
    ),
    "the format file is missing": (
        "FORMAT",
        lambda w: (w.folder / "FORMAT").unlink(),
        3,
        FaultReason.DIRECTORY_NOT_INITIALISED,
    ),
    "the format file is noise": (
        "FORMAT",
        lambda w: (w.folder / "FORMAT").write_bytes(b"\xff\x00"),
        50,
        FaultReason.DIRECTORY_UNKNOWN_FORMAT,
    ),
}
"""What is kept and put back, what is done to it, and how the start is refused."""


def test_what_belongs_to_another_or_is_gone_is_refused_until_it_is_put_back(sick):
    sick.stop()
    for what, (name, hurt, status, code) in FOREIGN.items():
        sick.keep(name)
        hurt(sick)
        error = sick.refuses(status, code)
        assert str(sick.folder) in error["message"], what
        sick.put_back(name)
    sick.start()
    sick.await_health()


MENDED: dict[str, tuple[Hurt, str]] = {
    "the last byte of the block log": (lambda w: flip(newest(w.folder / "blocks", "*.blocks"), -1), "block_log_cut"),
    "the end of the block log": (
        lambda w: os.truncate(log := newest(w.folder / "blocks", "*.blocks"), log.stat().st_size - 700),
        "block_log_cut",
    ),
    "the last rows that were written": (lambda w: flip(newest(w.folder / "store", "*.log"), -1), "booted"),
    "the whole store": (lambda w: shutil.rmtree(w.folder / "store"), "booted"),
}
"""What nobody but the node itself has to mend: how it is hurt, and what the log says."""


@pytest.mark.parametrize("what", MENDED)
def test_what_the_journal_or_the_log_holds_is_mended_at_the_start(sick, what):
    hurt, said = MENDED[what]
    sick.stop(kill=True)
    hurt(sick)
    lines = sick.start()
    assert said in {line["what"] for line in lines}
    sick.await_health()
    with sick.patient.ask() as client:
        assert client.block.get(1).height == 1, "and keeps what it had"


def test_a_directory_that_another_took_the_place_of_ends_its_node(sick):
    """DISK-25. The new one could be opened by a second process, and both would sign with one key."""
    moved = sick.folder.with_name("moved")
    sick.folder.rename(moved)
    shutil.copytree(moved, sick.folder)
    ended = sick.patient.await_end()
    assert (ended.status, ended.said["refused"]) == (70, FaultReason.DIRECTORY_GONE)
    shutil.rmtree(sick.folder)
    moved.rename(sick.folder)
    sick.start()
    sick.await_health()


def test_afterwards_its_vote_is_needed_and_given(sick):
    sick.check_its_vote_is_needed_and_given()
