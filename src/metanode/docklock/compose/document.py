"""COMPOSE-5. A whole file: what the top level declares, every service, and what only the whole can tell."""

from typing import Final

from metanode.docklock.compose.environment import Outside
from metanode.docklock.compose.fields import agreed, fields, pairs
from metanode.docklock.compose.findings import ComposeAdvice, ComposeRefusal, Notes, quoted
from metanode.docklock.compose.interpolation import Interpolation
from metanode.docklock.compose.keys import (
    NETWORK,
    NETWORK_REFUSED,
    SECRET,
    SECRET_REFUSED,
    TOP,
    TOP_REFUSED,
    VOLUME,
    VOLUME_REFUSED,
)
from metanode.docklock.compose.model import ComposeText, Declared, SecretSource
from metanode.docklock.compose.nodes import Mapping, Spot
from metanode.docklock.compose.order import circle
from metanode.docklock.compose.scalars import text_of, truth, word_of
from metanode.docklock.compose.services import service
from metanode.docklock.compose.settings import shared
from metanode.records.demand import check_name

SERVICES_MAX: Final = 256
"""Most services of a file, and volumes, networks, secrets each: more than one person keeps in mind."""


def _bounded(at: Spot | None, notes: Notes) -> list[tuple[str, Spot]]:
    found = [] if at is None else pairs(at, notes)
    if at is not None and len(found) > SERVICES_MAX:
        at.say(notes, ComposeRefusal.TOO_LARGE, f"{len(found)} entries", f"at most {SERVICES_MAX}", "split the file")
    return found[:SERVICES_MAX]


def _external(spot: Spot, keys: dict[str, Spot], notes: Notes) -> bool:
    """Whether it is there already; the old form `external: {name: …}` is refused with what replaced it."""
    if "external" not in keys:
        return False
    if isinstance(keys["external"].node, Mapping):
        fix = "write `external: true` and `name: …`"
        spot.say(notes, ComposeRefusal.UNSUPPORTED_VALUE, "the old form of external", "true, false", fix)
        return True
    return truth(keys["external"], notes)


def _real_name(what: str, name: str, spot: Spot, keys: dict[str, Spot], notes: Notes) -> str:
    real = text_of(keys["name"], notes, name) if "name" in keys else name
    agreed(keys.get("name", spot), notes, check_name, what, real)
    return real


def _volumes(at: Spot | None, notes: Notes) -> dict[str, str]:
    made: dict[str, str] = {}
    for name, spot in _bounded(at, notes):
        keys = fields(spot, notes, VOLUME, VOLUME_REFUSED)
        if "driver" in keys:
            word_of(keys["driver"], notes, ("local",), "local")
        _external(spot, keys, notes)
        made[name] = _real_name("volume", name, spot, keys, notes)
    return made


def _networks(at: Spot | None, notes: Notes) -> dict[str, str]:
    made: dict[str, str] = {}
    for name, spot in _bounded(at, notes):
        keys = fields(spot, notes, NETWORK, NETWORK_REFUSED)
        if "internal" in keys and not truth(keys["internal"], notes, default=True):
            reason = "true: nothing leaves but to what x-metanode.egress names"
            keys["internal"].say(notes, ComposeRefusal.UNSUPPORTED_VALUE, "false", reason, "take it out")
        _external(spot, keys, notes)
        made[name] = _real_name("network", name, spot, keys, notes)
    return made


def _secrets(at: Spot | None, notes: Notes) -> dict[str, SecretSource]:
    made: dict[str, SecretSource] = {}
    for name, spot in _bounded(at, notes):
        keys = fields(spot, notes, SECRET, SECRET_REFUSED)
        external = _external(spot, keys, notes)
        sources = [key for key in ("file", "environment") if key in keys] + (["external"] if external else [])
        real = _real_name("secret", name, spot, keys, notes)
        if len(sources) == 1:
            where = "" if external else text_of(keys[sources[0]], notes)
            made[name] = SecretSource(real, sources[0], where)
        else:
            found = "says nothing of where it comes from" if not sources else f"comes from {' and '.join(sources)}"
            allowed = "one of external: true, file, environment"
            code = ComposeRefusal.CONTRADICTION if sources else ComposeRefusal.MISSING_KEY
            spot.say(notes, code, found, allowed, "write one of them")
            made[name] = SecretSource(real, "external", "")
    return made


def _unused(notes: Notes, top: dict[str, Spot], what: str, used: set[str], declared: dict[str, str]) -> None:
    for name, real in declared.items():
        if real not in used:
            spot = next(one for key, one in pairs(top[what], notes) if key == name)
            spot.say(notes, ComposeAdvice.UNUSED, f"{quoted(name)} is used by no service", "", "take it out")


def document(root: Spot, notes: Notes, outside: Outside, by: Interpolation) -> ComposeText:
    """COMPOSE-5. The file as values; worth something only if no error was noted."""
    top = fields(root, notes, TOP, TOP_REFUSED)
    if "version" in top:
        top["version"].say(notes, ComposeAdvice.OBSOLETE_KEY, "version means nothing any more", "", "take it out")
    name = text_of(top["name"], notes) if "name" in top else ""
    if name:
        agreed(top["name"], notes, check_name, "name", name)
    cluster, common = shared(top.get("x-metanode"), notes)
    declared = Declared(
        _volumes(top.get("volumes"), notes), _networks(top.get("networks"), notes), _secrets(top.get("secrets"), notes)
    )
    listed = _bounded(top.get("services"), notes)
    if not listed:
        root.say(notes, ComposeRefusal.MISSING_KEY, "no services", "services", "write `services:` with at least one")
    names = tuple(sorted(name for name, _ in listed))
    made = tuple(
        service(name, spot, notes, outside, by, declared=declared, shared=common, services=names)
        for name, spot in sorted(listed, key=lambda one: one[0])
    )
    text = ComposeText(name, cluster, declared, made)
    if found := circle(text.waits):
        first = next(one for one in made if one.name == found[0])
        says = " waits for ".join((*found, found[0]))
        first.at("depends_on").say(notes, ComposeRefusal.CYCLE, says, "no circle", "take one depends_on out")
    _unused(notes, top, "volumes", {m.volume for one in made for m in one.files.mounts}, declared.volumes)
    _unused(notes, top, "networks", {n for one in made for n in one.networks}, declared.networks)
    real = {key: source.name for key, source in declared.secrets.items()}
    _unused(notes, top, "secrets", {s.secret for one in made for s in one.files.secrets}, real)
    return text
