"""A deterministic job runs on one node, another runs it again: EQUAL; a receipt that lies is found out, by name."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.journeys.shell import Shell
from tests.journeys.town import free_base

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
      outputs: [sums.txt]
"""
PROGRAM = (
    "import os, random, time; "
    "print(time.time(), random.random(), os.getpid(), id(object()), list({'a', 'b', 'c'}), os.listdir('/usr')); "
    "open('/tmp/sums.txt', 'w').write(str(sum(random.random() for _ in range(1000))))"
)


LIMIT_S = 40.0


def until(true: Callable[[], Any], what: str) -> Any:
    """What is not true after so long does not become so."""
    deadline = time.monotonic() + LIMIT_S
    while not (found := true()):
        assert time.monotonic() < deadline, what
        time.sleep(0.1)
    return found


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
    (bpi.folder / "sums.yaml").write_text(JOB.format(program=PROGRAM))
    bpi.says("container run sums.yaml")
    until(lambda: bpi.data("container show sums")["phase"] == "completed", "the job ends")
    until(lambda: "witness" in bpi.says("receipt list --container sums.0 --json"), "its end is written down")
    said = bpi.says("container replay sums.0")
    assert "EQUAL" in said
    again = bpi.data("container replay sums.0")
    assert (again["equal"], again["root"], again["difference"]) == (True, again["expected"], None)
    assert again["first"] != again["again"]
    assert list(again["files"]) == ["/tmp/sums.txt"]
