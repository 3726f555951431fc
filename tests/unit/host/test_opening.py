"""What a node does before it runs: nobody founds a chain unproved, and a damaged journal ends nobody."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from metanode.host.data_directory import DataDirectory, Layout
from metanode.host.development import PASSWORD, create_network
from metanode.host.fault import Fault, FaultReason
from metanode.host.opening import Opened, check_possessions, open_all
from metanode.host.segment import FRAME_BYTES, HEADER_BYTES
from metanode.host.settings import load_settings
from metanode.primitives.bls import negate_key
from metanode.records.genesis import Genesis


def node(tmp_path: Path) -> Path:
    """The data directory of one of four validators."""
    return create_network(tmp_path / "net", 4, 26_700, "opening").nodes[0]


def opened(root: Path, closing: ExitStack) -> Opened:
    directory = DataDirectory(root)
    closing.callback(directory.close)
    settings = load_settings(directory.layout.settings)
    quiet = replace(settings, log=replace(settings.log, file=str(root / "log")))
    return open_all(directory, quiet, {"METANODE_PASSWORD": PASSWORD}, closing)


def with_validator(genesis: Genesis, seat: int, **changes: bytes) -> Genesis:
    validators = list(genesis.validators)
    validators[seat] = msgspec.structs.replace(validators[seat], **changes)
    return msgspec.structs.replace(genesis, validators=tuple(validators))


def test_a_genesis_with_an_unproved_key_founds_nothing(tmp_path: Path) -> None:
    """A key made of the others' negated sum would sign for them all."""
    with ExitStack() as closing:
        genesis = opened(node(tmp_path), closing).genesis
    check_possessions(genesis)
    first, second = genesis.validators[:2]
    for wrong in (
        with_validator(genesis, 1, possession=first.possession),
        with_validator(genesis, 1, bls_key=negate_key(first.bls_key)),
        with_validator(genesis, 1, bls_key=first.bls_key, possession=first.possession),
        with_validator(genesis, 1, bls_key=bytes(48), possession=second.possession),
    ):
        with pytest.raises(Fault) as caught:
            check_possessions(wrong)
        assert caught.value.reason is FaultReason.DIRECTORY_UNPROVED


def test_a_node_with_a_damaged_journal_observes_one_life_and_goes_on(tmp_path: Path) -> None:
    """Found by review: it could append nothing, and so ended at the next block, in this life and in every later one."""
    root = node(tmp_path)
    with ExitStack() as closing:
        first = opened(root, closing)
        assert first.may_vote
        for word in (b"one", b"two", b"three"):
            first.journal.append([word])
    (segment,) = Layout(root).journal.glob("*.journal")
    data = bytearray(segment.read_bytes())
    data[HEADER_BYTES + 2 * FRAME_BYTES + len(b"one")] ^= 1
    segment.write_bytes(data)
    with ExitStack() as closing:
        second = opened(root, closing)
        assert (second.may_vote, second.records) == (False, (b"one",))
        second.journal.append([b"goes on"])
    with ExitStack() as closing:
        third = opened(root, closing)
        assert (third.may_vote, third.records) == (True, (b"one", b"goes on"))
    assert len(list(Layout(root).journal.glob("*.damaged"))) == 1
