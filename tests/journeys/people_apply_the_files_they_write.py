"""Three Compose files in the manner of real ones run as they stand, and do what they say."""

import os
import shutil
import urllib.request
from collections.abc import Iterator

import pytest
from tests.journeys.compose_files import FOLDER, variables
from tests.journeys.layout import BUSYBOX, make_layout
from tests.journeys.patience import Patience
from tests.journeys.shell import Shell
from tests.journeys.town import free_base

until = Patience(40.0, 0.2)


@pytest.fixture(scope="module")
def bpi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    if not BUSYBOX.is_file():
        assert not os.environ.get("CI"), "the CI installs busybox-static"
        pytest.skip("there is no /bin/busybox to make an image of: apt-get install busybox-static")
    shell = Shell(tmp_path_factory.mktemp("compose"))
    base = free_base()
    shell.says(f"up --port-base {base}")
    try:
        shutil.copytree(FOLDER, shell.folder, dirs_exist_ok=True)
        digest = make_layout(shell.folder / "layout")
        shell.says("container images import layout")
        shell.environment.update(variables(digest, base + 59))
        yield shell
    finally:
        shell.run("down")


def completed(bpi: Shell, *jobs: str) -> bool:
    """Whether the chain says of each that it has run to its end."""
    return all(bpi.data(f"container show {job}")["phase"] == "completed" for job in jobs)


def test_a_help_desk_answers_through_the_mesh_and_on_its_published_port(bpi):
    said = bpi.says("container run desk.yaml")
    assert " prepare · " in said
    assert "RUNNING  web · 1 of 1" in said
    assert "RUNNING  worker · 2 of 2" in said
    until(
        lambda: "Help: the printer is on fire" in bpi.run("container logs worker.1").out,
        "it calls web, web calls store",
    )
    with urllib.request.urlopen(f"http://127.0.0.1:{bpi.environment['PUBLISHED']}/", timeout=10) as answer:
        assert answer.read() == b"Help: the printer is on fire\n"
    shown = bpi.says(
        "container exec web.0 /usr/bin/python3 -c 'import os; print(os.getuid(), os.uname().nodename, "
        'os.environ["QUEUE"], os.environ["RAW"])\''
    )
    assert shown == '1001 desk first Help $HOME "as it stands"\n'
    assert bpi.run("container exec web.0 /usr/bin/touch /usr/x").status != 0, "its root is read-only"
    for name in ("worker", "web", "store", "prepare"):
        bpi.says(f"container rm {name} --observe")


def test_jobs_of_the_night_wait_for_each_other(bpi):
    bpi.says("container run nightly.yaml")
    until(lambda: completed(bpi, "fetch", "clean", "count"), "one after the other has run to its end")
    assert "the token is right" in bpi.says("container logs fetch.0")
    assert bpi.says("container logs clean.1") == "cleaned\nshared by all"
    assert len(bpi.says("container logs count.0").split()) == 3
    for name in ("count", "clean", "fetch"):
        bpi.says(f"container rm {name} --observe")


def test_a_monitor_sees_what_it_looks_at(bpi):
    said = bpi.says("container run watch.yaml")
    assert "RUNNING  target · 3 of 3" in said
    assert "RUNNING  idle · 1 of 1" in said
    until(lambda: "metrics" in bpi.run("container logs watcher.0").out, "it sees its targets by their name")
