import os
import subprocess
import sys
import threading
import time

import pytest

from metanode.host import verify
from metanode.host.verify import (
    Pool,
    Slices,
    check_aggregates,
    check_blob,
    check_shares,
    check_signatures,
    pack,
    unpack,
)
from metanode.primitives import bls, ed25519

KEY = ed25519.SigningKey(bytes(32))


def batch(count, bad=()):
    signed = [(KEY.public_key, b"%d" % i * (i % 3), KEY.sign(b"%d" % i * (i % 3))) for i in range(count)]
    return tuple((k, m + b"!" if i in bad else m, s) for i, (k, m, s) in enumerate(signed))


def test_a_batch_is_checked_in_slices():
    slices = Slices(batch(10, bad={3}))
    assert [slices.step(4), slices.step(4)] == [None, None]
    assert slices.step(4) == tuple(i != 3 for i in range(10))
    assert Slices(()).step(4) == ()


def test_blobs_carry_any_widths():
    items = [(b"", b"", b""), (b"key", b"message" * 100, b"signature"), *batch(2)]
    assert unpack(pack(items)) == items
    assert check_blob(pack(items)) == b"\0\0\1\1"


def secrets(count):
    return [bytes(31) + bytes((i + 1,)) for i in range(count)]


def test_shares_are_summed_and_bad_ones_are_found():
    keys = [bls.public_key(s) for s in secrets(3)]
    shares = [bls.sign(s, b"m") for s in secrets(3)]
    aggregate, bad = check_shares(b"m", keys, shares)
    assert (aggregate, bad) == (bls.aggregate(shares), ())
    assert check_aggregates([(keys, b"m", aggregate), (keys[:2], b"m", aggregate), ([], b"m", aggregate)]) == (
        True,
        False,
        False,
    )
    assert check_shares(b"m", keys, [shares[0], shares[0], b"junk"]) == (b"", (1, 2))
    assert check_shares(b"m", [], []) == (b"", ())


class Heard:
    def __init__(self):
        self.verdicts = None
        self.event = threading.Event()

    def __call__(self, verdicts):
        assert self.verdicts is None, "told twice"
        self.verdicts = verdicts
        self.event.set()

    def wait(self):
        assert self.event.wait(20)
        return self.verdicts


@pytest.mark.live
def test_a_pool_checks_in_other_processes_and_survives_their_death(monkeypatch):
    monkeypatch.setattr(verify, "CHUNK_ITEMS", 8)
    pool = Pool(1)
    try:
        heard = Heard()
        pool.check(batch(50, bad={0, 8, 49}), heard)
        assert heard.wait() == tuple(i not in {0, 8, 49} for i in range(50))
        empty = Heard()
        pool.check((), empty)
        assert empty.wait() == ()
        for process in pool._executor._processes.values():
            process.kill()
        after = Heard()
        pool.check(batch(50, bad={7}), after)
        assert after.wait() == tuple(i != 7 for i in range(50))
        assert pool.is_lost
        again = Heard()
        pool.check(batch(9), again)
        assert again.wait() == (True,) * 9
    finally:
        pool.close()


def is_there(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


PARENT = """
import time
from metanode.host.verify import Pool

if __name__ == "__main__":
    pool = Pool(1)
    pool.check(((bytes(32), b"m", bytes(64)),) * 40, lambda verdicts: None)
    print(*pool._executor._processes, flush=True)
    time.sleep(60)
"""


@pytest.mark.live
def test_the_processes_of_a_killed_node_go_with_it(tmp_path):
    program = tmp_path / "parent.py"
    program.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    assert is_there(worker)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 20
    while is_there(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_there(worker)


def test_what_is_checked_here_is_the_same_verdict():
    assert check_signatures(batch(4, bad={1})) == (True, False, True, True)
