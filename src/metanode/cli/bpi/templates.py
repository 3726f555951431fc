"""What `bpi init --template` writes: files to begin with, which run as they are."""

from pathlib import Path
from typing import Final

from metanode.api.exits import ExitStatus
from metanode.cli.failure import CliRefusal, Failure

COMPOSE: Final = """\
# Three workloads of one application. bpi container lint compose.yaml says what is wrong in it or could be better;
# docs/protocol/compose.md lists every key.
#
#   bpi up                            four validators and an agent for each, on this machine
#   bpi container run compose.yaml    returns when all of it was seen running
#   bpi container list                what runs; bpi container why web says why it runs where
#   bpi container scale web 4 --observe
name: shop

services:
  # A service runs for ever. Three replicas, spread over the nodes by the committee; an update replaces one at a time,
  # and one that does not get well is led back to the version before.
  web:
    image: metanode.host/usr        # no image at all: the node's own read-only /usr; else NAME@sha256:…
    command: ["/usr/bin/python3", "-m", "http.server", "8080", "--directory", "/usr/share"]
    ports:
      - {name: http, target: 8080}  # for the mesh: other services call it web
    healthcheck:
      test: ["CMD", "/usr/bin/python3", "-c", "import socket; socket.create_connection(('127.0.0.1', 8080))"]
      interval: 1s
      retries: 3
    deploy:
      replicas: 3
      resources: {limits: {cpus: "0.1", memory: 64m}}
      update_config: {order: start-first, failure_action: rollback, monitor: 2s}

  # A worker: nothing listens. Its output is kept by its node: bpi container logs worker -f
  worker:
    image: metanode.host/usr
    command:
      - /usr/bin/python3
      - -uc
      - |
        import os, time
        number = 0
        while True:
            number += 1
            print(os.environ["GREETING"], number, flush=True)
            time.sleep(5)
    environment: {GREETING: hello}
    deploy:
      resources: {limits: {cpus: "0.1", memory: 64m}}

  # A job runs to its end; one that fails is tried again, twice.
  sum:
    image: metanode.host/usr
    command: ["/usr/bin/python3", "-c", "print(sum(range(1_000_000)))"]
    deploy:
      mode: replicated-job
      resources: {limits: {cpus: "0.1", memory: 64m}}
    x-metanode:
      job: {retries: 2, deadline: 5m}
"""
README: Final = """\
# shop

A web service, a worker and a job, run by the committee of a development network on this machine.

    bpi up                                  # starts the network; READY when all of it was seen
    bpi container run compose.yaml          # applies the file; returns when all of it was seen running
    bpi container list
    bpi container logs worker
    bpi container exec web.0 /usr/bin/id
    bpi container verify web.0              # against the chain, layer by layer
    bpi container why web 0                 # which filters and scores decided where it runs
    bpi container scale web 4 --observe
    bpi container rm web --observe
    bpi down                                # stops everything; the data stays in .bpi
"""
TEMPLATES: Final[dict[str, dict[str, str]]] = {"compose": {"compose.yaml": COMPOSE, "README.md": README}}
"""The files of each, the one that is run first."""


def check_free(folder: Path, template: str) -> tuple[Path, ...]:
    """Where the files of a template will be. Raises `Failure` where one of them is there already."""
    paths = tuple(folder / name for name in TEMPLATES[template])
    for path in paths:
        if path.exists():
            fix = "name another folder: bpi init FOLDER --template compose"
            raise Failure(CliRefusal.NETWORK_EXISTS, ExitStatus.CONFLICT, f"{path} is there already", fix=fix)
    return paths


def write_template(folder: Path, template: str) -> None:
    """Write the files. Raises `Failure`."""
    from metanode.cli.bpi.guilt import write_file

    for name, text in TEMPLATES[template].items():
        write_file(folder / name, text.encode())
