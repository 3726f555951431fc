"""COMPOSE-5. One service of a file: every key read into values, every finding with its place."""

import re
from typing import Final

from metanode.docklock.compose.deploy import deploy
from metanode.docklock.compose.environment import Outside, environment
from metanode.docklock.compose.fields import agreed, distinct, fields, items, pairs, texts
from metanode.docklock.compose.findings import ComposeRefusal, Notes, quoted
from metanode.docklock.compose.health import health_check
from metanode.docklock.compose.interpolation import Interpolation
from metanode.docklock.compose.keys import (
    DEPENDENCY,
    LOGGING,
    NETWORK_USE_REFUSED,
    SERVICE,
    SERVICE_REFUSED,
    SETTINGS,
)
from metanode.docklock.compose.model import (
    DEFAULT_NETWORK,
    HOST_IMAGE,
    Declared,
    Files,
    Image,
    Process,
    ServiceText,
    Settings,
)
from metanode.docklock.compose.mounts import known_name, path_in_container, secrets, tmpfs, volumes
from metanode.docklock.compose.nodes import Mapping, Spot
from metanode.docklock.compose.ports import ports
from metanode.docklock.compose.scalars import near, period_ms, size_kib, text_of, truth, whole, word_of
from metanode.docklock.compose.settings import settings
from metanode.docklock.compose.words import command
from metanode.records import workload
from metanode.records.demand import LISTED_MAX, check_name
from metanode.records.workload import (
    CAPABILITIES,
    CONDITIONS,
    GRACE_MS_MAX,
    SIGNALS,
    Dependency,
    Temporary,
    check_user,
)

STOP_GRACE_MS: Final = 10_000
"""Time between the signal to stop and the kill, as in Compose."""
LOG_BYTES_MAX: Final = 10_485_760
"""Most output kept in one file of a container, where nothing is said."""
LOG_FILES_MAX: Final = 3
"""Most files of output of a container, where nothing is said."""
LOG_FILES_LIMIT: Final = workload.LOG_FILES_MAX
"""Most files of output of a container that may be said."""
LOG_KIB_MIN: Final = 4
"""Smallest file of output: the agreed minimum of a specification."""
LOG_KIB_MAX: Final = 1 << 20
"""Largest file of output: the agreed maximum of a specification."""

_REFERENCE: Final = re.compile(
    r"((?:[A-Za-z0-9][A-Za-z0-9.-]{0,200}(?::[0-9]{1,5})?/)?[a-z0-9]+(?:[._/-]{1,2}[a-z0-9]+){0,32})"
    r"(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@sha256:([0-9a-f]{64}))?",
    re.ASCII,
)
_DROPPED_ALWAYS: Final = tuple(
    """
    AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH
    FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN
    NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE
    SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG SYSLOG WAKE_ALARM
    """.split()  # noqa: SIM905 - forty words read better so
)
"""Capabilities that no container has, so that to drop them is to say what is."""
_CONDITIONS: Final = dict(
    zip(("service_started", "service_healthy", "service_completed_successfully"), CONDITIONS, strict=True)
)


def image(spot: Spot, notes: Notes) -> Image:
    """COMPOSE-7. A reference; what it pins is resolved later."""
    text = text_of(spot, notes)
    found = _REFERENCE.fullmatch(text)
    if found is None or len(text) > 400:
        fix = "write it like registry.example.org/shop/web:1.4 or with @sha256: and 64 digits 0-9a-f behind it"
        spot.say(notes, ComposeRefusal.BAD_FORM, quoted(text), "[REGISTRY/]NAME[:TAG][@sha256:DIGEST]", fix)
        return Image("", b"", "")
    if found.group(1) == HOST_IMAGE and text != HOST_IMAGE:
        says = "the node's own /usr has no tag and no digest"
        spot.say(notes, ComposeRefusal.UNSUPPORTED_VALUE, says, HOST_IMAGE, f"write {HOST_IMAGE}")
        return Image("", b"", "")
    return Image(text, bytes.fromhex(found.group(3) or ""), found.group(2) or "")


