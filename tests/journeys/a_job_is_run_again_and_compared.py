"""A deterministic job runs on one node, another runs it again: EQUAL; a receipt that lies is found out, by name."""

import os
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from tests.journeys.layout import BUSYBOX, make_layout
from tests.journeys.patience import Patience
from tests.journeys.shell import Shell
from tests.journeys.town import free_base

from metanode.cli.bpi.agent_file import ed25519_seed
from metanode.docklock.receipts import details
from metanode.primitives import ed25519
from metanode.primitives.codec import encode
from metanode.records.determinism import WITNESSES, Said, witness_root
from metanode.records.workload_receipt import (
    SIGNED_ENTRIES,
    WORKLOAD_RECEIPT_FILES,
    Entry,
    SignedEntry,
    entry_digest,
)

JOB = """
name: sums
services:
  sums:
    image: metanode.host/usr
    command: ["/usr/bin/python3", "-I", "-S", "-c", "{program}"]
    deploy:
      mode: replicated-job
      resources: {{limits: {{cpus: "0.2", memory: 96m}}}}
    x-metanode:
      deterministic: true
      inputs: ["numbers.txt=sha256:{digest}"]
      outputs: [sums.txt]
"""
LOOK = """
name: look
services:
  look:
    image: busy@{digest}
    entrypoint: ["/bin/busybox", "stat", "/", "/bin", "/bin/busybox", "/etc/hosts", "/tmp", "/dev/null"]
    deploy:
      mode: replicated-job
      resources: {{limits: {{cpus: "0.1", memory: 32m}}}}
    x-metanode: {{deterministic: true}}
"""
PROGRAM = (
    "import os, random, time; "
    "print(time.time(), random.random(), os.getpid(), id(object()), list({'a', 'b', 'c'}), os.listdir('/usr')); "
    "open('/tmp/sums.txt', 'w').write(str(sum(map(int, open('/input/numbers.txt')))))"
)


NUMBERS = b"1\n2\n3\n"
until = Patience(40.0, 0.1)


@pytest.fixture(scope="module")
def bpi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    shell = Shell(tmp_path_factory.mktemp("replay"))
    said = shell.says(f"up --engine sandbox --port-base {free_base()}")
    assert "4/4 active · containers by sandbox" in said
    try:
        yield shell
    finally:
        shell.run("down")


def test_a_job_is_run_again_on_another_node_and_is_equal(bpi):
    (bpi.folder / "sums.yaml").write_text(JOB.format(program=PROGRAM, digest=sha256(NUMBERS).hexdigest()))
    bpi.refuses("container run sums.yaml", 50, "determinism.missing")
    (bpi.folder / "numbers.txt").write_bytes(NUMBERS)
    bpi.says("container run sums.yaml")
    until(lambda: bpi.data("container show sums")["phase"] == "completed", "the job ends")
    until(lambda: "witness" in bpi.says("receipt list --container sums.0 --json"), "its end is written down")
    said = bpi.says("container replay sums.0")
    assert "EQUAL" in said
    again = bpi.data("container replay sums.0")
    assert (again["equal"], again["root"], again["difference"]) == (True, again["expected"], None)
    assert again["first"] != again["again"]
    assert again["files"] == {"/tmp/sums.txt": sha256(b"6").hexdigest()}
    nodes = {"node-1", "node-2", "node-3", "node-4"}
    other = min(nodes - {again["first"], again["again"]})
    assert bpi.data(f"container replay sums.0.{again['container'].rpartition('.')[2]} --on {other}")["again"] == other
    bpi.refuses("container replay sums.0 --on node-9", 3, "cli.unknown-node")
    bpi.refuses("container replay nothing.0", 3, "determinism.no-witness")
    steps = [one["entry"]["step"] for one in bpi.data("receipt list --container sums.0")["items"]]
    assert steps.count("replayed") == 3, "each run again is a receipt"
    here = bpi.data("container replay sums.0 --local")
    assert (here["equal"], here["again"], here["root"]) == (True, "here", again["root"])


