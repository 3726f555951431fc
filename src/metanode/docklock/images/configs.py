"""The configuration of an image: its layers' digests, and what a container of it is started with."""

import re
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from metanode.docklock.images.digests import Digest, parse_digest
from metanode.docklock.images.manifests import LAYERS_MAX, Manifest, Platform, decode_json
from metanode.docklock.images.paths import absolute_text
from metanode.docklock.images.refusals import ImageRefusal
from metanode.primitives.refusal import Rejected

CONFIG_BYTES_MAX: Final = 1 << 20
"""Longest configuration; most of a long one is the history of the build."""
WORDS_MAX: Final = 1024
"""Most words of a command, variables of an environment, ports, volumes and labels of an image."""
WORD_MAX: Final = 32_768
"""Longest of these in characters; the kernel takes 128 KiB."""
PORT_MAX: Final = 65_535
STOP_SIGNAL_USUAL: Final = 15
"""SIGTERM, where an image names none."""
_SIGNALS: Final = (
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
)  # fmt: skip
"""Signals of Linux in their order, the first is number 1."""
_REAL_TIME: Final = re.compile(r"RT(?:MIN(?:\+([0-9]{1,2}))?|MAX(?:-([0-9]{1,2}))?)")
_RTMIN: Final = 34
"""SIGRTMIN as the C libraries give it to programs; they keep 32 and 33 for themselves."""
_RTMAX: Final = 64
_PORT: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(tcp|udp|sctp))?")
_NUL: Final = "\x00"

_Word = Annotated[str, msgspec.Meta(max_length=WORD_MAX)]
_Words = Annotated[tuple[_Word, ...], msgspec.Meta(max_length=WORDS_MAX)]
_Names = Annotated[dict[_Word, msgspec.Raw], msgspec.Meta(max_length=WORDS_MAX)]


@dataclass(frozen=True, slots=True)
class Run:
    """IMG-7. What an image says of how it is started. Empty texts and tuples stand for what it does not say.

    `environment`: pairs, each name once. `ports`: (number, protocol). `stop_signal`: a number of Linux.
    `user`: as written, `name`, `name:group`, or numbers (see `users`).
    """

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    user: str = ""
    folder: str = "/"
    ports: tuple[tuple[int, str], ...] = ()
    volumes: tuple[str, ...] = ()
    stop_signal: int = STOP_SIGNAL_USUAL
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """IMG-7. The configuration: its platform, the digest of each layer unpacked, lowest first, and how it runs."""

    platform: Platform
    diff_ids: tuple[Digest, ...]
    run: Run


class _RootFs(msgspec.Struct, frozen=True):
    type: _Word
    diff_ids: Annotated[tuple[_Word, ...], msgspec.Meta(max_length=LAYERS_MAX)]


class _Run(msgspec.Struct, frozen=True, rename="pascal"):
    """Null stands for absent: builders write both."""

    entrypoint: _Words | None = None
    cmd: _Words | None = None
    env: _Words | None = None
    user: _Word | None = None
    working_dir: _Word | None = None
    exposed_ports: _Names | None = None
    volumes: _Names | None = None
    stop_signal: _Word | None = None
    labels: Annotated[dict[_Word, _Word], msgspec.Meta(max_length=WORDS_MAX)] | None = None


class _Config(msgspec.Struct, frozen=True):
    architecture: _Word
    os: _Word
    rootfs: _RootFs
    variant: _Word = ""
    config: _Run | None = None


def decode_config(data: bytes) -> ImageConfig:
    """IMG-7. The configuration; fields that nobody here needs are ignored."""
    found: _Config = decode_json(data, _Config, "configuration", CONFIG_BYTES_MAX)
    if found.rootfs.type != "layers":
        raise Rejected(ImageRefusal.CONFIG_VALUE, f"rootfs of type {found.rootfs.type[:40]!r}, known is 'layers'")
    run = found.config if found.config is not None else _Run()
    return ImageConfig(
        Platform(found.os, found.architecture, found.variant),
        tuple(parse_digest(one) for one in found.rootfs.diff_ids),
        Run(
            _texts(run.entrypoint, "Entrypoint"),
            _texts(run.cmd, "Cmd"),
            _environment(run.env or ()),
            _text(run.user or "", "User"),
            absolute_text(run.working_dir or "/", "WorkingDir"),
            _ports(run.exposed_ports or {}),
            tuple(sorted({absolute_text(one, "Volumes") for one in run.volumes or {}})),
            stop_signal(run.stop_signal or ""),
            tuple(sorted((run.labels or {}).items())),
        ),
    )


def check_layers(manifest: Manifest, config: ImageConfig) -> None:
    """IMG-7. The configuration has one digest for each layer of the manifest."""
    if len(manifest.layers) != len(config.diff_ids):
        detail = f"{len(manifest.layers)} layers in the manifest, {len(config.diff_ids)} in the configuration"
        raise Rejected(ImageRefusal.LAYERS_DIFFER, detail)


def stop_signal(text: str) -> int:
    """IMG-7. A signal by its name, with `SIG` or without, or by its number, 1 to 64; nothing said is SIGTERM."""
    name = text.upper().removeprefix("SIG")
    if not name:
        return STOP_SIGNAL_USUAL
    if name in _SIGNALS:
        return _SIGNALS.index(name) + 1
    number = 0
    if name.isascii() and name.isdigit() and len(name) < 4:
        number = int(name)
    elif (match := _REAL_TIME.fullmatch(name)) is not None:
        above, below = match.groups()
        number = _RTMAX - int(below or 0) if name.startswith("RTMAX") else _RTMIN + int(above or 0)
        number = number if number >= _RTMIN else 0
    if not 0 < number <= _RTMAX:
        raise Rejected(ImageRefusal.CONFIG_VALUE, f"StopSignal: {text[:40]!r} is no signal of Linux")
    return number


def _texts(words: tuple[str, ...] | None, what: str) -> tuple[str, ...]:
    return tuple(_text(word, what) for word in words or ())


def _text(text: str, what: str) -> str:
    """No NUL: the kernel would see the text end there."""
    if _NUL in text:
        raise Rejected(ImageRefusal.CONFIG_VALUE, f"{what}: {text[:80]!r} holds a NUL")
    return text


def _environment(lines: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """`NAME=value` each; of a name said twice the last counts, at the place of the first."""
    found: dict[str, str] = {}
    for line in lines:
        name, equals, value = _text(line, "Env").partition("=")
        if not name or not equals:
            raise Rejected(ImageRefusal.CONFIG_VALUE, f"Env: {line[:80]!r} is not NAME=value")
        found[name] = value
    return tuple(found.items())


def _ports(names: dict[str, msgspec.Raw]) -> tuple[tuple[int, str], ...]:
    """`80`, `80/tcp`, `8000-8010/udp`; a range counts as its ports, of which there are no more than words."""
    found: set[tuple[int, str]] = set()
    for name in names:
        match = _PORT.fullmatch(name)
        first = int(match[1]) if match is not None else 0
        last = int(match[2] or match[1]) if match is not None else 0
        if match is None or not 0 < first <= last <= PORT_MAX or last - first + len(found) >= WORDS_MAX:
            raise Rejected(ImageRefusal.CONFIG_VALUE, f"ExposedPorts: {name[:40]!r} is no port, or one too many")
        found |= {(port, match[3] or "tcp") for port in range(first, last + 1)}
    return tuple(sorted(found))
