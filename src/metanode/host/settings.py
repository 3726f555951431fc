"""Settings: what one operator may choose. TOML, read once, unknown keys refused, each room gets its own piece."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, get_args, get_origin

from metanode.api.method import Scope
from metanode.host.disk import read_file
from metanode.host.fault import Fault, FaultReason
from metanode.host.http_settings import PortSettings, Token
from metanode.primitives.refusal import Rejected

SETTINGS_BYTES_MAX: Final = 1 << 20
"""A settings file is a page; this is a mistake."""


def _key(meaning: str, *, default: Any, least: int = 0, greatest: int = 0) -> Any:
    """A setting: its default, what it means, and for numbers its range."""
    return field(default=default, metadata={"meaning": meaning, "least": least, "greatest": greatest})


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    """Everything, also what repeats many times a second."""
    INFO = "info"
    """What an operator wants to read back."""
    WARNING = "warning"
    """What somebody should look at."""
    ERROR = "error"
    """What stops the node."""


class LogFormat(StrEnum):
    """How a log line looks."""

    HUMAN = "human"
    """For eyes."""
    JSON = "json"
    """One JSON object a line, for machines."""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Where peers connect, and whom to dial."""

    listen: str = _key("address:port for peers (BPCI); port 0 takes a free one", default="127.0.0.1:26601")
    advertise: str = _key(
        "address:port that others dial, if it is not `listen` (NAT, containers, 0.0.0.0, port 0)", default=""
    )
    peers: tuple[str, ...] = _key("peers besides those in genesis, `transport key@host:port`", default=())
    observers: tuple[str, ...] = _key("transport keys (hex) of nodes that may follow without a seat", default=())
    discovery: bool = _key("learn addresses of further peers from those connected", default=True)


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """The public port: JSON-RPC, REST, subscriptions, health, metrics."""

    listen: str = _key("IP address:port of the public port", default="127.0.0.1:26600")
    tokens: tuple[str, ...] = _key("`name scopes sha256`: bearer tokens; needed beyond loopback", default=())
    hosts: tuple[str, ...] = _key("names this node answers for, beside localhost and IP addresses", default=())
    origins: tuple[str, ...] = _key("web sites whose pages may call (CORS)", default=())
    tls_certificate: str = _key("PEM file of the certificate; empty for plain HTTP", default="")
    tls_key: str = _key("PEM file of its key", default="")
    body_bytes_max: int = _key("largest request body, bytes", default=8 << 20, least=1024, greatest=64 << 20)
    connections_max: int = _key("open connections", default=512, least=1, greatest=100_000)
    connections_per_address_max: int = _key("of one address", default=256, least=1, greatest=100_000)
    streams_max: int = _key("open event streams", default=128, least=1, greatest=10_000)
    rate_per_second: int = _key("requests of one address or token a second", default=2_000, least=1, greatest=1_000_000)
    rate_burst: int = _key("requests at once before that rate counts", default=4_000, least=1, greatest=1_000_000)


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """How a node that is far behind catches up."""

    snapshot: bool = _key("a fresh node takes the state from its peers instead of executing every block", default=False)


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """What is kept, and when the node stops for want of space."""

    prune: bool = _key(
        "drop blocks older than `retention_blocks`; receipts of them are then served by others", default=False
    )
    retention_blocks: int = _key("blocks kept where `prune` is on", default=1_000_000, least=1_000, greatest=1 << 40)
    free_bytes_min: int = _key(
        "stop cleanly when less is free on the disk, bytes", default=256 << 20, least=0, greatest=1 << 50
    )


@dataclass(frozen=True, slots=True)
class VerifySettings:
    """Who checks signatures."""

    workers: int = _key(
        "processes that check signatures; 0 checks in the node, best below four cores", default=0, least=0, greatest=64
    )


@dataclass(frozen=True, slots=True)
class KeySettings:
    """Where the validator's keys open from."""

    password_file: str = _key("file with the password of the key files; empty: from the environment", default="")


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What is written down of a running node."""

    level: LogLevel = _key("debug, info, warning or error", default=LogLevel.INFO)  # noqa: RUF009
    format: LogFormat = _key("human or json", default=LogFormat.HUMAN)  # noqa: RUF009
    file: str = _key("file to log to, relative to the data directory; empty logs to standard error", default="")
    file_bytes_max: int = _key(
        "a log file is rotated above this, bytes", default=16 << 20, least=64 << 10, greatest=1 << 30
    )
    files_max: int = _key("rotated log files kept", default=4, least=1, greatest=100)


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """Numbers for Prometheus."""

    enabled: bool = _key("answer `/metrics` on the public port", default=True)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything. `name` is what logs and status call this node; empty takes the validator's name in genesis."""

    name: str = _key("what logs and status call this node; empty: the validator's name in genesis", default="")
    network: NetworkSettings = NetworkSettings()
    http: HttpSettings = HttpSettings()
    sync: SyncSettings = SyncSettings()
    storage: StorageSettings = StorageSettings()
    verify: VerifySettings = VerifySettings()
    keys: KeySettings = KeySettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()