def _capabilities(keys: dict[str, Spot], notes: Notes) -> tuple[str, ...]:
    """COMPOSE-9. NET_BIND_SERVICE, unless it is dropped, and what is added: fewer than Docker keeps by default."""
    kept = {"NET_BIND_SERVICE"}
    for key in ("cap_drop", "cap_add"):
        for text, spot in texts(keys[key], notes, 64) if key in keys else []:
            word = text.upper().removeprefix("CAP_")
            if word == "ALL" and key == "cap_drop":
                kept.clear()
            elif word in CAPABILITIES:
                kept = kept - {word} if key == "cap_drop" else kept | {word}
            elif key == "cap_add" and (word in _DROPPED_ALWAYS or word == "ALL"):
                reason = f"{', '.join(CAPABILITIES)}: no other is ever given"
                spot.say(notes, ComposeRefusal.UNSUPPORTED_VALUE, quoted(text), reason, "take it out")
            elif word not in _DROPPED_ALWAYS:
                fix = near(word, (*CAPABILITIES, *_DROPPED_ALWAYS))
                spot.say(
                    notes, ComposeRefusal.BAD_CHOICE, quoted(text), "a Linux capability, like NET_BIND_SERVICE", fix
                )
    return tuple(sorted(kept))


def _logging(at: Spot | None, notes: Notes) -> tuple[int, int]:
    """Bytes of a file of output, and how many files."""
    keys = {} if at is None else fields(at, notes, LOGGING)
    if "driver" in keys:
        driver = text_of(keys["driver"], notes, "local")
        if driver not in ("local", "json-file"):
            reason = "local, json-file: output is kept by the node; ask for it by `bpi container logs`"
            keys["driver"].say(notes, ComposeRefusal.UNSUPPORTED_VALUE, quoted(driver), reason, "write `driver: local`")
    options = fields(keys["options"], notes, ("max-size", "max-file")) if "options" in keys else {}
    size = LOG_BYTES_MAX
    if "max-size" in options:
        size = size_kib(options["max-size"], notes, LOG_KIB_MIN, LOG_KIB_MAX) << 10
    files = whole(options["max-file"], notes, 1, LOG_FILES_LIMIT) if "max-file" in options else LOG_FILES_MAX
    return size, files


def _stop_signal(at: Spot | None, notes: Notes) -> str:
    if at is None:
        return "SIGTERM"
    word = text_of(at, notes, "SIGTERM")
    if word in SIGNALS:
        return word
    if f"SIG{word}" in SIGNALS:
        return f"SIG{word}"
    at.say(notes, ComposeRefusal.BAD_CHOICE, quoted(word), ", ".join(SIGNALS), near(word, SIGNALS))
    return "SIGTERM"


def _process(keys: dict[str, Spot], notes: Notes, outside: Outside, by: Interpolation, probe: Spot | None) -> Process:
    user = text_of(keys["user"], notes) if "user" in keys else ""
    if user:
        agreed(keys["user"], notes, check_user, "the user", user)
    hostname = text_of(keys["hostname"], notes) if "hostname" in keys else ""
    if hostname:
        agreed(keys["hostname"], notes, check_name, "hostname", hostname)
    directory = text_of(keys["working_dir"], notes) if "working_dir" in keys else ""
    if directory not in ("", "/"):
        directory = path_in_container(keys["working_dir"], notes, directory)
    if "security_opt" in keys:
        for text, spot in texts(keys["security_opt"], notes, 16):
            if text not in ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"):
                allowed = "no-new-privileges: the engines' own profiles always hold"
                spot.say(notes, ComposeRefusal.UNSUPPORTED_VALUE, quoted(text), allowed, "take it out")
    log_bytes, log_files = _logging(keys.get("logging"), notes)
    grace = keys.get("stop_grace_period")
    return Process(
        entrypoint=command(keys["entrypoint"], notes) if "entrypoint" in keys else None,
        command=command(keys["command"], notes) if "command" in keys else None,
        environment=environment(keys, notes, outside, by),
        working_directory=directory,
        user=user,
        hostname=hostname,
        capabilities=_capabilities(keys, notes),
        stop_signal=_stop_signal(keys.get("stop_signal"), notes),
        stop_grace_ms=STOP_GRACE_MS if grace is None else period_ms(grace, notes, 0, GRACE_MS_MAX),
        log_bytes_max=log_bytes,
        log_files_max=log_files,
        health=health_check(keys.get("healthcheck"), probe, notes),
    )


