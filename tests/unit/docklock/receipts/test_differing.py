"""The first thing in which two runs of a deterministic job differ is named, in the order in which it can happen."""

import msgspec
import pytest
from tests.unit.records.test_determinism import WITNESS, other

from metanode.docklock.receipts.differing import KEPT, first_difference
from metanode.records.determinism import Witness


def kept(*results: int) -> bytes:
    """Single observations: the chain is another one behind each that differs."""
    return b"".join(KEPT.pack(228 + n, result, bytes([result]) * 8) for n, result in enumerate(results))


def changed(**parts: object) -> Witness:
    return msgspec.structs.replace(WITNESS, **parts)


def test_what_is_the_same_has_no_difference() -> None:
    assert first_difference(WITNESS, WITNESS, b"", b"") is None
    assert first_difference(WITNESS, WITNESS, kept(1, 2), kept(1, 2)) is None


def test_the_first_single_observation_is_named_by_number_and_call() -> None:
    again = changed(chain=bytes(32))
    found = first_difference(WITNESS, again, kept(1, 2, 3), kept(1, 9, 8))
    assert found is not None
    assert (found.what, found.call) == ("observation 1", 229)
    assert found.first.startswith("2, chain 0202")
    assert found.again.startswith("9, chain 0909")


def test_one_that_ends_earlier_differs_behind_its_last_one() -> None:
    found = first_difference(WITNESS, changed(observations=2, chain=bytes(32)), kept(1, 2, 3), kept(1, 2))
    assert found is not None
    assert (found.what, found.call, found.first, found.again) == ("observation 2", -1, "7 in all", "2 in all")


def test_without_single_observations_only_that_they_differ_is_known() -> None:
    found = first_difference(WITNESS, changed(chain=bytes(32)), b"", kept(1))
    assert found is not None
    assert found.what == "observation 0"


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ({"identity": other(WITNESS.identity)}, "the job"),
        ({"processor": False}, "the processor"),
        ({"out": other(WITNESS.out)}, "stdout"),
        ({"err": other(WITNESS.err)}, "stderr"),
        ({"code": 1}, "exit status"),
        ({"signal": 9}, "exit status"),
        ({"left": (msgspec.structs.replace(WITNESS.left[0], size=5), WITNESS.left[1])}, "file /tmp/a"),
        ({"left": (WITNESS.left[0], msgspec.structs.replace(WITNESS.left[1], digest=bytes(32)))}, "file /tmp/b"),
        ({"kept": bytes(32)}, "single observations"),
    ],
)
def test_every_part_is_named(parts: dict[str, object], what: str) -> None:
    found = first_difference(WITNESS, changed(**parts), b"", b"")
    assert found is not None
    assert found.what == what
    assert found.first != found.again
    both = first_difference(WITNESS, changed(**{"code": 200, **parts}), b"", b"")
    assert both is not None
    order = ("the job", "the processor", "stdout", "stderr", "exit status")
    assert both.what == (what if what in order else "exit status")
