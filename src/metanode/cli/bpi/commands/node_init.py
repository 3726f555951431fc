"""`bpi node init` and `bpi node identity`: the data directory of one node, and its public side."""

import os
import time
from dataclasses import replace
from pathlib import Path

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.validator_file import FILE_NAME, validator_text
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.files import read_text
from metanode.cli.session import Session, pass_session
from metanode.host.data_directory import NO_IDENTITY, Layout, create
from metanode.host.disk import Disk, write_durably
from metanode.host.entropy import random_bytes
from metanode.host.guard_file import guard_identity
from metanode.host.keys import (
    DEVELOPMENT_PASSWORD,
    ValidatorSecrets,
    development_secrets,
    find_password,
    fresh_secrets,
    load_validator_keys,
    write_validator_keys,
)
from metanode.host.settings import KeySettings, LogFormat, Settings, dump_settings, load_settings
from metanode.records.address import read_address, show_address
from metanode.records.genesis import genesis_hash, load_toml
from metanode.records.validators import Validator

PASSWORD_FILE = "password"  # noqa: S105 - the name of a file
"""Of a development node, in its own folder: everybody knows what stands in it."""


@leaf()
@click.option("--name", required=True, help="Of the validator.")
@click.option("--genesis", default="", metavar="FILE", help="Of the chain; without one only keys are made.")
@click.option("--operator", default="", metavar="ADDRESS", help="The account that votes for this validator.")
@click.option("--listen", default="", metavar="IP:PORT", help="For peers.")
@click.option("--advertise", default="", metavar="HOST:PORT", help="What others dial, if it is not --listen.")
@click.option("--http", default="", metavar="IP:PORT", help="The public port.")
@click.option("--peer", "peers", multiple=True, metavar="KEY@HOST:PORT", help="A peer besides those in genesis.")
@click.option("--password-file", default="", metavar="FILE", help="Locks the keys; opens them at each start.")
@click.option("--observer", is_flag=True, help="A node that never votes: without a sign guard.")
@click.option("--development", is_flag=True, help="Keys that everybody can make, from the name.")
@click.option("--snapshot", is_flag=True, help="Take the state from peers, not every block.")
@pass_session
def init(  # noqa: PLR0913, PLR0917 - one argument an option
    session: Session,
    name: str,
    genesis: str,
    operator: str,
    listen: str,
    advertise: str,
    http: str,
    peers: tuple[str, ...],
    password_file: str,
    observer: bool,  # noqa: FBT001 - click calls it
    development: bool,  # noqa: FBT001
    snapshot: bool,  # noqa: FBT001
) -> None:
    """Make the keys, settings and data directory of one node, in the folder of --data.

    Without --genesis only keys, node.toml and validator.toml, which goes to whoever writes the genesis; run it again
    with --genesis when there is one. Keys that are there already are kept.
    """
    root, disk = session.data.resolve(), Disk()
    layout = Layout(root)
    if layout.format_file.exists():
        message = f"{root} is a data directory already"
        raise Failure(CliRefusal.NETWORK_EXISTS, ExitStatus.CONFLICT, message, fix="bpi node run starts it")
    chosen = load_toml(read_text(genesis)) if genesis else None
    disk.make_folder(root)
    if development and not password_file:
        write_durably(disk, root / PASSWORD_FILE, f"{DEVELOPMENT_PASSWORD}\n".encode())
        password_file = str(root / PASSWORD_FILE)
    if not layout.settings.exists():
        settings = Settings(keys=KeySettings(password_file=str(Path(password_file).resolve()) if password_file else ""))
        network = replace(settings.network, listen=listen or settings.network.listen, advertise=advertise, peers=peers)
        settings = replace(
            settings,
            name=name,
            network=network,
            http=replace(settings.http, listen=http or settings.http.listen),
            sync=replace(settings.sync, snapshot=snapshot),
            log=replace(settings.log, file="node.log", format=LogFormat.JSON),
        )
        write_durably(disk, layout.settings, dump_settings(settings).encode())
    secrets = _keys(layout, name, password_file, development=development, disk=disk)
    validator = _public(layout, secrets, name, operator)
    write_durably(disk, root / FILE_NAME, validator_text(validator).encode())
    if chosen is not None:
        public = secrets.public
        identity = NO_IDENTITY if observer else guard_identity(genesis_hash(chosen), public.vote_key, public.bls_key)
        create(root, chosen, identity, time.time_ns() // 1_000_000, disk, random_bytes)
    _tell(session, validator, "" if chosen is None else genesis_hash(chosen).hex())


def _keys(layout: Layout, name: str, password_file: str, *, development: bool, disk: Disk) -> ValidatorSecrets:
    """The keys that are there, else new ones. Raises `Fault`."""
    password = find_password(password_file or load_settings(layout.settings).keys.password_file, os.environ)
    if not (layout.keys / "bls.json").exists():
        secrets = development_secrets(name) if development else fresh_secrets(random_bytes)
        write_validator_keys(layout.keys, secrets, password, random_bytes, disk)
    return load_validator_keys(layout.keys, password, development=True)


def _public(layout: Layout, secrets: ValidatorSecrets, name: str, operator: str) -> Validator:
    network, public = load_settings(layout.settings).network, secrets.public
    return Validator(
        name=name,
        transport_key=public.transport_key,
        vote_key=public.vote_key,
        bls_key=public.bls_key,
        possession=public.possession,
        operator=read_address(operator) if operator else bytes(20),
        addresses=(network.advertise or network.listen,),
    )


def _tell(session: Session, validator: Validator, chain: str) -> None:
    root = session.data
    data = {
        "data": str(root),
        "chain": chain,
        "name": validator.name,
        "transport_key": validator.transport_key.hex(),
        "vote_key": validator.vote_key.hex(),
        "bls_key": validator.bls_key.hex(),
        "operator": show_address(validator.operator),
        "addresses": list(validator.addresses),
        "file": str(root / FILE_NAME),
    }

    def human() -> None:
        line = session.output.line
        line(f"{validator.name}  transport key {validator.transport_key.hex()}")
        line(f"public side in {root / FILE_NAME}")
        if chain:
            line(f"data directory of chain {chain[:16]}…   try:  bpi node run --data {root}")
        else:
            line(f"keys only   next:  bpi genesis add-validator GENESIS {root / FILE_NAME}")

    session.output.result("node.init/1", data, human)


@leaf()
@pass_session
def identity(session: Session) -> None:
    """Print the public side of this node's keys: what others need to let it in."""
    root = session.data
    layout = Layout(root)
    if not layout.settings.exists():
        message = f"{root} is no data directory"
        raise Failure(
            CliRefusal.NO_NETWORK, ExitStatus.NOT_FOUND, message, fix="--data names one, .bpi/validator-0 say"
        )
    password = find_password(load_settings(layout.settings).keys.password_file, os.environ)
    secrets = load_validator_keys(layout.keys, password, development=True)
    validator = _public(layout, secrets, root.resolve().name, "")
    data = {
        "transport_key": validator.transport_key.hex(),
        "vote_key": validator.vote_key.hex(),
        "bls_key": validator.bls_key.hex(),
        "possession": validator.possession.hex(),
        "development": secrets.is_development,
        "peer": f"{validator.transport_key.hex()}@{validator.addresses[0]}",
    }

    def human() -> None:
        for key in ("transport_key", "vote_key", "bls_key", "possession", "peer"):
            session.output.line(f"{key:<14} {data[key]}")
        if secrets.is_development:
            session.output.line("DEVELOPMENT ONLY: never for value")

    session.output.result("node.identity/1", data, human)