def _networks(keys: dict[str, Spot], notes: Notes, declared: Declared) -> tuple[str, ...]:
    """Names of the networks of a service; none for `network_mode: none`, `default` where nothing is said."""
    if "network_mode" in keys:
        mode = text_of(keys["network_mode"], notes, "none")
        if mode != "none":
            reason = "none: containers have no network but the mesh"
            fix = "take it out: services that share a network reach each other"
            keys["network_mode"].say(notes, ComposeRefusal.UNSUPPORTED_VALUE, quoted(mode), reason, fix)
        if "networks" in keys:
            fix = "take one of the two out"
            keys["networks"].say(notes, ComposeRefusal.CONTRADICTION, "networks beside network_mode", "", fix)
        return ()
    if "networks" not in keys:
        return (declared.networks.get(DEFAULT_NETWORK, DEFAULT_NETWORK),)
    at = keys["networks"]
    named: list[tuple[str, Spot]] = []
    if isinstance(at.node, Mapping):
        for name, spot in pairs(at, notes):
            fields(spot, notes, (), NETWORK_USE_REFUSED)
            named.append((name, spot))
    else:
        named = texts(at, notes, LISTED_MAX)
    names = (DEFAULT_NETWORK, *declared.networks)
    good = [(declared.networks.get(n, n), spot) for n, spot in named if known_name(spot, notes, "network", n, names)]
    return distinct(good, notes)


def _dependencies(at: Spot | None, notes: Notes, services: tuple[str, ...]) -> tuple[Dependency, ...]:
    found: dict[str, str] = {}
    named: list[tuple[str, str, Spot]] = []
    if at is not None and isinstance(at.node, Mapping):
        for name, spot in pairs(at, notes):
            keys = fields(spot, notes, DEPENDENCY)
            word = (
                word_of(keys["condition"], notes, tuple(_CONDITIONS), "service_started") if "condition" in keys else ""
            )
            if not word:
                fix = "write `condition: service_started`"
                spot.say(notes, ComposeRefusal.MISSING_KEY, "no condition", ", ".join(_CONDITIONS), fix)
            if "required" in keys and not truth(keys["required"], notes, default=True):
                reason = "true: what is waited for is there"
                keys["required"].say(
                    notes, ComposeRefusal.UNSUPPORTED_VALUE, "false", reason, "take the dependency out"
                )
            if "restart" in keys and truth(keys["restart"], notes):
                reason = "false: a service is not restarted because another was"
                keys["restart"].say(notes, ComposeRefusal.UNSUPPORTED_VALUE, "true", reason, "take it out")
            named.append((name, _CONDITIONS.get(word, "started"), spot))
    elif at is not None:
        named = [(text_of(spot, notes), "started", spot) for spot in items(at, notes, LISTED_MAX)]
    for name, condition, spot in named:
        if name not in services:
            fix = near(name, services) or "name a service of this file"
            spot.say(notes, ComposeRefusal.UNKNOWN_NAME, f"no service {quoted(name)}", ", ".join(services[:10]), fix)
        elif name in found:
            spot.say(notes, ComposeRefusal.CONTRADICTION, f"{quoted(name)} a second time", "once", "take one out")
        else:
            found[name] = condition
    return tuple(Dependency(workload=name, condition=found[name]) for name in sorted(found))


def _temporary(*found: tuple[Temporary, ...]) -> tuple[Temporary, ...]:
    """Every tmpfs by its path, whichever key named it first."""
    known: dict[str, Temporary] = {}
    for one in found[0] + found[1]:
        known.setdefault(one.target, one)
    return tuple(known[target] for target in sorted(known))


def service(
    name: str,
    spot: Spot,
    notes: Notes,
    outside: Outside,
    by: Interpolation,
    *,
    declared: Declared,
    shared: Settings,
    services: tuple[str, ...],
) -> ServiceText:
    """COMPOSE-5. A service, read whole."""
    keys = fields(spot, notes, SERVICE, SERVICE_REFUSED)
    agreed(spot, notes, check_name, "service", name)
    if "image" not in keys:
        spot.say(notes, ComposeRefusal.MISSING_KEY, "no image", "image", "write `image: NAME@sha256:…`")
    own = keys.get("x-metanode")
    probe = fields(own, Notes(), SETTINGS, extensions=False).get("probe") if own is not None else None
    mounts, temporary = volumes(keys.get("volumes"), notes, declared)
    files = Files(
        read_only="read_only" in keys and truth(keys["read_only"], notes),
        temporary=_temporary(temporary, tmpfs(keys.get("tmpfs"), notes)),
        mounts=mounts,
        secrets=secrets(keys.get("secrets"), notes, declared, text_of(keys["user"], Notes()) if "user" in keys else ""),
    )
    return ServiceText(
        name=name,
        spot=spot,
        keys=keys,
        image=image(keys["image"], notes) if "image" in keys else Image("", b"", ""),
        process=_process(keys, notes, outside, by, probe),
        files=files,
        ports=ports(keys.get("ports"), keys.get("expose"), notes),
        networks=_networks(keys, notes, declared),
        dependencies=_dependencies(keys.get("depends_on"), notes, services),
        deploy=deploy(keys, notes),
        settings=settings(own, notes, shared),
    )