_SECTIONS: Final[tuple[Field[Any], ...]] = tuple(f for f in fields(Settings) if f.name != "name")
_TOP: Final[tuple[Field[Any], ...]] = tuple(f for f in fields(Settings) if f.name == "name")


def load_settings(path: Path) -> Settings:
    """The settings of a file. Raises `Fault` naming file, key and fix."""
    return read_settings(_text(path), str(path))


def read_settings(text: str, where: str) -> Settings:
    """The settings of a TOML text; `where` is what faults call it. Keys left out have their defaults."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Fault(FaultReason.SETTINGS_NOT_TOML, f"{where}: {error}", "correct that line of the file") from error
    _refuse_unknown(table, tuple(f.name for f in fields(Settings)), where, "")
    values: dict[str, Any] = _values(table, _TOP, where, "")
    for section in _SECTIONS:
        if section.name not in table:
            continue
        kind, given = _kind(section), table[section.name]
        if not isinstance(given, dict):
            raise _wrong(where, section.name, given, "a table", f"write [{section.name}] and its keys below it")
        _refuse_unknown(given, tuple(f.name for f in fields(kind)), where, section.name + ".")
        values[section.name] = kind(**_values(given, fields(kind), where, section.name + "."))
    return Settings(**values)


def dump_settings(settings: Settings) -> str:
    """The TOML text of settings, every key with its meaning; `read_settings` gives the same value back."""
    lines = ["# Settings of one Metanode node: what its operator may choose. Read once, at the start."]
    lines += _lines(settings, _TOP)
    for section in _SECTIONS:
        values = getattr(settings, section.name)
        lines += ["", f"# {_summary(type(values))}", f"[{section.name}]", *_lines(values, fields(values))]
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """The text of docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "What one operator may choose, in `node.toml` of the data directory: TOML, read once at the start.",
        "Unknown keys are refused. What must be equal on every validator is not here: it is in genesis.",
        "",
        "This page is made from `metanode.host.settings`; a test compares them.",
        "",
        *_table(_TOP),
    ]
    for section in _SECTIONS:
        kind = _kind(section)
        lines += ["", f"## [{section.name}]", "", _summary(kind), "", *_table(fields(kind))]
    return "\n".join(lines) + "\n"


def _kind(section: Field[Any]) -> Any:
    return type(section.default)


def _table(keys: tuple[Field[Any], ...]) -> list[str]:
    rows = ["| key | default | range | meaning |", "|---|---|---|---|"]
    for key in keys:
        extent = "" if key.type is not int else f"{key.metadata['least']} … {key.metadata['greatest']}"
        rows.append(f"| `{key.name}` | `{_toml(key.default)}` | {extent} | {key.metadata['meaning']} |")
    return rows


def _summary(kind: type) -> str:
    return (kind.__doc__ or "").splitlines()[0]


def _lines(values: Any, keys: tuple[Field[Any], ...]) -> list[str]:
    lines = []
    for key in keys:
        lines += [f"# {key.metadata['meaning']}", f"{key.name} = {_toml(getattr(values, key.name))}"]
    return lines