def lie(bpi: Shell, change: Callable[[Entry], Entry]) -> str:
    """A receipt file in which the node itself, by its own key, says something else."""
    listed = bpi.data("receipt list --container sums.0")["items"]
    name = next(one["receipt"] for one in listed if one["entry"]["step"] == "exited")
    until(lambda: bpi.run(f"receipt export {name} -o true.receipt").status == 0, "it is pinned")
    file = WORKLOAD_RECEIPT_FILES.decode((bpi.folder / "true.receipt").read_bytes())
    entry = change(SIGNED_ENTRIES.decode(file.signed).entry)
    key = ed25519.SigningKey(ed25519_seed(entry.node, development=True))
    signed = SignedEntry(entry=entry, key=key.public_key, signature=key.sign(entry_digest(entry)))
    (bpi.folder / "lie.receipt").write_bytes(encode(msgspec.structs.replace(file, signed=encode(signed))))
    return "lie.receipt"


def with_details(entry: Entry, **told: bytes) -> Entry:
    """The same, but for what it tells of the run."""
    known: dict[str, Any] = {one.name: one.value for one in entry.details}
    return msgspec.structs.replace(entry, details=details(**{**known, **told}))


def test_a_node_that_lies_about_what_came_out_is_found_out_by_name(bpi):
    lies = lie(bpi, lambda entry: with_details(entry, witness=bytes(32)))
    said = bpi.says(f"container replay {lies} --receipt-file", 21)
    assert "DIFFERENT first in the receipt" in said


def test_a_node_whose_job_said_something_else_is_told_what(bpi):
    """As if its machine had another clock: the witness itself is another one, put where the agents find it."""
    data = bpi.data("container replay sums.0")

    def change(entry: Entry) -> Entry:
        output = next(one.value for one in entry.details if one.name == "output")
        assert isinstance(output, bytes)
        blob = bpi.folder / ".bpi" / "agents" / data["first"] / "content" / "blobs" / "sha256" / output.hex()
        true = WITNESSES.decode(blob.read_bytes())
        false = msgspec.structs.replace(true, out=Said(size=true.out.size, digest=bytes(32)))
        written = encode(false)
        (blob.parent / sha256(written).hexdigest()).write_bytes(written)
        return with_details(entry, witness=bytes(witness_root(false)), output=sha256(written).digest())

    lies = lie(bpi, change)
    # an agent learns late where another one answers that joined after it: until then it can only tell that roots differ
    until(
        lambda: "DIFFERENT first in stdout" in bpi.says(f"container replay {lies} --receipt-file", 21),
        "it is said in what",
    )


def test_an_image_is_the_same_wherever_it_was_unpacked(bpi):
    if not BUSYBOX.is_file():
        assert not os.environ.get("CI"), "the CI installs busybox-static"
        pytest.skip("there is no /bin/busybox to make an image of: apt-get install busybox-static")
    digest = make_layout(bpi.folder / "layout")
    bpi.says("container images import layout")
    (bpi.folder / "look.yaml").write_text(LOOK.format(digest=digest))
    bpi.says("container run look.yaml")
    until(lambda: bpi.data("container show look")["phase"] == "completed", "the job ends")
    until(lambda: "witness" in bpi.says("receipt list --container look.0 --json"), "its end is written down")
    again = bpi.data("container replay look.0")
    assert (again["equal"], again["difference"]) == (True, None), again


def test_what_says_that_it_is_not_deterministic_has_no_witness(bpi):
    text = JOB.format(program="print(1)", digest="").partition("    x-metanode:")[0].replace("sums", "plain")
    (bpi.folder / "plain.yaml").write_text(text)
    bpi.says("container run plain.yaml")
    until(lambda: bpi.data("container show plain")["phase"] == "completed", "the job ends")
    bpi.refuses("container replay plain.0", 3, "determinism.no-witness")
