"""A validator's public side in a file: what its operator hands to whoever writes genesis or votes it in."""

import tomllib
from typing import Any

from metanode.api.exits import ExitStatus
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.files import read_text
from metanode.primitives.bls import verify_possession
from metanode.primitives.refusal import Rejected
from metanode.records.address import read_address, show_address
from metanode.records.genesis import GenesisRefusal, check_validator
from metanode.records.validators import Validator

FILE_NAME = "validator.toml"
"""What `bpi node init` calls it."""
_KEYS = ("transport_key", "vote_key", "bls_key", "possession")
_FIELDS = ("name", *_KEYS, "operator", "addresses")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def validator_text(validator: Validator) -> str:
    """The TOML text, as in a genesis below `[[validators]]`."""
    lines = [f"name = {_quoted(validator.name)}"]
    lines += [f'{key} = "{getattr(validator, key).hex()}"' for key in _KEYS]
    lines.append(f'operator = "{show_address(validator.operator)}"')
    lines.append(f"addresses = [{', '.join(_quoted(address) for address in validator.addresses)}]")
    return "\n".join(lines) + "\n"


def read_validator(file: str) -> Validator:
    """The validator of a file: its shape checked, and that it holds its BLS key. Raises `Failure`, `Rejected`."""
    try:
        table: dict[str, Any] = tomllib.loads(read_text(file))
    except tomllib.TOMLDecodeError as error:
        raise _unreadable(f"{file}: {error}") from None
    if set(table) != set(_FIELDS):
        raise _unreadable(f"{file}: the keys are {', '.join(_FIELDS)}, no more, no less")
    try:
        validator = Validator(
            name=str(table["name"]),
            **{key: bytes.fromhex(table[key]) for key in _KEYS},
            operator=read_address(table["operator"]),
            addresses=tuple(str(address) for address in table["addresses"]),
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise _unreadable(f"{file}: {error}") from None
    check_validator(validator)
    if not verify_possession(validator.bls_key, validator.possession):
        raise Rejected(GenesisRefusal.BAD_POSSESSION, f"{file}: the proof of possession does not verify")
    return validator


def _unreadable(message: str) -> Failure:
    fix = "take the file that bpi node init or bpi node identity writes"
    return Failure(CliRefusal.FILE_NOT_READABLE, ExitStatus.USAGE, message, fix=fix)
