"""What the command line itself is told once: flag over environment over project over user file over default."""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from metanode.api.exits import ExitStatus
from metanode.cli.failure import CliRefusal, Failure

PROJECT_FILE: Final = "bpi.toml"
"""Looked for in the working directory and then in each one above it."""
ENVIRONMENT_PREFIX: Final = "BPI_"
DEADLINE_MAX_S: Final = 86_400
"""A day: who wants to wait longer asks again."""


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be http://host:port or https://host:port")
    return text.rstrip("/")


def _seconds(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 0 < int(text) <= DEADLINE_MAX_S:
        raise ValueError(f"must be whole seconds from 1 to {DEADLINE_MAX_S}")
    return text


def _one_of(*choices: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return check


def _word(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable text")
    return text


@dataclass(frozen=True, slots=True)
class Key:
    """One thing that can be configured."""

    name: str
    default: str
    meaning: str
    check: Callable[[str], str] = _word


KEYS: Final[Mapping[str, Key]] = {
    key.name: key
    for key in (
        Key("node", "http://127.0.0.1:26600", "URL of the node to talk to", _url),
        Key("data", ".bpi", "folder of the local network, its keys and its trusted genesis"),
        Key("account", "", "account that signs when a command names none; empty: the only one there is, or acme"),
        Key("coin", "USD", "coin of amounts when a command names none"),
        Key("token_file", "", "file with the bearer token for a node that wants one"),
        Key("authority", "", "PEM file with the root of a private TLS certificate, for a node at https://"),
        Key("wait", "final", "what a sent transaction is waited for", _one_of("final", "included", "none")),
        Key("timeout", "30", "longest wait, in seconds", _seconds),
        Key("color", "auto", "colours on a terminal", _one_of("auto", "always", "never")),
    )
}
"""Every key, in the order it is shown."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The value of a key, and where it came from: `flag`, `environment BPI_X`, a file's path, or `default`."""

    key: Key
    value: str
    origin: str


def known_key(name: str) -> Key:
    """The key of this name. Raises `Failure` with the nearest names."""
    if name in KEYS:
        return KEYS[name]
    from difflib import get_close_matches

    near = get_close_matches(name, KEYS, n=2)
    fix = f"did you mean {' or '.join(near)}?" if near else f"known keys: {', '.join(KEYS)}"
    raise Failure(CliRefusal.CONFIGURATION, ExitStatus.CONFIGURATION, f"unknown configuration key {name!r}", fix=fix)


def checked(key: Key, value: str, origin: str) -> Setting:
    """The setting, or `Failure` that says where the bad value is."""
    try:
        return Setting(key, key.check(value), origin)
    except ValueError as error:
        message = f"{key.name} = {value!r} ({origin}): {error}"
        fix = f"bpi config set {key.name} {key.default}" if key.default else f"unset {key.name}"
        raise Failure(CliRefusal.CONFIGURATION, ExitStatus.CONFIGURATION, message, fix=fix) from None


def read_configuration(path: Path) -> dict[str, str]:
    """What one file sets; a file that is not there sets nothing. Raises `Failure`."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"{path}: {error}"
        raise Failure(CliRefusal.CONFIGURATION, ExitStatus.CONFIGURATION, message, fix=f"correct {path}") from None
    for name, value in table.items():
        known_key(name)
        if not isinstance(value, str | int) or isinstance(value, bool):
            message = f"{path}: {name} must be a string"
            raise Failure(CliRefusal.CONFIGURATION, ExitStatus.CONFIGURATION, message, fix=f'{name} = "…"')
    return {name: str(value) for name, value in table.items()}


def write_configuration(path: Path, name: str, value: str) -> None:
    """Set one key in a file; every other line, comments too, stays as it was. Raises `Failure`."""
    read_configuration(path)  # never add to a file that is broken
    quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    pattern = re.compile(rf"\s*{re.escape(name)}\s*=")
    kept = [line for line in lines if not pattern.match(line)]
    at = next((i for i, line in enumerate(lines) if pattern.match(line)), len(kept))
    kept.insert(at, f"{name} = {quoted}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(path.name + ".new")
        fresh.write_text("\n".join(kept) + "\n", encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise Failure(
            CliRefusal.CONFIGURATION, ExitStatus.CONFIGURATION, f"{path}: {error.strerror}", fix="choose another file"
        ) from None


@dataclass(frozen=True, slots=True)
class Configuration:
    """All settings of one run. `flags` are what the command line gave."""

    flags: Mapping[str, str]
    environment: Mapping[str, str]
    folder: Path

    @property
    def project_file(self) -> Path:
        """The nearest `bpi.toml`, here or above; the one here if there is none."""
        for folder in (self.folder, *self.folder.parents):
            if (folder / PROJECT_FILE).is_file():
                return folder / PROJECT_FILE
        return self.folder / PROJECT_FILE

    @property
    def user_file(self) -> Path:
        """`$XDG_CONFIG_HOME/bpi/config.toml`, by default below `~/.config`."""
        home = self.environment.get("HOME") or os.path.expanduser("~")  # noqa: PTH111 - Path.home() fails without one
        return Path(self.environment.get("XDG_CONFIG_HOME") or Path(home) / ".config") / "bpi" / "config.toml"

    def setting(self, name: str) -> Setting:
        """One setting by precedence. Raises `Failure` for an unknown key or a value that is not allowed."""
        return self.settings(known_key(name).name)[0]

    def settings(self, *names: str) -> list[Setting]:
        """The settings of these keys, all without a name; each file is read once."""
        project, user = read_configuration(self.project_file), read_configuration(self.user_file)
        found = []
        for key in [KEYS[name] for name in names] or list(KEYS.values()):
            variable = ENVIRONMENT_PREFIX + key.name.upper()
            sources = (
                (self.flags, "flag"),
                ({key.name: self.environment[variable]} if self.environment.get(variable) else {}, variable),
                (project, str(self.project_file)),
                (user, str(self.user_file)),
                ({key.name: key.default}, "default"),
            )
            value, origin = next((values[key.name], origin) for values, origin in sources if key.name in values)
            found.append(checked(key, value, origin))
        return found