def _toml(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            assert value.isprintable(), "a setting is one printable line"
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case _:
            return "[" + ", ".join(_toml(item) for item in value) + "]"


def _text(path: Path) -> str:
    data = read_file(path, SETTINGS_BYTES_MAX)
    if len(data) > SETTINGS_BYTES_MAX:
        detail = f"{path}: more than {SETTINGS_BYTES_MAX} bytes"
        raise Fault(FaultReason.SETTINGS_NOT_TOML, detail, "name the right file")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Fault(FaultReason.SETTINGS_NOT_TOML, f"{path}: {error}", "save the file as UTF-8") from error


def _refuse_unknown(table: Mapping[str, Any], known: tuple[str, ...], where: str, prefix: str) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            fix = f"did you mean `{prefix}{near[0]}`?" if near else f"known here: {', '.join(known)}"
            raise Fault(FaultReason.SETTINGS_UNKNOWN_KEY, f"{where}: unknown key `{prefix}{key}`", fix)


def _wrong(where: str, key: str, value: Any, due: str, fix: str) -> Fault:
    return Fault(FaultReason.SETTINGS_WRONG_VALUE, f"{where}: `{key}` is {value!r}, due is {due}", fix)


def _values(table: Mapping[str, Any], keys: tuple[Field[Any], ...], where: str, prefix: str) -> dict[str, Any]:
    return {key.name: _value(table[key.name], key, where, prefix + key.name) for key in keys if key.name in table}


def _value(value: Any, key: Field[Any], where: str, name: str) -> Any:
    kind: Any = key.type
    if kind is bool:
        if isinstance(value, bool):
            return value
        raise _wrong(where, name, value, "true or false", "write it without quotes")
    if kind is int:
        least, greatest = key.metadata["least"], key.metadata["greatest"]
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= greatest:
            return value
        raise _wrong(where, name, value, f"a whole number, {least} … {greatest}", f"the default is {key.default}")
    if get_origin(kind) is tuple:
        assert get_args(kind) == (str, ...), "lists of settings are lists of texts"
        if isinstance(value, list) and all(isinstance(item, str) and item.isprintable() for item in value):
            return tuple(value)
        raise _wrong(where, name, value, "a list of texts", 'write ["one", "two"]')
    if kind is not str:
        names = tuple(str(member) for member in kind)
        if value in names:
            return kind(value)
        raise _wrong(where, name, value, "one of " + ", ".join(names), f'the default is "{key.default}"')
    if isinstance(value, str) and value.isprintable():
        return value
    raise _wrong(where, name, value, "a printable text", "write it in quotes")


def port_settings(http: HttpSettings, metrics: MetricsSettings, *, development: bool, version: str) -> PortSettings:
    """What the public port is opened with. `development`: what genesis says. Raises `Fault` naming the key."""
    address, port = read_address(http.listen, "http.listen")
    try:
        return PortSettings(
            address=address,
            port=port,
            tokens=tuple(_token(text) for text in http.tokens),
            hosts=http.hosts,
            origins=http.origins,
            development=development,
            body_bytes_max=http.body_bytes_max,
            connections_max=http.connections_max,
            connections_per_address_max=http.connections_per_address_max,
            streams_max=http.streams_max,
            rate_per_second=http.rate_per_second,
            rate_burst=http.rate_burst,
            tls_certificate=http.tls_certificate,
            tls_key=http.tls_key,
            metrics=metrics.enabled,
            version=version,
        )
    except Rejected as rejected:
        fix = "listen on 127.0.0.1, or add http.tokens; see docs/settings.md"
        raise Fault(FaultReason.SETTINGS_WRONG_VALUE, str(rejected), fix) from rejected


def _token(text: str) -> Token:
    """A token of `name scopes sha256`, scopes joined by commas."""
    name, _, rest = text.partition(" ")
    scopes, _, digest = rest.partition(" ")
    known = tuple(str(scope) for scope in Scope)
    if not scopes or any(scope not in known for scope in scopes.split(",")):
        due = "`name scopes sha256`"
        raise _wrong("settings", "http.tokens", name, due, f"scopes are {', '.join(known)}, joined by commas")
    return Token(name, digest, tuple(Scope(scope) for scope in scopes.split(",")))


def read_address(text: str, key: str) -> tuple[str, int]:
    """(host, port) of `host:port` or `[v6]:port`. Raises `Fault` naming the key."""
    host, separator, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if separator and host and port.isdecimal() and int(port) <= 65_535:
        return host, int(port)
    raise _wrong("settings", key, text, "host:port", 'write "127.0.0.1:26601"')


def read_peer(text: str, key: str) -> tuple[bytes, str]:
    """(transport key, address) of `transport key@host:port`. Raises `Fault` naming the key."""
    hexadecimal, _, address = text.partition("@")
    return read_key(hexadecimal, key), read_dialled(address, key)


def read_dialled(text: str, key: str) -> str:
    """An address that others can dial. Raises `Fault` naming the key."""
    _, port = read_address(text, key)
    if port == 0 or not text.isascii() or " " in text:
        raise _wrong("settings", key, text, "host:port", "name the port that is dialled, and the host in ASCII")
    return text


def advertised(network: NetworkSettings) -> tuple[str, ...]:
    """What peers are told: nothing where `listen` is no address for others and no other is named."""
    if network.advertise:
        return (read_dialled(network.advertise, "network.advertise"),)
    host, port = read_address(network.listen, "network.listen")
    return (network.listen,) if port and host not in ("0.0.0.0", "::") else ()  # noqa: S104


def read_key(text: str, key: str) -> bytes:
    """A transport key, 32 bytes, of its 64 hexadecimal digits. Raises `Fault` naming the key."""
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if len(data) == 32:
        return data
    raise _wrong("settings", key, text, "64 hexadecimal digits", "take them from `bpi node identity` of that node")
